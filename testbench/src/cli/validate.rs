//! `rebound validate`: any core by its manifest, each run in a process of its own, and its report.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rebound_sim::trace::TraceKind;

use crate::cli::core::{Choice, CoreFiles};
use crate::cli::jobs::{job_count, jobs_or_all};
use crate::cli::progress::Progress;
use crate::cli::sim::{path_text, seconds};
use crate::cli::sweep::{Sweep, variants};
use crate::cli::validate_watch;
use crate::cli::{Outcome, say};
use crate::error::UsageError;
use crate::report::{check_writable, quoted};
use crate::runner::{self, child::ChildCommand};
use crate::seed::{self, Seed};
use crate::validate::report::{Row, Summary, heading, write_files};
use crate::validate::{self, Profile, Scenario};

/// Seeds of the group `random`, unless told otherwise.
const RANDOM_SEEDS: u64 = 4;
/// Most seeds of a scenario in one validation.
const MOST_SEEDS: u64 = 10_000;

/// Validate any core by its manifest and report a verdict for each scenario
///
/// The manifest says what the core can do and how software runs it (sim/MANIFEST.md). What the core does not
/// support is skipped, with the reason.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Manifest of the core
    manifest: PathBuf,
    /// Only this scenario, or group of them (`bus/stall-w` or `bus`); may be repeated
    #[arg(long = "scenario", value_name = "NAME", num_args = 1..)]
    scenarios: Vec<String>,
    /// Seed of all random choices
    #[arg(long, default_value = "1", value_name = "NUMBER", value_parser = seed::parse, allow_negative_numbers = true)]
    seed: Seed,
    /// Runs of each scenario that draws from the seed, with successive seeds [default: 4 of random, 1 of others]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=MOST_SEEDS))]
    seeds: Option<u64>,
    /// Values of a parameter, `NAME=V1,V2`; several parameters are combined
    #[arg(long, value_name = "NAME=VALUES")]
    sweep: Vec<Sweep>,
    /// Runs at the same time [default: one for each core of the machine]
    #[arg(long, value_name = "NUMBER", value_parser = job_count, allow_negative_numbers = true)]
    jobs: Option<NonZeroUsize>,
    /// Write a waveform of every run
    #[arg(long)]
    waves: bool,
    /// Folder of the waveforms
    #[arg(long, default_value = "waves", value_name = "FOLDER")]
    waves_folder: PathBuf,
    /// Folder of validate.csv and validate.json
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    results: PathBuf,
    /// Seconds of wall time after which a run is stopped
    #[arg(long, default_value_t = 120.0, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    timeout: f64,
    /// Do it again whenever the manifest or a file of the core changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// What one line of the table comes from.
enum Entry {
    Skipped(Box<Row>),
    Run {
        scenario: Scenario,
        parameters: Vec<String>,
        seed: Seed,
    },
}

impl Entry {
    const fn is_run(&self) -> bool {
        matches!(self, Self::Run { .. })
    }
}

/// What to run and what to skip of a scenario, seed by seed. One that no seed can run does not apply to the core: that
/// is said once.
fn entries_of(
    scenario: Scenario,
    parameters: &[String],
    trials: impl Iterator<Item = (Seed, Result<(), String>)>,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = trials
        .map(|(seed, trial)| match trial {
            Ok(()) => Entry::Run {
                scenario,
                parameters: parameters.to_vec(),
                seed,
            },
            Err(reason) => {
                let row = Row::of_skip(scenario.name, parameters, seed, reason);
                Entry::Skipped(Box::new(row))
            }
        })
        .collect();
    if !entries.iter().any(Entry::is_run) {
        entries.truncate(1);
    }
    entries
}

impl Validate {
    pub(super) fn run(&self) -> Result<Outcome, UsageError> {
        if self.watch {
            validate_watch::watch(&self.manifest, || self.files(), || self.once())
        } else {
            self.once()
        }
    }

    /// Files that all variants of the core are made from.
    fn files(&self) -> Result<Vec<PathBuf>, UsageError> {
        let files = CoreFiles::load(&self.manifest)?;
        let mut all = Vec::new();
        for parameters in variants(&self.sweep) {
            all.extend(files.files(&self.choice(&parameters, false))?);
        }
        Ok(all)
    }

    fn once(&self) -> Result<Outcome, UsageError> {
        let scenarios = select(&self.scenarios)?;
        check_writable(&self.results, "--results")?;
        if self.waves {
            check_writable(&self.waves_folder, "--waves-folder")?;
            std::fs::create_dir_all(&self.waves_folder).map_err(|error| {
                let context = format!("cannot make the folder {}", self.waves_folder.display());
                UsageError::from_error(&context, &error)
            })?;
        }
        let files = CoreFiles::load(&self.manifest)?;
        let mut rows = Vec::new();
        for parameters in variants(&self.sweep) {
            let entries = self.entries(&files, &scenarios, &parameters)?;
            if !parameters.is_empty() {
                say(&format!("{} with {}", files.name(), parameters.join(" ")))?;
            }
            rows.extend(self.run_entries(entries)?);
        }
        let paths = write_files(&self.results, &rows)?;
        let summary = Summary::of(&rows);
        say(&format!(
            "{}: {summary}\nreport: {}, {}",
            files.name(),
            paths[0].display(),
            paths[1].display()
        ))?;
        Ok(if summary.failed == 0 {
            Outcome::Pass
        } else {
            Outcome::Violations
        })
    }

    /// Builds what a variant of the core needs, and says what to run and what to skip.
    fn entries(
        &self,
        files: &CoreFiles,
        scenarios: &[Scenario],
        parameters: &[String],
    ) -> Result<Vec<Entry>, UsageError> {
        let usual = files.build(&self.choice(parameters, false), true)?;
        let profile = Profile::new(files.manifest(), &usual)?;
        let mut entries = Vec::new();
        for scenario in scenarios {
            let trials = (0..self.seeds_of(scenario)).map(|number| {
                let seed = Seed::new(self.seed.value().wrapping_add(number));
                (seed, scenario.trial_for(&profile, seed).map(drop))
            });
            let of_scenario = entries_of(*scenario, parameters, trials);
            let runs = of_scenario.iter().any(Entry::is_run);
            if runs && scenario.has_random_reset() {
                files.build(&self.choice(parameters, true), true)?;
            }
            entries.extend(of_scenario);
        }
        Ok(entries)
    }

    fn choice(&self, parameters: &[String], has_random_reset: bool) -> Choice {
        Choice {
            parameters: parameters.to_vec(),
            trace: self.trace(),
            has_random_reset,
        }
    }

    fn run_entries(&self, entries: Vec<Entry>) -> Result<Vec<Row>, UsageError> {
        let commands = entries
            .iter()
            .filter_map(|entry| self.command(entry).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        let progress = Progress::quiet(commands.len(), "running");
        let show = |row: &Row| -> Result<(), UsageError> {
            progress.suspend(|| row.lines().iter().try_for_each(|line| say(line)))
        };
        progress.suspend(|| say(&heading()))?;
        let mut rows = Vec::new();
        let mut printed = Ok(());
        let mut add = |row: Row| {
            if printed.is_ok() {
                printed = show(&row);
            }
            rows.push(row);
        };
        let mut entries = entries.into_iter();
        let manifest = path_text(&self.manifest)?;
        runner::run_all(&commands, jobs_or_all(self.jobs), |_, result| {
            progress.advance();
            for entry in entries.by_ref() {
                match entry {
                    Entry::Skipped(row) => add(*row),
                    Entry::Run {
                        scenario,
                        parameters,
                        seed,
                    } => {
                        let replay = replay(&manifest, &parameters, scenario.name, seed);
                        add(Row::of_run(
                            scenario.name,
                            &parameters,
                            seed,
                            result,
                            replay,
                        ));
                        break;
                    }
                }
            }
        })?;
        for entry in entries {
            if let Entry::Skipped(row) = entry {
                add(*row);
            }
        }
        progress.finish();
        printed.map(|()| rows)
    }

    fn command(&self, entry: &Entry) -> Result<Option<ChildCommand>, UsageError> {
        let Entry::Run {
            scenario,
            parameters,
            seed,
        } = entry
        else {
            return Ok(None);
        };
        let program = std::env::current_exe().map_err(|error| {
            UsageError::from_error("cannot find this program's own file", &error)
        })?;
        let mut arguments = vec![
            "validate-one".to_owned(),
            "--scenario".into(),
            scenario.name.into(),
            "--seed".into(),
            seed.to_string(),
            "--manifest".into(),
            path_text(&self.manifest)?,
        ];
        for parameter in parameters {
            arguments.extend(["--parameter".into(), parameter.clone()]);
        }
        if self.waves {
            let variant: Vec<String> = parameters.iter().map(|one| format!("-{one}")).collect();
            let name = scenario.name.replace('/', "-");
            let file = format!("validate-{name}{}-{seed}.fst", variant.concat());
            arguments.extend(["--wave".into(), path_text(&self.waves_folder.join(file))?]);
        }
        Ok(Some(ChildCommand {
            program,
            arguments,
            timeout: Duration::from_secs_f64(self.timeout),
        }))
    }

    fn seeds_of(&self, scenario: &Scenario) -> u64 {
        let is_random = scenario.name.starts_with("random/");
        match self.seeds {
            Some(seeds) if scenario.is_seeded => seeds,
            None if is_random && scenario.is_seeded => RANDOM_SEEDS,
            _ => 1,
        }
    }

    const fn trace(&self) -> TraceKind {
        if self.waves {
            TraceKind::Fst
        } else {
            TraceKind::Off
        }
    }
}

/// The command that runs just this again, with a waveform.
fn replay(manifest: &str, parameters: &[String], scenario: &str, seed: Seed) -> String {
    let sweeps: Vec<String> = parameters
        .iter()
        .map(|parameter| format!(" --sweep {}", quoted(parameter)))
        .collect();
    format!(
        "rebound validate {}{} --scenario {scenario} --seed {seed} --seeds 1 --waves",
        quoted(manifest),
        sweeps.concat()
    )
}

/// Finds the scenarios that names or groups select.
fn select(names: &[String]) -> Result<Vec<Scenario>, UsageError> {
    let all = validate::all();
    let matches = |scenario: &Scenario, name: &str| {
        let group = Path::new(scenario.name).parent();
        scenario.name == name || group == Some(Path::new(name))
    };
    for name in names {
        if !all.iter().any(|scenario| matches(scenario, name)) {
            let nearest = all
                .iter()
                .map(|scenario| scenario.name)
                .min_by_key(|known| strsim::damerau_levenshtein(name, known));
            let known: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
            return Err(
                UsageError::new(format!("no scenario and no group is named `{name}`")).help(
                    format!(
                        "did you mean {}? there are {}",
                        nearest.unwrap_or_default(),
                        known.join(", ")
                    ),
                ),
            );
        }
    }
    let is_chosen =
        |scenario: &Scenario| names.is_empty() || names.iter().any(|name| matches(scenario, name));
    Ok(all.into_iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_names_select_and_an_unknown_one_is_answered() {
        let chosen = select(&["error/".into(), "basic/smallest".into()]).expect("they exist");
        let names: Vec<&str> = chosen.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names[0], "basic/smallest");
        assert_eq!(names.len(), 5);
        let error = select(&["bus/stal-w".into()]).expect_err("it is misspelt");
        let help = error.into_parts().1.unwrap_or_default();
        assert!(help.contains("did you mean bus/stall-w?"), "{help}");
    }

    #[test]
    fn each_seed_without_room_has_a_row_of_its_own_beside_those_that_run() {
        let scenario = select(&["random/".into()]).expect("it exists").remove(0);
        let entries = |trials: [Result<(), String>; 3]| {
            let trials = (1..).map(Seed::new).zip(trials);
            entries_of(scenario, &[], trials)
        };
        let no_room = || Err("no room".to_owned());
        let found = entries([no_room(), Ok(()), no_room()]);
        let skipped: Vec<u64> = found
            .iter()
            .filter_map(|entry| match entry {
                Entry::Skipped(row) => Some(row.seed.value()),
                Entry::Run { .. } => None,
            })
            .collect();
        assert_eq!((found.len(), skipped), (3, vec![1, 3]));
        assert_eq!(entries([no_room(), no_room(), no_room()]).len(), 1);
    }

    #[test]
    fn a_replay_names_parameters_and_seed() {
        let command = replay("c.toml", &["A=1".into()], "bus/stall-w", Seed::new(5));
        assert!(command.contains("c.toml --sweep 'A=1' --scenario bus/stall-w --seed 0x5"));
    }
}
