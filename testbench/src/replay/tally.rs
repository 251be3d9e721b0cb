//! Who holds the slots: by device, task and size, at the peak, over time and at the end.

use rustc_hash::FxHashMap;

use crate::replay::engine::Engine;
use crate::replay::survey::Survey;

/// A part of the slots in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Number of the device.
    pub device: u32,
    /// Number of the task's name.
    pub task: u32,
    /// Length of the buffers in bytes, rounded up to a power of two.
    pub bytes: u64,
    /// Slots.
    pub slots: u64,
    /// Mappings.
    pub mappings: u64,
}

/// Parts into which a trace is cut to see what only grows.
pub(crate) const SAMPLES: u64 = 10;

type Key = (u32, u32, u64);

/// Counts by holder.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    now: FxHashMap<Key, (u64, u64)>,
    used: u64,
    peak: u64,
    at_peak: FxHashMap<Key, (u64, u64)>,
    held: Vec<u64>,
    samples: Vec<Vec<u64>>,
    first_ns: u64,
    part_ns: u64,
}

impl Tally {
    pub(crate) fn new(survey: &Survey) -> Self {
        Self {
            held: vec![0; survey.devices.len()],
            first_ns: survey.first_ns,
            part_ns: ((survey.last_ns - survey.first_ns) / SAMPLES).max(1),
            ..Self::default()
        }
    }

    fn key((device, task, bytes): Key) -> Key {
        (device, task, bytes.max(1).next_power_of_two())
    }

    pub(crate) fn take(&mut self, key: Key, slots: u64) {
        let entry = self.now.entry(Self::key(key)).or_default();
        (entry.0, entry.1) = (entry.0 + slots, entry.1 + 1);
        self.held[key.0 as usize] += slots;
        self.used += slots;
        if self.used > self.peak {
            self.peak = self.used;
            self.at_peak.clone_from(&self.now);
        }
    }

    pub(crate) fn give(&mut self, key: Key, slots: u64) {
        if slots == 0 {
            return;
        }
        let key = Self::key(key);
        if let Some(entry) = self.now.get_mut(&key) {
            (entry.0, entry.1) = (entry.0 - slots, entry.1 - 1);
            if entry.1 == 0 {
                self.now.remove(&key);
            }
        }
        self.held[key.0 as usize] -= slots;
        self.used -= slots;
    }

    /// Notes what the devices hold at the end of each part.
    pub(crate) fn sample(&mut self, time_ns: u64) {
        let parts = time_ns.saturating_sub(self.first_ns) / self.part_ns;
        while (self.samples.len() as u64) < parts.min(SAMPLES - 1) {
            self.samples.push(self.held.clone());
        }
    }

    pub(crate) fn end(&mut self) {
        self.samples.push(self.held.clone());
    }

    pub(crate) fn samples(&self) -> Vec<Vec<u64>> {
        self.samples.clone()
    }

    pub(crate) fn at_peak(&self) -> Vec<Share> {
        sorted(self.at_peak.iter().map(|(key, counts)| (*key, *counts)))
    }

    /// Returns who holds what at the end, sizes joined.
    pub(crate) fn left(engine: &Engine) -> Vec<Share> {
        let mut left: FxHashMap<Key, (u64, u64)> = FxHashMap::default();
        for (_, held) in engine.all_held().filter(|(_, held)| held.slots > 0) {
            let entry = left.entry((held.device, held.task, 0)).or_default();
            (entry.0, entry.1) = (entry.0 + u64::from(held.slots), entry.1 + 1);
        }
        sorted(left.into_iter())
    }
}

/// Most slots first; the same order in every run.
fn sorted(counts: impl Iterator<Item = (Key, (u64, u64))>) -> Vec<Share> {
    let share = |((device, task, bytes), (slots, mappings))| Share {
        device,
        task,
        bytes,
        slots,
        mappings,
    };
    let mut shares: Vec<Share> = counts.map(share).collect();
    shares.sort_unstable_by_key(|share| {
        (
            std::cmp::Reverse(share.slots),
            share.device,
            share.task,
            share.bytes,
        )
    });
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::survey::DeviceSurvey;

    #[test]
    fn the_peak_is_remembered_by_holder_and_samples_by_device() {
        let mut survey = Survey::new();
        survey.devices.push(DeviceSurvey::new("nic"));
        survey.last_ns = 100;
        let mut tally = Tally::new(&survey);
        tally.take((0, 1, 4096), 2);
        tally.sample(35);
        tally.take((0, 2, 3000), 2);
        tally.give((0, 1, 4096), 2);
        tally.take((0, 2, 3000), 2);
        tally.end();
        let shares: Vec<_> = tally
            .at_peak()
            .iter()
            .map(|share| (share.task, share.bytes, share.slots))
            .collect();
        assert_eq!(shares, [(1, 4096, 2), (2, 4096, 2)]);
        assert_eq!(tally.samples(), [[2], [2], [2], [4]]);
    }
}
