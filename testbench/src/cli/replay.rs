//! `rebound replay`: a trace's mappings on the bounce layer.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use swiotlb::{Policy, ShrinkerConfig};

use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::lint_cmdline::{PoolFate, Target, lint};
use crate::replay::{
    Change, Known, Load, Machine, Recorded, ReplayError, Report, fit_alignment, replay_recorded,
    svg, text, time_text, what_if,
};
use crate::seed::{self, Seed};
use crate::trace::{Reader, TraceError};

/// Replay a kernel trace of DMA mappings on the bounce layer, and check it against the kernel
///
/// TRACE is the text of /sys/kernel/tracing/trace, of `trace-cmd report` or of `perf script`, with the events
/// `swiotlb:swiotlb_bounced` and `dma:*`, plain or gzipped; `-` is the standard input. Without options, the traced
/// machine is replayed and every answer compared with the kernel's; the exit code is 1 if a complete trace has
/// another answer. With --swiotlb, --policy, --cpus, --scale,
/// --dma-mask, --min-align or --ram, another machine is: what if?
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
    /// Seed of the shifts
    #[arg(long, default_value = "1", value_parser = seed::parse, allow_negative_numbers = true)]
    seed: Seed,
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

/// What is known of the traced machine and its devices.
#[derive(Debug, Args)]
pub(crate) struct MachineArgs {
    /// `swiotlb=N,AREAS` of the traced kernel, where the trace does not tell
    #[arg(long, value_name = "N,AREAS")]
    recorded: Option<String>,
    /// First byte of the traced kernel's pool, as in its log: `mapped [mem 0x...-0x...]`
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    pool_base: Option<u64>,
    /// Another streaming mask of a device, in bits
    #[arg(long, value_name = "DEV=BITS", value_parser = parse_device_number)]
    dma_mask: Vec<(String, u64)>,
    /// Another `min_align_mask` of a device
    #[arg(long, value_name = "DEV=MASK", value_parser = parse_device_number)]
    min_align: Vec<(String, u64)>,
    /// Memory for pools that are added: 4G, 512M
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    ram: Option<u64>,
}

/// A policy by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyName {
    /// One pool of fixed size
    Static,
    /// Buffers of their own for mappings of a page and more
    PerBuffer,
    /// Pools are added (`CONFIG_SWIOTLB_DYNAMIC`)
    Dynamic,
    /// Pools are added, and taken away again
    Shrinker,
}

impl PolicyName {
    pub(crate) fn policy(self) -> Policy {
        match self {
            Self::Static => Policy::Static,
            Self::PerBuffer => Policy::PerBuffer,
            Self::Dynamic => Policy::DynamicPools,
            Self::Shrinker => Policy::Shrinker(ShrinkerConfig::default()),
        }
    }
}

impl MachineArgs {
    /// Finds out what machine was traced.
    pub(crate) fn recorded(&self, load: &Load) -> Result<Recorded, UsageError> {
        let mut known = Known {
            base: self.pool_base,
            ..Known::default()
        };
        if let Some(value) = &self.recorded {
            let (slots, areas, _) = pool_of(value, 1)?;
            (known.slots, known.areas) = (Some(slots), Some(areas));
        }
        let mut recorded = Recorded::of(&load.survey, known);
        fit_alignment(load, &mut recorded.machine).map_err(|error| cannot_replay(&error))?;
        Ok(recorded)
    }

    /// Applies what is to be different; returns whether anything is.
    pub(crate) fn change(&self, machine: &mut Machine) -> Result<bool, UsageError> {
        for (name, bits) in &self.dma_mask {
            let bits = u32::try_from(*bits)
                .ok()
                .filter(|bits| (1..=64).contains(bits));
            let Some(bits) = bits else {
                return Err(UsageError::new(format!(
                    "expected a mask of 1 to 64 bits for {name}"
                )));
            };
            device(machine, name)?.mask = swiotlb::bit_mask(bits);
        }
        for (name, mask) in &self.min_align {
            let mask = u32::try_from(*mask)
                .ok()
                .filter(|mask| *mask <= 0xffff && (mask + 1).is_power_of_two());
            let Some(mask) = mask else {
                return Err(UsageError::new(format!(
                    "expected a mask of ones up to 0xffff for {name}, such as 0xfff"
                )));
            };
            device(machine, name)?.min_align_mask = mask;
        }
        machine.ram_bytes = self.ram.unwrap_or(machine.ram_bytes);
        Ok(!self.dma_mask.is_empty() || !self.min_align.is_empty() || self.ram.is_some())
    }
}

fn device<'a>(
    machine: &'a mut Machine,
    name: &str,
) -> Result<&'a mut crate::replay::DeviceConfig, UsageError> {
    let names: Vec<String> = machine
        .devices
        .iter()
        .map(|device| device.name.clone())
        .collect();
    let found = machine
        .devices
        .iter_mut()
        .find(|device| device.name == name);
    found.ok_or_else(|| {
        UsageError::new(format!("no device of the trace is named `{name}`"))
            .help(format!("the trace has {}", names.join(", ")))
    })
}

impl Replay {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let load = read(&self.trace)?;
        let recorded = self.machine.recorded(&load)?;
        let mut machine = recorded.machine.clone();
        let mut is_changed = self.machine.change(&mut machine)?;
        if let Some(value) = &self.swiotlb {
            let (slots, areas, force) = pool_of(value, self.cpus.unwrap_or(machine.cpus))?;
            machine.resize(slots, areas);
            machine.is_forced |= force;
            is_changed = true;
        }
        if let Some(policy) = self.policy {
            machine.policy = policy.policy();
            is_changed = true;
        }
        is_changed |= self.scale.is_some() || self.cpus.is_some();
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

    fn changed(&self, load: &Load, machine: &Machine) -> Result<Outcome, UsageError> {
        let change = Change {
            scale: self.scale.unwrap_or(1),
            cpus: self.cpus,
            seed: self.seed,
            stops_at_failure: false,
        };
        say(&format!(
            "what if: {} slots, {} areas{}, {:?}, {} copies, seed {}\n",
            machine.slots,
            machine.areas,
            if machine.is_forced { ", forced" } else { "" },
            self.policy.unwrap_or(PolicyName::Static),
            change.scale,
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

    fn write(
        &self,
        load: &Load,
        report: &Report,
        figures: &crate::replay::Figures,
    ) -> Result<(), UsageError> {
        if let Some(path) = &self.csv {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in &report.rows {
                writer
                    .serialize(row)
                    .map_err(|error| UsageError::from_error("cannot write a row", &error))?;
            }
            let bytes = writer
                .into_inner()
                .map_err(|error| UsageError::from_error("cannot write the rows", &error))?;
            write_file(path, &bytes)?;
        }
        if let Some(path) = &self.json {
            let text = serde_json::to_vec_pretty(report)
                .map_err(|error| UsageError::from_error("cannot write the report", &error))?;
            write_file(path, &text)?;
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

/// Reads a trace.
pub(crate) fn read(path: &Path) -> Result<Load, UsageError> {
    let load = Reader::open(path).and_then(Load::read);
    load.map_err(|error: TraceError| UsageError::new(error.to_string()).help(error.help()))
}

pub(crate) fn cannot_replay(error: &ReplayError) -> UsageError {
    UsageError::from_error("the trace cannot be replayed", error)
        .help("--recorded N,AREAS and --pool-base ADDRESS say what the trace does not tell")
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

/// Reads `N,AREAS[,force]` as the kernel would: slots, areas, and whether bouncing is forced.
pub(crate) fn pool_of(value: &str, cpus: u32) -> Result<(u32, u32, bool), UsageError> {
    let target = Target {
        cpus,
        ram_bytes: 64 << 30,
        is_confidential: false,
        is_dynamic: false,
        has_debugfs: true,
    };
    let found = lint(&[value.to_owned()], target);
    if let PoolFate::Made { slots, areas, .. } = found.pool
        && let Ok(slots) = u32::try_from(slots)
    {
        return Ok((slots, areas, found.is_forced));
    }
    Err(UsageError::new(format!(
        "`{value}` makes no pool: expected slots and areas such as 32768,4"
    ))
    .help(format!(
        "`rebound lint-cmdline '{value}'` says what the kernel makes of it"
    )))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), UsageError> {
    std::fs::write(path, bytes).map_err(|error| {
        UsageError::from_error(&format!("cannot write {}", path.display()), &error)
    })
}

/// Reads a size such as 512M or 8G.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: expected a number with K, M or G, such as 8G");
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(1 << shift).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(wrong)
}

fn parse_address(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let address = u64::from_str_radix(digits, 16)
        .ok()
        .filter(|address| address.is_multiple_of(2048));
    address.ok_or_else(|| {
        format!("`{text}` is no address of a slot: expected hexadecimal such as 0x39600000")
    })
}

/// Reads `DEVICE=NUMBER`.
fn parse_device_number(text: &str) -> Result<(String, u64), String> {
    let wrong = || {
        format!("`{text}`: expected a device of the trace and a number, such as 0000:00:02.0=32")
    };
    let (name, number) = text.rsplit_once('=').ok_or_else(wrong)?;
    let number = number
        .strip_prefix("0x")
        .map_or_else(|| number.parse(), |digits| u64::from_str_radix(digits, 16));
    Ok((name.to_owned(), number.map_err(|_| wrong())?))
}
