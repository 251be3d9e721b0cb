//! `rebound characterize`: measures a core, compares it with its manifest, and says what follows for its driver.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rebound_sim::trace::TraceKind;

use crate::characterize::cost::Machine;
use crate::characterize::derived::Derived;
use crate::characterize::sheet::Sheet;
use crate::characterize::{self, Subject, files, text, words};
use crate::cli::core::{Choice, CoreFiles};
use crate::cli::jobs::{job_count, jobs_or_all};
use crate::cli::machine_args::parse_bytes;
use crate::cli::progress::Steps;
use crate::cli::sim::seconds;
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::report::check_writable;
use crate::seed::{self, Seed};

/// Measure what a core can do, compare it with its manifest, and write its data sheet
///
/// Where `validate` keeps to the limits that the manifest declares, `characterize` finds them out by probes: address
/// bits, boundaries, granules, lengths, bursts, errors, resets and cycles. It prints defects and disagreements first,
/// then the calls that a Linux driver has to make, the `[limits]` as measured, and what bouncing will cost.
/// testbench/CHARACTERIZE.md explains how to read it.
///
/// Exit codes: 0 the core keeps what its manifest declares, 1 defects or broken promises, 2 wrong usage or environment.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rebound characterize my_dma.toml\n  \
    rebound characterize my_dma.toml --param AddrWidth=32 --ram 64G\n  \
    rebound characterize my_dma.toml --format c >> my_driver.c")]
pub(super) struct Characterize {
    /// Manifest of the core
    manifest: PathBuf,
    /// A parameter that is not the manifest's default, `NAME=VALUE`; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<String>,
    /// Seed of all data and random behaviour of the bus
    #[arg(long, default_value = "1", value_name = "NUMBER", value_parser = seed::parse, allow_negative_numbers = true)]
    seed: Seed,
    /// Folder of characterize.json and characterize.html
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    results: PathBuf,
    /// RAM of the machine that bouncing is counted for, as a PC lays it out: 3 GiB below 4 GiB, the rest above
    #[arg(long, default_value = "16G", value_name = "SIZE", value_parser = machine_bytes, allow_negative_numbers = true)]
    ram: u64,
    /// Bounce pool of that machine; Linux's own is 64M
    #[arg(long, default_value = "64M", value_name = "SIZE", value_parser = machine_bytes, allow_negative_numbers = true)]
    swiotlb: u64,
    /// Measurements at the same time [default: one for each core of the machine]
    #[arg(long, value_name = "NUMBER", value_parser = job_count, allow_negative_numbers = true)]
    jobs: Option<NonZeroUsize>,
    /// What is printed; the files are written whatever it is
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Seconds of wall time after which the process of a probe is stopped
    #[arg(long, default_value_t = 120.0, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    timeout: f64,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The data sheet, for people
    Table,
    /// The data sheet and all that follows, as characterize.json has it
    Json,
    /// The settings of a Linux driver alone, as a function in C
    C,
    /// The limits as measured alone, as a table for the manifest
    Toml,
}

impl Characterize {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        check_writable(&self.results, "--results")?;
        if self.swiotlb > self.ram {
            return Err(UsageError::new(format!(
                "--swiotlb {} is more than --ram {}: expected a pool within RAM",
                self.swiotlb, self.ram
            ))
            .help("Linux's pool is 64M unless `swiotlb=` says otherwise"));
        }
        let sheet = self.measure()?;
        let machine = Machine {
            ram_bytes: self.ram,
            pool_bytes: self.swiotlb,
        };
        let derived = Derived::of(&sheet, machine);
        let paths = files::write(&self.results, &sheet, &derived)?;
        self.print(&sheet, &derived)?;
        if self.format == Format::Table {
            say(&format!(
                "\n{}: {}, {}\nreport: {}, {}",
                sheet.core.name,
                words::count(sheet.defects.len(), "defect"),
                words::count(derived.broken_promises(), "broken promise"),
                paths[0].display(),
                paths[1].display()
            ))?;
        }
        Ok(if derived.is_sound(&sheet) {
            Outcome::Pass
        } else {
            Outcome::Violations
        })
    }

    /// Builds the core and probes it.
    fn measure(&self) -> Result<Sheet, UsageError> {
        let files = CoreFiles::load(&self.manifest)?;
        let choice = Choice {
            parameters: self.parameters.clone(),
            trace: TraceKind::Off,
            has_random_reset: false,
        };
        let library = files.build(&choice, true)?;
        let program = std::env::current_exe().map_err(|error| {
            UsageError::from_error("cannot find this program's own file", &error)
        })?;
        let subject = Subject {
            program: &program,
            path: &self.manifest,
            manifest: files.manifest(),
            library: &library,
            parameters: &self.parameters,
            seed: self.seed,
            jobs: jobs_or_all(self.jobs),
            timeout: Duration::from_secs_f64(self.timeout),
        };
        let steps = Steps::new();
        let sheet = characterize::characterize(&subject, &|step| {
            steps.show(step.done, step.all, &step.what);
        });
        steps.finish();
        sheet
    }

    fn print(&self, sheet: &Sheet, derived: &Derived) -> Result<(), UsageError> {
        match self.format {
            Format::Table => text::lines(sheet, derived)
                .iter()
                .try_for_each(|line| say(line)),
            Format::Json => say(files::json(sheet, derived)?.trim_end()),
            Format::C => say(derived.c.trim_end()),
            Format::Toml => say(derived.preset.toml.trim_end()),
        }
    }
}

/// Reads a size that a machine can have: up to 4 PiB, all that 52 address bits reach.
fn machine_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes > 1 << 52 {
        return Err(format!(
            "`{text}` is more than a machine has: expected at most 4194304G"
        ));
    }
    Ok(bytes)
}

/// Checks that a parameter has a name and a value.
fn parameter(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok(format!("{}={}", name.trim(), value.trim()))
        }
        _ => Err(format!("expected NAME=VALUE, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_no_machine_has_is_refused() {
        assert_eq!(machine_bytes("16G"), Ok(16 << 30));
        assert_eq!(machine_bytes("4194304G"), Ok(1 << 52));
        for wrong in ["4194305G", "17179869183G", "0", "G"] {
            assert!(machine_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_parameter_has_a_name_and_a_value() {
        assert_eq!(parameter("A = 3"), Ok("A=3".to_owned()));
        for wrong in ["A", "=1", "A="] {
            assert!(parameter(wrong).is_err(), "{wrong}");
        }
    }
}
