//! Which slot sets may hold a long enough free run: the search goes from one to the next.
//!
//! Each set has an upper bound of its longest free run, raised at once when slots are freed, lowered
//! when somebody has looked and not found. Over these bounds lies one bitmap for each power of two.

use crate::lines::Lines;
use crate::slot::SLOT_SET_SLOTS;

/// Powers of two that a run can have: 1 to 128.
const CLASSES: usize = SLOT_SET_SLOTS.ilog2() as usize + 1;

/// The bitmaps of 64 sets, in one cache line: bit `s` of word `k` says that the bound of set `s` is
/// at least `2^k`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct ClassWords([u64; CLASSES]);

/// Bounds of the longest free run of each set, and bitmaps over them.
#[derive(Debug, Clone)]
pub(crate) struct RunIndex {
    bounds: Lines<u8, 128>,
    classes: Lines<ClassWords, 2>,
}

/// Returns the bitmap in which to look for runs of `len` slots (1 to 128).
#[inline(always)]
pub(crate) const fn class_of(len: u32) -> usize {
    len.ilog2() as usize
}

impl RunIndex {
    /// Makes an index in which no set has a free slot.
    pub(crate) fn new(sets: usize) -> Self {
        Self {
            bounds: Lines::new(sets),
            classes: Lines::new(sets.div_ceil(64)),
        }
    }

    /// Returns the bound of a set.
    #[inline(always)]
    pub(crate) fn bound(&self, set: usize) -> u8 {
        self.bounds[set]
    }

    /// Raises the bound of a set.
    #[inline(always)]
    pub(crate) fn raise(&mut self, set: usize, run: u8) {
        if run > self.bounds[set] {
            self.set_bound(set, run);
        }
    }

    /// Writes the bound of a set and its bits.
    pub(crate) fn set_bound(&mut self, set: usize, bound: u8) {
        self.bounds[set] = bound;
        let bit = 1 << (set % 64);
        for (class, word) in self.classes[set / 64].0.iter_mut().enumerate() {
            if bound >> class == 0 {
                *word &= !bit;
            } else {
                *word |= bit;
            }
        }
    }

    /// Says that no set has a free slot.
    pub(crate) fn clear(&mut self) {
        self.bounds.fill(0);
        self.classes.fill(ClassWords::default());
    }

    /// Returns the first set from `from` to `last` that may hold a run of the class.
    #[inline]
    pub(crate) fn next_set(&self, class: usize, from: usize, last: usize) -> Option<usize> {
        if from > last {
            return None;
        }
        let class = class % CLASSES;
        let mut word = from / 64;
        let mut bits = self.classes[word].0[class] & u64::MAX << (from % 64);
        while bits == 0 {
            word += 1;
            if word > last / 64 {
                return None;
            }
            bits = self.classes[word].0[class];
        }
        let set = word * 64 + bits.trailing_zeros() as usize;
        (set <= last).then_some(set)
    }

    /// Returns the highest class that any set is in.
    pub(crate) fn highest_class(&self) -> Option<usize> {
        (0..CLASSES)
            .rev()
            .find(|&class| self.classes.iter().any(|words| words.0[class] != 0))
    }

    /// Returns whether the bitmaps contradict the bounds.
    pub(crate) fn is_contradictory(&self) -> bool {
        self.bounds.iter().enumerate().any(|(set, bound)| {
            let words = &self.classes[set / 64].0;
            (0..CLASSES).any(|class| (words[class] >> (set % 64) & 1 == 1) != (bound >> class > 0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_set_is_found_across_words_and_not_behind_the_last() {
        let mut index = RunIndex::new(200);
        assert_eq!(index.next_set(0, 0, 199), None);
        index.set_bound(3, 128);
        index.set_bound(130, 5);
        assert_eq!(index.next_set(7, 0, 199), Some(3));
        assert_eq!(index.next_set(2, 4, 199), Some(130));
        assert_eq!(index.next_set(2, 130, 130), Some(130));
        assert_eq!(index.next_set(2, 4, 129), None);
        assert_eq!(index.next_set(3, 4, 199), None);
        assert_eq!(index.next_set(0, 200, 199), None);
        assert_eq!(index.highest_class(), Some(7));
    }

    #[test]
    fn a_bound_can_be_lowered_and_is_only_raised_by_more() {
        let mut index = RunIndex::new(2);
        index.raise(1, 64);
        index.raise(1, 8);
        assert_eq!(index.bound(1), 64);
        index.set_bound(1, 63);
        assert_eq!(index.next_set(6, 0, 1), None);
        assert_eq!(index.next_set(5, 0, 1), Some(1));
        assert!(!index.is_contradictory());
        index.clear();
        assert_eq!((index.bound(1), index.highest_class()), (0, None));
    }

    #[test]
    fn a_wrong_bit_is_noticed() {
        let mut index = RunIndex::new(2);
        index.set_bound(1, 2);
        index.classes[0].0[3] |= 2;
        assert!(index.is_contradictory());
    }
}
