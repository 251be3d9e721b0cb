//! Pages that a device reaches, but that must be handed over with sync calls.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::gfp::Gfp;
use crate::coherent::handle::{AllocRequest, CpuAddr};
use crate::debug::MappedRange;
use crate::device::{Device, DeviceId};
use crate::direction::DataDirection;
use crate::dma::{AllocCall, Dma, DmaError, DmaMessage, DmaTraceKind, FreeCall, Refused};
use crate::iommu::Route;
use crate::memory::PhysMemory;
use crate::page_source::{PageSource, Zone};

/// Mapped pages. Not `Clone`: moved into [`Dma::free_pages`].
#[must_use = "pages that are dropped are never given back"]
#[derive(Debug, PartialEq, Eq)]
pub struct DmaPages {
    device: DeviceId,
    phys: PhysAddr,
    dma_addr: DmaAddr,
    bytes: u64,
    dir: DataDirection,
}

impl DmaPages {
    /// Returns where the CPU reaches them.
    #[must_use]
    pub const fn cpu(&self) -> CpuAddr {
        CpuAddr::Linear(self.phys)
    }

    /// Returns where the device reaches them.
    #[must_use]
    pub const fn dma_addr(&self) -> DmaAddr {
        self.dma_addr
    }

    /// Returns the length asked for in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the direction in which they are used.
    #[must_use]
    pub const fn direction(&self) -> DataDirection {
        self.dir
    }
}

impl Dma {
    /// Allocates zeroed pages that the device reaches, to be handed over with sync calls as a
    /// streaming mapping is (`dma_alloc_pages`).
    ///
    /// # Errors
    /// If the flags name a zone or a compound page, the device has no coherent mask, the direction is
    /// none, or there is no memory that the device reaches.
    pub fn alloc_pages<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        dir: DataDirection,
        request: &AllocRequest,
    ) -> Result<DmaPages, DmaError> {
        let result = self.alloc_page_block(mem, pages, dev, dir, request)?;
        let traced = result.map(|(phys, addr)| (CpuAddr::Linear(phys), addr));
        self.trace_alloc(dev, AllocCall::Pages, dir, request, traced);
        self.enter_alloc(dev, AllocCall::Pages, dir, request, traced);
        result.map(|(phys, dma_addr)| DmaPages {
            device: dev.id(),
            phys,
            dma_addr,
            bytes: request.bytes,
            dir,
        })
    }

    /// As [`Dma::alloc_pages`], for a driver that wants a CPU address (`dma_alloc_noncoherent`).
    ///
    /// # Errors
    /// As there.
    pub fn alloc_noncoherent<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        dir: DataDirection,
        gfp: Gfp,
    ) -> Result<DmaPages, DmaError> {
        let request = AllocRequest::new(bytes).with_gfp(gfp);
        self.alloc_pages(mem, pages, dev, dir, &request)
    }

    /// `__dma_alloc_pages`. The outer error is one of the arguments, which leaves no trace.
    pub(crate) fn alloc_page_block<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        dir: DataDirection,
        request: &AllocRequest,
    ) -> Result<Result<(PhysAddr, DmaAddr), DmaError>, DmaError> {
        let bytes = self.check_page_request(dev, dir, request)?;
        if let Route::Iommu(attachment) = self.coherent_route(dev) {
            return Ok(self.alloc_pages_iommu(mem, pages, dev, attachment, dir, bytes, request));
        }
        let mut inner = *request;
        let is_shared = dev.needs_unencrypted(self.swiotlb().platform().cc);
        if is_shared {
            inner.attrs |= Attrs::ALLOC_CC_SHARED;
        }
        let is_restricted = self.swiotlb().is_for_alloc(dev);
        Ok(if is_shared && !inner.gfp.can_block() && !is_restricted {
            self.alloc_atomic(mem, dev, bytes, &inner)
        } else {
            self.alloc_visible(mem, pages, dev, bytes, &inner)
        })
    }

    /// Checks the arguments of a page allocation, and returns its length in whole pages.
    pub(crate) fn check_page_request(
        &self,
        dev: &Device,
        dir: DataDirection,
        request: &AllocRequest,
    ) -> Result<u64, DmaError> {
        if dir == DataDirection::None {
            return Err(DmaError::BadDirection(dir));
        }
        if dev.coherent_mask() == 0 {
            self.warn(dev, DmaMessage::NoCoherentMask);
            let what = "the device has no coherent mask";
            return Err(DmaError::Invalid { what });
        }
        if request.gfp.zone() != Zone::Normal || request.gfp.is_compound() {
            self.warn(dev, DmaMessage::FlagsRefused);
            let what = "flags of page allocations name neither zone nor compound page";
            return Err(DmaError::Invalid { what });
        }
        self.whole_pages(request.bytes)
    }

    /// Gives pages back (`dma_free_pages`, `dma_free_noncoherent`).
    ///
    /// # Errors
    /// If they belong to another device: they come back. If they could not be made private, they
    /// leak ([`DmaError::Leaked`]), and nothing comes back.
    pub fn free_pages(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        memory: DmaPages,
    ) -> Result<(), Refused<Option<DmaPages>>> {
        if memory.device != dev.id() {
            return Err(Refused::new(Some(memory), DmaError::WrongDevice));
        }
        self.trace(dev, memory.dir, || DmaTraceKind::Free {
            call: FreeCall::Pages,
            dma_addr: memory.dma_addr,
            bytes: memory.bytes,
            cpu: memory.phys,
            attrs: Attrs::NONE,
        });
        let range = MappedRange {
            phys: memory.phys,
            dma: memory.dma_addr,
            bytes: memory.bytes,
            dir: memory.dir,
            attrs: Attrs::NONE,
        };
        self.debug_free(dev, FreeCall::Pages, &range);
        self.free_page_block(pages, dev, memory.phys, memory.dma_addr, memory.bytes)
            .map_err(|error| Refused::new(None, error))
    }

    pub(crate) fn free_page_block(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        phys: PhysAddr,
        dma_addr: DmaAddr,
        bytes: u64,
    ) -> Result<(), DmaError> {
        let rounded = self.whole_pages(bytes)?;
        if let Route::Iommu(attachment) = self.coherent_route(dev) {
            self.free_mapping(dev, attachment, dma_addr, rounded)?;
            return self.return_pages(pages, dev, phys, rounded, false);
        }
        let is_shared = dev.needs_unencrypted(self.swiotlb().platform().cc);
        self.free_anywhere(pages, dev, phys, rounded, is_shared)
    }
}
