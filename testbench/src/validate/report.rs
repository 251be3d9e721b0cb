//! The report of a validation: a table for people, `validate.csv` and `validate.json` for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::UsageError;
use crate::report::files::{make_folder, replace};
use crate::result::{Counts, RunResult};
use crate::seed::Seed;
use crate::violation::{Check, Violation};

/// The verdict on a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No violation.
    Pass,
    /// A violation.
    Fail,
    /// It does not apply to the core.
    Skipped,
}

impl Verdict {
    /// Returns the word used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// One run, or one scenario that was not run.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the scenario.
    pub scenario: String,
    /// Parameters that are not the manifest's defaults, `NAME=VALUE`.
    pub parameters: Vec<String>,
    /// Seed of the run.
    pub seed: Seed,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it was skipped.
    pub reason: Option<String>,
    /// The counts of the run.
    pub counts: Counts,
    /// How often each check was broken.
    pub broken: BTreeMap<Check, u64>,
    /// The first violations of each check.
    pub violations: Vec<Violation>,
    /// Where the waveform is, if one was written.
    pub wave: Option<String>,
    /// The command that runs just this again, with a waveform.
    pub replay: String,
}

impl Row {
    /// The row of a run.
    #[must_use]
    pub fn of_run(
        scenario: &str,
        parameters: &[String],
        seed: Seed,
        result: RunResult,
        replay: String,
    ) -> Self {
        Self {
            scenario: scenario.to_owned(),
            parameters: parameters.to_vec(),
            seed,
            verdict: if result.broken.is_empty() {
                Verdict::Pass
            } else {
                Verdict::Fail
            },
            reason: None,
            counts: result.counts,
            broken: result.broken,
            violations: result.violations,
            wave: result.wave,
            replay,
        }
    }

    /// The row of a scenario that does not apply.
    #[must_use]
    pub fn of_skip(scenario: &str, parameters: &[String], seed: Seed, reason: String) -> Self {
        Self {
            verdict: Verdict::Skipped,
            reason: Some(reason),
            ..Self::of_run(
                scenario,
                parameters,
                seed,
                RunResult::default(),
                String::new(),
            )
        }
    }

    /// Returns its lines in the table: one, or more with the first violation in full.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let counts = &self.counts;
        let head = format!("{:<7} {:<32}", self.verdict.name(), self.scenario);
        if let Some(reason) = &self.reason {
            return vec![format!("{head} {reason}")];
        }
        let mut lines = vec![format!(
            "{head} {:>6} {:>9} {:>9} {:>9} {:>8}",
            self.seed.to_string(),
            counts.transfers,
            counts.bytes,
            counts.cycles,
            counts.bounced_mappings,
        )];
        if self.verdict == Verdict::Fail {
            let broken: Vec<String> = self
                .broken
                .iter()
                .map(|(check, count)| format!("{check} {count}"))
                .collect();
            lines.push(format!("        broken: {}", broken.join(", ")));
            if let Some(first) = self.violations.first() {
                lines.extend(violation_lines(first));
            }
            let shown = |violation: &&Violation| violation.text.contains('\n');
            if let Some(stuck) = self.violations.iter().skip(1).find(shown) {
                lines.extend(violation_lines(stuck));
            }
            lines.push(format!("        replay: {}", self.replay));
        }
        lines
    }
}

/// The heading of the table.
#[must_use]
pub fn heading() -> String {
    format!(
        "{:<7} {:<32} {:>6} {:>9} {:>9} {:>9} {:>8}",
        "", "scenario", "seed", "transfers", "bytes", "cycles", "bounced"
    )
}

/// A violation with its facts in the first line, and its evidence in further ones.
fn violation_lines(violation: &Violation) -> Vec<String> {
    let (first, evidence) = violation
        .text
        .split_once('\n')
        .unwrap_or((&violation.text, ""));
    let head = Violation {
        text: first.to_owned(),
        ..violation.clone()
    };
    let transfer = violation
        .transfer
        .map_or_else(String::new, |number| format!(" transfer {number}:"));
    let mut lines = vec![format!("        {}:{transfer} {head}", violation.check)];
    lines.extend(evidence.lines().map(|line| format!("          {line}")));
    lines
}

/// How a validation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Runs without a violation.
    pub passed: usize,
    /// Runs with one.
    pub failed: usize,
    /// Scenarios that do not apply.
    pub skipped: usize,
}

impl Summary {
    /// Counts the verdicts.
    #[must_use]
    pub fn of(rows: &[Row]) -> Self {
        let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        Self {
            passed: count(Verdict::Pass),
            failed: count(Verdict::Fail),
            skipped: count(Verdict::Skipped),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs: {} passed, {} failed; {} scenarios skipped",
            self.passed + self.failed,
            self.passed,
            self.failed,
            self.skipped
        )
    }
}

/// The columns of `validate.csv`.
pub const CSV_COLUMNS: [&str; 14] = [
    "scenario",
    "parameters",
    "seed",
    "verdict",
    "reason",
    "checks",
    "violations",
    "transfers",
    "bytes",
    "cycles",
    "read_beats",
    "write_beats",
    "bounced_mappings",
    "replay",
];

/// Writes both files into `folder`, which is made if need be, and returns their paths.
///
/// # Errors
/// If the folder or a file cannot be written; a file that exists is then as it was.
pub fn write_files(folder: &Path, rows: &[Row]) -> Result<[PathBuf; 2], UsageError> {
    let csv = csv_text(rows)
        .map_err(|error| UsageError::from_error("cannot write the report as CSV", &*error))?;
    let mut json = serde_json::to_vec_pretty(&serde_json::json!({ "runs": rows }))
        .map_err(|error| UsageError::from_error("cannot write the report as JSON", &error))?;
    json.push(b'\n');
    make_folder(folder)?;
    let paths = ["validate.csv", "validate.json"].map(|name| folder.join(name));
    replace(&paths[0], &csv)?;
    replace(&paths[1], &json)?;
    Ok(paths)
}

fn csv_text(rows: &[Row]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CSV_COLUMNS)?;
    for row in rows {
        let counts = &row.counts;
        let checks: Vec<&str> = row.broken.keys().map(|check| check.name()).collect();
        writer.write_record([
            row.scenario.clone(),
            row.parameters.join(" "),
            row.seed.to_string(),
            row.verdict.name().to_owned(),
            row.reason.clone().unwrap_or_default(),
            checks.join(" "),
            row.broken.values().sum::<u64>().to_string(),
            counts.transfers.to_string(),
            counts.bytes.to_string(),
            counts.cycles.to_string(),
            counts.read_beats.to_string(),
            counts.write_beats.to_string(),
            counts.bounced_mappings.to_string(),
            row.replay.clone(),
        ])?;
    }
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Row {
        let violation = Violation {
            check: Check::Hang,
            cycle: Some(90),
            transfer: Some(2),
            text: "control.copy.done[0]: expected interrupt irq, found 0x0 at last\nlast 1 bus events:\ncycle 7 \
                   port 0: B  burst 0: OKAY"
                .into(),
            place: None,
        };
        let result = RunResult::of_violation(violation);
        let replay = "rebound validate c.toml".to_owned();
        Row::of_run("basic/sizes", &["A=1".into()], Seed::new(3), result, replay)
    }

    #[test]
    fn a_failure_shows_the_first_violation_with_its_evidence_and_the_replay() {
        let lines = failed().lines();
        assert!(lines[0].starts_with("FAIL    basic/sizes "), "{lines:#?}");
        assert_eq!(lines[1], "        broken: hang 1");
        assert!(
            lines[2].ends_with("found 0x0 at last (cycle 90)"),
            "{lines:#?}"
        );
        assert_eq!(lines[4], "          cycle 7 port 0: B  burst 0: OKAY");
        assert_eq!(lines[5], "        replay: rebound validate c.toml");
    }

    #[test]
    fn a_skipped_scenario_says_why_and_is_counted_apart() {
        let skipped = Row::of_skip("bus/reorder", &[], Seed::new(1), "no ids".into());
        assert!(skipped.lines()[0].starts_with("SKIPPED bus/reorder"));
        assert!(skipped.lines()[0].ends_with(" no ids"));
        let summary = Summary::of(&[skipped, failed()]);
        assert_eq!(
            summary.to_string(),
            "1 runs: 0 passed, 1 failed; 1 scenarios skipped"
        );
    }

    #[test]
    fn files_name_the_checks_and_are_replaced_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = write_files(folder.path(), &[failed()]).expect("it can be written");
        let text = std::fs::read_to_string(&paths[0]).expect("written");
        assert!(text.starts_with(&CSV_COLUMNS.join(",")), "{text}");
        assert!(text.contains("basic/sizes,A=1,0x3,FAIL,,hang,1,"), "{text}");
        let json = std::fs::read(&paths[1]).expect("written");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["runs"][0]["verdict"], "fail");
    }
}
