//! One seed for everything: that of the simulation, read from a command line.

pub use rebound_sim::seed::{RandomStream, Seed};

/// A seed that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a seed: expected a number such as 42 or 0x2a")]
pub struct SeedError(String);

/// Reads a seed in decimal, or in hexadecimal after `0x`, as reports print it.
///
/// # Errors
/// If the text is no number of 64 bits.
pub fn parse(text: &str) -> Result<Seed, SeedError> {
    text.strip_prefix("0x")
        .map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16))
        .map(Seed::new)
        .map_err(|_| SeedError(text.to_owned()))
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
    fn seeds_are_read_as_they_are_printed() {
        assert_eq!(parse("0x2a"), Ok(Seed::new(42)));
        assert_eq!(parse("42"), Ok(Seed::new(42)));
        assert_eq!(parse(&Seed::new(42).to_string()), Ok(Seed::new(42)));
        assert!(parse("forty-two").is_err() && parse("").is_err());
    }
}
