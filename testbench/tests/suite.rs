//! The suite on verilated cores: verdicts, report, waveform and replay, as `make sim` gives them.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use wellen::simple;

/// The project's folder: manifests and tools are found from there.
fn project() -> PathBuf {
    let testbench = Path::new(env!("CARGO_MANIFEST_DIR"));
    testbench
        .parent()
        .expect("the crate lies in the project")
        .to_owned()
}

/// Runs scenarios with their results and waveforms in `folder`.
fn sim(folder: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_rebound"))
        .current_dir(project())
        .arg("sim")
        .arg("--results")
        .arg(folder)
        .arg("--waves-folder")
        .arg(folder)
        .args(arguments)
        .assert()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn text(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

#[test]
fn two_runs_leave_the_same_report_byte_for_byte() {
    let folders = [folder(), folder()];
    let names = [
        "--scenario",
        "bounce/waveform",
        "pool/areas-and-cpus",
        "control/leak",
    ];
    // Waves of both runs go to one place, so that the reports name the same files.
    let waves = folder();
    let waves = waves.path().to_str().expect("a path of text");
    let reports = folders.each_ref().map(|folder| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rebound"));
        command.current_dir(project()).arg("sim").args(names);
        command.args(["--waves-folder", waves, "--seed", "0x5eed", "--results"]);
        command.arg(folder.path()).assert().success();
        ["sim.csv", "sim.json"]
            .map(|name| std::fs::read(folder.path().join(name)).expect("written"))
    });
    assert_eq!(reports[0], reports[1]);
    assert!(reports[0][0].len() > 500);
}

#[test]
fn planted_faults_are_caught_and_located() {
    let here = folder();
    let run = sim(here.path(), &["--scenario", "control"]).success();
    let text = text(&run);
    let expected = [
        ("control/no-bouncing", "found only its low 32 bits"),
        ("control/mask-too-wide", "found only its low 32 bits"),
        ("control/missing-sync-for-device", "stale in a device read"),
        ("control/missing-sync-for-cpu", "not seen by the CPU"),
        ("control/use-after-unmap", "cycles ago"),
        ("control/leak", "still mapped at the end"),
        ("control/double-unmap", "it has not allocated"),
        ("control/unmap-wrong-size", "different size"),
        ("control/unmap-wrong-direction", "different direction"),
        ("control/unmap-skipping-sync", "SKIP_CPU_SYNC"),
        (
            "control/no-mapping-error-check",
            "failed to check map error",
        ),
        (
            "control/sync-outside",
            "sync DMA memory it has not allocated",
        ),
        ("control/write-while-lent", "CPU write to a lent buffer"),
        ("control/cross-4k", "IHI 0022"),
        ("control/lost-tail", "not written"),
        (
            "control/8237-no-boundary",
            "no carry out of its low 16 bits",
        ),
        ("control/slow-bus", "cycle budget exceeded"),
        ("control/no-interrupt", "not finished at the limit"),
    ];
    for (scenario, words) in expected {
        let at = text
            .find(&format!("CAUGHT {scenario} "))
            .unwrap_or_else(|| panic!("{scenario}: {text}"));
        let located = text[at..].lines().nth(1).unwrap_or_default();
        assert!(located.contains(words), "{scenario}: {located}");
    }
}

#[test]
fn a_manifest_without_a_parameter_that_the_suite_sets_is_refused_by_name() {
    let here = folder();
    let manifest = std::fs::read_to_string(project().join("rtl/dma_engine.toml")).expect("there");
    let rtl = project().join("rtl");
    let list = rtl.join("files.f");
    let manifest = manifest
        .replace("files.f", list.to_str().expect("a path of text"))
        .replace("\"AddrBits\"", "64")
        .replace("\nAddrBits = ", "\nAddressBits = ");
    let path = here.path().join("broken.toml");
    std::fs::write(&path, manifest).expect("written");
    let path = path.to_str().expect("a path of text");
    sim(
        here.path(),
        &["--scenario", "transfer/copy", "--manifest", path],
    )
    .code(2)
    .stderr(contains("AddrBits"));
    assert!(
        !here.path().join("sim.csv").exists(),
        "nothing half-written"
    );
}

#[test]
fn the_default_waveform_shows_the_bounced_transfer_and_the_driver() {
    let here = folder();
    sim(
        here.path(),
        &["--scenario", "bounce/waveform", "--no-comparison"],
    )
    .success()
    .stdout(contains("waveform: ").and(contains("bounce-waveform-0x1.fst")));
    let mut wave = simple::read(here.path().join("bounce-waveform-0x1.fst")).expect("an FST");
    let states: Vec<String> = changes(&mut wave, "cpu0_state")
        .iter()
        .map(|bits| ascii(bits))
        .collect();
    let text = states.join(" | ");
    for state in [
        "mapping",
        "copying in",
        "registers",
        "waiting",
        "interrupt",
        "copying out",
    ] {
        assert!(states.iter().any(|seen| seen == state), "{state}: {text}");
    }
    let bounced = changes(&mut wave, "bounce_addr");
    assert!(bounced.iter().any(|addr| addr.contains('1')), "{bounced:?}");
}

/// The values that a signal takes, in order.
fn changes(wave: &mut simple::Waveform, name: &str) -> Vec<String> {
    let hierarchy = wave.hierarchy();
    let signal = hierarchy
        .all_vars()
        .map(|var| &hierarchy[var])
        .find(|var| var.name(hierarchy) == name)
        .unwrap_or_else(|| panic!("no signal {name}"))
        .signal_ref();
    wave.load_signals(&[signal]);
    let signal = wave.get_signal(signal).expect("it was just loaded");
    signal
        .iter_changes()
        .map(|(_, value)| value.to_string())
        .collect()
}

/// Reads a vector of bits as text, the first character in the highest bits.
fn ascii(bits: &str) -> String {
    bits.as_bytes()
        .chunks(8)
        .filter_map(|byte| u8::from_str_radix(std::str::from_utf8(byte).ok()?, 2).ok())
        .filter(|byte| *byte != 0)
        .map(char::from)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[test]
fn a_waveform_can_be_a_vcd() {
    let here = folder();
    sim(
        here.path(),
        &[
            "--scenario",
            "bounce",
            "--no-comparison",
            "--waves-format",
            "vcd",
        ],
    )
    .success();
    let wave = simple::read(here.path().join("bounce-waveform-0x1.vcd")).expect("a VCD");
    assert!(wave.time_table().len() > 2000);
}

#[test]
fn a_window_cuts_the_waveform() {
    let here = folder();
    sim(
        here.path(),
        &[
            "--scenario",
            "transfer/to-device",
            "--no-comparison",
            "--waves",
            "--waves-from",
            "100",
            "--waves-to",
            "200",
        ],
    )
    .success();
    let file = here.path().join("transfer-to-device-0x1-100-200.fst");
    let wave = simple::read(file).expect("an FST");
    let times = wave.time_table();
    let cycles = (times.last().expect("not empty") - times.first().expect("not empty")) / 10;
    assert!((99..=101).contains(&cycles), "{cycles} cycles");
}
