//! The area: a part of a pool with its own search cursor and use count.

/// Number of the CPU a call is made on. It chooses the area in which a search begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CpuId(pub u32);

/// One area (`struct io_tlb_area`).
#[doc(alias = "io_tlb_area")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// Slots in use. Wraps below zero when a driver releases what it does not own.
    pub used: u64,
    /// Slot within the area where the next search begins (`index`).
    pub cursor: u32,
}

/// What is kept of an area: what a search asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AreaState {
    /// Slots of the area less those in use, modulo 2^64 like the count of those.
    pub(crate) free: u64,
    /// As [`Area::cursor`].
    pub(crate) cursor: u32,
}

impl AreaState {
    /// Returns the area as the kernel describes it.
    pub(crate) fn describe(&self, area_slots: u32) -> Area {
        Area {
            used: u64::from(area_slots).wrapping_sub(self.free),
            cursor: self.cursor,
        }
    }

    /// Counts slots that were taken from `first` on, counted in the area, and moves the cursor behind
    /// them.
    #[inline(always)]
    pub(crate) fn note_taken(&mut self, first: u32, slots: u32, area_slots: u32) {
        let behind = first + slots;
        self.cursor = if behind >= area_slots { 0 } else { behind };
        self.free = self.free.wrapping_sub(u64::from(slots));
    }

    /// Counts slots that were freed.
    #[inline(always)]
    pub(crate) fn note_freed(&mut self, slots: u32) {
        self.free = self.free.wrapping_add(u64::from(slots));
    }
}

/// Limits the areas of a pool so that each has a slot set, if the pool is too small for all. The
/// result is a power of two, which the order of areas needs, also where the slots are none (the
/// kernel takes for granted that they are).
pub(crate) const fn limit_areas(areas: u32, slots: u64) -> u32 {
    let sets = slots / crate::slot::SLOT_SET_SLOTS as u64;
    match sets.checked_ilog2() {
        _ if sets >= areas as u64 => areas,
        Some(exponent) => 1 << exponent,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_limited_to_one_slot_set_each() {
        assert_eq!(limit_areas(8, 1024), 8);
        assert_eq!(limit_areas(16, 1024), 8);
        assert_eq!(limit_areas(4, 128), 1);
        assert_eq!(limit_areas(4, 384), 2);
        assert_eq!(limit_areas(4, 100), 1);
    }
}
