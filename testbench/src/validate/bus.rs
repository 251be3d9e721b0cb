//! The bus with latency, stalls, limited bandwidth and answers in another order.

use rebound_sim::axi::{Bandwidth, BusPolicy, ChannelStalls, ResponseOrder};
use rebound_sim::stall::Stall;
use rebound_sim::stream::StreamPolicy;

use super::layout::Layout;
use super::profile::Profile;
use super::suite::{Scenario, always};
use super::trial::Trial;
use crate::seed::Seed;

/// A pattern that holds a channel for long, so that whatever fills up is full.
const HOLD: Stall = Stall::LongHold { run: 5, hold: 37 };

macro_rules! on_bus {
    ($name:literal, $what:literal, $applies:expr, $change:expr) => {
        Scenario {
            name: $name,
            what: $what,
            applies: $applies,
            trial: |profile, seed| on_bus(profile, seed, $change),
            is_seeded: true,
        }
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    on_bus!("bus/latency-1", "answers after one cycle", always, |bus| {
        *bus = BusPolicy::with_latency(1);
    }),
    on_bus!(
        "bus/latency-10",
        "answers after ten cycles",
        always,
        |bus| {
            *bus = BusPolicy::with_latency(10);
        }
    ),
    on_bus!(
        "bus/latency-100",
        "answers after a hundred cycles",
        always,
        |bus| {
            *bus = BusPolicy::with_latency(100);
        }
    ),
    on_bus!(
        "bus/stall-ar",
        "ARREADY is held low for long",
        reads,
        |bus| bus.stalls.ar = HOLD
    ),
    on_bus!(
        "bus/stall-r",
        "read data comes with long gaps",
        reads,
        |bus| bus.stalls.r = HOLD
    ),
    on_bus!(
        "bus/stall-aw",
        "AWREADY is held low for long",
        writes,
        |bus| bus.stalls.aw = HOLD
    ),
    on_bus!(
        "bus/stall-w",
        "WREADY is held low for long",
        writes,
        |bus| bus.stalls.w = HOLD
    ),
    on_bus!(
        "bus/stall-b",
        "write responses come with long gaps",
        writes,
        |bus| bus.stalls.b = HOLD
    ),
    on_bus!(
        "bus/stall-all",
        "every channel stalls in random cycles",
        always,
        |bus| bus.stalls = ChannelStalls::uniform(Stall::Random { probability: 0.4 })
    ),
    on_bus!(
        "bus/slow-read",
        "one beat of read data in five cycles",
        reads,
        |bus| {
            bus.read_bandwidth = Some(SLOW);
        }
    ),
    on_bus!(
        "bus/slow-write",
        "one beat of write data in five cycles",
        writes,
        |bus| {
            bus.write_bandwidth = Some(SLOW);
        }
    ),
    on_bus!(
        "bus/jitter",
        "each burst has a latency of its own",
        always,
        |bus| {
            bus.read_jitter_cycles = 60;
            bus.write_jitter_cycles = 60;
        }
    ),
    on_bus!(
        "bus/reorder",
        "answers overtake those of other ids, and read beats of several ids come mixed",
        |profile| match profile.id_bits {
            0 => Err("the core has no ids: all answers stay in order".into()),
            _ => Ok(()),
        },
        |bus| {
            bus.read_jitter_cycles = 60;
            bus.write_jitter_cycles = 60;
            bus.order = ResponseOrder::ReorderById {
                interleave_reads: true,
            };
        }
    ),
    Scenario {
        name: "bus/stream-stalls",
        what: "the streams stall in random cycles, so that data backs up into the core",
        applies: |profile| match profile.streams() {
            true => Ok(()),
            false => Err("no direction of the core has a stream".into()),
        },
        trial: |profile, seed| {
            let stall = Stall::Random { probability: 0.5 };
            let mut layout = Layout::new(profile, seed);
            layout.trial.world.stream = StreamPolicy {
                source_stall: stall,
                sink_stall: stall,
            };
            jobs(layout, seed)
        },
        is_seeded: true,
    },
];

const SLOW: Bandwidth = Bandwidth {
    beats: 1,
    cycles: 5,
};

fn reads(profile: &Profile) -> Result<(), String> {
    if profile.reads() {
        return Ok(());
    }
    Err("the core does not read memory".into())
}

fn writes(profile: &Profile) -> Result<(), String> {
    if profile.writes() {
        return Ok(());
    }
    Err("the core does not write memory".into())
}

fn on_bus(profile: &Profile, seed: Seed, change: fn(&mut BusPolicy)) -> Trial {
    jobs(Layout::new(profile, seed).with_bus(change), seed)
}

/// Transfers long enough to fill what a core has of buffers, and some short ones.
fn jobs(mut layout: Layout, seed: Seed) -> Trial {
    let mut random = seed.stream("bus");
    let profile = layout.profile.clone();
    let burst = profile.burst_bytes();
    for bytes in [profile.beat_bytes, burst, 5 * burst / 2, 4096, 12_000] {
        let offsets = [random.below(4096), random.below(4096)];
        layout.each(profile.length(bytes), offsets);
    }
    layout.finish()
}
