//! One seed for a whole run: named random streams that do not disturb each other.
//!
//! Each consumer draws from a stream of its own, derived from the seed and the consumer's name. A new
//! consumer therefore never shifts the numbers another one sees, and a failure can be replayed from
//! one `u64`.

use std::fmt;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// The one number from which all randomness of a run follows.
///
/// ```
/// use rebound_sim::seed::Seed;
///
/// let mut stalls = Seed::new(42).stream("bus.r.stall");
/// let mut sizes = Seed::new(42).stream("scenario.sizes");
/// assert_ne!(stalls.next_u64(), sizes.next_u64());
/// assert_eq!(Seed::new(42).stream("x").next_u64(), Seed::new(42).stream("x").next_u64());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(u64);

impl Seed {
    /// Wraps a seed.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// Returns the number, as it is printed in a replay command.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Derives the seed of a part of the run (a scenario, a port), itself a source of streams.
    #[must_use]
    pub fn derive(self, name: &str) -> Self {
        Self(mix(self.0 ^ mix(fnv1a(name))))
    }

    /// Opens the random stream of the consumer `name`.
    #[must_use]
    pub fn stream(self, name: &str) -> RandomStream {
        RandomStream(Xoshiro256PlusPlus::seed_from_u64(self.derive(name).0))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A reproducible sequence of random numbers (xoshiro256++), owned by one consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomStream(Xoshiro256PlusPlus);

impl RandomStream {
    /// Draws 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a number in `0..bound`; 0 if `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiply-shift; the bias of at most bound / 2^64 is of no concern to a simulation.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Draws a number in `low..=high`; `low` if the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.saturating_sub(low).checked_add(1) {
            Some(span) => low + self.below(span),
            None => self.next_u64(),
        }
    }

    /// Says yes with the given probability: never at 0.0 or below, always at 1.0 or above.
    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        self.is_below(threshold(probability))
    }

    /// Picks an element, or `None` of an empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let drawn = self.below(items.len() as u64);
        items.get(usize::try_from(drawn).unwrap_or(0))
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Draws once against a precomputed [`threshold`].
    #[inline]
    pub(crate) fn is_below(&mut self, threshold: u64) -> bool {
        threshold == u64::MAX || self.next_u64() < threshold
    }
}

/// The draw below which an event of the given probability happens.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the product is clamped to the range of u64 by the saturating float cast"
)]
pub(crate) fn threshold(probability: f64) -> u64 {
    (probability.clamp(0.0, 1.0) * u64::MAX as f64) as u64
}

/// FNV-1a over the name: short, stable across Rust versions, and good enough once mixed.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finaliser of `SplitMix64`: every input bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_consumer_does_not_shift_the_others() {
        let seed = Seed::new(7);
        let alone: Vec<u64> = {
            let mut stream = seed.stream("a");
            (0..8).map(|_| stream.next_u64()).collect()
        };
        let mut first = seed.stream("a");
        let mut second = seed.stream("b");
        let interleaved: Vec<u64> = (0..8)
            .map(|_| {
                second.next_u64();
                first.next_u64()
            })
            .collect();
        assert_eq!(alone, interleaved);
    }

    #[test]
    fn streams_are_the_same_in_every_version() {
        // Golden values: a change here would change every recorded run.
        let mut stream = Seed::new(1).stream("bus.r.stall");
        assert_eq!(
            [stream.next_u64(), stream.next_u64()],
            [0x9e7a_be25_e51d_5121, 0x4d49_3c70_b2ec_c254]
        );
    }

    #[test]
    fn chance_follows_its_probability() {
        let mut stream = Seed::new(3).stream("chance");
        let hits = (0..100_000).filter(|_| stream.chance(0.25)).count();
        assert!((24_000..26_000).contains(&hits), "{hits} of 100000");
        assert!(!(0..1000).any(|_| stream.chance(0.0)));
        assert!((0..1000).all(|_| stream.chance(1.0)));
    }

    #[test]
    fn ranges_hold_their_bounds_and_reach_them() {
        let mut stream = Seed::new(4).stream("range");
        let drawn: Vec<u64> = (0..1000).map(|_| stream.between(5, 8)).collect();
        assert_eq!(drawn.iter().min(), Some(&5));
        assert_eq!(drawn.iter().max(), Some(&8));
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.between(9, 3), 9);
        assert_eq!(stream.pick::<u8>(&[]), None);
        assert!(stream.pick(&[1, 2, 3]).is_some());
    }

    #[test]
    fn derived_seeds_differ_by_name_and_by_seed() {
        assert_ne!(Seed::new(1).derive("a"), Seed::new(1).derive("b"));
        assert_ne!(Seed::new(1).derive("a"), Seed::new(2).derive("a"));
    }
}
