//! Coherent memory behind an IOMMU: pages from anywhere, contiguous for the device.

use crate::addr::{DmaAddr, PhysAddr};
use crate::area::CpuId;
use crate::attrs::Attrs;
use crate::device::Device;
use crate::direction::DataDirection;
use crate::dma::Dma;
use crate::error::UnmapError;
use crate::iommu::attachment::Attachment;
use crate::iommu::error::IommuError;
use crate::iommu::page_table::Prot;
use crate::iommu::route::Route;
use crate::memory::{MemoryError, PhysMemory};
use crate::page_source::{PageOrigin, PageRequest, PageSource, Zone};

/// Largest order that the page allocator gives (`MAX_PAGE_ORDER`).
const MAX_ORDER: u32 = 10;

/// Coherent memory that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoherentRequest {
    /// Length in bytes.
    pub bytes: u64,
    /// Whether the caller can wait; if not, the pages are contiguous.
    pub may_block: bool,
    /// Attributes: `FORCE_CONTIGUOUS`, `ALLOC_SINGLE_PAGES` and `PRIVILEGED` count.
    pub attrs: Attrs,
    /// CPU on which the call is made.
    pub cpu: CpuId,
}

/// Physically contiguous pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhysRun {
    /// First byte.
    pub phys: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
}

/// Coherent memory: one range for the device, one view for the CPU. Not `Clone`: it is moved into
/// [`Dma::iommu_free`].
#[must_use = "memory that is dropped is not given back"]
#[derive(Debug, PartialEq, Eq)]
pub struct IommuCoherent {
    dma_addr: DmaAddr,
    bytes: u64,
    runs: Vec<PhysRun>,
}

impl IommuCoherent {
    /// Returns the address for the device.
    #[must_use]
    pub const fn dma_addr(&self) -> DmaAddr {
        self.dma_addr
    }

    /// Returns the length in bytes, whole pages.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the pages in the order of the CPU's view.
    #[must_use]
    pub fn runs(&self) -> &[PhysRun] {
        &self.runs
    }

    /// Reads through the CPU's view.
    ///
    /// # Errors
    /// If the range leaves the memory, or the memory is gone.
    pub fn read<M: PhysMemory + ?Sized>(
        &self,
        mem: &M,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), MemoryError> {
        let pieces = self.pieces(offset, buf.len())?;
        pieces
            .into_iter()
            .try_for_each(|(phys, range)| mem.read(phys, &mut buf[range]))
    }

    /// Writes through the CPU's view.
    ///
    /// # Errors
    /// As [`IommuCoherent::read`].
    pub fn write<M: PhysMemory + ?Sized>(
        &self,
        mem: &mut M,
        offset: u64,
        buf: &[u8],
    ) -> Result<(), MemoryError> {
        let pieces = self.pieces(offset, buf.len())?;
        pieces
            .into_iter()
            .try_for_each(|(phys, range)| mem.write(phys, &buf[range]))
    }

    /// Splits a range of the CPU's view at the borders of runs: physical address, and the part of
    /// the caller's buffer.
    fn pieces(
        &self,
        offset: u64,
        len: usize,
    ) -> Result<Vec<(PhysAddr, std::ops::Range<usize>)>, MemoryError> {
        let mut pieces = Vec::new();
        let (mut skip, mut at) = (offset, 0);
        for run in &self.runs {
            if at == len {
                break;
            }
            let Some(room) = run.bytes.checked_sub(skip).filter(|&room| room > 0) else {
                skip -= run.bytes;
                continue;
            };
            let taken = usize::try_from(room).map_or(len - at, |room| room.min(len - at));
            pieces.push((run.phys.wrapping_add(skip), at..at + taken));
            (skip, at) = (0, at + taken);
        }
        if at == len {
            return Ok(pieces);
        }
        let end = self.runs.last();
        Err(MemoryError {
            addr: end.map_or(PhysAddr::INVALID, |run| run.phys.wrapping_add(run.bytes)),
            bytes: len as u64,
        })
    }
}

impl Dma {
    /// Allocates zeroed coherent memory for a device behind an IOMMU (`iommu_dma_alloc`).
    ///
    /// `pages` is asked for scattered pages if the caller can wait and does not force contiguity,
    /// else for one contiguous block: for a device that does not snoop and a caller that cannot
    /// wait, it is the atomic pool.
    ///
    /// # Errors
    /// If shared memory is asked for, pages or addresses are short, the pages are not memory, or the
    /// device is not behind an IOMMU. Nothing is kept.
    pub fn iommu_alloc<M: PhysMemory + ?Sized, P: PageSource + ?Sized>(
        &mut self,
        mem: &mut M,
        pages: &mut P,
        dev: &Device,
        request: &CoherentRequest,
    ) -> Result<IommuCoherent, IommuError> {
        let Route::Iommu(attachment) = self.coherent_route(dev) else {
            return Err(IommuError::NoIommu);
        };
        let attrs = request.attrs;
        if attrs.intersects(Attrs::CC_SHARED | Attrs::ALLOC_CC_SHARED) {
            return Err(IommuError::SharedMemory);
        }
        if request.bytes == 0 {
            return Err(IommuError::ZeroSize);
        }
        let page = self.swiotlb().platform().page_size.bytes();
        let no_pages = IommuError::NoPages {
            bytes: request.bytes,
        };
        let bytes = request.bytes.checked_next_multiple_of(page);
        let bytes = bytes.ok_or(no_pages)?;
        // The addresses come first: they bound what is asked of the page source.
        let mask = dev.coherent_mask();
        let iova = self.alloc_iova(dev, attachment, bytes, mask, request.cpu)?;
        let is_scattered = request.may_block && !attrs.contains(Attrs::FORCE_CONTIGUOUS);
        let max_order = if attrs.contains(Attrs::ALLOC_SINGLE_PAGES) {
            0
        } else {
            MAX_ORDER
        };
        let runs = if is_scattered {
            scattered(pages, bytes, page, max_order)
        } else {
            contiguous(pages, bytes, page)
        };
        let prot = Prot::new(DataDirection::Bidirectional, attrs);
        let result = match runs {
            Some(runs) => install(mem, attachment, iova, &runs, prot)
                .map_err(|cause| (cause, runs.clone()))
                .map(|()| runs),
            None => Err((no_pages, Vec::new())),
        };
        match result {
            Ok(runs) => Ok(IommuCoherent {
                dma_addr: iova,
                bytes,
                runs,
            }),
            Err((cause, runs)) => {
                attachment.domain().unmap(iova, bytes);
                attachment.domain().free_iova(iova)?;
                give_back(pages, &runs);
                Err(cause)
            }
        }
    }

    /// Frees what [`Dma::iommu_alloc`] gave (`iommu_dma_free`).
    ///
    /// # Errors
    /// In strict mode, if the device's domain does not hold the range; the pages are not given back
    /// then, because a device may still reach them.
    #[expect(clippy::needless_pass_by_value, reason = "the memory ends here")]
    pub fn iommu_free<P: PageSource + ?Sized>(
        &mut self,
        pages: &mut P,
        dev: &Device,
        memory: IommuCoherent,
    ) -> Result<(), UnmapError> {
        let Route::Iommu(attachment) = self.coherent_route(dev) else {
            return Err(IommuError::NoIommu.into());
        };
        self.free_mapping(dev, attachment, memory.dma_addr, memory.bytes)?;
        give_back(pages, &memory.runs);
        Ok(())
    }
}

/// Takes pages in blocks as large as can be had.
fn scattered<P: PageSource + ?Sized>(
    pages: &mut P,
    bytes: u64,
    page: u64,
    max_order: u32,
) -> Option<Vec<PhysRun>> {
    let mut runs = Vec::new();
    let (mut left, mut order) = (bytes, max_order);
    while left > 0 {
        order = order.min((left / page).ilog2());
        let block = page << order;
        match pages.alloc(&page_request(block, block)) {
            Some(phys) => {
                runs.push(PhysRun { phys, bytes: block });
                left -= block;
            }
            None if order > 0 => order -= 1,
            None => {
                give_back(pages, &runs);
                return None;
            }
        }
    }
    Some(runs)
}

fn contiguous<P: PageSource + ?Sized>(
    pages: &mut P,
    bytes: u64,
    page: u64,
) -> Option<Vec<PhysRun>> {
    let align = (bytes / page)
        .checked_next_power_of_two()?
        .checked_mul(page)?;
    let phys = pages.alloc(&page_request(bytes, align))?;
    Some(vec![PhysRun { phys, bytes }])
}

const fn page_request(bytes: u64, align: u64) -> PageRequest {
    PageRequest {
        origin: PageOrigin::Pages,
        bytes,
        align,
        zone: Zone::Normal,
        limit: PhysAddr::new(u64::MAX),
    }
}

/// Zeroes the pages and maps them one after the other.
fn install<M: PhysMemory + ?Sized>(
    mem: &mut M,
    attachment: &Attachment,
    iova: DmaAddr,
    runs: &[PhysRun],
    prot: Prot,
) -> Result<(), IommuError> {
    let mut at = iova;
    for run in runs {
        let zeroed = mem.zero(run.phys, run.bytes);
        zeroed.map_err(|_| IommuError::NoPages { bytes: run.bytes })?;
        attachment.domain().map(at, run.phys, run.bytes, prot)?;
        at = at.wrapping_add(run.bytes);
    }
    Ok(())
}

fn give_back<P: PageSource + ?Sized>(pages: &mut P, runs: &[PhysRun]) {
    for run in runs {
        pages.free(run.phys, run.bytes);
    }
}
