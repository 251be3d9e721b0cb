//! Who owns which byte of a mapping: the rules that only show when both sides are seen.
//!
//! A mapping belongs to the device until the driver syncs it for the CPU, and again after it has
//! synced it for the device. [`Ownership`] keeps this for each byte, with what each side has written
//! since. It is told of mappings and hand-overs by the driver's side and of accesses by both sides,
//! and says what breaks the rules, with the history of the mapping.

mod breach;
mod bytes;

pub use breach::{Breach, Held, OwnershipBreach};

use std::collections::BTreeMap;

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::direction::DataDirection;
use bytes::ByteSet;

/// Identifies a mapping of an [`Ownership`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnershipId(u64);

/// A mapping with the state of its bytes.
#[derive(Debug)]
struct State {
    held: Held,
    owned_by_cpu: ByteSet,
    /// Written by the device and not yet synced for the CPU.
    device_wrote: ByteSet,
    /// Written by the CPU and not yet synced for the device.
    cpu_wrote: ByteSet,
    is_in_flight: bool,
    /// Whether memory of this mapping is mapped a second time.
    is_aliased: bool,
}

/// DMA addresses that the device still uses although their mapping is gone.
#[derive(Debug)]
struct Orphan {
    id: OwnershipId,
    held: Held,
}

/// Memory that the device must not touch, mapped or not.
#[derive(Debug)]
struct Forbidden {
    start: PhysAddr,
    bytes: u64,
    why: &'static str,
}

/// The owners of all live mappings of a device.
#[derive(Debug, Default)]
pub struct Ownership {
    live: BTreeMap<OwnershipId, State>,
    orphans: Vec<Orphan>,
    forbidden: Vec<Forbidden>,
    next_id: u64,
    breaches: Vec<OwnershipBreach>,
}

/// Returns whether two ranges have a byte in common.
const fn meet(a: u64, a_bytes: u64, b: u64, b_bytes: u64) -> bool {
    a.wrapping_sub(b) < b_bytes || (b.wrapping_sub(a) < a_bytes && b_bytes > 0)
}

impl Held {
    fn shares_memory_with(&self, other: &Self) -> bool {
        meet(self.orig.raw(), self.bytes, other.orig.raw(), other.bytes)
    }

    fn shares_addresses_with(&self, other: &Self) -> bool {
        meet(self.dma.raw(), self.bytes, other.dma.raw(), other.bytes)
    }

    /// Returns the part of a mapping that lies in a physical range, as offset and length.
    fn part(&self, phys: PhysAddr, bytes: u64) -> Option<(u64, u64)> {
        let start = self.orig.raw().max(phys.raw());
        let own_end = self.orig.raw().saturating_add(self.bytes);
        let end = own_end.min(phys.raw().saturating_add(bytes));
        (start < end).then(|| (start - self.orig.raw(), end - start))
    }
}

impl Ownership {
    /// Begins without mappings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was found since the last call.
    pub fn take_breaches(&mut self) -> Vec<OwnershipBreach> {
        std::mem::take(&mut self.breaches)
    }

    /// Enters a mapping: all its bytes belong to the device.
    pub fn mapped(&mut self, held: Held) -> OwnershipId {
        let id = OwnershipId(self.next_id);
        self.next_id += 1;
        let cycle = held.mapper.cycle;
        let reused = self
            .orphans
            .iter()
            .find(|orphan| orphan.held.shares_addresses_with(&held));
        if let Some(orphan) = reused {
            let old = orphan.held.clone();
            self.breached(
                Breach::ReusedInFlight,
                cycle,
                held.orig,
                held.bytes,
                Some(old),
            );
        }
        let mut is_aliased = false;
        for other in self.live.values_mut() {
            if other.held.shares_memory_with(&held) {
                other.is_aliased = true;
                is_aliased = true;
            }
        }
        let state = State {
            owned_by_cpu: ByteSet::new(held.bytes),
            device_wrote: ByteSet::new(held.bytes),
            cpu_wrote: ByteSet::new(held.bytes),
            is_in_flight: false,
            is_aliased,
            held,
        };
        self.live.insert(id, state);
        id
    }

    /// Ends a mapping: its memory belongs to the CPU. `attrs` are those of the unmap.
    pub fn unmapped(&mut self, id: OwnershipId, cycle: u64, attrs: Attrs) {
        let Some(state) = self.live.remove(&id) else {
            return;
        };
        let lost = state.device_wrote.count();
        let held = state.held;
        if attrs.contains(Attrs::SKIP_CPU_SYNC) && held.has_two_views && lost > 0 {
            let first = state.device_wrote.first_set(0, held.bytes).unwrap_or(0);
            let at = held.orig.wrapping_add(first);
            self.breached(
                Breach::UnsyncedDataDropped,
                cycle,
                at,
                lost,
                Some(held.clone()),
            );
        }
        if state.is_in_flight {
            self.orphans.push(Orphan { id, held });
        }
    }

    /// Says that the device begins to use a mapping.
    pub fn device_started(&mut self, id: OwnershipId) {
        if let Some(state) = self.live.get_mut(&id) {
            state.is_in_flight = true;
        }
    }

    /// Says that the device has done with a mapping.
    pub fn device_finished(&mut self, id: OwnershipId) {
        if let Some(state) = self.live.get_mut(&id) {
            state.is_in_flight = false;
        }
        self.orphans.retain(|orphan| orphan.id != id);
    }

    /// Hands part of a mapping to the CPU; `dir` is the direction of the sync.
    pub fn synced_for_cpu(&mut self, id: OwnershipId, offset: u64, bytes: u64, dir: DataDirection) {
        if let Some(state) = self.live.get_mut(&id) {
            state.owned_by_cpu.set(offset, bytes);
            if dir.comes_from_device() {
                state.device_wrote.clear(offset, bytes);
            }
        }
    }

    /// Hands part of a mapping to the device; `dir` is the direction of the sync.
    pub fn synced_for_device(
        &mut self,
        id: OwnershipId,
        cycle: u64,
        offset: u64,
        bytes: u64,
        dir: DataDirection,
    ) {
        if let Some(state) = self.live.get_mut(&id) {
            state.owned_by_cpu.clear(offset, bytes);
            state.held.handed_over_at = cycle;
            if dir.reaches_device() {
                state.cpu_wrote.clear(offset, bytes);
            }
        }
    }

    /// Judges a read of the CPU. What the device only reads may be read at any time.
    pub fn on_cpu_read(&mut self, cycle: u64, phys: PhysAddr, bytes: u64) {
        let mut found = Vec::new();
        for state in self.live.values() {
            let Some((offset, len)) = state.held.part(phys, bytes) else {
                continue;
            };
            if !state.held.dir.comes_from_device() {
                continue;
            }
            let stale = state.device_wrote.first_set(offset, len);
            let foreign = state.owned_by_cpu.first_clear(offset, len);
            let breach = match (stale, foreign) {
                (Some(at), _) if state.held.has_two_views => Some((Breach::StaleCpuRead, at)),
                (_, Some(at)) => Some((Breach::CpuReadWhileLent, at)),
                _ => None,
            };
            found.extend(breach.map(|(breach, at)| (breach, at, state.held.clone())));
        }
        self.breached_at(found, cycle, bytes);
    }

    /// Judges a write of the CPU, and notes that the device does not see it yet.
    pub fn on_cpu_write(&mut self, cycle: u64, phys: PhysAddr, bytes: u64) {
        let mut found = Vec::new();
        for state in self.live.values_mut() {
            let Some((offset, len)) = state.held.part(phys, bytes) else {
                continue;
            };
            state.cpu_wrote.set(offset, len);
            if let Some(at) = state.owned_by_cpu.first_clear(offset, len) {
                found.push((Breach::CpuWriteWhileLent, at, state.held.clone()));
            }
        }
        self.breached_at(found, cycle, bytes);
    }

    /// Judges a read of the device: `bytes` bytes at `offset` of a mapping.
    pub fn on_device_read(&mut self, id: OwnershipId, cycle: u64, offset: u64, bytes: u64) {
        let Some(state) = self.live.get(&id) else {
            return;
        };
        let stale = state.cpu_wrote.first_set(offset, bytes);
        if let Some(at) = stale.filter(|_| state.held.has_two_views) {
            let found = vec![(Breach::StaleDeviceRead, at, state.held.clone())];
            self.breached_at(found, cycle, bytes);
        }
    }

    /// Judges a write of the device, and notes that the CPU does not see it yet.
    pub fn on_device_write(&mut self, id: OwnershipId, cycle: u64, offset: u64, bytes: u64) {
        let Some(state) = self.live.get_mut(&id) else {
            return;
        };
        state.device_wrote.set(offset, bytes);
        if !state.is_aliased {
            return;
        }
        let (phys, dma) = (state.held.orig.wrapping_add(offset), state.held.dma);
        let others: Vec<_> = self
            .live
            .iter()
            .filter(|(other, _)| **other != id)
            .filter_map(|(_, state)| state.held.part(phys, bytes).map(|part| (state, part)))
            .map(|(state, (at, _))| (Breach::AliasedWrite { dma }, at, state.held.clone()))
            .collect();
        self.breached_at(others, cycle, bytes);
    }

    /// Forbids the device some memory: a private page of a guest, a retired pool, a transient pool
    /// that was freed. `why` says which, in a few words.
    pub fn forbid(&mut self, start: PhysAddr, bytes: u64, why: &'static str) {
        self.forbidden.push(Forbidden { start, bytes, why });
    }

    /// Allows the device some memory again; what is forbidden beside it stays so.
    pub fn permit(&mut self, start: PhysAddr, bytes: u64) {
        let end = start.raw().saturating_add(bytes);
        let mut kept = Vec::new();
        for range in self.forbidden.drain(..) {
            let range_end = range.start.raw().saturating_add(range.bytes);
            let before = (range.start.raw(), range_end.min(start.raw()));
            let behind = (range.start.raw().max(end), range_end);
            for (from, to) in [before, behind] {
                if from < to {
                    kept.push(Forbidden {
                        start: PhysAddr::new(from),
                        bytes: to - from,
                        why: range.why,
                    });
                }
            }
        }
        self.forbidden = kept;
    }

    /// Judges a device access by the memory that it reaches, mapped or not. Returns whether it was
    /// forbidden.
    pub fn on_memory_access(&mut self, cycle: u64, phys: PhysAddr, bytes: u64) -> bool {
        let hit = self
            .forbidden
            .iter()
            .find(|range| meet(range.start.raw(), range.bytes, phys.raw(), bytes));
        let Some(why) = hit.map(|range| range.why) else {
            return false;
        };
        self.breached(Breach::ForbiddenMemory { why }, cycle, phys, bytes, None);
        true
    }

    fn breached_at(&mut self, found: Vec<(Breach, u64, Held)>, cycle: u64, bytes: u64) {
        for (breach, offset, held) in found {
            let at = held.orig.wrapping_add(offset);
            self.breached(breach, cycle, at, bytes, Some(held));
        }
    }

    fn breached(
        &mut self,
        breach: Breach,
        cycle: u64,
        phys: PhysAddr,
        bytes: u64,
        held: Option<Held>,
    ) {
        self.breaches.push(OwnershipBreach {
            breach,
            cycle,
            phys,
            bytes,
            held,
        });
    }

    /// Returns the DMA address of a live mapping.
    #[must_use]
    pub fn dma_of(&self, id: OwnershipId) -> Option<DmaAddr> {
        self.live.get(&id).map(|state| state.held.dma)
    }
}
