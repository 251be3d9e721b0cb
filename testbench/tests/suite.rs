//! The suite on verilated cores: verdicts, report, waveform and replay, as `make sim` gives them.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
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
fn two_runs_leave_the_same_report_byte_for_byte_whatever_runs_at_the_same_time() {
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
    let reports = [(&folders[0], "1"), (&folders[1], "3")].map(|(folder, jobs)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rebound"));
        command.current_dir(project()).arg("sim").args(names);
        command.args([
            "--waves-folder",
            waves,
            "--seed",
            "0x5eed",
            "--jobs",
            jobs,
            "--results",
        ]);
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
    for (scenario, located) in [
        (
            "control/no-bouncing",
            &[
                "unmapped: device read of ",
                "guard: other3+0x0 overwritten though nobody lent it",
            ][..],
        ),
        ("control/mask-too-wide", &["found only its low 32 bits"]),
        (
            "control/preset-mask-too-wide",
            &["found only its low 30 bits"],
        ),
        (
            "control/missing-sync-for-device",
            &["stale in a device read"],
        ),
        ("control/missing-sync-for-cpu", &["not seen by the CPU"]),
        ("control/use-after-unmap", &["found one unmapped "]),
        ("control/leak", &["still mapped at the end"]),
        (
            "control/wrong-direction",
            &["device read of tx0+0x0: expected the direction FromDevice"],
        ),
        ("control/past-end", &["behind the end of the mapping"]),
        (
            "control/private-page",
            &["expected failure none, found Decerr"],
        ),
        ("control/double-unmap", &["it has not allocated"]),
        ("control/unmap-wrong-size", &["different size"]),
        ("control/unmap-wrong-direction", &["different direction"]),
        ("control/unmap-skipping-sync", &["SKIP_CPU_SYNC"]),
        (
            "control/no-mapping-error-check",
            &["failed to check map error"],
        ),
        (
            "control/sync-outside",
            &["sync DMA memory it has not allocated"],
        ),
        ("control/write-while-lent", &["CPU write to a lent buffer"]),
        ("control/cross-4k", &["IHI 0022"]),
        ("control/lost-tail", &["not written"]),
        (
            "control/8237-no-boundary",
            &["no carry out of its low 16 bits"],
        ),
        ("control/slow-bus", &["cycle budget exceeded"]),
        ("control/one-burst", &["cycle budget exceeded"]),
        ("control/no-interrupt", &["not finished at the limit"]),
    ] {
        let at = text
            .find(&format!("CAUGHT {scenario} "))
            .unwrap_or_else(|| panic!("{scenario}: {text}"));
        for (words, line) in located.iter().zip(text[at..].lines().skip(1)) {
            assert!(line.contains(words), "{scenario}: {line}");
        }
    }
}

#[test]
fn stray_accesses_and_the_memory_they_hit_are_located_with_name_and_offset() {
    let here = folder();
    let run = sim(here.path(), &["--scenario", "control/no-bouncing"]).success();
    let lines: Vec<String> = text(&run).lines().map(str::to_owned).collect();
    let of = |check: &str| {
        let start = format!("       {check}: ");
        let line = lines.iter().find(|line| line.starts_with(&start));
        line.unwrap_or_else(|| panic!("no {check}: {lines:#?}"))
    };
    let stray = of("unmapped");
    assert!(
        stray.contains("of tx0+0x0, found only its low 32 bits (other2+0x0, "),
        "{stray}"
    );
    let hit = of("guard");
    assert!(hit.contains("(other3+0x0, phys 0x"), "{hit}");
}

/// What devices reach, as the first physical address beyond. The last one is bounced for all it does.
const DEVICES: [(&str, u64); 17] = [
    ("isa-8237", 16 << 20),
    ("isa-8237-16bit", 16 << 20),
    ("ice1712", 256 << 20),
    ("b44", 1 << 30),
    ("bcm2711", 1 << 30),
    ("aacraid", 4 << 30),
    ("ath10k-pci", 4 << 30),
    ("ata-bmdma", 4 << 30),
    ("xilinx-dma", 4 << 30),
    ("xilinx-dma-14bit", 4 << 30),
    ("xilinx-dma-long", 4 << 30),
    ("vl805", 3 << 30),
    ("ath11k-pci", 64 << 30),
    ("bnx2", 1 << 40),
    ("zynqmp-dma", 16 << 40),
    ("k3-udma", 256 << 40),
    ("nvme", 0),
];

/// Bytes of a plan's buffers, rings of coherent memory apart, of which a part lies at `end` or beyond: each time
/// that one is mapped counts.
fn bytes_beyond(plan: &serde_json::Value, end: u64) -> u64 {
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let transfers = plan["transfers"].as_array().expect("a list").iter();
    let once = transfers.filter(|transfer| transfer["usage"] == "once");
    once.flat_map(|transfer| {
        let movement = transfer["movement"].as_object().expect("a movement");
        let sides = movement.values().flat_map(|sides| sides.as_object());
        sides.flat_map(|sides| sides.values()).collect::<Vec<_>>()
    })
    .map(|buffer| {
        let index = usize::try_from(number(buffer)).expect("an index");
        &plan["buffers"][index]
    })
    .filter(|buffer| number(&buffer["phys"]) + number(&buffer["bytes"]) > end)
    .map(|buffer| number(&buffer["bytes"]))
    .sum()
}

#[test]
fn of_each_device_preset_exactly_the_buffers_beyond_its_reach_bounce() {
    let here = folder();
    sim(here.path(), &["--scenario", "device", "--no-comparison"]).success();
    let json = std::fs::read(here.path().join("sim.json")).expect("written");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let rows = json["scenarios"].as_array().expect("a list");
    assert_eq!(rows.len(), DEVICES.len());
    for (name, end) in DEVICES {
        let name = format!("device/{name}");
        let row = rows.iter().find(|row| row["scenario"] == name.as_str());
        let row = row.unwrap_or_else(|| panic!("no {name}"));
        let plan = Command::new(env!("CARGO_BIN_EXE_rebound"))
            .args(["list", "--plan", &name])
            .output()
            .expect("the program runs");
        let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect("JSON");
        let expected = bytes_beyond(&plan, end);
        assert_eq!(row["counts"]["bounced_bytes"], expected, "{name}");
        assert_eq!(expected == 0, name.ends_with("-long"), "{name}");
    }
}

#[test]
fn another_manifest_is_in_the_replay_command() {
    let here = folder();
    let manifest = std::fs::read_to_string(project().join("rtl/dma_engine.toml")).expect("there");
    let list = project().join("rtl/files.f");
    let manifest = manifest.replace("files.f", list.to_str().expect("a path of text"));
    let path = here.path().join("other engine.toml");
    std::fs::write(&path, manifest).expect("written");
    let path = path.to_str().expect("a path of text");
    sim(
        here.path(),
        &[
            "--scenario",
            "limit/64-bit",
            "--no-comparison",
            "--manifest",
            path,
        ],
    )
    .success();
    let csv = std::fs::read_to_string(here.path().join("sim.csv")).expect("written");
    let replay = format!("make sim SCENARIO=limit/64-bit SEED=0x1 MANIFEST='{path}' WAVES=1");
    assert!(csv.contains(&replay), "{csv}");
    // What make makes of it is the option that was given.
    let made = std::process::Command::new("make")
        .current_dir(project())
        .args(["--dry-run", "--always-make", "sim"])
        .arg(format!("MANIFEST={path}"))
        .output()
        .expect("make is there");
    let made = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(made.contains(&format!("--manifest '{path}'")), "{made}");
}

#[test]
fn the_report_holds_the_counts_of_the_comparison() {
    let here = folder();
    sim(here.path(), &["--scenario", "transfer/copy"]).success();
    let mut csv = csv::Reader::from_path(here.path().join("sim.csv")).expect("written");
    let names = csv.headers().expect("a heading").clone();
    let record = csv.records().next().expect("a line").expect("readable");
    let json = std::fs::read(here.path().join("sim.json")).expect("written");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let row = &json["scenarios"][0];
    for count in [
        "cycles",
        "read_beats",
        "write_beats",
        "cpu_copy_cycles",
        "cpu_wait_cycles",
    ] {
        let column = format!("unbounced_{count}");
        let at = names
            .iter()
            .position(|name| name == column)
            .expect("a column");
        assert_eq!(record[at], row["unbounced"][count].to_string(), "{column}");
    }
    assert_eq!(row["unbounced"]["cpu_copy_cycles"], 0);
    assert!(row["unbounced"]["read_beats"].as_u64() > Some(1000));
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
