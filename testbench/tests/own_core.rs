//! `rebound validate` on the sample cores: sound ones pass, and each planted defect breaks the check that names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

/// A run of `rebound validate` with its report.
struct Validation {
    output: Output,
    /// Checks that were broken, by scenario; empty for those that passed.
    runs: BTreeMap<String, String>,
    /// Reasons of skipped scenarios.
    skipped: BTreeMap<String, String>,
}

fn repository() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    folder.expect("the repository").to_owned()
}

fn validate(core: &str, arguments: &[&str]) -> Validation {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::cargo_bin("rebound")
        .expect("the program is built")
        .current_dir(repository())
        .arg("validate")
        .arg(format!("testbench/cores/{core}/{core}.toml"))
        .args(arguments)
        .arg("--results")
        .arg(folder.path())
        .output()
        .expect("it starts");
    let mut runs = BTreeMap::new();
    let mut skipped = BTreeMap::new();
    if let Ok(mut reader) = csv::Reader::from_path(folder.path().join("validate.csv")) {
        for record in reader.deserialize::<BTreeMap<String, String>>() {
            let record = record.expect("a row of the report");
            let name = record["scenario"].clone();
            if record["verdict"] == "SKIPPED" {
                skipped.insert(name, record["reason"].clone());
            } else {
                runs.insert(name, record["checks"].clone());
            }
        }
    }
    Validation {
        output,
        runs,
        skipped,
    }
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn assert_sound(core: &str) {
    let found = validate(core, &["--seeds", "2"]);
    assert_eq!(
        found.output.status.code(),
        Some(0),
        "{}",
        text(&found.output)
    );
    // Each core lacks a few scenarios' subjects: an interrupt, a stream, an address beyond its limit.
    assert!(found.runs.len() >= 28, "{}", text(&found.output));
    assert_eq!(found.runs.len() + found.skipped.len(), 38);
    assert!(found.skipped.values().all(|reason| !reason.is_empty()));
}

/// Asserts that a defect breaks a check in a scenario.
fn assert_caught(core: &str, defect: &str, scenario: &str, check: &str) {
    let sweep = format!("Defect={defect}");
    let found = validate(core, &["--sweep", &sweep, "--scenario", scenario]);
    let shown = text(&found.output);
    assert_eq!(
        found.output.status.code(),
        Some(1),
        "{core} {defect}: {shown}"
    );
    let checks = &found.runs[scenario];
    assert!(
        checks.split(' ').any(|one| one == check),
        "{core} {defect}: expected {check} in {scenario}, found {checks}: {shown}"
    );
    assert!(shown.contains("replay: rebound validate"), "{shown}");
}

#[test]
fn a_sound_core_with_registers_passes() {
    assert_sound("axil_copy");
}

#[test]
fn a_sound_core_with_descriptors_passes() {
    assert_sound("stream_copy");
}

#[test]
fn sound_cores_of_every_other_style_pass() {
    for core in [
        "launch_copy",
        "apb_copy",
        "split_dma",
        "struct_copy",
        "words_copy",
        "two_clock_copy",
    ] {
        assert_sound(core);
    }
}

#[test]
fn every_defect_of_the_core_with_registers_is_named() {
    for (defect, scenario, check) in [
        ("truncate_address", "address/high", "unmapped"),
        ("ignore_write_error", "error/write-slverr", "status"),
        ("early_done", "bus/latency-100", "early-done"),
        ("short_counter", "basic/longest", "not-written"),
        ("late_high", "address/high", "unmapped"),
        ("zero_length", "basic/zero-length", "status"),
    ] {
        assert_caught("axil_copy", defect, scenario, check);
    }
}

#[test]
fn every_defect_of_the_core_with_descriptors_is_named() {
    for (defect, scenario, check) in [
        ("read_cross_4k", "address/page", "protocol"),
        ("wide_tail", "basic/sizes", "past-end"),
        ("lost_read", "bus/stall-w", "data"),
        ("early_done", "bus/latency-100", "early-done"),
        ("prefetch", "basic/smallest", "past-end"),
        ("rounds_address", "basic/offsets", "not-written"),
    ] {
        assert_caught("stream_copy", defect, scenario, check);
    }
}

#[test]
fn defects_of_other_styles_are_named() {
    for (core, defect, scenario, check) in [
        ("launch_copy", "wrap_4g", "address/across-4g", "unmapped"),
        ("launch_copy", "mixed_ids", "bus/reorder", "data"),
        (
            "launch_copy",
            "stale_reset",
            "reset/in-flight",
            "use-after-unmap",
        ),
        ("apb_copy", "wrap_64k", "address/across-64k", "unmapped"),
        (
            "apb_copy",
            "ignore_read_error",
            "error/read-slverr",
            "status",
        ),
        ("apb_copy", "wlast_early", "basic/sizes", "protocol"),
        ("apb_copy", "aw_unstable", "bus/stall-aw", "protocol"),
        ("split_dma", "hang_on_page", "basic/sizes", "hang"),
        ("struct_copy", "lost_head", "basic/offsets", "not-written"),
        (
            "struct_copy",
            "wedged_by_error",
            "error/read-slverr",
            "hang",
        ),
        ("words_copy", "wvalid_drops", "bus/stall-w", "protocol"),
    ] {
        assert_caught(core, defect, scenario, check);
    }
}

#[test]
fn a_step_that_never_ends_is_told_with_its_place_and_the_last_bus_events() {
    let found = validate(
        "two_clock_copy",
        &[
            "--sweep",
            "Defect=hang_on_page",
            "--scenario",
            "basic/sizes",
        ],
    );
    let shown = text(&found.output);
    assert_eq!(found.output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("hang: transfer"), "{shown}");
    assert!(shown.contains("control.copy.done[0] (line "), "{shown}");
    assert!(shown.contains("expected interrupt "), "{shown}");
    assert!(shown.contains("last 20 bus events:"), "{shown}");
}

#[test]
fn what_does_not_apply_is_skipped_with_its_reason() {
    let found = validate("words_copy", &["--scenario", "basic/offsets", "error"]);
    let reason = &found.skipped["basic/offsets"];
    assert_eq!(
        reason,
        "alignment 4: a beat of 4 bytes has no other offsets"
    );
}

#[test]
fn a_sweep_runs_every_combination() {
    let arguments = ["--sweep", "DataWidth=32,64", "--scenario", "basic/smallest"];
    let shown = text(&validate("axil_copy", &arguments).output);
    assert!(shown.contains("axil_copy with DataWidth=32"), "{shown}");
    assert!(shown.contains("axil_copy with DataWidth=64"), "{shown}");
    assert!(shown.contains("2 runs: 2 passed, 0 failed"), "{shown}");
}

#[test]
fn wrong_requests_end_with_2_and_say_what_is_wrong() {
    for (arguments, words) in [
        (
            ["--scenario", "basic/smalest"],
            "did you mean basic/smallest?",
        ),
        (["--sweep", "Defekt=none"], "did you mean `Defect`?"),
        (["--sweep", "DataWidth"], "expected NAME=VALUE"),
    ] {
        let output = validate("axil_copy", &arguments).output;
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(words), "{}", text(&output));
    }
}

#[test]
fn a_manifest_without_a_control_program_is_refused() {
    let output = Command::cargo_bin("rebound")
        .expect("the program is built")
        .current_dir(repository())
        .args(["validate", "rtl/dma_engine.toml"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(
        text(&output).contains("a control program"),
        "{}",
        text(&output)
    );
}
