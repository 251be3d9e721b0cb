//! Coherent memory set aside for one device, or for all devices that do not snoop.

use crate::addr::{DmaAddr, PhysAddr};
use crate::coherent::CoherentState;
use crate::coherent::handle::CpuAddr;
use crate::coherent::page_region::PageRegion;
use crate::device::{Device, DeviceId};
use crate::dma::{Dma, DmaError};
use crate::memory::PhysMemory;

/// A device's own coherent memory (`struct dma_coherent_mem`).
#[derive(Debug)]
pub(crate) struct PrivateRegion {
    device: DeviceId,
    dma_base: DmaAddr,
    region: PageRegion,
}

impl CoherentState {
    pub(crate) fn private_of(&mut self, dev: &Device) -> Option<&mut PrivateRegion> {
        let id = dev.id();
        self.private.iter_mut().find(|region| region.device == id)
    }
}

impl PrivateRegion {
    /// Takes the first free naturally aligned block of `2^order` pages.
    fn alloc(&mut self, order: u32) -> Option<(PhysAddr, DmaAddr)> {
        let pages = 1_u64.checked_shl(order)?;
        let phys = self.region.alloc(pages, pages)?;
        let offset = phys.wrapping_sub(self.region.base().raw()).raw();
        Some((phys, self.dma_base.wrapping_add(offset)))
    }

    pub(crate) fn contains(&self, phys: PhysAddr) -> bool {
        self.region.contains(phys)
    }

    pub(crate) fn free(&mut self, phys: PhysAddr, order: u32) -> bool {
        1_u64
            .checked_shl(order)
            .is_some_and(|pages| self.region.free(phys, pages))
    }
}

impl Dma {
    /// Gives a device coherent memory of its own, from which alone it is then served
    /// (`dma_declare_coherent_memory`). `dma_addr` is where the device sees `phys`.
    ///
    /// # Errors
    /// If the region is empty or wraps ([`DmaError::Invalid`]), or the device has one already
    /// ([`DmaError::Busy`]).
    pub fn declare_coherent_memory(
        &self,
        dev: &Device,
        phys: PhysAddr,
        dma_addr: DmaAddr,
        bytes: u64,
    ) -> Result<(), DmaError> {
        if bytes == 0 {
            let what = "a coherent region has at least one byte";
            return Err(DmaError::Invalid { what });
        }
        let what = "the coherent region ends above the 64-bit address space";
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let region = PageRegion::new(phys, bytes, page_bytes)
            .filter(|_| dma_addr.checked_add(bytes - 1).is_some())
            .ok_or(DmaError::Invalid { what })?;
        let mut state = self.coherent();
        if state.private_of(dev).is_some() {
            let what = "the device has a coherent region already";
            return Err(DmaError::Busy { what });
        }
        state.private.push(PrivateRegion {
            device: dev.id(),
            dma_base: dma_addr,
            region,
        });
        Ok(())
    }

    /// As [`Dma::declare_coherent_memory`] for a reserved-memory node compatible with
    /// `shared-dma-pool`: the device sees it where its windows put it.
    ///
    /// # Errors
    /// As there, and if the device has no window on the region.
    pub fn declare_shared_dma_pool(
        &self,
        dev: &Device,
        phys: PhysAddr,
        bytes: u64,
    ) -> Result<(), DmaError> {
        let dma_addr = self.phys_to_dma(dev, phys, crate::Attrs::NONE);
        if dma_addr == DmaAddr::MAPPING_ERROR {
            let what = "the device has no window on the shared-dma-pool";
            return Err(DmaError::Invalid { what });
        }
        self.declare_coherent_memory(dev, phys, dma_addr, bytes)
    }

    /// Takes a device's own coherent memory away (`dma_release_coherent_memory`). What was allocated
    /// there is gone.
    ///
    /// # Errors
    /// If the device has none ([`DmaError::NoDevice`]).
    pub fn release_coherent_memory(&self, dev: &Device) -> Result<(), DmaError> {
        let mut state = self.coherent();
        let before = state.private.len();
        state.private.retain(|region| region.device != dev.id());
        if state.private.len() == before {
            let what = "coherent region";
            return Err(DmaError::NoDevice { what });
        }
        Ok(())
    }

    /// Sets the region from which all devices that do not snoop get coherent memory, for
    /// [`crate::NonCoherentMemory::GlobalRegion`] (`linux,dma-default`).
    ///
    /// # Errors
    /// If the region is empty or wraps ([`DmaError::Invalid`]), or there is one already
    /// ([`DmaError::Busy`]).
    pub fn declare_global_region(&self, phys: PhysAddr, bytes: u64) -> Result<(), DmaError> {
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let region = PageRegion::new(phys, bytes, page_bytes).filter(|region| region.bytes() > 0);
        let what = "a global region has whole pages within the 64-bit address space";
        let region = region.ok_or(DmaError::Invalid { what })?;
        let mut state = self.coherent();
        if state.global.is_some() {
            let what = "there is a global coherent region already";
            return Err(DmaError::Busy { what });
        }
        state.global = Some(region);
        Ok(())
    }

    /// Allocates from the device's own region, and only there. `None` if it has none.
    pub(crate) fn alloc_private<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        bytes: u64,
    ) -> Option<Result<(CpuAddr, DmaAddr), DmaError>> {
        let order = self.swiotlb().platform().page_size.order_of(bytes);
        let mut state = self.coherent();
        let private = state.private_of(dev)?;
        let why = "the device's own coherent region is full";
        let Some((phys, dma_addr)) = private.alloc(order) else {
            return Some(Err(DmaError::NoMemory { bytes, why }));
        };
        if let Err(error) = mem.zero(phys, bytes) {
            private.free(phys, order);
            return Some(Err(error.into()));
        }
        Some(Ok((CpuAddr::Vmalloc(phys), dma_addr)))
    }

    pub(crate) fn alloc_global<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        bytes: u64,
    ) -> Result<(CpuAddr, DmaAddr), DmaError> {
        let page_size = self.swiotlb().platform().page_size;
        let pages = 1_u64.checked_shl(page_size.order_of(bytes)).unwrap_or(0);
        let mut state = self.coherent();
        let why = "the global coherent region is full or missing";
        let region = state.global.as_mut();
        let region = region.ok_or(DmaError::NoMemory { bytes, why })?;
        let phys = region.alloc(pages, pages);
        let phys = phys.ok_or(DmaError::NoMemory { bytes, why })?;
        if let Err(error) = mem.zero(phys, bytes) {
            region.free(phys, pages);
            return Err(error.into());
        }
        Ok((
            CpuAddr::Vmalloc(phys),
            self.phys_to_dma(dev, phys, crate::Attrs::NONE),
        ))
    }

    /// Gives back to the device's own region or the global one. False if neither holds the address.
    pub(crate) fn free_reserved(&self, dev: &Device, phys: PhysAddr, order: u32) -> ReservedFree {
        let mut state = self.coherent();
        if let Some(private) = state.private_of(dev)
            && private.contains(phys)
        {
            return ReservedFree::of(private.free(phys, order));
        }
        let pages = 1_u64.checked_shl(order).unwrap_or(0);
        match state.global.as_mut() {
            Some(global) if global.contains(phys) => ReservedFree::of(global.free(phys, pages)),
            _ => ReservedFree::Elsewhere,
        }
    }
}

/// What came of giving memory back to a reserved region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservedFree {
    /// The region has it back.
    Done,
    /// The region holds the address, but did not give this.
    NotTaken,
    /// No region holds the address.
    Elsewhere,
}

impl ReservedFree {
    const fn of(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::NotTaken }
    }
}
