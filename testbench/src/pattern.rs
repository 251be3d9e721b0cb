//! Data patterns: a byte tells what it is, whose it is, and where it belongs.
//!
//! As with the kernel's `dmatest`, the top bits say what a byte is, so that "was not copied", "was
//! copied" and "source was overwritten" can be told apart from the memory alone. The low six bits
//! are a hash of buffer, round and offset, so that bytes of another place do not pass for the right ones.

use std::fmt;

use crate::seed::mix;

/// What a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Around a buffer: nobody may change it.
    Guard,
    /// In a destination, before the device wrote it.
    Background,
    /// In a source, written by the CPU in this round of the buffer's use.
    Source {
        /// Number of times the CPU has refilled the buffer.
        round: u32,
    },
}

impl Kind {
    const fn tag(self) -> u8 {
        match self {
            Self::Guard => 0x00,
            Self::Background => 0x40,
            Self::Source { round } => {
                if round.is_multiple_of(2) {
                    0x80
                } else {
                    0xc0
                }
            }
        }
    }

    /// Reads from a byte what kind it claims to be; the round is known by its parity only.
    #[must_use]
    pub const fn claimed_by(byte: u8) -> &'static str {
        match byte & 0xc0 {
            0x00 => "guard",
            0x40 => "background",
            _ => "source",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard => f.write_str("guard"),
            Self::Background => f.write_str("background"),
            Self::Source { round } => write!(f, "source of round {round}"),
        }
    }
}

/// Returns the byte of `kind` at `offset` of the buffer with this `salt`.
#[must_use]
pub fn byte(kind: Kind, salt: u64, offset: u64) -> u8 {
    kind.tag() | (word(kind, salt, offset / 8).to_le_bytes()[(offset % 8) as usize] & 0x3f)
}

/// Writes the bytes of `kind` from `offset` on.
pub fn fill(kind: Kind, salt: u64, offset: u64, bytes: &mut [u8]) {
    let mut current = offset / 8;
    let mut lanes = word(kind, salt, current).to_le_bytes();
    for (position, slot) in (offset..).zip(bytes) {
        if position / 8 != current {
            current = position / 8;
            lanes = word(kind, salt, current).to_le_bytes();
        }
        *slot = kind.tag() | (lanes[(position % 8) as usize] & 0x3f);
    }
}

/// Returns `bytes` bytes of `kind` from `offset` on.
#[must_use]
pub fn filled(kind: Kind, salt: u64, offset: u64, bytes: usize) -> Vec<u8> {
    let mut data = vec![0; bytes];
    fill(kind, salt, offset, &mut data);
    data
}

fn word(kind: Kind, salt: u64, index: u64) -> u64 {
    let round = match kind {
        Kind::Source { round } => u64::from(round) + 2,
        Kind::Background => 1,
        Kind::Guard => 0,
    };
    mix(mix(salt.wrapping_add(round << 48)).wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Kind = Kind::Source { round: 0 };

    #[test]
    fn filling_from_any_offset_gives_the_bytes_of_their_places() {
        for offset in 0..20 {
            let filled = filled(SOURCE, 7, offset, 33);
            for (position, value) in (offset..).zip(&filled) {
                assert_eq!(*value, byte(SOURCE, 7, position));
            }
        }
    }

    #[test]
    fn kinds_are_told_apart_by_the_byte_alone() {
        for offset in 0..4096 {
            assert_eq!(Kind::claimed_by(byte(Kind::Guard, 1, offset)), "guard");
            assert_eq!(
                Kind::claimed_by(byte(Kind::Background, 1, offset)),
                "background"
            );
            assert_eq!(Kind::claimed_by(byte(SOURCE, 1, offset)), "source");
            assert_ne!(
                byte(SOURCE, 1, offset),
                byte(Kind::Source { round: 1 }, 1, offset),
                "successive rounds always differ"
            );
        }
    }

    #[test]
    fn bytes_of_another_place_rarely_pass_for_the_right_ones() {
        for shift in [1, 8, 64, 2048, 4096, 65536] {
            let right = filled(SOURCE, 3, 0, 4096);
            let shifted = filled(SOURCE, 3, shift, 4096);
            let equal = right.iter().zip(&shifted).filter(|(a, b)| a == b).count();
            assert!(equal < 4096 / 32, "{equal} of 4096 equal at shift {shift}");
        }
    }
}
