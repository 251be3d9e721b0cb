//! Undoing links: what was bounced goes back, then the device's way is closed.

use crate::addr::PhysAddr;
use crate::attrs::Attrs;
use crate::debug::MappedRange;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::{CacheWork, Dma};
use crate::error::UnmapError;
use crate::iommu::attachment::Attachment;
use crate::iommu::error::{IommuError, IovaError};
use crate::iommu::iova_state::IovaState;
use crate::iommu::route::has_cache_work;
use crate::iommu::table_calls::MappedPart;
use crate::memory::PhysMemory;
use crate::message::Message;

/// What came of an unlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unlinked {
    /// Bounce buffers given back.
    pub released: u32,
    /// Bytes copied back to original buffers.
    pub copied_bytes: u64,
    /// Cache maintenance made.
    pub cache: CacheWork,
    /// Whether all of the range had been linked.
    pub was_linked: bool,
}

impl Dma {
    /// Undoes the links in `bytes` bytes at `offset` of a range, and flushes the IOMMU at once
    /// (`dma_iova_unlink`). With `SKIP_CPU_SYNC`, what the device wrote into bounce buffers is lost.
    ///
    /// # Errors
    /// If the part leaves the range, the direction is none, or the device is not behind an IOMMU:
    /// nothing has changed then. Or the first that the release of a bounce buffer gave; all is
    /// unlinked then.
    #[expect(
        clippy::too_many_arguments,
        reason = "those of the kernel, and the memory"
    )]
    #[doc(alias = "dma_iova_unlink")]
    pub fn iova_unlink<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        state: &IovaState,
        offset: u64,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Unlinked, IovaError> {
        let attachment = self.iova_attachment(dev).ok_or(IommuError::NoIommu)?;
        if dir == DataDirection::None {
            return Err(UnmapError::BadDirection(dir).into());
        }
        state.check(offset, bytes)?;
        if bytes == 0 {
            return Err(IommuError::ZeroSize.into());
        }
        let mut done = Unlinked::default();
        let mut refused = None;
        let is_slow = state.uses_swiotlb() || has_cache_work(dev, attrs);
        if is_slow {
            let addr = state.addr().wrapping_add(offset);
            for part in attachment.domain().mapped_parts(addr, bytes) {
                if dir.comes_from_device() && has_cache_work(dev, attrs) {
                    done.cache.add(CacheWork::invalidate(dev, part.bytes));
                }
                if part.is_bounce {
                    let result =
                        self.release_part(mem, dev, attachment, part, dir, attrs, &mut done);
                    refused = refused.or(result.err());
                }
            }
        }
        done.was_linked = self.close(dev, attachment, state, offset, bytes);
        let range = MappedRange {
            phys: PhysAddr::INVALID,
            dma: state.addr().wrapping_add(offset),
            bytes,
            dir,
            attrs,
        };
        self.debug_unlink(dev, &range);
        refused.map_or(Ok(done), |cause| Err(cause.into()))
    }

    /// Releases the bounce buffers of a part, granule by granule.
    #[expect(clippy::too_many_arguments, reason = "those of the call, and its sums")]
    fn release_part<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        attachment: &Attachment,
        part: MappedPart,
        dir: DataDirection,
        attrs: Attrs,
        done: &mut Unlinked,
    ) -> Result<(), UnmapError> {
        let granule = attachment.domain().granule();
        let mut refused = None;
        let mut at = 0;
        while at < part.bytes {
            let phys = part.phys.wrapping_add(at);
            let room = granule.bytes() - granule.offset(phys.raw());
            let bytes = room.min(part.bytes - at);
            let swiotlb = self.swiotlb();
            match swiotlb.tbl_unmap_single(mem, dev, phys, bytes, dir, attrs) {
                Ok(None) => {}
                Ok(Some(released)) => {
                    done.released += 1;
                    done.copied_bytes += released.copied_bytes;
                }
                Err(cause) => refused = refused.or(Some(cause)),
            }
            at += bytes;
        }
        refused.map_or(Ok(()), Err)
    }

    /// Unmaps the granules of a part and returns whether all of them were mapped.
    fn close(
        &self,
        dev: &Device,
        attachment: &Attachment,
        state: &IovaState,
        offset: u64,
        bytes: u64,
    ) -> bool {
        let domain = attachment.domain();
        let addr = state.addr().wrapping_add(offset);
        let start = domain.granule().offset(addr.raw());
        let span = domain.granule().span(start, bytes).unwrap_or(u64::MAX);
        let was_linked = domain.unmap(addr.wrapping_sub(start), span) == span;
        if !was_linked {
            let message = Message::IommuNotMapped { iova: addr };
            self.swiotlb().warn(dev, message);
        }
        was_linked
    }
}
