//! Memory behind an IOMMU: pages from anywhere, contiguous for the device.

use crate::addr::{DmaAddr, PhysAddr};
use crate::attrs::Attrs;
use crate::coherent::{AllocRequest, CpuAddr, PhysRun};
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::{Dma, DmaError};
use crate::iommu::attachment::Attachment;
use crate::iommu::error::IommuError;
use crate::iommu::page_table::Prot;
use crate::memory::PhysMemory;
use crate::page_source::{PageSource, Zone};

impl Dma {
    /// Allocates coherent memory behind an IOMMU (`iommu_dma_alloc`): scattered pages with a view
    /// of their own for a caller that can wait and does not force contiguity, else one block, which
    /// is of an atomic pool if the view must be made without waiting.
    pub(crate) fn alloc_iommu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        attachment: &Attachment,
        request: &AllocRequest,
    ) -> Result<(CpuAddr, DmaAddr), DmaError> {
        let attrs = request.attrs;
        if attrs.contains(Attrs::ALLOC_CC_SHARED) {
            return Err(IommuError::SharedMemory.into());
        }
        let bytes = self.whole_pages(request.bytes)?;
        let prot = Prot::new(DataDirection::Bidirectional, attrs);
        if request.gfp.can_block() && !attrs.contains(Attrs::FORCE_CONTIGUOUS) {
            let (runs, dma_addr) =
                self.alloc_scattered(mem, pages, dev, attachment, bytes, request, prot)?;
            return Ok((self.coherent().view_of(runs), dma_addr));
        }
        let cpu = if dev.is_coherent() {
            CpuAddr::Linear(self.take_block(mem, pages, dev, bytes, request)?)
        } else if request.gfp.can_block() {
            CpuAddr::Vmalloc(self.take_block(mem, pages, dev, bytes, request)?)
        } else {
            CpuAddr::Vmalloc(self.alloc_atomic_anywhere(mem, dev, bytes, request)?)
        };
        let phys = cpu.phys();
        match self.map_block(dev, attachment, phys, bytes, prot, request) {
            Ok(dma_addr) => Ok((cpu, dma_addr)),
            Err(cause) => {
                self.free_anywhere(pages, dev, phys, bytes, false)?;
                Err(cause)
            }
        }
    }

    /// Gives such memory back (`iommu_dma_free`). What the domain does not hold is not given back,
    /// because a device may still reach it: an error in strict mode only.
    pub(crate) fn free_iommu(
        &self,
        pages: &mut dyn PageSource,
        dev: &Device,
        attachment: &Attachment,
        (cpu, dma_addr): (CpuAddr, DmaAddr),
        bytes: u64,
    ) -> Result<(), DmaError> {
        self.free_mapping(dev, attachment, dma_addr, bytes)?;
        let CpuAddr::Scattered(first) = cpu else {
            return self.free_anywhere(pages, dev, cpu.phys(), bytes, false);
        };
        let runs = self.coherent().scattered.remove(&first);
        let what = "no scattered memory has this CPU address";
        give_back(pages, &runs.ok_or(DmaError::Invalid { what })?);
        Ok(())
    }

    /// Allocates one zeroed block that is handed over with sync calls (`dma_common_alloc_pages`).
    #[expect(
        clippy::too_many_arguments,
        reason = "those of the kernel, and the memory"
    )]
    pub(crate) fn alloc_pages_iommu<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        attachment: &Attachment,
        dir: DataDirection,
        bytes: u64,
        request: &AllocRequest,
    ) -> Result<(PhysAddr, DmaAddr), DmaError> {
        let phys = self.take_block(mem, pages, dev, bytes, request)?;
        let prot = Prot::new(dir, request.attrs);
        match self.map_block(dev, attachment, phys, bytes, prot, request) {
            Ok(dma_addr) => Ok((phys, dma_addr)),
            Err(cause) => {
                self.return_pages(pages, dev, phys, bytes, false)?;
                Err(cause)
            }
        }
    }

    /// Takes scattered pages, zeroes them, and maps them one after the other
    /// (`__iommu_dma_alloc_noncontiguous`).
    #[expect(
        clippy::too_many_arguments,
        reason = "those of the kernel, and the memory"
    )]
    pub(crate) fn alloc_scattered<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        attachment: &Attachment,
        bytes: u64,
        request: &AllocRequest,
        prot: Prot,
    ) -> Result<(Vec<PhysRun>, DmaAddr), DmaError> {
        // The addresses come first: they bound what is asked of the page source.
        let mask = dev.coherent_mask();
        let iova = self.alloc_iova(dev, attachment, bytes, mask, request.cpu)?;
        let mut runs = Vec::new();
        let result = self
            .take_runs(pages, bytes, request, &mut runs)
            .and_then(|()| install(mem, attachment, iova, &runs, prot));
        match result {
            Ok(()) => Ok((runs, iova)),
            Err(cause) => {
                attachment.domain().unmap(iova, bytes);
                attachment.domain().free_iova(iova)?;
                give_back(pages, &runs);
                Err(cause)
            }
        }
    }

    /// Takes pages in blocks as large as can be had.
    fn take_runs(
        &self,
        pages: &mut dyn PageSource,
        bytes: u64,
        request: &AllocRequest,
        runs: &mut Vec<PhysRun>,
    ) -> Result<(), DmaError> {
        let page = self.swiotlb().platform().page_size.bytes();
        let is_single = request.attrs.contains(Attrs::ALLOC_SINGLE_PAGES);
        let mut order = if is_single { 0 } else { self.max_page_order() };
        let mut left = bytes;
        while left > 0 {
            order = order.min((left / page).ilog2());
            let block = page << order;
            let wanted = self.page_request(block, Zone::Normal, request.gfp.can_block());
            match pages.alloc(&wanted) {
                Some(phys) => {
                    runs.push(PhysRun { phys, bytes: block });
                    left -= block;
                }
                None if order > 0 => order -= 1,
                None => return Err(IommuError::NoPages { bytes }.into()),
            }
        }
        Ok(())
    }

    /// Takes one zeroed block: behind an IOMMU any is in reach.
    fn take_block<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        pages: &mut dyn PageSource,
        dev: &Device,
        bytes: u64,
        request: &AllocRequest,
    ) -> Result<PhysAddr, DmaError> {
        let phys = self.take_pages_where(pages, dev, bytes, request, Zone::Normal, |_| true)?;
        if let Err(error) = mem.zero(phys, bytes) {
            self.return_pages(pages, dev, phys, bytes, false)?;
            return Err(error.into());
        }
        Ok(phys)
    }

    fn map_block(
        &self,
        dev: &Device,
        attachment: &Attachment,
        phys: PhysAddr,
        bytes: u64,
        prot: Prot,
        request: &AllocRequest,
    ) -> Result<DmaAddr, DmaError> {
        let iova = self.alloc_iova(dev, attachment, bytes, dev.coherent_mask(), request.cpu)?;
        if let Err(cause) = attachment.domain().map(iova, phys, bytes, prot) {
            attachment.domain().free_iova(iova)?;
            return Err(cause.into());
        }
        Ok(iova)
    }
}

/// Zeroes the pages and maps them one after the other.
fn install<M: PhysMemory + ?Sized>(
    mem: &mut M,
    attachment: &Attachment,
    iova: DmaAddr,
    runs: &[PhysRun],
    prot: Prot,
) -> Result<(), DmaError> {
    let mut at = iova;
    for run in runs {
        mem.zero(run.phys, run.bytes)?;
        attachment.domain().map(at, run.phys, run.bytes, prot)?;
        at = at.wrapping_add(run.bytes);
    }
    Ok(())
}

fn give_back(pages: &mut dyn PageSource, runs: &[PhysRun]) {
    for run in runs {
        pages.free(run.phys, run.bytes);
    }
}
