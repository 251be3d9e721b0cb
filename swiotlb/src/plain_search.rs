//! The search of nearly every driver: the slots that suit form one pattern, the same in every set,
//! and no boundary lies in the pool.
//!
//! It gives the same answer as [`crate::search::Search`], and is made ready and run in a tenth of
//! the instructions.

use crate::device::Device;
use crate::domain::Domain;
use crate::search::{FindRun, Wanted};
use crate::slot::{SLOT_BYTES, SLOT_MASK, SLOT_SET_SLOTS, SLOT_SHIFT, max_slots};

/// A search made ready for one device and one pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainSearch {
    slots: u32,
    /// The walk visits the slots `residue` modulo `period`, a power of two up to 64.
    residue: u32,
    period: u32,
    /// Steps that the walk counts for each of them.
    stride: u32,
    /// `alloc_size` of the first slot.
    first_size: i32,
}

/// A bit pattern with every `2^k`-th bit set, by `k`.
const EVERY: [u64; 8] = [
    u64::MAX,
    u64::MAX / 0x3,
    u64::MAX / 0xf,
    u64::MAX / 0xff,
    u64::MAX / 0xffff,
    u64::MAX / 0xffff_ffff,
    1,
    0, // no period is that long
];

/// Returns the slots of half a set that begin on a multiple of `align`, a power of two.
#[inline(always)]
pub(crate) const fn half_pattern(align: u64, pool_dma: u64) -> u64 {
    let period = max_slots(align - 1);
    let residue = (pool_dma >> SLOT_SHIFT).wrapping_neg() & (period - 1);
    EVERY[(period.trailing_zeros() % 8) as usize] << (residue % 64)
}

impl PlainSearch {
    /// Prepares a search in a pool of `pool_slots` slots that the device sees at `pool_dma`. `None`
    /// if it is not plain, or impossible.
    #[inline(always)]
    pub(crate) fn new(
        dev: &Device,
        wanted: &Wanted,
        pool_dma: u64,
        pool_slots: u32,
        page_bytes: u64,
    ) -> Option<Self> {
        let slots = wanted.alloc_size.wrapping_add(SLOT_MASK) >> SLOT_SHIFT;
        if wanted.alloc_size.wrapping_sub(1) >= u64::from(SLOT_SET_SLOTS) * SLOT_BYTES {
            return None;
        }
        let boundary_mask = dev.seg_boundary_mask();
        if !is_within_boundary(boundary_mask, pool_dma, pool_slots) {
            return None;
        }
        let base_dma = pool_dma & boundary_mask;
        let min_align = u64::from(dev.min_align_mask());
        let mut zero = u64::from(wanted.alloc_align_mask);
        if zero | min_align == 0 && wanted.alloc_size >= page_bytes {
            zero = page_bytes - 1;
        }
        zero |= SLOT_MASK;
        let mut stride = max_slots(zero);
        let (mut period, mut place) = (stride, 0);
        let keep = min_align & !zero;
        if keep != 0 {
            if wanted.orig == 0 {
                return None;
            }
            stride = max_slots(zero.max(keep));
            period = max_slots(zero | keep);
            place = (wanted.orig & keep) >> SLOT_SHIFT;
        }
        let is_regular = period.is_power_of_two() && period <= 64 && (zero + 1).is_power_of_two();
        if !is_regular || base_dma & SLOT_MASK != 0 {
            return None;
        }
        let residue = place.wrapping_sub(base_dma >> SLOT_SHIFT) & (period - 1);
        let offset = dev.align_offset(0, wanted.orig);
        Some(Self {
            slots: u32::try_from(slots).ok()?,
            residue: u32::try_from(residue).ok()?,
            period: u32::try_from(period).ok()?,
            stride: u32::try_from(stride).ok()?,
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most 256 KiB, less a slot"
            )]
            first_size: wanted.alloc_size.wrapping_sub(offset) as i32,
        })
    }

    /// As [`PlainSearch::new`], for a device without any constraint and a request of 1 byte to 256 KiB
    /// without alignment.
    pub(crate) fn unconstrained(bytes: u64, pool_dma: u64, page_bytes: u64) -> Self {
        let period = if bytes >= page_bytes {
            max_slots(page_bytes - 1)
        } else {
            1
        };
        let residue = (pool_dma >> SLOT_SHIFT).wrapping_neg() & (period - 1);
        #[expect(clippy::cast_possible_truncation, reason = "slots of a set or a page")]
        Self {
            slots: ((bytes + SLOT_MASK) >> SLOT_SHIFT) as u32,
            residue: residue as u32,
            period: period as u32,
            stride: period as u32,
            first_size: bytes as i32,
        }
    }

    /// Returns the slots of every half of a set that suit.
    #[inline(always)]
    fn half_pattern(&self) -> u64 {
        match self.period {
            1 => u64::MAX,
            period => EVERY[(period.trailing_zeros() % 8) as usize] << (self.residue % 64),
        }
    }

    /// Looks at the slots from `from` on, counted in the domain, to below `end`.
    #[inline]
    fn scan(&self, domain: &mut Domain, from: u32, end: u32) -> Option<u32> {
        let pattern = self.half_pattern();
        let slot = domain.table.find(from, self.slots, pattern)?;
        (slot < end).then_some(slot)
    }

    /// The walk from the cursor to the end of an area, by its number in the domain, and from slot 0
    /// on.
    #[inline]
    fn scan_area(&self, domain: &mut Domain, area: u32) -> Option<u32> {
        let (area_slots, cursor) = (domain.area_slots, domain.area(area).cursor);
        let base = area * area_slots;
        self.scan(domain, base + cursor, base + area_slots)
            .or_else(|| self.scan_wrapped(domain, area))
    }

    /// The walk from slot 0 on, after the end of the area.
    fn scan_wrapped(&self, domain: &mut Domain, area: u32) -> Option<u32> {
        let (area_slots, cursor) = (domain.area_slots, domain.area(area).cursor);
        let base = area * area_slots;
        let first = self.first_from(base + cursor) - base;
        // Steps counted when the walk wraps to slot 0.
        let mut checked = area_slots - cursor;
        if first < area_slots {
            let last = first + (area_slots - 1 - first) / self.period * self.period;
            checked = (last + self.stride).max(area_slots) - cursor;
        }
        let rest = area_slots.checked_sub(checked)?;
        if rest == 0 {
            return None;
        }
        self.scan(domain, base, base + rest)
    }

    /// Returns the first slot of the pattern at or behind `slot`.
    const fn first_from(&self, slot: u32) -> u32 {
        slot + (self.residue.wrapping_sub(slot) & (self.period - 1))
    }
}

/// Returns whether no multiple of the boundary, a power of two of slots, lies in the pool.
#[inline(always)]
const fn is_within_boundary(mask: u64, pool_dma: u64, pool_slots: u32) -> bool {
    let boundary_slots = max_slots(mask);
    let shift = (pool_dma & mask) >> SLOT_SHIFT & (boundary_slots - 1);
    boundary_slots.is_power_of_two()
        && shift + pool_slots as u64 <= boundary_slots
        && boundary_slots >= SLOT_SET_SLOTS as u64
}

impl FindRun for PlainSearch {
    #[inline(always)]
    fn slots(&self) -> u32 {
        self.slots
    }

    #[inline(always)]
    fn first_size(&self) -> i32 {
        self.first_size
    }

    #[inline]
    fn find(&self, domain: &mut Domain, area: u32) -> Option<u32> {
        if u64::from(self.slots) > domain.area(area).free {
            return None;
        }
        self.scan_area(domain, area)
    }
}

#[cfg(test)]
mod tests;
