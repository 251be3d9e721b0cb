//! Clock and reset inputs.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Deserialize as DeserializeDerive, Serialize};

/// A clock input: its port, or a table when it does not run with the base clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockSpec {
    /// Clock port of the core.
    pub port: String,
    /// Ticks of the base clock from one rising edge to the next. The base clock rises once in each simulated
    /// cycle; a clock of period 1 is the base clock.
    pub period: u32,
    /// Tick of the first rising edge, below `period`.
    pub phase: u32,
}

/// A clock that does not run with the base clock.
#[derive(DeserializeDerive, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ClockTable")]
struct ClockTable {
    /// Clock port of the core.
    port: String,
    /// Ticks of the base clock from one rising edge to the next; 1 is the base clock itself. Any set of whole
    /// numbers gives the ratios: periods 2 and 3 are two clocks of ratio 3:2, neither of them the base clock.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1024))]
    period: u32,
    /// Tick of the first rising edge, below `period`.
    #[serde(default)]
    phase: u32,
}

const fn one() -> u32 {
    1
}

impl<'de> Deserialize<'de> for ClockSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClockVisitor;

        impl<'de> Visitor<'de> for ClockVisitor {
            type Value = ClockSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a port or a table with port, period and phase")
            }

            fn visit_str<E: de::Error>(self, port: &str) -> Result<ClockSpec, E> {
                let port = port.to_owned();
                let (period, phase) = (1, 0);
                Ok(ClockSpec {
                    port,
                    period,
                    phase,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClockSpec, A::Error> {
                let ClockTable {
                    port,
                    period,
                    phase,
                } = ClockTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ClockSpec {
                    port,
                    period,
                    phase,
                })
            }
        }

        deserializer.deserialize_any(ClockVisitor)
    }
}

impl JsonSchema for ClockSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Clock".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<ClockTable>();
        json_schema!({
            "description": "A clock input: its port, or a table when it does not run with the base clock.",
            "anyOf": [{ "type": "string" }, table],
        })
    }
}

/// A reset input. All resets are held and released together, at a falling edge of the base clock.
#[derive(Debug, Clone, DeserializeDerive, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Reset")]
pub struct ResetSpec {
    /// Reset port of the core.
    pub port: String,
    /// Level that resets: `low` or `high`.
    pub active: ActiveLevel,
    /// `sync`: acts at a rising edge of its clock, so `cycles` counts these. `async`: acts at once, so
    /// `cycles` counts ticks of the base clock, and a clock that stands still does no harm.
    #[serde(default)]
    pub kind: ResetKind,
    /// Clock port that a `sync` reset belongs to; default: the first of `clocks`.
    pub clock: Option<String>,
    /// Cycles that the core wants to be held in reset. The longest of all resets counts.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub cycles: u32,
}

/// When a reset acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, DeserializeDerive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResetKind {
    /// At a rising edge of its clock.
    #[default]
    Sync,
    /// At once, without an edge.
    Async,
}

/// The level at which a signal acts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, DeserializeDerive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActiveLevel {
    /// Acts when 0.
    Low,
    /// Acts when 1.
    #[default]
    High,
}
