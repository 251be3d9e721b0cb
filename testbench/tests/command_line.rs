//! The program as a user meets it: exit codes, messages, and what it leaves behind.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

/// The program, started in `folder`.
fn rebound(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rebound"));
    command
        .current_dir(folder)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

#[test]
fn help_names_the_subcommands_and_the_exit_codes() {
    let here = folder();
    rebound(here.path())
        .arg("--help")
        .assert()
        .success()
        .stdout(
            contains("sim")
                .and(contains("vectors"))
                .and(contains("Exit codes")),
        )
        .stdout(contains("run-one").not());
}

#[test]
fn list_prints_stimulus_and_checking_of_each_scenario() {
    let here = folder();
    let output = rebound(here.path()).arg("list").assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.matches("Stimulus: ").count() >= 20, "{text}");
    assert_eq!(
        text.matches("Stimulus: ").count(),
        text.matches("Checking: ").count()
    );
    assert!(text.contains("control/leak  (expected: a violation of check `leak`)"));
    assert!(!text.contains("self-test/"));
}

#[test]
fn list_says_what_each_device_preset_is() {
    let here = folder();
    let list = |name: &str| {
        let output = rebound(here.path()).args(["list", name]).assert().success();
        String::from_utf8_lossy(&output.get_output().stdout).into_owned()
    };
    let devices = list("device");
    assert!(devices.matches("\n    Device: ").count() >= 16, "{devices}");
    let aacraid = list("device/aacraid");
    let masks = "streaming mask 32 bits, coherent mask 31 bits";
    assert!(aacraid.contains(masks), "{aacraid}");
    assert!(!list("limit").contains("Device: "));
}

#[test]
fn a_plan_can_be_printed_and_follows_from_the_seed() {
    let here = folder();
    let plan = |seed: &str| {
        let output = rebound(here.path())
            .args(["list", "--plan", "--seed", seed, "transfer/copy"])
            .assert()
            .success();
        output.get_output().stdout.clone()
    };
    assert_eq!(plan("7"), plan("0x7"));
    assert_ne!(plan("7"), plan("8"));
    let value: serde_json::Value = serde_json::from_slice(&plan("7")).expect("JSON");
    assert_eq!(value["seed"], 7);
}

#[test]
fn an_unknown_scenario_is_wrong_usage_and_nothing_is_written() {
    let here = folder();
    rebound(here.path())
        .args(["sim", "--scenario", "bounce/mask-33"])
        .assert()
        .code(2)
        .stderr(contains(
            "no scenario and no group is named `bounce/mask-33`",
        ))
        .stderr(contains("rebound list"));
    assert_eq!(entries(here.path()), 0);
}

#[test]
fn a_missing_manifest_is_named_and_nothing_is_written() {
    let here = folder();
    rebound(here.path())
        .args([
            "sim",
            "--scenario",
            "transfer/copy",
            "--manifest",
            "no/core.toml",
        ])
        .assert()
        .code(2)
        .stderr(contains("no/core.toml").and(contains("--manifest")));
    rebound(here.path())
        .args(["sim", "--scenario", "transfer/copy"])
        .assert()
        .code(2)
        .stderr(contains("no manifest of an engine at rtl/dma_engine.toml"))
        .stderr(contains("--manifest").and(contains("Verilator").not()));
    assert_eq!(entries(here.path()), 0);
}

#[test]
fn an_unknown_driver_is_refused_with_the_line_and_the_one_that_was_meant() {
    let here = folder();
    let manifest = here.path().join("core.toml");
    let text = std::fs::read_to_string("tests/cores/hostile.toml").expect("a manifest");
    std::fs::write(&manifest, text.replace("\"dma_engine\"", "\"dma_engin\""))
        .expect("a folder that can be written");
    std::fs::copy("tests/cores/hostile.sv", here.path().join("hostile.sv")).expect("its source");
    rebound(here.path())
        .args(["sim", "--scenario", "transfer/copy", "--manifest"])
        .arg(&manifest)
        .assert()
        .code(2)
        .stderr(contains("driver = \"dma_engin\"").and(contains("dma_engine")));
    assert_eq!(entries(here.path()), 2);
}

#[test]
fn numbers_out_of_range_are_wrong_usage() {
    let here = folder();
    for arguments in [
        ["--jobs", "0"],
        ["--timeout", "-3"],
        ["--seed", "many"],
        ["--waves-from", "x"],
        ["--seed", "-1"],
        ["--timeout", "0"],
        ["--waves-to", "-1"],
    ] {
        rebound(here.path())
            .arg("sim")
            .args(arguments)
            .assert()
            .code(2)
            .stderr(contains(arguments[0]));
    }
    rebound(here.path())
        .args(["sim", "--waves-from", "9", "--waves-to", "3"])
        .assert()
        .code(2)
        .stderr(contains("found").and(contains("9 and 3")));
    assert_eq!(entries(here.path()), 0);
}

#[test]
fn a_run_whose_process_dies_costs_one_verdict_with_evidence() {
    let here = folder();
    rebound(here.path())
        .args([
            "sim",
            "--scenario",
            "self-test/child-aborts",
            "--seed",
            "0x2a",
        ])
        .assert()
        .code(1)
        .stdout(contains("FAIL   self-test/child-aborts"))
        .stdout(contains("signal: 6"))
        .stdout(contains("self-test: aborting on purpose"))
        .stdout(contains(
            "replay: make sim SCENARIO=self-test/child-aborts SEED=0x2a WAVES=1",
        ));
    let csv = std::fs::read_to_string(here.path().join("results/sim.csv")).expect("written");
    assert!(
        csv.contains("self-test/child-aborts,0x2a,FAIL,pass,crash,1,"),
        "{csv}"
    );
}

#[test]
fn a_run_that_never_ends_is_stopped_by_the_watchdog() {
    let here = folder();
    rebound(here.path())
        .args([
            "sim",
            "--scenario",
            "self-test/child-hangs",
            "--timeout",
            "0.5",
        ])
        .assert()
        .code(1)
        .stdout(contains("watchdog: process of the run stopped"))
        .stdout(contains("expected an end within 0.5 s"))
        .stdout(contains("self-test: hanging on purpose"));
}

#[test]
fn a_results_folder_that_cannot_be_made_is_an_error_of_the_environment() {
    let here = folder();
    std::fs::write(here.path().join("taken"), "a file").expect("written");
    rebound(here.path())
        .args([
            "sim",
            "--scenario",
            "self-test/child-aborts",
            "--results",
            "taken/results",
        ])
        .assert()
        .code(2)
        .stderr(contains("taken/results").and(contains("--results")))
        .stdout(contains("self-test").not());
    assert_eq!(entries(here.path()), 1);
}

#[test]
fn a_waves_folder_that_cannot_be_written_is_named_before_anything_is_built() {
    let here = folder();
    std::fs::write(here.path().join("taken"), "a file").expect("written");
    rebound(here.path())
        .args([
            "sim",
            "--scenario",
            "bounce",
            "--waves-folder",
            "taken/waves",
        ])
        .assert()
        .code(2)
        .stderr(contains("cannot write into taken/waves").and(contains("--waves-folder")));
    assert_eq!(entries(here.path()), 1);
}

#[test]
fn a_file_that_is_no_waveform_is_refused() {
    let here = folder();
    std::fs::write(here.path().join("README.md"), "text").expect("written");
    rebound(here.path())
        .args(["waves", "README.md"])
        .assert()
        .code(2)
        .stderr(contains("README.md is no waveform").and(contains(".fst or .vcd")));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_an_error_of_the_environment() {
    let here = folder();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rebound"))
        .current_dir(here.path())
        .arg("list")
        .stdout(full)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("cannot write to the standard output"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_suite_ends_at_once_and_leaves_nothing_half_written() {
    use std::os::unix::process::ExitStatusExt as _;

    let here = folder();
    // Where the tests run in the background, a shell has told them to ignore the signal.
    let mut suite = std::process::Command::new("env")
        .arg("--default-signal=INT")
        .arg(env!("CARGO_BIN_EXE_rebound"))
        .current_dir(here.path())
        .args(["sim", "--scenario", "self-test/child-hangs"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    // The heading comes when the runs begin.
    let mut heading = [0; 16];
    let stdout = suite.stdout.as_mut().expect("piped");
    std::io::Read::read_exact(stdout, &mut heading).expect("the heading");
    let kill = std::process::Command::new("kill")
        .args(["-INT", &suite.id().to_string()])
        .status();
    assert!(kill.expect("kill is there").success());
    let ended = suite.wait().expect("it ends");
    // A shell tells this as exit code 130.
    assert_eq!(ended.signal(), Some(2), "{ended}");
    assert_eq!(entries(here.path()), 0);
}

#[test]
fn waves_lists_dumps_and_prints_how_to_open_them_without_a_display() {
    let here = folder();
    rebound(here.path())
        .arg("waves")
        .assert()
        .code(2)
        .stderr(contains("no waveform in waves").and(contains("make sim")));
    std::fs::create_dir(here.path().join("waves")).expect("made");
    std::fs::write(here.path().join("waves/a-0x1.fst"), "").expect("written");
    rebound(here.path())
        .arg("waves")
        .assert()
        .success()
        .stdout(contains("gtkwave waves/a-0x1.fst").and(contains("surfer waves/a-0x1.fst")));
    rebound(here.path())
        .args(["waves", "waves/b.fst"])
        .assert()
        .code(2)
        .stderr(contains("no waveform at waves/b.fst").and(contains("a-0x1.fst")));
}

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../swiotlb/tests/vectors");

#[test]
fn vectors_reports_rows_of_static_and_dynamic_scenarios() {
    let here = folder();
    rebound(here.path())
        .arg("vectors")
        .arg(Path::new(VECTORS).join("h01_first_fit_sequence.csv"))
        .assert()
        .success()
        .stdout(contains("2 scenarios, 24 rows checked, 0 failed"))
        .stdout(contains("rows per second"));
}

#[test]
fn a_vector_with_another_answer_fails_and_is_explained() {
    let here = folder();
    let right = Path::new(VECTORS).join("h01_first_fit_sequence.csv");
    let text = std::fs::read_to_string(right).expect("a public vector");
    let wrong = text.replacen(",0x1000800,2,", ",0x1001800,2,", 1);
    assert_ne!(text, wrong);
    std::fs::write(here.path().join("wrong.csv"), wrong).expect("written");
    rebound(here.path())
        .args(["vectors", "wrong.csv"])
        .assert()
        .code(1)
        .stdout(contains(
            "wrong.csv:10: row 2, map: result expected 0x1001800, got 0x1000800",
        ));
}

#[test]
fn vectors_that_cannot_be_read_are_named_with_line_and_field() {
    let here = folder();
    rebound(here.path())
        .args(["vectors", "nowhere.csv"])
        .assert()
        .code(2)
        .stderr(contains("nowhere.csv"));
    std::fs::write(here.path().join("noise.csv"), "@scenario id=one\n").expect("written");
    rebound(here.path())
        .args(["vectors", "noise.csv"])
        .assert()
        .code(2)
        .stderr(contains("noise.csv:1"));
    std::fs::write(here.path().join("empty.csv"), "").expect("written");
    rebound(here.path())
        .args(["vectors", "empty.csv"])
        .assert()
        .code(2)
        .stderr(contains(
            "empty.csv: expected at least one scenario, found none",
        ));
    rebound(here.path())
        .arg("vectors")
        .assert()
        .code(2)
        .stderr(contains("FILE"));
}

#[test]
fn the_help_of_characterize_teaches_what_it_does() {
    let here = folder();
    rebound(here.path())
        .args(["characterize", "--help"])
        .assert()
        .success()
        .stdout(
            contains("--ram <SIZE>")
                .and(contains("Exit codes"))
                .and(contains("Examples:"))
                .and(contains("--format")),
        );
}

#[test]
fn a_wrong_request_to_characterize_is_answered_and_nothing_is_written() {
    let here = folder();
    let cases: [(&[&str], &str); 6] = [
        (&["--ram", "lots"], "`lots` is no size"),
        (&["--ram", "-1"], "`-1` is no size"),
        (&["--ram", "32M"], "expected a pool within RAM"),
        (&["--param", "Width"], "expected NAME=VALUE, found `Width`"),
        (&["--seed", "x"], "`x` is not a seed"),
        (&["--jobs", "0"], "expected a number of runs"),
    ];
    for (arguments, message) in cases {
        rebound(here.path())
            .args(["characterize", "core.toml"])
            .args(arguments)
            .assert()
            .code(2)
            .stderr(contains(message));
    }
    rebound(here.path())
        .args(["characterize", "missing.toml"])
        .assert()
        .code(2)
        .stderr(contains("missing.toml"));
    assert_eq!(entries(here.path()), 0);
}

#[test]
fn the_help_of_bench_rtl_teaches_what_is_counted() {
    let here = folder();
    rebound(here.path())
        .args(["bench", "rtl", "--help"])
        .assert()
        .success()
        .stdout(
            contains("Cycles count from the write of the start bit")
                .and(contains("core,mode,data_width,latency,bytes"))
                .and(contains("copy-ring"))
                .and(contains("--against <FILE>"))
                .and(contains("Examples:")),
        );
}

#[test]
fn a_wrong_request_to_bench_rtl_is_answered_and_nothing_is_written() {
    let here = folder();
    let cases: [(&[&str], &str); 7] = [
        (&["--width", "96"], "expected 64, 128, 256 or 512"),
        (&["--latency", "0"], "0 is not in 1..=1000"),
        (&["--mode", "fly"], "possible values: copy, mm2s"),
        (&["--in-flight", "256"], "256 is not in 1..=255"),
        (&["--jobs", "0"], "expected a number of runs"),
        (&["--against", "no.csv"], "cannot read no.csv"),
        (&["--manifest", "no.toml"], "no.toml"),
    ];
    for (arguments, message) in cases {
        rebound(here.path())
            .args(["bench", "rtl"])
            .args(arguments)
            .assert()
            .code(2)
            .stderr(contains(message));
    }
    assert_eq!(entries(here.path()), 0);
}
