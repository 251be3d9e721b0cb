//! `rebound replay --rtl`: what bouncing a trace's transfers costs with a core, each run in a process of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rebound_sim::manifest::Manifest;
use rebound_sim::trace::TraceKind;

use crate::cli::core::{Choice, CoreFiles};
use crate::cli::progress::Steps;
use crate::cli::sim::{path_text, seconds};
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::execute::{Core, Environment};
use crate::replay::price::{
    CoreTraits, Moved, Place, PriceReport, Window, WindowError, WorldError, moved, plan,
};
use crate::replay::{DeviceConfig, Load, Machine};
use crate::result::{Counts, RunResult};
use crate::runner::child::{self, ChildCommand};
use crate::scenario::plan::{EnginePlan, Plan};
use crate::seed::Seed;
use crate::validate::Profile;

/// Driver of the reference engine, as its manifest names it.
pub(super) const ENGINE_DRIVER: &str = "dma_engine";

/// The core and the part of the trace that it carries out.
#[derive(Debug, Args)]
pub(super) struct PriceArgs {
    /// Have a core carry out bounced transfers of the trace on the simulated bus, bounced and direct: what does
    /// bouncing cost? Without a manifest, the reference engine does
    #[arg(long, value_name = "MANIFEST", num_args = 0..=1, default_missing_value = "rtl/dma_engine.toml",
          conflicts_with_all = ["swiotlb", "policy", "scale", "cpus", "plot"])]
    rtl: Option<PathBuf>,
    /// Part of the trace for --rtl, in seconds of its clock
    #[arg(long, value_name = "FROM..TO", value_parser = parse_window, requires = "rtl")]
    window: Option<(u64, u64)>,
    /// Most transfers for --rtl
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u32).range(1..=100_000), requires = "rtl")]
    transfers: u32,
    /// Seconds of wall time after which a run of --rtl is stopped; there are two for each device
    #[arg(long, default_value_t = 300.0, value_name = "SECONDS", value_parser = seconds, requires = "rtl",
          allow_negative_numbers = true)]
    timeout: f64,
}

/// A core that is ready to run, with what its transfers have to know.
struct Built {
    manifest: PathBuf,
    traits: CoreTraits,
}

impl PriceArgs {
    pub(super) const fn manifest(&self) -> Option<&PathBuf> {
        self.rtl.as_ref()
    }

    /// Runs the transfers of each device, bounced and direct. The flag is false if a run broke a check.
    pub(super) fn price(
        &self,
        load: &Load,
        machine: &Machine,
        (manifest, seed): (&Path, Seed),
    ) -> Result<(PriceReport, Outcome), UsageError> {
        let transfers = moved(load, self.window()).map_err(|error| no_window(&error))?;
        let core = build(manifest)?;
        let lines = (
            transfers.first().map_or(0, |one| one.line),
            transfers.last().map_or(0, |one| one.line),
        );
        let mut report = PriceReport::new(&core.traits.name, core.traits.mask_bits(), lines);
        let mut outcome = Outcome::Pass;
        let by_device: Vec<(&DeviceConfig, Vec<Moved>)> = machine
            .devices
            .iter()
            .enumerate()
            .map(|(number, device)| {
                let own = |one: &&Moved| one.device as usize == number;
                (device, transfers.iter().filter(own).copied().collect())
            })
            .filter(|(_, mine): &(_, Vec<Moved>)| !mine.is_empty())
            .collect();
        let runs = by_device.len();
        let steps = Steps::new();
        for (number, (device, mine)) in by_device.into_iter().enumerate() {
            let mut counts = Vec::new();
            for (nth, place) in [Place::Bounced, Place::Direct].into_iter().enumerate() {
                let what = format!("{}, {}", device.name, run_name(place));
                steps.show(2 * number + nth, 2 * runs, &what);
                let plan = plan(&core.traits, &mine, device.min_align_mask, place, seed)
                    .map_err(|error| no_world(&error))?;
                let result = run(&core.manifest, &plan, Duration::from_secs_f64(self.timeout))?;
                if result.violation_count() > 0 {
                    outcome = Outcome::Violations;
                    tell(&device.name, place, &result)?;
                }
                counts.push(checked(&device.name, place, &mine, result)?);
            }
            report.add(&device.name, &counts[0], &counts[1]);
        }
        steps.finish();
        report.add_sums();
        Ok((report, outcome))
    }

    fn window(&self) -> Window {
        let (from_ns, to_ns) = self.window.unwrap_or((0, u64::MAX));
        Window {
            from_ns,
            to_ns,
            transfers: usize::try_from(self.transfers).unwrap_or(usize::MAX),
        }
    }
}

/// Builds the core, so that no run waits for a compiler.
fn build(path: &Path) -> Result<Built, UsageError> {
    let manifest = Manifest::load(path).map_err(UsageError::from_diagnostic)?;
    let traits = if manifest.driver.as_deref() == Some(ENGINE_DRIVER) {
        let traits = CoreTraits::of_reference_engine(&manifest.name);
        let core = Core {
            engine: EnginePlan::bits(traits.mask_bits()),
            trace: TraceKind::Off,
            has_rules: true,
        };
        Environment::load(path)?.build_all(&[core], 1, || {})?;
        traits
    } else {
        let files = CoreFiles::load(path)?;
        let library = files.build(&usual(), true)?;
        CoreTraits::of(&manifest.name, &Profile::new(files.manifest(), &library)?)
    };
    Ok(Built {
        manifest: path.to_owned(),
        traits,
    })
}

/// The core as its manifest gives it.
pub(super) fn usual() -> Choice {
    Choice {
        parameters: Vec::new(),
        trace: TraceKind::Off,
        has_random_reset: false,
    }
}

fn run(manifest: &Path, plan: &Plan, timeout: Duration) -> Result<RunResult, UsageError> {
    let cannot = |error: &dyn std::error::Error| {
        UsageError::from_error("cannot hand the transfers to the process of the run", error)
    };
    let file = tempfile::NamedTempFile::new().map_err(|error| cannot(&error))?;
    serde_json::to_writer(&file, plan).map_err(|error| cannot(&error))?;
    let program = std::env::current_exe()
        .map_err(|error| UsageError::from_error("cannot find this program's own file", &error))?;
    let arguments = vec![
        "price-one".to_owned(),
        "--plan".into(),
        path_text(file.path())?,
        "--manifest".into(),
        path_text(manifest)?,
    ];
    child::run(&ChildCommand {
        program,
        arguments,
        timeout,
    })
}

/// Shows the first violation of a run.
fn tell(device: &str, place: Place, result: &RunResult) -> Result<(), UsageError> {
    let Some(first) = result.violations.first() else {
        return Ok(());
    };
    say(&format!(
        "{device}, {}: {} violations, the figures are not to be trusted; the first, {}: {}",
        run_name(place),
        result.violation_count(),
        first.check.name(),
        first.text
    ))
}

/// Returns the counts of a run that did what it was to show.
fn checked(
    device: &str,
    place: Place,
    transfers: &[Moved],
    result: RunResult,
) -> Result<Counts, UsageError> {
    let expected = match place {
        Place::Bounced => transfers.len() as u64,
        Place::Direct => 0,
    };
    let found = result.counts.bounced_mappings;
    let is_sound = result.violation_count() == 0;
    let is_as_planned = match place {
        Place::Bounced => found >= expected,
        Place::Direct => found == 0,
    };
    if is_sound && !is_as_planned {
        return Err(UsageError::new(format!(
            "{device}, {}: expected {expected} bounced mappings, found {found}",
            run_name(place)
        )));
    }
    Ok(result.counts)
}

const fn run_name(place: Place) -> &'static str {
    match place {
        Place::Bounced => "bounced",
        Place::Direct => "direct",
    }
}

fn no_window(error: &WindowError) -> UsageError {
    UsageError::new(error.to_string())
        .help("choose another --window FROM..TO, in seconds as the lines of the trace have them")
}

fn no_world(error: &WorldError) -> UsageError {
    let help = match error {
        WorldError::NoRoom { .. } => "take fewer: --transfers N",
        _ => {
            "name a core with this direction: --rtl MANIFEST; sim/MANIFEST.md explains control programs"
        }
    };
    UsageError::new(error.to_string()).help(help)
}

/// Reads `FROM..TO` in seconds.
fn parse_window(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("`{text}` is no window: expected seconds such as 4.5..4.75");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let nanoseconds = |text: &str, otherwise: u64| -> Result<u64, String> {
        if text.is_empty() {
            return Ok(otherwise);
        }
        let seconds: f64 = text.parse().map_err(|_| wrong())?;
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        u64::try_from(time.as_nanos()).map_err(|_| wrong())
    };
    let window = (nanoseconds(from, 0)?, nanoseconds(to, u64::MAX)?);
    if window.0 > window.1 {
        return Err(format!("`{text}` is empty: expected FROM at or before TO"));
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_in_seconds_and_may_be_open() {
        assert_eq!(
            parse_window("4.5..4.75"),
            Ok((4_500_000_000, 4_750_000_000))
        );
        assert_eq!(parse_window("1.."), Ok((1_000_000_000, u64::MAX)));
        assert_eq!(parse_window("..2"), Ok((0, 2_000_000_000)));
        for wrong in ["", "1", "2..1", "a..b", "-1..2", "nan..1", "1..1e300"] {
            assert!(parse_window(wrong).is_err(), "{wrong}");
        }
    }
}
