//! Buffers across boundaries, and below, above and across what the core declares to reach.

use rebound_sim::manifest::Direction;

use super::layout::{Layout, Spot};
use super::profile::Profile;
use super::suite::{Scenario, always};
use super::trial::{Fate, Trial};
use crate::seed::Seed;

/// Bytes of the buffers that cross something.
const CROSSING_BYTES: u64 = 6000;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "address/page",
        what: "short buffers across a page, at all distances of beats around it",
        applies: always,
        trial: |profile, seed| {
            let mut layout = Layout::new(profile, seed);
            let bytes = profile.length(3 * profile.burst_bytes() / 2);
            for beats in [1, 2, 3, 5, 8] {
                let offset = 4096_u64.saturating_sub(beats * profile.beat_bytes);
                layout.each(bytes, [offset, 0]);
                layout.each(bytes, [0, offset]);
                layout.each(bytes, [offset, offset]);
            }
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "address/across-64k",
        what: "buffers across a multiple of 64 KiB, within reach",
        applies: |profile| match profile.limits.address_bits {
            bits @ ..17 => Err(format!("{bits} address bits: 64 KiB is not crossed")),
            _ => Ok(()),
        },
        trial: |profile, seed| crossing(profile, seed, Spot::Across64K),
        is_seeded: false,
    },
    Scenario {
        name: "address/across-4g",
        what: "buffers across a multiple of 4 GiB, within reach",
        applies: |profile| match profile.limits.address_bits {
            bits @ ..33 => Err(format!("{bits} address bits: 4 GiB is not crossed")),
            _ => Ok(()),
        },
        trial: |profile, seed| crossing(profile, seed, Spot::Across4G),
        is_seeded: false,
    },
    Scenario {
        name: "address/high",
        what: "buffers at the highest addresses within reach, in turn with low ones",
        applies: always,
        trial: |profile, seed| {
            let mut layout = Layout::new(profile, seed);
            let bytes = profile.length(CROSSING_BYTES);
            for direction in profile.directions.clone() {
                for spots in [
                    [Spot::High, Spot::Low],
                    [Spot::Low, Spot::High],
                    [Spot::High, Spot::High],
                    [Spot::Low, Spot::Low],
                    [Spot::High, Spot::High],
                ] {
                    layout.job(direction, spots, bytes, [0; 2], Fate::Done);
                }
            }
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "address/above",
        what: "buffers beyond the core's reach go through the bounce pool",
        applies: has_limit,
        trial: |profile, seed| {
            let mut layout = Layout::new(profile, seed);
            let bytes = profile.length(CROSSING_BYTES);
            for direction in profile.directions.clone() {
                for spots in [
                    [Spot::Above, Spot::Low],
                    [Spot::Low, Spot::Above],
                    [Spot::Above, Spot::Above],
                ] {
                    layout.job(direction, spots, bytes, [64, 128], Fate::Done);
                }
            }
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "address/across-limit-source",
        what: "a source that begins within the core's reach and ends beyond it is bounced",
        applies: |profile| has_limit(profile).and_then(|()| direction(profile, Direction::S2mm)),
        trial: |profile, seed| {
            across_limit(
                profile,
                seed,
                Direction::S2mm,
                [Spot::AcrossLimit, Spot::Low],
            )
        },
        is_seeded: false,
    },
    Scenario {
        name: "address/across-limit-destination",
        what: "a destination that begins within the core's reach and ends beyond it is bounced",
        applies: |profile| has_limit(profile).and_then(|()| direction(profile, Direction::Mm2s)),
        trial: |profile, seed| {
            across_limit(
                profile,
                seed,
                Direction::Mm2s,
                [Spot::Low, Spot::AcrossLimit],
            )
        },
        is_seeded: false,
    },
    Scenario {
        name: "address/boundary",
        what: "buffers across the boundary that one transfer must not cross are split there",
        applies: |profile| match profile.limits.boundary {
            Some(boundary) if boundary <= 1 << 20 => Ok(()),
            Some(boundary) => Err(format!(
                "boundary of {boundary} bytes: beyond 1 MiB is not tried"
            )),
            None => Err("the manifest declares no boundary".into()),
        },
        trial: |profile, seed| {
            let boundary = profile.limits.boundary.unwrap_or(4096);
            let mut layout = Layout::new(profile, seed).without_pool();
            layout.each(profile.length(2 * boundary), [profile.granule() * 3, 0]);
            layout.finish()
        },
        is_seeded: false,
    },
];

fn has_limit(profile: &Profile) -> Result<(), String> {
    match profile.limits.address_bits {
        bits @ 52.. => Err(format!("{bits} address bits: no memory lies beyond")),
        _ => profile.pool(),
    }
}

/// Whether the core has any direction but this one.
fn direction(profile: &Profile, other: Direction) -> Result<(), String> {
    if profile.directions.iter().all(|one| *one == other) {
        return Err(format!("the core has {} alone", other.name()));
    }
    Ok(())
}

fn crossing(profile: &Profile, seed: Seed, spot: Spot) -> Trial {
    let mut layout = Layout::new(profile, seed);
    let bytes = profile.length(CROSSING_BYTES);
    for direction in profile.directions.clone() {
        layout.job(direction, [spot, Spot::Low], bytes, [0; 2], Fate::Done);
        layout.job(direction, [Spot::Low, spot], bytes, [0; 2], Fate::Done);
    }
    layout.finish()
}

/// One transfer with one buffer across the limit: there is but one such place.
fn across_limit(profile: &Profile, seed: Seed, without: Direction, spots: [Spot; 2]) -> Trial {
    let mut layout = Layout::new(profile, seed);
    let bytes = profile.length(CROSSING_BYTES);
    let mut directions = profile.directions.iter().copied();
    if let Some(direction) = directions.find(|one| *one != without) {
        layout.job(direction, spots, bytes, [0; 2], Fate::Done);
    }
    layout.finish()
}
