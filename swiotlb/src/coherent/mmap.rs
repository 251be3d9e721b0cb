//! User space's view of memory that a device reaches.

use crate::addr::PhysAddr;
use crate::attrs::Attrs;
use crate::coherent::handle::{Coherent, CpuAddr};
use crate::coherent::noncoherent::DmaPages;
use crate::coherent::view::phys_at;
use crate::device::Device;
use crate::dma::{Dma, DmaError, Sg, SgTable};
use crate::iommu::Route;

/// Pages as user space sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    pages: Vec<CpuAddr>,
    page_bytes: u64,
    is_write_combined: bool,
}

impl UserView {
    pub(crate) const fn new(pages: Vec<CpuAddr>, page_bytes: u64, is_write_combined: bool) -> Self {
        Self {
            pages,
            page_bytes,
            is_write_combined,
        }
    }

    /// Returns the length in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.pages.len() as u64 * self.page_bytes
    }

    /// Returns the pages in order.
    #[must_use]
    pub fn pages(&self) -> &[CpuAddr] {
        &self.pages
    }

    /// Returns whether writes may be buffered (`WRITE_COMBINE`).
    #[must_use]
    pub const fn is_write_combined(&self) -> bool {
        self.is_write_combined
    }

    /// Returns the physical address of the byte at `offset`, or `None` behind the end.
    #[must_use]
    pub fn phys_at(&self, offset: u64) -> Option<PhysAddr> {
        let page = usize::try_from(offset / self.page_bytes).ok()?;
        let page = self.pages.get(page)?;
        Some(page.phys().wrapping_add(offset % self.page_bytes))
    }
}

/// Returns offset and length in bytes of a range of pages, if it lies within the memory.
pub(crate) fn page_range(
    page_bytes: u64,
    allocated_bytes: u64,
    first_page: u64,
    page_count: u64,
) -> Result<(u64, u64), DmaError> {
    if page_count == 0 {
        let what = "a view has at least one page";
        return Err(DmaError::Invalid { what });
    }
    let allocated_pages = allocated_bytes / page_bytes;
    if first_page >= allocated_pages || page_count > allocated_pages - first_page {
        return Err(DmaError::OutOfRange {
            offset: first_page.saturating_mul(page_bytes),
            bytes: page_count.saturating_mul(page_bytes),
            allocated_bytes,
        });
    }
    Ok((first_page * page_bytes, page_count * page_bytes))
}

impl Dma {
    /// Returns whether user space may map the device's coherent memory (`dma_can_mmap`).
    #[must_use]
    pub fn can_mmap(&self, dev: &Device) -> bool {
        let is_direct = matches!(self.coherent_route(dev), Route::Direct);
        !is_direct || dev.is_coherent() || self.config().can_mmap_non_coherent
    }

    /// Lets user space see `page_count` pages of coherent memory from page `first_page` on
    /// (`dma_mmap_attrs`).
    ///
    /// # Errors
    /// If the range leaves the memory ([`DmaError::OutOfRange`], `-ENXIO`) or is empty.
    pub fn mmap_attrs(
        &self,
        memory: &Coherent,
        first_page: u64,
        page_count: u64,
    ) -> Result<UserView, DmaError> {
        let is_write_combined = memory.attrs().contains(Attrs::WRITE_COMBINE);
        let base = memory.cpu();
        let view = |phys| match base {
            CpuAddr::Linear(_) => CpuAddr::Linear(phys),
            _ => CpuAddr::Uncached(phys),
        };
        let (pages, page_bytes) = self.view_pages(base, memory.bytes(), first_page, page_count)?;
        let pages = pages.into_iter().map(view).collect();
        Ok(UserView::new(pages, page_bytes, is_write_combined))
    }

    /// Lets user space see pages of [`Dma::alloc_pages`] (`dma_mmap_pages`).
    ///
    /// # Errors
    /// As [`Dma::mmap_attrs`].
    pub fn mmap_pages(
        &self,
        memory: &DmaPages,
        first_page: u64,
        page_count: u64,
    ) -> Result<UserView, DmaError> {
        let (pages, page_bytes) =
            self.view_pages(memory.cpu(), memory.bytes(), first_page, page_count)?;
        let pages = pages.into_iter().map(CpuAddr::Linear).collect();
        Ok(UserView::new(pages, page_bytes, false))
    }

    fn view_pages(
        &self,
        base: CpuAddr,
        asked_bytes: u64,
        first_page: u64,
        page_count: u64,
    ) -> Result<(Vec<PhysAddr>, u64), DmaError> {
        let allocated = self.whole_pages(asked_bytes)?;
        let page_bytes = self.swiotlb().platform().page_size.bytes();
        let (offset, bytes) = page_range(page_bytes, allocated, first_page, page_count)?;
        let runs = self.runs_of(base, asked_bytes)?;
        let page_at = |page| phys_at(&runs, offset + page * page_bytes);
        let pages = (0..bytes / page_bytes).filter_map(page_at);
        Ok((pages.collect(), page_bytes))
    }

    /// Describes the first `bytes` bytes of coherent memory as a list, for another device to map
    /// (`dma_get_sgtable`).
    ///
    /// # Errors
    /// If the memory is shorter ([`DmaError::OutOfRange`], `-ENXIO`), or the list would have an entry
    /// of 4 GiB or more.
    pub fn get_sgtable(&self, memory: &Coherent, bytes: u64) -> Result<SgTable, DmaError> {
        let allocated_bytes = self.whole_pages(memory.bytes())?;
        let rounded = self.whole_pages(bytes)?;
        if rounded > allocated_bytes {
            return Err(DmaError::OutOfRange {
                offset: 0,
                bytes,
                allocated_bytes,
            });
        }
        let mut entries = Vec::new();
        let mut left = rounded;
        for run in self.runs_of(memory.cpu(), memory.bytes())? {
            let Ok(length) = u32::try_from(run.bytes.min(left)) else {
                let what = "an entry of a list has less than 4 GiB";
                return Err(DmaError::Invalid { what });
            };
            if length > 0 {
                entries.push(Sg::new(run.phys, length));
            }
            left -= u64::from(length);
        }
        Ok(SgTable::new(entries))
    }
}
