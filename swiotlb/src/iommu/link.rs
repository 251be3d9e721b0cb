//! Linking a buffer into a range: head and tail bounced, the middle where it lies.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::bounce::BounceInfo;
use crate::debug::MappedRange;
use crate::device::Device;
use crate::dma::{CacheWork, Dma, MapRequest, NEVER_BOUNCED};
use crate::iommu::attachment::Attachment;
use crate::iommu::error::{IommuError, IovaError};
use crate::iommu::iova_state::IovaState;
use crate::iommu::page_table::Prot;
use crate::iommu::route::has_cache_work;
use crate::memory::PhysMemory;
use crate::message::Message;

/// What came of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Linked {
    /// Bounce buffer of the bytes up to the first granule boundary.
    pub head: Option<BounceInfo>,
    /// Bytes that are linked where they lie.
    pub direct_bytes: u64,
    /// Bounce buffer of the bytes behind the last granule boundary.
    pub tail: Option<BounceInfo>,
    /// Cache maintenance made.
    pub cache: CacheWork,
}

/// Where a link goes.
#[derive(Clone, Copy)]
struct Link<'a> {
    dev: &'a Device,
    attachment: &'a Attachment,
    /// Address of the first byte for the device.
    addr: DmaAddr,
    request: MapRequest,
}

impl Link<'_> {
    const fn prot(&self) -> Prot {
        Prot::new(self.request.dir, self.request.attrs)
    }

    /// Maps the granules of `bytes` bytes at `phys` (`__dma_iova_link`).
    fn map(&self, addr: DmaAddr, phys: PhysAddr, bytes: u64, is_bounce: bool) -> LinkResult<()> {
        let domain = self.attachment.domain();
        let offset = domain.granule().offset(phys.raw());
        let span = domain.granule().span(offset, bytes);
        let span = span.ok_or(IommuError::TooLong { phys, bytes })?;
        let phys = phys.wrapping_sub(offset);
        Ok(domain.link(
            addr.wrapping_sub(offset),
            phys,
            span,
            self.prot(),
            is_bounce,
        )?)
    }

    fn clean(&self, bytes: u64) -> CacheWork {
        if has_cache_work(self.dev, self.request.attrs) {
            CacheWork::clean(self.dev, bytes)
        } else {
            CacheWork::default()
        }
    }
}

type LinkResult<T> = Result<T, IovaError>;

impl Dma {
    /// Links a buffer at `offset` of a range (`dma_iova_link`). The device may use it after
    /// [`Dma::iova_sync`].
    ///
    /// Offsets of all links but the first and sizes of all but the last must be multiples of
    /// [`Dma::merge_boundary`] + 1. Where a mapping would bounce, only the parts that do not fill
    /// granules are bounced here. The head keeps its offset in the granule only if the device's
    /// `min_align_mask` covers the granule; if not, the IOMMU refuses it as unaligned.
    ///
    /// # Errors
    /// As [`IovaError`] lists. What this call had linked is unlinked again.
    #[doc(alias = "dma_iova_link")]
    pub fn iova_link<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        state: &mut IovaState,
        offset: u64,
        request: &MapRequest,
    ) -> LinkResult<Linked> {
        let attachment = self.iova_attachment(dev).ok_or(IommuError::NoIommu)?;
        let MapRequest {
            phys,
            bytes,
            dir,
            attrs,
            ..
        } = *request;
        let granule = attachment.domain().granule();
        if granule.offset(phys.raw()) != 0 && offset > 0 {
            self.swiotlb()
                .warn(dev, Message::IovaOffsetInGranule { offset });
            return Err(IovaError::OffsetInGranule { phys, offset });
        }
        self.check_link(dev, state, offset, request)?;
        let link = Link {
            dev,
            attachment,
            addr: state.addr().wrapping_add(offset),
            request: *request,
        };
        let is_partial = granule.offset(phys.raw() | bytes) != 0;
        let linked = if is_partial && self.uses_swiotlb(dev, bytes, dir) {
            if attrs.intersects(NEVER_BOUNCED) {
                return Err(IovaError::BounceForbidden);
            }
            self.link_bounced(mem, state, offset, &link)?
        } else {
            link.map(link.addr, phys, bytes, false)?;
            Linked {
                direct_bytes: bytes,
                cache: link.clean(bytes),
                ..Linked::default()
            }
        };
        let range = MappedRange {
            phys,
            dma: link.addr,
            bytes,
            dir,
            attrs,
        };
        self.debug_link(dev, &range, request.cpu);
        Ok(linked)
    }

    fn check_link(
        &self,
        dev: &Device,
        state: &IovaState,
        offset: u64,
        request: &MapRequest,
    ) -> LinkResult<()> {
        let MapRequest {
            phys, bytes, attrs, ..
        } = *request;
        if attrs.contains(Attrs::CC_SHARED) {
            return Err(IommuError::SharedMemory.into());
        }
        if attrs.contains(Attrs::REQUIRE_COHERENT) {
            if state.uses_swiotlb() {
                self.swiotlb().warn(dev, Message::IovaCoherentAfterBounce);
                return Err(IovaError::AlreadyBounced);
            }
            if !dev.is_coherent() {
                return Err(IovaError::NotCoherent);
            }
        }
        state.check(offset, bytes)?;
        if bytes == 0 {
            return Err(IommuError::ZeroSize.into());
        }
        if !Prot::new(request.dir, attrs).allows_anything() {
            return Err(IommuError::NoPermission.into());
        }
        let end = phys.checked_add(bytes);
        end.ok_or(IommuError::TooLong { phys, bytes })?;
        Ok(())
    }

    /// Head, middle and tail (`iommu_dma_iova_link_swiotlb`).
    fn link_bounced<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        state: &mut IovaState,
        offset: u64,
        link: &Link<'_>,
    ) -> LinkResult<Linked> {
        let mut linked = Linked::default();
        let mut done = 0;
        let result = self.link_parts(mem, state, link, &mut linked, &mut done);
        if result.is_err() && done > 0 {
            let MapRequest { dir, attrs, .. } = link.request;
            // These were just linked: nothing can be refused.
            let _ = self.iova_unlink(mem, link.dev, state, offset, done, dir, attrs);
        }
        result.map(|()| linked)
    }

    /// As [`Dma::link_bounced`]; `done` counts the bytes that are linked, also on error.
    fn link_parts<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        state: &mut IovaState,
        link: &Link<'_>,
        linked: &mut Linked,
        done: &mut u64,
    ) -> LinkResult<()> {
        let granule = link.attachment.domain().granule();
        let MapRequest { phys, bytes, .. } = link.request;
        let head_offset = granule.offset(phys.raw());
        if head_offset != 0 {
            let head_bytes = bytes.min(granule.bytes() - head_offset);
            let part = (link.addr, phys, head_bytes);
            linked.head = Some(self.link_bounce(mem, link, part, head_offset, linked)?);
            state.mark_swiotlb();
            *done = head_bytes;
        }
        let left = bytes - *done;
        let tail_bytes = granule.offset(left);
        let middle_bytes = left - tail_bytes;
        if middle_bytes > 0 {
            let addr = link.addr.wrapping_add(*done);
            link.map(addr, phys.wrapping_add(*done), middle_bytes, false)?;
            linked.direct_bytes = middle_bytes;
            linked.cache.add(link.clean(middle_bytes));
            *done += middle_bytes;
        }
        if tail_bytes > 0 {
            let addr = link.addr.wrapping_add(*done);
            let part = (addr, phys.wrapping_add(*done), tail_bytes);
            linked.tail = Some(self.link_bounce(mem, link, part, 0, linked)?);
            state.mark_swiotlb();
            *done += tail_bytes;
        }
        Ok(())
    }

    /// Bounces less than a granule and links its bounce buffer
    /// (`iommu_dma_iova_bounce_and_link`). `start` is the offset that the part has in its granule.
    fn link_bounce<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        link: &Link<'_>,
        part: (DmaAddr, PhysAddr, u64),
        start: u64,
        linked: &mut Linked,
    ) -> LinkResult<BounceInfo> {
        let (addr, phys, bytes) = part;
        let granule = link.attachment.domain().granule();
        let request = MapRequest {
            phys,
            bytes,
            ..link.request
        };
        let bounce = self.bounce_granules(mem, link.dev, granule, &request);
        let bounce = bounce.map_err(IovaError::NoBounce)?;
        let target = bounce.tlb_addr.wrapping_sub(start);
        let iova = addr.wrapping_sub(start);
        let domain = link.attachment.domain();
        if let Err(cause) = domain.link(iova, target, granule.bytes(), link.prot(), true) {
            let MapRequest { dir, attrs, .. } = request;
            // The buffer was just made: the release cannot be refused.
            let _ =
                self.swiotlb()
                    .tbl_unmap_single(mem, link.dev, bounce.tlb_addr, bytes, dir, attrs);
            return Err(cause.into());
        }
        linked.cache.add(link.clean(bytes));
        Ok(bounce)
    }
}
