//! What a step of the control program writes or compares: a number, or a symbol of the transfer.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use super::BitRange;

/// What a value is expected to be, in words.
const EXPECTED: &str = "a number, or one of src, dst, len, tag or a name that a step has read, with .lo, .hi, .words, \
                        .beats, [high:low] or - 1 behind it";

/// A number, or a symbol of the transfer: `0x1000`, `src.lo`, `src[47:32]`, `len.words - 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The number itself.
    Constant(u64),
    /// Taken from the transfer.
    Symbol(SymbolValue),
}

/// A symbol with what is done to it, in this order: unit, minus one, bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolValue {
    /// The symbol.
    pub symbol: Symbol,
    /// What it counts.
    pub unit: Unit,
    /// One less: a core that counts beats from 0.
    pub minus_one: bool,
    /// The bits that are taken; all, if absent.
    pub bits: Option<BitRange>,
}

/// What a value can stand for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symbol {
    /// `src`: DMA address that the core reads.
    Source,
    /// `dst`: DMA address that the core writes.
    Destination,
    /// `len`: bytes of the transfer, or of the piece of it that fits the core's limits.
    Length,
    /// `tag`: number of the transfer, which the driver gives.
    Tag,
    /// A name that an earlier step has read `into`.
    Read(String),
}

/// What an address or a length counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    #[default]
    Bytes,
    /// Words of `control.word_bytes` bytes.
    Words,
    /// Beats: the width of the core's data bus.
    Beats,
}

/// Bytes of the units, in one build of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitBytes {
    /// Bytes of a word.
    pub word: u64,
    /// Bytes of a beat.
    pub beat: u64,
}

/// A value that cannot be worked out for this transfer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Nobody has given the symbol a value.
    #[error("`{0}` has no value here")]
    NoValue(Symbol),
    /// Not a whole number of units.
    #[error("expected `{symbol}` to be a multiple of {unit_bytes} bytes, got {value:#x}")]
    NotWhole {
        /// The symbol.
        symbol: Symbol,
        /// Its value in bytes.
        value: u64,
        /// Bytes of a unit.
        unit_bytes: u64,
    },
    /// One less than nothing.
    #[error("expected `{0}` to be at least 1, of which 1 is taken, got 0")]
    BelowZero(Symbol),
}

impl Value {
    /// The symbol in it, if it has one.
    pub const fn symbol(&self) -> Option<&Symbol> {
        match self {
            Self::Constant(_) => None,
            Self::Symbol(value) => Some(&value.symbol),
        }
    }

    /// The number for one transfer, whose symbols `symbol` knows.
    ///
    /// # Errors
    /// If the symbol has no value, or is not a whole number of units.
    pub fn resolve(
        &self,
        symbol: impl FnOnce(&Symbol) -> Option<u64>,
        units: UnitBytes,
    ) -> Result<u64, ValueError> {
        let value = match self {
            Self::Constant(number) => return Ok(*number),
            Self::Symbol(value) => value,
        };
        let name = &value.symbol;
        let bytes = symbol(name).ok_or_else(|| ValueError::NoValue(name.clone()))?;
        let unit_bytes = match value.unit {
            Unit::Bytes => 1,
            Unit::Words => units.word.max(1),
            Unit::Beats => units.beat.max(1),
        };
        if bytes % unit_bytes != 0 {
            return Err(ValueError::NotWhole {
                symbol: name.clone(),
                value: bytes,
                unit_bytes,
            });
        }
        let count = (bytes / unit_bytes)
            .checked_sub(u64::from(value.minus_one))
            .ok_or_else(|| ValueError::BelowZero(name.clone()))?;
        Ok(value.bits.map_or(count, |bits| bits.of(count)))
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Source => "src",
            Self::Destination => "dst",
            Self::Length => "len",
            Self::Tag => "tag",
            Self::Read(name) => name,
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match self {
            Self::Constant(number) => return write!(formatter, "{number:#x}"),
            Self::Symbol(value) => value,
        };
        write!(formatter, "{}", value.symbol)?;
        formatter.write_str(match value.unit {
            Unit::Bytes => "",
            Unit::Words => ".words",
            Unit::Beats => ".beats",
        })?;
        if let Some(bits) = value.bits {
            write!(formatter, "[{bits}]")?;
        }
        formatter.write_str(if value.minus_one { " - 1" } else { "" })
    }
}

/// A text that is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{EXPECTED}")]
pub struct NotAValue;

impl FromStr for Value {
    type Err = NotAValue;

    fn from_str(text: &str) -> Result<Self, NotAValue> {
        let text = text.trim();
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return number(text).map(Self::Constant).ok_or(NotAValue);
        }
        let (rest, minus_one) = match text.split_once('-') {
            Some((rest, "1" | " 1")) => (rest.trim_end(), true),
            Some(_) => return Err(NotAValue),
            None => (text, false),
        };
        let (rest, mut bits) = match rest.split_once('[') {
            Some((rest, bits)) => {
                let bits = bits.strip_suffix(']').ok_or(NotAValue)?;
                (rest, Some(bits.parse().map_err(|_| NotAValue)?))
            }
            None => (rest, None),
        };
        let mut parts = rest.split('.');
        let symbol = parts.next().and_then(symbol).ok_or(NotAValue)?;
        let mut unit = Unit::Bytes;
        for part in parts {
            let half = |low| {
                Some(BitRange {
                    high: low + 31,
                    low,
                })
            };
            match part {
                "words" if unit == Unit::Bytes => unit = Unit::Words,
                "beats" if unit == Unit::Bytes => unit = Unit::Beats,
                "bytes" => {}
                "lo" if bits.is_none() => bits = half(0),
                "hi" if bits.is_none() => bits = half(32),
                _ => return Err(NotAValue),
            }
        }
        Ok(Self::Symbol(SymbolValue {
            symbol,
            unit,
            minus_one,
            bits,
        }))
    }
}

fn symbol(name: &str) -> Option<Symbol> {
    Some(match name {
        "src" => Symbol::Source,
        "dst" => Symbol::Destination,
        "len" => Symbol::Length,
        "tag" => Symbol::Tag,
        _ if is_name(name) => Symbol::Read(name.to_owned()),
        _ => return None,
    })
}

/// Whether a step may read into `name`.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn number(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl Visitor<'_> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(EXPECTED)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
                u64::try_from(value)
                    .map(Value::Constant)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Constant(value))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                text.parse()
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, or a symbol of the transfer: src, dst, len, tag, or a name that an earlier step has read. \
                            Behind it .lo or .hi (32 bits each), [high:low], .words or .beats, and - 1: `src.hi`, \
                            `src[47:32]`, `len.words - 1`. The order is unit, minus one, bits.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: UnitBytes = UnitBytes { word: 4, beat: 8 };

    fn resolve(text: &str, value: u64) -> Result<u64, ValueError> {
        let parsed: Value = text.parse().unwrap_or_else(|_| panic!("{text} is a value"));
        parsed.resolve(|_| Some(value), UNITS)
    }

    #[test]
    fn halves_slices_and_units_are_taken_from_a_symbol() {
        let address = 0x0123_4567_89ab_cdef;
        assert_eq!(resolve("src.lo", address), Ok(0x89ab_cdef));
        assert_eq!(resolve("dst.hi", address), Ok(0x0123_4567));
        assert_eq!(resolve("src[47:32]", address), Ok(0x4567));
        assert_eq!(resolve("src[3]", address), Ok(1));
        assert_eq!(resolve("len.words - 1", 64), Ok(15));
        assert_eq!(resolve("len.beats-1", 64), Ok(7));
        assert_eq!(resolve("len - 1", 64), Ok(63));
        assert_eq!(resolve("src.words.lo", 0x10_0000_0000), Ok(0));
        assert_eq!(resolve("0xffff_ffff_ffff_ffff", 0), Ok(u64::MAX));
    }

    #[test]
    fn a_length_that_is_no_whole_number_of_units_is_refused() {
        assert_eq!(
            resolve("len.words", 6).expect_err("six bytes").to_string(),
            "expected `len` to be a multiple of 4 bytes, got 0x6"
        );
        assert_eq!(
            resolve("len.words - 1", 0)
                .expect_err("nothing")
                .to_string(),
            "expected `len` to be at least 1, of which 1 is taken, got 0"
        );
        let absent: Value = "id".parse().expect("a value");
        assert_eq!(
            absent.resolve(|_| None, UNITS),
            Err(ValueError::NoValue(Symbol::Read("id".into())))
        );
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for wrong in [
            "",
            "src.",
            "src.lo.hi",
            "len.word",
            "len - 2",
            "src[",
            "src[0:3]",
            "len.words.beats",
            "0x",
            "a b",
        ] {
            assert_eq!(wrong.parse::<Value>(), Err(NotAValue), "{wrong}");
        }
    }

    #[test]
    fn a_value_is_shown_as_it_is_written() {
        for text in ["src[31:0]", "len.words - 1", "id", "0x1000", "tag[7:0]"] {
            assert_eq!(text.parse::<Value>().expect("a value").to_string(), text);
        }
    }
}
