//! Half a slot set: 64 slots, whose bits fill one word each, and the records of what begins there.
//!
//! All that a map or unmap of up to 64 slots touches lies here, so one look-up finds it.

use crate::slot::{SLOT_BYTES, SLOT_SET_SLOTS};

/// Slots of a half.
pub(crate) const HALF_SLOTS: u32 = SLOT_SET_SLOTS / 2;

/// What is known of an allocation, kept with its first slot.
#[derive(Debug, Clone, Copy)]
#[repr(C)] // The last fields are written at once.
pub(crate) struct Record {
    /// Original address of the first slot behind the padding; meaningful if there is an origin.
    pub(crate) orig: u64,
    /// `alloc_size` of the first slot. Fits: an allocation has at most 256 KiB, and at least
    /// minus one slot after a release in the middle.
    pub(crate) alloc_size: i32,
    /// Bytes asked for by the caller of the map, or [`Record::NO_ORIGIN`].
    pub(crate) mapped_bytes: u32,
    /// Slots that a release at the first one frees, by a device without alignment, if they all lie in
    /// this half and there is no padding; otherwise 0, and the rest of the record says it.
    pub(crate) whole_slots: u32,
    /// Where in the first data slot the data begins.
    pub(crate) offset: u16,
    /// Padding slots between the first slot of the record and the data.
    pub(crate) padding: u8,
    /// `pad_slots` as stored in the first data slot.
    pub(crate) pad_slots: u8,
}

impl Record {
    /// Stands for the bytes of a page allocation, whose slots carry no original address. No mapping
    /// has that many.
    pub(crate) const NO_ORIGIN: u32 = u32::MAX;

    /// The record of an allocation of no bytes that nobody mapped.
    pub(crate) const EMPTY: Self = Self {
        orig: 0,
        alloc_size: 0,
        mapped_bytes: Self::NO_ORIGIN,
        offset: 0,
        padding: 0,
        pad_slots: 0,
        whole_slots: 0,
    };

    /// Returns whether the slots carry an original address; those of page allocations do not.
    #[inline(always)]
    pub(crate) const fn has_orig(&self) -> bool {
        self.mapped_bytes != Self::NO_ORIGIN
    }

    /// Returns whether this is a mapping of so many bytes, which begin `offset` bytes into the slot.
    pub(crate) fn is_mapping(&self, bytes: u64, offset: u64) -> bool {
        self.has_orig() && u64::from(self.mapped_bytes) == bytes && u64::from(self.offset) == offset
    }

    /// Returns whether a release at the first slot frees from there on.
    #[inline(always)]
    pub(crate) const fn is_unpadded(&self) -> bool {
        self.padding | self.pad_slots == 0
    }

    /// Returns the `alloc_size` of the slot that is `distance` slots behind the first, modulo 2^64.
    #[inline(always)]
    pub(crate) fn alloc_size_at(&self, distance: u32) -> u64 {
        let skipped = u64::from(distance) * SLOT_BYTES;
        i64::from(self.alloc_size)
            .cast_unsigned()
            .wrapping_sub(skipped)
    }

    /// Returns the record that the slot `distance` slots behind the first needs to say the same of
    /// itself and of those behind it.
    pub(crate) fn rest(&self, distance: u32) -> Self {
        let padding = u32::from(self.padding);
        let skipped_data = u64::from(distance.saturating_sub(padding)) * SLOT_BYTES;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a few slots less than `alloc_size`"
        )]
        let alloc_size = self.alloc_size_at(distance) as i32;
        Self {
            orig: self.orig.wrapping_add(skipped_data),
            alloc_size,
            mapped_bytes: self.mapped_bytes,
            offset: self.offset,
            padding: u8::try_from(padding.saturating_sub(distance)).unwrap_or(0),
            pad_slots: if distance <= padding {
                self.pad_slots
            } else {
                0
            },
            whole_slots: 0,
        }
    }
}

/// 64 slots, in cache lines of their own.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Half {
    /// One bit per free slot.
    pub(crate) free: u64,
    /// One bit per slot with which an allocation begins; its record is valid.
    pub(crate) start: u64,
    /// What searches have learnt: no run of that many free slots begins here. 0: nothing.
    pub(crate) learnt: u8,
    /// A release here may end what was learnt: of this half or, if it is the upper one and a run can
    /// reach into it, of the lower one.
    pub(crate) is_watched: bool,
    pub(crate) records: [Record; HALF_SLOTS as usize],
}

impl Half {
    /// Takes the first `len` free slots of which `fitting` has the starts; there must be one, and they
    /// must lie in this half. Returns which it was.
    #[inline(always)]
    pub(crate) fn take_first(&mut self, fitting: u64, len: u32, record: Record) -> u32 {
        let start = fitting & fitting.wrapping_neg();
        let range = (start << (len - 1) << 1).wrapping_sub(start);
        debug_assert_eq!(self.free & range, range, "slots to be taken must be free");
        self.free ^= range;
        self.start |= start;
        let bit = fitting.trailing_zeros();
        self.records[bit as usize] = record;
        bit
    }

    /// Takes the first `len` slots, which belong to an allocation that begins in the half before.
    pub(crate) fn take_rest(&mut self, len: u32) {
        let range = range_of(0, len);
        debug_assert_eq!(self.free & range, range, "slots to be taken must be free");
        self.free &= !range;
    }

    /// Returns whether a slot is in use, by an allocation that begins before it.
    pub(crate) const fn is_rest(&self, bit: u32) -> bool {
        (self.free | self.start) >> bit & 1 == 0
    }

    /// Frees slots, whoever owns them. Returns whether what was learnt may be wrong now.
    #[inline(always)]
    pub(crate) fn release(&mut self, range: u64) -> bool {
        self.free |= range;
        self.start &= !range;
        self.is_watched && (self.learnt != 0 || self.free & 1 == 1)
    }

    /// Returns whether a run of `len` slots may begin here, as far as searches have learnt.
    #[inline(always)]
    pub(crate) fn may_begin(&self, len: u32) -> bool {
        u32::from(self.learnt.wrapping_sub(1)) >= len
    }
}

/// Returns the bits of `len` slots (1 to 64) from `bit` on, as far as they lie in the half.
#[inline(always)]
pub(crate) const fn range_of(bit: u32, len: u32) -> u64 {
    u64::MAX >> (HALF_SLOTS - len) << bit
}

impl Default for Half {
    fn default() -> Self {
        Self {
            free: 0,
            start: 0,
            learnt: 0,
            is_watched: false,
            records: [Record::EMPTY; HALF_SLOTS as usize],
        }
    }
}
