//! `rebound list`: what each scenario does and judges.

use clap::Args;

use crate::cli::{Outcome, say, sim};
use crate::error::UsageError;
use crate::scenario::device::DevicePreset;
use crate::scenario::plan::Expect;
use crate::scenario::{self, Scenario};
use crate::seed::{self, Seed};

/// List the scenarios with their stimulus and checking, or print the plan of one
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only these scenarios, or groups of them: `limit/24-bit` or `limit`
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the whole plan that the seed makes, as JSON
    #[arg(long)]
    plan: bool,
    /// Seed of the plan
    #[arg(long, default_value = "1", value_name = "NUMBER", value_parser = seed::parse, allow_negative_numbers = true)]
    seed: Seed,
}

impl List {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        let scenarios = if self.names.is_empty() {
            scenario::all()
        } else {
            sim::select(&self.names)?
        };
        for scenario in scenarios {
            if self.plan {
                let plan = (scenario.plan)(self.seed);
                let text = serde_json::to_string_pretty(&plan)
                    .map_err(|error| UsageError::from_error("cannot print the plan", &error))?;
                say(&text)?;
            } else {
                say(&describe(&scenario))?;
            }
        }
        Ok(Outcome::Pass)
    }
}

/// The preset that a scenario is about.
fn device_of(scenario: &Scenario) -> Option<DevicePreset> {
    scenario
        .name
        .strip_prefix("device/")
        .and_then(DevicePreset::find)
}

fn describe(scenario: &Scenario) -> String {
    let expect = match (scenario.plan)(Seed::new(1)).expect {
        Expect::Pass => String::new(),
        Expect::Caught { must, .. } => {
            let checks: Vec<String> = must.iter().map(ToString::to_string).collect();
            format!(
                "  (expected: a violation of check {})",
                checks.join(" and ")
            )
        }
    };
    let by_default = if scenario.name == scenario::WAVE_SCENARIO {
        "  (its waveform is always written)"
    } else if scenario.name.starts_with("fault/") {
        "  (runs only when named)"
    } else {
        ""
    };
    let device =
        device_of(scenario).map_or_else(String::new, |preset| format!("\n    Device: {preset}"));
    format!(
        "{}{expect}{by_default}{device}\n    Stimulus: {}\n    Checking: {}",
        scenario.name, scenario.stimulus, scenario.checking
    )
}
