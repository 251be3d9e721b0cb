//! The area: a part of a pool with its own search cursor and use count.

/// Number of the CPU a call is made on. It chooses the area in which a search begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CpuId(pub u32);

/// One area (`struct io_tlb_area`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// Slots in use. Wraps below zero when a driver releases what it does not own.
    pub used: u64,
    /// Slot within the area where the next search begins (`index`).
    pub cursor: u32,
}

/// Limits the areas of a pool so that each has a slot set, if the pool is too small for all.
pub(crate) const fn limit_areas(areas: u32, slots: u64) -> u32 {
    if slots < areas as u64 * crate::slot::SLOT_SET_SLOTS as u64 {
        // Below `areas`, which is a u32.
        #[expect(clippy::cast_possible_truncation, reason = "smaller than `areas`")]
        let limited = (slots / crate::slot::SLOT_SET_SLOTS as u64) as u32;
        limited
    } else {
        areas
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
    }
}
