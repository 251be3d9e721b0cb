//! What is checked when a driver syncs.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::debug::DmaDebug;
use crate::debug::entry::{Claim, MappingKind};
use crate::debug::error::DmaDebugError;
use crate::debug::map::{MappedRange, MappedSegment, entry_count};
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::SyncOwner;

impl DmaDebug {
    /// Judges a sync for the CPU (`debug_dma_sync_single_for_cpu`).
    #[doc(alias = "debug_dma_sync_single_for_cpu")]
    pub fn sync_single_for_cpu(
        &mut self,
        dev: &Device,
        dma: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) {
        let claim = single(dev, dma, bytes, dir);
        self.check_sync(dev, &claim, SyncOwner::Cpu);
    }

    /// Judges a sync for the device (`debug_dma_sync_single_for_device`).
    #[doc(alias = "debug_dma_sync_single_for_device")]
    pub fn sync_single_for_device(
        &mut self,
        dev: &Device,
        dma: DmaAddr,
        bytes: u64,
        dir: DataDirection,
    ) {
        let claim = single(dev, dma, bytes, dir);
        self.check_sync(dev, &claim, SyncOwner::Device);
    }

    /// Judges a sync of a list for the CPU (`debug_dma_sync_sg_for_cpu`). A list that is not known
    /// is passed over without a word.
    pub fn sync_sg_for_cpu(
        &mut self,
        dev: &Device,
        segments: &[MappedSegment],
        dir: DataDirection,
    ) {
        self.check_sync_sg(dev, segments, dir, SyncOwner::Cpu);
    }

    /// As [`DmaDebug::sync_sg_for_cpu`], for the device (`debug_dma_sync_sg_for_device`).
    pub fn sync_sg_for_device(
        &mut self,
        dev: &Device,
        segments: &[MappedSegment],
        dir: DataDirection,
    ) {
        self.check_sync_sg(dev, segments, dir, SyncOwner::Device);
    }

    fn check_sync_sg(
        &mut self,
        dev: &Device,
        segments: &[MappedSegment],
        dir: DataDirection,
        owner: SyncOwner,
    ) {
        if self.is_disabled {
            return;
        }
        let call_entries = entry_count(segments.len());
        let claim = |segment: &MappedSegment| segment.claim(dev, dir, Attrs::NONE, call_entries);
        let mapped = segments
            .first()
            .map_or(0, |first| self.mapped_entries(&claim(first)));
        for segment in segments.iter().take(mapped as usize) {
            self.check_sync(dev, &claim(segment), owner);
        }
    }

    fn check_sync(&mut self, dev: &Device, claim: &Claim, owner: SyncOwner) {
        if self.is_disabled {
            return;
        }
        let Some(id) = self.table.find_containing(claim) else {
            let (addr, bytes) = (claim.dma, claim.bytes);
            return self.report(dev, DmaDebugError::SyncNotAllocated { addr, bytes }, None);
        };
        let mapped = self.table.entry(id).claim;
        let errors = objections(&mapped, claim, owner);
        if errors.iter().all(Option::is_none) {
            return;
        }
        let mapper = self.table.entry(id).mapper.clone();
        for error in errors.into_iter().flatten() {
            self.report(dev, error, Some(mapper.clone()));
        }
    }
}

fn single(dev: &Device, dma: DmaAddr, bytes: u64, dir: DataDirection) -> Claim {
    MappedRange {
        phys: PhysAddr::new(0),
        dma,
        bytes,
        dir,
        attrs: Attrs::NONE,
    }
    .claim(dev, MappingKind::Single)
}

/// Returns what is wrong with a sync, in the order of the kernel.
fn objections(mapped: &Claim, sync: &Claim, owner: SyncOwner) -> [Option<DmaDebugError>; 4] {
    use DataDirection::{Bidirectional, FromDevice, ToDevice};

    let (addr, bytes) = (sync.dma, sync.bytes);
    let outside = (bytes > mapped.bytes).then_some(DmaDebugError::SyncOutside {
        addr,
        mapped_bytes: mapped.bytes,
        bytes,
    });
    if mapped.dir == Bidirectional {
        return [outside, None, None, None];
    }
    let (mapped_dir, synced) = (mapped.dir, sync.dir);
    let direction = (synced != mapped_dir).then_some(DmaDebugError::SyncDirectionDiffers {
        addr,
        bytes,
        mapped: mapped_dir,
        synced,
    });
    let useless = match owner {
        SyncOwner::Cpu => (mapped_dir != FromDevice && synced != ToDevice).then_some(
            DmaDebugError::SyncReadOnlyForCpu {
                addr,
                bytes,
                mapped: mapped_dir,
                synced,
            },
        ),
        SyncOwner::Device => (mapped_dir != ToDevice && synced != FromDevice).then_some(
            DmaDebugError::SyncWriteOnlyForDevice {
                addr,
                bytes,
                mapped: mapped_dir,
                synced,
            },
        ),
    };
    let is_list = sync.kind == MappingKind::ScatterGather && sync.sg_call_entries != 0;
    let differs = mapped.sg_call_entries != sync.sg_call_entries;
    let count = (is_list && differs).then_some(DmaDebugError::SyncCountDiffers {
        mapped: mapped.sg_call_entries,
        synced: sync.sg_call_entries,
    });
    [outside, direction, useless, count]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No call leads to D21, because the search finds only mappings that hold the whole range.
    #[test]
    fn a_sync_longer_than_its_mapping_would_be_objected_to() {
        let dev = Device::new("d");
        let mapped = single(&dev, DmaAddr::new(0x1000), 64, DataDirection::ToDevice);
        let longer = Claim {
            bytes: 65,
            ..mapped
        };
        let [first, ..] = objections(&mapped, &longer, SyncOwner::Device);
        let error = first.unwrap();
        assert_eq!(error.id(), "D21");
        assert!(
            error.to_string().contains(
                "outside allocated range [device address=0x0000000000001000] \
                 [allocation size=64 bytes]"
            ),
            "{error}"
        );
        assert_eq!(objections(&mapped, &mapped, SyncOwner::Device), [None; 4]);
    }
}
