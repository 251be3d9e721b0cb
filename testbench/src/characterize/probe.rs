//! A probe of a core and what was seen of it, as plain data: both cross the border to the process of the probe.

use std::collections::{BTreeMap, BTreeSet};

use rebound_sim::axi::{BusPolicy, FaultWindow};
use rebound_sim::manifest::Direction;
use serde::{Deserialize, Serialize};

/// Transfers on a core fresh from its reset, and the bus that they run on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Kind of the transfers.
    pub direction: Direction,
    /// The bus, until a transfer brings another.
    pub bus: BusPolicy,
    /// The transfers, one after the other.
    pub transfers: Vec<Transfer>,
}

/// One transfer of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// DMA address of the source; without meaning in a direction that does not read.
    pub source: u64,
    /// DMA address of the destination; without meaning in a direction that does not write.
    pub destination: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// What the driver does before it.
    pub before: Before,
    /// What the bus refuses meanwhile.
    pub faults: Vec<FaultWindow>,
    /// Cycles from the start to a reset in its midst.
    pub reset_after: Option<u64>,
    /// Cycles behind it in which the core has nothing to do.
    pub quiet_cycles: u64,
    /// Another bus from here on, which knows nothing of what was in flight.
    pub bus: Option<BusPolicy>,
}

impl Transfer {
    /// A transfer right after a reset, on a bus that refuses nothing.
    #[must_use]
    pub const fn new(source: u64, destination: u64, bytes: u64) -> Self {
        Self {
            source,
            destination,
            bytes,
            before: Before::Reset,
            faults: Vec::new(),
            reset_after: None,
            quiet_cycles: 64,
            bus: None,
        }
    }

    /// The same transfer with another step before it.
    #[must_use]
    pub fn after(self, before: Before) -> Self {
        Self { before, ..self }
    }
}

/// What a driver does before a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Before {
    /// A reset, then `init`.
    Reset,
    /// `init` alone, after a reset that came in the transfer before.
    Init,
    /// The steps of `recover`.
    Recover,
    /// Nothing.
    Nothing,
}

impl Probe {
    /// One transfer on the ideal bus.
    #[must_use]
    pub fn single(direction: Direction, transfer: Transfer) -> Self {
        Self {
            direction,
            bus: BusPolicy::default(),
            transfers: vec![transfer],
        }
    }

    /// The same probe on another bus.
    #[must_use]
    pub fn on(self, bus: BusPolicy) -> Self {
        Self { bus, ..self }
    }
}

/// What was seen of a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// What became of each transfer.
    pub outcomes: Vec<Outcome>,
    /// AXI rules that the core broke before another bus came.
    pub broken: Vec<BrokenRule>,
}

impl Observation {
    /// The outcome of the first transfer.
    ///
    /// # Panics
    /// If the probe had none.
    #[must_use]
    pub fn first(&self) -> &Outcome {
        &self.outcomes[0]
    }

    /// The outcome of the last transfer.
    ///
    /// # Panics
    /// If the probe had none.
    #[must_use]
    pub fn last(&self) -> &Outcome {
        &self.outcomes[self.outcomes.len() - 1]
    }

    /// What is known when the process of the probe has died.
    #[must_use]
    pub fn died(probe: &Probe, how: &str) -> Self {
        let how = how.to_owned();
        Self::ended(probe, End::Died { how })
    }

    /// What is known when the process of the probe gave no answer and was stopped.
    #[must_use]
    pub fn stopped(probe: &Probe, how: &str) -> Self {
        let how = how.to_owned();
        Self::ended(probe, End::Stopped { how })
    }

    fn ended(probe: &Probe, end: End) -> Self {
        let outcome = Outcome {
            end,
            ..Outcome::default()
        };
        Self {
            outcomes: vec![outcome; probe.transfers.len()],
            broken: Vec::new(),
        }
    }
}

/// A rule of AXI that a core broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokenRule {
    /// Name of the rule, such as `AXI_AW_STABLE`; `assertion` for one of the core.
    pub rule: String,
    /// What was expected and found, in words.
    pub text: String,
}

/// How a transfer ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum End {
    /// The core said so; these error rules held.
    Done {
        /// Their names.
        errors: Vec<String>,
    },
    /// A step never ended.
    Stuck {
        /// The step and what it waited for.
        step: String,
    },
    /// The control program cannot ask for this transfer.
    Impossible {
        /// Why.
        why: String,
    },
    /// The reset came in its midst.
    Reset,
    /// The core ended the simulation, or the process.
    Died {
        /// How.
        how: String,
    },
    /// No answer came in time, and the process was stopped.
    Stopped {
        /// How long was waited.
        how: String,
    },
    /// It was not begun.
    #[default]
    NotBegun,
}

/// What was seen of a transfer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Cycles from the last step of `start` to the end of `done`.
    pub cycles: u64,
    /// Cycles in which nothing happened on the bus before a step was given up.
    pub waited: u64,
    /// Reads.
    pub reads: Traffic,
    /// Writes.
    pub writes: Traffic,
    /// Data that did not arrive as it should.
    pub wrong: Option<Wrong>,
    /// Writes that were on the bus without a response when the core said that it was done.
    pub unanswered_writes: u64,
    /// Data beats that the bus refused.
    pub refused_beats: u64,
    /// First burst after the end or the reset, in words.
    pub late: Option<String>,
}

impl Outcome {
    /// Whether all bytes and only these were moved, and the core said so.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let is_done = matches!(&self.end, End::Done { errors } if errors.is_empty());
        is_done && self.wrong.is_none() && self.reads.stray.is_none() && self.writes.is_inside()
    }
}

/// Data that did not arrive as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// Offset of the first wrong byte.
    pub offset: u64,
    /// Wrong bytes.
    pub bytes: u64,
    /// How they are wrong.
    pub how: WrongBytes,
    /// In words.
    pub what: String,
}

/// How bytes are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WrongBytes {
    /// They were never written; all others are right.
    Unwritten,
    /// They are those of the source, so many bytes before their place.
    Shifted(i64),
    /// They are something else.
    Other,
}

/// Bursts of one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Bursts.
    pub bursts: u64,
    /// Data beats.
    pub beats: u64,
    /// The first bursts, and the last one.
    pub kept: Vec<Burst>,
    /// Burst lengths in beats, with their number.
    pub lengths: BTreeMap<u32, u64>,
    /// Bytes of a beat (`AxSIZE`).
    pub sizes: BTreeSet<u32>,
    /// Burst types.
    pub types: BTreeSet<String>,
    /// Ids.
    pub ids: BTreeSet<u64>,
    /// First burst across 4 KiB, in words.
    pub crosses_4k: Option<String>,
    /// First burst that is not in the buffer and does not go on from the one before.
    pub stray: Option<Stray>,
    /// First burst that goes on beyond the end of the buffer.
    pub beyond: Option<Stray>,
    /// A beat with some of its strobes.
    pub has_partial_strobes: bool,
    /// First byte written outside the buffer.
    pub outside: Option<u64>,
    /// Most bursts in flight at once, in the probe so far.
    pub peak: u32,
}

impl Traffic {
    /// Whether no burst and no byte was outside the buffer.
    #[must_use]
    pub const fn is_inside(&self) -> bool {
        self.stray.is_none() && self.outside.is_none()
    }
}

/// A burst as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Its address.
    pub address: u64,
    /// Its bytes, from there on.
    pub bytes: u64,
}

/// An access where none should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stray {
    /// Its address.
    pub to: u64,
    /// The address that it stands for.
    pub instead_of: u64,
}
