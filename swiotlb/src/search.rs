//! The slot search: the kernel's answer, found by sets of 128 instead of slot by slot.
//!
//! The kernel walks a cursor through the area: one step from a misaligned slot, a whole stride from
//! an aligned one that does not fit, back to slot 0 behind the end; it gives up when the steps
//! add up to the area. Where the masks are regular (all but exotic ones), the aligned slots are an
//! arithmetic progression, so the walk visits one progression from the cursor and one from slot 0,
//! and how far the second one goes follows from the sum of steps at the wrap. Each progression is
//! then a bit pattern on the sets. Irregular masks take the walk itself.

use crate::bits::range_mask;
use crate::device::Device;
use crate::domain::Domain;
use crate::error::SearchError;
use crate::slot::{SLOT_BYTES, SLOT_MASK, SLOT_SET_SLOTS, SLOT_SHIFT, max_slots, slots_of};

/// What is looked for. The same for all pools and areas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Original address; zero exempts from the rule of `min_align_mask`.
    pub(crate) orig: u64,
    /// Bytes including offset and rounding.
    pub(crate) alloc_size: u64,
    /// Alignment of the allocation, as a mask.
    pub(crate) alloc_align_mask: u32,
}

/// What can look for a run of free slots in an area.
pub(crate) trait FindRun {
    /// Returns the slots that the request takes.
    fn slots(&self) -> u32;

    /// Returns the `alloc_size` of the first slot.
    fn first_size(&self) -> i32;

    /// Searches an area, by its number in the domain. Returns the first slot of a run that fits,
    /// counted in the domain.
    fn find(&self, domain: &mut Domain, area: u32) -> Option<u32>;
}

/// A search made ready for one device and one pool, whatever its masks. The usual ones take
/// [`crate::plain_search::PlainSearch`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    slots: u32,
    /// `alloc_size` of the first slot.
    first_size: i32,
    /// DMA address of the pool, under the boundary mask.
    base_dma: u64,
    /// Bits of a slot's DMA address that must be zero.
    zero_mask: u64,
    /// Bits of a slot's DMA address that must equal those of the original address.
    keep_mask: u64,
    orig: u64,
    stride: u64,
    /// Regular masks: the aligned slots are `residue` modulo `period`, and the walk visits every
    /// `pace`-th slot.
    regular: Option<Regular>,
    boundary: Boundary,
}

#[derive(Debug, Clone, Copy)]
struct Regular {
    residue: u64,
    period: u64,
    pace: u64,
}

/// Where a run must not cross a multiple of the segment boundary.
#[derive(Debug, Clone, Copy)]
enum Boundary {
    /// The pool holds none.
    None,
    /// No run of this length fits between two of them.
    TooNarrow,
    /// Several in a slot set, at the same slots in each: where a run may begin.
    Dense(u128),
    /// At most one in a slot set.
    Sparse { shift: u64, slots: u64 },
}

/// How far a free run suits, the better the higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Suit {
    Misaligned,
    WrongSide,
    CrossesBoundary,
    Suitable,
}

/// A bit pattern with every `2^k`-th bit set, by `k`.
const EVERY: [u128; 8] = [
    u128::MAX,
    u128::MAX / 0x3,
    u128::MAX / 0xf,
    u128::MAX / 0xff,
    u128::MAX / 0xffff,
    u128::MAX / 0xffff_ffff,
    u128::MAX / 0xffff_ffff_ffff_ffff,
    1,
];

impl Search {
    /// Prepares a search in a pool of `pool_slots` slots that the device sees at `pool_dma`.
    ///
    /// # Errors
    /// If the request is empty or above what any pool can give, or the boundary is no power of two.
    pub(crate) fn new(
        dev: &Device,
        wanted: &Wanted,
        pool_dma: u64,
        pool_slots: u32,
        page_bytes: u64,
    ) -> Result<Self, SearchError> {
        let boundary_mask = dev.seg_boundary_mask();
        let boundary_slots = max_slots(boundary_mask);
        if !boundary_slots.is_power_of_two() {
            return Err(SearchError::BadBoundary {
                mask: boundary_mask,
            });
        }
        let slots = wanted.alloc_size.div_ceil(SLOT_BYTES);
        if slots == 0 {
            return Err(SearchError::ZeroSize);
        }
        let slots = match u32::try_from(slots) {
            Ok(slots) if slots <= SLOT_SET_SLOTS => slots,
            _ => return Err(SearchError::AboveSlotSet),
        };
        let min_align = dev.min_align_mask();
        let offset = dev.align_offset(0, wanted.orig);
        let page_aligned =
            wanted.alloc_align_mask == 0 && min_align == 0 && wanted.alloc_size >= page_bytes;
        let align = if page_aligned {
            page_bytes - 1
        } else {
            u64::from(wanted.alloc_align_mask)
        };
        let zero_mask = align | SLOT_MASK;
        let keep_mask = u64::from(min_align) & !zero_mask;
        let stride = max_slots(zero_mask.max(keep_mask));
        let base_dma = pool_dma & boundary_mask;
        Ok(Self {
            slots,
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most 256 KiB, less a slot"
            )]
            first_size: wanted.alloc_size.wrapping_sub(offset) as i32,
            base_dma,
            zero_mask,
            keep_mask,
            orig: wanted.orig,
            stride,
            regular: Regular::new(wanted.orig, base_dma, zero_mask, keep_mask, stride),
            boundary: Boundary::new(base_dma, boundary_slots, pool_slots, slots),
        })
    }

    /// Returns whether the run is longer than the distance of two boundaries.
    pub(crate) const fn is_above_boundary(&self) -> bool {
        matches!(self.boundary, Boundary::TooNarrow)
    }

    /// Returns whether no slot of the pool can satisfy alignment or boundary.
    const fn is_hopeless(&self) -> bool {
        self.is_above_boundary() || self.base_dma & SLOT_MASK != 0
    }

    /// Returns how far the free run that begins at `slot`, counted in the pool, suits.
    pub(crate) fn suit(&self, slot: u32) -> Suit {
        let slot = u64::from(slot);
        let dma = self.base_dma.wrapping_add(slot * SLOT_BYTES);
        if dma & self.zero_mask != 0 {
            return Suit::Misaligned;
        }
        if self.orig != 0 && dma & self.keep_mask != self.orig & self.keep_mask {
            return Suit::WrongSide;
        }
        let set = u64::from(SLOT_SET_SLOTS);
        let allowed = self.boundary.allowed(slot / set, self.slots);
        if allowed >> (slot % set) & 1 == 0 {
            return Suit::CrossesBoundary;
        }
        Suit::Suitable
    }

    /// Returns the bits that must be zero, those that must be kept, and the stride in slots.
    pub(crate) const fn masks(&self) -> (u64, u64, u64) {
        (self.zero_mask, self.keep_mask, self.stride)
    }

    /// The two progressions of regular masks.
    fn find_regular(
        &self,
        regular: &Regular,
        domain: &mut Domain,
        base: u64,
        area_slots: u64,
        cursor: u64,
    ) -> Option<u32> {
        let first = regular.first_from(base + cursor) - base;
        // Steps counted when the walk wraps to slot 0.
        let mut checked = area_slots - cursor;
        if first < area_slots {
            let end = base + area_slots;
            if let Some(found) = self.scan(domain, base + first, end, regular.pace) {
                return Some(found);
            }
            let last = first + (area_slots - 1 - first) / regular.pace * regular.pace;
            checked = (last + self.stride).max(area_slots) - cursor;
        }
        let rest = area_slots.checked_sub(checked)?;
        let first = regular.first_from(base) - base;
        if first >= rest {
            return None;
        }
        self.scan(domain, base + first, base + rest, regular.pace)
    }

    /// Looks at the slots `from`, `from + pace`, ... below `end`.
    fn scan(&self, domain: &mut Domain, from: u64, end: u64, pace: u64) -> Option<u32> {
        const SET: u64 = SLOT_SET_SLOTS as u64;
        if pace > SET {
            let mut slot = from;
            while slot < end {
                if let Some(found) = self.scan_set(domain, slot / SET, 1 << (slot % SET)) {
                    return Some(found);
                }
                slot += pace;
            }
            return None;
        }
        let pattern = EVERY[pace.trailing_zeros() as usize] << (from % pace);
        let last_set = (end - 1) / SET;
        let mut positions = pattern & (u128::MAX << (from % SET));
        for set in from / SET..=last_set {
            if set == last_set {
                let left = u32::try_from(end - set * SET).unwrap_or(SLOT_SET_SLOTS);
                positions &= range_mask(0, left);
            }
            if let Some(found) = self.scan_set(domain, set, positions) {
                return Some(found);
            }
            positions = pattern;
        }
        None
    }

    /// Looks at the slots of one set whose bits are set in `positions`.
    fn scan_set(&self, domain: &mut Domain, set: u64, positions: u128) -> Option<u32> {
        let index = usize::try_from(set - u64::from(domain.first_slot / SLOT_SET_SLOTS)).ok()?;
        let fitting = domain.table.fitting(index, self.slots);
        if fitting == 0 {
            return None;
        }
        let allowed = self.boundary.allowed(set, self.slots);
        let fitting = fitting & positions & allowed;
        if fitting == 0 {
            return None;
        }
        let set = u32::try_from(set).ok()?;
        Some(set * SLOT_SET_SLOTS + fitting.trailing_zeros())
    }

    /// The kernel's walk, for masks whose aligned slots are no progression.
    fn walk(&self, domain: &mut Domain, base: u64, area_slots: u64, cursor: u64) -> Option<u32> {
        let mut index = cursor;
        let mut checked = 0;
        while checked < area_slots {
            let slot = base + index;
            let dma = self.base_dma.wrapping_add(slot * SLOT_BYTES);
            let misaligned = dma & self.zero_mask != 0
                || (self.orig != 0 && dma & self.keep_mask != self.orig & self.keep_mask);
            let step = if misaligned {
                1
            } else {
                let set = slot / u64::from(SLOT_SET_SLOTS);
                let position = 1 << (slot % u64::from(SLOT_SET_SLOTS));
                if let Some(found) = self.scan_set(domain, set, position) {
                    return Some(found);
                }
                self.stride
            };
            index += step;
            if index >= area_slots {
                index = 0;
            }
            checked += step;
        }
        None
    }
}

impl FindRun for Search {
    fn slots(&self) -> u32 {
        self.slots
    }

    fn first_size(&self) -> i32 {
        self.first_size
    }

    fn find(&self, domain: &mut Domain, area: u32) -> Option<u32> {
        let state = *domain.area(area);
        let area_slots = u64::from(domain.area_slots);
        if u64::from(self.slots) > state.free || self.is_hopeless() {
            return None;
        }
        let base = u64::from(domain.first_slot) + u64::from(area) * area_slots;
        let cursor = u64::from(state.cursor);
        let found = match self.regular {
            Some(regular) => self.find_regular(&regular, domain, base, area_slots, cursor),
            None => self.walk(domain, base, area_slots, cursor),
        };
        found.map(|slot| slot - domain.first_slot)
    }
}

impl Regular {
    fn new(orig: u64, base_dma: u64, zero: u64, keep: u64, stride: u64) -> Option<Self> {
        let mask = if orig == 0 { zero } else { zero | keep };
        if !(mask + 1).is_power_of_two() || !(zero + 1).is_power_of_two() {
            return None;
        }
        let period = max_slots(mask);
        let pace = stride.next_multiple_of(period);
        if !pace.is_power_of_two() {
            return None;
        }
        let wanted = if orig == 0 { 0 } else { orig & keep };
        let residue = (wanted >> SLOT_SHIFT).wrapping_sub(base_dma >> SLOT_SHIFT) & (period - 1);
        Some(Self {
            residue,
            period,
            pace,
        })
    }

    /// Returns the first aligned slot at or behind `slot`.
    const fn first_from(&self, slot: u64) -> u64 {
        slot + (self.residue.wrapping_sub(slot) & (self.period - 1))
    }
}

impl Boundary {
    fn new(base_dma: u64, boundary_slots: u64, pool_slots: u32, slots: u32) -> Self {
        let within = boundary_slots - 1;
        let shift = slots_of(base_dma);
        if u64::from(slots) > boundary_slots {
            return Self::TooNarrow;
        }
        if (shift & within) + u64::from(pool_slots) <= boundary_slots {
            return Self::None;
        }
        if boundary_slots >= u64::from(SLOT_SET_SLOTS) {
            return Self::Sparse {
                shift,
                slots: boundary_slots,
            };
        }
        let mut allowed = 0;
        for bit in 0..SLOT_SET_SLOTS {
            let place = shift.wrapping_add(u64::from(bit)) & within;
            if place + u64::from(slots) <= boundary_slots {
                allowed |= 1 << bit;
            }
        }
        Self::Dense(allowed)
    }

    /// Returns where in `set` a run of `len` slots may begin.
    fn allowed(self, set: u64, len: u32) -> u128 {
        match self {
            Self::None => u128::MAX,
            Self::TooNarrow => 0,
            Self::Dense(allowed) => allowed,
            Self::Sparse { shift, slots } => {
                let set_start = shift.wrapping_add(set * u64::from(SLOT_SET_SLOTS));
                let boundary = set_start.wrapping_neg() & (slots - 1);
                match u32::try_from(boundary) {
                    Ok(boundary) if boundary < SLOT_SET_SLOTS => {
                        let from = (boundary + 1).saturating_sub(len);
                        !range_mask(from, boundary - from)
                    }
                    _ => u128::MAX,
                }
            }
        }
    }
}
