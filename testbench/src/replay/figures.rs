//! Figures of a replay: per device, per phase, and over time.

use serde::Serialize;

use crate::replay::engine::{Answer, Held};
use crate::replay::levels::{Level, Lifetimes};
use crate::replay::op::MapOp;
use crate::trace::Dir;

/// Points of the curve over time.
pub const POINTS: usize = 600;

/// What a device did in a phase.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// Mappings asked for.
    pub maps: u64,
    /// Of these, bounced.
    pub bounced: u64,
    /// Of these, failed.
    pub failures: u64,
    /// Bytes of bounced buffers, one direction each.
    pub bounced_bytes: u64,
    /// Bytes that the CPU copied: at map, unmap and sync.
    pub copied_bytes: u64,
    /// Slots held by the device.
    pub slots: Level,
    /// How long bounced mappings lived that ended in the phase.
    pub lifetimes: Lifetimes,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.maps += other.maps;
        self.bounced += other.bounced;
        self.failures += other.failures;
        self.bounced_bytes += other.bounced_bytes;
        self.copied_bytes += other.copied_bytes;
        self.lifetimes.add(&other.lifetimes);
    }
}

/// A phase of the replay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PhaseFigures {
    /// When it began, in nanoseconds.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// `io_tlb_used_hiwater` of the phase: 0 if nothing was bounced.
    pub hiwater: u64,
    /// Slots in use.
    pub used: Level,
    /// Devices, by number.
    pub devices: Vec<Cell>,
}

impl PhaseFigures {
    /// Returns the sum over the devices; peaks are the pool's.
    #[must_use]
    pub fn total(&self) -> Cell {
        let mut total = Cell {
            slots: self.used,
            ..Cell::default()
        };
        self.devices.iter().for_each(|cell| total.add(cell));
        total
    }
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Point {
    /// Highest number of slots in use.
    pub used_slots: u64,
    /// Highest number of slots of all pools.
    pub total_slots: u64,
}

/// Everything that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Phases, by number.
    pub phases: Vec<PhaseFigures>,
    /// Slots in use over time: equal parts of the trace.
    pub curve: Vec<Point>,
    /// Most slots that all pools had.
    pub most_slots: u64,
    first_ns: u64,
    last_ns: u64,
    filled: usize,
    last_use: Point,
    held: Vec<u64>,
}

impl Figures {
    /// Begins for so many devices and a span of time.
    #[must_use]
    pub fn new(devices: usize, first_ns: u64, last_ns: u64) -> Self {
        let mut figures = Self {
            curve: vec![Point::default(); POINTS],
            first_ns,
            last_ns: last_ns.max(first_ns + 1),
            held: vec![0; devices],
            ..Self::default()
        };
        figures.begin_phase(first_ns, 0);
        figures
    }

    /// Ends the phase with the allocator's high-water mark, and begins the next.
    pub fn next_phase(&mut self, time_ns: u64, hiwater: u64, used: u64) {
        self.end_phase(time_ns, hiwater);
        self.begin_phase(time_ns, used);
    }

    fn begin_phase(&mut self, time_ns: u64, used: u64) {
        let level = Level::at(used, time_ns);
        let cell = |&held: &u64| Cell {
            slots: Level::at(held, time_ns),
            ..Cell::default()
        };
        self.phases.push(PhaseFigures {
            start_ns: time_ns,
            end_ns: time_ns,
            hiwater: 0,
            used: level,
            devices: self.held.iter().map(cell).collect(),
        });
    }

    /// Ends the last phase.
    pub fn end_phase(&mut self, time_ns: u64, hiwater: u64) {
        self.fill(time_ns);
        if let Some(phase) = self.phases.last_mut() {
            phase.end_ns = time_ns;
            phase.hiwater = hiwater;
            phase.used.set(phase.used.now(), time_ns);
            for cell in &mut phase.devices {
                cell.slots.set(cell.slots.now(), time_ns);
            }
        }
    }

    /// Counts a map.
    pub fn map(&mut self, op: &MapOp, answer: &Answer, time_ns: u64) {
        let Some(cell) = self
            .phases
            .last_mut()
            .and_then(|phase| phase.devices.get_mut(op.device as usize))
        else {
            return;
        };
        cell.maps += 1;
        match answer {
            Answer::Direct => {}
            Answer::Bounced { slots, .. } => {
                cell.bounced += 1;
                cell.bounced_bytes += op.bytes;
                cell.copied_bytes += op.bytes;
                let held = &mut self.held[op.device as usize];
                *held += u64::from(*slots);
                cell.slots.set(*held, time_ns);
            }
            Answer::Failed(_) => cell.failures += 1,
        }
    }

    /// Counts the end of a mapping.
    pub fn unmap(&mut self, held: &Held, skips_sync: bool, time_ns: u64) {
        let Some(cell) = self
            .phases
            .last_mut()
            .and_then(|phase| phase.devices.get_mut(held.device as usize))
        else {
            return;
        };
        if held.dma.is_none() {
            return;
        }
        if held.dir != Dir::ToDevice && !skips_sync {
            cell.copied_bytes += held.bytes;
        }
        cell.lifetimes.note(time_ns.saturating_sub(held.since_ns));
        let slots = &mut self.held[held.device as usize];
        *slots -= u64::from(held.slots);
        cell.slots.set(*slots, time_ns);
    }

    /// Counts a sync.
    pub fn sync(&mut self, held: &Held, bytes: u64, dir: Dir, for_cpu: bool) {
        let copies = if for_cpu {
            dir != Dir::ToDevice
        } else {
            dir != Dir::FromDevice
        };
        if let Some(cell) = self
            .phases
            .last_mut()
            .and_then(|phase| phase.devices.get_mut(held.device as usize))
            && held.dma.is_some()
            && copies
        {
            cell.copied_bytes += bytes;
        }
    }

    /// Notes how full the pools are after a step.
    pub fn note_use(&mut self, used: u64, total: u64, time_ns: u64) {
        if let Some(phase) = self.phases.last_mut() {
            phase.used.set(used, time_ns);
        }
        self.most_slots = self.most_slots.max(total);
        self.fill(time_ns);
        self.last_use = Point {
            used_slots: used,
            total_slots: total,
        };
        let point = &mut self.curve[self.filled];
        point.used_slots = point.used_slots.max(used);
        point.total_slots = point.total_slots.max(total);
    }

    /// Draws the curve on to a time.
    fn fill(&mut self, time_ns: u64) {
        let span = u128::from(self.last_ns - self.first_ns);
        let at = u128::from(time_ns.saturating_sub(self.first_ns)) * POINTS as u128 / span;
        let at = usize::try_from(at).unwrap_or(POINTS).min(POINTS - 1);
        while self.filled < at {
            self.filled += 1;
            self.curve[self.filled] = self.last_use;
        }
    }

    /// Returns the sum over all phases of a device.
    #[must_use]
    pub fn device(&self, number: usize) -> Cell {
        let mut total = Cell::default();
        for cell in self
            .phases
            .iter()
            .filter_map(|phase| phase.devices.get(number))
        {
            total.add(cell);
            if cell.slots.peak() > total.slots.peak() {
                total.slots = cell.slots;
            }
        }
        total
    }

    /// Returns the highest number of slots in use.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.phases
            .iter()
            .map(|phase| phase.used.peak())
            .max()
            .unwrap_or(0)
    }

    /// Returns the highest `io_tlb_used_hiwater` of all phases.
    #[must_use]
    pub fn hiwater(&self) -> u64 {
        let phases = self.phases.iter().map(|phase| phase.hiwater);
        phases.max().unwrap_or(0)
    }

    /// Returns how many maps failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        let cells = self.phases.iter().flat_map(|phase| &phase.devices);
        cells.map(|cell| cell.failures).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_keeps_the_highest_of_each_part() {
        let mut figures = Figures::new(0, 0, POINTS as u64 * 10);
        for (used, time) in [(7, 1), (9, 5), (2, 9), (4, 35)] {
            figures.note_use(used, 16, time);
        }
        let used: Vec<u64> = figures
            .curve
            .iter()
            .take(4)
            .map(|point| point.used_slots)
            .collect();
        assert_eq!(used, [9, 2, 2, 4]);
        figures.end_phase(POINTS as u64 * 10, 9);
        assert_eq!(figures.curve[POINTS - 1].used_slots, 4);
    }
}
