//! `rebound lint-cmdline`: what the kernel makes of `swiotlb=`.

use clap::Args;

use crate::cli::machine_args::parse_bytes;
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::lint_cmdline::{PoolFate, Target, lint, size_text};

/// Say what the kernel will make of `swiotlb=` on a command line, and warn of what was hardly meant
#[derive(Debug, Args)]
pub(crate) struct LintCmdline {
    /// Values as in `swiotlb=65536,4,force`, or a whole kernel command line in quotes
    #[arg(required = true, value_name = "SWIOTLB")]
    words: Vec<String>,
    /// Possible CPUs of the machine: the number of areas where none is given
    #[arg(long, default_value = "4", value_parser = clap::value_parser!(u32).range(1..=65536))]
    cpus: u32,
    /// Memory of the machine: 8G, 512M
    #[arg(long, default_value = "8G", value_parser = parse_bytes)]
    ram: u64,
    /// The machine is a confidential guest (SEV, TDX)
    #[arg(long)]
    confidential: bool,
    /// The kernel was built with `CONFIG_SWIOTLB_DYNAMIC`
    #[arg(long)]
    dynamic: bool,
    /// The kernel was built without `CONFIG_DEBUG_FS`
    #[arg(long)]
    no_debugfs: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl LintCmdline {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let target = Target {
            cpus: self.cpus,
            ram_bytes: self.ram,
            is_confidential: self.confidential,
            is_dynamic: self.dynamic,
            has_debugfs: !self.no_debugfs,
        };
        let found = lint(&self.words, target);
        if found.values.is_empty() {
            return Err(
                UsageError::new("expected a value of `swiotlb=`, found none")
                    .help("for example: rebound lint-cmdline 'swiotlb=65536,4,force'"),
            );
        }
        if self.json {
            let text = serde_json::to_string_pretty(&found)
                .map_err(|error| UsageError::from_error("cannot print the result", &error))?;
            say(&text)?;
            return Ok(Outcome::Pass);
        }
        let machine = format!("{} CPUs, {} of RAM", self.cpus, size_text(self.ram));
        let pool = match found.pool {
            PoolFate::Made {
                slots,
                areas,
                bytes,
            } => format!(
                "{slots} slots, {areas} areas of {} slots, {}",
                slots / u64::from(areas),
                size_text(bytes)
            ),
            PoolFate::NotNeeded => "none: no device is expected to need one".to_owned(),
            PoolFate::Off => "none: noforce".to_owned(),
            PoolFate::NoMemory => "none: no memory".to_owned(),
        };
        say(&format!("pool     {pool} ({machine})"))?;
        say(&format!(
            "bouncing {}",
            if found.is_off {
                "off"
            } else if found.is_forced {
                "forced for every streaming mapping"
            } else {
                "where a device cannot reach the buffer"
            }
        ))?;
        if !found.plain.is_empty() {
            say(&format!("same as  {}", found.plain))?;
        }
        for warning in &found.warnings {
            say(&format!("warning: {warning}"))?;
        }
        Ok(Outcome::Pass)
    }
}
