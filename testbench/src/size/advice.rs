//! The advice: sizes for each policy, who needs them, and what no size helps against.

use swiotlb::{FullReason, MapError, Policy};

use crate::replay::{Change, Failure, Load, Machine, Point, ReplayError, Share, what_if};
use crate::size::leak::{Leak, leaks};
use crate::size::search::{MOST_SLOTS, Margin, smallest};

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
    Room,
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
    /// Who held them.
    pub at_peak: Vec<Share>,
    /// For each policy.
    pub policies: Vec<PolicyAdvice>,
    /// The first failure in the largest pool, with why no size helps.
    pub obstacle: Option<(Failure, Obstacle)>,
    /// What fails first in the next smaller pool.
    pub smaller: Option<(u32, Failure)>,
    /// Devices whose mappings only grow.
    pub leaks: Vec<Leak>,
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
    largest.resize(MOST_SLOTS, machine.areas);
    let free = what_if(load, largest.clone(), change)?;
    let obstacle = free
        .first_failure
        .map(|failure| (failure, obstacle(&largest, &failure)));
    let mut advice = Advice {
        areas: machine.areas,
        peak_slots: free.figures.peak(),
        leaks: leaks(&load.survey, &free),
        at_peak: free.at_peak,
        policies: Vec::new(),
        obstacle,
        smaller: None,
    };
    for &(name, policy) in policies {
        let machine = Machine {
            policy,
            ..machine.clone()
        };
        let slots = smallest(load, &machine, margin.none())?;
        let with_margin = smallest(load, &machine, margin)?;
        let mut first = machine.clone();
        first.resize(slots.unwrap_or(MOST_SLOTS), machine.areas);
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
        if policy == Policy::Static {
            advice.smaller = smaller(load, &machine, slots, change)?;
        }
    }
    Ok(advice)
}

/// Replays on half the size, to tell what fails there.
fn smaller(
    load: &Load,
    machine: &Machine,
    slots: Option<u32>,
    change: Change,
) -> Result<Option<(u32, Failure)>, ReplayError> {
    let Some(half) = slots
        .map(|slots| slots / 2)
        .filter(|&half| half >= 128 * machine.areas)
    else {
        return Ok(None);
    };
    let mut machine = machine.clone();
    machine.resize(half, machine.areas);
    let result = what_if(load, machine, change)?;
    Ok(result.first_failure.map(|failure| (half, failure)))
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
            _ => Obstacle::Room,
        },
        _ => Obstacle::Room,
    }
}
