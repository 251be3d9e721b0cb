//! Runs of free slots: where one of a given length begins, and how long the longest one is.

use crate::bits::{half_runs_of, longest_run, range_mask, runs_of};
use crate::half::{HALF_SLOTS, Record};
use crate::run_index::longest_in;
use crate::slot::SLOT_SET_SLOTS;
use crate::slot_table::SlotTable;

impl SlotTable {
    /// Takes the first run of `len` free slots from `from` on, if it does not reach out of the half in
    /// which it begins, and that is the half of `from` or the next promising one. The run begins with
    /// one of the bits of `pattern`, the same in every half. Returns the first slot; `None`, and
    /// nothing has changed, if more is to be looked at.
    #[inline(always)]
    pub(crate) fn take_near(
        &mut self,
        from: u32,
        len: u32,
        pattern: u64,
        record: Record,
    ) -> Option<u32> {
        let mut index = (from / HALF_SLOTS) as usize;
        if from.is_multiple_of(HALF_SLOTS) {
            self.learn_if_full(index.wrapping_sub(1));
        }
        let mut half = &mut self.halves[index];
        let mut fitting = half_runs_of(half.free, len) & pattern & u64::MAX << (from % HALF_SLOTS);
        if fitting == 0 {
            if half.free >> 63 == 1 && half.may_begin(len) {
                return None;
            }
            index = self.runs.next(len, index + 1)?;
            half = &mut self.halves[index];
            fitting = half_runs_of(half.free, len) & pattern;
            if fitting == 0 {
                return None;
            }
        }
        let record = Record {
            whole_slots: len,
            ..record
        };
        let bit = half.take_first(fitting, len, record);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a pool has at most 2^22 slots"
        )]
        Some((index as u32 * HALF_SLOTS) | bit)
    }

    /// Remembers that a half is full, as it is when a cursor has filled it and left it. Learnt by the way,
    /// this is cheaper than by a search that comes back to it.
    #[cold]
    fn learn_if_full(&mut self, index: usize) {
        if self.halves.get(index).is_some_and(|half| half.free == 0) {
            self.learn(index, 1);
        }
    }

    /// Looks for the first run of `len` free slots from `from` on that begins with one of the bits of
    /// `pattern`, the same in every half.
    pub(crate) fn find(&mut self, from: u32, len: u32, pattern: u64) -> Option<u32> {
        let mut index = (from / HALF_SLOTS) as usize;
        let mut positions = pattern & u64::MAX << (from % HALF_SLOTS);
        loop {
            let half = &self.halves[index];
            let mut fitting = half_runs_of(half.free, len) & positions;
            if fitting == 0 && half.may_begin(len) {
                fitting = self.runs_in(index, len) & positions;
            }
            if fitting != 0 {
                return Some(u32::try_from(index).ok()? * HALF_SLOTS + fitting.trailing_zeros());
            }
            index = self.runs.next(len, index + 1)?;
            positions = pattern;
        }
    }

    /// Returns where in a half runs of `len` free slots begin. Learns from a miss.
    fn runs_in(&mut self, index: usize, len: u32) -> u64 {
        let free = self.halves[index].free;
        #[expect(clippy::cast_possible_truncation, reason = "the lower half of the set")]
        let runs = if index.is_multiple_of(2) && free >> 63 == 1 {
            runs_of(self.set(index / 2).free, len) as u64
        } else {
            half_runs_of(free, len)
        };
        if runs == 0 {
            self.learn(index, len);
        }
        runs
    }

    /// Returns the positions in `set` at which `len` free slots begin.
    pub(crate) fn fitting(&mut self, set: usize, len: u32) -> u128 {
        let (low, high) = (self.runs_in(2 * set, len), self.runs_in(2 * set + 1, len));
        u128::from(low) | u128::from(high) << HALF_SLOTS
    }

    /// Returns the first set from `from` on that may hold a run of `len` slots.
    pub(crate) fn next_set(&self, len: u32, from: usize) -> Option<usize> {
        let half = self.runs.next(len, 2 * from)?;
        Some(half / 2)
    }

    /// Remembers that no run of `len` free slots begins in a half.
    fn learn(&mut self, half: usize, len: u32) {
        if len <= self.longest_to_expect(half) {
            self.halves[half].learnt = u8::try_from(len).unwrap_or(u8::MAX);
            self.halves[half].is_watched = true;
            if self.halves[half].free >> 63 == 1 {
                self.halves[half | 1].is_watched = true;
            }
            self.runs.set(half, len - 1);
        }
    }

    /// Returns the length that no run that begins in a half exceeds, as far as is known.
    pub(super) fn longest_to_expect(&self, half: usize) -> u32 {
        match self.halves[half].learnt {
            0 => longest_in(half),
            learnt => u32::from(learnt) - 1,
        }
    }

    /// Returns the free slots of a half, and those behind it that a run out of it reaches.
    pub(super) fn runs_from(&self, half: usize) -> u128 {
        let free = u128::from(self.halves[half].free);
        if !half.is_multiple_of(2) || free >> 63 == 0 {
            return free;
        }
        let reached = self.halves[half + 1].free.trailing_ones();
        free | range_mask(HALF_SLOTS, reached)
    }

    /// Returns the length of the longest free run, and remembers what it finds.
    pub(crate) fn longest_free_run(&mut self) -> u32 {
        let mut longest = 0;
        while let Some(expected) = self.runs.longest() {
            // All that can be longer are in this class, or will be measured to be lower.
            let mut from = 0;
            while let Some(half) = self.runs.next(expected, from) {
                if self.longest_to_expect(half) > longest {
                    let run = longest_run(self.runs_from(half));
                    if run < SLOT_SET_SLOTS {
                        self.learn(half, run + 1);
                    }
                    longest = longest.max(run);
                }
                if longest >= 2 * expected - 1 {
                    return longest;
                }
                from = half + 1;
            }
            if longest >= expected {
                break;
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sets, of which only the last four slots of the first half are free.
    fn nearly_full() -> SlotTable {
        let mut table = SlotTable::new(256);
        for (first, len) in [(0, 60), (64, 64), (128, 128)] {
            table.take(first, len, i32::try_from(len).unwrap() * 2048, None);
        }
        table
    }

    #[test]
    fn a_run_is_found_across_halves_and_where_the_pattern_allows() {
        let mut table = nearly_full();
        table.release(64, 64);
        assert_eq!(table.find(0, 8, u64::MAX), Some(60));
        assert_eq!(table.find(0, 8, u64::MAX / 0xff), Some(64));
        assert_eq!(table.find(61, 68, u64::MAX), None);
        assert_eq!(table.find(0, 68, u64::MAX), Some(60));
    }

    #[test]
    fn what_was_learnt_ends_with_a_release_that_a_run_reaches() {
        let mut table = nearly_full();
        assert_eq!(table.find(0, 8, u64::MAX), None);
        assert!(!table.halves[0].may_begin(8));
        table.release(64, 8);
        assert_eq!(table.find(0, 8, u64::MAX), Some(60));
        assert_eq!(table.contradiction(), None);
    }

    #[test]
    fn a_half_that_nobody_watches_any_more_is_noticed() {
        let mut table = nearly_full();
        assert_eq!(table.find(0, 8, u64::MAX), None);
        assert_eq!(table.contradiction(), None);
        table.halves[1].is_watched = false;
        assert!(table.contradiction().is_some());
    }

    #[test]
    fn a_half_is_known_to_be_full_once_the_cursor_has_left_it() {
        let mut table = SlotTable::new(128);
        let take = |table: &mut SlotTable, from| table.take_near(from, 2, u64::MAX, Record::EMPTY);
        for from in (0..64).step_by(2) {
            assert_eq!(take(&mut table, from), Some(from));
        }
        assert!(table.halves[0].may_begin(1));
        assert_eq!(take(&mut table, 64), Some(64));
        assert!(!table.halves[0].may_begin(1));
    }
}
