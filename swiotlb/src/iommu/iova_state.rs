//! The IOVA-based API: a range of addresses first, buffers linked into it one by one.

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::iommu::attachment::Attachment;
use crate::iommu::error::{IommuError, IovaError};
use crate::iommu::route::Route;
use crate::iommu::unlink::Unlinked;
use crate::memory::PhysMemory;
use crate::message::Message;

/// Bit of the size that says "swiotlb is used somewhere" (`DMA_IOVA_USE_SWIOTLB`).
const USES_SWIOTLB: u64 = 1 << 63;

/// A range of I/O virtual addresses that a driver fills (`struct dma_iova_state`).
///
/// A copy stands for the same range, as in the kernel.
#[doc(alias = "dma_iova_state")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IovaState {
    addr: DmaAddr,
    size: u64,
}

impl IovaState {
    /// Makes a state without a range.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            addr: DmaAddr::new(0),
            size: 0,
        }
    }

    /// Returns the address for the device, with the offset of the first buffer in its granule.
    #[must_use]
    pub const fn addr(&self) -> DmaAddr {
        self.addr
    }

    /// Returns whether there is a range (`dma_use_iova`); if not, the driver maps as ever.
    #[doc(alias = "dma_use_iova")]
    #[must_use]
    pub const fn is_used(&self) -> bool {
        self.size != 0
    }

    /// Returns the length in bytes (`dma_iova_size`).
    #[doc(alias = "dma_iova_size")]
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.size & !USES_SWIOTLB
    }

    /// Returns whether part of the range is, or has been, bounced.
    #[must_use]
    pub const fn uses_swiotlb(&self) -> bool {
        self.size & USES_SWIOTLB != 0
    }

    pub(crate) const fn mark_swiotlb(&mut self) {
        self.size |= USES_SWIOTLB;
    }

    /// Refuses what leaves the range; the kernel would reach into others' addresses.
    pub(crate) const fn check(&self, offset: u64, bytes: u64) -> Result<(), IovaError> {
        let range_bytes = self.bytes();
        match offset.checked_add(bytes) {
            Some(end) if end <= range_bytes => Ok(()),
            _ => Err(IovaError::OutOfRange {
                offset,
                bytes,
                range_bytes,
            }),
        }
    }
}

impl Dma {
    /// Takes a range of `bytes` bytes for buffers that will be linked into it
    /// (`dma_iova_try_alloc`). Of `phys`, the address of the first buffer, only the offset in its
    /// granule counts. Returns whether there is a range; if not, the state is empty and the driver
    /// must map as ever.
    #[doc(alias = "dma_iova_try_alloc")]
    pub fn iova_try_alloc(
        &self,
        dev: &Device,
        state: &mut IovaState,
        phys: PhysAddr,
        bytes: u64,
        cpu: CpuId,
    ) -> bool {
        *state = IovaState::new();
        let Some(attachment) = self.iova_attachment(dev) else {
            return false;
        };
        if bytes == 0 || bytes & USES_SWIOTLB != 0 {
            self.swiotlb().warn(dev, Message::IovaBadSize { bytes });
            return false;
        }
        let granule = attachment.domain().granule();
        let offset = granule.offset(phys.raw());
        let Some(span) = granule.span(offset, bytes) else {
            return false;
        };
        let result = self.alloc_iova(dev, attachment, span, dev.raw_mask(), cpu);
        let Ok(iova) = result else {
            return false;
        };
        *state = IovaState {
            addr: iova.wrapping_add(offset),
            size: bytes,
        };
        true
    }

    /// Frees the range; all links must have been undone (`dma_iova_free`). The state is empty then.
    ///
    /// # Errors
    /// If the device's domain has not given out the range.
    #[doc(alias = "dma_iova_free")]
    pub fn iova_free(&self, dev: &Device, state: &mut IovaState) -> Result<(), IovaError> {
        let attachment = self.iova_attachment(dev).ok_or(IommuError::NoIommu)?;
        let granule = attachment.domain().granule();
        let iova = DmaAddr::new(granule.align_down(state.addr.raw()));
        if !state.is_used() {
            return Err(IommuError::NotAllocated { iova }.into());
        }
        attachment.domain().free_iova(iova)?;
        *state = IovaState::new();
        Ok(())
    }

    /// Unlinks the first `mapped_bytes` bytes, if that is not 0, and frees the range
    /// (`dma_iova_destroy`).
    ///
    /// # Errors
    /// As [`Dma::iova_unlink`] and [`Dma::iova_free`]. If a bounce buffer could not be released
    /// properly, the range is freed all the same.
    #[doc(alias = "dma_iova_destroy")]
    pub fn iova_destroy<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        state: &mut IovaState,
        mapped_bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Unlinked, IovaError> {
        let unlinked = if mapped_bytes == 0 {
            Ok(Unlinked::default())
        } else {
            self.iova_unlink(mem, dev, state, 0, mapped_bytes, dir, attrs)
        };
        match unlinked {
            Ok(_) | Err(IovaError::Release(_)) => self.iova_free(dev, state)?,
            Err(_) => {}
        }
        unlinked
    }

    /// Lets the device use what was linked in part of the range (`dma_iova_sync`).
    ///
    /// # Errors
    /// If the part leaves the range, or the device is not behind an IOMMU.
    #[doc(alias = "dma_iova_sync")]
    pub fn iova_sync(
        &self,
        dev: &Device,
        state: &IovaState,
        offset: u64,
        bytes: u64,
    ) -> Result<(), IovaError> {
        let attachment = self.iova_attachment(dev).ok_or(IommuError::NoIommu)?;
        state.check(offset, bytes)?;
        let addr = state.addr.wrapping_add(offset);
        attachment.domain().sync_map(addr, bytes);
        Ok(())
    }

    /// Returns the attachment of a device that uses the IOMMU layer itself, and not operations that
    /// may step aside.
    pub(crate) fn iova_attachment<'a>(&self, dev: &'a Device) -> Option<&'a Attachment> {
        match self.route(dev) {
            Route::Iommu(attachment) if !attachment.may_bypass() => Some(attachment),
            _ => None,
        }
    }
}
