//! `rebound run-one`: one run in this process, for the runner (hidden).

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Outcome;
use crate::error::UsageError;
use crate::execute::{self, Environment, WaveRequest};
use crate::result::{ChildReport, RunResult};
use crate::scenario;
use crate::seed::{self, Seed};

/// Carry out one run and write its report to a file
#[derive(Debug, Args)]
pub struct RunOne {
    /// Name of the scenario
    #[arg(long)]
    scenario: String,
    /// Seed of the plan
    #[arg(long, value_parser = seed::parse)]
    seed: Seed,
    /// Do the same work with nothing to bounce
    #[arg(long)]
    unbounced: bool,
    /// Manifest of the core
    #[arg(long)]
    manifest: PathBuf,
    /// Where the waveform goes
    #[arg(long)]
    wave: Option<PathBuf>,
    /// First cycle of the waveform
    #[arg(long, requires = "wave")]
    waves_from: Option<u64>,
    /// Last cycle of the waveform
    #[arg(long, requires = "wave")]
    waves_to: Option<u64>,
    /// Where the report goes
    #[arg(long)]
    report: PathBuf,
}

impl RunOne {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        write_report(&self.report, || self.execute())
    }

    fn execute(&self) -> Result<RunResult, UsageError> {
        let scenario = scenario::find(&self.scenario)
            .ok_or_else(|| UsageError::new(format!("no scenario is named `{}`", self.scenario)))?;
        let plan = (scenario.plan)(self.seed);
        let plan = if self.unbounced {
            plan.unbounced()
        } else {
            plan
        };
        let environment = Environment::load(&self.manifest)?;
        let wave = self.wave.as_ref().map(|path| WaveRequest {
            path: path.clone(),
            from: self.waves_from.unwrap_or(0),
            to: self.waves_to,
        });
        execute::run(&environment, &plan, wave.as_ref())
    }
}

/// Carries a run out and writes what came of it, for the process that started this one.
pub(super) fn write_report(
    path: &Path,
    execute: impl FnOnce() -> Result<RunResult, UsageError>,
) -> Result<Outcome, UsageError> {
    if std::env::var_os(scenario::CHILD_MARK).is_some() {
        std::thread::spawn(end_with_parent);
    }
    let report = match execute() {
        Ok(result) => ChildReport::Ran(Box::new(result)),
        Err(error) => {
            let (message, help) = error.into_parts();
            ChildReport::Refused { message, help }
        }
    };
    let json = serde_json::to_vec(&report)
        .map_err(|error| UsageError::from_error("cannot write the run's report", &error))?;
    std::fs::write(path, json).map_err(|error| {
        let context = format!("cannot write {}", path.display());
        UsageError::from_error(&context, &error)
    })?;
    Ok(Outcome::Pass)
}

/// Ends this process when the one that started it is gone, however that ended: it holds the other end of the
/// standard input and never writes to it.
fn end_with_parent() {
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    std::process::exit(1);
}
