//! The engine: the bounce layer with the mappings that are live in it.

use std::time::Duration;

use rustc_hash::FxHashMap;
use swiotlb::{
    AllocatorId, Attrs, BounceRequest, CpuId, DataDirection, Device, DmaAddr, InitError, MapError,
    NoBytes, PhysAddr, PoolId, ShrinkPressure, Swiotlb,
};

use crate::replay::machine::Machine;
use crate::replay::op::{MapOp, MappingId};
use crate::trace::Dir;

/// A live mapping of the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Number of the device.
    pub device: u32,
    /// Number of the task's name that mapped it.
    pub task: u32,
    /// Length in bytes.
    pub bytes: u64,
    /// Direction.
    pub dir: Dir,
    /// Where the bounce buffer lies; `None` if the device was given the buffer itself.
    pub dma: Option<u64>,
    /// Slots that it holds.
    pub slots: u32,
    /// When it was made, in nanoseconds.
    pub since_ns: u64,
}

/// What the bounce layer answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The device can reach the buffer.
    Direct,
    /// It is bounced.
    Bounced {
        /// DMA address of the bounce buffer.
        dma: u64,
        /// Slots taken.
        slots: u32,
    },
    /// It fails.
    Failed(MapError),
}

/// The bounce layer of a machine at work.
#[derive(Debug)]
pub struct Engine {
    machine: Machine,
    swiotlb: Swiotlb,
    memory: NoBytes,
    devices: Vec<Device>,
    pool: Option<PoolId>,
    live: FxHashMap<MappingId, Held>,
    used_slots: u64,
    last_scan_ns: u64,
}

/// How often the shrinker looks for pools to give back.
const SCAN_NS: u64 = 1_000_000_000;

impl Engine {
    /// Starts a machine.
    ///
    /// # Errors
    /// If there can be no such pool.
    pub fn new(machine: Machine) -> Result<Self, InitError> {
        let mut memory = NoBytes;
        let swiotlb = machine.start(&mut memory)?;
        let pool = swiotlb.pools(AllocatorId::DEFAULT).next();
        Ok(Self {
            devices: machine.devices(),
            machine,
            swiotlb,
            memory,
            pool,
            live: FxHashMap::default(),
            used_slots: 0,
            last_scan_ns: 0,
        })
    }

    /// Returns the machine.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Tells the time, and lets workers do what they were asked for: they are done before the next call.
    pub fn set_time(&mut self, time_ns: u64) {
        if !self.machine.policy.is_dynamic() {
            return;
        }
        self.swiotlb.set_time(Duration::from_nanos(time_ns));
        if time_ns.saturating_sub(self.last_scan_ns) >= SCAN_NS {
            self.last_scan_ns = time_ns;
            let count = self.swiotlb.shrinker_count();
            self.swiotlb.shrinker_scan(count, ShrinkPressure::Normal);
        }
        if self.swiotlb.has_pending_work() {
            self.swiotlb.run_pending_work(&mut self.memory);
        }
    }

    /// Maps a buffer.
    pub fn map(&mut self, op: &MapOp, (cpu, task, time_ns): (u16, u32, u64)) -> Answer {
        let answer = self.answer(op, cpu);
        let (dma, slots) = match answer {
            Answer::Direct => (None, 0),
            Answer::Bounced { dma, slots } => (Some(dma), slots),
            Answer::Failed(_) => return answer,
        };
        self.used_slots += u64::from(slots);
        let held = Held {
            device: op.device,
            task,
            bytes: op.bytes,
            dir: op.dir,
            dma,
            slots,
            since_ns: time_ns,
        };
        self.live.insert(op.id, held);
        answer
    }

    fn answer(&mut self, op: &MapOp, cpu: u16) -> Answer {
        let device = &self.devices[op.device as usize];
        let attrs = attrs(op);
        let cc = self.swiotlb.platform().cc;
        let phys = PhysAddr::new(op.phys);
        let reaches = device.is_capable(DmaAddr::new(op.phys), op.bytes, attrs, cc);
        if op.attrs.is_mmio || (reaches && !self.swiotlb.is_force_bounce(device)) {
            return Answer::Direct;
        }
        let request = BounceRequest {
            orig: phys,
            bytes: op.bytes,
            alloc_align_mask: 0,
            dir: direction(op.dir),
            attrs,
            cpu: CpuId(u32::from(cpu)),
        };
        match self.swiotlb.map(&mut self.memory, device, &request) {
            Ok((dma, bounce)) => Answer::Bounced {
                dma: dma.raw(),
                slots: bounce.slots,
            },
            Err(cause) => Answer::Failed(cause),
        }
    }

    /// Ends a mapping; `None` if it is not live.
    pub fn unmap(&mut self, id: MappingId) -> Option<Held> {
        let held = self.live.remove(&id)?;
        if let Some(dma) = held.dma {
            self.used_slots -= u64::from(held.slots);
            let device = &self.devices[held.device as usize];
            let released = self.swiotlb.tbl_unmap_single(
                &mut self.memory,
                device,
                PhysAddr::new(dma),
                held.bytes,
                direction(held.dir),
                Attrs::SKIP_CPU_SYNC,
            );
            debug_assert!(released.is_ok(), "{released:?}");
        }
        Some(held)
    }

    /// Gives a live mapping another number; returns whether there was one.
    pub fn rename(&mut self, from: MappingId, to: MappingId) -> bool {
        let held = self.live.remove(&from);
        held.map(|held| self.live.insert(to, held)).is_some()
    }

    /// Returns a live mapping.
    #[must_use]
    pub fn held(&self, id: MappingId) -> Option<&Held> {
        self.live.get(&id)
    }

    /// Returns all live mappings.
    pub fn all_held(&self) -> impl Iterator<Item = (&MappingId, &Held)> {
        self.live.iter()
    }

    /// Returns the slots in use.
    #[must_use]
    pub const fn used_slots(&self) -> u64 {
        self.used_slots
    }

    /// Returns the slots of all pools.
    #[must_use]
    pub fn total_slots(&self) -> u64 {
        let stats = self.swiotlb.stats(AllocatorId::DEFAULT);
        stats.map_or(0, |stats| stats.total_slots + stats.transient_slots)
    }

    /// Returns the allocator's high-water mark and resets it, as writing 0 to `io_tlb_used_hiwater`.
    pub fn take_hiwater(&mut self) -> u64 {
        let stats = self.swiotlb.stats(AllocatorId::DEFAULT);
        let reset = self.swiotlb.reset_hiwater(AllocatorId::DEFAULT, 0);
        debug_assert!(reset.is_ok(), "{reset:?}");
        stats.map_or(0, |stats| stats.used_hiwater)
    }

    /// Returns the slot in its area at which the search of area `area` begins.
    #[must_use]
    pub fn cursor(&self, area: u32) -> u32 {
        let areas = self
            .pool
            .map_or_else(Vec::new, |pool| self.swiotlb.areas(pool));
        areas.get(area as usize).map_or(0, |area| area.cursor)
    }

    /// Returns the slot of a DMA address in the first pool, if it lies there.
    #[must_use]
    pub fn slot_of(&self, dma: u64) -> Option<u32> {
        let offset = dma.checked_sub(self.machine.base)?;
        let slot = u32::try_from(offset / swiotlb::SLOT_BYTES).ok()?;
        (slot < self.machine.slots).then_some(slot)
    }

    /// Returns whether a bounce buffer lies in the first pool, in another area than that of its CPU.
    #[must_use]
    pub fn is_spilled(&self, dma: u64, cpu: u16) -> bool {
        let area_slots = self.machine.slots / self.machine.areas;
        let own = u32::from(cpu) & (self.machine.areas - 1);
        self.slot_of(dma)
            .is_some_and(|slot| slot / area_slots != own)
    }

    /// Returns whether a slot of the first pool is free.
    #[must_use]
    pub fn is_free(&self, slot: u32) -> bool {
        let occupancy = self.pool.and_then(|pool| self.swiotlb.occupancy(pool));
        let bit = occupancy.and_then(|slots| slots.get(slot as usize).map(|bit| *bit));
        bit == Some(false)
    }

    /// Drops the messages, which nobody reads here.
    pub fn drop_messages(&self) {
        self.swiotlb.drain_events();
    }
}

const fn direction(dir: Dir) -> DataDirection {
    match dir {
        Dir::Bidirectional => DataDirection::Bidirectional,
        Dir::ToDevice => DataDirection::ToDevice,
        Dir::FromDevice => DataDirection::FromDevice,
    }
}

fn attrs(op: &MapOp) -> Attrs {
    if op.attrs.skips_sync {
        Attrs::SKIP_CPU_SYNC | Attrs::NO_WARN
    } else {
        Attrs::NO_WARN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::machine::DeviceConfig;
    use crate::replay::op::Seen;
    use crate::trace::TraceAttrs;

    const BASE: u64 = 0x700_0000;

    fn engine(areas: u32) -> Engine {
        let machine = Machine {
            slots: 128 * areas,
            areas,
            base: BASE,
            is_forced: false,
            policy: swiotlb::Policy::Static,
            cpus: areas,
            ram_bytes: 8 << 30,
            devices: vec![DeviceConfig {
                name: "disk".to_owned(),
                mask: 0xffff_ffff,
                min_align_mask: 0,
            }],
        };
        Engine::new(machine).expect("a pool")
    }

    fn buffer(id: MappingId, phys: u64, bytes: u64) -> MapOp {
        MapOp {
            id,
            device: 0,
            dir: Dir::ToDevice,
            attrs: TraceAttrs::default(),
            phys,
            bytes,
            seen: Seen::Direct,
            closed_line: 0,
            is_sg: false,
        }
    }

    #[test]
    fn what_the_device_reaches_is_direct_and_the_rest_bounced_until_the_pool_is_full() {
        let mut engine = engine(1);
        let mut map = |id, phys, bytes| engine.map(&buffer(id, phys, bytes), (0, 0, 0));
        assert_eq!(map(1, 0x1000, 64), Answer::Direct);
        let high = 0x1_0000_0000;
        let first = Answer::Bounced {
            dma: BASE,
            slots: 127,
        };
        assert_eq!(map(2, high, 127 * 2048), first);
        assert!(matches!(map(3, high, 4096), Answer::Failed(_)));
        assert_eq!(engine.used_slots(), 127);
        assert_eq!(engine.unmap(1).map(|held| held.slots), Some(0));
        assert!(engine.rename(2, 9) && engine.unmap(2).is_none());
        assert_eq!(engine.unmap(9).map(|held| held.slots), Some(127));
        assert_eq!((engine.used_slots(), engine.take_hiwater()), (0, 127));
        assert_eq!(engine.take_hiwater(), 0);
    }

    #[test]
    fn a_buffer_in_the_area_of_another_cpu_is_spilled() {
        let mut engine = engine(2);
        let answer = engine.map(&buffer(1, 0x1_0000_0000, 2048), (1, 0, 0));
        let Answer::Bounced { dma, .. } = answer else {
            panic!("bounced, found {answer:?}");
        };
        assert_eq!(engine.slot_of(dma), Some(128));
        assert!(!engine.is_spilled(dma, 1) && engine.is_spilled(dma, 0));
        assert!(!engine.is_free(128) && engine.is_free(129));
        assert_eq!(engine.slot_of(BASE - 1), None);
    }
}
