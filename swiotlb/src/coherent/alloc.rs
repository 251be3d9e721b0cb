//! Coherent allocation: what is checked first, and who is asked.

use crate::addr::DmaAddr;
use crate::attrs::Attrs;
use crate::coherent::gfp::Gfp;
use crate::coherent::handle::{AllocRequest, Coherent, CoherentParts, CpuAddr};
use crate::debug::MappedRange;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::{AllocCall, Dma, DmaError, DmaMessage, DmaTraceKind};
use crate::iommu::Route;
use crate::memory::PhysMemory;
use crate::page_source::{PageSource, Zone};

/// Attributes that only this layer may set, or that make no sense for new memory.
const NOT_FROM_CALLERS: Attrs = Attrs::CC_SHARED.with(Attrs::ALLOC_CC_SHARED);

impl Dma {
    /// Allocates zeroed memory that CPU and device share (`dma_alloc_coherent`).
    ///
    /// # Errors
    /// As [`Dma::alloc_attrs`].
    pub fn alloc_coherent<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        gfp: Gfp,
    ) -> Result<Coherent, DmaError> {
        let request = AllocRequest::coherent(bytes, gfp);
        self.alloc_attrs(mem, pages, dev, &request)
    }

    /// Allocates memory that CPU and device share (`dma_alloc_attrs`).
    ///
    /// It comes from the device's own region if it has one, and then from nowhere else; from its
    /// restricted pool, if it has one, and then from nowhere else; otherwise from pages or an atomic
    /// pool. Behind an IOMMU the pages need not lie in one piece, unless the caller cannot sleep or
    /// says `FORCE_CONTIGUOUS`; [`Dma::coherent_view`] leads to them. It is zeroed, unless the attributes say that the CPU will not see it.
    ///
    /// # Errors
    /// If there is no memory that the device reaches, the platform cannot make it coherent, it could
    /// not be shared, or the arguments are impossible.
    pub fn alloc_attrs<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        request: &AllocRequest,
    ) -> Result<Coherent, DmaError> {
        let (cpu, dma_addr) = self.alloc_raw(mem, pages, dev, request)?;
        Ok(Coherent {
            device: dev.id(),
            parts: CoherentParts {
                cpu,
                dma_addr,
                bytes: request.bytes,
                attrs: request.attrs,
            },
        })
    }

    fn alloc_raw<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        request: &AllocRequest,
    ) -> Result<(CpuAddr, DmaAddr), DmaError> {
        let invalid = |what| Err(DmaError::Invalid { what });
        if request.bytes == 0 {
            return invalid("an allocation has at least one byte");
        }
        if dev.coherent_mask() == 0 {
            self.warn(dev, DmaMessage::NoCoherentMask);
        }
        if request.gfp.is_compound() {
            self.warn(dev, DmaMessage::CompoundRefused);
            return invalid("coherent memory is no compound page");
        }
        if request.attrs.intersects(NOT_FROM_CALLERS) {
            return invalid("new memory is shared by this layer, not by attributes of the caller");
        }
        let mut inner = *request;
        if dev.needs_unencrypted(self.swiotlb().platform().cc) {
            inner.attrs |= Attrs::ALLOC_CC_SHARED;
        }
        inner.gfp = inner.gfp.with_zone(Zone::Normal);
        let dir = DataDirection::Bidirectional;
        if let Some(result) = self.alloc_private(mem, dev, inner.bytes) {
            self.trace_alloc(dev, AllocCall::Attrs, dir, &inner, result);
            return result;
        }
        let result = match self.coherent_route(dev) {
            Route::Direct => self.alloc_direct(mem, pages, dev, &inner),
            Route::Iommu(attachment) => self.alloc_iommu(mem, pages, dev, attachment, &inner),
        };
        self.trace_alloc(dev, AllocCall::Attrs, dir, &inner, result);
        self.enter_alloc(dev, AllocCall::Attrs, dir, request, result);
        result
    }

    /// Tells the debug layer of memory that was allocated.
    pub(crate) fn enter_alloc(
        &self,
        dev: &Device,
        call: AllocCall,
        dir: DataDirection,
        request: &AllocRequest,
        result: Result<(CpuAddr, DmaAddr), DmaError>,
    ) {
        if let Ok((cpu, dma)) = result {
            let range = MappedRange {
                phys: cpu.phys(),
                dma,
                bytes: request.bytes,
                dir,
                attrs: request.attrs,
            };
            self.debug_alloc(dev, call, &range, request.cpu);
        }
    }

    pub(crate) fn trace_alloc(
        &self,
        dev: &Device,
        call: AllocCall,
        dir: DataDirection,
        request: &AllocRequest,
        result: Result<(CpuAddr, DmaAddr), DmaError>,
    ) {
        let (cpu, dma_addr) = result.ok().unzip();
        self.trace(dev, dir, || DmaTraceKind::Alloc {
            call,
            dma_addr: dma_addr.unwrap_or_default(),
            bytes: request.bytes,
            cpu: cpu.map(CpuAddr::phys).unwrap_or_default(),
            gfp: request.gfp,
            attrs: request.attrs,
        });
    }
}
