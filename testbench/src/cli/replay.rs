//! `rebound replay`: a trace's mappings on the bounce layer.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::figures_files::{write_csv, write_file, write_json};
use crate::cli::machine_args::{MachineArgs, PolicyName, cannot_replay, pool_of, read};
use crate::cli::price::PriceArgs;
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::replay::{
    Change, Figures, Load, Machine, Recorded, Report, replay_recorded, svg, text, time_text,
    what_if,
};
use crate::seed::{self, Seed};

/// Replay a kernel trace of DMA mappings on the bounce layer, and check it against the kernel
///
/// TRACE is the text of /sys/kernel/tracing/trace, of `trace-cmd report` or of `perf script`, with the events
/// `swiotlb:swiotlb_bounced` and `dma:*`, plain or gzipped; `-` is the standard input. Without options, the traced
/// machine is replayed and every answer compared with the kernel's; the exit code is 1 if a complete trace has
/// another answer. With --swiotlb, --policy, --cpus, --scale, --dma-mask, --min-align or --ram, another machine is:
/// what if? With --rtl, a core carries out the bounced transfers on the simulated bus.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The trace
    trace: PathBuf,
    #[command(flatten)]
    machine: MachineArgs,
    /// What if the pool were that of `swiotlb=N,AREAS[,force]`?
    #[arg(long, value_name = "N,AREAS[,force]")]
    swiotlb: Option<String>,
    /// What if a full pool were treated so?
    #[arg(long, value_enum)]
    policy: Option<PolicyName>,
    /// What if there were so many copies of the load, each shifted?
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    scale: Option<u32>,
    /// What if there were so many CPUs? Calls of CPU n are made on n mod CPUS
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65536))]
    cpus: Option<u32>,
    #[command(flatten)]
    price: PriceArgs,
    /// Seed of the shifts of --scale, and of the data of --rtl; default: 1
    #[arg(long, value_parser = seed::parse, allow_negative_numbers = true)]
    seed: Option<Seed>,
    /// Write the figures per phase and device as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write figures and curve as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the curve of slots in use as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl Replay {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        if self.seed.is_some() && self.scale.is_none() && self.price.manifest().is_none() {
            return Err(UsageError::new("--seed: nothing is drawn in this replay")
                .help("a seed shifts the copies of --scale K, and fills the buffers of --rtl"));
        }
        let load = read(&self.trace)?;
        let recorded = self.machine.recorded(&load)?;
        let mut machine = recorded.machine.clone();
        let mut is_changed = self.machine.change(&mut machine)?;
        if let Some(manifest) = self.price.manifest() {
            return self.priced(&load, &machine, manifest);
        }
        if let Some(value) = &self.swiotlb {
            let cpus = self.cpus.unwrap_or(machine.cpus);
            let asked = pool_of("--swiotlb", value, cpus)?;
            machine.resize(asked.slots, asked.areas);
            machine.is_forced |= asked.is_forced;
            is_changed = true;
        }
        if let Some(policy) = self.policy {
            machine.policy = policy.policy();
            is_changed = true;
        }
        is_changed |= self.scale.is_some() || self.cpus.is_some();
        if is_changed && !machine.fits() {
            return Err(UsageError::new(format!(
                "a pool of {} slots, 2 KiB each, does not fit into memory of {} MiB, whose lowest 16 are never a pool's",
                machine.slots,
                machine.ram_bytes >> 20
            ))
            .help("a smaller pool, --swiotlb N,AREAS, or more memory, --ram SIZE"));
        }
        if is_changed {
            return self.changed(&load, &machine);
        }
        say(&head(&load, &recorded))?;
        let recording = replay_recorded(&load, machine).map_err(|error| cannot_replay(&error))?;
        let report = Report::of_recording(&load.survey, &recording);
        say(text(
            &load.survey,
            &report,
            Some(&recording.check),
            recording.moved,
        )
        .trim_end())?;
        self.write(&load, &report, &recording.figures)?;
        let agrees = recording.check.is_exact() && report.peaks_agree();
        Ok(if agrees || !load.survey.is_complete() {
            Outcome::Pass
        } else {
            Outcome::Violations
        })
    }

    fn seed(&self) -> Seed {
        self.seed.unwrap_or(Seed::new(1))
    }

    fn changed(&self, load: &Load, machine: &Machine) -> Result<Outcome, UsageError> {
        let change = Change {
            scale: self.scale.unwrap_or(1),
            cpus: self.cpus,
            seed: self.seed(),
            stops_at_failure: false,
        };
        say(&format!(
            "what if: {} slots, {}{}, {:?}, {}, seed {}\n",
            machine.slots,
            counted(machine.areas, "area", "areas"),
            if machine.is_forced { ", forced" } else { "" },
            self.policy.unwrap_or(PolicyName::Static),
            counted(change.scale, "copy", "copies"),
            change.seed
        ))?;
        let result =
            what_if(load, machine.clone(), change).map_err(|error| cannot_replay(&error))?;
        let report = Report::of_what_if(&load.survey, machine, &result.figures);
        say(text(&load.survey, &report, None, 0).trim_end())?;
        say(&format!(
            "\nfailed tries {}, recorded {}; longest wait for slots {}; never made {}; most slots of all pools {}",
            result.failed_tries,
            load.survey.failed(),
            time_text(result.longest_wait_ns),
            result.never_made,
            result.most_slots
        ))?;
        if let Some(failure) = &result.first_failure {
            say(&format!(
                "first failure at line {}: {}, {} bytes: {}",
                failure.line,
                load.survey.devices[failure.device as usize].name,
                failure.bytes,
                failure.cause
            ))?;
        }
        self.write(load, &report, &result.figures)?;
        Ok(Outcome::Pass)
    }

    /// Has a core carry out transfers of the trace.
    fn priced(
        &self,
        load: &Load,
        machine: &Machine,
        manifest: &Path,
    ) -> Result<Outcome, UsageError> {
        let (report, outcome) = self.price.price(load, machine, (manifest, self.seed()))?;
        say(report.text().trim_end())?;
        if let Some(path) = &self.csv {
            write_csv(path, &report.rows)?;
        }
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        Ok(outcome)
    }

    fn write(&self, load: &Load, report: &Report, figures: &Figures) -> Result<(), UsageError> {
        if let Some(path) = &self.csv {
            write_csv(path, &report.rows)?;
        }
        if let Some(path) = &self.json {
            write_json(path, report)?;
        }
        if let Some(path) = &self.plot {
            write_file(
                path,
                svg(&load.survey, figures, report.pool_slots).as_bytes(),
            )?;
        }
        Ok(())
    }
}

fn head(load: &Load, recorded: &Recorded) -> String {
    let (survey, machine) = (&load.survey, &recorded.machine);
    let mut lines = vec![format!(
        "{} lines, {} events, {:.3} s; pool at {:#x} ({}): {} slots ({}), {} areas ({}){}",
        survey.read.lines,
        survey.read.events,
        std::time::Duration::from_nanos(survey.last_ns - survey.first_ns).as_secs_f64(),
        machine.base,
        recorded.base.name(),
        machine.slots,
        recorded.slots.name(),
        machine.areas,
        recorded.areas.name(),
        if machine.is_forced { ", forced" } else { "" }
    )];
    for (device, config) in survey.devices.iter().zip(&machine.devices) {
        if device.bounced + device.direct + device.failed > 0 {
            lines.push(format!(
                "{}: mask {:#x}, min_align_mask {:#x}, {} bounced, {} direct, {} failed",
                device.name,
                config.mask,
                config.min_align_mask,
                device.bounced,
                device.direct,
                device.failed
            ));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A number with what it counts.
fn counted(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
