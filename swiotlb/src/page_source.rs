//! Where the memory of pools comes from.

use crate::addr::PhysAddr;

/// Who is asked for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageOrigin {
    /// The boot allocator.
    Boot,
    /// The page allocator: a power of two of pages.
    Pages,
    /// The pool of pages that are shared (decrypted) already and can be had without sleeping
    /// (`DMA_COHERENT_POOL`).
    Atomic,
}

/// Zone of the page allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Zone {
    /// No zone wish.
    #[default]
    Normal,
    /// Below 4 GiB.
    Dma32,
    /// Below the limit of the DMA zone.
    Dma,
}

/// A request for contiguous memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// Who is asked.
    pub origin: PageOrigin,
    /// Length in bytes.
    pub bytes: u64,
    /// Alignment of the first byte in bytes, a power of two.
    pub align: u64,
    /// Zone wanted.
    pub zone: Zone,
    /// Highest address allowed for the last byte.
    pub limit: PhysAddr,
    /// Whether the source may take its time, as a kernel that may sleep.
    pub is_blocking: bool,
}

/// Memory for pools, implemented by whoever owns physical memory.
#[doc(alias("set_memory_decrypted", "set_memory_encrypted"))]
pub trait PageSource {
    /// Gives contiguous memory for `request`, or `None`.
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr>;

    /// Takes back what [`PageSource::alloc`] gave.
    fn free(&mut self, base: PhysAddr, bytes: u64);

    /// Takes back what was asked of [`PageOrigin::Atomic`]; the pages stay shared. A source that has
    /// such pages must keep them apart from the others, which [`PageSource::free`] takes back.
    fn free_atomic(&mut self, base: PhysAddr, bytes: u64) {
        self.free(base, bytes);
    }

    /// Converts pages to shared (decrypted) memory.
    ///
    /// # Errors
    /// The platform's negative code. The state of the pages is then unknown.
    fn make_shared(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        let _ = (base, bytes);
        Ok(())
    }

    /// Converts pages back to private (encrypted) memory.
    ///
    /// # Errors
    /// The platform's negative code. The state of the pages is then unknown.
    fn make_private(&mut self, base: PhysAddr, bytes: u64) -> Result<(), i32> {
        let _ = (base, bytes);
        Ok(())
    }
}

/// A page source over one region of memory: first fit, free neighbours join. A second region may
/// hold the pages that are shared already; without one, [`PageOrigin::Atomic`] gets none.
#[derive(Debug, Clone)]
pub struct RegionSource {
    pages: FreeRanges,
    shared: FreeRanges,
}

impl RegionSource {
    /// Gives out the `bytes` bytes from `base` on.
    #[must_use]
    pub fn new(base: PhysAddr, bytes: u64) -> Self {
        Self {
            pages: FreeRanges::new(base, bytes),
            shared: FreeRanges::default(),
        }
    }

    /// Gives out the `bytes` bytes from `base` on to those who ask for pages that are shared already.
    /// The caller has shared them.
    #[must_use]
    pub fn with_shared(mut self, base: PhysAddr, bytes: u64) -> Self {
        self.shared = FreeRanges::new(base, bytes);
        self
    }
}

impl PageSource for RegionSource {
    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        match request.origin {
            PageOrigin::Atomic => self.shared.alloc(request),
            PageOrigin::Boot | PageOrigin::Pages => self.pages.alloc(request),
        }
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        self.pages.free(base, bytes);
    }

    fn free_atomic(&mut self, base: PhysAddr, bytes: u64) {
        self.shared.free(base, bytes);
    }
}

/// What is free of a region, as (first byte, one past the last byte), ascending.
#[derive(Debug, Clone, Default)]
struct FreeRanges {
    free: Vec<(u64, u64)>,
}

impl FreeRanges {
    fn new(base: PhysAddr, bytes: u64) -> Self {
        Self {
            free: vec![(base.raw(), base.raw().saturating_add(bytes))],
        }
    }

    fn alloc(&mut self, request: &PageRequest) -> Option<PhysAddr> {
        let fits = |&(start, end): &(u64, u64)| {
            let first = start.checked_next_multiple_of(request.align.max(1))?;
            let behind = first.checked_add(request.bytes)?;
            let is_inside = behind <= end && behind.wrapping_sub(1) <= request.limit.raw();
            is_inside.then_some((first, behind))
        };
        let (index, (first, behind)) = self
            .free
            .iter()
            .enumerate()
            .find_map(|(index, range)| Some((index, fits(range)?)))?;
        let (start, end) = self.free.remove(index);
        let rest = [(start, first), (behind, end)];
        let rest = rest.into_iter().filter(|(start, end)| start < end);
        self.free.splice(index..index, rest);
        Some(PhysAddr::new(first))
    }

    fn free(&mut self, base: PhysAddr, bytes: u64) {
        let range = (base.raw(), base.raw().saturating_add(bytes));
        let index = self.free.partition_point(|&(start, _)| start < range.0);
        self.free.insert(index, range);
        self.free.dedup_by(|next, kept| {
            let joins = kept.1 >= next.0;
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: u64, align: u64, limit: u64) -> PageRequest {
        PageRequest {
            origin: PageOrigin::Pages,
            bytes,
            align,
            zone: Zone::Normal,
            limit: PhysAddr::new(limit),
            is_blocking: true,
        }
    }

    #[test]
    fn memory_is_aligned_below_the_limit_and_reusable() {
        let mut source = RegionSource::new(PhysAddr::new(0x1000), 0x10_0000);
        let first = source.alloc(&request(0x4000, 0x4000, u64::MAX));
        assert_eq!(first, Some(PhysAddr::new(0x4000)));
        assert_eq!(source.alloc(&request(0x1000, 0x1000, 0xfff)), None);
        let low = source.alloc(&request(0x3000, 0x1000, 0x3fff));
        assert_eq!(low, Some(PhysAddr::new(0x1000)));
        source.free(PhysAddr::new(0x4000), 0x4000);
        source.free(PhysAddr::new(0x1000), 0x3000);
        let all = source.alloc(&request(0x10_0000, 0x1000, u64::MAX));
        assert_eq!(all, Some(PhysAddr::new(0x1000)));
        assert_eq!(source.alloc(&request(1, 1, u64::MAX)), None);
    }

    #[test]
    fn private_pages_are_never_given_as_shared_ones() {
        let atomic = PageRequest {
            origin: PageOrigin::Atomic,
            ..request(0x1000, 0x1000, u64::MAX)
        };
        let mut source = RegionSource::new(PhysAddr::new(0), 0x10_0000);
        assert_eq!(source.alloc(&atomic), None);
        let shared = PhysAddr::new(0x20_0000);
        let mut source = source.with_shared(shared, 0x1000);
        assert_eq!(source.alloc(&atomic), Some(shared));
        assert_eq!(source.alloc(&atomic), None);
        source.free_atomic(shared, 0x1000);
        assert_eq!(source.alloc(&atomic), Some(shared));
        let pages = source.alloc(&request(0x10_0000, 0x1000, u64::MAX));
        assert_eq!(pages, Some(PhysAddr::new(0)));
    }
}
