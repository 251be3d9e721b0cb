//! `rebound validate` on cores that do harm: each run costs one verdict with its evidence, and the others go on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

/// The kinds of harm, numbered as in `cores/hostile.sv`.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Silent = 0,
    Finish = 1,
    Fatal = 2,
    Stop = 3,
    Loop = 5,
    Oscillate = 6,
    Abort = 7,
    Segfault = 8,
    Exit = 10,
    Mute = 11,
    FloodBus = 12,
    FloodText = 13,
    FloodIrq = 14,
    Throw = 15,
    Astray = 16,
    Revenant = 17,
}

fn testbench() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A run of `rebound validate`, with the verdict and the broken checks of each row of its report.
struct Validation {
    output: Output,
    rows: Vec<(String, String)>,
}

impl Validation {
    fn text(&self) -> String {
        let (out, err) = (&self.output.stdout, &self.output.stderr);
        String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
    }

    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }
}

fn validate(manifest: &Path, harm: Harm, arguments: &[&str]) -> Validation {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_rebound"))
        .current_dir(testbench().parent().expect("the project"))
        .env("REBOUND_TEST_HARM", (harm as u32).to_string())
        .arg("validate")
        .arg(manifest)
        .args(arguments)
        .arg("--results")
        .arg(folder.path())
        .output()
        .expect("it starts");
    let rows = csv::Reader::from_path(folder.path().join("validate.csv")).map(|mut reader| {
        let rows = reader.records().map(|row| row.expect("a row"));
        rows.map(|row| (row[3].to_owned(), row[5].to_owned()))
            .collect()
    });
    Validation {
        output,
        rows: rows.unwrap_or_default(),
    }
}

fn hostile(harm: Harm, timeout: &str) -> Validation {
    let manifest = testbench().join("tests/cores/hostile_control.toml");
    // One run must not end the others: the second scenario is judged, too.
    let scenarios = ["--scenario", "basic/smallest", "basic/back-to-back"];
    let arguments = [scenarios.as_slice(), &["--timeout", timeout]].concat();
    validate(&manifest, harm, &arguments)
}

/// Asserts that each of both runs has its verdict, with this check among the broken ones, and that it is explained.
fn assert_told(harm: Harm, timeout: &str, check: &str, words: &[&str]) {
    let found = hostile(harm, timeout);
    let text = found.text();
    assert_eq!(found.code(), Some(1), "{harm:?}: {text}");
    assert_eq!(found.rows.len(), 2, "{harm:?}: {text}");
    for (verdict, checks) in &found.rows {
        let mut checks = checks.split(' ');
        assert!(
            verdict == "FAIL" && checks.any(|one| one == check),
            "{harm:?}: {text}"
        );
    }
    for words in words {
        assert_eq!(
            text.matches(words).count(),
            2,
            "{harm:?}: expected `{words}` twice: {text}"
        );
    }
    assert_eq!(
        text.matches("replay: rebound validate").count(),
        2,
        "{harm:?}: {text}"
    );
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
        (Harm::Oscillate, "did not converge after"),
        (Harm::Throw, "unknown exception in the model"),
    ] {
        assert_told(harm, PATIENT, "assertion", &[words]);
    }
}

#[test]
fn a_core_that_takes_its_process_down_is_a_crash_with_the_way_it_died() {
    for (harm, words) in [
        (Harm::Abort, "signal: 6"),
        (Harm::Segfault, "signal: 11"),
        (Harm::Exit, "expected a result, found exit status: 0"),
    ] {
        assert_told(harm, PATIENT, "crash", &[words]);
    }
}

#[test]
fn a_core_that_never_ends_a_cycle_is_stopped_by_the_watchdog() {
    for harm in [Harm::Loop, Harm::FloodText] {
        assert_told(harm, BRIEF, "watchdog", &["expected an end within 2 s"]);
    }
}

#[test]
fn a_step_that_never_ends_is_named_with_what_it_waited_for() {
    assert_told(
        Harm::Silent,
        PATIENT,
        "hang",
        &[
            "control.copy.done[0] (line ",
            "expected interrupt irq within 1000000 cycles, found 0x0 at last",
            "nothing happened on the bus",
        ],
    );
    let words = "ARVALID is high, ARREADY stays low";
    let found = hostile(Harm::Mute, PATIENT);
    // Only the write channel answers; the program reads no register, and so waits for the interrupt.
    assert!(!found.text().contains(words), "{}", found.text());
    assert_eq!(found.code(), Some(1));
}

#[test]
fn an_interrupt_that_never_falls_moves_no_data() {
    assert_told(Harm::FloodIrq, PATIENT, "not-written", &[]);
}

#[test]
fn a_core_that_floods_the_bus_breaks_its_promise_and_leaves_the_mapping() {
    let found = hostile(Harm::FloodBus, PATIENT);
    assert_eq!(found.code(), Some(1), "{}", found.text());
    for (_, checks) in &found.rows {
        // More reads in flight than `max_reads`, and those of addresses that nobody gave it.
        assert!(checks.contains("protocol"), "{}", found.text());
        assert!(checks.contains("unmapped"), "{}", found.text());
    }
}

#[test]
fn a_write_outside_any_mapping_is_told_with_its_address_and_the_last_events() {
    assert_told(
        Harm::Astray,
        PATIENT,
        "unmapped",
        &["AW burst 0 id 0 at dma 0xe00000", "last 3 bus events:"],
    );
}

#[test]
fn a_read_of_a_mapping_that_was_given_back_is_told() {
    let found = hostile(Harm::Revenant, PATIENT);
    let text = found.text();
    assert_eq!(found.code(), Some(1), "{text}");
    // The first transfer has none before it.
    assert!(found.rows[1].1.contains("use-after-unmap"), "{text}");
    assert!(!found.rows[0].1.contains("use-after-unmap"), "{text}");
}

#[test]
fn a_register_without_reset_begins_with_both_values_where_the_scenario_says_so() {
    let manifest = testbench().join("tests/cores/idle_drop.toml");
    let arguments = ["--seeds", "8", "--sweep", "ForgetsReset=1", "--scenario"];
    let with = |scenario| {
        validate(
            &manifest,
            Harm::Silent,
            &[&arguments[..], &[scenario]].concat(),
        )
    };
    let verdicts = |found: &Validation| -> BTreeSet<String> {
        let rows = found.rows.iter();
        rows.map(|(verdict, _)| verdict.clone()).collect()
    };
    let random = with("random/reset-values");
    assert_eq!(random.rows.len(), 8, "{}", random.text());
    assert_eq!(
        verdicts(&random),
        BTreeSet::from(["PASS".to_owned(), "FAIL".to_owned()]),
        "{}",
        random.text()
    );
    let fixed = with("random/traffic");
    assert_eq!(fixed.rows.len(), 8, "{}", fixed.text());
    assert_eq!(verdicts(&fixed), BTreeSet::from(["PASS".to_owned()]));
}

#[test]
fn data_that_a_core_drops_while_idle_comes_late_if_the_manifest_says_so() {
    let manifest = testbench().join("tests/cores/idle_drop.toml");
    let sound = validate(&manifest, Harm::Silent, &["--seeds", "1"]);
    assert_eq!(sound.code(), Some(0), "{}", sound.text());
    let cores = copied("drops_idle_data = true\n", "");
    let manifest = cores.path().join("idle_drop.toml");
    let arguments = ["--scenario", "basic/smallest"];
    let unsaid = validate(&manifest, Harm::Silent, &arguments);
    assert_eq!(unsaid.code(), Some(1), "{}", unsaid.text());
    assert_eq!(unsaid.rows[0].1, "hang", "{}", unsaid.text());
}

/// A copy of `idle_drop`, with something else in its manifest.
fn copied(from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cores = testbench().join("tests/cores");
    let read = |name: &str| std::fs::read_to_string(cores.join(name)).expect("it is there");
    let manifest = read("idle_drop.toml");
    assert!(manifest.contains(from), "the manifest has no {from}");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("idle_drop.toml", &manifest.replacen(from, to, 1));
    write("idle_drop.sv", &read("idle_drop.sv"));
    folder
}

fn refused(folder: &Path, words: &[&str]) {
    let manifest: PathBuf = folder.join("idle_drop.toml");
    let found = validate(&manifest, Harm::Silent, &["--scenario", "basic/smallest"]);
    let text = found.text();
    assert_eq!(found.code(), Some(2), "{text}");
    assert!(found.rows.is_empty(), "{text}");
    for words in words {
        assert!(text.contains(words), "expected `{words}`: {text}");
    }
}

#[test]
fn a_core_that_does_not_elaborate_is_refused_with_the_line_that_is_wrong() {
    let folder = copied("alignment = 4", "alignment = 4");
    let source = folder.path().join("idle_drop.sv");
    let text = std::fs::read_to_string(&source).expect("it is there");
    let broken = text.replace("endmodule", "    no_such_module nothing ();\nendmodule");
    std::fs::write(&source, broken).expect("written");
    refused(folder.path(), &["idle_drop.sv:", "no_such_module"]);
}

#[test]
fn ports_that_fit_nothing_are_refused_with_the_names_that_there_are() {
    let folder = copied("prefix = \"m_axi_\"", "prefix = \"m_aix_\"");
    refused(folder.path(), &["m_aix_awaddr", "m_axi_awaddr"]);
    let folder = copied("[[wire]]\nname = \"failed\"", "[[wire]]\nname = \"fialed\"");
    refused(folder.path(), &["fialed", "failed"]);
}
