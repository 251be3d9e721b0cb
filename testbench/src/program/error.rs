//! A step that could not be done: which, where it stands, and what it waited for.

use std::fmt;

use rebound_sim::manifest::ValueError;

/// A step of the control program that could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepError {
    /// Its place in the manifest: `control.copy.done[1]`.
    pub place: String,
    /// The line there, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: StepProblem,
}

/// What is wrong with a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepProblem {
    /// What it waits for did not come.
    #[error("expected {awaited} within {cycles} cycles, found {}", last_text(*last))]
    Timeout {
        /// What it waited for.
        awaited: String,
        /// The limit.
        cycles: u64,
        /// What it read last.
        last: Option<u64>,
    },
    /// The core answered with an error, or not at all.
    #[error("{0}")]
    Access(String),
    /// A value that this transfer has not.
    #[error("{0}")]
    Value(#[from] ValueError),
    /// A value that its register has no room for.
    #[error("expected a value of {bits} bits for {what}, found {value:#x}")]
    NoRoom {
        /// What is written.
        what: String,
        /// Its bits.
        bits: u32,
        /// The value.
        value: u64,
    },
    /// The built core lacks what the step names.
    #[error("expected the core to have {0}, found none")]
    Missing(String),
}

impl StepProblem {
    /// Whether the step waited for something that did not come.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, " (line {line} of the manifest)")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for StepError {}

fn last_text(last: Option<u64>) -> String {
    last.map_or_else(
        || "nothing".to_owned(),
        |value| format!("{value:#x} at last"),
    )
}
