//! The slots of a lock domain: two bits per slot in sets of 128, and one record per allocation.
//!
//! Slots are counted from the first one of the table. A domain is one area, or the whole pool where
//! areas are no whole sets.
//!
//! The kernel keeps a descriptor per slot and rewrites a run's descriptors at each call. All of it
//! follows from less: `list` of a slot is the length of the run of free bits from it to the end of
//! its set, and `orig_addr` and `alloc_size` of the later slots of an allocation advance from its
//! first one by 2048 per slot. So a map or unmap touches one set and one record, whatever its size.

mod frees;
mod runs;

use bitvec::prelude::{BitVec, Lsb0};

use crate::addr::PhysAddr;
use crate::bits::{longest_run, range_mask};
use crate::half::{HALF_SLOTS, Half, Record};
use crate::lines::Lines;
use crate::pool::Origin;
use crate::run_index::{RunIndex, longest_in};
use crate::slot::{SLOT_BYTES, SLOT_SET_SLOTS, SlotInfo, slots_of};

/// 128 slots, which is as far as a run of free slots can reach, put together from its halves.
#[derive(Debug, Clone, Copy)]
struct SlotSet {
    /// One bit per free slot.
    free: u128,
    /// One bit per slot with which an allocation begins.
    start: u128,
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

/// All slots that one lock protects.
#[derive(Debug, Clone)]
pub(crate) struct SlotTable {
    slots: u32,
    /// The sets in halves of 64 slots, so that what lies in one half is done in one word.
    halves: Lines<Half, 1>,
    runs: RunIndex,
}

/// Splits a slot number into set and bit.
const fn locate(slot: u32) -> (usize, u32) {
    ((slot / SLOT_SET_SLOTS) as usize, slot % SLOT_SET_SLOTS)
}

impl SlotTable {
    /// Makes a table of free slots.
    pub(crate) fn new(slots: u32) -> Self {
        let halves = 2 * slots.div_ceil(SLOT_SET_SLOTS) as usize;
        let mut table = Self {
            slots,
            halves: Lines::new(halves),
            runs: RunIndex::new(halves),
        };
        for slot in (0..slots).step_by(HALF_SLOTS as usize) {
            let in_half = HALF_SLOTS.min(slots - slot);
            table.halves[(slot / HALF_SLOTS) as usize].free = u64::MAX >> (HALF_SLOTS - in_half);
        }
        for half in 0..halves {
            table.runs.set(half, longest_in(half));
        }
        table
    }

    /// Returns a set, put together from its halves.
    #[inline(always)]
    fn set(&self, set: usize) -> SlotSet {
        let (low, high) = (&self.halves[2 * set], &self.halves[2 * set + 1]);
        let join = |low, high| u128::from(low) | u128::from(high) << 64;
        SlotSet {
            free: join(low.free, high.free),
            start: join(low.start, high.start),
        }
    }

    /// Returns the record of the allocation that begins with `first`.
    #[inline(always)]
    fn record(&self, first: u32) -> &Record {
        let half = &self.halves[(first / HALF_SLOTS) as usize];
        &half.records[(first % HALF_SLOTS) as usize]
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
    const fn sets(&self) -> u32 {
        self.slots.div_ceil(SLOT_SET_SLOTS)
    }

    /// Marks every slot as used by nobody (a pool that could not be made accessible).
    pub(crate) fn disable(&mut self) {
        // Each slot begins an empty allocation, so that none is taken for the rest of a lower one.
        self.halves.fill(Half {
            start: u64::MAX,
            learnt: 1,
            is_watched: true,
            ..Half::default()
        });
        self.runs.clear();
    }

    /// Returns the length of the free run that starts at `slot` (`list`).
    pub(crate) fn list(&self, slot: u32) -> u32 {
        let (set, bit) = locate(slot);
        (self.set(set).free >> bit).trailing_ones()
    }

    /// Takes `len` free slots from `first` on, all in one set; page allocations have no origin.
    pub(crate) fn take(&mut self, first: u32, len: u32, alloc_size: i32, origin: Option<&Origin>) {
        let (index, bit) = ((first / HALF_SLOTS) as usize, first % HALF_SLOTS);
        let mut record = match origin {
            Some(origin) => Record {
                orig: origin.orig.raw(),
                alloc_size,
                mapped_bytes: origin.mapped_bytes,
                offset: origin.offset,
                padding: origin.padding,
                pad_slots: origin.padding,
                whole_slots: 0,
            },
            None => Record {
                alloc_size,
                ..Record::EMPTY
            },
        };
        let whole_slots = slots_of(record.alloc_size_at(0));
        if record.is_unpadded() && whole_slots <= u64::from(HALF_SLOTS - bit) {
            record.whole_slots = u32::try_from(whole_slots).unwrap_or(0);
        }
        let in_half = len.min(HALF_SLOTS - bit);
        self.halves[index].take_first(1 << bit, in_half, record);
        if len > in_half {
            self.halves[index + 1].take_rest(len - in_half);
        }
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
        let record = self.record(first);
        Some(SlotOwner {
            first,
            data: first + u32::from(record.padding),
            mapped_bytes: record.mapped_bytes,
            offset: record.offset,
            has_orig: record.has_orig(),
        })
    }

    /// Returns the original address stored in `slot`, if it holds data.
    pub(crate) fn orig_addr(&self, slot: u32) -> Option<u64> {
        let first = self.first_of(slot)?;
        let record = self.record(first);
        let data = first + u32::from(record.padding);
        if !record.has_orig() || slot < data {
            return None;
        }
        let orig = record
            .orig
            .wrapping_add(u64::from(slot - data) * SLOT_BYTES);
        (orig != PhysAddr::INVALID.raw()).then_some(orig)
    }

    /// Returns the `alloc_size` stored in `slot`: zero if free, modulo 2^64.
    pub(crate) fn alloc_size(&self, slot: u32) -> u64 {
        self.first_of(slot)
            .map_or(0, |first| self.record(first).alloc_size_at(slot - first))
    }

    /// Returns the `pad_slots` stored in `slot`.
    pub(crate) fn pad_slots(&self, slot: u32) -> u32 {
        let Some(first) = self.first_of(slot) else {
            return 0;
        };
        let record = self.record(first);
        if slot == first + u32::from(record.padding) {
            u32::from(record.pad_slots)
        } else {
            0
        }
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
        for (index, half) in self.halves.iter().enumerate() {
            if half.free & half.start != 0 {
                return Some("a free slot begins an allocation");
            }
            let longest = self.longest_to_expect(index);
            let can_reach_out = half.free >> 63 == 1;
            let is_watched =
                half.is_watched && (!can_reach_out || self.halves[index | 1].is_watched);
            if half.learnt != 0 && !is_watched {
                return Some("what searches have learnt would outlive a release");
            }
            if self.runs.contradicts(index, longest) {
                return Some("a bitmap of slot sets disagrees with what searches have learnt");
            }
            if longest_run(self.runs_from(index)) > longest {
                return Some("a free run is longer than what searches have learnt");
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
