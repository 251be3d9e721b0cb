//! The cycle budget of a plan: what its parameters justify, as an upper bound.
//!
//! A run that exceeds it is slower than the engine promises: bursts that do not overlap, channels that wait for
//! each other, a driver that does work twice. The bound is the length of the critical path:
//!
//! * `bus` gives the cycles of one transfer on the bus: one a beat, lengthened by stalls and bandwidth, and the
//!   latency once, as long as the bursts in flight can hide it;
//! * `work` turns each CPU's transfers into steps: calls, copies of what bounces, register accesses, interrupts;
//! * `schedule` lays the steps of all CPUs side by side: what uses the same CPU, channel or pool slots waits.
//!
//! Each duration is an upper bound, and orders are those of the driver. That other durations can lead to
//! another order, and so to a longer path, is what the reserve is for.

mod bus;
mod schedule;
mod work;

use crate::scenario::plan::Plan;

/// Cycles for reset and set-up of the engine.
const START_CYCLES: u64 = 40;
/// Cycles for the straps of the engine.
const STRAP_CYCLES: u64 = 60;
/// What the bound leaves to chance and rounding: one part in this many.
const RESERVE: u64 = 10;

/// Returns the cycles that the plan justifies.
#[must_use]
pub fn cycles(plan: &Plan) -> u64 {
    let path = schedule::length(work::programs(plan), work::slots(plan));
    let straps = plan.straps.map_or(0, |_| STRAP_CYCLES);
    START_CYCLES + straps + path + path / RESERVE
}

/// Returns the cycles after which a run is given up: well above the budget, so that a slow run is told
/// from one in which nothing happens any more.
#[must_use]
pub fn limit(plan: &Plan) -> u64 {
    cycles(plan) * 4 + 100_000
}

#[cfg(test)]
mod tests;
