//! One seed for everything: named streams, so that a new consumer never shifts the others.

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng as _;
use rand::rand_core::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The seed of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(u64);

/// A seed that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a seed: expected a number such as 42 or 0x2a")]
pub struct SeedError(String);

impl Seed {
    /// Wraps a raw seed.
    #[must_use]
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// Returns the raw seed.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Opens the stream of random numbers with this name.
    #[must_use]
    pub fn stream(self, name: &str) -> Stream {
        Stream(Xoshiro256PlusPlus::seed_from_u64(self.derive(name)))
    }

    /// Derives the seed of a part from its name (FNV-1a of the name, mixed with the seed).
    #[must_use]
    pub fn derive(self, name: &str) -> u64 {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        mix(hash ^ mix(self.0))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .strip_prefix("0x")
            .map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16));
        parsed.map(Self).map_err(|_| SeedError(text.to_owned()))
    }
}

/// A stream of random numbers with a name of its own.
#[derive(Debug, Clone)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// Draws a number below `limit` (0 if `limit` is 0).
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 {
            return 0;
        }
        // The bias of a plain remainder is below 2^-40 for the limits in use here.
        self.0.next_u64() % limit
    }

    /// Draws a number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Draws one of `choices`, which must not be empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len() as u64);
        choices[usize::try_from(index).expect("an index of a slice fits")]
    }
}

/// Mixes the bits of a word (the finaliser of splitmix64).
#[must_use]
pub const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_with_different_names_differ_and_repeat() {
        let seed = Seed::new(42);
        let draw = |name: &str| {
            let mut stream = seed.stream(name);
            [stream.below(1 << 40), stream.below(1 << 40)]
        };
        assert_eq!(draw("bus.r.stall"), draw("bus.r.stall"));
        assert_ne!(draw("bus.r.stall"), draw("bus.w.stall"));
        assert_ne!(Seed::new(43).derive("a"), seed.derive("a"));
    }

    #[test]
    fn draws_stay_in_range() {
        let mut stream = Seed::new(1).stream("range");
        assert!((0..1000).all(|_| (3..=9).contains(&stream.between(3, 9))));
        assert_eq!(stream.below(0), 0);
    }

    #[test]
    fn seeds_are_read_in_decimal_and_hexadecimal() {
        assert_eq!("0x2a".parse(), Ok(Seed::new(42)));
        assert_eq!("42".parse(), Ok(Seed::new(42)));
        assert!("forty-two".parse::<Seed>().is_err());
        assert_eq!(Seed::new(42).to_string(), "0x2a");
    }
}
