//! Managed memory: freed when the driver leaves its device (`dmam_*`).

use crate::addr::DmaAddr;
use crate::coherent::gfp::Gfp;
use crate::coherent::handle::{AllocRequest, CoherentParts, CpuAddr};
use crate::device::Device;
use crate::dma::{Dma, DmaError, DmaMessage};
use crate::dma_pool::DmaPool;
use crate::memory::PhysMemory;
use crate::page_source::PageSource;

/// Something that is freed by itself.
#[derive(Debug)]
pub(crate) enum Managed {
    Memory(CoherentParts),
    Pool(DmaPool),
}

/// What a driver's leaving gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detached {
    /// Allocations freed.
    pub allocations: usize,
    /// Dma pools destroyed.
    pub pools: usize,
    /// Of both, those that could not be given back: pools in use, and pages that leak.
    pub failures: usize,
}

impl Dma {
    /// As [`Dma::alloc_coherent`]; freed when the driver leaves (`dmam_alloc_coherent`).
    ///
    /// # Errors
    /// As there.
    pub fn dmam_alloc_coherent<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        gfp: Gfp,
    ) -> Result<CoherentParts, DmaError> {
        let request = AllocRequest::coherent(bytes, gfp);
        self.dmam_alloc_attrs(mem, pages, dev, &request)
    }

    /// As [`Dma::alloc_attrs`]; freed when the driver leaves (`dmam_alloc_attrs`).
    ///
    /// # Errors
    /// As there.
    pub fn dmam_alloc_attrs<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        request: &AllocRequest,
    ) -> Result<CoherentParts, DmaError> {
        let parts = self.alloc_attrs(mem, pages, dev, request)?.into_parts();
        self.manage(dev, Managed::Memory(parts));
        Ok(parts)
    }

    pub(crate) fn manage(&self, dev: &Device, managed: Managed) {
        self.coherent().managed.push((dev.id(), managed));
    }

    /// Frees managed memory early (`dmam_free_coherent`). What is freed is what was allocated; a
    /// different size or DMA address is reported.
    ///
    /// # Errors
    /// If the device has no managed memory at this CPU address; nothing is freed then. Otherwise as
    /// [`Dma::free_attrs`].
    pub fn dmam_free_coherent(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        cpu: CpuAddr,
        dma_addr: DmaAddr,
    ) -> Result<(), DmaError> {
        let mismatch = DmaMessage::ManagedMismatch {
            addr: dma_addr,
            bytes,
        };
        let Some(parts) = self.unmanage(dev, cpu) else {
            self.warn(dev, mismatch);
            let what = "the device has no managed memory at this CPU address";
            return Err(DmaError::Invalid { what });
        };
        if parts.bytes != bytes || parts.dma_addr != dma_addr {
            self.warn(dev, mismatch);
        }
        self.free_parts(pages, dev, &parts)
    }

    fn unmanage(&self, dev: &Device, cpu: CpuAddr) -> Option<CoherentParts> {
        let mut state = self.coherent();
        let is_it = |(id, managed): &(_, Managed)| match managed {
            Managed::Memory(parts) => *id == dev.id() && parts.cpu == cpu,
            Managed::Pool(_) => false,
        };
        let index = state.managed.iter().position(is_it)?;
        match state.managed.remove(index).1 {
            Managed::Memory(parts) => Some(parts),
            Managed::Pool(_) => None,
        }
    }

    fn free_parts(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        parts: &CoherentParts,
    ) -> Result<(), DmaError> {
        let CoherentParts {
            cpu,
            dma_addr,
            bytes,
            attrs,
        } = *parts;
        self.free_attrs(pages, dev, bytes, Some(cpu), dma_addr, attrs)
    }

    /// Frees all managed memory of a device, newest first: its driver leaves.
    pub fn detach_driver<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
    ) -> Detached {
        let mut detached = Detached::default();
        loop {
            let mut state = self.coherent();
            let newest = state.managed.iter().rposition(|(id, _)| *id == dev.id());
            let taken = newest.map(|index| state.managed.remove(index).1);
            drop(state);
            let result = match taken {
                None => return detached,
                Some(Managed::Memory(parts)) => {
                    detached.allocations += 1;
                    self.free_parts(pages, dev, &parts)
                }
                Some(Managed::Pool(pool)) => {
                    detached.pools += 1;
                    pool.destroy(self, mem, pages, dev)
                }
            };
            detached.failures += usize::from(result.is_err());
        }
    }
}
