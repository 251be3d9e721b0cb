//! Which halves of slot sets may begin a long enough free run: the search goes from one to the next.
//!
//! One bitmap over the halves for each power of two. Its bits are set at once when slots are freed,
//! and cleared when somebody has looked and not found.

use crate::half::HALF_SLOTS;
use crate::lines::Lines;
use crate::slot::SLOT_SET_SLOTS;

/// Powers of two that a run can have: 1 to 128.
const CLASSES: usize = SLOT_SET_SLOTS.ilog2() as usize + 1;

/// The bitmaps of 64 halves, in one cache line: bit `h` of word `k` says that a run of `2^k` slots
/// may begin in half `h`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct ClassWords([u64; CLASSES]);

/// Bitmaps of the halves in which runs may begin.
#[derive(Debug, Clone)]
pub(crate) struct RunIndex {
    words: Lines<ClassWords, 2>,
}

/// Returns the bitmap in which to look for runs of `len` slots (1 to 128).
#[inline(always)]
const fn class_of(len: u32) -> usize {
    len.ilog2() as usize % CLASSES
}

/// Returns the longest run that can begin in a half: only one in the lower half of a set can be
/// longer than that.
pub(crate) const fn longest_in(half: usize) -> u32 {
    if half.is_multiple_of(2) {
        SLOT_SET_SLOTS
    } else {
        HALF_SLOTS
    }
}

impl RunIndex {
    /// Makes an index in which no half has a free slot.
    pub(crate) fn new(halves: usize) -> Self {
        Self {
            words: Lines::new(halves.div_ceil(64)),
        }
    }

    /// Says that runs of all lengths up to `longest` (0 to 128) may begin in a half, and no longer
    /// ones.
    pub(crate) fn set(&mut self, half: usize, longest: u32) {
        let bit = 1 << (half % 64);
        for (class, word) in self.words[half / 64].0.iter_mut().enumerate() {
            if longest >> class == 0 {
                *word &= !bit;
            } else {
                *word |= bit;
            }
        }
    }

    /// Says that no half has a free slot.
    pub(crate) fn clear(&mut self) {
        self.words.fill(ClassWords::default());
    }

    /// Returns the first half from `from` on in which a run of `len` slots may begin.
    #[inline(always)]
    pub(crate) fn next(&self, len: u32, from: usize) -> Option<usize> {
        let class = class_of(len);
        let mut word = from / 64;
        let mut bits = self.words.get(word)?.0[class] & u64::MAX << (from % 64);
        while bits == 0 {
            word += 1;
            bits = self.words.get(word)?.0[class];
        }
        Some((word * 64) | bits.trailing_zeros() as usize)
    }

    /// Returns the length of the longest runs that may be anywhere, rounded down to a power of two.
    pub(crate) fn longest(&self) -> Option<u32> {
        let any = |class: &usize| self.words.iter().any(|words| words.0[*class] != 0);
        (0..CLASSES).rev().find(any).map(|class| 1 << class)
    }

    /// Returns whether the bits of a half are others than [`RunIndex::set`] would write.
    pub(crate) fn contradicts(&self, half: usize, longest: u32) -> bool {
        let words = &self.words[half / 64].0;
        (0..CLASSES).any(|class| (words[class] >> (half % 64) & 1 == 1) != (longest >> class > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_half_is_found_across_words() {
        let mut index = RunIndex::new(200);
        assert_eq!(index.next(1, 0), None);
        index.set(3, 128);
        index.set(130, 5);
        assert_eq!(index.next(128, 0), Some(3));
        assert_eq!(index.next(4, 4), Some(130));
        assert_eq!(index.next(7, 130), Some(130));
        assert_eq!(index.next(4, 131), None);
        assert_eq!(index.next(8, 4), None);
        assert_eq!(index.next(1, 200), None);
        assert_eq!(index.longest(), Some(128));
    }

    #[test]
    fn what_may_begin_in_a_half_can_be_lowered() {
        let mut index = RunIndex::new(2);
        index.set(1, 64);
        index.set(1, 63);
        assert_eq!(index.next(64, 0), None);
        assert_eq!(index.next(63, 0), Some(1));
        assert_eq!(index.longest(), Some(32));
        index.clear();
        assert_eq!((index.next(1, 0), index.longest()), (None, None));
    }

    #[test]
    fn a_wrong_bit_is_noticed() {
        let mut index = RunIndex::new(2);
        index.set(1, 2);
        assert!(!index.contradicts(1, 3));
        index.words[0].0[3] |= 2;
        assert!(index.contradicts(1, 3));
    }
}
