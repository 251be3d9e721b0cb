//! `rebound bench rtl`: how well the reference engine uses its bus, beside the best open DMA cores.

use std::io::{BufRead as _, BufReader};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::{Args, ValueEnum};
use rebound_sim::trace::TraceKind;

use crate::bench::rtl::{
    Against, IN_FLIGHT, LATENCIES, Measured, Mode, Row, WIDTHS, cells, core_name, engine, lines,
    measure, summary,
};
use crate::cli::jobs::{job_count, jobs_or_all};
use crate::cli::progress::{Progress, Steps};
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::execute::{Core, Environment};
use crate::parallel::in_parallel;
use crate::seed::Seed;

/// How well the engine uses its bus, in simulated cycles, beside the best open DMA cores
///
/// The engine copies, reads and writes in front of an ideal memory of fixed latency L: addresses and write data are
/// always taken, the first beat of a read can be taken L cycles after its AR, B can be taken L cycles after the last W.
/// Cycles count from the write of the start bit of the channel that is started last, or of its doorbell, to the last
/// response: B, the last beat of the stream for mm2s, the B of the last write-back for rings. Contents of memory, status
/// and protocol rules are checked in every cell; what goes wrong has no figure. The cycles are the same on every machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rebound bench rtl                                       everything, with the best peer of each cell\n  \
    rebound bench rtl --width 64 --latency 200 --mode copy  a part of it\n  \
    rebound bench rtl --csv > before.csv                    for a spreadsheet, or to compare with later\n  \
    rebound bench rtl --against before.csv                  is the engine better now?\n\n\
    Columns of --csv: core,mode,data_width,latency,bytes,src_offset,dst_offset,count,cycles,beats,utilisation.\n\
    `cycles` are those of all `count` transfers, `beats` the data beats that they need, `utilisation` is beats per cycle.\n\
    rtl/README.md explains what decides over the cycles.")]
pub(super) struct BenchRtl {
    #[command(flatten)]
    part: Part,
    /// Print CSV instead of the table
    #[arg(long)]
    csv: bool,
    /// Bursts in flight each way (`MaxReads` and `MaxWrites`) of the engines
    #[arg(long, value_delimiter = ',', default_values_t = IN_FLIGHT, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=255))]
    in_flight: Vec<u32>,
    /// Widths of the data bus in bits
    #[arg(long, value_delimiter = ',', default_values_t = WIDTHS, value_name = "BITS", value_parser = width)]
    width: Vec<u32>,
    /// Compare with the rows of a file that --csv has printed, instead of the open DMA cores
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Engines that are measured at the same time [default: one for each core of the machine]
    #[arg(long, value_name = "NUMBER", value_parser = job_count, allow_negative_numbers = true)]
    jobs: Option<NonZeroUsize>,
}

/// What is measured of each engine.
#[derive(Debug, Args)]
struct Part {
    /// Ways of putting the engine to work [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MODE")]
    mode: Vec<Mode>,
    /// Latencies of the memory in cycles
    #[arg(long, value_delimiter = ',', default_values_t = LATENCIES, value_name = "CYCLES",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    latency: Vec<u32>,
    /// Where the cycles end
    #[arg(long, value_enum, default_value_t = Until::Response)]
    until: Until,
    /// Manifest of the engine
    #[arg(long, default_value = "rtl/dma_engine.toml", value_name = "FILE")]
    manifest: PathBuf,
}

/// Where the cycles of a cell end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// The last response, or beat of the stream
    Response,
    /// The interrupt
    Interrupt,
}

/// The cells of one engine, in this process (hidden).
#[derive(Debug, Args)]
pub(super) struct BenchRtlOne {
    #[command(flatten)]
    part: Part,
    #[arg(long)]
    in_flight: u32,
    #[arg(long)]
    width: u32,
}

/// An engine that is measured in a process of its own.
#[derive(Debug, Clone, Copy)]
struct Engine {
    in_flight: u32,
    width: u32,
}

impl Engine {
    /// With the protocol rules: what breaks one has no figure.
    fn core(self) -> Core {
        Core {
            engine: engine(self.width, self.in_flight),
            trace: TraceKind::Off,
            has_rules: true,
        }
    }
}

/// Progress of the cells of all engines.
struct Cells {
    steps: Steps,
    done: AtomicUsize,
    all: usize,
}

impl Cells {
    fn advance(&self, measured: &Measured) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.steps.show(done, self.all, &measured.cell.to_string());
    }
}

impl Part {
    fn modes(&self) -> &[Mode] {
        if self.mode.is_empty() {
            Mode::value_variants()
        } else {
            &self.mode
        }
    }

    const fn cycles(&self, measured: &Measured) -> u64 {
        match self.until {
            Until::Response => measured.to_response,
            Until::Interrupt => measured.to_interrupt,
        }
    }
}

impl BenchRtl {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let against = match &self.against {
            Some(file) => Against::load(file)?,
            None => Against::peers()?,
        };
        let environment = Environment::load(&self.part.manifest)?;
        let engines = self.engines();
        let cores: Vec<Core> = engines.iter().map(|engine| engine.core()).collect();
        let progress = Progress::new(cores.len(), "building engines");
        environment.build_all(&cores, jobs_or_all(self.jobs), || progress.advance())?;
        progress.finish();
        let measured = self.measure(&engines)?;
        let name = &environment.manifest().name;
        let rows: Vec<Row> = engines
            .iter()
            .zip(&measured)
            .flat_map(|(engine, cells)| {
                let name = core_name(name, engine.in_flight);
                cells.iter().map(move |measured| {
                    Row::new(name.clone(), &measured.cell, self.part.cycles(measured))
                })
            })
            .collect();
        if self.csv {
            print_csv(&rows)?;
        } else {
            let all: Vec<Measured> = measured.into_iter().flatten().collect();
            self.print(&rows, &all, &against)?;
        }
        Ok(Outcome::Pass)
    }

    fn engines(&self) -> Vec<Engine> {
        let mut engines: Vec<Engine> = Vec::new();
        for &in_flight in &unique(&self.in_flight) {
            let of = |width| Engine { in_flight, width };
            engines.extend(unique(&self.width).into_iter().map(of));
        }
        engines
    }

    /// Measures engines in processes of their own, some at a time; results are in the order of the engines.
    fn measure(&self, engines: &[Engine]) -> Result<Vec<Vec<Measured>>, UsageError> {
        let progress = Cells {
            steps: Steps::new(),
            done: AtomicUsize::new(0),
            all: cells(self.part.modes(), &[WIDTHS[0]], &self.part.latency).len() * engines.len(),
        };
        let mut figures = Vec::new();
        let measure = |engine: &Engine| self.measure_one(*engine, &progress);
        in_parallel(engines, jobs_or_all(self.jobs), measure, |_, measured| {
            figures.push(measured);
        })?;
        progress.steps.finish();
        Ok(figures)
    }

    fn measure_one(&self, engine: Engine, progress: &Cells) -> Result<Vec<Measured>, UsageError> {
        let cannot = |error: &dyn std::error::Error| {
            UsageError::from_error("cannot run the process of an engine", error)
        };
        let program = std::env::current_exe().map_err(|error| cannot(&error))?;
        let mut command = Command::new(program);
        command
            .arg("bench-rtl-one")
            .args(["--in-flight", &engine.in_flight.to_string()])
            .args(["--width", &engine.width.to_string()])
            .arg("--manifest")
            .arg(&self.part.manifest);
        for mode in self.part.modes() {
            command.args(["--mode", mode.name()]);
        }
        for latency in &self.part.latency {
            command.args(["--latency", &latency.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| cannot(&error))?;
        let mut measured = Vec::new();
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                let line = line.map_err(|error| cannot(&error))?;
                let one: Measured = serde_json::from_str(&line).map_err(|error| cannot(&error))?;
                progress.advance(&one);
                measured.push(one);
            }
        }
        let status = child.wait().map_err(|error| cannot(&error))?;
        if status.success() {
            Ok(measured)
        } else {
            // The process has said itself what went wrong.
            Err(UsageError::new(format!(
                "no figures of the engine with {} bits and {} bursts in flight: its process ended with {status}",
                engine.width, engine.in_flight
            )))
        }
    }

    fn print(
        &self,
        rows: &[Row],
        measured: &[Measured],
        against: &Against,
    ) -> Result<(), UsageError> {
        for line in self.head() {
            say(&line)?;
        }
        say("")?;
        for line in lines(rows, against) {
            say(&line)?;
        }
        say("")?;
        for line in summary(rows, against) {
            say(&line)?;
        }
        let lags = measured
            .iter()
            .map(|one| one.to_interrupt.saturating_sub(one.to_response));
        if let (Some(least), Some(most)) = (lags.clone().min(), lags.max()) {
            say(&format!(
                "the interrupt is high {least} to {most} cycles after the last response or beat; --until interrupt \
                 counts to there"
            ))?;
        }
        Ok(())
    }

    /// How the engines are built, and what the columns mean.
    fn head(&self) -> Vec<String> {
        let mut lines = vec![
            "ideal memory: L cycles from AR to the first beat and from the last W to B, up to 1024 bursts each way"
                .to_owned(),
            match self.part.until {
                Until::Response => {
                    "cycles: from the write of the start bit or doorbell to the last response (B; mm2s: last beat of \
                     the stream)"
                }
                Until::Interrupt => {
                    "cycles: from the write of the start bit or doorbell to the interrupt"
                }
            }
            .to_owned(),
        ];
        for &in_flight in &unique(&self.in_flight) {
            let plan = engine(WIDTHS[0], in_flight);
            lines.push(format!(
                "{in_flight} in flight: MaxReads = MaxWrites = {in_flight}, MaxBurstBeats = {}, FifoDepth = {}, \
                 AddrBits = {}",
                plan.max_burst_beats, plan.fifo_depth, plan.addr_bits
            ));
        }
        lines.push(match &self.against {
            Some(file) => format!("best peer: the fewest cycles of a cell in {}", file.display()),
            None => "best peer: the fewest cycles of any open DMA core measured in front of the same memory, see \
                     testbench/src/bench/rtl/PEERS.md"
                .to_owned(),
        });
        lines.push("< fewer cycles than the best peer, = as many, > more; none: no peer was measured there".into());
        lines
    }
}

impl BenchRtlOne {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let environment = Environment::load(&self.part.manifest)?;
        let core = Engine {
            in_flight: self.in_flight,
            width: self.width,
        }
        .core();
        for cell in cells(self.part.modes(), &[self.width], &self.part.latency) {
            let measured = measure(environment.device(&core, Seed::new(1))?, cell)?;
            let line = serde_json::to_string(&measured)
                .map_err(|error| UsageError::from_error("cannot write a figure", &error))?;
            say(&line)?;
        }
        Ok(Outcome::Pass)
    }
}

fn print_csv(rows: &[Row]) -> Result<(), UsageError> {
    let cannot = |error: &dyn std::error::Error| UsageError::from_error("cannot write CSV", error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| cannot(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| cannot(&error))?;
    say(String::from_utf8_lossy(&bytes).trim_end())
}

/// Leaves out what is named again.
fn unique(numbers: &[u32]) -> Vec<u32> {
    let mut unique = Vec::new();
    for number in numbers {
        if !unique.contains(number) {
            unique.push(*number);
        }
    }
    unique
}

/// Reads a width that the engine can have.
fn width(text: &str) -> Result<u32, String> {
    let width = text.parse().ok();
    width
        .filter(|width| WIDTHS.contains(width))
        .ok_or_else(|| "expected 64, 128, 256 or 512".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_that_are_not_measured_are_refused() {
        assert_eq!(width("512"), Ok(512));
        for wrong in ["0", "32", "65", "-64", "wide"] {
            assert!(width(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_named_twice_is_measured_once() {
        assert_eq!(unique(&[64, 16, 64]), [64, 16]);
    }
}
