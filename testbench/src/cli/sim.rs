//! `rebound sim`: the suite, each run in a process of its own, and its report.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rebound_sim::trace::TraceKind;

use crate::cli::jobs::{job_count, jobs_or_all};
use crate::cli::progress::Progress;
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::execute::{Core, Environment};
use crate::report::{self, Row, Summary};
use crate::result::RunResult;
use crate::runner::{self, child::ChildCommand};
use crate::scenario::plan::{Expect, Plan};
use crate::scenario::{self, Scenario};
use crate::seed::{self, Seed};

/// Run the reference engine through the suite and report a verdict for each scenario
///
/// Each scenario also runs with nothing to bounce (a 64-bit engine and mask, the same memory, bus and
/// work), so that the report can say what bouncing costs. The group `fault` (each fault that the engine can be
/// built with) runs only if it is named: every fault is a core to build.
#[derive(Debug, Args)]
pub struct Sim {
    /// Only this scenario, or group of them (`limit/24-bit` or `limit`); may be repeated
    #[arg(long = "scenario", value_name = "NAME", num_args = 1..)]
    scenarios: Vec<String>,
    /// Seed of all random choices
    #[arg(long, default_value = "1", value_name = "NUMBER", value_parser = seed::parse, allow_negative_numbers = true)]
    seed: Seed,
    /// Runs at the same time [default: one for each core of the machine]
    #[arg(long, value_name = "NUMBER", value_parser = job_count, allow_negative_numbers = true)]
    jobs: Option<NonZeroUsize>,
    /// Write a waveform of every selected scenario, not only of bounce/waveform
    #[arg(long)]
    waves: bool,
    /// First cycle of the waveforms
    #[arg(long, value_name = "CYCLE", allow_negative_numbers = true)]
    waves_from: Option<u64>,
    /// Last cycle of the waveforms
    #[arg(long, value_name = "CYCLE", allow_negative_numbers = true)]
    waves_to: Option<u64>,
    /// Format of the waveforms
    #[arg(long, default_value = "fst", value_name = "FORMAT")]
    waves_format: WaveFormat,
    /// Folder of the waveforms
    #[arg(long, default_value = WAVES_FOLDER, value_name = "FOLDER")]
    waves_folder: PathBuf,
    /// Leave out the runs with nothing to bounce
    #[arg(long)]
    no_comparison: bool,
    /// Manifest of the engine
    #[arg(long, default_value = REFERENCE_ENGINE, value_name = "FILE")]
    manifest: PathBuf,
    /// Folder of sim.csv and sim.json
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    results: PathBuf,
    /// Seconds of wall time after which a run is stopped
    #[arg(long, default_value_t = 120.0, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    timeout: f64,
}

/// Where `make waves` looks for waveforms.
const WAVES_FOLDER: &str = "waves";
/// The engine that is taken if none is named.
const REFERENCE_ENGINE: &str = "rtl/dma_engine.toml";

/// Formats of waveforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WaveFormat {
    /// Compressed, for GTKWave and Surfer
    Fst,
    /// Text, for every tool
    Vcd,
}

/// One process to start: a scenario as planned, or the same work unbounced.
struct Job {
    scenario: usize,
    command: ChildCommand,
}

impl Sim {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        if let (Some(from), Some(to)) = (self.waves_from, self.waves_to)
            && from > to
        {
            return Err(UsageError::new(format!(
                "the waveform's window is empty: expected --waves-from at or below --waves-to, found \
                 {from} and {to}"
            )));
        }
        let scenarios = select(&self.scenarios)?;
        let plans: Vec<Plan> = scenarios
            .iter()
            .map(|scenario| (scenario.plan)(self.seed))
            .collect();
        report::check_folder(&self.results)?;
        if scenarios.iter().any(|scenario| self.has_wave(scenario)) {
            report::check_writable(&self.waves_folder, "--waves-folder")?;
        }
        self.check_manifest(&scenarios)?;
        self.build_cores(&scenarios, &plans)?;
        let jobs = self.jobs(&scenarios, &plans)?;
        let rows = self.run_jobs(&scenarios, &plans, &jobs)?;
        let paths = report::write_files(&self.results, &rows)?;
        let summary = Summary::of(&rows);
        say(&format!(
            "{summary}\nreport: {}, {}",
            paths[0].display(),
            paths[1].display()
        ))?;
        let waves: Vec<&str> = rows.iter().filter_map(|row| row.wave.as_deref()).collect();
        match waves.as_slice() {
            [] => {}
            [wave] => say(&format!("waveform: {wave} ({})", self.how_to_open(wave)))?,
            [first, ..] => say(&format!("waveforms: {first} and {} more", waves.len() - 1))?,
        }
        Ok(if summary.failed == 0 {
            Outcome::Pass
        } else {
            Outcome::Violations
        })
    }

    /// `make waves` opens what lies in its folder.
    fn how_to_open(&self, wave: &str) -> String {
        if self.waves_folder == Path::new(WAVES_FOLDER) {
            "open it with `make waves`".into()
        } else {
            format!("open it with `rebound waves {wave}`")
        }
    }

    /// Finds out whether there is a manifest at all, and says how to name one.
    fn check_manifest(&self, scenarios: &[Scenario]) -> Result<(), UsageError> {
        if scenarios.iter().all(is_self_test) || self.manifest.exists() {
            return Ok(());
        }
        let error = UsageError::new(format!(
            "no manifest of an engine at {}: expected a TOML file, found none",
            self.manifest.display()
        ));
        Err(if self.manifest == Path::new(REFERENCE_ENGINE) {
            error.help(
                "this is the reference engine's place in Rebound's own folder: start there, or name a \
                 manifest with `--manifest FILE`",
            )
        } else {
            error.help(
                "name an existing manifest with `--manifest FILE`; sim/MANIFEST.md explains them",
            )
        })
    }

    /// Builds every core that the runs need, so that no run waits for a compiler.
    fn build_cores(&self, scenarios: &[Scenario], plans: &[Plan]) -> Result<(), UsageError> {
        let mut cores: Vec<_> = scenarios
            .iter()
            .zip(plans)
            .filter(|(scenario, _)| !is_self_test(scenario))
            .flat_map(|(scenario, plan)| {
                let core = |engine, trace| Core {
                    engine,
                    trace,
                    has_rules: true,
                };
                let unbounced = self
                    .is_compared(scenario, plan)
                    .then(|| core(plan.unbounced().engine, TraceKind::Off));
                [Some(core(plan.engine, self.wave_kind(scenario))), unbounced]
            })
            .flatten()
            .collect();
        cores.sort_unstable();
        cores.dedup();
        if cores.is_empty() {
            return Ok(());
        }
        let environment = Environment::load(&self.manifest)?;
        let progress = Progress::new(cores.len(), "building cores");
        environment.build_all(&cores, jobs_or_all(self.jobs), || progress.advance())?;
        progress.finish();
        Ok(())
    }

    fn jobs(&self, scenarios: &[Scenario], plans: &[Plan]) -> Result<Vec<Job>, UsageError> {
        let program = std::env::current_exe().map_err(|error| {
            UsageError::from_error("cannot find this program's own file", &error)
        })?;
        let mut jobs = Vec::new();
        for (index, (scenario, plan)) in scenarios.iter().zip(plans).enumerate() {
            for is_unbounced in [false, true] {
                if is_unbounced && !self.is_compared(scenario, plan) {
                    continue;
                }
                jobs.push(Job {
                    scenario: index,
                    command: ChildCommand {
                        program: program.clone(),
                        arguments: self.arguments(scenario, is_unbounced)?,
                        timeout: Duration::from_secs_f64(self.timeout),
                    },
                });
            }
        }
        Ok(jobs)
    }

    fn arguments(
        &self,
        scenario: &Scenario,
        is_unbounced: bool,
    ) -> Result<Vec<String>, UsageError> {
        let mut arguments = vec![
            "run-one".into(),
            "--scenario".into(),
            scenario.name.into(),
            "--seed".into(),
            self.seed.to_string(),
            "--manifest".into(),
            path_text(&self.manifest)?,
        ];
        if is_unbounced {
            arguments.push("--unbounced".into());
        } else if self.has_wave(scenario) {
            std::fs::create_dir_all(&self.waves_folder).map_err(|error| {
                let context = format!("cannot make the folder {}", self.waves_folder.display());
                UsageError::from_error(&context, &error)
                    .help("name another one with `--waves-folder`")
            })?;
            arguments.extend(["--wave".into(), path_text(&self.wave_path(scenario))?]);
            for (option, cycle) in [
                ("--waves-from", self.waves_from),
                ("--waves-to", self.waves_to),
            ] {
                arguments.extend(
                    cycle
                        .into_iter()
                        .flat_map(|cycle| [option.into(), cycle.to_string()]),
                );
            }
        }
        Ok(arguments)
    }

    fn run_jobs(
        &self,
        scenarios: &[Scenario],
        plans: &[Plan],
        jobs: &[Job],
    ) -> Result<Vec<Row>, UsageError> {
        let commands: Vec<ChildCommand> = jobs.iter().map(|job| job.command.clone()).collect();
        let progress = Progress::quiet(jobs.len(), "running");
        let manifest = self.other_manifest()?;
        let mut rows = Vec::new();
        let mut printed = Ok(());
        let mut main: Option<RunResult> = None;
        let show = |row: &Row| -> Result<(), UsageError> {
            progress.suspend(|| report::lines(row).iter().try_for_each(|line| say(line)))
        };
        progress.suspend(|| say(&report::heading()))?;
        runner::run_all(&commands, jobs_or_all(self.jobs), |index, result| {
            progress.advance();
            let job = &jobs[index];
            let is_last = jobs
                .get(index + 1)
                .is_none_or(|next| next.scenario != job.scenario);
            let (result, unbounced) = match main.take() {
                None if !is_last => {
                    main = Some(result);
                    return;
                }
                None => (result, None),
                Some(first) => (first, Some(result)),
            };
            let (scenario, plan) = (&scenarios[job.scenario], &plans[job.scenario]);
            let row = Row::new(
                scenario.name,
                plan,
                result,
                unbounced.as_ref(),
                manifest.as_deref(),
            );
            if printed.is_ok() {
                printed = show(&row);
            }
            rows.push(row);
        })?;
        progress.finish();
        printed.map(|()| rows)
    }

    /// Whether the scenario also runs unbounced: only where the plan expects a pass, for a run with a
    /// planted fault has no cost to compare.
    fn is_compared(&self, scenario: &Scenario, plan: &Plan) -> bool {
        !self.no_comparison
            && !is_self_test(scenario)
            && plan.expect == Expect::Pass
            && plan.is_comparable()
    }

    fn has_wave(&self, scenario: &Scenario) -> bool {
        (self.waves || scenario.name == scenario::WAVE_SCENARIO) && !is_self_test(scenario)
    }

    fn wave_kind(&self, scenario: &Scenario) -> TraceKind {
        if !self.has_wave(scenario) {
            return TraceKind::Off;
        }
        match self.waves_format {
            WaveFormat::Fst => TraceKind::Fst,
            WaveFormat::Vcd => TraceKind::Vcd,
        }
    }

    /// `bounce-waveform-0x1.fst`; a window is named too, so that it does not replace the whole run.
    fn wave_path(&self, scenario: &Scenario) -> PathBuf {
        let name = scenario.name.replace('/', "-");
        let window = match (self.waves_from, self.waves_to) {
            (None, None) => String::new(),
            (from, to) => {
                let to = to.map_or_else(|| "end".to_owned(), |cycle| cycle.to_string());
                format!("-{}-{to}", from.unwrap_or(0))
            }
        };
        let ending = self.wave_kind(scenario).extension();
        self.waves_folder
            .join(format!("{name}-{}{window}.{ending}", self.seed))
    }

    /// The manifest, if the user named another than the usual one.
    fn other_manifest(&self) -> Result<Option<String>, UsageError> {
        let is_usual = self.manifest.as_path() == Path::new(REFERENCE_ENGINE);
        (!is_usual).then(|| path_text(&self.manifest)).transpose()
    }
}

/// Finds the scenarios that `names` select, by name or by group, in the order of the suite.
///
/// # Errors
/// If a name selects nothing.
pub(super) fn select(names: &[String]) -> Result<Vec<Scenario>, UsageError> {
    if names.is_empty() {
        return Ok(scenario::suite());
    }
    let all: Vec<Scenario> = scenario::all()
        .into_iter()
        .chain(scenario::self_tests())
        .collect();
    let matches = |scenario: &Scenario, name: &str| {
        scenario.name == name
            || scenario
                .name
                .strip_prefix(name.trim_end_matches('/'))
                .is_some_and(|rest| rest.starts_with('/'))
    };
    for name in names {
        if !all.iter().any(|scenario| matches(scenario, name)) {
            return Err(unknown(name, &all));
        }
    }
    Ok(all
        .into_iter()
        .filter(|scenario| names.iter().any(|name| matches(scenario, name)))
        .collect())
}

fn unknown(name: &str, all: &[Scenario]) -> UsageError {
    let near = near(name, all);
    let error = UsageError::new(format!("no scenario and no group is named `{name}`"));
    if near.is_empty() {
        error.help("`rebound list` prints all names")
    } else {
        error.help(format!(
            "did you mean {}? `rebound list` prints all names",
            near.join(" or ")
        ))
    }
}

/// Returns the names that are meant, perhaps: those that hold its last part, or else the nearest of all names
/// and groups.
fn near<'a>(name: &str, all: &'a [Scenario]) -> Vec<&'a str> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let holding: Vec<&str> = all
        .iter()
        .map(|scenario| scenario.name)
        .filter(|known| !last.is_empty() && known.contains(last))
        .collect();
    if !holding.is_empty() {
        return holding;
    }
    let groups = all
        .iter()
        .filter_map(|scenario| scenario.name.split('/').next());
    let nearest = all
        .iter()
        .map(|scenario| scenario.name)
        .chain(groups)
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min();
    nearest
        .filter(|(distance, _)| *distance <= (name.len() / 3).max(1))
        .map(|(_, known)| known)
        .into_iter()
        .collect()
}

fn is_self_test(scenario: &Scenario) -> bool {
    scenario.name.starts_with("self-test/")
}

pub(super) fn path_text(path: &Path) -> Result<String, UsageError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        UsageError::new(format!("the path {} is not valid UTF-8", path.display()))
            .help("name a path that is")
    })
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 && seconds < 1e9 => Ok(seconds),
        _ => Err("expected a number of seconds above 0 and below 1e9".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_groups_select_in_the_order_of_the_suite() {
        let chosen = select(&["limit/".into(), "transfer/copy".into()]).expect("they exist");
        let names: Vec<&str> = chosen.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names[0], "transfer/copy");
        assert!(names[1..].iter().all(|name| name.starts_with("limit/")));
        assert!(names.len() > 4);
    }

    #[test]
    fn without_names_self_tests_are_left_out() {
        let all = select(&[]).expect("the suite");
        assert!(!all.iter().any(is_self_test));
    }

    #[test]
    fn an_unknown_name_is_answered_with_near_ones() {
        let error = select(&["leak".into()]).expect_err("it has a group");
        let (message, help) = error.into_parts();
        assert_eq!(message, "no scenario and no group is named `leak`");
        assert!(help.is_some_and(|help| help.contains("control/leak")));
    }

    #[test]
    fn a_slip_of_the_keyboard_is_answered_with_the_name_that_is_meant() {
        for (slip, meant) in [
            ("transfer/coppy", "transfer/copy"),
            ("contrl", "control"),
            ("Limit/24-bit", "limit/24-bit"),
        ] {
            let error = select(&[slip.into()]).expect_err("it is misspelt");
            let help = error.into_parts().1.unwrap_or_default();
            assert!(help.starts_with(&format!("did you mean {meant}")), "{help}");
        }
        let error = select(&["quux".into()]).expect_err("there is none like it");
        let help = error.into_parts().1;
        assert_eq!(help.as_deref(), Some("`rebound list` prints all names"));
    }

    #[test]
    fn faults_of_the_engine_run_only_when_named() {
        assert!(
            !select(&[])
                .expect("the suite")
                .iter()
                .any(|one| one.name.starts_with("fault/"))
        );
        assert_eq!(select(&["fault".into()]).expect("a group").len(), 21);
    }

    #[test]
    fn timeouts_are_positive() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        for text in ["0", "-1", "NaN", "inf", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
