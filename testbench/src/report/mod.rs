//! The report of a suite: a table for people, CSV and JSON for programs. The same facts in each.

mod files;
mod table;

pub use files::{CSV_COLUMNS, check_folder, check_writable, write_files};
pub use table::{Summary, heading, lines};

use std::collections::BTreeMap;

use serde::Serialize;

use crate::result::{Counts, RunResult, Verdict, decisive, judge};
use crate::scenario::plan::{Expect, Plan};
use crate::seed::Seed;
use crate::violation::{Check, Violation};

/// One scenario of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the scenario.
    pub scenario: String,
    /// Its seed.
    pub seed: Seed,
    /// The verdict.
    pub verdict: Verdict,
    /// What the plan expects.
    pub expect: Expect,
    /// The counts of the run.
    pub counts: Counts,
    /// Utilisation of the data channels in tenths of a percent.
    pub utilisation_permille: u64,
    /// Cycles of the same work unbounced, if that was run and had no violation.
    pub unbounced_cycles: Option<u64>,
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
    /// Makes the row of a run, and of the same work unbounced if that was run.
    #[must_use]
    pub fn new(
        scenario: &str,
        plan: &Plan,
        result: RunResult,
        unbounced: Option<&RunResult>,
    ) -> Self {
        let unbounced_cycles = unbounced
            .filter(|run| run.broken.is_empty())
            .map(|run| run.counts.cycles);
        Self {
            scenario: scenario.to_owned(),
            seed: plan.seed,
            verdict: judge(&plan.expect, &result),
            expect: plan.expect.clone(),
            utilisation_permille: result.counts.utilisation_permille(),
            counts: result.counts,
            unbounced_cycles,
            broken: result.broken,
            violations: result.violations,
            wave: result.wave,
            replay: replay(scenario, plan.seed),
        }
    }

    /// Returns the violation that decides the verdict, if there is one.
    #[must_use]
    pub fn decisive(&self) -> Option<&Violation> {
        let result = RunResult {
            violations: self.violations.clone(),
            broken: self.broken.clone(),
            ..RunResult::default()
        };
        let wanted = decisive(&self.expect, &result)?.clone();
        self.violations
            .iter()
            .find(|violation| **violation == wanted)
    }

    /// Number of violations.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.broken.values().sum()
    }
}

/// Returns the command that runs just this scenario again, with a waveform.
#[must_use]
pub fn replay(scenario: &str, seed: Seed) -> String {
    format!("make sim SCENARIO={scenario} SEED={seed} WAVES=1")
}
