//! The pool: contiguous bounce memory cut into areas and slots.

use bitvec::prelude::{BitVec, Lsb0};
use crossbeam_utils::CachePadded;

use crate::addr::PhysAddr;
use crate::area::{Area, CpuId};
use crate::block::Block;
use crate::domain::Domain;
use crate::error::InitError;
use crate::search::FindRun;
use crate::slot::{SLOT_BYTES, SLOT_SET_SLOTS};
use crate::sync_primitives::{Lock, MutexGuard};

/// Most slots of a pool: 8 GiB of bounce memory, with 100 MiB of bookkeeping.
pub const MAX_POOL_SLOTS: u32 = 1 << 22;
/// Bytes of an area's descriptor.
const AREA_BYTES: u64 = std::mem::size_of::<crate::area::Area>() as u64;

/// Names an allocator: the default one or one of the restricted pools.
#[doc(alias = "io_tlb_mem")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocatorId(pub(crate) u32);

impl AllocatorId {
    /// The allocator every device begins with.
    pub const DEFAULT: Self = Self(0);

    /// Returns the number: 0 is the default allocator.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Names a pool. A number is never given twice in the life of a [`crate::Swiotlb`].
#[doc(alias = "io_tlb_pool")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub(crate) u32);

impl PoolId {
    /// Returns the number of the pool, counted from 0 in order of creation.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Where a pool lies and how it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolGeometry {
    /// First byte.
    pub base: PhysAddr,
    /// Number of slots.
    pub slots: u32,
    /// Number of areas, a power of two.
    pub areas: u32,
}

impl PoolGeometry {
    /// Returns the size in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.slots as u64 * SLOT_BYTES
    }

    /// Checks what every pool must keep to: on the grid of slots, inside the address space, not
    /// larger than its bookkeeping allows, areas a power of two.
    pub(crate) fn checked(base: PhysAddr, slots: u64, areas: u32) -> Result<Self, InitError> {
        let count = u32::try_from(slots)
            .ok()
            .filter(|&slots| slots <= MAX_POOL_SLOTS);
        let Some(count) = count else {
            return Err(InitError::TooManySlots { slots });
        };
        if count == 0 || !areas.is_power_of_two() {
            let what = "slots must be above 0 and areas a power of two";
            return Err(InitError::Invalid { what });
        }
        if areas > MAX_POOL_SLOTS {
            // A pool that grows may have more areas than slots; their descriptors take memory all the same.
            let bytes = u64::from(areas) * AREA_BYTES;
            return Err(InitError::NoMemory { bytes });
        }
        if !base.raw().is_multiple_of(SLOT_BYTES) {
            return Err(InitError::OffGrid { base });
        }
        let geometry = Self {
            base,
            slots: count,
            areas,
        };
        if base.checked_add(geometry.bytes()).is_none() {
            let what = "the end is above the 64-bit address space";
            return Err(InitError::Invalid { what });
        }
        Ok(geometry)
    }

    /// Returns whether two pools share memory.
    pub(crate) const fn overlaps(&self, other: &Self) -> bool {
        let (start, end) = (self.base.raw(), self.base.raw() + self.bytes());
        let (other_start, other_end) = (other.base.raw(), other.base.raw() + other.bytes());
        start < other_end && other_start < end
    }
}

/// One pool (`struct io_tlb_pool`).
///
/// What changes lies behind the locks of its domains: one per area, or one for all areas where they
/// are no whole slot sets, because runs then reach from one into the next.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    pub(crate) geometry: PoolGeometry,
    /// Slots of an area.
    pub(crate) area_slots: u32,
    /// Made after boot: its pages are not converted by `update_mem_attributes`.
    pub(crate) is_late: bool,
    /// Where its memory came from; `None` if that is not for the layer to give back.
    pub(crate) block: Option<Block>,
    domains: Box<[CachePadded<Lock<Domain>>]>,
}

impl Pool {
    /// Makes a pool whose slots are all free. Its memory is to be zeroed by the caller.
    pub(crate) fn new(id: PoolId, geometry: PoolGeometry, is_late: bool) -> Self {
        let PoolGeometry { slots, areas, .. } = geometry;
        let area_slots = slots / areas;
        let is_separate = area_slots > 0 && area_slots.is_multiple_of(SLOT_SET_SLOTS);
        let domain = |area: u32| {
            let domain = if is_separate && areas > 1 {
                // What a division leaves over belongs to no area, but to the pool.
                let is_last = area + 1 == areas;
                let end = if is_last {
                    slots
                } else {
                    (area + 1) * area_slots
                };
                Domain::new(area * area_slots, end - area * area_slots, 1, area_slots)
            } else {
                Domain::new(0, slots, areas, area_slots)
            };
            CachePadded::new(Lock::new(domain))
        };
        let domains = if is_separate { areas } else { 1 };
        Self {
            id,
            geometry,
            area_slots,
            is_late,
            block: None,
            domains: (0..domains).map(domain).collect(),
        }
    }

    /// Returns whether each slot lies in an area, and each area is a domain.
    pub(crate) fn is_even(&self) -> bool {
        self.domains.len() == self.geometry.areas as usize
            && self.geometry.slots == self.area_slots * self.geometry.areas
    }

    /// Says where the memory came from.
    pub(crate) fn with_block(mut self, block: Block) -> Self {
        self.block = Some(block);
        self
    }

    /// Notes that the pool was in use until now, for the shrinker.
    pub(crate) fn set_last_active(&self, now: u64) {
        for domain in self.domains() {
            domain.lock().last_active = now;
        }
    }

    /// Returns when the pool was last in use, in nanoseconds; `None` if it is in use.
    pub(crate) fn last_active_if_empty(&self) -> Option<u64> {
        self.domains().try_fold(0, |latest, domain| {
            let domain = domain.lock();
            (domain.used() == 0).then(|| domain.last_active.max(latest))
        })
    }

    /// Locks all domains, in order (nobody locks two of them the other way round), if no slot is in
    /// use and every run has its initial length.
    pub(crate) fn lock_if_pristine(&self) -> Option<Vec<MutexGuard<'_, Domain>>> {
        let domains: Vec<_> = self.domains().map(Lock::lock).collect();
        domains
            .iter()
            .all(|domain| domain.used() == 0 && domain.table.is_pristine())
            .then_some(domains)
    }

    /// Returns the domains, in order of their slots.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &Lock<Domain>> {
        self.domains.iter().map(|domain| &**domain)
    }

    /// Returns the domain that holds `slot`.
    #[inline(always)]
    pub(crate) fn domain_of(&self, slot: u32) -> &Lock<Domain> {
        match &*self.domains {
            [only] => only,
            domains => {
                let domain = (slot / self.area_slots) as usize;
                &domains[domain.min(domains.len() - 1)]
            }
        }
    }

    /// Returns the domain of a CPU's area, in a pool whose areas are domains.
    #[inline(always)]
    pub(crate) fn domain_of_cpu(&self, cpu: CpuId) -> Option<&Lock<Domain>> {
        let area = cpu.0 & (self.geometry.areas - 1);
        self.domains.get(area as usize).map(|domain| &**domain)
    }

    /// Searches an area and takes the slots found. Returns the first one.
    pub(crate) fn take(
        &self,
        search: &impl FindRun,
        area: u32,
        origin: Option<&Origin>,
    ) -> Option<u32> {
        let (domain, area) = match &*self.domains {
            [only] => (only, area),
            domains => (&domains[area as usize], 0),
        };
        domain.lock().take(search, area, origin)
    }

    /// Frees slots, which as a rule lie in one domain, counted in the area in which they begin.
    #[inline]
    pub(crate) fn release(&self, first_slot: u32, slots: u32) {
        let left = self
            .domain_of(first_slot)
            .lock()
            .release(first_slot, slots, slots);
        self.release_rest(first_slot + slots - left, left);
    }

    /// Frees what a stray release reaches of further domains.
    pub(crate) fn release_rest(&self, first_slot: u32, slots: u32) {
        let (mut first, mut left) = (first_slot, slots);
        while left > 0 {
            let rest = self.domain_of(first).lock().release(first, left, 0);
            first += left - rest;
            left = rest;
        }
    }

    /// Returns the areas, in order.
    pub(crate) fn areas(&self) -> Vec<Area> {
        let mut areas = Vec::with_capacity(self.geometry.areas as usize);
        for domain in self.domains() {
            areas.extend(domain.lock().areas());
        }
        areas
    }

    /// First byte.
    pub(crate) const fn base(&self) -> PhysAddr {
        self.geometry.base
    }

    /// One past the last byte.
    pub(crate) const fn end(&self) -> PhysAddr {
        self.geometry.base.wrapping_add(self.geometry.bytes())
    }

    /// Returns whether `addr` lies in the pool.
    pub(crate) const fn contains(&self, addr: PhysAddr) -> bool {
        addr.raw().wrapping_sub(self.geometry.base.raw()) < self.geometry.bytes()
    }

    /// Returns the slot that holds `addr`, if that lies in the pool.
    #[inline(always)]
    pub(crate) fn slot_at(&self, addr: PhysAddr) -> Option<u32> {
        let slot = addr.raw().wrapping_sub(self.geometry.base.raw()) / SLOT_BYTES;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "below the slots of the pool"
        )]
        (slot < u64::from(self.geometry.slots)).then_some(slot as u32)
    }

    /// Returns the slot that holds `addr`, which must lie in the pool.
    pub(crate) fn slot_of(&self, addr: PhysAddr) -> u32 {
        let slot = (addr.raw() - self.base().raw()) / SLOT_BYTES;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a pool has at most 2^22 slots"
        )]
        let slot = slot as u32;
        slot
    }

    /// Returns the address of `slot`.
    pub(crate) const fn slot_addr(&self, slot: u32) -> PhysAddr {
        self.geometry.base.wrapping_add(slot as u64 * SLOT_BYTES)
    }

    /// Returns the slots in use, as the areas count them. While other threads map and unmap, this
    /// is a sum of moments, as in the kernel.
    pub(crate) fn used(&self) -> u64 {
        self.domains()
            .fold(0, |sum, domain| sum.wrapping_add(domain.lock().used()))
    }

    /// Returns one bit per slot in use, in slot order.
    pub(crate) fn occupancy(&self) -> BitVec<u64, Lsb0> {
        let mut bits = BitVec::with_capacity(self.geometry.slots as usize);
        for domain in self.domains() {
            bits.extend_from_bitslice(&domain.lock().table.occupancy());
        }
        bits
    }

    /// Marks the whole pool as used (its memory could not be made accessible).
    pub(crate) fn disable(&self) {
        for domain in self.domains() {
            domain.lock().disable();
        }
    }
}

/// What a mapping's slots say of the original buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// Original address of the first slot behind the padding.
    pub(crate) orig: PhysAddr,
    /// Bytes asked for by the caller of the map.
    pub(crate) mapped_bytes: u32,
    /// Where in the first data slot the data begins.
    pub(crate) offset: u16,
    /// Slots in front of the data.
    pub(crate) padding: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest_free_run(pool: &Pool) -> u32 {
        pool.domains()
            .map(|domain| domain.lock().table.longest_free_run())
            .max()
            .unwrap()
    }

    fn pool() -> Pool {
        let geometry = PoolGeometry {
            base: PhysAddr::new(0x7000_0000),
            slots: 1024,
            areas: 4,
        };
        Pool::new(PoolId(0), geometry, false)
    }

    #[test]
    fn ends_are_exclusive() {
        let pool = pool();
        assert!(pool.contains(PhysAddr::new(0x7000_0000)));
        assert!(pool.contains(PhysAddr::new(0x701f_ffff)));
        assert!(!pool.contains(PhysAddr::new(0x7020_0000)));
        assert!(!pool.contains(PhysAddr::new(0x6fff_ffff)));
        assert_eq!(pool.end(), PhysAddr::new(0x7020_0000));
        assert_eq!(pool.slot_of(PhysAddr::new(0x7000_0fff)), 1);
    }

    #[test]
    fn areas_of_whole_slot_sets_have_a_lock_each_and_others_share_one() {
        let pool_of = |slots, areas| {
            let base = PhysAddr::new(0x7000_0000);
            Pool::new(PoolId(0), PoolGeometry { base, slots, areas }, false)
        };
        assert_eq!(pool_of(1024, 8).domains().count(), 8);
        assert_eq!(pool_of(1024, 64).domains().count(), 1);
        assert_eq!(pool_of(200, 1).domains().count(), 1);
        assert_eq!(pool_of(1024, 64).areas().len(), 64);
        let pool = pool_of(1024, 8);
        assert_eq!(pool.domain_of(255).lock().first_slot, 128);
    }

    #[test]
    fn a_stray_release_reaches_into_the_next_area_and_counts_in_its_own() {
        let geometry = PoolGeometry {
            base: PhysAddr::new(0x7000_0000),
            slots: 512,
            areas: 4,
        };
        let pool = Pool::new(PoolId(0), geometry, false);
        pool.disable();
        pool.release(127, 2);
        assert_eq!(longest_free_run(&pool), 1);
        let used: Vec<u64> = pool.areas().iter().map(|area| area.used).collect();
        assert_eq!(used, [126, 128, 128, 128]);
    }

    #[test]
    fn a_disabled_pool_is_full() {
        let pool = pool();
        pool.disable();
        assert_eq!(pool.used(), 1024);
        assert_eq!(longest_free_run(&pool), 0);
    }
}
