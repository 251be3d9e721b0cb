//! `rebound size`: the smallest pool for a traced load.

use std::path::PathBuf;

use clap::Args;
use swiotlb::Policy;

use crate::cli::machine_args::{MachineArgs, PolicyName, cannot_replay, read};
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::seed::{self, Seed};
use crate::size::{Margin, advise, command_line, text};

/// Find the smallest `swiotlb=N,AREAS` for traced loads, with margin, and say who needs it
///
/// TRACE is as for `rebound replay`. With several traces, each is judged, and the largest size of all is told.
#[derive(Debug, Args)]
pub(crate) struct Size {
    /// The traces
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
    /// Areas of the pool; default: those of the traced kernel
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    areas: Option<u32>,
    /// Only these policies
    #[arg(long, value_enum)]
    policy: Vec<PolicyName>,
    /// Slots that stay free above the peak, in percent of it, in a pool that never grows
    #[arg(long, default_value = "25", value_parser = clap::value_parser!(u32).range(0..=1000))]
    margin: u32,
    /// Copies of the load, each shifted, for the size with margin
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1024))]
    scale: u32,
    /// Replays with other shifts, with --scale above 1
    #[arg(long, default_value = "10", requires = "scale", value_parser = clap::value_parser!(u32).range(1..=10000))]
    runs: u32,
    /// Percent of those replays that must be without a failure
    #[arg(long, default_value = "95", requires = "scale", value_parser = clap::value_parser!(u32).range(1..=100))]
    confidence: u32,
    /// Seed of the shifts
    #[arg(long, default_value = "1", requires = "scale", value_parser = seed::parse, allow_negative_numbers = true)]
    seed: Seed,
}

impl Size {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let all = [
            PolicyName::Static,
            PolicyName::PerBuffer,
            PolicyName::Dynamic,
            PolicyName::Shrinker,
        ];
        let names = if self.policy.is_empty() {
            all.to_vec()
        } else {
            self.policy.clone()
        };
        let policies: Vec<(&'static str, Policy)> = names
            .iter()
            .map(|name| (name_of(*name), name.policy()))
            .collect();
        if let Some(areas) = self.areas.filter(|areas| !areas.is_power_of_two()) {
            let made = areas.next_power_of_two();
            eprintln!("warning: --areas: {areas} areas become {made}: a power of two");
        }
        let mut largest: Option<(&'static str, u32, u32, bool)> = None;
        let mut unhelped = 0;
        for path in &self.traces {
            let load = read(path)?;
            let mut machine = self.machine.recorded(&load)?.machine;
            let is_other = self.machine.change(&mut machine)?;
            if let Some(areas) = self.areas {
                machine.resize(machine.slots, areas.next_power_of_two());
            }
            if self.traces.len() > 1 {
                say(&format!("{}:", path.display()))?;
            }
            let margin = Margin {
                percent: self.margin,
                scale: self.scale,
                runs: self.runs,
                confidence: self.confidence,
                seed: self.seed,
                counted_slots: if is_other {
                    0
                } else {
                    load.survey.counted_slots()
                },
            };
            let advice = advise(&load, &machine, margin, &policies)
                .map_err(|error| cannot_replay(&error))?;
            say(&text(&load.survey, &advice, machine.is_forced))?;
            if let Some((name, slots)) = advice.recommended() {
                let (_, most, areas, force) = largest.unwrap_or((name, 0, 1, false));
                largest = Some((
                    name,
                    most.max(slots),
                    areas.max(advice.areas),
                    force || machine.is_forced,
                ));
            } else if advice.needs_pool() {
                unhelped += 1;
            }
        }
        if self.traces.len() > 1 {
            say(&match largest {
                _ if unhelped > 0 => format!(
                    "for all traces: no line for the kernel, as {unhelped} of {} have none",
                    self.traces.len()
                ),
                Some((name, slots, areas, force)) => {
                    let line = command_line(name, (slots, areas), force);
                    format!("for all traces: {line}")
                }
                None => "for all traces: no pool is needed".to_owned(),
            })?;
        }
        Ok(Outcome::Pass)
    }
}

const fn name_of(name: PolicyName) -> &'static str {
    match name {
        PolicyName::Static => "static",
        PolicyName::PerBuffer => "per-buffer",
        PolicyName::Dynamic => "dynamic",
        PolicyName::Shrinker => "shrinker",
    }
}
