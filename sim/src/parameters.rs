//! Parameters of a core: what a manifest allows and what a run chooses.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::{Manifest, ManifestError, Size, closest};

/// Value of a parameter as chosen: a number, or one of the names the manifest gives to numbers.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(untagged, expecting = "a whole number or a string")]
pub enum ParameterValue {
    /// A number.
    Integer(i64),
    /// A name of the parameter's `names`, or a number written as text (`0x40`).
    Text(String),
}

impl From<i64> for ParameterValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Text(text) => write!(formatter, "\"{text}\""),
        }
    }
}

/// What a parameter decides, so that the testbench can sweep it without knowing its name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// DMA address bits the core implements.
    AddressBits,
    /// Bits of the data bus.
    DataWidth,
    /// Bits of the ids.
    IdWidth,
    /// Bits of the length register or descriptor field.
    LengthBits,
    /// Longest burst in beats.
    MaxBurstBeats,
    /// Read bursts in flight.
    MaxReads,
    /// Write bursts in flight.
    MaxWrites,
}

/// A parameter as the manifest declares it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Parameter")]
pub struct ParameterSpec {
    /// Value unless a run chooses another.
    pub default: ParameterValue,
    /// Smallest value allowed.
    pub min: Option<i64>,
    /// Largest value allowed.
    pub max: Option<i64>,
    /// The only values allowed.
    pub values: Option<Vec<i64>>,
    /// Names for values; if given, only these values are allowed.
    pub names: Option<BTreeMap<String, i64>>,
    /// What the parameter decides.
    pub bind: Option<Binding>,
}

/// A value that a parameter does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotAllowed {
    /// What it takes.
    pub(crate) allowed: String,
}

impl ParameterSpec {
    /// The number that `value` stands for, if the parameter takes it.
    pub(crate) fn accept(&self, value: &ParameterValue) -> Result<i64, NotAllowed> {
        let number = match value {
            ParameterValue::Integer(number) => Some(*number),
            ParameterValue::Text(text) => self
                .names
                .as_ref()
                .and_then(|names| names.get(text).copied())
                .or_else(|| integer(text)),
        };
        number
            .filter(|number| self.takes(*number))
            .ok_or_else(|| NotAllowed {
                allowed: self.allowed(),
            })
    }

    fn takes(&self, number: i64) -> bool {
        self.min.is_none_or(|min| number >= min)
            && self.max.is_none_or(|max| number <= max)
            && self
                .values
                .as_ref()
                .is_none_or(|values| values.contains(&number))
            && self
                .names
                .as_ref()
                .is_none_or(|names| names.values().any(|value| *value == number))
    }

    /// What the parameter takes, in words.
    pub fn allowed(&self) -> String {
        if let Some(names) = &self.names {
            let all: Vec<String> = names
                .iter()
                .map(|(name, value)| format!("{name} ({value})"))
                .collect();
            return format!("one of {}", all.join(", "));
        }
        if let Some(values) = &self.values {
            let all: Vec<String> = values.iter().map(ToString::to_string).collect();
            return format!("one of {}", all.join(", "));
        }
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
            (Some(min), None) => format!("a whole number of at least {min}"),
            (None, Some(max)) => format!("a whole number of at most {max}"),
            (None, None) => "a whole number".to_owned(),
        }
    }
}

/// A whole number as people write it: decimal, or hexadecimal after `0x`; `_` may separate digits.
fn integer(text: &str) -> Option<i64> {
    let digits = text.replace('_', "");
    match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

pub use crate::limits::ResolvedLimits;

/// Every parameter of a core with the number it has in one build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters(BTreeMap<String, i64>);

/// A parameter that a run chose and the manifest does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum ParameterError {
    /// No parameter of this name.
    #[error(
        "core {core} has no parameter `{name}`: expected {}{}",
        if known.is_empty() { "none at all".to_owned() } else { format!("one of {}", known.join(", ")) },
        near.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default()
    )]
    Unknown {
        /// Core as its manifest names it.
        core: String,
        /// Name that was given.
        name: String,
        /// Names that exist.
        known: Vec<String>,
        /// The one that was probably meant.
        near: Option<String>,
    },
    /// A value that the parameter does not take.
    #[error("parameter {name} of core {core}: expected {allowed}, got {value}")]
    NotAllowed {
        /// Core as its manifest names it.
        core: String,
        /// Parameter.
        name: String,
        /// What it takes.
        allowed: String,
        /// What was given.
        value: ParameterValue,
    },
}

impl Parameters {
    /// The manifest's defaults with `chosen` in their place.
    pub fn resolve(
        manifest: &Manifest,
        chosen: &BTreeMap<String, ParameterValue>,
    ) -> Result<Self, ParameterError> {
        if let Some(name) = chosen
            .keys()
            .find(|name| !manifest.parameters.contains_key(*name))
        {
            let known: Vec<String> = manifest.parameters.keys().cloned().collect();
            return Err(ParameterError::Unknown {
                core: manifest.name.clone(),
                near: closest(name, known.iter().map(String::as_str)).map(str::to_owned),
                name: name.clone(),
                known,
            });
        }
        manifest
            .parameters
            .iter()
            .map(|(name, spec)| {
                let value = chosen.get(name).unwrap_or(&spec.default);
                let number = spec
                    .accept(value)
                    .map_err(|problem| ParameterError::NotAllowed {
                        core: manifest.name.clone(),
                        name: name.clone(),
                        allowed: problem.allowed,
                        value: value.clone(),
                    })?;
                Ok((name.clone(), number))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Value of the parameter `name`.
    pub fn get(&self, name: &str) -> Option<i64> {
        self.0.get(name).copied()
    }

    /// Names and values in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The number that `size` stands for; `field` is where the manifest says so.
    pub(crate) fn size(
        &self,
        manifest: &Manifest,
        field: &str,
        size: &Size,
    ) -> Result<u64, ManifestError> {
        let value = match size.parameter() {
            None => 0,
            Some(name) => {
                let value = self.get(name).unwrap_or_default();
                u64::try_from(value).map_err(|_| {
                    manifest.error_at(field, "a number of at least 0", format!("{name} = {value}"))
                })?
            }
        };
        size.of(value).ok_or_else(|| {
            manifest.error_at(field, format!("{size} to be whole"), value.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifest() -> Manifest {
        let text = r#"
            name = "core"
            top = "core"
            sources = ["core.sv"]
            clocks = ["clk"]
            [parameters]
            DataWidth = { default = 64, values = [32, 64, 128], bind = "data_width" }
            AddrBits = { default = 32, min = 16, max = 64, bind = "address_bits" }
            AddrMode = { default = "truncate", names = { truncate = 0, error = 1 } }
            [limits]
            address_bits = "AddrBits"
            boundary = 65536
        "#;
        Manifest::parse(Path::new("core.toml"), text.to_owned()).expect("valid manifest")
    }

    fn resolve(chosen: &[(&str, ParameterValue)]) -> Result<Parameters, ParameterError> {
        let chosen = chosen
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect();
        Parameters::resolve(&manifest(), &chosen)
    }

    #[test]
    fn defaults_names_and_hexadecimal_become_numbers() {
        let parameters = resolve(&[("AddrMode", "error".into()), ("AddrBits", "0x18".into())])
            .expect("allowed values");
        let all: Vec<_> = parameters.iter().collect();
        assert_eq!(all, [("AddrBits", 24), ("AddrMode", 1), ("DataWidth", 64)]);
    }

    #[test]
    fn a_size_may_be_a_part_of_a_parameter_without_a_rest() {
        let manifest = manifest();
        let size = |chosen: &[(&str, ParameterValue)], by| {
            let parameter = "AddrBits".to_owned();
            let size = Size::Quotient { parameter, by };
            let parameters = resolve(chosen).expect("allowed");
            parameters.size(&manifest, "limits.alignment", &size)
        };
        assert_eq!(size(&[], 8).expect("whole"), 4);
        assert_eq!(size(&[("AddrBits", 48.into())], 8).expect("whole"), 6);
        let error = size(&[], 5).expect_err("a rest").to_string();
        assert!(
            error.contains("expected AddrBits / 5 to be whole, got 32"),
            "{error}"
        );
    }

    #[test]
    fn impossible_values_are_refused_with_the_allowed_ones() {
        let message = |name, value| {
            resolve(&[(name, value)])
                .expect_err("not allowed")
                .to_string()
        };
        assert_eq!(
            message("DataWidth", 48.into()),
            "parameter DataWidth of core core: expected one of 32, 64, 128, got 48"
        );
        assert_eq!(
            message("AddrBits", 65.into()),
            "parameter AddrBits of core core: expected a whole number from 16 to 64, got 65"
        );
        assert_eq!(
            message("AddrBits", "wide".into()),
            "parameter AddrBits of core core: expected a whole number from 16 to 64, got \"wide\""
        );
        assert_eq!(
            message("AddrMode", 2.into()),
            "parameter AddrMode of core core: expected one of error (1), truncate (0), got 2"
        );
        assert_eq!(
            message("AdrBits", 32.into()),
            "core core has no parameter `AdrBits`: expected one of AddrBits, AddrMode, DataWidth \
             (did you mean `AddrBits`?)"
        );
    }

    #[test]
    fn limits_follow_parameters() {
        let parameters = resolve(&[("AddrBits", 24.into())]).expect("allowed");
        let limits = ResolvedLimits::resolve(&manifest(), &parameters).expect("valid limits");
        assert_eq!(
            (limits.address_bits, limits.boundary, limits.alignment),
            (24, Some(65536), 1)
        );
    }
}
