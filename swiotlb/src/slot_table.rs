//! The slots of a lock domain: two bits per slot in sets of 128, and one record per allocation.
//!
//! Slots are counted from the first one of the table. A domain is one area, or the whole pool where
//! areas are no whole sets.
//!
//! The kernel keeps a descriptor per slot and rewrites a run's descriptors at each call. All of it
//! follows from less: `list` of a slot is the length of the run of free bits from it to the end of
//! its set, and `orig_addr` and `alloc_size` of the later slots of an allocation advance from its
//! first one by 2048 per slot. So a map or unmap touches one set and one record, whatever its size.

use bitvec::prelude::{BitVec, Lsb0};

use crate::addr::PhysAddr;
use crate::bits::{
    half_run_around, half_runs_of, has_bit, longest_run, range_mask, run_around, runs_of,
};
use crate::lines::Lines;
use crate::pool::Origin;
use crate::run_index::{RunIndex, class_of};
use crate::slot::{SLOT_BYTES, SLOT_SET_SLOTS, SlotInfo, slots_of};

/// 128 slots, which is as far as a run of free slots can reach.
#[derive(Debug, Clone, Copy)]
struct SlotSet {
    /// One bit per free slot.
    free: u128,
    /// One bit per slot with which an allocation begins; its record is valid.
    start: u128,
}

/// Half a slot set, bits as in [`SlotSet`].
#[derive(Debug, Clone, Copy, Default)]
struct Half {
    free: u64,
    start: u64,
}

/// What is known of an allocation, kept with its first slot.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(32))]
struct Record {
    /// Original address of the first slot behind the padding; meaningful if `has_orig`.
    orig: u64,
    /// `alloc_size` of the first slot. Fits: an allocation has at most 256 KiB, and at least
    /// minus one slot after a release in the middle.
    alloc_size: i64,
    /// Bytes asked for by the caller of the map.
    mapped_bytes: u32,
    /// Where in the first data slot the data begins.
    offset: u16,
    /// Padding slots between the first slot of the record and the data.
    padding: u8,
    /// `pad_slots` as stored in the first data slot.
    pad_slots: u8,
    /// Whether the slots carry an original address; page allocations do not.
    has_orig: bool,
}

/// The allocation that a slot belongs to, seen from that slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotOwner {
    /// First slot of the allocation, padding included.
    pub(crate) first: u32,
    /// First slot with data.
    pub(crate) data: u32,
    /// Bytes asked for by the caller of the map.
    pub(crate) mapped_bytes: u32,
    /// Where in it the data begins.
    pub(crate) offset: u16,
    /// Whether it is a mapping; otherwise it is a page allocation.
    pub(crate) has_orig: bool,
}

/// What a mapping must be for its release not to be a driver's mistake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// Bytes that were mapped.
    pub(crate) bytes: u64,
    /// Where in the first slot the data begins.
    pub(crate) offset: u64,
}

/// All slots that one lock protects.
#[derive(Debug, Clone)]
pub(crate) struct SlotTable {
    slots: u32,
    /// The sets in halves of 64 slots, so that what lies in one half is done in one word.
    halves: Lines<Half, 8>,
    runs: RunIndex,
    records: Lines<Record, 4>,
}

/// Splits a slot number into set and bit.
const fn locate(slot: u32) -> (usize, u32) {
    ((slot / SLOT_SET_SLOTS) as usize, slot % SLOT_SET_SLOTS)
}

impl SlotTable {
    /// Makes a table of free slots.
    pub(crate) fn new(slots: u32) -> Self {
        let set_count = slots.div_ceil(SLOT_SET_SLOTS);
        let mut table = Self {
            slots,
            halves: Lines::new(2 * set_count as usize),
            runs: RunIndex::new(set_count as usize),
            records: Lines::new(slots as usize),
        };
        for set in 0..set_count {
            let in_set = table.slots_in(set);
            let free = range_mask(0, in_set);
            table.store(set as usize, SlotSet { free, start: 0 });
            let bound = u8::try_from(in_set).unwrap_or(u8::MAX);
            table.runs.set_bound(set as usize, bound);
        }
        table
    }

    /// Returns a set, put together from its halves.
    #[inline(always)]
    fn set(&self, set: usize) -> SlotSet {
        let (low, high) = (self.halves[2 * set], self.halves[2 * set + 1]);
        let join = |low, high| u128::from(low) | u128::from(high) << 64;
        SlotSet {
            free: join(low.free, high.free),
            start: join(low.start, high.start),
        }
    }

    /// Writes a set.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the set")]
    #[inline(always)]
    fn store(&mut self, set: usize, SlotSet { free, start }: SlotSet) {
        self.halves[2 * set] = Half {
            free: free as u64,
            start: start as u64,
        };
        self.halves[2 * set + 1] = Half {
            free: (free >> 64) as u64,
            start: (start >> 64) as u64,
        };
    }

    /// Returns the slots of a set: 128, but for the last one of an odd table.
    fn slots_in(&self, set: u32) -> u32 {
        (self.slots - set * SLOT_SET_SLOTS).min(SLOT_SET_SLOTS)
    }

    /// Returns whether every slot is free and every run has its initial length.
    pub(crate) fn is_pristine(&self) -> bool {
        (0..self.sets()).all(|set| {
            let SlotSet { free, start } = self.set(set as usize);
            free == range_mask(0, self.slots_in(set)) && start == 0
        })
    }

    /// Returns the number of slots.
    pub(crate) const fn slots(&self) -> u32 {
        self.slots
    }

    /// Returns the number of slot sets.
    pub(crate) const fn sets(&self) -> u32 {
        self.slots.div_ceil(SLOT_SET_SLOTS)
    }

    /// Marks every slot as used by nobody (a pool that could not be made accessible).
    pub(crate) fn disable(&mut self) {
        // Each slot begins an empty allocation, so that none is taken for the rest of a lower one.
        self.halves.fill(Half {
            free: 0,
            start: u64::MAX,
        });
        self.records.fill(Record::default());
        self.runs.clear();
    }

    /// Returns the length of the free run that starts at `slot` (`list`).
    pub(crate) fn list(&self, slot: u32) -> u32 {
        let (set, bit) = locate(slot);
        (self.set(set).free >> bit).trailing_ones()
    }

    /// Returns the first slot at or behind `from` at which `len` free slots begin in the same half of
    /// its set, of those in `positions`. None: there may be one that reaches into the next half.
    #[inline(always)]
    pub(crate) fn first_in_half(&self, from: u32, len: u32, positions: u64) -> Option<u32> {
        let free = self.halves[(from / 64) as usize].free;
        let runs = half_runs_of(free, len) & positions & (u64::MAX << (from % 64));
        (runs != 0).then(|| (from & !63) + runs.trailing_zeros())
    }

    /// Returns the positions in `set` at which `len` free slots begin. Learns from a miss.
    #[inline]
    pub(crate) fn fitting(&mut self, set: usize, len: u32) -> u128 {
        let runs = runs_of(self.set(set).free, len);
        if runs == 0 {
            self.learn_miss(set, len);
        }
        runs
    }

    /// Lowers the bound of a set that has no run of `len` slots.
    fn learn_miss(&mut self, set: usize, len: u32) {
        if u32::from(self.runs.bound(set)) >= len {
            let bound = u8::try_from(len - 1).unwrap_or(u8::MAX);
            self.runs.set_bound(set, bound);
        }
    }

    /// Returns the first set from `from` to `last` that may hold a run of `len` slots.
    #[inline]
    pub(crate) fn next_set(&self, len: u32, from: usize, last: usize) -> Option<usize> {
        let class = class_of(len);
        let mut set = self.runs.next_set(class, from, last)?;
        // Only a length that is no power of two needs a second look.
        while u32::from(self.runs.bound(set)) < len {
            set = self.runs.next_set(class, set + 1, last)?;
        }
        Some(set)
    }

    /// Returns the length of the longest free run, and remembers what it finds.
    pub(crate) fn longest_free_run(&mut self) -> u32 {
        let Some(last) = self.sets().checked_sub(1) else {
            return 0;
        };
        let mut longest = 0;
        while let Some(class) = self.runs.highest_class() {
            // All that can be longer are in this class, or will be measured to be lower.
            let mut from = 0;
            while let Some(set) = self.runs.next_set(class, from, last as usize) {
                if self.runs.bound(set) > longest {
                    let run = longest_run(self.set(set).free);
                    self.runs.set_bound(set, run);
                    longest = longest.max(run);
                }
                from = set + 1;
            }
            if longest >> class != 0 {
                break;
            }
        }
        u32::from(longest)
    }

    /// Takes `len` free slots from `first` on, all in one set; page allocations have no origin.
    #[inline(always)]
    pub(crate) fn take(&mut self, first: u32, len: u32, alloc_size: i64, origin: Option<&Origin>) {
        let (word, bit) = ((first / 64) as usize, first % 64);
        if bit + len <= 64 {
            let range = u64::MAX >> (64 - len) << bit;
            let half = &mut self.halves[word];
            debug_assert_eq!(half.free & range, range, "slots must be free");
            half.free &= !range;
            half.start |= 1 << bit;
        } else {
            self.take_across_halves(first, len);
        }
        self.records[first as usize] = match origin {
            Some(origin) => Record {
                orig: origin.orig.raw(),
                alloc_size,
                mapped_bytes: origin.mapped_bytes,
                offset: origin.offset,
                padding: origin.padding,
                pad_slots: origin.padding,
                has_orig: true,
            },
            None => Record {
                alloc_size,
                ..Record::default()
            },
        };
    }

    fn take_across_halves(&mut self, first: u32, len: u32) {
        let (set, bit) = locate(first);
        let range = range_mask(bit, len);
        let old = self.set(set);
        debug_assert_eq!(old.free & range, range, "slots to be taken must be free");
        let new = SlotSet {
            free: old.free & !range,
            start: old.start | range_mask(bit, 1),
        };
        self.store(set, new);
    }

    /// Returns the first slot of the allocation that `slot` belongs to.
    #[inline]
    fn first_of(&self, slot: u32) -> Option<u32> {
        let (set, bit) = locate(slot);
        let set = self.set(set);
        if set.free >> bit & 1 == 1 {
            return None;
        }
        let starts = set.start & range_mask(0, bit + 1);
        (starts != 0).then(|| slot - bit + (127 - starts.leading_zeros()))
    }

    /// Returns the allocation that `slot` belongs to, if any.
    pub(crate) fn owner(&self, slot: u32) -> Option<SlotOwner> {
        let first = self.first_of(slot)?;
        let record = &self.records[first as usize];
        Some(SlotOwner {
            first,
            data: first + u32::from(record.padding),
            mapped_bytes: record.mapped_bytes,
            offset: record.offset,
            has_orig: record.has_orig,
        })
    }

    /// Returns the original address stored in `slot`, if it holds data.
    pub(crate) fn orig_addr(&self, slot: u32) -> Option<u64> {
        let first = self.first_of(slot)?;
        let record = &self.records[first as usize];
        let data = first + u32::from(record.padding);
        if !record.has_orig || slot < data {
            return None;
        }
        let orig = record
            .orig
            .wrapping_add(u64::from(slot - data) * SLOT_BYTES);
        (orig != PhysAddr::INVALID.raw()).then_some(orig)
    }

    /// Returns the `alloc_size` stored in `slot`: zero if free, modulo 2^64.
    pub(crate) fn alloc_size(&self, slot: u32) -> u64 {
        self.first_of(slot).map_or(0, |first| {
            let record = &self.records[first as usize];
            (record.alloc_size - i64::from(slot - first) * SLOT_BYTES.cast_signed()).cast_unsigned()
        })
    }

    /// Frees what the kernel would free from `slot` on, if a mapping without padding begins there that
    /// is as expected, and all lies in one set. Returns how many slots that were; `None`,
    /// and nothing has changed, if it is otherwise.
    #[inline(always)]
    pub(crate) fn release_whole(
        &mut self,
        slot: u32,
        offset: u64,
        expected: Option<Expected>,
    ) -> Option<u32> {
        let (word, bit) = ((slot / 64) as usize, slot % 64);
        let Half { free, start } = self.halves[word];
        let record = &self.records[slot as usize];
        if start >> bit & 1 == 0 || record.padding | record.pad_slots != 0 {
            return None;
        }
        if let Some(expected) = expected {
            let is_expected = record.has_orig
                && u64::from(record.mapped_bytes) == expected.bytes
                && u64::from(record.offset) == expected.offset;
            if !is_expected {
                return None;
            }
        }
        let slots = slots_of(record.alloc_size.cast_unsigned().wrapping_add(offset));
        if slots.wrapping_sub(1) >= u64::from(64 - bit) {
            return self.release_whole_in_set(slot, slots);
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
        let slots = slots as u32;
        let range = u64::MAX >> (64 - slots) << bit;
        // Empty if the half ends here.
        let behind = range << 1 & !range;
        if behind & (free | start) == 0 {
            self.keep_tail(slot + slots);
        }
        let free = free | range;
        let half = &mut self.halves[word];
        half.free = free;
        half.start &= !range;
        if u32::from(self.runs.bound(word / 2)) < SLOT_SET_SLOTS {
            self.raise_bound(slot, slots, free);
        }
        Some(slots)
    }

    /// As [`SlotTable::release_whole`], for what lies in both halves of a set.
    #[inline(never)]
    fn release_whole_in_set(&mut self, slot: u32, slots: u64) -> Option<u32> {
        let room = SLOT_SET_SLOTS - slot % SLOT_SET_SLOTS;
        let slots = u32::try_from(slots).ok()?;
        if slots == 0 || slots > room {
            return None;
        }
        self.release_in_set(slot, slots);
        Some(slots)
    }

    /// Raises the bound of a set to the run that a release in one half of it has made.
    fn raise_bound(&mut self, first: u32, len: u32, half: u64) {
        let (set, bit) = locate(first);
        let run = half_run_around(half, bit % 64, bit % 64 + len)
            .unwrap_or_else(|| run_around(self.set(set).free, bit, bit + len));
        self.runs.raise(set, run);
    }

    /// Returns where the kernel begins to release when `slot` is given, which is its `pad_slots` in
    /// front of it, and the `alloc_size` stored there. `None` if that lies in front of the table.
    #[inline]
    pub(crate) fn release_start(&self, slot: u32) -> Option<(u32, u64)> {
        let (set, bit) = locate(slot);
        if has_bit(self.set(set).start, bit) {
            let record = &self.records[slot as usize];
            if record.padding | record.pad_slots == 0 {
                return Some((slot, record.alloc_size.cast_unsigned()));
            }
        }
        self.padded_release_start(slot)
    }

    /// As [`SlotTable::release_start`], for what begins with padding or is no mapping's start.
    fn padded_release_start(&self, slot: u32) -> Option<(u32, u64)> {
        if let Some(first) = self.first_of(slot) {
            let record = &self.records[first as usize];
            let is_whole = record.padding == record.pad_slots;
            if is_whole && slot == first + u32::from(record.padding) {
                return Some((first, record.alloc_size.cast_unsigned()));
            }
        }
        let first = slot.checked_sub(self.pad_slots(slot))?;
        Some((first, self.alloc_size(first)))
    }

    /// Returns the `pad_slots` stored in `slot`.
    pub(crate) fn pad_slots(&self, slot: u32) -> u32 {
        let Some(first) = self.first_of(slot) else {
            return 0;
        };
        let record = &self.records[first as usize];
        if slot == first + u32::from(record.padding) {
            u32::from(record.pad_slots)
        } else {
            0
        }
    }

    /// Frees `len` slots from `first` on, whoever owns them, and joins free runs.
    pub(crate) fn release(&mut self, first: u32, len: u32) {
        if first % SLOT_SET_SLOTS + len <= SLOT_SET_SLOTS && len > 0 {
            self.release_in_set(first, len);
        } else {
            self.release_across_sets(first, len);
        }
    }

    #[cold]
    fn release_across_sets(&mut self, first: u32, len: u32) {
        let mut first = first;
        let end = first + len;
        while first < end {
            let in_set = (end - first).min(SLOT_SET_SLOTS - first % SLOT_SET_SLOTS);
            self.release_in_set(first, in_set);
            first += in_set;
        }
    }

    fn release_in_set(&mut self, first: u32, len: u32) {
        let (set_index, bit) = locate(first);
        let old = self.set(set_index);
        let range = range_mask(bit, len);
        if range << 1 & !range & (old.free | old.start) == 0 {
            self.keep_tail(first + len);
        }
        let old = self.set(set_index);
        let new = SlotSet {
            free: old.free | range,
            start: old.start & !range,
        };
        self.store(set_index, new);
        if u32::from(self.runs.bound(set_index)) < SLOT_SET_SLOTS {
            let run = run_around(new.free, bit, bit + len);
            self.runs.raise(set_index, run);
        }
    }

    /// Gives the slot behind a release its own record, if it belongs to an allocation that began
    /// before: only a driver that releases what it does not own leaves such a rest.
    #[inline(never)]
    fn keep_tail(&mut self, end: u32) {
        if end.is_multiple_of(SLOT_SET_SLOTS) || end >= self.slots {
            return;
        }
        let Some(owner) = self.first_of(end).filter(|&owner| owner < end) else {
            return;
        };
        let old = self.records[owner as usize];
        let distance = end - owner;
        let padding = u32::from(old.padding);
        let skipped_data = distance.saturating_sub(padding);
        self.records[end as usize] = Record {
            orig: old.orig.wrapping_add(u64::from(skipped_data) * SLOT_BYTES),
            alloc_size: old.alloc_size - i64::from(distance) * SLOT_BYTES.cast_signed(),
            mapped_bytes: old.mapped_bytes,
            offset: old.offset,
            padding: u8::try_from(padding.saturating_sub(distance)).unwrap_or(0),
            pad_slots: if distance <= padding {
                old.pad_slots
            } else {
                0
            },
            has_orig: old.has_orig,
        };
        self.halves[(end / 64) as usize].start |= 1 << (end % 64);
    }

    /// Returns the free slots from `first` on, out of `len`.
    pub(crate) fn count_free(&self, first: u32, len: u32) -> u32 {
        let mut count = 0;
        let mut slot = first;
        while slot < first + len {
            let (set, bit) = locate(slot);
            let in_set = (first + len - slot).min(SLOT_SET_SLOTS - bit);
            count += (self.set(set).free & range_mask(bit, in_set)).count_ones();
            slot += in_set;
        }
        count
    }

    /// Returns one bit per slot in use, in slot order.
    pub(crate) fn occupancy(&self) -> BitVec<u64, Lsb0> {
        let mut bits = BitVec::with_capacity(self.slots as usize);
        for half in self.halves.iter() {
            bits.extend_from_raw_slice(&[!half.free]);
        }
        bits.truncate(self.slots as usize);
        bits
    }

    /// Returns everything the kernel's descriptor of `slot` would say.
    pub(crate) fn info(&self, slot: u32) -> SlotInfo {
        SlotInfo {
            orig_addr: self.orig_addr(slot).map(PhysAddr::new),
            alloc_size: self.alloc_size(slot),
            list: u16::try_from(self.list(slot)).unwrap_or(u16::MAX),
            pad_slots: u16::try_from(self.pad_slots(slot)).unwrap_or(u16::MAX),
        }
    }

    /// Returns whether the bookkeeping of `set` contradicts itself.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        if self.runs.is_contradictory() {
            return Some("a bitmap of slot sets disagrees with the bounds of their runs");
        }
        for index in 0..self.sets() as usize {
            let set = self.set(index);
            if set.free & set.start != 0 {
                return Some("a free slot begins an allocation");
            }
            if longest_run(set.free) > self.runs.bound(index) {
                return Some("a free run is longer than the bound of its slot set");
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(padding: u8, offset: u16, orig: u64, mapped_bytes: u32) -> Origin {
        Origin {
            orig: PhysAddr::new(orig),
            mapped_bytes,
            offset,
            padding,
        }
    }

    fn lists(table: &SlotTable, slots: &[u32]) -> Vec<u32> {
        slots.iter().map(|&slot| table.list(slot)).collect()
    }

    #[test]
    fn fresh_counters_count_down_to_the_end_of_the_set_and_of_the_pool() {
        let table = SlotTable::new(1024);
        assert_eq!(
            lists(&table, &[0, 1, 127, 128, 129, 255, 256, 1023]),
            [128, 127, 1, 128, 127, 1, 128, 1]
        );
        let short = SlotTable::new(200);
        assert_eq!(lists(&short, &[0, 127, 128, 129, 199]), [128, 1, 72, 71, 1]);
    }

    #[test]
    fn later_slots_advance_from_the_first() {
        let mut table = SlotTable::new(128);
        table.take(3, 4, 8192, Some(&origin(1, 0x404, 0x1_2345_6c04, 5000)));
        assert_eq!(table.info(3).orig_addr, None);
        assert_eq!(table.info(4).orig_addr, Some(PhysAddr::new(0x1_2345_6c04)));
        assert_eq!(table.info(4).pad_slots, 1);
        assert_eq!(table.info(5).orig_addr, Some(PhysAddr::new(0x1_2345_7404)));
        assert_eq!(table.info(5).alloc_size, 8192 - 4096);
        assert_eq!(table.info(7).alloc_size, 0);
    }

    #[test]
    fn a_release_in_the_middle_leaves_the_rest_as_it_was() {
        let mut table = SlotTable::new(128);
        table.take(0, 8, 16384, Some(&origin(0, 0, 0x10_0000, 16384)));
        let before: Vec<SlotInfo> = (0..8).map(|slot| table.info(slot)).collect();
        table.release(2, 3);
        assert_eq!(lists(&table, &[1, 2, 3, 4, 5]), [0, 3, 2, 1, 0]);
        for slot in [0, 1, 5, 6, 7] {
            assert_eq!(table.info(slot), before[slot as usize]);
        }
        table.take(2, 3, 6144, None);
        assert_eq!(table.info(6), before[6]);
        assert_eq!(table.contradiction(), None);
    }

    #[test]
    fn disabled_slots_belong_to_nobody_even_when_a_lower_one_is_used_again() {
        let mut table = SlotTable::new(200);
        table.disable();
        table.release(0, 1);
        table.take(0, 1, 100, Some(&origin(0, 0, 0x10_0000, 100)));
        for slot in [1, 127, 128, 199] {
            let info = table.info(slot);
            assert_eq!((info.orig_addr, info.alloc_size, info.list), (None, 0, 0));
        }
        assert_eq!(table.contradiction(), None);
    }

    #[test]
    fn only_a_table_in_its_first_state_is_pristine() {
        let mut table = SlotTable::new(200);
        assert!(table.is_pristine());
        table.take(130, 2, 4096, None);
        assert!(!table.is_pristine());
        table.release(130, 2);
        assert!(table.is_pristine());
    }

    #[test]
    fn occupancy_has_one_bit_per_slot() {
        let mut table = SlotTable::new(200);
        table.take(130, 2, 4096, None);
        let bits = table.occupancy();
        assert_eq!(bits.len(), 200);
        assert_eq!(bits.iter_ones().collect::<Vec<_>>(), [130, 131]);
    }

    #[test]
    fn the_longest_run_is_measured_and_remembered() {
        let mut table = SlotTable::new(256);
        table.take(0, 128, 0, None);
        table.take(130, 100, 0, None);
        assert_eq!(table.longest_free_run(), 26);
        assert_eq!(table.fitting(1, 27), 0);
        table.release(130, 100);
        assert_eq!(table.longest_free_run(), 128);
    }
}
