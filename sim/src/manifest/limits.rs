//! What the core's DMA can do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Size;

/// What the core's DMA can do. The testbench keeps within these limits, as a driver would.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// DMA address bits that the core implements, 1 to 64.
    pub address_bits: Option<Size>,
    /// Boundary in bytes that one transfer must not cross, a power of two.
    pub boundary: Option<Size>,
    /// Longest transfer in bytes; a driver splits what is longer.
    pub max_length: Option<Size>,
    /// Bits of the core's length register or field, in bytes: the longest transfer is 2^n - 1 bytes, rounded down to
    /// the granule, if `max_length` does not say less.
    pub length_bits: Option<Size>,
    /// Shortest transfer in bytes; 1 if absent, 0 if a transfer of no bytes is done at once.
    pub min_length: Option<Size>,
    /// Granule in bytes of addresses and lengths, a power of two; 1 if absent.
    pub alignment: Option<Size>,
    /// Granule of source addresses, where it is not `alignment`.
    pub source_alignment: Option<Size>,
    /// Granule of destination addresses, where it is not `alignment`.
    pub destination_alignment: Option<Size>,
    /// Granule of lengths, where it is not `alignment`.
    pub length_alignment: Option<Size>,
    /// Longest burst in beats.
    pub max_burst_beats: Option<Size>,
    /// Transfers that may be started before the first is done; 1 if absent.
    pub max_transfers: Option<Size>,
    /// Order in which transfers of one direction are done.
    #[serde(default)]
    pub completion: CompletionOrder,
}

/// Order in which transfers of one direction are done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompletionOrder {
    /// In the order in which they were started.
    #[default]
    InOrder,
    /// In any order: the tag of the status says which.
    AnyOrder,
}
