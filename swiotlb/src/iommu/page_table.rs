//! The page table of a domain: ranges of I/O virtual pages, and where they lead.

use std::ops::Range;

use rangemap::RangeMap;

use crate::attrs::Attrs;
use crate::direction::DataDirection;

/// What a device may do with a mapping (`IOMMU_READ`, `IOMMU_WRITE`, `IOMMU_PRIV`, `IOMMU_MMIO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Prot {
    /// The device may read.
    pub is_readable: bool,
    /// The device may write.
    pub is_writable: bool,
    /// Only privileged accesses are allowed.
    pub is_privileged: bool,
    /// The range is not RAM.
    pub is_mmio: bool,
}

impl Prot {
    /// Returns the rights that follow from a direction and attributes (`dma_info_to_prot`).
    #[must_use]
    pub const fn new(dir: DataDirection, attrs: Attrs) -> Self {
        Self {
            is_readable: dir.reaches_device(),
            is_writable: dir.comes_from_device(),
            is_privileged: attrs.contains(Attrs::PRIVILEGED),
            is_mmio: attrs.contains(Attrs::MMIO),
        }
    }

    /// Returns whether anything is allowed.
    #[must_use]
    pub const fn allows_anything(self) -> bool {
        self.is_readable || self.is_writable
    }
}

/// Entry of a range of pages. Equal for neighbours that lie side by side in physical memory too, so
/// that they join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Physical page less virtual page, modulo 2^64.
    distance: u64,
    pub(crate) prot: Prot,
    /// Whether the pages are a bounce buffer of the IOVA-based API.
    pub(crate) is_bounce: bool,
}

impl Entry {
    pub(crate) const fn new(page: u64, phys_page: u64, prot: Prot, is_bounce: bool) -> Self {
        Self {
            distance: phys_page.wrapping_sub(page),
            prot,
            is_bounce,
        }
    }

    /// Returns the physical page behind a page.
    pub(crate) const fn phys_page(self, page: u64) -> u64 {
        page.wrapping_add(self.distance)
    }
}

/// Ranges of pages with their entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageTable {
    ranges: RangeMap<u64, Entry>,
}

impl PageTable {
    /// Returns the range that holds a page, and its entry.
    pub(crate) fn get(&self, page: u64) -> Option<(&Range<u64>, Entry)> {
        let (range, entry) = self.ranges.get_key_value(&page)?;
        Some((range, *entry))
    }

    /// Returns the first page of a range that is mapped.
    pub(crate) fn first_mapped(&self, pages: &Range<u64>) -> Option<u64> {
        self.overlapping(pages).next().map(|(range, _)| range.start)
    }

    /// Maps a range that is not empty, over what was there.
    pub(crate) fn insert(&mut self, pages: Range<u64>, entry: Entry) {
        if !pages.is_empty() {
            self.ranges.insert(pages, entry);
        }
    }

    /// Unmaps a range.
    pub(crate) fn remove(&mut self, pages: &Range<u64>) {
        if !pages.is_empty() {
            self.ranges.remove(pages.clone());
        }
    }

    /// Returns what is mapped in a range, ascending, cut to the range.
    pub(crate) fn overlapping(
        &self,
        pages: &Range<u64>,
    ) -> impl Iterator<Item = (Range<u64>, Entry)> {
        let (start, end) = (pages.start, pages.end);
        // An empty range overlaps nothing; the map would panic.
        let query = if start < end { start..end } else { 0..1 };
        self.ranges
            .overlapping(query)
            .map(move |(range, entry)| (range.start.max(start)..range.end.min(end), *entry))
            .filter(|(range, _)| range.start < range.end)
    }

    /// Returns the number of pages that are mapped.
    pub(crate) fn pages(&self) -> u64 {
        let lengths = self.ranges.iter().map(|(range, _)| range.end - range.start);
        lengths.fold(0, u64::saturating_add)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Prot = Prot {
        is_readable: true,
        is_writable: false,
        is_privileged: false,
        is_mmio: false,
    };

    #[test]
    fn neighbours_in_both_spaces_join_and_a_hole_parts_them() {
        let mut table = PageTable::default();
        table.insert(10..12, Entry::new(10, 100, READ, false));
        table.insert(12..14, Entry::new(12, 102, READ, false));
        table.insert(14..15, Entry::new(14, 7, READ, false));
        let (range, entry) = table.get(13).unwrap();
        assert_eq!((range.clone(), entry.phys_page(13)), (10..14, 103));
        assert_eq!(table.get(14).unwrap().1.phys_page(14), 7);

        table.remove(&(11..12));
        let left: Vec<_> = table
            .overlapping(&(0..20))
            .map(|(range, _)| range)
            .collect();
        assert_eq!(left, [10..11, 12..14, 14..15]);
        assert_eq!(table.pages(), 4);
        assert_eq!(table.first_mapped(&(11..20)), Some(12));
        assert_eq!(table.overlapping(&(5..5)).count(), 0);
    }

    #[test]
    fn rights_follow_from_direction_and_attributes() {
        let prot = Prot::new(DataDirection::ToDevice, Attrs::PRIVILEGED | Attrs::MMIO);
        assert!(prot.is_readable && !prot.is_writable && prot.is_privileged && prot.is_mmio);
        assert!(Prot::new(DataDirection::FromDevice, Attrs::NONE).is_writable);
        assert!(!Prot::new(DataDirection::None, Attrs::NONE).allows_anything());
    }
}
