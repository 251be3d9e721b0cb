//! What the commands on traces have in common: the trace, what is known of its machine, and numbers as people write them.

use std::path::Path;

use clap::{Args, ValueEnum};
use swiotlb::{ParamNumbers, Policy, ShrinkerConfig};

use crate::error::UsageError;
use crate::lint_cmdline::{PoolFate, Target, lint};
use crate::replay::{Known, Load, Machine, Recorded, ReplayError, fit_alignment};
use crate::trace::{Reader, TraceError};

/// What is known of the traced machine and its devices.
#[derive(Debug, Args)]
pub(crate) struct MachineArgs {
    /// `swiotlb=N,AREAS[,force]` of the traced kernel, where the trace does not tell
    #[arg(long, value_name = "N,AREAS[,force]")]
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
        let mut is_forced = false;
        if let Some(value) = &self.recorded {
            let asked = pool_of("--recorded", value, load.survey.cpus())?;
            known.slots = Some(asked.slots);
            known.areas = asked.names_areas.then_some(asked.areas);
            is_forced = asked.is_forced;
        }
        let mut recorded = Recorded::of(&load.survey, known);
        recorded.machine.is_forced |= is_forced;
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
        if let Some(bytes) = self.ram {
            if bytes < 2 * Machine::LOWEST {
                return Err(UsageError::new(format!(
                    "--ram: {bytes} bytes hold no pool: expected at least 32M, as the lowest 16 MiB are never a pool's"
                )));
            }
            machine.ram_bytes = bytes;
            machine.resize(machine.slots, machine.areas);
        }
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

/// Reads a trace.
pub(crate) fn read(path: &Path) -> Result<Load, UsageError> {
    let load = Reader::open(path).and_then(Load::read);
    load.map_err(|error: TraceError| UsageError::new(error.to_string()).help(error.help()))
}

pub(crate) fn cannot_replay(error: &ReplayError) -> UsageError {
    UsageError::from_error("the trace cannot be replayed", error)
        .help("--recorded N,AREAS and --pool-base ADDRESS say what the trace does not tell")
}

/// A pool as `swiotlb=` asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolAsked {
    /// Slots that the kernel makes.
    pub(crate) slots: u32,
    /// Areas that the kernel makes.
    pub(crate) areas: u32,
    /// The areas are written; without them they follow from the CPUs.
    pub(crate) names_areas: bool,
    /// `force` takes effect.
    pub(crate) is_forced: bool,
}

/// Reads `N,AREAS[,force]` as the kernel would, and says on the standard error what it takes otherwise than written.
pub(crate) fn pool_of(option: &str, value: &str, cpus: u32) -> Result<PoolAsked, UsageError> {
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
        for warning in &found.warnings {
            eprintln!("warning: {option}: {warning}");
        }
        return Ok(PoolAsked {
            slots,
            areas,
            names_areas: ParamNumbers::parse(value).areas.is_some(),
            is_forced: found.is_forced,
        });
    }
    Err(UsageError::new(format!(
        "`{value}` makes no pool: expected slots and areas such as 32768,4"
    ))
    .help(format!(
        "`rebound lint-cmdline '{value}'` says what the kernel makes of it"
    )))
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
