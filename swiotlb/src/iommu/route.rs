//! Which way a device's mappings go, and what follows for its drivers.

use crate::device::{Device, bit_mask, min_not_zero};
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::error::UnmapError;
use crate::iommu::attachment::Attachment;
use crate::iommu::error::IommuError;
use crate::message::Message;
use crate::swiotlb::Mode;
use crate::{Attrs, CpuId, DmaAddr};

/// Largest order of pages that the IOVA caches serve, so that mapping stays fast.
const OPTIMAL_ORDER: u32 = 5;

/// The way of a device's mappings.
#[derive(Debug, Clone, Copy)]
pub enum Route<'a> {
    /// DMA addresses follow from physical ones.
    Direct,
    /// DMA addresses are I/O virtual.
    Iommu(&'a Attachment),
}

impl Dma {
    /// Returns which way the device's streaming mappings go (`dma_go_direct`).
    #[doc(alias = "dma_go_direct")]
    #[must_use]
    pub fn route<'a>(&self, dev: &'a Device) -> Route<'a> {
        self.route_for_mask(dev, dev.raw_mask())
    }

    /// Returns which way the device's coherent memory goes.
    pub(crate) fn coherent_route<'a>(&self, dev: &'a Device) -> Route<'a> {
        self.route_for_mask(dev, dev.coherent_mask())
    }

    fn route_for_mask<'a>(&self, dev: &'a Device, mask: u64) -> Route<'a> {
        let reach = min_not_zero(mask, dev.bus_limit());
        match dev.iommu() {
            None => Route::Direct,
            Some(used) if used.may_bypass() && reach >= self.direct_required_mask(dev) => {
                Route::Direct
            }
            Some(used) => Route::Iommu(used),
        }
    }

    /// Returns the mask of the boundaries at which segments can be joined; 0 if they cannot
    /// (`dma_get_merge_boundary`).
    #[doc(alias = "dma_get_merge_boundary")]
    #[must_use]
    pub fn merge_boundary(&self, dev: &Device) -> u64 {
        match self.route(dev) {
            Route::Direct => 0,
            Route::Iommu(attachment) => attachment.domain().granule().mask(),
        }
    }

    /// Returns the largest mapping that is fast (`dma_opt_mapping_size`).
    #[doc(alias = "dma_opt_mapping_size")]
    #[must_use]
    pub fn opt_mapping_size(&self, dev: &Device) -> u64 {
        let largest = self.max_mapping_size(dev);
        match self.route(dev) {
            Route::Direct => largest,
            Route::Iommu(_) => {
                let page = self.swiotlb().platform().page_size.bytes();
                largest.min(page << OPTIMAL_ORDER)
            }
        }
    }

    /// Returns whether buffers of this size go through bounce buffers behind an IOMMU, unless they
    /// fill granules (`dev_use_swiotlb`). The address does not matter.
    pub(crate) fn uses_swiotlb(&self, dev: &Device, bytes: u64, dir: DataDirection) -> bool {
        dev.is_untrusted() || self.shares_cache_lines(dev, bytes, dir)
    }

    /// Gives out addresses for a device, and tells when it leaves the range below 4 GiB.
    pub(crate) fn alloc_iova(
        &self,
        dev: &Device,
        attachment: &Attachment,
        bytes: u64,
        mask: u64,
        cpu: CpuId,
    ) -> Result<DmaAddr, IommuError> {
        let mask = if mask == 0 { bit_mask(32) } else { mask };
        let limit = min_not_zero(mask, dev.bus_limit());
        let had_preference = attachment.prefers_low();
        let result = attachment.alloc(bytes, limit, cpu);
        if had_preference && !attachment.prefers_low() {
            let limit = limit.min(attachment.domain().highest());
            let bits = u64::BITS - limit.leading_zeros();
            self.swiotlb().warn(dev, Message::UsingDmaBits { bits });
        }
        result
    }

    /// Refuses in strict mode to unmap a range that was not given out with this length.
    pub(crate) fn check_mapping(
        &self,
        attachment: &Attachment,
        addr: DmaAddr,
        bytes: u64,
    ) -> Result<(), UnmapError> {
        if !self.is_strict() {
            return Ok(());
        }
        let (iova, bytes) = attachment.domain().granules_of(addr, bytes);
        let allocated = attachment.domain().granted_bytes(iova);
        let allocated = allocated.ok_or(IommuError::NotAllocated { iova })?;
        if allocated == bytes {
            return Ok(());
        }
        Err(UnmapError::Iommu(IommuError::SizeMismatch {
            iova,
            bytes,
            allocated,
        }))
    }

    /// Unmaps a range of a device's domain and frees its addresses (`__iommu_dma_unmap`).
    pub(crate) fn free_mapping(
        &self,
        dev: &Device,
        attachment: &Attachment,
        addr: DmaAddr,
        bytes: u64,
    ) -> Result<(), UnmapError> {
        self.check_mapping(attachment, addr, bytes)?;
        let (iova, span) = attachment.domain().granules_of(addr, bytes);
        let removal = attachment.domain().unmap_and_free(iova, span);
        if !(removal.was_mapped && removal.was_freed) {
            let message = Message::IommuNotMapped { iova: addr };
            self.swiotlb().warn(dev, message);
        }
        Ok(())
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.swiotlb().mode() == Mode::Strict
    }
}

/// Returns whether a call makes cache maintenance for a device that does not snoop.
pub(crate) const fn has_cache_work(dev: &Device, attrs: Attrs) -> bool {
    const NONE: Attrs = Attrs::SKIP_CPU_SYNC
        .with(Attrs::MMIO)
        .with(Attrs::REQUIRE_COHERENT);
    !dev.is_coherent() && !attrs.intersects(NONE)
}
