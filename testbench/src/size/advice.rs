//! The advice: sizes for each policy, who needs them, and what no size helps against.

use swiotlb::{FullReason, MapError, Policy};

use crate::replay::{Change, Failure, Load, Machine, Point, ReplayError, Share, WhatIf, what_if};
use crate::size::leak::{Leak, leaks};
use crate::size::search::{Margin, most_slots, smallest};

/// Why no size helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The request is larger than any pool can give in one piece.
    TooLarge {
        /// The device's largest mapping.
        most_bytes: u64,
    },
    /// The device cannot reach the pool.
    OutOfReach {
        /// Its mask.
        mask: u64,
    },
    /// No place suits the device's alignment or boundary.
    Alignment,
    /// The area runs out, not the pool.
    Areas,
    /// Free slots lie scattered.
    Fragmentation {
        /// The longest run that was free.
        longest_run: u32,
    },
    /// There are not enough slots in the largest pool that is tried.
    Room {
        /// Its slots.
        slots: u32,
    },
    /// The request itself is one that no kernel carries out, whatever the pool.
    Invalid,
}

/// What a policy needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyAdvice {
    /// The policy's name on the command line.
    pub name: &'static str,
    /// Fewest slots of the first pool without a failure in the trace.
    pub slots: Option<u32>,
    /// With margin.
    pub with_margin: Option<u32>,
    /// Most slots of all pools together, with the first of these sizes.
    pub most_slots: u64,
    /// Bounced mappings that overflowed the area of their CPU, and all bounced ones, with the first of these sizes.
    pub spilled_of: (u64, u64),
    /// Slots of all pools over time, for policies whose pools grow.
    pub curve: Vec<Point>,
}

/// The advice for a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Areas that the sizes are for.
    pub areas: u32,
    /// Peak of slots in use without any limit.
    pub peak_slots: u64,
    /// Slots that the kernel counted in use at once; 0 if it is not known.
    pub counted_slots: u64,
    /// Who held them.
    pub at_peak: Vec<Share>,
    /// For each policy.
    pub policies: Vec<PolicyAdvice>,
    /// The first failure in the largest pool, or of a device that cannot reach the pool where it lies, with why no
    /// size helps.
    pub obstacle: Option<(Failure, Obstacle)>,
    /// What fails first in the next smaller pool.
    pub smaller: Option<(u32, Failure)>,
    /// Devices whose mappings only grow.
    pub leaks: Vec<Leak>,
}

impl Advice {
    /// Returns whether anything asks for a pool at all.
    #[must_use]
    pub const fn needs_pool(&self) -> bool {
        self.peak_slots > 0 || self.obstacle.is_some()
    }

    /// Returns the policy that a command line is for, and its size: the static one if it was asked for, else the
    /// first. `None` if no pool is needed or no size helps.
    #[must_use]
    pub fn recommended(&self) -> Option<(&'static str, u32)> {
        if self.obstacle.is_some() {
            return None;
        }
        let fixed = self.policies.iter().find(|policy| policy.name == "static");
        let policy = fixed.or(self.policies.first())?;
        Some((policy.name, policy.with_margin?))
    }
}

/// Finds the sizes for a load.
///
/// # Errors
/// If a replay cannot be made.
pub fn advise(
    load: &Load,
    machine: &Machine,
    margin: Margin,
    policies: &[(&'static str, Policy)],
) -> Result<Advice, ReplayError> {
    let change = Change {
        scale: 1,
        cpus: None,
        seed: margin.seed,
        stops_at_failure: false,
    };
    let mut largest = machine.clone();
    largest.policy = Policy::Static;
    largest.resize(most_slots(machine), machine.areas);
    let free = what_if(load, largest.clone(), change)?;
    let at_largest = free
        .first_failure
        .map(|failure| (failure, obstacle(&largest, &failure)));
    let mut advice = Advice {
        areas: machine.areas,
        peak_slots: free.figures.peak(),
        counted_slots: margin.counted_slots,
        leaks: leaks(&load.survey, &free),
        at_peak: free.at_peak,
        policies: Vec::new(),
        obstacle: at_largest,
        smaller: None,
    };
    if !advice.needs_pool() {
        return Ok(advice);
    }
    for &(name, policy) in policies {
        let machine = Machine {
            policy,
            ..machine.clone()
        };
        let mut slots = smallest(load, &machine, margin.none())?;
        let half = half(load, &machine, slots, change)?;
        let unreached = match half.as_ref().and_then(|(_, half)| half.out_of_reach) {
            None => out_of_reach(load, &machine, slots, change)?,
            failure => failure,
        };
        let mut with_margin = None;
        if let Some(failure) = unreached {
            // A larger pool holds the load only because it begins so low.
            slots = None;
            let why = obstacle(&machine, &failure);
            advice.obstacle.get_or_insert((failure, why));
        } else {
            with_margin = smallest(load, &machine, margin)?;
        }
        let mut first = machine.clone();
        let shown = slots.unwrap_or_else(|| most_slots(&machine));
        first.resize(shown, machine.areas);
        let result = what_if(load, first, change)?;
        advice.policies.push(PolicyAdvice {
            name,
            slots,
            with_margin,
            most_slots: result.most_slots,
            spilled_of: (result.spilled, result.bounced),
            curve: if policy.is_dynamic() {
                result.figures.curve
            } else {
                Vec::new()
            },
        });
        if policy == Policy::Static && slots.is_some() {
            advice.smaller = half.and_then(|(slots, half)| Some((slots, half.first_failure?)));
        }
    }
    Ok(advice)
}

/// Replays on half the size, to tell what fails there.
fn half(
    load: &Load,
    machine: &Machine,
    slots: Option<u32>,
    change: Change,
) -> Result<Option<(u32, WhatIf)>, ReplayError> {
    let Some(half) = slots
        .map(|slots| slots / 2)
        .filter(|&half| half >= 128 * machine.areas)
    else {
        return Ok(None);
    };
    let mut machine = machine.clone();
    machine.resize(half, machine.areas);
    Ok(Some((half, what_if(load, machine, change)?)))
}

/// Replays on the traced pool, if it is smaller than the one found, to tell whether a device cannot reach it.
fn out_of_reach(
    load: &Load,
    machine: &Machine,
    slots: Option<u32>,
    change: Change,
) -> Result<Option<Failure>, ReplayError> {
    let mut traced = machine.clone();
    // More areas than the traced pool had may need more slots.
    traced.resize(machine.slots.max(128 * machine.areas), machine.areas);
    if slots.is_some_and(|slots| slots <= traced.slots) {
        return Ok(None);
    }
    Ok(what_if(load, traced, change)?.out_of_reach)
}

fn obstacle(machine: &Machine, failure: &Failure) -> Obstacle {
    let device = machine.devices.get(failure.device as usize);
    match failure.cause {
        MapError::BounceNotCapable { mask, .. } | MapError::NotCapable { mask, .. } => {
            Obstacle::OutOfReach { mask }
        }
        MapError::Full(full) => match full.why {
            FullReason::AboveSlotSet | FullReason::AboveBoundary => {
                let mask = device.map_or(0, |device| u64::from(device.min_align_mask));
                let room = mask.next_multiple_of(swiotlb::SLOT_BYTES);
                Obstacle::TooLarge {
                    most_bytes: swiotlb::MAX_ALLOC_BYTES - room,
                }
            }
            FullReason::Fragmented { longest_run } => Obstacle::Fragmentation { longest_run },
            FullReason::Misaligned { .. }
            | FullReason::WrongSide { .. }
            | FullReason::CrossesBoundary { .. }
            | FullReason::SteppedOver { .. } => Obstacle::Alignment,
            FullReason::AreasExhausted { .. } => Obstacle::Areas,
            _ => Obstacle::Room {
                slots: machine.slots,
            },
        },
        MapError::Inactive => Obstacle::Room {
            slots: machine.slots,
        },
        _ => Obstacle::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::planted::{load, planted};
    use crate::replay::{Known, Recorded};

    #[test]
    fn a_request_that_no_kernel_carries_out_is_no_want_of_room() {
        let load = load(&[planted(1, 100, 300, (0, 1))]);
        let machine = Recorded::of(&load.survey, Known::default()).machine;
        let failure = |cause| Failure {
            line: 1,
            device: 0,
            task: 0,
            bytes: 0,
            cause,
        };
        let of = |cause| obstacle(&machine, &failure(cause));
        assert_eq!(of(MapError::ZeroSize), Obstacle::Invalid);
        assert_eq!(of(MapError::NoDmaMask), Obstacle::Invalid);
        let room = Obstacle::Room {
            slots: machine.slots,
        };
        assert_eq!(of(MapError::Inactive), room);
    }
}
