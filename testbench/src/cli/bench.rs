//! `rebound bench`: its subjects, and `sim`: how fast the simulation is, against a bare C++ loop.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use rebound_sim::trace::TraceKind;

use crate::bench::bare::BareLoop;
use crate::bench::{Round, Series, Work, divergence_permille, through};
use crate::cli::bench_rtl::BenchRtl;
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::execute::{Core, Environment, parameters};
use crate::scenario::plan::EnginePlan;
use crate::seed::Seed;

/// Cycles of the ways further apart than this are worth a warning, in thousandths.
const DIVERGENCE_PERMILLE: u64 = 10;

/// Measure how fast Rebound is, and how well its engine uses the bus
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    Sim(BenchSim),
    Rtl(BenchRtl),
}

/// Simulated cycles per second, against a bare C++ loop around the same core
///
/// The engine copies buffers, one after the other, from and to a memory of fixed latency: in a bare C++
/// loop, through Rebound without judges, and through Rebound with scoreboard and protocol rules. The ways
/// take turns, and the best round of each counts.
#[derive(Debug, Args)]
struct BenchSim {
    #[command(flatten)]
    work: WorkArgs,
    /// Rounds of each way
    #[arg(long, default_value = "5", value_name = "NUMBER")]
    rounds: NonZeroU32,
}

/// One round through Rebound, in this process (hidden).
#[derive(Debug, Args)]
pub(crate) struct BenchOne {
    #[command(flatten)]
    work: WorkArgs,
    /// With scoreboard and protocol rules
    #[arg(long)]
    judges: bool,
}

#[derive(Debug, Args)]
struct WorkArgs {
    /// Copies in a round
    #[arg(long, default_value = "400", value_name = "NUMBER")]
    copies: NonZeroU32,
    /// Bytes of a copy
    #[arg(long, default_value = "16384", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=4 << 20))]
    bytes: u32,
    /// Latency of the memory in cycles
    #[arg(long, default_value = "20", value_name = "CYCLES", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    latency: u32,
    /// Manifest of the engine
    #[arg(long, default_value = "rtl/dma_engine.toml", value_name = "FILE")]
    manifest: PathBuf,
}

impl WorkArgs {
    const fn work(&self) -> Work {
        Work {
            copies: self.copies.get(),
            bytes: self.bytes,
            latency: self.latency,
        }
    }

    /// The engine at its default width, without and with the protocol rules.
    const fn core(has_rules: bool) -> Core {
        Core {
            engine: EnginePlan::bits(64),
            trace: TraceKind::Off,
            has_rules,
        }
    }
}

impl Bench {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        match &self.subject {
            Subject::Sim(bench) => bench.run(),
            Subject::Rtl(bench) => bench.run(),
        }
    }
}

impl BenchSim {
    fn run(&self) -> Result<Outcome, UsageError> {
        let environment = Environment::load(&self.work.manifest)?;
        let cores = [WorkArgs::core(false), WorkArgs::core(true)];
        environment.build_all(&cores, cores.len(), || {})?;
        let folder = tempfile::tempdir()
            .map_err(|error| UsageError::from_error("cannot make a temporary folder", &error))?;
        let bare = BareLoop::build(
            environment.toolchain(),
            &environment.sources()?,
            &environment.manifest().top,
            &parameters(&EnginePlan::bits(64)),
            folder.path(),
        )?;
        let mut series = [Series::default(), Series::default(), Series::default()];
        for _ in 0..self.rounds.get() {
            series[0].push(bare.round(self.work.work())?);
            series[1].push(self.through(false)?);
            series[2].push(self.through(true)?);
        }
        self.print(&series)?;
        Ok(Outcome::Pass)
    }

    /// One round through Rebound, in a process of its own as the bare loop is.
    fn through(&self, judges: bool) -> Result<Round, UsageError> {
        let program = std::env::current_exe().map_err(|error| {
            UsageError::from_error("cannot find this program's own file", &error)
        })?;
        let work = self.work.work();
        let mut command = Command::new(program);
        command
            .arg("bench-one")
            .arg("--manifest")
            .arg(&self.work.manifest);
        for (option, number) in [
            ("--copies", work.copies),
            ("--bytes", work.bytes),
            ("--latency", work.latency),
        ] {
            command.arg(option).arg(number.to_string());
        }
        if judges {
            command.arg("--judges");
        }
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| UsageError::from_error("cannot start a round", &error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Round::from_line(&text)
            .filter(|_| output.status.success())
            .ok_or_else(|| {
                UsageError::new(format!(
                    "a round through Rebound failed with {}",
                    output.status
                ))
            })
    }

    fn print(&self, series: &[Series; 3]) -> Result<(), UsageError> {
        let Work {
            copies,
            bytes,
            latency,
        } = self.work.work();
        say(&format!(
            "{copies} copies of {bytes} bytes at a latency of {latency} cycles, best of {} rounds",
            self.rounds
        ))?;
        let names = [
            "bare C++ loop",
            "Rebound, scoreboard and rules off",
            "Rebound, scoreboard and rules on",
        ];
        say(&format!(
            "{:<36} {:>10} {:>10} {:>10} {:>8}",
            "", "cycles", "Mcycle/s", "median", "ratio"
        ))?;
        let (bare, _) = series[0].best_and_median();
        for (name, series) in names.iter().zip(series) {
            let (best, median) = series.best_and_median();
            say(&format!(
                "{name:<36} {:>10} {:>10} {:>10} {:>8}",
                series.cycles(),
                hundredths(best / 10_000),
                hundredths(median / 10_000),
                hundredths((best * 100).checked_div(bare).unwrap_or(0))
            ))?;
        }
        let permille = divergence_permille(series);
        if permille > DIVERGENCE_PERMILLE {
            eprintln!(
                "warning: the ways simulated different numbers of cycles: expected at most {} apart, found {}; \
                 their speeds do not compare",
                percent(DIVERGENCE_PERMILLE),
                percent(permille)
            );
        }
        Ok(())
    }
}

impl BenchOne {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let environment = Environment::load(&self.work.manifest)?;
        let device = environment.device(&WorkArgs::core(self.judges), Seed::new(1))?;
        let round = through::run(device, self.work.work(), self.judges)?;
        say(&round.to_line())?;
        Ok(Outcome::Pass)
    }
}

fn percent(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_printed_with_two_decimals() {
        assert_eq!(hundredths(291), "2.91");
        assert_eq!(hundredths(7), "0.07");
    }
}
