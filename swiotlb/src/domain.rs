//! The lock domain: what of a pool one lock protects.
//!
//! As a rule that is one area. Where areas are no whole slot sets (a pool reduced after a poor start),
//! a run may reach into the next area, and the pool has one lock for all.

use crate::area::{Area, AreaState};
use crate::half::Record;
use crate::pool::Origin;
use crate::search::FindRun;
use crate::slot_table::SlotTable;

/// Slots and areas behind one lock.
#[derive(Debug)]
pub(crate) struct Domain {
    /// First slot in the pool, a multiple of 128.
    pub(crate) first_slot: u32,
    /// Slots of an area.
    pub(crate) area_slots: u32,
    /// The pool was removed: searches find nothing here.
    pub(crate) is_retired: bool,
    /// When slots were last taken or released, in nanoseconds; kept for the shrinker alone.
    pub(crate) last_active: u64,
    /// The first area, as a rule the only one: in place, so that it is in this domain's cache lines.
    first_area: AreaState,
    more_areas: Box<[AreaState]>,
    pub(crate) table: SlotTable,
}

impl Domain {
    /// Makes a domain of `areas` areas whose slots are all free.
    pub(crate) fn new(first_slot: u32, slots: u32, areas: u32, area_slots: u32) -> Self {
        let area = AreaState {
            free: u64::from(area_slots),
            cursor: 0,
        };
        Self {
            first_slot,
            area_slots,
            is_retired: false,
            last_active: 0,
            first_area: area,
            more_areas: vec![area; (areas - 1) as usize].into_boxed_slice(),
            table: SlotTable::new(slots),
        }
    }

    /// Returns an area by its number in this domain.
    #[inline]
    pub(crate) fn area(&self, area: u32) -> &AreaState {
        match area {
            0 => &self.first_area,
            area => &self.more_areas[area as usize - 1],
        }
    }

    /// As [`Domain::area`], to be changed.
    #[inline]
    fn area_mut(&mut self, area: u32) -> &mut AreaState {
        match area {
            0 => &mut self.first_area,
            area => &mut self.more_areas[area as usize - 1],
        }
    }

    /// Returns all areas, in order.
    pub(crate) fn areas(&self) -> impl Iterator<Item = Area> {
        std::iter::once(&self.first_area)
            .chain(&self.more_areas)
            .map(|area| area.describe(self.area_slots))
    }

    /// Returns the slots in use, as the areas count them.
    pub(crate) fn used(&self) -> u64 {
        self.areas()
            .fold(0, |sum, area| sum.wrapping_add(area.used))
    }

    /// Searches an area and takes the slots found. Returns the first one, counted in the pool.
    pub(crate) fn take(
        &mut self,
        search: &impl FindRun,
        area: u32,
        origin: Option<&Origin>,
    ) -> Option<u32> {
        if self.is_retired {
            return None;
        }
        let found = search.find(self, area)?;
        let slots = search.slots();
        self.table.take(found, slots, search.first_size(), origin);
        let area_slots = self.area_slots;
        self.area_mut(area)
            .note_taken(found - area * area_slots, slots, area_slots);
        Some(self.first_slot + found)
    }

    /// As [`Domain::take`] in the first area, if its cursor is close to free slots: see
    /// [`SlotTable::take_near`].
    #[inline(always)]
    pub(crate) fn take_near(&mut self, slots: u32, pattern: u64, record: Record) -> Option<u32> {
        let area = &mut self.first_area;
        if u64::from(slots) > area.free {
            return None;
        }
        let found = self.table.take_near(area.cursor, slots, pattern, record)?;
        area.note_taken(found, slots, self.area_slots);
        Some(self.first_slot + found)
    }

    /// Frees what lies in the first area: see [`SlotTable::release_whole`].
    #[inline(always)]
    pub(crate) fn release_whole(
        &mut self,
        slot: u32,
        is_expected: impl FnOnce(&Record) -> bool,
    ) -> Option<u32> {
        let in_domain = slot - self.first_slot;
        let slots = self.table.release_whole(in_domain, is_expected)?;
        self.first_area.note_freed(slots);
        Some(slots)
    }

    /// Frees slots, as far as they lie in this domain, and counts `counted` of them in the area in
    /// which they begin. Returns how many lie behind it: only a stray release reaches out.
    pub(crate) fn release(&mut self, first_slot: u32, slots: u32, counted: u32) -> u32 {
        let first = first_slot - self.first_slot;
        let inside = slots.min(self.table.slots() - first);
        self.table.release(first, inside);
        let area = match self.more_areas.len() {
            0 => 0,
            _ => first / self.area_slots,
        };
        self.area_mut(area).note_freed(counted);
        slots - inside
    }

    /// Returns whether the area of `slot`, counted in the domain, counts enough free slots.
    pub(crate) fn has_room(&self, slot: u32, slots: u32) -> bool {
        let area = slot.checked_div(self.area_slots).unwrap_or(0);
        area as usize <= self.more_areas.len() && u64::from(slots) <= self.area(area).free
    }

    /// Marks all slots as used by nobody.
    pub(crate) fn disable(&mut self) {
        self.table.disable();
        let area = AreaState { free: 0, cursor: 0 };
        self.first_area = area;
        self.more_areas.fill(area);
    }
}
