//! Coherent allocation without an IOMMU: which memory, in which order.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::handle::{AllocRequest, CpuAddr};
use crate::device::Device;
use crate::dma::{Dma, DmaError, DmaMessage, NonCoherentMemory};
use crate::error::AllocError;
use crate::memory::PhysMemory;
use crate::page_source::{PageOrigin, PageRequest, PageSource, Zone};

/// How the CPU shall reach the memory.
type View = fn(PhysAddr) -> CpuAddr;

/// One past the highest address below 4 GiB, less one.
const LAST_BELOW_4_GIB: u64 = 0xffff_ffff;

impl Dma {
    /// Returns `bytes` in whole pages, or an error if that is above the address space.
    pub(crate) fn whole_pages(&self, bytes: u64) -> Result<u64, DmaError> {
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let why = "no memory is as large";
        bytes
            .checked_next_multiple_of(page_bytes)
            .filter(|&rounded| rounded > 0)
            .ok_or(DmaError::NoMemory { bytes, why })
    }

    /// The order of `dma_direct_alloc`.
    pub(crate) fn alloc_direct<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        request: &AllocRequest,
    ) -> Result<(CpuAddr, DmaAddr), DmaError> {
        let bytes = self.whole_pages(request.bytes)?;
        let is_shared = request.attrs.contains(Attrs::ALLOC_CC_SHARED);
        let is_restricted = self.swiotlb().is_for_alloc(dev);
        let wants_no_view = request.attrs.contains(Attrs::NO_KERNEL_MAPPING);
        if wants_no_view && !is_shared && !is_restricted {
            let phys = self.take_pages(pages, dev, bytes, request)?;
            return Ok((CpuAddr::Cookie(phys), self.coherent_addr(dev, phys, false)));
        }
        let mut view: View = CpuAddr::Linear;
        let mut needs_remap = false;
        if !dev.is_coherent() {
            match self.config().non_coherent {
                NonCoherentMemory::Unsupported => {
                    self.warn(dev, DmaMessage::NonCoherentUnsupported);
                    let what = "coherent memory for a device that does not snoop caches";
                    return Err(DmaError::NotSupported { what });
                }
                NonCoherentMemory::GlobalRegion => return self.alloc_global(mem, dev, bytes),
                NonCoherentMemory::UncachedAlias => view = CpuAddr::Uncached,
                NonCoherentMemory::Remap => {
                    view = CpuAddr::Vmalloc;
                    needs_remap = true;
                }
            }
        }
        if (needs_remap || is_shared) && !request.gfp.can_block() && !is_restricted {
            let (phys, addr) = self.alloc_atomic(mem, dev, bytes, request)?;
            return Ok((CpuAddr::Vmalloc(phys), addr));
        }
        let (phys, addr) = self.alloc_visible(mem, pages, dev, bytes, request)?;
        Ok((view(phys), addr))
    }

    /// Steps 4 to 6: memory of the restricted pool or pages, shared if needed, zeroed.
    pub(crate) fn alloc_visible<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
    ) -> Result<(PhysAddr, DmaAddr), DmaError> {
        let is_shared = request.attrs.contains(Attrs::ALLOC_CC_SHARED);
        if self.swiotlb().is_for_alloc(dev) {
            return self.alloc_restricted(mem, dev, bytes, request);
        }
        let phys = self.take_pages(pages, dev, bytes, request)?;
        let block_bytes = self.block_bytes(bytes);
        if is_shared && let Err(code) = pages.make_shared(phys, block_bytes) {
            return Err(self.leaked(dev, phys, block_bytes, code));
        }
        if let Err(error) = mem.zero(phys, bytes) {
            self.return_pages(pages, dev, phys, bytes, is_shared)?;
            return Err(error.into());
        }
        Ok((phys, self.coherent_addr(dev, phys, is_shared)))
    }

    /// Step 4: from the device's restricted pool, without fallback.
    fn alloc_restricted<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
    ) -> Result<(PhysAddr, DmaAddr), DmaError> {
        let is_shared = request.attrs.contains(Attrs::ALLOC_CC_SHARED);
        let phys: Result<PhysAddr, AllocError> =
            self.swiotlb().alloc(dev, bytes, request.attrs, request.cpu);
        let phys = phys?;
        let addr = self.coherent_addr(dev, phys, is_shared);
        let zeroed = if Self::is_coherent_ok(dev, addr, bytes) {
            mem.zero(phys, bytes).map_err(DmaError::from)
        } else {
            let why = "the restricted pool lies above the coherent mask or the bus limit";
            Err(DmaError::NoMemory { bytes, why })
        };
        if let Err(error) = zeroed {
            self.swiotlb().free(dev, phys);
            return Err(error);
        }
        Ok((phys, addr))
    }

    /// Step 5: pages that the device reaches, of a contiguous area if the caller may sleep, else of
    /// the best zone and, if those are out of reach, of the next lower ones.
    fn take_pages(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
    ) -> Result<PhysAddr, DmaError> {
        let is_shared = request.attrs.contains(Attrs::ALLOC_CC_SHARED);
        let reaches =
            |phys| Self::is_coherent_ok(dev, self.coherent_addr(dev, phys, is_shared), bytes);
        let zone = self.best_zone(dev);
        self.take_pages_where(pages, dev, bytes, request, zone, reaches)
    }

    /// Takes pages of a contiguous area or a zone, beginning with `zone`, that the device `reaches`.
    pub(crate) fn take_pages_where(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
        mut zone: Zone,
        reaches: impl Fn(PhysAddr) -> bool,
    ) -> Result<PhysAddr, DmaError> {
        let page_size = self.swiotlb().platform().page_size;
        let count = bytes / page_size.bytes();
        if request.gfp.can_block() {
            let cma = &mut self.coherent().cma;
            if let Some(phys) = cma.alloc(dev, count, page_size.order_of(bytes), zone) {
                if reaches(phys) {
                    return Ok(phys);
                }
                cma.free(phys, count);
            }
        }
        let why = "no page block is free that the device reaches";
        let no_memory = DmaError::NoMemory { bytes, why };
        let block_bytes = self.block_bytes(bytes);
        if block_bytes == 0 {
            return Err(no_memory);
        }
        loop {
            let phys = pages.alloc(&self.page_request(block_bytes, zone, request.gfp.can_block()));
            let phys = phys.ok_or(no_memory)?;
            if reaches(phys) {
                return Ok(phys);
            }
            pages.free(phys, block_bytes);
            zone = self.lower_zone(zone).ok_or(no_memory)?;
        }
    }

    /// Says that pages are lost, because whether they are shared is not known any more.
    fn leaked(&self, dev: &Device, phys: PhysAddr, bytes: u64, code: i32) -> DmaError {
        self.warn(dev, DmaMessage::Leaking { phys, bytes });
        DmaError::Leaked { phys, bytes, code }
    }

    /// Gives pages back to their source; pages that stay shared leak.
    pub(crate) fn return_pages(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        phys: PhysAddr,
        bytes: u64,
        is_shared: bool,
    ) -> Result<(), DmaError> {
        let block_bytes = self.block_bytes(bytes);
        if is_shared && let Err(code) = pages.make_private(phys, block_bytes) {
            return Err(self.leaked(dev, phys, block_bytes, code));
        }
        let count = bytes / self.swiotlb().platform().page_size.bytes();
        let cma = &mut self.coherent().cma;
        if !cma.contains(phys) {
            pages.free(phys, block_bytes);
        } else if !cma.free(phys, count) {
            let what = "the contiguous area did not give these pages";
            return Err(DmaError::Invalid { what });
        }
        Ok(())
    }

    pub(crate) fn page_request(
        &self,
        block_bytes: u64,
        zone: Zone,
        is_blocking: bool,
    ) -> PageRequest {
        PageRequest {
            origin: PageOrigin::Pages,
            bytes: block_bytes,
            align: block_bytes,
            zone,
            limit: PhysAddr::new(self.zone_end(zone)),
            is_blocking,
        }
    }

    /// Returns the power of two of pages that holds `bytes`; 0 if there is none.
    pub(crate) fn block_bytes(&self, bytes: u64) -> u64 {
        let page_size = self.swiotlb().platform().page_size;
        let page_count = 1_u64.checked_shl(page_size.order_of(bytes));
        page_count
            .and_then(|count| count.checked_mul(page_size.bytes()))
            .unwrap_or(0)
    }

    pub(crate) fn coherent_addr(&self, dev: &Device, phys: PhysAddr, is_shared: bool) -> DmaAddr {
        dev.phys_to_dma(phys, self.swiotlb().platform().cc, is_shared)
    }

    /// Returns whether the device reaches memory under its coherent mask (`dma_coherent_ok`).
    pub(crate) fn is_coherent_ok(dev: &Device, addr: DmaAddr, bytes: u64) -> bool {
        let last = bytes.checked_sub(1).and_then(|last| addr.checked_add(last));
        addr != DmaAddr::MAPPING_ERROR
            && last.is_some_and(|last| last.raw() <= dev.coherent_reach())
    }

    /// Returns the highest zone that lies in the device's reach as a whole, or the lowest.
    pub(crate) fn best_zone(&self, dev: &Device) -> Zone {
        let reach = dev.coherent_reach();
        let zone_dma_limit = self.swiotlb().platform().zone_dma_limit;
        if zone_dma_limit.is_some_and(|limit| reach <= limit) {
            Zone::Dma
        } else if self.has_dma32_zone() && reach <= LAST_BELOW_4_GIB {
            Zone::Dma32
        } else {
            Zone::Normal
        }
    }

    fn lower_zone(&self, zone: Zone) -> Option<Zone> {
        let dma = self.swiotlb().platform().zone_dma_limit.map(|_| Zone::Dma);
        match zone {
            Zone::Normal if self.has_dma32_zone() => Some(Zone::Dma32),
            Zone::Normal | Zone::Dma32 => dma,
            Zone::Dma => None,
        }
    }

    fn zone_end(&self, zone: Zone) -> u64 {
        let zone_dma_limit = self.swiotlb().platform().zone_dma_limit.unwrap_or(0);
        match zone {
            Zone::Dma => zone_dma_limit,
            Zone::Dma32 => zone_dma_limit.max(LAST_BELOW_4_GIB),
            Zone::Normal => u64::MAX,
        }
    }
}
