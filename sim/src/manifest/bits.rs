//! Bits of a register, and parts of a port.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// Neighbouring bits, written `high:low` as in Verilog, or `bit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRange {
    /// Highest bit.
    pub high: u32,
    /// Lowest bit.
    pub low: u32,
}

impl BitRange {
    /// Number of bits.
    pub const fn width(self) -> u32 {
        self.high - self.low + 1
    }

    /// The bits of `value`, moved down to bit 0.
    pub const fn of(self, value: u64) -> u64 {
        if self.low >= 64 {
            return 0;
        }
        (value >> self.low) & low_mask(self.width())
    }

    /// The bits within a register, as a mask.
    pub const fn mask(self) -> u64 {
        if self.low >= 64 {
            return 0;
        }
        low_mask(self.width()) << self.low
    }
}

/// Mask of the lowest `bits`.
pub(crate) const fn low_mask(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

impl fmt::Display for BitRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.high == self.low {
            write!(formatter, "{}", self.low)
        } else {
            write!(formatter, "{}:{}", self.high, self.low)
        }
    }
}

/// A text that is no range of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bits as `high:low` or `bit`, high first")]
pub struct NotBits;

impl FromStr for BitRange {
    type Err = NotBits;

    fn from_str(text: &str) -> Result<Self, NotBits> {
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| NotBits);
        let (high, low) = text.split_once(':').unwrap_or((text, text));
        let (high, low) = (number(high)?, number(low)?);
        if high < low || high >= 1 << 16 {
            return Err(NotBits);
        }
        Ok(Self { high, low })
    }
}

impl Serialize for BitRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A port of the core, or neighbouring bits of one: `len`, `tdata[22:0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPart {
    /// Port, behind the prefix of its interface.
    pub port: String,
    /// Bits, if it is not the whole port.
    pub bits: Option<BitRange>,
}

impl FromStr for PortPart {
    type Err = NotBits;

    fn from_str(text: &str) -> Result<Self, NotBits> {
        let (port, bits) = match text.split_once('[') {
            Some((port, rest)) => {
                let bits = rest.strip_suffix(']').ok_or(NotBits)?.parse()?;
                (port, Some(bits))
            }
            None => (text, None),
        };
        if port.is_empty() || port.contains(|c: char| c.is_whitespace() || c == ']') {
            return Err(NotBits);
        }
        let port = port.to_owned();
        Ok(Self { port, bits })
    }
}

impl fmt::Display for PortPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.port)?;
        match self.bits {
            Some(bits) => write!(formatter, "[{bits}]"),
            None => Ok(()),
        }
    }
}

/// Reads a type from a string that parses as it, with a schema of that pattern.
macro_rules! from_text {
    ($type:ty, $name:literal, $expected:literal, $pattern:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextVisitor;

                impl Visitor<'_> for TextVisitor {
                    type Value = $type;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str($expected)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse()
                            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
                    }
                }

                deserializer.deserialize_str(TextVisitor)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $expected })
            }
        }
    };
}

from_text!(
    BitRange,
    "BitRange",
    "bits as `high:low` or `bit`, high first",
    r"^[0-9]+(:[0-9]+)?$"
);
from_text!(
    PortPart,
    "PortPart",
    "a port or a part of one, such as `len` or `tdata[22:0]`",
    r"^[^\s\[\]]+(\[[0-9]+(:[0-9]+)?\])?$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_in_verilog() {
        let range: BitRange = "31:4".parse().expect("a range");
        assert_eq!((range.width(), range.mask()), (28, 0xffff_fff0));
        assert_eq!(range.of(0x1_2345_6789), 0x234_5678);
        assert_eq!(
            "7".parse(),
            Ok(BitRange { high: 7, low: 7 }),
            "a bit is a range"
        );
        for wrong in ["4:31", "", "a:b", "1:", "99999999:0", "-1"] {
            assert_eq!(wrong.parse::<BitRange>(), Err(NotBits), "{wrong}");
        }
    }

    #[test]
    fn the_widest_masks_do_not_overflow() {
        let whole = BitRange { high: 63, low: 0 };
        assert_eq!((whole.mask(), whole.of(u64::MAX)), (u64::MAX, u64::MAX));
        let beyond = BitRange { high: 70, low: 64 };
        assert_eq!((beyond.mask(), beyond.of(u64::MAX)), (0, 0));
    }

    #[test]
    fn parts_of_ports_are_told_from_ports() {
        let part: PortPart = "tdata[22:0]".parse().expect("a part");
        assert_eq!(part.port, "tdata");
        assert_eq!(part.to_string(), "tdata[22:0]");
        assert_eq!("len".parse::<PortPart>().expect("a port").bits, None);
        for wrong in ["tdata[", "[3:0]", "a b", "a]", "a[0:3]"] {
            assert_eq!(wrong.parse::<PortPart>(), Err(NotBits), "{wrong}");
        }
    }
}
