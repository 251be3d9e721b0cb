//! The memory that further pools and buffers of single mappings are made of: what is given and taken back is
//! noted, for the device has no business in what the bounce layer has given back.

use std::sync::{Arc, Mutex, PoisonError};

use swiotlb::{PageRequest, PageSource, PhysAddr, RegionSource};

use crate::scenario::plan::Range;

/// What happened to spare memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpareChange {
    /// The bounce layer was given it.
    Given(Range),
    /// The bounce layer has given it back.
    Returned(Range),
}

/// What happened to spare memory since somebody asked; clones share it.
#[derive(Debug, Clone, Default)]
pub struct SpareLog(Arc<Mutex<Vec<SpareChange>>>);

impl SpareLog {
    fn note(&self, change: SpareChange) {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push(change);
    }

    /// Takes what is noted, in order.
    #[must_use]
    pub fn take(&self) -> Vec<SpareChange> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Spare memory that notes what comes and goes.
#[derive(Debug)]
pub struct SpareMemory {
    source: RegionSource,
    log: SpareLog,
}

impl SpareMemory {
    /// Gives out this range and notes it in `log`.
    #[must_use]
    pub fn new(range: Range, log: SpareLog) -> Self {
        Self {
            source: RegionSource::new(PhysAddr::new(range.base), range.bytes),
            log,
        }
    }
}

impl PageSource for SpareMemory {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        let base = self.source.alloc(request)?;
        self.log.note(SpareChange::Given(Range {
            base: base.raw(),
            bytes: request.bytes,
        }));
        Some(base)
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        self.source.free(base, bytes);
        self.log.note(SpareChange::Returned(Range {
            base: base.raw(),
            bytes,
        }));
    }
}

#[cfg(test)]
mod tests {
    use swiotlb::{Attrs, Platform, Policy, PoolGeometry, RamRange, SparseMemory, Swiotlb};
    use swiotlb::{BootConfig, BootOptions, BounceRequest, CpuId, DataDirection, Device, Mode};

    use super::*;

    #[test]
    fn a_pool_of_one_mapping_is_noted_when_it_comes_and_when_it_has_gone() {
        let ram = RamRange {
            start: PhysAddr::new(0),
            bytes: 0x100_0000,
        };
        let log = SpareLog::default();
        let mut memory = SparseMemory::new(&[ram]).expect("the only range");
        let policy = Policy::DynamicPools;
        let boot = BootConfig::new(BootOptions {
            policy,
            ..BootOptions::default()
        });
        let geometry = PoolGeometry {
            base: PhysAddr::new(0x10_0000),
            slots: 128,
            areas: 1,
        };
        let made = Swiotlb::with_pool(
            &mut memory,
            Platform::default(),
            boot,
            Mode::Kernel,
            geometry,
        );
        let mut swiotlb = made.expect("a pool of 128 slots");
        let spare = Range {
            base: 0x80_0000,
            bytes: 0x10_0000,
        };
        swiotlb.set_page_source(Box::new(SpareMemory::new(spare, log.clone())));
        let device = Device::new("engine");
        let request = BounceRequest {
            orig: PhysAddr::new(0x20_0000),
            bytes: 200 << 10,
            alloc_align_mask: 0,
            dir: DataDirection::ToDevice,
            attrs: Attrs::NONE,
            cpu: CpuId(0),
        };
        let mut map = || swiotlb.tbl_map_single(&mut memory, &device, &request);
        map().expect("room for one");
        assert_eq!(log.take(), []);
        let second = map().expect("a pool of its own");
        let given = log.take();
        let [SpareChange::Given(pool)] = given[..] else {
            panic!("{given:?}");
        };
        assert_eq!(pool.base, second.tlb_addr.raw());
        let addr = second.tlb_addr;
        let unmapped = swiotlb.tbl_unmap_single(
            &mut memory,
            &device,
            addr,
            request.bytes,
            request.dir,
            request.attrs,
        );
        unmapped.expect("it was mapped");
        swiotlb.run_pending_work(&mut memory);
        let returned = SpareChange::Returned(pool);
        assert!(log.take().contains(&returned), "{returned:?}");
    }
}
