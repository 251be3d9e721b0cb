//! Random traffic, and registers that begin with random values.

use rebound_sim::axi::{Bandwidth, ResponseOrder};
use rebound_sim::stall::Stall;
use rebound_sim::stream::StreamPolicy;

use super::basic;
use super::layout::{Layout, Spot};
use super::profile::Profile;
use super::suite::{Scenario, always};
use super::trial::{Fate, Trial};
use crate::seed::{RandomStream, Seed};

/// Name of the scenario that needs a build of its own.
pub(super) const RESET_VALUES: &str = "random/reset-values";
/// Longest buffer of random traffic.
const MOST_BYTES: u64 = 16_384;
/// Transfers of a run, in each direction.
const JOBS: u64 = 12;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "random/traffic",
        what: "random lengths, places, offsets and bus behaviour",
        applies: always,
        trial: traffic,
        is_seeded: true,
    },
    Scenario {
        name: RESET_VALUES,
        what: "random traffic, with registers that no reset reaches at random values in the beginning",
        applies: always,
        trial: |profile, seed| {
            let mut trial = traffic(profile, seed);
            trial.has_random_reset = true;
            trial
        },
        is_seeded: true,
    },
];

fn traffic(profile: &Profile, seed: Seed) -> Trial {
    let mut random = seed.stream("traffic");
    let mut layout = Layout::new(profile, seed);
    if random.chance(0.25) {
        layout = layout.bounced();
    }
    layout = layout.with_bus(|bus| {
        let mut stall = || {
            let probability = [0.1, 0.3, 0.6];
            let chosen = random.pick(&probability).copied();
            match random.below(3) {
                0 => Stall::Random {
                    probability: chosen.unwrap_or(0.1),
                },
                1 => Stall::LongHold { run: 9, hold: 21 },
                _ => Stall::None,
            }
        };
        bus.stalls.ar = stall();
        bus.stalls.r = stall();
        bus.stalls.aw = stall();
        bus.stalls.w = stall();
        bus.stalls.b = stall();
        bus.read_latency_cycles = cycles(&mut random);
        bus.write_latency_cycles = cycles(&mut random);
        bus.read_jitter_cycles = cycles(&mut random);
        bus.write_jitter_cycles = cycles(&mut random);
        if random.chance(0.3) {
            bus.write_bandwidth = Some(Bandwidth {
                beats: 1,
                cycles: 3,
            });
        }
        if random.chance(0.5) {
            bus.order = ResponseOrder::ReorderById {
                interleave_reads: true,
            };
        }
    });
    if random.chance(0.5) {
        layout.trial.world.stream = StreamPolicy {
            source_stall: Stall::Random { probability: 0.3 },
            sink_stall: Stall::Random { probability: 0.3 },
        };
    }
    let lengths = basic::lengths(profile);
    for direction in profile.directions.clone() {
        for _ in 0..JOBS {
            let bytes = match random.below(3) {
                0 => random.pick(&lengths).copied().unwrap_or(1),
                1 => random.between(1, 4 * profile.beat_bytes),
                _ => random.between(1, MOST_BYTES),
            };
            let spots = [spot(profile, &mut random), spot(profile, &mut random)];
            let offsets = [random.below(4096), random.below(4096)];
            let bytes = profile.length(bytes);
            layout.job(direction, spots, bytes, offsets, Fate::Done);
        }
    }
    layout.finish()
}

fn spot(profile: &Profile, random: &mut RandomStream) -> Spot {
    match random.below(5) {
        0 => Spot::High,
        1 if profile.limits.address_bits < 52 && profile.pool().is_ok() => Spot::Above,
        2 => Spot::Across64K,
        _ => Spot::Low,
    }
}

fn cycles(random: &mut RandomStream) -> u32 {
    let most = [2, 20, 120];
    let most = random.pick(&most).copied().unwrap_or(2);
    u32::try_from(random.between(1, most)).unwrap_or(1)
}
