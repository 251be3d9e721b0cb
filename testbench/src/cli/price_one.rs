//! `rebound price-one`: the transfers of one device in this process, for `rebound replay --rtl` (hidden).

use std::path::PathBuf;

use clap::Args;
use rebound_sim::device::Device;
use rebound_sim::manifest::Manifest;

use crate::cli::Outcome;
use crate::cli::core::CoreFiles;
use crate::cli::price::{ENGINE_DRIVER, usual};
use crate::cli::run_one::write_report;
use crate::error::UsageError;
use crate::execute::{self, Environment};
use crate::replay::price::trial;
use crate::result::RunResult;
use crate::scenario::plan::Plan;
use crate::validate::{self, Profile};

/// Carry out the transfers of one device and write the report to a file
#[derive(Debug, Args)]
pub(super) struct PriceOne {
    /// The plan, as JSON
    #[arg(long)]
    plan: PathBuf,
    /// Manifest of the core
    #[arg(long)]
    manifest: PathBuf,
    /// Where the report goes
    #[arg(long)]
    report: PathBuf,
}

impl PriceOne {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        write_report(&self.report, || self.execute())
    }

    fn execute(&self) -> Result<RunResult, UsageError> {
        let unreadable = |error: &dyn std::error::Error| {
            UsageError::from_error(&format!("cannot read {}", self.plan.display()), error)
        };
        let text = std::fs::read(&self.plan).map_err(|error| unreadable(&error))?;
        let plan: Plan = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
        let manifest = Manifest::load(&self.manifest).map_err(UsageError::from_diagnostic)?;
        if manifest.driver.as_deref() == Some(ENGINE_DRIVER) {
            return execute::run(&Environment::load(&self.manifest)?, &plan, None);
        }
        let files = CoreFiles::load(&self.manifest)?;
        let library = files.build(&usual(), false)?;
        let profile = Profile::new(files.manifest(), &library)?;
        let device = Device::load(&library, plan.seed.value());
        let device = device.map_err(UsageError::from_diagnostic)?;
        let (result, _) = validate::run_on(device, files.manifest(), &profile, &trial(plan))?;
        Ok(result)
    }
}
