//! Waveforms: formats, and the window of cycles that is recorded.

use serde::{Deserialize, Serialize};

/// Time units of a waveform in one clock cycle: it rises in the middle. A unit is shown as 1 ns.
pub const UNITS_PER_CYCLE: u64 = 10;

/// Waveform format that a core is built with.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum TraceKind {
    /// None, and fastest.
    #[default]
    Off,
    /// FST, compressed.
    Fst,
    /// VCD, text.
    Vcd,
}

impl TraceKind {
    /// Ending of a file in this format; empty for none.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Off => "",
            Self::Fst => "fst",
            Self::Vcd => "vcd",
        }
    }
}

/// Cycles that are recorded: from `from` up to, but not with, `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceWindow {
    /// First cycle.
    pub from: u64,
    /// First cycle no more.
    pub to: u64,
}

impl TraceWindow {
    /// Everything.
    pub const ALL: Self = Self {
        from: 0,
        to: u64::MAX,
    };
}

impl Default for TraceWindow {
    fn default() -> Self {
        Self::ALL
    }
}
