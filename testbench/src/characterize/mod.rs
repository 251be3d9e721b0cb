//! Measures what a core can do, by probes on the pins: its data sheet, and what it does that no core may do.
//!
//! Of the manifest it believes the ports and the control program; the limits are what it measures.

pub mod lab;
pub mod probe;
pub mod sheet;

use std::path::Path;
use std::time::Duration;

use rebound_sim::manifest::Manifest;
use rebound_sim::verilate::CoreLibrary;

use crate::error::UsageError;
use crate::seed::Seed;
use sheet::Sheet;

/// A core in one build, and how to measure it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// File of the manifest: processes of the probes read it again.
    pub path: &'a Path,
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The build.
    pub library: &'a CoreLibrary,
    /// Its parameters that are not the defaults, `NAME=VALUE`.
    pub parameters: &'a [String],
    /// Seed of all data and random behaviour of the bus.
    pub seed: Seed,
    /// Processes at a time, at least 1.
    pub jobs: usize,
    /// Wall time after which the process of a probe is stopped.
    pub timeout: Duration,
}

/// How far a characterisation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is measured now.
    pub what: String,
    /// Measurements that are done.
    pub done: usize,
    /// All of them.
    pub all: usize,
}

/// Measures a core. `progress` is told before each measurement.
///
/// # Errors
/// If a process cannot be started, or the manifest lacks a control program or a manager port.
pub fn characterize(
    subject: &Subject<'_>,
    progress: &(dyn Fn(Step) + Sync),
) -> Result<Sheet, UsageError> {
    let _ = (subject, progress);
    Err(UsageError::new("nothing is measured yet"))
}
