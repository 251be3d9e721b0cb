//! Mapping behind an IOMMU: bounce what does not fill granules, then give it an address.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::bounce::{BounceInfo, BounceRequest};
use crate::device::Device;
use crate::dma::{CacheWork, Dma, MapRequest, Mapped};
use crate::error::MapError;
use crate::iommu::attachment::Attachment;
use crate::iommu::error::IommuError;
use crate::iommu::granule::Granule;
use crate::iommu::page_table::Prot;
use crate::iommu::route::has_cache_work;
use crate::memory::{MemoryError, PhysMemory};
use crate::message::Message;

impl Dma {
    /// Maps a buffer through the device's domain (`iommu_dma_map_phys`).
    pub(crate) fn map_iommu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        request: &MapRequest,
    ) -> Result<Mapped, MapError> {
        let MapRequest {
            phys,
            bytes,
            dir,
            attrs,
            cpu,
        } = *request;
        let granule = attachment.domain().granule();
        let must_bounce = !attrs.contains(Attrs::MMIO)
            && granule.offset(phys.raw() | bytes) != 0
            && self.uses_swiotlb(dev, bytes, dir);
        if must_bounce && attrs.contains(Attrs::REQUIRE_COHERENT) {
            return Err(MapError::GranuleBounceForbidden);
        }
        let bounce = if must_bounce {
            Some(self.bounce_granules(mem, dev, granule, request)?)
        } else {
            None
        };
        let cache = if has_cache_work(dev, attrs) {
            CacheWork::clean(dev, bytes)
        } else {
            CacheWork::default()
        };
        let target = bounce.map_or(phys, |bounce| bounce.tlb_addr);
        let prot = Prot::new(dir, attrs);
        match self.map_pages(dev, attachment, target, bytes, prot, cpu) {
            Ok(dma_addr) => Ok(Mapped {
                dma_addr,
                bounce,
                cache,
            }),
            Err(cause) => {
                if bounce.is_some() {
                    // The buffer was just made: the release cannot be refused, and the copy back
                    // goes where the copy in came from.
                    let _ = self
                        .swiotlb()
                        .tbl_unmap_single(mem, dev, target, bytes, dir, attrs);
                }
                Err(cause.into())
            }
        }
    }

    /// Maps the granules that a buffer touches at new addresses (`__iommu_dma_map`).
    fn map_pages(
        &self,
        dev: &Device,
        attachment: &Attachment,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
        cpu: crate::CpuId,
    ) -> Result<DmaAddr, IommuError> {
        let domain = attachment.domain();
        let offset = domain.granule().offset(phys.raw());
        let span = domain.granule().span(offset, bytes);
        let span = span.ok_or(IommuError::TooLong { phys, bytes })?;
        let iova = self.alloc_iova(dev, attachment, span, dev.raw_mask(), cpu)?;
        if let Err(cause) = domain.map(iova, phys.wrapping_sub(offset), span, prot) {
            domain.free_iova(iova)?;
            return Err(cause);
        }
        Ok(iova.wrapping_add(offset))
    }

    /// Bounces a buffer into granules of its own, and shows an untrusted device nothing but the
    /// buffer (`iommu_dma_map_swiotlb`).
    pub(crate) fn bounce_granules<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        granule: Granule,
        request: &MapRequest,
    ) -> Result<BounceInfo, MapError> {
        if !self.swiotlb().is_active(dev) {
            self.swiotlb().warn(dev, Message::IommuBounceInactive);
            return Err(MapError::Inactive);
        }
        let mask = dev.min_align_mask();
        if u64::from(mask) > granule.mask() {
            self.swiotlb().warn(dev, Message::UnsupportedAlignment);
            return Err(MapError::AlignmentAboveGranule {
                mask,
                granule: granule.bytes(),
            });
        }
        let shown = DmaAddr::new(request.phys.raw());
        self.swiotlb().trace_bounced_at(dev, shown, request.bytes);
        let bounce_request = BounceRequest {
            orig: request.phys,
            bytes: request.bytes,
            // A granule is at most a page of the CPU.
            alloc_align_mask: u32::try_from(granule.mask()).unwrap_or(u32::MAX),
            dir: request.dir,
            attrs: request.attrs,
            cpu: request.cpu,
        };
        let bounce = self.swiotlb().tbl_map_single(mem, dev, &bounce_request)?;
        if dev.is_untrusted()
            && let Err(cause) = zero_padding(mem, granule, bounce.tlb_addr, request.bytes)
        {
            self.swiotlb().release_at(dev, bounce.tlb_addr);
            return Err(cause.into());
        }
        Ok(bounce)
    }
}

/// Zeroes what lies around a bounce buffer in its granules: old data of other devices, and slots
/// that hold nothing.
fn zero_padding<M: PhysMemory + ?Sized>(
    mem: &mut M,
    granule: Granule,
    tlb_addr: PhysAddr,
    bytes: u64,
) -> Result<(), MemoryError> {
    let head = granule.offset(tlb_addr.raw());
    mem.zero(tlb_addr.wrapping_sub(head), head)?;
    let end = tlb_addr.wrapping_add(bytes);
    let tail = granule.offset(end.raw().wrapping_neg());
    mem.zero(end, tail)
}
