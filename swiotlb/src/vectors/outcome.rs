//! What a row gave, and whether that is what its result cell says.

use std::fmt;

use super::data::{parse_crc, parse_number};

/// The result of a row, not yet as text: text is only made for a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The row has no result.
    Nothing,
    Word(&'static str),
    Address(u64),
    Number(u64),
    Crc(u32),
    Text(String),
}

impl Outcome {
    /// Returns whether the result cell says the same.
    pub(super) fn matches(&self, cell: &[u8]) -> bool {
        match self {
            Self::Nothing => cell.is_empty(),
            Self::Word(word) => cell == word.as_bytes(),
            Self::Address(addr) => cell.starts_with(b"0x") && parse_number(cell) == Some(*addr),
            Self::Number(number) => !cell.starts_with(b"0x") && parse_number(cell) == Some(*number),
            Self::Crc(crc) => parse_crc(cell) == Some(*crc),
            Self::Text(text) => cell == text.as_bytes(),
        }
    }
}

impl From<bool> for Outcome {
    fn from(flag: bool) -> Self {
        Self::Number(u64::from(flag))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Word(word) => f.write_str(word),
            Self::Address(addr) => write!(f, "{addr:#x}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Crc(crc) => write!(f, "{crc:08x}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_compared_in_the_notation_of_the_format() {
        assert!(Outcome::Address(0x1000).matches(b"0x1000"));
        assert!(!Outcome::Address(0x1000).matches(b"4096"));
        assert!(Outcome::Number(4096).matches(b"4096"));
        assert!(!Outcome::Number(0).matches(b"FAIL"));
        assert!(Outcome::Word("FAIL").matches(b"FAIL"));
        assert!(Outcome::Crc(0x602b_cf22).matches(b"602bcf22"));
        assert!(Outcome::Nothing.matches(b""));
        assert!(!Outcome::Nothing.matches(b"OK"));
        assert!(Outcome::from(true).matches(b"1"));
        assert_eq!(Outcome::Crc(0xab).to_string(), "000000ab");
    }
}
