//! Transfers of all sizes and offsets on a friendly bus.

use super::layout::{Layout, Spot};
use super::profile::Profile;
use super::suite::{Scenario, always};
use super::trial::{Fate, Trial};
use crate::seed::Seed;

/// The longest transfer that is tried, whatever the core declares: a MiB.
const LONGEST_BYTES: u64 = 1 << 20;
/// Most pairs of offsets in one run.
const MOST_OFFSETS: usize = 256;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "basic/smallest",
        what: "one transfer of the smallest length in each direction",
        applies: always,
        trial: |profile, seed| {
            let mut layout = Layout::new(profile, seed);
            layout.each(profile.length(0), [0; 2]);
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "basic/sizes",
        what: "lengths from the granule to several bursts, around beats, bursts and pages",
        applies: always,
        trial: sizes,
        is_seeded: false,
    },
    Scenario {
        name: "basic/offsets",
        what: "all offsets of source and destination in a beat, at short lengths",
        applies: |profile| {
            let limits = &profile.limits;
            let finest = limits.source_alignment.min(limits.destination_alignment);
            if finest >= profile.beat_bytes {
                return Err(format!(
                    "alignment {finest}: a beat of {} bytes has no other offsets",
                    profile.beat_bytes
                ));
            }
            Ok(())
        },
        trial: offsets,
        is_seeded: true,
    },
    Scenario {
        name: "basic/back-to-back",
        what: "sixteen transfers, each started as soon as the one before is done",
        applies: always,
        trial: |profile, seed| {
            let mut random = seed.stream("back-to-back");
            let mut layout = Layout::new(profile, seed);
            for _ in 0..16 {
                let bytes = profile.length(random.between(1, 3 * profile.burst_bytes()));
                layout.each(bytes, [random.below(4096), random.below(4096)]);
            }
            layout.finish()
        },
        is_seeded: true,
    },
    Scenario {
        name: "basic/longest",
        what: "the longest transfer that the core declares, or 1 MiB, unbounced",
        applies: |profile| match profile.limits.max_length {
            Some(_) => Ok(()),
            None => Err("the manifest declares no longest transfer".into()),
        },
        trial: |profile, seed| {
            let longest = profile.limits.max_length.unwrap_or(LONGEST_BYTES);
            let granule = profile.limits.length_alignment;
            // Where the core reaches less than 4 MiB, both buffers still have to fit.
            let most = LONGEST_BYTES.min(1 << (profile.limits.address_bits.min(22) - 2));
            let longest = longest.min(most / granule * granule);
            let mut layout = Layout::new(profile, seed).without_pool();
            layout.each(longest, [0; 2]);
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "basic/split",
        what: "a buffer longer than the longest transfer, split as a driver does",
        applies: |profile| match profile.limits.max_length {
            Some(longest) if longest < LONGEST_BYTES => Ok(()),
            Some(longest) => Err(format!(
                "longest transfer of {longest} bytes: more than 1 MiB is not tried"
            )),
            None => Err("the manifest declares no longest transfer".into()),
        },
        trial: |profile, seed| {
            let longest = profile.limits.max_length.unwrap_or(LONGEST_BYTES);
            let mut layout = Layout::new(profile, seed).without_pool();
            layout.each(longest + profile.length(profile.burst_bytes()), [0; 2]);
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "basic/zero-length",
        what: "a transfer of no bytes is done, and moves none",
        applies: |profile| match profile.limits.min_length {
            0 => Ok(()),
            _ => Err("the manifest does not declare min_length = 0".into()),
        },
        trial: |profile, seed| {
            let mut layout = Layout::new(profile, seed);
            let bytes = profile.length(profile.burst_bytes());
            for direction in profile.directions.clone() {
                layout.job(direction, [Spot::Low; 2], bytes, [0; 2], Fate::Empty);
            }
            layout.each(bytes, [0; 2]);
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "basic/interrupt",
        what: "interrupts are low before a transfer, and low again after their acknowledgement",
        applies: |profile| {
            let mut interrupts = profile.interrupts.iter();
            if profile.interrupts.is_empty() {
                Err("the control program waits for no interrupt".into())
            } else if !interrupts.any(|(_, _, is_acknowledged)| *is_acknowledged) {
                Err("no step behind wait_irq acknowledges it".into())
            } else {
                Ok(())
            }
        },
        trial: |profile, seed| {
            let mut layout = Layout::new(profile, seed);
            layout.trial.judges_interrupts = true;
            for bytes in [1, profile.burst_bytes(), 4096] {
                layout.each(profile.length(bytes), [0; 2]);
            }
            layout.finish()
        },
        is_seeded: false,
    },
    Scenario {
        name: "basic/bounced",
        what: "every buffer goes through the bounce pool (swiotlb=force)",
        applies: Profile::pool,
        trial: |profile, seed| {
            let mut random = seed.stream("bounced");
            let mut layout = Layout::new(profile, seed).bounced();
            for bytes in [1, profile.beat_bytes + 1, profile.burst_bytes(), 9000] {
                layout.each(
                    profile.length(bytes),
                    [random.below(4096), random.below(4096)],
                );
            }
            layout.finish()
        },
        is_seeded: true,
    },
];

/// Lengths where cores go wrong: around beats, bursts and pages.
pub(super) fn lengths(profile: &Profile) -> Vec<u64> {
    let (beat, burst) = (profile.beat_bytes, profile.burst_bytes());
    let granule = profile.limits.length_alignment;
    let mut lengths = Vec::new();
    for around in [beat, 2 * beat, burst, 2 * burst, 4096, 8192] {
        for bytes in [around - granule.min(around), around, around + granule] {
            lengths.push(profile.length(bytes));
        }
    }
    lengths.push(profile.length(3 * burst + beat + 1));
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

fn sizes(profile: &Profile, seed: Seed) -> Trial {
    let mut layout = Layout::new(profile, seed);
    for bytes in lengths(profile) {
        layout.each(bytes, [0; 2]);
    }
    layout.finish()
}

/// All pairs of offsets, or as many of them as a run has room for, drawn by the seed.
fn offsets(profile: &Profile, seed: Seed) -> Trial {
    let mut random = seed.stream("offsets");
    let limits = &profile.limits;
    let steps = |granule: u64| profile.beat_bytes.div_ceil(granule);
    let (sources, destinations) = (
        steps(limits.source_alignment),
        steps(limits.destination_alignment),
    );
    let mut pairs: Vec<(u64, u64)> = (0..sources)
        .flat_map(|source| (0..destinations).map(move |destination| (source, destination)))
        .collect();
    while pairs.len() > MOST_OFFSETS {
        let at = random.below(pairs.len() as u64);
        pairs.swap_remove(usize::try_from(at).unwrap_or(0));
    }
    let mut layout = Layout::new(profile, seed);
    for (source, destination) in pairs {
        let bytes = profile.length(random.between(1, 3 * profile.beat_bytes));
        let offsets = [
            source * limits.source_alignment,
            destination * limits.destination_alignment,
        ];
        layout.each(bytes, offsets);
    }
    layout.finish()
}
