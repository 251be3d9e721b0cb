//! `rebound validate` on the sample cores: sound ones pass, and each planted defect breaks the check that names it.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

/// The sample cores.
const CORES: [&str; 8] = [
    "axil_copy",
    "stream_copy",
    "launch_copy",
    "apb_copy",
    "split_dma",
    "struct_copy",
    "words_copy",
    "two_clock_copy",
];

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
    let manifest = repository().join(format!("testbench/cores/{core}/{core}.toml"));
    validate_at(&manifest, arguments)
}

fn validate_at(manifest: &Path, arguments: &[&str]) -> Validation {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::cargo_bin("rebound")
        .expect("the program is built")
        .current_dir(repository())
        .arg("validate")
        .arg(manifest)
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
    assert_eq!(
        found.runs.len() + found.skipped.len(),
        rebound::validate::all().len()
    );
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
    let others = |core: &&&str| !["axil_copy", "stream_copy"].contains(*core);
    for core in CORES.iter().filter(others) {
        assert_sound(core);
    }
}

/// Every defect of every core, a scenario that has to name it, and the check.
const MATRIX: &[(&str, &str, &str, &str)] = &[
    ("axil_copy", "truncate_address", "address/high", "unmapped"),
    (
        "axil_copy",
        "ignore_write_error",
        "error/write-slverr",
        "status",
    ),
    ("axil_copy", "early_done", "bus/latency-100", "early-done"),
    ("axil_copy", "short_counter", "basic/longest", "not-written"),
    ("axil_copy", "late_high", "address/high", "unmapped"),
    ("axil_copy", "zero_length", "basic/zero-length", "status"),
    ("stream_copy", "read_cross_4k", "address/page", "protocol"),
    ("stream_copy", "wide_tail", "basic/sizes", "past-end"),
    ("stream_copy", "lost_read", "bus/stall-w", "data"),
    ("stream_copy", "early_done", "bus/latency-100", "early-done"),
    ("stream_copy", "prefetch", "basic/smallest", "past-end"),
    (
        "stream_copy",
        "rounds_address",
        "basic/offsets",
        "not-written",
    ),
    ("launch_copy", "wrap_4g", "address/across-4g", "unmapped"),
    (
        "launch_copy",
        "ignore_write_error",
        "error/write-slverr",
        "status",
    ),
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
    ("apb_copy", "wlast_missing", "basic/sizes", "protocol"),
    ("split_dma", "truncate_address", "address/high", "unmapped"),
    ("split_dma", "wide_tail", "basic/sizes", "past-end"),
    ("split_dma", "early_done", "bus/latency-100", "early-done"),
    ("split_dma", "hang_on_page", "basic/sizes", "hang"),
    ("struct_copy", "write_cross_4k", "address/page", "protocol"),
    ("struct_copy", "lost_head", "basic/offsets", "not-written"),
    ("struct_copy", "lost_response", "bus/stall-b", "hang"),
    (
        "struct_copy",
        "wedged_by_error",
        "error/read-slverr",
        "hang",
    ),
    ("words_copy", "lost_read", "bus/stall-w", "data"),
    ("words_copy", "wvalid_drops", "bus/stall-w", "protocol"),
    (
        "words_copy",
        "short_counter",
        "basic/longest",
        "not-written",
    ),
    (
        "two_clock_copy",
        "read_cross_4k",
        "address/page",
        "protocol",
    ),
    (
        "two_clock_copy",
        "ignore_read_error",
        "error/read-slverr",
        "status",
    ),
    (
        "two_clock_copy",
        "early_done",
        "bus/latency-100",
        "early-done",
    ),
    (
        "two_clock_copy",
        "stale_reset",
        "reset/in-flight",
        "use-after-unmap",
    ),
    ("two_clock_copy", "hang_on_page", "basic/sizes", "hang"),
];

fn assert_defects_are_named(cores: &[&str]) {
    let rows = MATRIX.iter().filter(|row| cores.contains(&row.0));
    for (core, defect, scenario, check) in rows {
        assert_caught(core, defect, scenario, check);
    }
}

#[test]
fn every_defect_of_cores_with_registers_is_named() {
    assert_defects_are_named(&["axil_copy", "apb_copy", "struct_copy"]);
}

#[test]
fn every_defect_of_cores_without_registers_is_named() {
    assert_defects_are_named(&["stream_copy", "words_copy", "split_dma"]);
}

#[test]
fn every_defect_of_cores_with_ids_or_clocks_is_named() {
    assert_defects_are_named(&["launch_copy", "two_clock_copy"]);
}

#[test]
fn the_matrix_has_every_defect_that_a_core_documents_and_declares() {
    let tested: BTreeSet<(String, String)> = MATRIX
        .iter()
        .map(|(core, defect, ..)| ((*core).to_owned(), (*defect).to_owned()))
        .collect();
    assert_eq!(tested, common::documented_defects());
    let mut declared = BTreeSet::new();
    for core in CORES {
        let path = repository().join(format!("testbench/cores/{core}/{core}.toml"));
        let manifest = rebound_sim::manifest::Manifest::load(&path);
        let manifest = manifest.unwrap_or_else(|error| panic!("{error}"));
        let names = manifest.parameters["Defect"].names.iter();
        let names = names.flat_map(|names| names.keys());
        let names = names.filter(|name| *name != "none");
        declared.extend(names.map(|name| (core.to_owned(), name.clone())));
    }
    assert_eq!(tested, declared);
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

/// A copy of a sample core, with something else in its manifest.
fn changed(core: &str, change: impl FnOnce(&mut String)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cores = repository().join("testbench/cores");
    for name in [core, "common"] {
        let to = folder.path().join(name);
        std::fs::create_dir(&to).expect("made");
        for file in std::fs::read_dir(cores.join(name)).expect("a folder") {
            let file = file.expect("an entry");
            std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    }
    let path = folder.path().join(core).join(format!("{core}.toml"));
    let mut text = std::fs::read_to_string(&path).expect("a manifest");
    let before = text.clone();
    change(&mut text);
    assert_ne!(text, before, "the manifest of {core} is as it was");
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

#[test]
fn more_transfers_at_once_than_the_core_takes_are_noticed() {
    let overlapping = ["--scenario", "basic/overlapping"];
    let sound = validate("launch_copy", &overlapping);
    assert_eq!(
        sound.runs["basic/overlapping"],
        "",
        "{}",
        text(&sound.output)
    );
    let (_folder, manifest) = changed("launch_copy", |text| {
        *text = text.replace("max_transfers = 4", "max_transfers = 6");
    });
    let found = validate_at(&manifest, &overlapping);
    let checks = &found.runs["basic/overlapping"];
    assert!(checks.contains("not-written"), "{}", text(&found.output));
}

/// Takes the list of error rules out of a manifest.
fn without_error_rules(text: &mut String) {
    let start = text.find("\nerrors = [").expect("rules");
    let lines = text[start + 1..].find("]\n").expect("the end of the list");
    text.replace_range(start..start + 1 + lines + 1, "");
}

#[test]
fn a_core_that_tells_no_errors_still_has_to_work_after_one() {
    let (_folder, manifest) = changed("struct_copy", without_error_rules);
    let sound = validate_at(&manifest, &["--scenario", "error"]);
    assert_eq!(
        sound.output.status.code(),
        Some(0),
        "{}",
        text(&sound.output)
    );
    assert_eq!(sound.runs.len(), 4, "{}", text(&sound.output));
    let sweep = ["--sweep", "Defect=wedged_by_error"];
    let found = validate_at(&manifest, &[&sweep[..], &["--scenario", "error"]].concat());
    assert_eq!(
        found.runs["error/read-slverr"],
        "hang",
        "{}",
        text(&found.output)
    );
}

#[test]
fn a_core_with_few_address_bits_is_validated_as_far_as_there_is_room() {
    for (bits, most_skipped) in [(20, 12), (16, 36)] {
        let (_folder, manifest) = changed("axil_copy", |text| {
            let from = text.find("AddrWidth = {").expect("the parameter");
            let end = from + text[from..].find('\n').expect("a line");
            let parameter = format!("AddrWidth = {{ default = {bits}, bind = \"address_bits\" }}");
            text.replace_range(from..end, &parameter);
        });
        let found = validate_at(&manifest, &["--seeds", "1"]);
        let shown = text(&found.output);
        assert_eq!(found.output.status.code(), Some(0), "{bits}: {shown}");
        assert!(found.skipped.len() <= most_skipped, "{bits}: {shown}");
        let reason = &found.skipped["basic/split"];
        assert!(reason.contains("find no room within reach"), "{reason}");
        assert_eq!(found.skipped.contains_key("basic/bounced"), bits < 19);
    }
}

#[test]
fn more_address_bits_than_the_port_has_are_refused_at_their_line() {
    let (_folder, manifest) = changed("stream_copy", |text| {
        *text = text.replace("address_bits = \"AddrWidth\"", "address_bits = 52");
    });
    let found = validate_at(&manifest, &["--scenario", "basic/smallest"]);
    let shown = text(&found.output);
    assert_eq!(found.output.status.code(), Some(2), "{shown}");
    assert!(shown.contains("limits.address_bits"), "{shown}");
    assert!(shown.contains("at most 32, the bits of AxADDR"), "{shown}");
}

#[test]
fn tags_begin_again_where_their_field_is_narrow() {
    let narrow = ["--sweep", "TagWidth=1", "--scenario", "basic/back-to-back"];
    let found = validate("stream_copy", &narrow);
    let shown = text(&found.output);
    assert_eq!(found.output.status.code(), Some(0), "{shown}");
    assert_eq!(found.runs["basic/back-to-back"], "", "{shown}");
}

#[test]
fn the_page_lists_every_scenario() {
    let page = std::fs::read_to_string(repository().join("testbench/VALIDATE.md"));
    let page = page.expect("the page is there");
    // A row may name several of a group: `bus/latency-1`, `-10`, `-100`; or a family, `error/...`.
    let mut listed: Vec<String> = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let names = row.split(" | ").next().unwrap_or_default();
        let mut first: Option<&str> = None;
        for name in names.split('`').skip(1).step_by(2) {
            match (first, name.strip_prefix('-')) {
                (Some(first), Some(end)) => {
                    let stem = first.rsplit_once('-').expect("a stem").0;
                    listed.push(format!("{stem}-{end}"));
                }
                _ => listed.push(name.to_owned()),
            }
            first = first.or(Some(name));
        }
    }
    listed.retain(|name| name.contains('/'));
    let covers = |listed: &str, name: &str| match listed.strip_suffix("...") {
        Some(family) => name.starts_with(family),
        None => name == listed,
    };
    let all = rebound::validate::all();
    for scenario in &all {
        let name = scenario.name;
        assert!(
            listed.iter().any(|row| covers(row, name)),
            "{name} is not listed"
        );
    }
    for row in &listed {
        let is_known = all.iter().any(|scenario| covers(row, scenario.name));
        assert!(is_known, "{row} is listed, but no scenario");
    }
}
