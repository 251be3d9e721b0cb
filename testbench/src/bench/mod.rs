//! `rebound bench`: how fast the simulation is, and in [`rtl`] how well the engine uses its bus.
//!
//! `rebound bench sim`: the same core, memory behaviour and transfers in a bare C++ loop and through Rebound.
//!
//! Three ways do the same work in processes of their own, in interleaved rounds, so that a busy machine
//! slows all of them alike. The best round of each counts: noise only ever adds time.

pub mod bare;
pub mod rtl;
pub mod through;

use std::time::Duration;

/// The work of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Copies, one after the other.
    pub copies: u32,
    /// Bytes of each.
    pub bytes: u32,
    /// Latency of the memory in cycles.
    pub latency: u32,
}

/// What a round took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Simulated cycles.
    pub cycles: u64,
    /// Time from reset to the end of the last copy; building and loading do not count.
    pub time: Duration,
}

impl Round {
    /// Simulated cycles per second.
    #[must_use]
    pub fn cycles_per_second(&self) -> u64 {
        let nanoseconds = self.time.as_nanos().max(1);
        let speed = u128::from(self.cycles) * 1_000_000_000 / nanoseconds;
        u64::try_from(speed).unwrap_or(u64::MAX)
    }

    /// Writes a round as the processes hand it over: cycles and nanoseconds.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{} {}", self.cycles, self.time.as_nanos())
    }

    /// Reads what [`Round::to_line`] or the bare loop wrote.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let (cycles, nanoseconds) = line.trim().split_once(' ')?;
        Some(Self {
            cycles: cycles.parse().ok()?,
            time: Duration::from_nanos(nanoseconds.parse().ok()?),
        })
    }
}

/// The rounds of one way of doing the work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    rounds: Vec<Round>,
}

impl Series {
    /// Adds a round.
    pub fn push(&mut self, round: Round) {
        self.rounds.push(round);
    }

    /// Returns cycles per second of the best and of the median round, 0 without rounds.
    #[must_use]
    pub fn best_and_median(&self) -> (u64, u64) {
        let mut speeds: Vec<u64> = self.rounds.iter().map(Round::cycles_per_second).collect();
        speeds.sort_unstable();
        let best = speeds.last().copied().unwrap_or(0);
        (best, speeds.get(speeds.len() / 2).copied().unwrap_or(0))
    }

    /// Returns the simulated cycles of a round.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.rounds.first().map_or(0, |round| round.cycles)
    }
}

/// Returns by how much the cycles of the ways diverge, in thousandths of the fewest: the ways do the same work, so
/// more than a little means that their speeds do not compare.
#[must_use]
pub fn divergence_permille(series: &[Series]) -> u64 {
    let cycles = || series.iter().map(Series::cycles);
    let (least, most) = (cycles().min().unwrap_or(0), cycles().max().unwrap_or(0));
    ((most - least) * 1000).checked_div(least).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cycles: u64, milliseconds: u64) -> Round {
        Round {
            cycles,
            time: Duration::from_millis(milliseconds),
        }
    }

    #[test]
    fn a_round_survives_its_line() {
        let round = round(843_613, 288);
        assert_eq!(Round::from_line(&round.to_line()), Some(round));
        assert_eq!(Round::from_line("843613"), None);
        assert_eq!(round.cycles_per_second(), 2_929_211);
    }

    #[test]
    fn the_best_and_the_median_round_are_told() {
        let mut series = Series::default();
        assert_eq!(series.best_and_median(), (0, 0));
        for milliseconds in [40, 10, 20] {
            series.push(round(1000, milliseconds));
        }
        assert_eq!(series.best_and_median(), (100_000, 50_000));
    }

    #[test]
    fn ways_that_simulate_other_cycles_diverge() {
        let series = |cycles| Series {
            rounds: vec![round(cycles, 1)],
        };
        let of = |cycles: [u64; 3]| divergence_permille(&cycles.map(series));
        assert_eq!(of([1000, 1000, 1000]), 0);
        assert_eq!(of([1000, 1010, 1005]), 10);
        assert_eq!(of([1200, 1000, 1000]), 200);
        assert_eq!(divergence_permille(&[]), 0);
    }
}
