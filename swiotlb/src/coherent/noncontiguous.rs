//! Memory that is one segment for the device, and possibly several for the CPU.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::handle::{AllocRequest, CpuAddr};
use crate::coherent::mmap::{UserView, page_range};
use crate::coherent::view::PhysRun;
use crate::device::{Device, DeviceId};
use crate::direction::DataDirection;
use crate::dma::{
    AllocCall, Dma, DmaError, DmaMessage, DmaTraceKind, Refused, Sg, SgRequest, SgTable,
};
use crate::iommu::{Prot, Route};
use crate::memory::PhysMemory;
use crate::page_source::PageSource;

/// Memory with one DMA segment. Not `Clone`: moved into [`Dma::free_noncontiguous`].
#[must_use = "memory that is dropped is never given back"]
#[derive(Debug, PartialEq, Eq)]
pub struct Noncontiguous {
    device: DeviceId,
    table: SgTable,
    bytes: u64,
    dir: DataDirection,
}

impl Noncontiguous {
    /// Returns the table: one DMA segment, and the CPU's segments.
    #[must_use]
    pub const fn table(&self) -> &SgTable {
        &self.table
    }

    /// Returns where the device reaches it.
    #[must_use]
    pub fn dma_addr(&self) -> DmaAddr {
        self.table
            .entries
            .first()
            .map_or(DmaAddr::MAPPING_ERROR, |sg| sg.dma_address)
    }

    /// Returns the length asked for in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn phys(&self) -> Vec<PhysAddr> {
        self.table.entries.iter().map(|sg| sg.phys).collect()
    }
}

/// A contiguous view of the CPU on such memory. It borrows: the memory cannot be freed under it.
///
/// ```compile_fail,E0505
/// # use swiotlb::{Device, Dma, Noncontiguous, PageSource};
/// fn late(dma: &Dma, pages: &mut dyn PageSource, dev: &Device, frame: Noncontiguous) {
///     let view = Dma::vmap_noncontiguous(&frame);
///     let _ = dma.free_noncontiguous(pages, dev, frame);
///     let _ = view.phys_at(0); // freed above
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct CpuView<'a> {
    table: &'a SgTable,
}

impl CpuView<'_> {
    /// Returns the physical address of the byte at `offset` of the view, or `None` behind its end.
    #[must_use]
    pub fn phys_at(&self, offset: u64) -> Option<PhysAddr> {
        let mut rest = offset;
        for sg in &self.table.entries {
            if rest < u64::from(sg.length) {
                return Some(sg.phys.wrapping_add(rest));
            }
            rest -= u64::from(sg.length);
        }
        None
    }
}

impl Dma {
    /// Allocates zeroed memory with one DMA segment (`dma_alloc_noncontiguous`), to be handed over
    /// with sync calls. Without an IOMMU it has one CPU segment too; behind one, any number.
    ///
    /// # Errors
    /// If the attributes say anything but `ALLOC_SINGLE_PAGES`; otherwise as [`Dma::alloc_pages`].
    pub fn alloc_noncontiguous<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        dir: DataDirection,
        request: &AllocRequest,
    ) -> Result<Noncontiguous, DmaError> {
        if !Attrs::ALLOC_SINGLE_PAGES.contains(request.attrs) {
            self.warn(dev, DmaMessage::FlagsRefused);
            let what = "noncontiguous memory takes no attribute but ALLOC_SINGLE_PAGES";
            return Err(DmaError::Invalid { what });
        }
        let rounded = self.check_page_request(dev, dir, request)?;
        let Ok(length) = u32::try_from(rounded) else {
            let what = "an entry of a list has less than 4 GiB";
            return Err(DmaError::Invalid { what });
        };
        let result = self.alloc_segment(mem, pages, dev, dir, request, rounded);
        let (runs, dma_addr) = match result {
            Ok(found) => found,
            Err(error) => {
                self.trace_alloc(dev, AllocCall::SgtErr, dir, request, Err(error));
                return Err(error);
            }
        };
        self.trace(dev, dir, || DmaTraceKind::AllocSgt {
            dma_addr,
            bytes: request.bytes,
            phys: runs.iter().map(|run| run.phys).collect(),
            gfp: request.gfp,
            attrs: request.attrs,
        });
        let mut entries: Vec<Sg> = runs.iter().copied().map(entry_of).collect();
        if let Some(first) = entries.first_mut() {
            first.dma_address = dma_addr;
            first.dma_length = length;
        }
        let listed = SgRequest::new(dir)
            .with_attrs(request.attrs)
            .on_cpu(request.cpu);
        self.debug_map_sg(dev, &entries, 1, &listed);
        Ok(Noncontiguous {
            device: dev.id(),
            table: SgTable { entries, nents: 1 },
            bytes: request.bytes,
            dir,
        })
    }

    /// Takes memory with one DMA segment: behind an IOMMU of scattered pages.
    fn alloc_segment<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        dir: DataDirection,
        request: &AllocRequest,
        bytes: u64,
    ) -> Result<(Vec<PhysRun>, DmaAddr), DmaError> {
        if let Route::Iommu(attachment) = self.coherent_route(dev) {
            let prot = Prot::new(dir, request.attrs);
            return self.alloc_scattered(mem, pages, dev, attachment, bytes, request, prot);
        }
        let (phys, dma_addr) = self.alloc_page_block(mem, pages, dev, dir, request)??;
        Ok((vec![PhysRun { phys, bytes }], dma_addr))
    }

    /// Gives such memory back (`dma_free_noncontiguous`).
    ///
    /// # Errors
    /// If it belongs to another device: it comes back. If its pages could not be made private, they
    /// leak ([`DmaError::Leaked`]), and nothing comes back.
    pub fn free_noncontiguous(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        memory: Noncontiguous,
    ) -> Result<(), Refused<Option<Noncontiguous>>> {
        if memory.device != dev.id() {
            return Err(Refused::new(Some(memory), DmaError::WrongDevice));
        }
        self.trace(dev, memory.dir, || DmaTraceKind::FreeSgt {
            dma_addr: memory.dma_addr(),
            bytes: memory.bytes,
            phys: memory.phys(),
        });
        // The kernel keeps no attributes of such memory.
        self.debug_unmap_sg(dev, &memory.table.entries, memory.dir, Attrs::NONE);
        self.free_segment(pages, dev, &memory)
            .map_err(|error| Refused::new(None, error))
    }

    fn free_segment(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        memory: &Noncontiguous,
    ) -> Result<(), DmaError> {
        let Route::Iommu(attachment) = self.coherent_route(dev) else {
            let entries = &memory.table.entries;
            return entries.iter().try_for_each(|sg| {
                self.free_page_block(pages, dev, sg.phys, sg.dma_address, u64::from(sg.length))
            });
        };
        let rounded = self.whole_pages(memory.bytes)?;
        self.free_mapping(dev, attachment, memory.dma_addr(), rounded)?;
        for sg in &memory.table.entries {
            pages.free(sg.phys, u64::from(sg.length));
        }
        Ok(())
    }

    /// Lets the CPU see such memory in one piece (`dma_vmap_noncontiguous`). The view ends when it
    /// is dropped (`dma_vunmap_noncontiguous`).
    #[must_use]
    pub const fn vmap_noncontiguous(memory: &Noncontiguous) -> CpuView<'_> {
        CpuView {
            table: &memory.table,
        }
    }

    /// Lets user space see `page_count` pages from page `first_page` on
    /// (`dma_mmap_noncontiguous`).
    ///
    /// # Errors
    /// If the range leaves the memory ([`DmaError::OutOfRange`], `-ENXIO`) or is empty.
    pub fn mmap_noncontiguous(
        &self,
        memory: &Noncontiguous,
        first_page: u64,
        page_count: u64,
    ) -> Result<UserView, DmaError> {
        let allocated = self.whole_pages(memory.bytes)?;
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let (offset, bytes) = page_range(page_bytes, allocated, first_page, page_count)?;
        let view = Self::vmap_noncontiguous(memory);
        let pages = (0..bytes / page_bytes)
            .filter_map(|page| view.phys_at(offset + page * page_bytes))
            .map(CpuAddr::Linear);
        Ok(UserView::new(pages.collect(), page_bytes, false))
    }
}

/// Makes a CPU segment. No run is longer than the largest block of the page allocator, or than the
/// whole, which was checked.
fn entry_of(run: PhysRun) -> Sg {
    Sg::new(run.phys, u32::try_from(run.bytes).unwrap_or(u32::MAX))
}
