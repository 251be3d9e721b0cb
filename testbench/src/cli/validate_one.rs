//! `rebound validate-one`: one run of a validation in this process, for the runner (hidden).

use std::path::PathBuf;

use clap::Args;
use rebound_sim::device::Device;
use rebound_sim::trace::{TraceKind, TraceWindow};

use crate::cli::Outcome;
use crate::cli::core::{Choice, CoreFiles};
use crate::cli::run_one::write_report;
use crate::error::UsageError;
use crate::result::RunResult;
use crate::seed::{self, Seed};
use crate::validate::{self, Profile};

/// Carry out one run of a validation and write its report to a file
#[derive(Debug, Args)]
pub(super) struct ValidateOne {
    /// Name of the scenario
    #[arg(long)]
    scenario: String,
    /// Seed of the trial
    #[arg(long, value_parser = seed::parse)]
    seed: Seed,
    /// Manifest of the core
    #[arg(long)]
    manifest: PathBuf,
    /// A parameter of the core, `NAME=VALUE`
    #[arg(long = "parameter")]
    parameters: Vec<String>,
    /// Where the waveform goes
    #[arg(long)]
    wave: Option<PathBuf>,
    /// Where the report goes
    #[arg(long)]
    report: PathBuf,
}

impl ValidateOne {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        write_report(&self.report, || self.execute())
    }

    fn execute(&self) -> Result<RunResult, UsageError> {
        let scenario = validate::find(&self.scenario)
            .ok_or_else(|| UsageError::new(format!("no scenario is named `{}`", self.scenario)))?;
        let files = CoreFiles::load(&self.manifest)?;
        let choice = Choice {
            parameters: self.parameters.clone(),
            trace: self
                .wave
                .as_ref()
                .map_or(TraceKind::Off, |_| TraceKind::Fst),
            has_random_reset: scenario.has_random_reset(),
        };
        let library = files.build(&choice, false)?;
        let profile = Profile::new(files.manifest(), &library)?;
        let trial = scenario
            .trial_for(&profile, self.seed)
            .map_err(UsageError::new)?;
        let device = Device::load(&library, self.seed.value());
        let mut device = device.map_err(UsageError::from_diagnostic)?;
        if let Some(wave) = &self.wave {
            let window = TraceWindow {
                from: 0,
                to: u64::MAX,
            };
            let opened = device.open_trace(wave, window);
            opened.map_err(UsageError::from_diagnostic)?;
        }
        let (mut result, mut device) =
            validate::run_on(device, files.manifest(), &profile, &trial)?;
        if let Some(wave) = &self.wave {
            device.close_trace().map_err(UsageError::from_diagnostic)?;
            result.wave = Some(wave.display().to_string());
        }
        Ok(result)
    }
}
