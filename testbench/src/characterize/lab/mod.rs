//! The laboratory: runs probes on a core, each in the laboratory machine, in processes that may die.

mod driver;
mod memory;
mod patient;
mod process;
mod run;
mod traffic;

pub use process::{ChildLab, serve};
pub use run::run_on;

use super::probe::{Observation, Probe};
use crate::error::UsageError;

/// Where probes are run.
pub trait Lab {
    /// Runs a probe.
    ///
    /// # Errors
    /// If there is no process to run it; whatever the core does is an observation.
    fn observe(&mut self, probe: &Probe) -> Result<Observation, UsageError>;
}
