//! Resets: while nothing is to do, and in the midst of transfers.

use super::layout::{Layout, Spot};
use super::suite::{Scenario, always};
use super::trial::Fate;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "reset/in-flight",
    what: "resets at random cycles of transfers: nothing of them may follow, and the next transfer is sound",
    applies: always,
    trial: |profile, seed| {
        let mut random = seed.stream("reset");
        let mut layout = Layout::new(profile, seed).with_bus(|bus| {
            bus.read_latency_cycles = 30;
            bus.write_latency_cycles = 30;
        });
        layout.trial.judges_interrupts = true;
        let longest = profile.limits.max_length.unwrap_or(u64::MAX);
        let granule = profile.limits.length_alignment;
        let bytes = profile.length(8192).min(longest / granule * granule);
        let beats = bytes / profile.beat_bytes;
        for direction in profile.directions.clone() {
            for (low, high) in [
                (0, 4),
                (5, 30),
                (31, 80),
                (81, 200),
                (200, beats),
                (beats, 3 * beats),
            ] {
                let fate = Fate::Reset {
                    after_cycles: random.between(low, high.max(low)),
                };
                layout.job(direction, [Spot::Low; 2], bytes, [0; 2], fate);
                let sound = profile.length(profile.burst_bytes() + 3);
                layout.job(direction, [Spot::Low; 2], sound, [0; 2], Fate::Done);
            }
        }
        layout.finish()
    },
    is_seeded: true,
}];
