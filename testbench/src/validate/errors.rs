//! Accesses that the bus refuses: a core that can tell errors has to, and any has to work again afterwards.

use rebound_sim::axi::{FaultAccess, FaultResponse, FaultWindow};
use rebound_sim::manifest::Direction;
use swiotlb::DmaAddr;

use super::layout::{Layout, Spot};
use super::profile::Profile;
use super::suite::Scenario;
use super::trial::{Fate, Trial};
use crate::seed::Seed;

macro_rules! refused {
    ($name:literal, $what:literal, $is_read:literal, $response:expr) => {
        Scenario {
            name: $name,
            what: $what,
            applies: |profile| applies(profile, $is_read),
            trial: |profile, seed| trial(profile, seed, $is_read, $response),
            is_seeded: true,
        }
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    refused!(
        "error/read-slverr",
        "SLVERR to the first, a middle and the last read burst, each followed by a sound transfer",
        true,
        FaultResponse::Slverr
    ),
    refused!(
        "error/read-decerr",
        "DECERR to the first, a middle and the last read burst, each followed by a sound transfer",
        true,
        FaultResponse::Decerr
    ),
    refused!(
        "error/write-slverr",
        "SLVERR to the first, a middle and the last write burst, each followed by a sound transfer",
        false,
        FaultResponse::Slverr
    ),
    refused!(
        "error/write-decerr",
        "DECERR to the first, a middle and the last write burst, each followed by a sound transfer",
        false,
        FaultResponse::Decerr
    ),
];

fn directions(profile: &Profile, is_read: bool) -> Vec<Direction> {
    let other = if is_read {
        Direction::S2mm
    } else {
        Direction::Mm2s
    };
    let directions = profile.directions.iter().copied();
    directions.filter(|one| *one != other).collect()
}

fn applies(profile: &Profile, is_read: bool) -> Result<(), String> {
    let has_way = if is_read {
        profile.reads()
    } else {
        profile.writes()
    };
    if !has_way {
        let what = if is_read { "read" } else { "write" };
        return Err(format!("the core does not {what} memory"));
    }
    Ok(())
}

fn trial(profile: &Profile, seed: Seed, is_read: bool, response: FaultResponse) -> Trial {
    let mut random = seed.stream("errors");
    // The bus fails by address: that of the buffer.
    let mut layout = Layout::new(profile, seed).unbounced();
    let sound = profile.length(profile.burst_bytes() + profile.beat_bytes);
    let longest = profile.limits.max_length.unwrap_or(u64::MAX);
    let granule = profile.limits.length_alignment;
    let bytes = profile
        .length(4 * profile.burst_bytes())
        .min(longest / granule * granule);
    for direction in directions(profile, is_read) {
        for at in [0, bytes / 2, bytes - 1] {
            let fate = Fate::Refused { is_read };
            let offsets = [random.below(256), random.below(256)];
            let job = layout.job(direction, [Spot::Low; 2], bytes, offsets, fate);
            let job = layout.trial.jobs[job];
            let buffer = if is_read {
                job.source()
            } else {
                job.destination()
            };
            let buffer = buffer.expect("only directions with such a buffer are taken");
            let phys = layout.trial.world.buffers[buffer].phys;
            layout.trial.world.bus.faults.push(FaultWindow {
                dma_base: DmaAddr::new(phys + at),
                bytes: 1,
                access: if is_read {
                    FaultAccess::Read
                } else {
                    FaultAccess::Write
                },
                response,
            });
            layout.job(direction, [Spot::Low; 2], sound, [0; 2], Fate::Done);
        }
    }
    layout.finish()
}
