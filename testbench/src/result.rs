//! What a run found out: counts, violations, and the verdict that follows from the expectation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::plan::{Expect, Wanted};
use crate::violation::{Check, Violation};

/// Counts of one run, in cycles of the device's clock unless the name says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Transfers in the plan.
    pub transfers: u64,
    /// Bytes that the transfers move.
    pub bytes: u64,
    /// From the first driver action to the last one.
    pub cycles: u64,
    /// Cycles in which the engine had a burst in flight on its bus: asked for, and not yet answered.
    pub bus_busy_cycles: u64,
    /// R beats.
    pub read_beats: u64,
    /// W beats.
    pub write_beats: u64,
    /// CPU cycles spent copying, over all CPUs.
    pub cpu_copy_cycles: u64,
    /// CPU cycles spent in map, sync and unmap calls without copying, over all CPUs.
    pub cpu_map_cycles: u64,
    /// CPU cycles spent waiting for the engine, a channel or a slot, over all CPUs.
    pub cpu_wait_cycles: u64,
    /// Mappings made.
    pub mappings: u64,
    /// Mappings that were bounced.
    pub bounced_mappings: u64,
    /// Bytes of the bounced mappings.
    pub bounced_bytes: u64,
    /// Bytes that the CPUs copied into bounce buffers.
    pub copied_in_bytes: u64,
    /// Bytes that the CPUs copied out of bounce buffers.
    pub copied_out_bytes: u64,
    /// Times that a mapping was tried again because the pool was full.
    pub pool_full_retries: u64,
    /// Most slots in use at once.
    pub pool_peak_slots: u64,
    /// Most slots that there were at once, in all pools.
    pub pool_slots: u64,
    /// Cycles that the plan justifies.
    pub budget_cycles: u64,
}

impl Counts {
    /// Share of the run's cycles in which the data channels moved a beat, in tenths of a percent.
    ///
    /// Reads and writes have channels of their own, so a copy can reach twice 1000.
    #[must_use]
    pub fn utilisation_permille(&self) -> u64 {
        ratio_permille(self.read_beats + self.write_beats, self.cycles)
    }
}

/// Returns `part / whole` in thousandths, 0 if there is no whole.
#[must_use]
pub fn ratio_permille(part: u64, whole: u64) -> u64 {
    (part * 1000).checked_div(whole).unwrap_or(0)
}

/// What a run found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// Counts.
    pub counts: Counts,
    /// The first violations of each check.
    pub violations: Vec<Violation>,
    /// How often each check was broken.
    pub broken: BTreeMap<Check, u64>,
    /// Where the waveform was written, if one was.
    pub wave: Option<String>,
}

impl RunResult {
    /// A result that consists of one violation: the run did not get further.
    #[must_use]
    pub fn of_violation(violation: Violation) -> Self {
        Self {
            broken: BTreeMap::from([(violation.check, 1)]),
            violations: vec![violation],
            ..Self::default()
        }
    }

    /// Number of violations.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.broken.values().sum()
    }
}

/// What a process of a run hands to its parent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChildReport {
    /// The run took place.
    Ran(Box<RunResult>),
    /// It could not: the environment lacks something.
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No violation, as expected.
    Pass,
    /// The planted fault was caught, as expected.
    Caught,
    /// A violation that was not expected.
    Fail,
    /// The planted fault was not caught.
    Missed,
}

impl Verdict {
    /// Returns whether the run went as expected.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Caught)
    }

    /// Returns the word used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Caught => "CAUGHT",
            Self::Fail => "FAIL",
            Self::Missed => "MISSED",
        }
    }
}

/// Judges a run by what its plan expects.
#[must_use]
pub fn judge(expect: &Expect, result: &RunResult) -> Verdict {
    verdict(expect, &result.violations, &result.broken)
}

fn verdict(expect: &Expect, violations: &[Violation], broken: &BTreeMap<Check, u64>) -> Verdict {
    match expect {
        Expect::Pass if broken.is_empty() => Verdict::Pass,
        Expect::Pass => Verdict::Fail,
        Expect::Caught { must, .. } => {
            let is_there = |wanted: &Wanted| violations.iter().any(|found| wanted.is(found));
            if broken.keys().any(|check| expect.is_foreign(*check)) {
                Verdict::Fail
            } else if must.iter().all(is_there) {
                Verdict::Caught
            } else {
                Verdict::Missed
            }
        }
    }
}

/// Returns the violation that decides the verdict, to be shown in full.
#[must_use]
pub fn decisive<'a>(expect: &Expect, result: &'a RunResult) -> Option<&'a Violation> {
    deciding(expect, &result.violations, &result.broken)
        .into_iter()
        .next()
}

/// Returns the violations that decide the verdict: the first unexpected one, or the first of each check by which
/// a planted fault has to be caught.
#[must_use]
pub fn deciding<'a>(
    expect: &Expect,
    violations: &'a [Violation],
    broken: &BTreeMap<Check, u64>,
) -> Vec<&'a Violation> {
    let first = |is_decisive: &dyn Fn(&Violation) -> bool| {
        violations.iter().find(|violation| is_decisive(violation))
    };
    match expect {
        Expect::Pass => first(&|_| true).into_iter().collect(),
        Expect::Caught { .. } if verdict(expect, violations, broken) == Verdict::Fail => {
            first(&|found| expect.is_foreign(found.check))
                .into_iter()
                .collect()
        }
        Expect::Caught { must, .. } => must
            .iter()
            .filter_map(|wanted| first(&|found| wanted.is(found)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(checks: &[Check]) -> RunResult {
        let violation = |check: &Check| Violation {
            check: *check,
            cycle: None,
            transfer: None,
            text: check.name().into(),
            place: None,
        };
        RunResult {
            violations: checks.iter().map(violation).collect(),
            broken: checks.iter().map(|check| (*check, 1)).collect(),
            ..RunResult::default()
        }
    }

    #[test]
    fn a_planted_fault_must_be_caught_and_nothing_foreign_may_fire() {
        let expect = Expect::Caught {
            must: vec![Check::Stale.into()],
            may: vec![Check::Stream],
        };
        let verdict = |checks: &[Check]| judge(&expect, &result(checks));
        assert_eq!(verdict(&[Check::Stale]), Verdict::Caught);
        assert_eq!(verdict(&[Check::Stale, Check::Stream]), Verdict::Caught);
        assert_eq!(verdict(&[Check::Stream]), Verdict::Missed);
        assert_eq!(verdict(&[]), Verdict::Missed);
        assert_eq!(verdict(&[Check::Stale, Check::Leak]), Verdict::Fail);
        let both = result(&[Check::Stale, Check::Leak]);
        let shown = decisive(&expect, &both).map(|violation| violation.check);
        assert_eq!(shown, Some(Check::Leak));
    }

    #[test]
    fn a_planted_fault_must_break_the_rule_that_is_named() {
        let expect = |rule: &str| Expect::Caught {
            must: vec![Wanted::rule(rule)],
            may: Vec::new(),
        };
        let mut broken = result(&[Check::Protocol]);
        broken.violations[0].text = "AXI_W_LAST (IHI 0022 A3.4.1): of".into();
        assert_eq!(judge(&expect("AXI_W_LAST"), &broken), Verdict::Caught);
        assert_eq!(judge(&expect("AXI_W_STRB"), &broken), Verdict::Missed);
    }

    #[test]
    fn every_check_that_has_to_catch_a_fault_must_fire_and_is_shown() {
        let expect = Expect::Caught {
            must: vec![Check::Unmapped.into(), Check::Guard.into()],
            may: Vec::new(),
        };
        let one = result(&[Check::Unmapped]);
        assert_eq!(judge(&expect, &one), Verdict::Missed);
        let both = result(&[Check::Guard, Check::Unmapped]);
        assert_eq!(judge(&expect, &both), Verdict::Caught);
        let shown: Vec<Check> = deciding(&expect, &both.violations, &both.broken)
            .iter()
            .map(|violation| violation.check)
            .collect();
        assert_eq!(shown, [Check::Unmapped, Check::Guard]);
    }

    #[test]
    fn a_plan_that_expects_a_pass_fails_on_any_violation() {
        assert_eq!(judge(&Expect::Pass, &result(&[])), Verdict::Pass);
        assert_eq!(
            judge(&Expect::Pass, &result(&[Check::Budget])),
            Verdict::Fail
        );
    }

    #[test]
    fn utilisation_counts_both_data_channels() {
        let counts = Counts {
            cycles: 200,
            read_beats: 50,
            write_beats: 60,
            ..Counts::default()
        };
        assert_eq!(counts.utilisation_permille(), 550);
        assert_eq!(Counts::default().utilisation_permille(), 0);
    }
}
