//! Releases: slots become free, and what searches have learnt of their halves is forgotten.

use crate::half::{HALF_SLOTS, Record, range_of};
use crate::run_index::longest_in;
use crate::slot::{SLOT_SET_SLOTS, slots_of};
use crate::slot_table::SlotTable;

impl SlotTable {
    /// Frees what the kernel would free from `slot` on for a device without alignment, if a mapping
    /// without padding begins there that is as expected, and all lies in one set. Returns how many
    /// slots that were; `None`, and nothing has changed, if it is otherwise.
    #[inline(always)]
    pub(crate) fn release_whole(
        &mut self,
        slot: u32,
        is_expected: impl FnOnce(&Record) -> bool,
    ) -> Option<u32> {
        let half = &mut self.halves[(slot / HALF_SLOTS) as usize];
        let bit = 1 << (slot % HALF_SLOTS);
        let record = &half.records[(slot % HALF_SLOTS) as usize];
        if half.start & bit == 0 || !is_expected(record) {
            return None;
        }
        let slots = record.whole_slots;
        if slots == 0 {
            return self.release_in_set(slot);
        }
        // Zero if the half ends here.
        let behind = bit << (slots - 1) << 1;
        if behind & (half.free | half.start) == 0 {
            // It may be the rest of an allocation that begins in front of it, and lose its record.
            self.release_in_front_of_rest(slot, slots);
        } else if half.release(behind.wrapping_sub(bit)) {
            self.forget((slot / HALF_SLOTS) as usize);
        }
        Some(slots)
    }

    /// Frees slots of one half.
    #[inline(never)]
    fn release_in_front_of_rest(&mut self, slot: u32, slots: u32) {
        self.keep_tail(slot + slots);
        let index = (slot / HALF_SLOTS) as usize;
        if self.halves[index].release(range_of(slot % HALF_SLOTS, slots)) {
            self.forget(index);
        }
    }

    /// As [`SlotTable::release_whole`], for what begins with `slot` and lies in both halves of a set.
    #[inline(never)]
    fn release_in_set(&mut self, slot: u32) -> Option<u32> {
        let record = self.record(slot);
        let slots = u32::try_from(slots_of(record.alloc_size_at(0))).ok()?;
        let room = SLOT_SET_SLOTS - slot % SLOT_SET_SLOTS;
        if !record.is_unpadded() || slots == 0 || slots > room {
            return None;
        }
        self.release(slot, slots);
        Some(slots)
    }

    /// Returns where the kernel begins to release when `slot` is given, which is its `pad_slots` in
    /// front of it, and the `alloc_size` stored there. `None` if that lies in front of the table.
    pub(crate) fn release_start(&self, slot: u32) -> Option<(u32, u64)> {
        if let Some(first) = self.first_of(slot) {
            let record = self.record(first);
            let is_whole = record.padding == record.pad_slots;
            if is_whole && slot == first + u32::from(record.padding) {
                return Some((first, record.alloc_size_at(0)));
            }
        }
        let first = slot.checked_sub(self.pad_slots(slot))?;
        Some((first, self.alloc_size(first)))
    }

    /// Frees `len` slots from `first` on, whoever owns them, and joins free runs.
    pub(crate) fn release(&mut self, first: u32, len: u32) {
        let end = first + len;
        if len > 0 {
            self.keep_tail(end);
        }
        let mut slot = first;
        while slot < end {
            let (index, bit) = ((slot / HALF_SLOTS) as usize, slot % HALF_SLOTS);
            let in_half = (end - slot).min(HALF_SLOTS - bit);
            if self.halves[index].release(range_of(bit, in_half)) {
                self.forget(index);
            }
            slot += in_half;
        }
    }

    /// Gives the slot behind a release its own record, if it belongs to an allocation that began
    /// before: only a driver that releases what it does not own leaves such a rest.
    fn keep_tail(&mut self, end: u32) {
        if end.is_multiple_of(SLOT_SET_SLOTS)
            || end >= self.slots
            || !self.halves[(end / HALF_SLOTS) as usize].is_rest(end % HALF_SLOTS)
        {
            return;
        }
        let Some(owner) = self.first_of(end) else {
            return;
        };
        let rest = self.record(owner).rest(end - owner);
        let half = &mut self.halves[(end / HALF_SLOTS) as usize];
        half.records[(end % HALF_SLOTS) as usize] = rest;
        half.start |= 1 << (end % HALF_SLOTS);
    }

    /// Forgets what searches have learnt of a half in which slots were freed, and of the lower half
    /// of the set, if a run can reach out of it.
    #[inline(never)]
    fn forget(&mut self, index: usize) {
        self.halves[index].is_watched = false;
        self.forget_one(index);
        if self.halves[index & !1].free >> 63 == 1 {
            self.forget_one(index & !1);
        }
    }

    fn forget_one(&mut self, index: usize) {
        if self.halves[index].learnt != 0 {
            self.halves[index].learnt = 0;
            self.runs.set(index, longest_in(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_a_release_keeps_its_record_also_in_the_next_half() {
        let mut table = SlotTable::new(128);
        table.take(60, 4, 8192, None);
        // A stray release, and another allocation where the first one ended and beyond.
        table.release(62, 2);
        table.take(62, 6, 12288, None);
        let rest: Vec<_> = (64..68).map(|slot| table.info(slot)).collect();
        assert_eq!(table.release_whole(60, |_| true), Some(4));
        for (slot, info) in (64..68).zip(rest) {
            assert_eq!(table.info(slot), info, "slot {slot}");
        }
        assert_eq!(table.contradiction(), None);
    }
}
