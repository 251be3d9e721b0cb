//! The report of a suite: a table for people, CSV and JSON for programs. The same facts in each.

pub(crate) mod files;
mod table;

pub use files::{CSV_COLUMNS, check_folder, check_writable, write_files};
pub use table::{Summary, heading, lines};

use std::collections::BTreeMap;

use serde::Serialize;

use crate::result::{Counts, RunResult, Verdict, deciding, judge};
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
    /// The counts of the same work unbounced, if that was run.
    pub unbounced: Option<Counts>,
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
    /// Makes the row of a run, and of the same work unbounced if that was run: what that run broke counts as
    /// if the scenario had. `manifest` is that of the core, if it is not the usual one.
    #[must_use]
    pub fn new(
        scenario: &str,
        plan: &Plan,
        mut result: RunResult,
        unbounced: Option<&RunResult>,
        manifest: Option<&str>,
    ) -> Self {
        if let Some(unbounced) = unbounced {
            add_comparison(&mut result, unbounced);
        }
        Self {
            scenario: scenario.to_owned(),
            seed: plan.seed,
            verdict: judge(&plan.expect, &result),
            expect: plan.expect.clone(),
            utilisation_permille: result.counts.utilisation_permille(),
            counts: result.counts,
            unbounced: unbounced.map(|run| run.counts.clone()),
            broken: result.broken,
            violations: result.violations,
            wave: result.wave,
            replay: replay(scenario, plan.seed, manifest),
        }
    }

    /// Returns the violation that decides the verdict, if there is one.
    #[must_use]
    pub fn decisive(&self) -> Option<&Violation> {
        self.deciding().into_iter().next()
    }

    /// Returns the violations that decide the verdict: of a planted fault, the first of each check that has to
    /// catch it.
    #[must_use]
    pub fn deciding(&self) -> Vec<&Violation> {
        deciding(&self.expect, &self.violations, &self.broken)
    }

    /// Cycles of the same work unbounced, if that was run and had no violation.
    #[must_use]
    pub fn unbounced_cycles(&self) -> Option<u64> {
        let counts = self.unbounced.as_ref();
        counts
            .map(|counts| counts.cycles)
            .filter(|cycles| *cycles > 0)
    }

    /// Number of violations.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.broken.values().sum()
    }
}

/// Adds what the unbounced run broke, marked as such.
fn add_comparison(result: &mut RunResult, unbounced: &RunResult) {
    for (check, count) in &unbounced.broken {
        *result.broken.entry(*check).or_insert(0) += count;
    }
    let marked = unbounced.violations.iter().map(|violation| Violation {
        text: format!("in the comparison without bouncing: {}", violation.text),
        ..violation.clone()
    });
    result.violations.extend(marked);
}

/// Returns the command that runs just this scenario again, with a waveform. `manifest` is that of the core, if
/// it is not the usual one.
#[must_use]
pub fn replay(scenario: &str, seed: Seed, manifest: Option<&str>) -> String {
    let manifest = manifest.map_or_else(String::new, |path| format!(" MANIFEST={}", quoted(path)));
    format!("make sim SCENARIO={scenario} SEED={seed}{manifest} WAVES=1")
}

/// Writes a path as a shell and make read it.
pub(crate) fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:,@%".contains(c);
    if path.chars().all(is_plain) {
        return path.to_owned();
    }
    let escaped = path.replace('$', "$$").replace('\'', r"'\''");
    format!("'{escaped}'")
}

/// Lists the names of checks.
pub fn names<'a>(checks: impl IntoIterator<Item = &'a Check>, separator: &str) -> String {
    let names: Vec<&str> = checks.into_iter().map(|check| check.name()).collect();
    names.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::{ModelEngine, Quirk, run_on};
    use crate::scenario::layout::{Layout, Placement};

    fn plan() -> Plan {
        let mut layout = Layout::new(Seed::new(5), 32);
        layout.receive(0, Placement::Above, 100, 0);
        layout.finish()
    }

    fn run(plan: &Plan, quirk: Option<Quirk>) -> RunResult {
        let mut model = ModelEngine::new(plan.engine);
        model.quirk = quirk;
        let mut result = run_on(model, plan).expect("the model has all ports").0;
        // The model is slower than the engine.
        result.broken.remove(&Check::Budget);
        result
            .violations
            .retain(|violation| violation.check != Check::Budget);
        result
    }

    #[test]
    fn a_comparison_without_violations_leaves_the_verdict() {
        let plan = plan();
        let unbounced = run(&plan.unbounced(), None);
        let row = Row::new("x/y", &plan, run(&plan, None), Some(&unbounced), None);
        assert_eq!(row.verdict, Verdict::Pass, "{:?}", row.violations);
        assert_eq!(row.unbounced_cycles(), Some(unbounced.counts.cycles));
    }

    #[test]
    fn a_core_that_fails_only_in_the_comparison_fails() {
        let plan = plan();
        let unbounced = run(&plan.unbounced(), Some(Quirk::FlipsABit));
        let row = Row::new("x/y", &plan, run(&plan, None), Some(&unbounced), None);
        assert_eq!(row.verdict, Verdict::Fail);
        let lines = lines(&row);
        assert!(
            lines[2]
                .contains("data: transfer 0: in the comparison without bouncing: rx0+0x0 wrong"),
            "{lines:#?}"
        );
        assert!(lines[3].contains("replay: make sim SCENARIO=x/y SEED=0x5"));
    }

    #[test]
    fn a_comparison_whose_process_died_fails() {
        let plan = plan();
        let died = RunResult::of_violation(Violation {
            check: Check::Crash,
            cycle: None,
            transfer: None,
            text: "process of the run died".into(),
            place: None,
        });
        let row = Row::new("x/y", &plan, run(&plan, None), Some(&died), None);
        assert_eq!(row.verdict, Verdict::Fail);
        assert_eq!(row.unbounced_cycles(), None);
    }

    #[test]
    fn a_replay_names_another_manifest() {
        let command = |path| replay("x/y", Seed::new(5), Some(path));
        assert_eq!(
            command("cores/mine.toml"),
            "make sim SCENARIO=x/y SEED=0x5 MANIFEST=cores/mine.toml WAVES=1"
        );
        assert!(command("my cores/a.toml").contains(" MANIFEST='my cores/a.toml' "));
    }
}
