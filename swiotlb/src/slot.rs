//! The slot: 2 KiB of bounce memory, and what is known of it.

use crate::addr::PhysAddr;

/// Binary logarithm of [`SLOT_BYTES`] (`IO_TLB_SHIFT`).
#[doc(alias = "IO_TLB_SHIFT")]
pub const SLOT_SHIFT: u32 = 11;
/// Bytes of a slot (`IO_TLB_SIZE`).
#[doc(alias = "IO_TLB_SIZE")]
pub const SLOT_BYTES: u64 = 1 << SLOT_SHIFT;
/// Slots of a slot set, which is also the longest run (`IO_TLB_SEGSIZE`).
#[doc(alias = "IO_TLB_SEGSIZE")]
pub const SLOT_SET_SLOTS: u32 = 128;
/// Bytes of the largest allocation, offset and padding included (256 KiB).
pub const MAX_ALLOC_BYTES: u64 = SLOT_SET_SLOTS as u64 * SLOT_BYTES;
/// Fewest slots with which a reduced pool is tried (`IO_TLB_MIN_SLABS`, 1 MiB).
#[doc(alias = "IO_TLB_MIN_SLABS")]
pub const MIN_SLOTS: u64 = 512;

/// Byte offset mask inside a slot.
pub(crate) const SLOT_MASK: u64 = SLOT_BYTES - 1;

/// Returns the slots that `bytes` bytes take, modulo 2^64 as in the kernel.
pub(crate) const fn slots_of(bytes: u64) -> u64 {
    bytes.wrapping_add(SLOT_MASK) >> SLOT_SHIFT
}

/// Returns how many slots lie between two multiples of `mask + 1`, without computing `mask + 1`.
pub(crate) const fn max_slots(mask: u64) -> u64 {
    (mask >> SLOT_SHIFT) + 1
}

/// Rounds `value` up to a multiple of `align` (a power of two), modulo 2^64 as in the kernel.
pub(crate) const fn align_up(value: u64, align: u64) -> u64 {
    value.wrapping_add(align - 1) & !(align - 1)
}

/// What a slot descriptor says of one slot (`struct io_tlb_slot`), as in [`crate::PoolSnapshot`].
#[doc(alias = "io_tlb_slot")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotInfo {
    /// Original address of byte `off` of this slot (`off` is the alignment offset below 2048, the
    /// same in all slots of a mapping), or `None` in free slots, padding and page allocations.
    pub orig_addr: Option<PhysAddr>,
    /// Bytes from byte `off` of this slot to the end of the allocation, modulo 2^64: in the last
    /// slot it can be "negative".
    pub alloc_size: u64,
    /// Zero if in use, otherwise the length of the free run that starts here in its slot set.
    pub list: u16,
    /// Padding slots in front; only in the first slot that holds data.
    pub pad_slots: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts_round_up_to_slots() {
        assert_eq!(slots_of(0), 0);
        assert_eq!(slots_of(1), 1);
        assert_eq!(slots_of(2048), 1);
        assert_eq!(slots_of(2049), 2);
        assert_eq!(slots_of(MAX_ALLOC_BYTES), 128);
    }

    #[test]
    fn an_all_ones_mask_gives_2_to_the_53_slots() {
        assert_eq!(max_slots(u64::MAX), 1 << 53);
        assert_eq!(max_slots(0xffff), 32);
        assert_eq!(max_slots(0x7ff), 1);
        assert_eq!(max_slots(0), 1);
    }
}
