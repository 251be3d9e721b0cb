//! Mapping and unmapping in the page table of a domain.

use std::ops::Range;

use crate::addr::{DmaAddr, PhysAddr};
use crate::iommu::domain::IommuDomain;
use crate::iommu::error::IommuError;
use crate::iommu::page_table::{Entry, Prot};

/// What an unmap by the mapping layer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removal {
    /// Whether all of the range was mapped.
    pub(crate) was_mapped: bool,
    /// Whether the range was one that had been given out, and was taken back.
    pub(crate) was_freed: bool,
}

/// Part of a range that is mapped to contiguous physical memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MappedPart {
    pub(crate) iova: u64,
    pub(crate) bytes: u64,
    pub(crate) phys: PhysAddr,
    pub(crate) is_bounce: bool,
}

impl IommuDomain {
    /// Maps whole granules, for the device to use at once (`iommu_map`).
    ///
    /// # Errors
    /// If address or size is not aligned to the granule, nothing would be mapped or allowed, the
    /// range leaves the aperture, or part of it is mapped.
    #[doc(alias = "iommu_map")]
    pub fn map(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
    ) -> Result<(), IommuError> {
        self.insert(iova, phys, bytes, prot, false, true)
    }

    /// As [`IommuDomain::map`]; an IOMMU that remembers "not mapped" sees the range only after
    /// [`IommuDomain::sync_map`] (`iommu_map_nosync`).
    ///
    /// # Errors
    /// As there.
    #[doc(alias = "iommu_map_nosync")]
    pub fn map_nosync(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
    ) -> Result<(), IommuError> {
        self.insert(iova, phys, bytes, prot, false, false)
    }

    /// Links part of a range of the IOVA-based API.
    pub(crate) fn link(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
        is_bounce: bool,
    ) -> Result<(), IommuError> {
        self.insert(iova, phys, bytes, prot, is_bounce, false)
    }

    fn insert(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
        is_bounce: bool,
        is_synced: bool,
    ) -> Result<(), IommuError> {
        let granule = self.granule();
        self.check_map(iova, phys, bytes, prot)?;
        let pages = self.pages(iova, bytes);
        let mut state = self.state();
        if let Some(page) = state.table.first_mapped(&pages) {
            let iova = DmaAddr::new(granule.addr_of(page));
            return Err(IommuError::AlreadyMapped { iova });
        }
        let phys_page = granule.page_of(phys.raw());
        let entry = Entry::new(pages.start, phys_page, prot, is_bounce);
        if self.caches_absent && !is_synced {
            state.unsynced.insert(pages.clone(), entry);
        }
        state.table.insert(pages, entry);
        Ok(())
    }

    fn check_map(
        &self,
        iova: DmaAddr,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
    ) -> Result<(), IommuError> {
        let granule = self.granule();
        if bytes == 0 {
            return Err(IommuError::ZeroSize);
        }
        if !prot.allows_anything() {
            return Err(IommuError::NoPermission);
        }
        if granule.offset(iova.raw() | phys.raw() | bytes) != 0 {
            return Err(IommuError::Unaligned {
                iova,
                phys,
                bytes,
                granule: granule.bytes(),
            });
        }
        let last = phys.checked_add(bytes - 1);
        last.ok_or(IommuError::TooLong { phys, bytes })?;
        let end = iova.checked_add(bytes - 1);
        let limit = self.highest();
        match end {
            Some(end) if end.raw() <= limit => Ok(()),
            _ => Err(IommuError::OutOfAperture {
                iova,
                bytes,
                last: DmaAddr::new(limit),
            }),
        }
    }

    /// Returns the pages that a range touches; sizes that leave the 64-bit space are cut.
    fn pages(&self, iova: DmaAddr, bytes: u64) -> Range<u64> {
        let granule = self.granule();
        let start = granule.page_of(iova.raw());
        let Some(extra) = bytes.checked_sub(1) else {
            return start..start;
        };
        start..granule.page_of(iova.raw().saturating_add(extra)) + 1
    }

    /// Lets the device use what was mapped without a sync (`iommu_sync_map`).
    #[doc(alias = "iommu_sync_map")]
    pub fn sync_map(&self, iova: DmaAddr, bytes: u64) {
        let pages = self.pages(iova, bytes);
        self.state().unsynced.remove(&pages);
    }

    /// Unmaps all granules that a range touches, for the device too, and returns the bytes that
    /// were mapped (`iommu_unmap`).
    #[doc(alias = "iommu_unmap")]
    pub fn unmap(&self, iova: DmaAddr, bytes: u64) -> u64 {
        let pages = self.pages(iova, bytes);
        let mut state = self.state();
        let removed = state.remove(&pages);
        state.stale.remove(&pages);
        removed.saturating_mul(self.granule().bytes())
    }

    /// Unmaps a range and frees its addresses, now or with the next flush (`__iommu_dma_unmap`).
    pub(crate) fn unmap_and_free(&self, iova: DmaAddr, bytes: u64) -> Removal {
        let pages = self.pages(iova, bytes);
        let mut state = self.state();
        if state.queue.is_lazy() {
            let leftovers: Vec<_> = state.table.overlapping(&pages).collect();
            for (range, entry) in leftovers {
                state.stale.insert(range, entry);
            }
        }
        let removed = state.remove(&pages);
        let was_freed = state.free(pages.start);
        Removal {
            was_mapped: removed == pages.end - pages.start,
            was_freed,
        }
    }

    /// Returns the parts of a range that are mapped, ascending: address, length in bytes, physical
    /// address, and whether they are a bounce buffer of the IOVA-based API.
    pub(crate) fn mapped_parts(&self, iova: DmaAddr, bytes: u64) -> Vec<MappedPart> {
        let pages = self.pages(iova, bytes);
        let (first, end) = (iova.raw(), iova.raw().saturating_add(bytes));
        let granule = self.granule();
        let state = self.state();
        let parts = state.table.overlapping(&pages).map(|(range, entry)| {
            let start = granule.addr_of(range.start).max(first);
            // The end of the last page may be 2^64.
            let last = granule.addr_of(range.end).wrapping_sub(1).min(end - 1);
            MappedPart {
                iova: start,
                bytes: (last - start).saturating_add(1),
                phys: self.phys_of(entry, start),
                is_bounce: entry.is_bounce,
            }
        });
        parts.collect()
    }
}
