//! The smallest page of an IOMMU, which all its addresses and sizes are counted in.

/// Size of the smallest page of a domain, a power of two above 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Granule {
    shift: u32,
}

impl Granule {
    /// Makes the granule of `2^shift` bytes.
    pub(crate) const fn from_shift(shift: u32) -> Self {
        Self { shift }
    }

    /// Returns the size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.shift
    }

    /// Returns the size less one, the mask of an address's offset (`iova_mask`).
    #[must_use]
    pub const fn mask(self) -> u64 {
        self.bytes() - 1
    }

    /// Returns the offset of an address in its granule (`iova_offset`).
    #[must_use]
    pub const fn offset(self, addr: u64) -> u64 {
        addr & self.mask()
    }

    /// Rounds down to a multiple.
    #[must_use]
    pub const fn align_down(self, addr: u64) -> u64 {
        addr & !self.mask()
    }

    /// Rounds up to a multiple (`iova_align`), or returns `None` past 64 bits.
    #[must_use]
    pub const fn align_up(self, addr: u64) -> Option<u64> {
        addr.checked_next_multiple_of(self.bytes())
    }

    /// Returns the whole granules that `bytes` bytes need when they begin at `offset` of the first,
    /// in bytes; `None` past 64 bits.
    #[must_use]
    pub const fn span(self, offset: u64, bytes: u64) -> Option<u64> {
        match bytes.checked_add(offset) {
            Some(sum) => self.align_up(sum),
            None => None,
        }
    }

    /// Returns the number of the page that holds an address.
    pub(crate) const fn page_of(self, addr: u64) -> u64 {
        addr >> self.shift
    }

    /// Returns the first address of a page.
    pub(crate) const fn addr_of(self, page: u64) -> u64 {
        page << self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_the_offset_and_rounds_up() {
        let granule = Granule::from_shift(12);
        assert_eq!(granule.span(0xc04, 100), Some(4096));
        assert_eq!(granule.span(0xc04, 1020), Some(4096));
        assert_eq!(granule.span(0xc04, 1021), Some(8192));
        assert_eq!(granule.span(0, 0), Some(0));
        assert_eq!(granule.span(1, u64::MAX), None);
        assert_eq!(granule.align_up(u64::MAX), None);
        assert_eq!(granule.offset(0x1c04), 0xc04);
        assert_eq!(granule.align_down(0x1c04), 0x1000);
    }
}
