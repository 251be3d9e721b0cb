//! Register ports: AXI4-Lite, APB, Wishbone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NamingCase, Size};

/// An AXI4-Lite subordinate port: the control registers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Axil")]
pub struct AxilSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// What stands for `{prefix}` in a port's name, such as `s_axil_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{channel}{signal}`. `{direction}` is `i` or `o`.
    pub pattern: Option<String>,
    /// Case of `{channel}` and `{signal}`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern, signal (such as `awaddr`) to port; `req_i[63:0]` is a part of a port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Clock port that the interface belongs to; default: the first of `clocks`.
    pub clock: Option<String>,
    /// Bits of `AxADDR`; checked against the core if given.
    pub address_width: Option<Size>,
    /// Bits of WDATA and RDATA, 32 or 64; checked against the core if given.
    pub data_width: Option<Size>,
}

/// An APB completer port (APB3 or APB4): the control registers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Apb")]
pub struct ApbSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// What stands for `{prefix}` in a port's name, such as `s_apb_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{signal}`, with signals `paddr`, `psel`, … `{direction}` is `i`
    /// or `o`.
    pub pattern: Option<String>,
    /// Case of `{signal}`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern, signal (such as `paddr`) to port; `bus_i[31:0]` is a part of a port.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Clock port that the interface belongs to; default: the first of `clocks`.
    pub clock: Option<String>,
    /// Bits of PADDR; checked against the core if given.
    pub address_width: Option<Size>,
    /// Bits of PWDATA and PRDATA: 8, 16 or 32; checked against the core if given.
    pub data_width: Option<Size>,
}

/// What an address of a Wishbone port counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AddressUnit {
    /// Bytes.
    #[default]
    Byte,
    /// Words of the data bus.
    Word,
}

/// A Wishbone subordinate port, classic cycles: the control registers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wishbone")]
pub struct WishboneSpec {
    /// Name in reports and waveforms.
    pub name: String,
    /// What stands for `{prefix}` in a port's name, such as `wbs_`.
    #[serde(default)]
    pub prefix: String,
    /// How a port's name is made; default `{prefix}{signal}_{direction}`, with signals `adr`, `dat`, `cyc`, …
    /// `{direction}` is `i` or `o`.
    pub pattern: Option<String>,
    /// Case of `{signal}`.
    #[serde(default)]
    pub case: NamingCase,
    /// Ports that do not follow the pattern, signal to port; the data into the core is `dat_w`, out of it `dat_r`.
    #[serde(default)]
    pub ports: BTreeMap<String, String>,
    /// Clock port that the interface belongs to; default: the first of `clocks`.
    pub clock: Option<String>,
    /// Whether ADR counts bytes or words of the data bus. Addresses in the manifest are bytes either way.
    #[serde(default)]
    pub address_unit: AddressUnit,
    /// Bits of ADR; checked against the core if given.
    pub address_width: Option<Size>,
    /// Bits of DAT: 8, 16, 32 or 64; checked against the core if given.
    pub data_width: Option<Size>,
}
