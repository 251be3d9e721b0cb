//! The allocator of I/O virtual addresses (`struct iova_domain`), counted in pages.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::area::CpuId;
use crate::iommu::iova_cache::IovaCaches;

/// Sizes below are rounded up to a power of two, so that they can be cached.
const ROUNDED_BELOW: u64 = 32;

/// A range that was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Pages asked for.
    pub(crate) asked: u64,
    /// Pages taken, rounded.
    pub(crate) taken: u64,
    /// CPU that asked; the range goes back to its cache.
    pub(crate) cpu: CpuId,
}

/// Free, cached and granted ranges. Each page of the aperture is in one of the three, or reserved.
#[derive(Debug, Clone)]
pub(crate) struct IovaSpace {
    /// First page to last page.
    free: BTreeMap<u64, u64>,
    grants: BTreeMap<u64, Grant>,
    caches: IovaCaches,
}

impl IovaSpace {
    /// Makes a space of the pages of `aperture` without page 0, which means failure.
    pub(crate) fn new(aperture: &RangeInclusive<u64>) -> Self {
        let (first, last) = ((*aperture.start()).max(1), *aperture.end());
        let free = (first <= last).then_some((first, last));
        Self {
            free: free.into_iter().collect(),
            grants: BTreeMap::new(),
            caches: IovaCaches::default(),
        }
    }

    /// Returns whether no page is free.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.free.is_empty()
    }

    /// Takes pages out for good.
    pub(crate) fn reserve(&mut self, pages: &RangeInclusive<u64>) {
        let (start, end) = (*pages.start(), *pages.end());
        let touched: Vec<(u64, u64)> = self
            .free
            .range(..=end)
            .map(|(&first, &last)| (first, last))
            .filter(|&(_, last)| last >= start)
            .collect();
        for (first, last) in touched {
            self.free.remove(&first);
            if first < start {
                self.free.insert(first, start - 1);
            }
            if last > end {
                self.free.insert(end + 1, last);
            }
        }
    }

    /// Gives out `asked` pages, none above `last`: what the CPU freed last if it fits, else the
    /// highest place. `may_reclaim` empties all caches before giving up.
    pub(crate) fn alloc(
        &mut self,
        asked: u64,
        last: u64,
        cpu: CpuId,
        may_reclaim: bool,
    ) -> Option<u64> {
        let align = asked.checked_next_power_of_two()?;
        let taken = if asked < ROUNDED_BELOW { align } else { asked };
        if asked == 0 {
            return None;
        }
        let mut found = self.caches.pop(cpu, taken, last);
        found = found.or_else(|| self.take_highest(taken, align, last));
        if found.is_none() && may_reclaim && self.caches.len() > 0 {
            self.reclaim();
            found = self.take_highest(taken, align, last);
        }
        let grant = Grant { asked, taken, cpu };
        found.inspect(|&page| {
            self.grants.insert(page, grant);
        })
    }

    /// Top-down first fit.
    fn take_highest(&mut self, size: u64, align: u64, limit: u64) -> Option<u64> {
        let highest = |first: u64, last: u64| -> Option<u64> {
            let end = last.min(limit).checked_add(1)?;
            let page = end.checked_sub(size)? & !(align - 1);
            (page >= first).then_some(page)
        };
        let (first, last, page) = self
            .free
            .range(..=limit)
            .rev()
            .find_map(|(&first, &last)| Some((first, last, highest(first, last)?)))?;
        self.free.remove(&first);
        if first < page {
            self.free.insert(first, page - 1);
        }
        let end = page + size;
        if end <= last {
            self.free.insert(end, last);
        }
        Some(page)
    }

    /// Returns the range that begins at `page`.
    pub(crate) fn grant(&self, page: u64) -> Option<Grant> {
        self.grants.get(&page).copied()
    }

    /// Ends a grant; its pages stay taken until [`IovaSpace::release`].
    pub(crate) fn revoke(&mut self, page: u64) -> Option<Grant> {
        self.grants.remove(&page)
    }

    /// Takes back the pages of a grant that ended.
    pub(crate) fn release(&mut self, page: u64, grant: Grant) {
        if !self.caches.push(grant.cpu, page, grant.taken) {
            self.join(page, grant.taken);
        }
    }

    fn reclaim(&mut self) {
        for (page, size) in self.caches.drain() {
            self.join(page, size);
        }
    }

    /// Adds a range to the free ones, joined with its neighbours.
    fn join(&mut self, page: u64, size: u64) {
        let (mut first, mut last) = (page, page + (size - 1));
        if let Some((&below, &end)) = self.free.range(..page).next_back()
            && end + 1 == page
        {
            first = below;
        }
        if let Some(end) = self.free.remove(&(last + 1)) {
            last = end;
        }
        self.free.insert(first, last);
    }

    /// Returns the ranges given out: first page and grant.
    pub(crate) fn grants(&self) -> impl Iterator<Item = (u64, Grant)> {
        self.grants.iter().map(|(&page, &grant)| (page, grant))
    }

    /// Returns the number of ranges in caches.
    pub(crate) fn cached(&self) -> usize {
        self.caches.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: CpuId = CpuId(0);

    fn alloc(space: &mut IovaSpace, asked: u64, last: u64) -> Option<u64> {
        space.alloc(asked, last, CPU, true)
    }

    fn free(space: &mut IovaSpace, page: u64) {
        let grant = space.revoke(page).unwrap();
        space.release(page, grant);
    }

    #[test]
    fn places_are_taken_from_the_top_and_aligned_to_their_size() {
        let mut space = IovaSpace::new(&(0..=1023));
        assert_eq!(alloc(&mut space, 1, 1023), Some(1023));
        // 3 pages are rounded to 4.
        assert_eq!(alloc(&mut space, 3, 1023), Some(1016));
        assert_eq!(alloc(&mut space, 1, 1023), Some(1022));
        // 33 pages are not rounded, but aligned to 64.
        assert_eq!(alloc(&mut space, 33, 1023), Some(960));
        assert_eq!(space.grant(960).unwrap().taken, 33);
        assert_eq!(space.grant(1016).unwrap().taken, 4);
        assert_eq!(alloc(&mut space, 16, 1023), Some(944));
        assert_eq!(alloc(&mut space, 1, 500), Some(500));
    }

    #[test]
    fn page_zero_is_never_given_out() {
        let mut space = IovaSpace::new(&(0..=1));
        assert_eq!(alloc(&mut space, 1, 1), Some(1));
        assert_eq!(alloc(&mut space, 1, 1), None);
        assert!(IovaSpace::new(&(0..=0)).is_exhausted());
    }

    #[test]
    fn reserved_pages_are_left_out() {
        let mut space = IovaSpace::new(&(1..=100));
        space.reserve(&(90..=98));
        space.reserve(&(95..=200));
        assert_eq!(alloc(&mut space, 1, 1023), Some(89));
        space.reserve(&(0..=200));
        assert!(space.is_exhausted());
    }

    #[test]
    fn a_freed_range_is_reused_first_if_it_lies_below_the_limit() {
        let mut space = IovaSpace::new(&(1..=1023));
        let pages: Vec<u64> = (0..4)
            .map(|_| alloc(&mut space, 2, 1023).unwrap())
            .collect();
        free(&mut space, pages[1]);
        free(&mut space, pages[3]);
        assert_eq!(alloc(&mut space, 2, 1023), Some(pages[3]));
        assert_eq!(alloc(&mut space, 2, 1000), Some(998));
        assert_eq!(space.cached(), 1);
    }

    #[test]
    fn caches_are_emptied_before_an_allocation_fails() {
        let mut space = IovaSpace::new(&(64..=127));
        let pages: Vec<u64> = (0..2)
            .map(|_| space.alloc(32, 127, CpuId(1), false).unwrap())
            .collect();
        for page in pages {
            free(&mut space, page);
        }
        assert_eq!(space.cached(), 2);
        assert_eq!(space.alloc(64, 127, CPU, false), None);
        assert_eq!(space.alloc(64, 127, CPU, true), Some(64));
        assert_eq!(space.cached(), 0);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let mut space = IovaSpace::new(&(1..=1023));
        assert_eq!(alloc(&mut space, 0, 1023), None);
        assert_eq!(alloc(&mut space, u64::MAX, 1023), None);
        assert_eq!(alloc(&mut space, 1 << 63, u64::MAX), None);
    }
}
