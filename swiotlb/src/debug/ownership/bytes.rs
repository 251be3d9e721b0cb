//! A set of byte positions in a mapping.

use bitvec::vec::BitVec;

/// A fixed number of positions, none of them in the set at first.
#[derive(Debug)]
pub(super) struct ByteSet {
    bits: BitVec<u64>,
}

impl ByteSet {
    pub(super) fn new(bytes: u64) -> Self {
        let len = usize::try_from(bytes).expect("a mapping fits into memory");
        Self {
            bits: BitVec::repeat(false, len),
        }
    }

    /// Cuts a range to the positions that there are.
    fn range(&self, offset: u64, bytes: u64) -> std::ops::Range<usize> {
        let cut =
            |end: u64| usize::try_from(end).map_or(self.bits.len(), |end| end.min(self.bits.len()));
        cut(offset)..cut(offset.saturating_add(bytes))
    }

    pub(super) fn set(&mut self, offset: u64, bytes: u64) {
        let range = self.range(offset, bytes);
        self.bits[range].fill(true);
    }

    pub(super) fn clear(&mut self, offset: u64, bytes: u64) {
        let range = self.range(offset, bytes);
        self.bits[range].fill(false);
    }

    pub(super) fn count(&self) -> u64 {
        self.bits.count_ones() as u64
    }

    /// Returns the first position of a range that is in the set.
    pub(super) fn first_set(&self, offset: u64, bytes: u64) -> Option<u64> {
        let range = self.range(offset, bytes);
        let start = range.start;
        self.bits[range].first_one().map(|at| (start + at) as u64)
    }

    /// Returns the first position of a range that is not in the set.
    pub(super) fn first_clear(&self, offset: u64, bytes: u64) -> Option<u64> {
        let range = self.range(offset, bytes);
        let start = range.start;
        self.bits[range].first_zero().map(|at| (start + at) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_mapping() {
        let mut set = ByteSet::new(10);
        set.set(8, 100);
        assert_eq!(set.count(), 2);
        assert_eq!(set.first_set(0, u64::MAX), Some(8));
        assert_eq!(set.first_clear(8, 2), None);
        set.clear(8, 1);
        assert_eq!(set.first_set(0, 10), Some(9));
        assert_eq!(set.first_clear(20, 5), None);
    }
}
