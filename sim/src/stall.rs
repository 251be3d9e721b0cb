//! Stalls: when one side of a valid/ready channel makes the other wait. One mechanism for all channels.
//!
//! A stalled cycle is one in which a sink holds `ready` low, or in which a source presents nothing new.
//! A source never takes back what it has presented (IHI 0022, A3.2.1), so a stall that comes while a
//! beat is waiting has no effect on it. The patterns of buses and streams advance with every cycle, busy or
//! idle; those of a control port only while an access is under way.

use serde::{Deserialize, Serialize};

use crate::seed::{RandomStream, Seed, threshold};

/// A pattern of stalled cycles, as plain data.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Stall {
    /// Never stalls.
    #[default]
    None,
    /// Stalls in every `period`-th cycle; `period` is at least 2.
    EveryN {
        /// Cycles from one stalled cycle to the next.
        period: u32,
    },
    /// Stalls in each cycle with `probability`, from 0.0 to below 1.0.
    Random {
        /// Chance of a stall in a cycle.
        probability: f64,
    },
    /// Runs freely for `run` cycles, then stalls for `hold` cycles; both at least 1.
    LongHold {
        /// Free cycles.
        run: u32,
        /// Stalled cycles.
        hold: u32,
    },
}

/// A stall pattern that would block a channel for ever, or that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum StallError {
    /// `EveryN` with a period below 2.
    #[error("stall every_n: expected a period of at least 2 cycles, found {0}")]
    Period(u32),
    /// `Random` with a probability outside 0.0 to below 1.0.
    #[error("stall random: expected a probability from 0.0 to below 1.0, found {0}")]
    Probability(f64),
    /// `LongHold` without free or without stalled cycles.
    #[error(
        "stall long_hold: expected run and hold of at least 1 cycle, found run {run}, hold {hold}"
    )]
    Hold {
        /// Free cycles found.
        run: u32,
        /// Stalled cycles found.
        hold: u32,
    },
}

impl Stall {
    /// Checks that the pattern lets a channel make progress.
    ///
    /// # Errors
    /// If the pattern stalls in every cycle, or its numbers are out of range.
    pub fn check(&self) -> Result<(), StallError> {
        match *self {
            Self::EveryN { period } if period < 2 => Err(StallError::Period(period)),
            Self::Random { probability } if !(0.0..1.0).contains(&probability) => {
                Err(StallError::Probability(probability))
            }
            Self::LongHold { run, hold } if run == 0 || hold == 0 => {
                Err(StallError::Hold { run, hold })
            }
            _ => Ok(()),
        }
    }
}

/// A stall pattern in operation: its place in the pattern and its random stream.
#[derive(Debug, Clone)]
pub struct Staller {
    pattern: Pattern,
    place: u32,
    random: RandomStream,
}

/// The pattern with what is worth precomputing.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    Never,
    EveryN { period: u32 },
    Random { threshold: u64 },
    LongHold { run: u32, cycle: u32 },
}

impl Staller {
    /// Starts `stall`, a checked pattern, with the random stream `name` of `seed`.
    ///
    /// # Errors
    /// If the pattern does not pass [`Stall::check`].
    pub fn new(stall: Stall, seed: Seed, name: &str) -> Result<Self, StallError> {
        stall.check()?;
        let pattern = match stall {
            Stall::None => Pattern::Never,
            Stall::EveryN { period } => Pattern::EveryN { period },
            Stall::Random { probability } => Pattern::Random {
                threshold: threshold(probability),
            },
            Stall::LongHold { run, hold } => Pattern::LongHold {
                run,
                cycle: run.saturating_add(hold),
            },
        };
        Ok(Self {
            pattern,
            place: 0,
            random: seed.stream(name),
        })
    }

    /// Returns whether the pattern can stall at all.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !matches!(self.pattern, Pattern::Never)
    }

    /// Advances by one cycle and returns whether that cycle is stalled.
    #[inline]
    pub fn stalls(&mut self) -> bool {
        match self.pattern {
            Pattern::Never => false,
            Pattern::EveryN { period } => self.advance(period) == period - 1,
            Pattern::Random { threshold } => self.random.is_below(threshold),
            Pattern::LongHold { run, cycle } => self.advance(cycle) >= run,
        }
    }

    /// Steps to the next place of a pattern of `length` cycles and returns the present one.
    #[inline]
    fn advance(&mut self, length: u32) -> u32 {
        let place = self.place;
        self.place = if place + 1 >= length { 0 } else { place + 1 };
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(stall: Stall, seed: u64, count: usize) -> Vec<bool> {
        let mut staller = Staller::new(stall, Seed::new(seed), "test").unwrap();
        (0..count).map(|_| staller.stalls()).collect()
    }

    #[test]
    fn none_never_stalls() {
        assert!(!cycles(Stall::None, 1, 100).contains(&true));
    }

    #[test]
    fn every_n_stalls_in_the_last_cycle_of_each_period() {
        let expected = [false, false, true, false, false, true, false];
        assert_eq!(cycles(Stall::EveryN { period: 3 }, 1, 7), expected);
    }

    #[test]
    fn long_hold_runs_then_holds() {
        let expected = [false, false, true, true, true, false, false, true];
        assert_eq!(cycles(Stall::LongHold { run: 2, hold: 3 }, 1, 8), expected);
    }

    #[test]
    fn random_is_decided_by_the_seed_and_keeps_its_rate() {
        let stall = Stall::Random { probability: 0.3 };
        let first = cycles(stall, 9, 20_000);
        assert_eq!(first, cycles(stall, 9, 20_000));
        assert_ne!(first, cycles(stall, 10, 20_000));
        let stalled = first.iter().filter(|stalled| **stalled).count();
        assert!((5_500..6_500).contains(&stalled), "{stalled} of 20000");
    }

    #[test]
    fn patterns_that_block_for_ever_are_refused() {
        assert_eq!(
            Stall::EveryN { period: 1 }.check(),
            Err(StallError::Period(1))
        );
        assert_eq!(
            Stall::Random { probability: 1.0 }.check(),
            Err(StallError::Probability(1.0))
        );
        assert!(
            Stall::Random {
                probability: f64::NAN
            }
            .check()
            .is_err()
        );
        assert!(Stall::LongHold { run: 0, hold: 1 }.check().is_err());
    }

    #[test]
    fn patterns_read_from_toml() {
        let stall: Stall = toml::from_str("kind = \"long_hold\"\nrun = 4\nhold = 9").unwrap();
        assert_eq!(stall, Stall::LongHold { run: 4, hold: 9 });
        assert!(toml::from_str::<Stall>("kind = \"every_n\"\nperiod = 4\nspeed = 1").is_err());
    }
}
