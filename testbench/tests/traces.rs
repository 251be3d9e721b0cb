//! The program on traces of the kernel: answers as the kernel's, what if, sizes, and bad input.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use rebound::replay::{Known, Load, Recorded, Recording, fit_alignment, replay_recorded};
use rebound::trace::Reader;

fn rebound() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rebound"))
}

fn excerpt(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/traces")
        .join(name)
}

const EXCERPTS: [&str; 3] = ["nvme_7.3.txt.gz", "e1000_7.3.txt.gz", "ahci_6.12.txt.gz"];

fn replay(path: &Path) -> (Load, Recording) {
    let load = Reader::open(path).and_then(Load::read).expect("a trace");
    let mut machine = Recorded::of(&load.survey, Known::default()).machine;
    fit_alignment(&load, &mut machine).expect("a pool");
    let recording = replay_recorded(&load, machine).expect("a pool");
    (load, recording)
}

/// A pool of 128 slots that is full: seventeen buffers of eight slots, two CPUs.
fn full_pool() -> String {
    let mut text = String::from("# entries-in-buffer/entries-written: 1/1   #P:1\n");
    let bounced = |time: u32, buffer: u32| {
        format!(
            "io-7 [000] ..... 1.{time:06}: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr={:x} \
             size=16384 FORCE\n",
            0x1000_0000 + buffer * 0x8000
        )
    };
    let event = |time: u32, name: &str, buffer: u32, dma: u64| {
        let phys = if name == "dma_map_phys" {
            format!(" phys_addr={:x}", 0x1000_0000 + buffer * 0x8000)
        } else {
            String::new()
        };
        format!(
            "io-7 [000] ..... 1.{time:06}: {name}: disk dir=TO_DEVICE dma_addr={dma:x} size=16384{phys} attrs=\n"
        )
    };
    let slot = |buffer: u32| 0x700_0000 + u64::from(buffer) * 0x4000;
    for buffer in 0..16 {
        text.push_str(&bounced(buffer * 10, buffer));
        text.push_str(&event(
            buffer * 10 + 1,
            "dma_map_phys",
            buffer,
            slot(buffer),
        ));
    }
    text.push_str(&bounced(200, 16));
    text.push_str(&event(201, "dma_map_phys", 16, u64::MAX));
    text.push_str(&event(300, "dma_unmap_phys", 0, slot(0)));
    text.push_str(&bounced(400, 16));
    text.push_str(&event(401, "dma_map_phys", 16, slot(0)));
    text.push_str(&event(500, "dma_unmap_phys", 16, slot(0)));
    for buffer in 1..16 {
        text.push_str(&event(600 + buffer, "dma_unmap_phys", buffer, slot(buffer)));
    }
    text.push_str("init-1 [000] 2.0: tracing_mark_write: phase=end io_tlb_nslabs=128 io_tlb_used=0 io_tlb_used_hiwater=128\n");
    text
}

fn temporary(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("a temporary file");
    file
}

#[test]
fn excerpts_are_answered_as_the_kernel_answered() {
    for name in EXCERPTS {
        let (load, recording) = replay(&excerpt(name));
        let check = &recording.check;
        assert!(
            check.addresses > 100,
            "{name}: {} addresses",
            check.addresses
        );
        assert_eq!(
            check.same_addresses, check.addresses,
            "{name}: {:?}",
            check.shown
        );
        assert!(check.is_exact(), "{name}");
        let phases = load.survey.phases.iter().zip(&recording.figures.phases);
        let truths = phases.filter_map(|(phase, figures)| Some((phase.hiwater?, figures.hiwater)));
        for (truth, here) in truths {
            assert_eq!(here, truth, "{name}");
        }
    }
}

#[test]
fn a_wrong_pool_does_not_pass_for_the_recorded_one() {
    rebound()
        .args(["replay", "--recorded", "32768,1"])
        .arg(excerpt("e1000_7.3.txt.gz"))
        .assert()
        .code(1)
        .stdout(contains("line ").and(contains("here 0x")));
}

#[test]
fn a_deleted_line_is_noticed() {
    let text = full_pool().replace(
        "io-7 [000] ..... 1.000300: dma_unmap_phys: disk dir=TO_DEVICE dma_addr=7000000 size=16384 attrs=\n",
        "",
    );
    let file = temporary(&text);
    rebound()
        .arg("replay")
        .arg(file.path())
        .assert()
        .success()
        .stdout(contains("mappings ended without a line"));
}

#[test]
fn a_full_pool_fails_here_as_there_and_a_larger_one_does_not() {
    let file = temporary(&full_pool());
    let run = |arguments: &[&str]| {
        rebound()
            .arg("replay")
            .args(arguments)
            .arg(file.path())
            .assert()
    };
    run(&[])
        .success()
        .stdout(contains("1 of 1 predicted").and(contains("17 of 17 bounce buffers")));
    run(&["--swiotlb", "256,1,force"])
        .success()
        .stdout(contains("failed tries 0, recorded 1"));
    run(&["--scale", "2", "--seed", "7", "--swiotlb", "128,1,force"])
        .success()
        .stdout(contains("first failure at line"));
    run(&["--policy", "dynamic"])
        .success()
        .stdout(contains("failed tries 0"));
}

/// Two CPUs that map at the same time: the one that began later was given the first slot.
const OVERLAPPING: &str = "\
a-1 [000] 1.000001: swiotlb_bounced: dev_name: disk dma_mask=ff dev_addr=100000 size=2048 FORCE
b-2 [001] 1.000002: swiotlb_bounced: dev_name: disk dma_mask=ff dev_addr=200000 size=2048 FORCE
b-2 [001] 1.000003: dma_map_phys: disk dir=TO_DEVICE dma_addr=7000000 size=2048 phys_addr=200000 attrs=
a-1 [000] 1.000004: dma_map_phys: disk dir=TO_DEVICE dma_addr=7000800 size=2048 phys_addr=100000 attrs=
";

#[test]
fn recorded_addresses_tell_the_order_of_calls_that_overlap() {
    let mask = "ffffffffffffffff";
    rebound()
        .args([
            "replay",
            "--recorded",
            "128,1",
            "--pool-base",
            "7000000",
            "-",
        ])
        .write_stdin(OVERLAPPING.replace("mask=ff", &format!("mask={mask}")))
        .assert()
        .success()
        .stdout(contains("2 of 2 bounce buffers").and(contains("order      1 calls")));
}

#[test]
fn a_peak_that_the_lines_leave_open_is_explained_and_another_is_not() {
    let trace = |hiwater: u32| {
        format!(
            "a-1 [000] 1.0: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr=100000 size=2048 FORCE\n\
             a-1 [000] 1.1: dma_map_phys: disk dir=TO_DEVICE dma_addr=7000000 size=2048 phys_addr=100000 attrs=\n\
             a-1 [000] 1.2: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr=200000 size=2048 FORCE\n\
             b-2 [001] 1.3: dma_unmap_phys: disk dir=TO_DEVICE dma_addr=7000000 size=2048 attrs=\n\
             a-1 [000] 1.35: dma_map_phys: disk dir=TO_DEVICE dma_addr=7000800 size=2048 phys_addr=200000 attrs=\n\
             c-3 [000] 1.4: tracing_mark_write: phase=end io_tlb_used_hiwater={hiwater}\n"
        )
    };
    let run = |hiwater: u32| {
        let arguments = [
            "replay",
            "--recorded",
            "128,1",
            "--pool-base",
            "7000000",
            "-",
        ];
        rebound()
            .args(arguments)
            .write_stdin(trace(hiwater))
            .assert()
    };
    run(2).success().stdout(contains("1 of 1 phases"));
    run(1).success().stdout(contains("the lines allow 1 to 2"));
    run(3)
        .code(1)
        .stdout(contains("more than the lines explain"));
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    let run = |seed: &str| {
        let output = rebound()
            .args(["replay", "--scale", "3", "--seed", seed])
            .arg(excerpt("nvme_7.3.txt.gz"))
            .assert()
            .success();
        output.get_output().stdout.clone()
    };
    assert_eq!(run("5"), run("5"));
}

#[test]
fn the_size_of_a_full_pool_is_the_next_power_of_two() {
    let file = temporary(&full_pool());
    rebound()
        .args(["size", "--margin", "0", "--policy", "static"])
        .arg(file.path())
        .assert()
        .success()
        .stdout(contains("peak need: 136 slots"))
        .stdout(contains("kernel command line: swiotlb=256,1,force"))
        .stdout(contains("with 128 slots it fails: line 34"));
}

#[test]
fn what_no_size_helps_against_is_told() {
    let line = |event: &str| format!("io-7 [000] 1.0: {event}\n");
    let large = line(
        "swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr=100000000 size=300000 NORMAL",
    ) + &line(
        "dma_map_phys: disk dir=TO_DEVICE dma_addr=ffffffffffffffff size=300000 phys_addr=100000000 attrs=",
    );
    let file = temporary(&large);
    rebound()
        .args(["size", "--policy", "static"])
        .arg(file.path())
        .assert()
        .success()
        .stdout(contains(
            "no size helps: a bounce buffer is at most 262144 bytes",
        ));
    let file = temporary(&full_pool());
    rebound()
        .args([
            "size",
            "--policy",
            "static",
            "--dma-mask",
            "disk=24",
            "--recorded",
            "128,1",
            "--pool-base",
            "7000000",
        ])
        .arg(file.path())
        .assert()
        .success()
        .stdout(contains(
            "no size helps: the pool lies above what the device reaches",
        ));
}

#[test]
fn a_leak_is_told_with_device_and_task() {
    let mut text = String::new();
    for number in 0..100_u64 {
        let (phys, dma) = (0x1_0000_0000 + number * 4096, 0x700_0000 + number * 4096);
        text.push_str(&format!(
            "leaky-9 [000] {number}.1: swiotlb_bounced: dev_name: nic dma_mask=ffffffff dev_addr={phys:x} size=4096 NORMAL\n\
             leaky-9 [000] {number}.2: dma_map_phys: nic dir=TO_DEVICE dma_addr={dma:x} size=4096 phys_addr={phys:x} attrs=\n"
        ));
    }
    let file = temporary(&text);
    rebound()
        .args(["size", "--policy", "static"])
        .arg(file.path())
        .assert()
        .success()
        .stdout(
            contains("leak: nic only maps more: 100 mappings, 200 slots")
                .and(contains("task leaky")),
        );
}

#[test]
fn figures_and_the_curve_are_written_to_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    rebound()
        .arg("replay")
        .arg(excerpt("ahci_6.12.txt.gz"))
        .args(["--csv".as_ref(), file("a.csv").as_os_str()])
        .args(["--json".as_ref(), file("a.json").as_os_str()])
        .args(["--plot".as_ref(), file("a.svg").as_os_str()])
        .assert()
        .success();
    let csv = std::fs::read_to_string(file("a.csv")).expect("rows");
    assert!(
        csv.starts_with("phase,device,") && csv.contains("mke2fs,all,"),
        "{csv}"
    );
    let json = std::fs::read(file("a.json")).expect("a report");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["addresses"], json["same_addresses"]);
    assert!(
        std::fs::read_to_string(file("a.svg"))
            .expect("a picture")
            .contains("<polyline")
    );
}

#[test]
fn files_that_are_no_traces_are_wrong_usage() {
    let refused = |bytes: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("a temporary file");
        rebound().arg("replay").arg(file.path()).assert().code(2)
    };
    refused(b"hello\n").stderr(contains("no mapping in 1 lines"));
    refused(b"").stderr(contains("no mapping in 0 lines"));
    refused(b"\x17\x08\x44tracing6\0").stderr(contains("trace-cmd report"));
    refused(b"\0\0\0\0\n").stderr(contains("expected text"));
    rebound()
        .args(["replay", "no/such/file"])
        .assert()
        .code(2)
        .stderr(contains("no/such/file"));
    rebound()
        .args(["size", "--dma-mask", "nic=33"])
        .arg(excerpt("nvme_7.3.txt.gz"))
        .assert()
        .code(2)
        .stderr(contains("0000:00:02.0"));
}

#[test]
fn the_standard_input_is_read_too() {
    rebound()
        .args(["replay", "-"])
        .write_stdin(full_pool())
        .assert()
        .success()
        .stdout(contains("17 of 17 bounce buffers"));
}

#[test]
fn a_command_line_is_linted() {
    rebound()
        .args(["lint-cmdline", "swiotlb=force,65536", "--cpus", "6"])
        .assert()
        .success()
        .stdout(contains("32768 slots, 8 areas").and(contains("the number in it is lost")));
    rebound()
        .args(["lint-cmdline", "quiet panic=-1"])
        .assert()
        .code(2);
}

/// Whole traces, where there are some: every peak as the kernel's or among those that the lines allow, and
/// 99.9 % of the addresses the same.
#[test]
fn whole_traces_are_answered_as_the_kernel_answered() {
    let Some(folder) = std::env::var_os("REBOUND_TRACES") else {
        return;
    };
    let mut traces = 0;
    for entry in std::fs::read_dir(folder).expect("a folder of traces") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "gz") {
            continue;
        }
        traces += 1;
        let (load, recording) = replay(&path);
        let check = &recording.check;
        let name = path.display();
        assert!(
            check.same_addresses * 1000 >= check.addresses * 999,
            "{name}: {:?}",
            check.shown
        );
        assert_eq!(check.predicted_failures, check.failed, "{name}");
        assert_eq!((check.extra_failures, check.decisions), (0, 0), "{name}");
        let phases = load
            .survey
            .phases
            .iter()
            .zip(&recording.figures.phases)
            .enumerate();
        for (number, (phase, figures)) in phases {
            let least = recording
                .least_hiwater
                .get(number)
                .map_or(figures.hiwater, |least| *least);
            let truth = phase.hiwater.unwrap_or(figures.hiwater);
            assert!(
                (least..=figures.hiwater).contains(&truth),
                "{name}: {}",
                phase.name
            );
        }
    }
    assert!(
        traces > 0,
        "no trace in the folder that REBOUND_TRACES names"
    );
}
