//! What if: the load on another machine.
//!
//! Time goes on as in the trace; only what fails moves. The model of a driver, as the block layer's queues are:
//!
//! - What a task maps in one go and what ends in one go, up to 256 KiB, is a request; "in one go" is without anything
//!   else of the task in between, and at one pace: no step takes more than twice as long as one before. If one of its mappings fails, the others are
//!   given back at once, and the whole request waits in its device's queue (a mapping without such company is a
//!   request of its own).
//! - The queue is run, from its head until one fails, when a request has been put at its end; when a request of the
//!   device is done, that is after the last of the ends in one go; and 3 ms after the last try if some mapping has
//!   ended since. Each try that fails is counted, so a first failure counts twice, as in the kernel's traces.
//! - A request that is made at last lives as long as it did in the trace.
//! - A mapping that failed in the trace and is made here is kept until the trace's own next try of the
//!   same buffer, which then only takes it over; if none comes, to the end.
//! - Copies of the load (`scale`) begin at other places of the trace and go round; each has its own
//!   CPUs, one further for each copy, and the same devices.

use rustc_hash::FxHashMap;
use swiotlb::MapError;

use crate::replay::copies::{copies, next_of};
use crate::replay::driver::Driver;
use crate::replay::figures::Figures;
use crate::replay::load::Load;
use crate::replay::machine::Machine;
use crate::replay::run::ReplayError;
use crate::replay::tally::Share;
use crate::seed::Seed;

/// What is different from the trace, apart from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Copies of the load, at least 1.
    pub scale: u32,
    /// CPUs; calls of CPU `n` are made on `n mod cpus`.
    pub cpus: Option<u32>,
    /// Seed of where the copies begin.
    pub seed: Seed,
    /// Stop at the first failure: only whether there is one is wanted.
    pub stops_at_failure: bool,
}

/// Why mappings failed, first of all the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Line of the trace.
    pub line: u64,
    /// Number of the device.
    pub device: u32,
    /// Number of the task's name.
    pub task: u32,
    /// Length in bytes.
    pub bytes: u64,
    /// The cause.
    pub cause: MapError,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// What was counted.
    pub figures: Figures,
    /// Tries that failed.
    pub failed_tries: u64,
    /// Mappings that were never made.
    pub never_made: u64,
    /// Longest time from the first try to the mapping, in nanoseconds.
    pub longest_wait_ns: u64,
    /// The first failure.
    pub first_failure: Option<Failure>,
    /// The first failure because the device cannot reach its buffer, whatever failed before.
    pub out_of_reach: Option<Failure>,
    /// Failures by device and size class (binary logarithm of the bytes, rounded up).
    pub failures_of: FxHashMap<(u32, u32), u64>,
    /// Longest free run at the first failure for want of a run.
    pub longest_free_run: Option<u32>,
    /// Bounced mappings that did not fit into the area of their CPU and took slots of another's.
    pub spilled: u64,
    /// Bounced mappings in all.
    pub bounced: u64,
    /// Most slots that all pools had together.
    pub most_slots: u64,
    /// Who held the slots at the peak, most first.
    pub at_peak: Vec<Share>,
    /// Slots held by each device at equal parts of the trace, and at its end.
    pub samples: Vec<Vec<u64>>,
    /// Mappings that are live at the end, by device and task, most slots first.
    pub left: Vec<Share>,
}

/// Replays a load on another machine.
///
/// # Errors
/// If there can be no such pool.
pub fn what_if(load: &Load, machine: Machine, change: Change) -> Result<WhatIf, ReplayError> {
    let survey = &load.survey;
    let mut driver = Driver::new(load, machine, change)?;
    let mut copies = copies(load, change)?;
    let length_ns = survey.last_ns - survey.first_ns;
    while let Some(turn) = next_of(&mut copies, length_ns)? {
        driver.step(&turn)?;
        if change.stops_at_failure && driver.has_failed() {
            break;
        }
    }
    Ok(driver.finish(survey.last_ns))
}

#[cfg(test)]
#[path = "whatif_tests.rs"]
mod tests;
