//! Maps of what a driver holds: pages and pointers.

use crate::addr::DmaAddr;
use crate::attrs::Attrs;
use crate::coherent::CpuAddr;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::dma::map::{MapRequest, Mapped, Unmapped};
use crate::dma::message::DmaMessage;
use crate::error::{MapError, UnmapError};
use crate::memory::PhysMemory;

impl Dma {
    /// Maps part of a page (`dma_map_page`): `request.phys` is the page, and the mapping begins
    /// `offset` bytes behind it.
    ///
    /// # Errors
    /// If the attributes say MMIO; otherwise as [`Dma::map_phys`].
    #[doc(alias("dma_map_page", "dma_map_page_attrs"))]
    pub fn map_page<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        offset: u64,
        request: &MapRequest,
    ) -> Result<Mapped, MapError> {
        if request.attrs.contains(Attrs::MMIO) {
            return Err(MapError::MmioPage);
        }
        let phys = request.phys.wrapping_add(offset);
        self.debug_map_page(phys)?;
        self.map_phys(mem, dev, &MapRequest { phys, ..*request })
    }

    /// Undoes [`Dma::map_page`] (`dma_unmap_page`). With MMIO, nothing happens.
    ///
    /// # Errors
    /// As [`Dma::unmap_phys`].
    #[doc(alias("dma_unmap_page", "dma_unmap_page_attrs"))]
    pub fn unmap_page<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Unmapped, UnmapError> {
        if attrs.contains(Attrs::MMIO) {
            return Ok(Unmapped::default());
        }
        self.unmap_phys(mem, dev, addr, bytes, dir, attrs)
    }

    /// Maps what a pointer refers to (`dma_map_single` with a CPU address). Memory of vmalloc is
    /// refused, because it need not be contiguous.
    ///
    /// # Errors
    /// If the pointer is into vmalloc memory or none; otherwise as [`Dma::map_page`].
    pub fn map_pointer<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        cpu: CpuAddr,
        request: &MapRequest,
    ) -> Result<Mapped, MapError> {
        let phys = match cpu {
            CpuAddr::Linear(phys) | CpuAddr::Uncached(phys) => phys,
            CpuAddr::Vmalloc(phys) | CpuAddr::Scattered(phys) => {
                self.warn(dev, DmaMessage::RejectVmalloc { phys });
                return Err(MapError::Vmalloc { phys });
            }
            CpuAddr::Cookie(phys) => return Err(MapError::NoCpuAddress { phys }),
        };
        let request = MapRequest { phys, ..*request };
        self.debug_map_single(dev, &request);
        self.map_page(mem, dev, 0, &request)
    }

    /// Undoes [`Dma::map_resource`] (`dma_unmap_resource`): nothing was bounced, so nothing comes
    /// back.
    ///
    /// # Errors
    /// As [`Dma::unmap_phys`].
    #[doc(alias = "dma_unmap_resource")]
    pub fn unmap_resource<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        dev: &Device,
        addr: DmaAddr,
        bytes: u64,
        dir: DataDirection,
        attrs: Attrs,
    ) -> Result<Unmapped, UnmapError> {
        self.unmap_phys(mem, dev, addr, bytes, dir, attrs | Attrs::MMIO)
    }
}
