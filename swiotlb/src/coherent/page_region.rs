//! A contiguous region of memory given out in whole pages, first fit.

use crate::addr::PhysAddr;

/// Whole pages of a region, with the free ones as ranges: a region may be of any size.
#[derive(Debug, Clone)]
pub(crate) struct PageRegion {
    base: u64,
    page_bytes: u64,
    pages: u64,
    /// Address from which alignment counts.
    align_from: u64,
    /// Free ranges of pages, ascending, never adjacent: first, one past the last.
    free: Vec<(u64, u64)>,
}

impl PageRegion {
    /// Makes a region of the whole pages in `bytes` bytes; alignment counts from its base. `None` if
    /// it ends above the 64-bit address space.
    pub(crate) fn new(base: PhysAddr, bytes: u64, page_bytes: u64) -> Option<Self> {
        base.checked_add(bytes)?;
        let pages = bytes / page_bytes;
        let free = if pages == 0 {
            Vec::new()
        } else {
            vec![(0, pages)]
        };
        Some(Self {
            base: base.raw(),
            page_bytes,
            pages,
            align_from: base.raw(),
            free,
        })
    }

    /// Lets alignment count from address 0.
    pub(crate) const fn aligned_absolutely(mut self) -> Self {
        self.align_from = 0;
        self
    }

    pub(crate) fn contains(&self, addr: PhysAddr) -> bool {
        addr.raw().wrapping_sub(self.base) < self.bytes()
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.pages * self.page_bytes
    }

    pub(crate) const fn base(&self) -> PhysAddr {
        PhysAddr::new(self.base)
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        let pages: u64 = self.free.iter().map(|(first, behind)| behind - first).sum();
        pages * self.page_bytes
    }

    /// Returns the first page at or behind `page` whose address is aligned.
    fn aligned(&self, page: u64, align_pages: u64) -> Option<u64> {
        let skew = self.base.wrapping_sub(self.align_from) / self.page_bytes % align_pages;
        let place = page.checked_add(skew)?;
        Some(place.checked_next_multiple_of(align_pages)? - skew)
    }

    /// Takes the first `pages` free pages whose address is a multiple of `align_pages` pages.
    pub(crate) fn alloc(&mut self, pages: u64, align_pages: u64) -> Option<PhysAddr> {
        if pages == 0 || align_pages == 0 {
            return None;
        }
        let (index, first) = self.free.iter().enumerate().find_map(|(index, range)| {
            let first = self.aligned(range.0, align_pages)?;
            let fits = first < range.1 && pages <= range.1 - first;
            fits.then_some((index, first))
        })?;
        let (start, end) = self.free[index];
        let rest = [(start, first), (first + pages, end)];
        let rest = rest.into_iter().filter(|(start, end)| start < end);
        self.free.splice(index..=index, rest);
        Some(PhysAddr::new(self.base + first * self.page_bytes))
    }

    /// Gives pages back. False, and nothing has changed, if they are not all taken pages of the
    /// region.
    pub(crate) fn free(&mut self, addr: PhysAddr, pages: u64) -> bool {
        let offset = addr.raw().wrapping_sub(self.base);
        let first = offset / self.page_bytes;
        let is_inside = offset.is_multiple_of(self.page_bytes)
            && pages > 0
            && first < self.pages
            && pages <= self.pages - first;
        if !is_inside {
            return false;
        }
        let behind = first + pages;
        let index = self.free.partition_point(|range| range.1 <= first);
        if self.free.get(index).is_some_and(|range| range.0 < behind) {
            return false;
        }
        self.free.insert(index, (first, behind));
        self.free.dedup_by(|next, kept| {
            let joins = kept.1 == next.0;
            if joins {
                kept.1 = next.1;
            }
            joins
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(base: u64, pages: u64) -> PageRegion {
        PageRegion::new(PhysAddr::new(base), pages * 4096, 4096).unwrap()
    }

    #[test]
    fn alignment_counts_from_the_base_or_from_zero() {
        let mut relative = region(0x3000, 8);
        assert_eq!(relative.alloc(2, 4), Some(PhysAddr::new(0x3000)));
        assert_eq!(relative.alloc(1, 4), Some(PhysAddr::new(0x7000)));
        let mut absolute = region(0x3000, 8).aligned_absolutely();
        assert_eq!(absolute.alloc(2, 4), Some(PhysAddr::new(0x4000)));
        assert_eq!(absolute.alloc(1, 1), Some(PhysAddr::new(0x3000)));
        assert_eq!(absolute.alloc(8, 1), None);
        assert_eq!(absolute.free_bytes(), 5 * 4096);
    }

    #[test]
    fn only_taken_pages_can_be_freed_and_neighbours_join() {
        let mut region = region(0x1000, 4);
        let all = region.alloc(4, 1).unwrap();
        assert!(!region.free(all, 5));
        assert!(!region.free(PhysAddr::new(0x1800), 1));
        assert!(!region.free(PhysAddr::new(0), 1));
        assert!(region.free(PhysAddr::new(0x2000), 1));
        assert!(!region.free(PhysAddr::new(0x1000), 2));
        assert!(region.free(PhysAddr::new(0x1000), 1));
        assert!(region.free(PhysAddr::new(0x3000), 2));
        assert_eq!(region.alloc(4, 4), Some(all));
    }

    #[test]
    fn a_region_of_any_size_is_no_burden() {
        let top = PageRegion::new(PhysAddr::new(4096), u64::MAX - 4096, 4096);
        let mut top = top.unwrap();
        assert!(top.alloc(1 << 40, 1 << 40).is_some());
        assert!(PageRegion::new(PhysAddr::new(4096), u64::MAX, 4096).is_none());
        assert_eq!(region(0, 0).alloc(1, 1), None);
    }
}
