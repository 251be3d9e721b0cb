//! Runs of bits in a slot set. Shifts of 128 bits by a variable cost ten instructions and more, so
//! what can be done in one half is done there.

use crate::slot::SLOT_SET_SLOTS;

/// Bit mask of `len` slots from `from` on within a set.
#[inline(always)]
pub(crate) const fn range_mask(from: u32, len: u32) -> u128 {
    if len == 0 {
        return 0;
    }
    if from + len <= 64 {
        return (u64::MAX >> (64 - len) << from) as u128;
    }
    if from >= 64 {
        return ((u64::MAX >> (64 - len) << (from - 64)) as u128) << 64;
    }
    (u128::MAX >> (SLOT_SET_SLOTS - len)) << from
}

/// Returns the bits at which a run of at least `len` set bits begins (1 to 128).
#[inline(always)]
pub(crate) const fn runs_of(bits: u128, len: u32) -> u128 {
    if len == 1 {
        return bits;
    }
    if len == SLOT_SET_SLOTS {
        return (bits == u128::MAX) as u128;
    }
    let pairs = bits & bits >> 1;
    if len == 2 {
        return pairs;
    }
    longer_runs(pairs, len)
}

/// As [`runs_of`], from the starts of runs of two on. Shifts by constants, each of four instructions.
const fn longer_runs(pairs: u128, len: u32) -> u128 {
    let mut runs = pairs;
    let mut have = 2;
    if len >= 4 {
        runs &= runs >> 2;
        have = 4;
    }
    if len >= 8 {
        runs &= runs >> 4;
        have = 8;
    }
    if len >= 16 {
        runs &= runs >> 8;
        have = 16;
    }
    if len >= 32 {
        runs &= runs >> 16;
        have = 32;
    }
    if len >= 64 {
        runs &= runs >> 32;
        have = 64;
    }
    if len > have {
        runs &= runs >> (len - have);
    }
    runs
}

/// As [`runs_of`], in one half; no run is longer than 64.
#[inline(always)]
pub(crate) const fn half_runs_of(half: u64, len: u32) -> u64 {
    match len {
        1 => half,
        2 => half & half >> 1,
        3..=64 => longer_half_runs(half, len),
        _ => 0,
    }
}

/// As [`half_runs_of`], from 3 on.
#[inline(always)]
const fn longer_half_runs(half: u64, len: u32) -> u64 {
    let mut runs = half & half >> 1;
    let mut have = 2;
    while have * 2 <= len {
        runs &= runs >> have;
        have *= 2;
    }
    if have < len {
        runs &= runs >> (len - have);
    }
    runs
}

/// Returns the length of the longest run of set bits.
pub(crate) const fn longest_run(bits: u128) -> u32 {
    let mut starts = bits;
    let mut longest = 0;
    while starts != 0 {
        starts &= starts >> 1;
        longest += 1;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_the_same_in_one_half_and_across_both() {
        for from in 0..128 {
            for len in 1..=128 - from {
                let expected = (u128::MAX >> (128 - len)) << from;
                assert_eq!(range_mask(from, len), expected, "{from}+{len}");
            }
            assert_eq!(range_mask(from, 0), 0);
        }
    }

    #[test]
    fn runs_are_found_by_doubling() {
        let bits = 0b1110_1111_0110_1111_u128;
        assert_eq!(runs_of(bits, 1), bits);
        assert_eq!(runs_of(bits, 3), 0b0010_0011_0000_0011);
        assert_eq!(runs_of(bits, 4), 0b0000_0001_0000_0001);
        assert_eq!(runs_of(u128::MAX, 128), 1);
        assert_eq!(runs_of(u128::MAX >> 1, 128), 0);
        for len in 1..=128 {
            assert_eq!(runs_of(u128::MAX, len), u128::MAX >> (len - 1), "{len}");
            let one_less = u128::MAX >> (128 - len) >> 1;
            assert_eq!(runs_of(one_less, len), 0, "{len}");
            assert_eq!(runs_of(range_mask(128 - len, len), len), 1 << (128 - len));
        }
    }

    #[test]
    fn one_half_gives_the_same_runs_as_both() {
        let mut half = 0x9e37_79b9_7f4a_7c15_u64;
        for len in 1..=64 {
            half = half.rotate_left(7) | half >> (len % 5);
            assert_eq!(
                u128::from(half_runs_of(half, len)),
                runs_of(u128::from(half), len)
            );
        }
        assert_eq!(half_runs_of(u64::MAX, 65), 0);
    }

    #[test]
    fn the_longest_run_counts_across_both_halves() {
        assert_eq!(longest_run(0b1110_1111_0110_1111), 4);
        assert_eq!(longest_run(range_mask(60, 9) | 0xff), 9);
        assert_eq!(longest_run(u128::MAX), 128);
        assert_eq!(longest_run(0), 0);
    }
}
