//! A number in a manifest, written out or taken from a parameter.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A number, the name of the parameter that holds it, or a part of that: `"DataWidth / 8"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// The number itself.
    Value(u64),
    /// Name of a parameter of the manifest.
    Parameter(String),
    /// A parameter of the manifest, divided.
    Quotient {
        /// Name of the parameter.
        parameter: String,
        /// What it is divided by, without a rest; not 0.
        by: u64,
    },
}

impl Size {
    /// The parameter that decides it.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::Parameter(parameter) | Self::Quotient { parameter, .. } => Some(parameter),
        }
    }

    /// The number, given the value of its parameter; `None` for a division with a rest.
    pub fn of(&self, parameter: u64) -> Option<u64> {
        match self {
            Self::Value(value) => Some(*value),
            Self::Parameter(_) => Some(parameter),
            Self::Quotient { by, .. } => {
                let is_whole = *by != 0 && parameter.is_multiple_of(*by);
                is_whole.then(|| parameter / by)
            }
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(formatter, "{value}"),
            Self::Parameter(name) => formatter.write_str(name),
            Self::Quotient { parameter, by } => write!(formatter, "{parameter} / {by}"),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;

        impl Visitor<'_> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a number of at least 0, the name of a parameter, or \"NAME / NUMBER\"",
                )
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Size, E> {
                u64::try_from(value)
                    .map(Size::Value)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Size, E> {
                Ok(Size::Value(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Size, E> {
                let Some((name, by)) = value.split_once('/') else {
                    return Ok(Size::Parameter(value.to_owned()));
                };
                let by = by.trim().parse().ok().filter(|by| *by != 0);
                let by = by.ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))?;
                let parameter = name.trim().to_owned();
                Ok(Size::Quotient { parameter, by })
            }
        }

        deserializer.deserialize_any(SizeVisitor)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, the name of the parameter that holds it, or a part of that: \"DataWidth / 8\".",
            "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }],
        })
    }
}
