//! AXI manager ports: how the core reaches host memory.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NamingCase, Size};

/// Protocol of a manager port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AxiProtocol {
    /// AXI4: 8-bit lengths, no `WID`.
    #[default]
    Axi4,
    /// AXI3: 4-bit lengths, `WID`, two-bit locks.
    Axi3,
}

/// Which of its five channels a manager port has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// All five.
    #[default]
    ReadWrite,
    /// AR and R.
    Read,
    /// AW, W and B.
    Write,
}

impl Access {
    /// Has AR and R.
    pub fn reads(self) -> bool {
        self != Self::Write
    }

    /// Has AW, W and B.
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// An AXI manager port of the core, its way to host memory. A core may have several; all see one memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Axi")]
pub struct AxiSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// `axi4`, or `axi3`: 4-bit lengths, WID, two-bit locks.
    #[serde(default)]
    pub protocol: AxiProtocol,
    /// `read_write`, `read` (AR, R) or `write` (AW, W, B). Inputs of a channel that is not used are 0.
    #[serde(default)]
    pub access: Access,
    /// What stands for `{prefix}` in a port's name, such as `m_axi_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{channel}{signal}`. `{direction}` is `i` or `o`.
    pub pattern: Option<String>,
    /// Case of `{channel}` and `{signal}`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern, signal (such as `awaddr`) to port; `req_o[63:0]` is a part of a port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Values of signals that the core leaves out, where the protocol's default is not meant: signal to number.
    #[serde(default)]
    pub defaults: BTreeMap<String, u64>,
    /// Clock port that the interface belongs to; default: the first of `clocks`.
    pub clock: Option<String>,
    /// Bits of `AxADDR`; checked against the core if given.
    pub address_width: Option<Size>,
    /// Bits of WDATA and RDATA; checked against the core if given.
    pub data_width: Option<Size>,
    /// Bits of the ids; checked against the core if given.
    pub id_width: Option<Size>,
    /// Most read bursts outstanding the core promises; more is a violation. Absent: not checked.
    pub max_reads: Option<Size>,
    /// Most write bursts outstanding the core promises; more is a violation. Absent: not checked.
    pub max_writes: Option<Size>,
}
