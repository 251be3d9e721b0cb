//! The data sheet of a core: what was measured, as plain data. [`super`] fills it in; others render it, compare it
//! with the manifest, and derive what a Linux driver has to set.

use std::collections::BTreeMap;

use rebound_sim::limits::ResolvedLimits;
use rebound_sim::manifest::Direction;
use serde::{Deserialize, Serialize};

use crate::seed::Seed;

/// All that was measured of a core in one build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The core and its build.
    pub core: CoreFacts,
    /// Seed of all data and random behaviour of the bus.
    pub seed: Seed,
    /// What the manifest declares.
    pub declared: ResolvedLimits,
    /// Each end of each direction that lies in memory.
    pub sides: Vec<Side>,
    /// Each direction.
    pub directions: Vec<DirectionFacts>,
    /// What no core may do, and this one does: in the order of severity.
    pub defects: Vec<Defect>,
    /// Cycles of single transfers against latency and length.
    pub timings: Vec<Timing>,
    /// Probes that were run.
    pub probes: u32,
    /// What could not be measured, and why.
    pub unmeasured: Vec<String>,
}

/// The core and its build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreFacts {
    /// Name in the manifest.
    pub name: String,
    /// Top module.
    pub top: String,
    /// Parameters of the build, as Verilog writes them.
    pub parameters: BTreeMap<String, String>,
    /// AXI manager ports.
    pub managers: Vec<ManagerFacts>,
}

/// An AXI manager port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagerFacts {
    /// Name in the manifest.
    pub name: String,
    /// `AXI3`, `AXI4` or `AXI4-Lite`.
    pub protocol: String,
    /// Bits of `AxADDR`.
    pub address_bits: u32,
    /// Bits of WDATA or RDATA.
    pub data_bits: u32,
    /// Bits of `AxID`; 0 if there are none.
    pub id_bits: u32,
}

/// What a measurement found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Finding<T> {
    /// A value, seen to hold and its neighbour seen not to.
    Measured {
        /// The value.
        value: T,
        /// The probes that show it, a sentence each.
        evidence: Vec<String>,
    },
    /// The core goes at least so far; nothing beyond it was tried, or could be.
    AtLeast {
        /// The value.
        value: T,
        /// The probes that show it, a sentence each.
        evidence: Vec<String>,
    },
    /// Nothing is known.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// Source or destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The core reads here.
    Source,
    /// The core writes here.
    Destination,
}

/// One end of a direction: the addresses that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// The direction.
    pub direction: Direction,
    /// Which end of it.
    pub role: Role,
    /// Address bits that reach memory: all below it do.
    pub address_bits: Finding<u32>,
    /// What became of an address with just this bit (and a low offset), ascending.
    pub bits: Vec<BitFate>,
    /// What became of a buffer across a multiple of each boundary, ascending.
    pub boundaries: Vec<BoundaryFate>,
    /// Granule of addresses in bytes.
    pub granule: Finding<u64>,
    /// What became of an address off that granule; none if the granule is 1.
    pub off_granule: Option<Fate>,
}

/// What became of one address bit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitFate {
    /// The bit.
    pub bit: u32,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a buffer across a boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundaryFate {
    /// Bytes: a multiple of this lies in the middle of the buffer.
    pub boundary: u64,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum Fate {
    /// All bytes went where they should, and the core said so.
    Reaches,
    /// The core went to another address, and said that all was well.
    Goes {
        /// The first wrong address on the bus.
        to: u64,
        /// The address that it stands for.
        instead_of: u64,
    },
    /// The core refused by itself: an error, though the bus gave none.
    Refuses {
        /// Names of the error rules that held.
        errors: Vec<String>,
    },
    /// The core said that all was well, but bytes are missing or wrong.
    Corrupts {
        /// The first wrong byte, in words.
        what: String,
    },
    /// A step of the control program never ended.
    Hangs {
        /// The step and what it waited for.
        step: String,
    },
    /// The core ended the simulation, or its process died.
    Dies {
        /// How.
        how: String,
    },
    /// Not tried.
    NotTried {
        /// Why.
        reason: String,
    },
}

/// What was measured of a direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectionFacts {
    /// The direction.
    pub direction: Direction,
    /// Granule of lengths in bytes.
    pub length_granule: Finding<u64>,
    /// Shortest transfer in bytes, above 0.
    pub min_length: Finding<u64>,
    /// Longest transfer in bytes.
    pub max_length: Finding<u64>,
    /// What became of the length past the longest; none if it was not reached.
    pub past_longest: Option<Fate>,
    /// What became of a transfer of no bytes.
    pub zero_length: Fate,
    /// Bursts of reads; none in a direction that does not read.
    pub reads: Option<BurstFacts>,
    /// Bursts of writes; none in a direction that does not write.
    pub writes: Option<BurstFacts>,
    /// Whether narrow ends are made by WSTRB; none in a direction that does not write.
    pub strobes: Option<Strobes>,
    /// Answers out of order across ids: what became of a transfer.
    pub reordered: Fate,
    /// Every refusal of the bus that was tried.
    pub errors: Vec<ErrorFacts>,
    /// Responses that never come, of reads and writes.
    pub silence: Vec<SilenceFacts>,
    /// A reset amid a transfer.
    pub reset: ResetFate,
    /// Whether done was told before the last write response, and the evidence.
    pub early_done: Option<String>,
}

/// Bursts of one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurstFacts {
    /// Longest burst in beats.
    pub longest_beats: u32,
    /// Burst lengths in beats that were seen, ascending, with their number.
    pub lengths: BTreeMap<u32, u64>,
    /// Bytes of a beat (`AxSIZE`) that were seen, ascending.
    pub sizes: Vec<u32>,
    /// Burst types that were seen: `INCR`, `FIXED`, `WRAP`.
    pub types: Vec<String>,
    /// Ids that were seen, ascending.
    pub ids: Vec<u64>,
    /// Most bursts in flight at once, at a latency that lets it show.
    pub outstanding: Finding<u32>,
    /// First burst across 4 KiB, in words; none if there was none.
    pub crosses_4k: Option<String>,
}

/// How write strobes are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strobes {
    /// Ends within a beat have partial strobes, and no byte beyond is written.
    Exact,
    /// All strobes, always; ends lie on beats.
    WholeBeats,
    /// Bytes beyond the buffer are written.
    TooWide,
    /// Bytes of the buffer are not written.
    TooNarrow,
}

/// A refusal of the bus, and what the core made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorFacts {
    /// What was refused: the core's read or its write.
    pub role: Role,
    /// Which burst of the transfer.
    pub phase: Phase,
    /// `SLVERR` or `DECERR`.
    pub response: String,
    /// What the core made of it.
    pub fate: ErrorFate,
    /// What a sound transfer behind it needed.
    pub after: Recovery,
}

/// A burst of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The first.
    First,
    /// One in the middle.
    Middle,
    /// The last.
    Last,
}

/// What a core makes of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum ErrorFate {
    /// It said so.
    Reported {
        /// Names of the error rules that held.
        errors: Vec<String>,
    },
    /// It said that all was well.
    Ignored,
    /// A step never ended.
    Hangs {
        /// The step and what it waited for.
        step: String,
    },
    /// The core ended the simulation, or its process died.
    Dies {
        /// How.
        how: String,
    },
    /// Nobody can tell: the manifest has no error rule, and the core said done.
    NoErrorRule,
    /// Not tried.
    NotTried {
        /// Why.
        reason: String,
    },
}

/// What it takes until a core works again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// Nothing but the steps of `recover`.
    Usable,
    /// A reset.
    Reset,
    /// Not even a reset helped.
    Never,
    /// Not tried.
    NotTried,
}

/// A response that never came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceFacts {
    /// Reads or writes were never answered.
    pub role: Role,
    /// What the core made of it within the cycles that were waited for.
    pub fate: ErrorFate,
    /// What a sound transfer behind it needed.
    pub after: Recovery,
}

/// What became of a reset amid a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum ResetFate {
    /// The bus was quiet after it, and the next transfer sound.
    Clean,
    /// Bursts came after it that nobody had asked for.
    StaleBursts {
        /// The first, in words.
        first: String,
    },
    /// The next transfer was not sound.
    Unusable {
        /// What went wrong.
        what: String,
    },
    /// Not tried.
    NotTried {
        /// Why.
        reason: String,
    },
}

/// What no core may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defect {
    /// Short name: `truncates-address`, `wraps-64k`, `ignores-write-error`, …
    pub name: String,
    /// What it is, in a sentence.
    pub what: String,
    /// The probes that show it, a sentence each.
    pub evidence: Vec<String>,
}

/// Cycles of a transfer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The direction.
    pub direction: Direction,
    /// Cycles from an address handshake to its first answer.
    pub latency: u32,
    /// Length in bytes.
    pub bytes: u64,
    /// Bus cycles from the last step of `start` to the end of `done`.
    pub cycles: u64,
    /// Data beats of the way that has more of them.
    pub beats: u64,
    /// Beats per cycle.
    pub utilisation: f64,
}
