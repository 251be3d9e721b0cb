//! `rebound characterize-one`: probes of a core in this process, as they come on its standard input (hidden).

use std::path::PathBuf;

use clap::Args;
use rebound_sim::device::Device;
use rebound_sim::trace::TraceKind;

use crate::characterize::lab;
use crate::cli::Outcome;
use crate::cli::core::{Choice, CoreFiles};
use crate::error::UsageError;
use crate::program;
use crate::seed::{self, Seed};

/// Run probes of a characterisation, one a line
#[derive(Debug, Args)]
pub(super) struct CharacterizeOne {
    /// Seed of all data and random behaviour of the bus
    #[arg(long, value_parser = seed::parse)]
    seed: Seed,
    /// Manifest of the core
    #[arg(long)]
    manifest: PathBuf,
    /// A parameter of the core, `NAME=VALUE`
    #[arg(long = "parameter")]
    parameters: Vec<String>,
}

impl CharacterizeOne {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let files = CoreFiles::load(&self.manifest)?;
        let choice = Choice {
            parameters: self.parameters.clone(),
            trace: TraceKind::Off,
            has_random_reset: false,
        };
        let library = files.build(&choice, false)?;
        let units = program::units(files.manifest(), &library);
        lab::serve(|probe| {
            let device = Device::load(&library, self.seed.value());
            let device = device.map_err(UsageError::from_diagnostic)?;
            lab::run_on(device, files.manifest(), units, self.seed, probe)
        })?;
        Ok(Outcome::Pass)
    }
}
