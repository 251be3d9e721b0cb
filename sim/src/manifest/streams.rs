//! Streams of data, channels of named fields, and plain wires.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ActiveLevel, NamingCase, PortPart, Size};

/// Which way a stream flows, seen from the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamDirection {
    /// The core sends.
    Source,
    /// The core receives.
    Sink,
}

impl StreamDirection {
    /// The core sends on this stream.
    pub fn is_source(self) -> bool {
        self == Self::Source
    }
}

/// An AXI-Stream port that carries data, byte by byte.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stream")]
pub struct StreamSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// `source` if the core sends, `sink` if it receives.
    pub direction: StreamDirection,
    /// What stands for `{prefix}` in a port's name, such as `m_axis_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{signal}`, with signals `tdata`, `tvalid`, … `{direction}` is `i`
    /// or `o`.
    pub pattern: Option<String>,
    /// Case of `{signal}`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern, signal (such as `tdata`) to port; `out_o[63:0]` is a part of a port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Clock port that the interface belongs to; default: the first of `clocks`.
    pub clock: Option<String>,
    /// Bits of TDATA; checked against the core if given.
    pub data_width: Option<Size>,
}

/// A valid/ready channel of named fields: descriptors into the core, or their status out of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Channel")]
pub struct ChannelSpec {
    /// Name in reports, waveforms and steps of the control program.
    pub name: String,
    /// `source` if the core sends, `sink` if it receives.
    pub direction: StreamDirection,
    /// What stands before each port named here, such as `s_axis_desc_`.
    #[serde(default)]
    pub prefix: String,
    /// Port of valid, behind the prefix; default `valid`.
    pub valid: Option<String>,
    /// Port of ready, behind the prefix; default `ready`. A channel without such a port is always ready, unless the
    /// port is named here.
    pub ready: Option<String>,
    /// Fields, name to port behind the prefix: `len`, or a part of one, `tdata[22:0]`. What is not named is 0.
    pub fields: BTreeMap<String, PortPart>,
    /// Clock port that the channel belongs to; default: the first of `clocks`.
    pub clock: Option<String>,
}

/// Which way a wire points, seen from the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WireDirection {
    /// The testbench drives it.
    Input,
    /// The core drives it.
    Output,
}

/// What a wire is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WireRole {
    /// Nothing that Rebound knows about; a driver reads or sets it by name.
    #[default]
    Plain,
    /// Interrupt, a level.
    Interrupt,
}

/// A plain wire of up to 64 bits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wire")]
pub struct WireSpec {
    /// Name in reports, waveforms and steps of the control program.
    pub name: String,
    /// Port of the core; default: the name.
    pub port: Option<String>,
    /// `input` if the testbench drives it, `output` if the core does.
    pub direction: WireDirection,
    /// `plain` or `interrupt`, a level that stays until it is acknowledged.
    #[serde(default)]
    pub role: WireRole,
    /// Level at which it acts: a wire that is active `low` is turned round, so that 1 means active everywhere else.
    #[serde(default)]
    pub active: ActiveLevel,
    /// Value of an input until a driver changes it.
    #[serde(default)]
    pub initial: u64,
}
