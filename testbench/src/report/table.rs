//! The report for people: one line a scenario, the deciding violation in full, the replay command.

use std::fmt;

use crate::report::Row;
use crate::result::Verdict;
use crate::scenario::plan::{Expect, Wanted};
use crate::violation::{Check, Violation};

/// Returns the heading of the table.
#[must_use]
pub fn heading() -> String {
    format!(
        "{:<6} {:<32} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9} {:>9} {:>8} {:>7} {:>8}  {}",
        "",
        "scenario",
        "transfers",
        "bytes",
        "cycles",
        "unbounced",
        "cost",
        "bus",
        "copied in",
        "and out",
        "copying",
        "mapping",
        "waiting",
        "pool peak"
    )
}

/// Returns the lines of a scenario: one if it went as expected, with its violation otherwise.
#[must_use]
pub fn lines(row: &Row) -> Vec<String> {
    let counts = &row.counts;
    let pool = if counts.pool_slots == 0 {
        "none".into()
    } else {
        format!("{} of {}", counts.pool_peak_slots, counts.pool_slots)
    };
    let unbounced = row.unbounced_cycles();
    let first = format!(
        "{:<6} {:<32} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9} {:>9} {:>8} {:>7} {:>8}  {pool}",
        row.verdict.name(),
        row.scenario,
        counts.transfers,
        size_text(counts.bytes),
        counts.cycles,
        unbounced.map_or_else(|| "-".into(), |cycles| cycles.to_string()),
        unbounced.map_or_else(|| "-".into(), |cycles| cost_text(counts.cycles, cycles)),
        permille_text(row.utilisation_permille),
        size_text(counts.copied_in_bytes),
        size_text(counts.copied_out_bytes),
        counts.cpu_copy_cycles,
        counts.cpu_map_cycles,
        counts.cpu_wait_cycles,
    );
    let mut lines = vec![first.trim_end().to_owned()];
    let deciding = row.deciding();
    match row.verdict {
        Verdict::Pass => {}
        Verdict::Caught => {
            lines.extend(deciding.iter().copied().map(located));
            lines.extend(rest_text(row, &deciding));
        }
        Verdict::Fail => {
            let broken: Vec<String> = row
                .broken
                .iter()
                .map(|(check, count)| format!("{check} {count}"))
                .collect();
            lines.push(format!(
                "       seed {}, {} violations ({})",
                row.seed,
                row.violation_count(),
                broken.join(", ")
            ));
            lines.extend(deciding.into_iter().map(located));
            lines.push(format!("       replay: {}", row.replay));
        }
        Verdict::Missed => {
            let silent = match &row.expect {
                Expect::Caught { must, .. } => {
                    let is_silent =
                        |wanted: &&Wanted| !row.violations.iter().any(|found| wanted.is(found));
                    let silent: Vec<String> = must
                        .iter()
                        .filter(is_silent)
                        .map(ToString::to_string)
                        .collect();
                    silent.join(" and ")
                }
                Expect::Pass => "none".to_owned(),
            };
            lines.push(format!(
                "       seed {}, the planted fault went unnoticed: expected a violation of check {silent}, \
                 found {}",
                row.seed,
                row.violation_count()
            ));
            lines.push(format!("       replay: {}", row.replay));
        }
    }
    lines
}

/// Tells what else the planted fault broke, the violations that are shown not counted.
fn rest_text(row: &Row, shown: &[&Violation]) -> Option<String> {
    let shown_of = |check: Check| shown.iter().filter(|found| found.check == check).count() as u64;
    let rest: Vec<String> = row
        .broken
        .iter()
        .map(|(check, count)| (check, count.saturating_sub(shown_of(*check))))
        .filter(|(_, count)| *count > 0)
        .map(|(check, count)| format!("{check} {count}"))
        .collect();
    let total = row.violation_count().saturating_sub(shown.len() as u64);
    (total > 0).then(|| format!("       and {total} more ({})", rest.join(", ")))
}

fn located(violation: &Violation) -> String {
    let transfer = violation
        .transfer
        .map_or_else(String::new, |transfer| format!(" transfer {transfer}:"));
    format!("       {}:{transfer} {violation}", violation.check)
}

/// How a suite went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Scenarios without a violation, as expected.
    pub passed: usize,
    /// Planted faults that were caught.
    pub caught: usize,
    /// Scenarios that did not go as expected.
    pub failed: usize,
}

impl Summary {
    /// Counts the verdicts.
    #[must_use]
    pub fn of(rows: &[Row]) -> Self {
        let count = |wanted: &[Verdict]| {
            rows.iter()
                .filter(|row| wanted.contains(&row.verdict))
                .count()
        };
        Self {
            passed: count(&[Verdict::Pass]),
            caught: count(&[Verdict::Caught]),
            failed: count(&[Verdict::Fail, Verdict::Missed]),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} scenarios: {} passed, {} planted faults caught, {} not as expected",
            self.passed + self.caught + self.failed,
            self.passed,
            self.caught,
            self.failed
        )
    }
}

fn size_text(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_240_000 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes >> 20),
    }
}

fn permille_text(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

/// Returns by how much the bounced work takes longer.
fn cost_text(cycles: u64, unbounced: u64) -> String {
    let permille =
        (i128::from(cycles) - i128::from(unbounced)) * 1000 / i128::from(unbounced.max(1));
    let sign = if permille < 0 { '-' } else { '+' };
    format!("{sign}{}.{} %", permille.abs() / 10, permille.abs() % 10)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::result::Counts;
    use crate::seed::Seed;

    fn row(verdict: Verdict, expect: Expect, checks: &[Check]) -> Row {
        Row {
            scenario: "bounce/partial-write".into(),
            seed: Seed::new(0x2b),
            verdict,
            expect,
            counts: Counts {
                transfers: 64,
                bytes: 262_144,
                cycles: 52_877,
                ..Counts::default()
            },
            utilisation_permille: 412,
            unbounced: Some(Counts {
                cycles: 40_000,
                ..Counts::default()
            }),
            broken: checks
                .iter()
                .map(|check| (*check, 3))
                .collect::<BTreeMap<_, _>>(),
            violations: checks
                .iter()
                .map(|check| Violation {
                    check: *check,
                    cycle: Some(18_442),
                    transfer: Some(7),
                    text: "dst+0x11 not written: expected 0x5b, found guard 0x1b".into(),
                    place: None,
                })
                .collect(),
            wave: None,
            replay: super::super::replay("bounce/partial-write", Seed::new(0x2b), None),
        }
    }

    #[test]
    fn a_good_row_is_one_line_in_the_columns_of_the_heading() {
        let lines = lines(&row(Verdict::Pass, Expect::Pass, &[]));
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].starts_with("PASS   bounce/partial-write "),
            "{}",
            lines[0]
        );
        assert!(lines[0].contains(" +32.1 %"), "{}", lines[0]);
        let column = heading().find("cycles").map(|at| at + "cycles".len());
        let value = lines[0].find("52877").map(|at| at + "52877".len());
        assert_eq!(column, value);
    }

    #[test]
    fn a_failure_shows_its_first_violation_and_ends_with_the_replay_command() {
        let lines = lines(&row(Verdict::Fail, Expect::Pass, &[Check::NotWritten]));
        assert_eq!(lines[1], "       seed 0x2b, 3 violations (not-written 3)");
        assert_eq!(
            lines[2],
            "       not-written: transfer 7: dst+0x11 not written: expected 0x5b, found guard 0x1b \
             (cycle 18442)"
        );
        assert_eq!(
            lines[3],
            "       replay: make sim SCENARIO=bounce/partial-write SEED=0x2b WAVES=1"
        );
    }

    #[test]
    fn a_missed_fault_names_the_check_that_should_have_fired() {
        let expect = Expect::Caught {
            must: vec![Check::Leak.into()],
            may: Vec::new(),
        };
        let lines = lines(&row(Verdict::Missed, expect, &[]));
        assert!(
            lines[1].contains("expected a violation of check `leak`, found 0"),
            "{}",
            lines[1]
        );
        assert!(lines[2].contains("replay: "));
    }

    #[test]
    fn a_caught_fault_counts_what_else_it_broke() {
        let expect = Expect::Caught {
            must: vec![Check::Leak.into()],
            may: vec![Check::Hang],
        };
        let lines = lines(&row(Verdict::Caught, expect, &[Check::Leak, Check::Hang]));
        assert_eq!(lines[2], "       and 5 more (leak 2, hang 3)");
    }

    #[test]
    fn sizes_and_costs_read_easily() {
        assert_eq!(size_text(9_999), "9999 B");
        assert_eq!(size_text(262_144), "256 KiB");
        assert_eq!(cost_text(900, 1000), "-10.0 %");
        assert_eq!(cost_text(1005, 1000), "+0.5 %");
    }
}
