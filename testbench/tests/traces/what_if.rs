//! Other machines.

use predicates::prelude::*;
use predicates::str::contains;

use crate::write::{Trace, full_pool};
use crate::{excerpt, rebound, temporary};

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
    // The first line names the seed itself.
    let figures = |seed: &str| {
        let text = String::from_utf8(run(seed)).expect("text");
        text.split_once('\n').expect("lines").1.to_owned()
    };
    assert!(run("5").starts_with(b"what if:"));
    assert_ne!(figures("5"), figures("6"));
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
fn what_the_kernel_reads_otherwise_is_told() {
    let file = temporary(&full_pool());
    let rows = [
        ("4194304,1", "the kernel halves the size"),
        (
            "1000,3,xforce",
            "`xforce` is ignored; so bouncing is not forced",
        ),
    ];
    for option in ["--swiotlb", "--recorded"] {
        for (value, words) in rows {
            rebound()
                .args(["replay", option, value])
                .arg(file.path())
                .assert()
                .stderr(contains(format!("warning: {option}: ")).and(contains(words)));
        }
    }
}

/// A mapping of CPU 0 and one of CPU 1, each at the begin of its area.
fn two_areas() -> String {
    let mut trace = Trace::new();
    trace.map(0, (0, 0), 2048, 0);
    trace.map(1, (1, 0), 2048, 16384);
    trace.text()
}

#[test]
fn force_and_areas_of_the_recorded_pool_are_taken_as_written() {
    let run = |value: &str| {
        rebound()
            .args(["replay", "--recorded", value, "-"])
            .write_stdin(two_areas())
            .assert()
    };
    run("32768,2,force").stdout(contains("32768 slots (given), 2 areas (given), forced"));
    run("32768")
        .success()
        .stdout(contains("2 areas (derived from the addresses)"))
        .stdout(contains("2 of 2 bounce buffers").and(contains("forced").not()));
}

#[test]
fn memory_that_cannot_hold_the_pool_is_refused_and_a_smaller_pool_lies_in_it() {
    let run = |arguments: &[&str]| {
        rebound()
            .arg("replay")
            .args(arguments)
            .arg(excerpt("nvme_7.3.txt.gz"))
            .assert()
    };
    run(&["--ram", "1K"])
        .code(2)
        .stderr(contains("1024 bytes hold no pool: expected at least 32M"));
    run(&["--ram", "64M", "--swiotlb", "32768,1,force"])
        .code(2)
        .stderr(contains("a pool of 32768 slots").and(contains("memory of 64 MiB")));
    run(&["--ram", "64M", "--swiotlb", "16384,1,force"])
        .success()
        .stdout(contains("16384 slots"));
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let trace = excerpt("nvme_7.3.txt.gz");
    rebound()
        .args(["replay", "--seed", "5"])
        .arg(&trace)
        .assert()
        .code(2)
        .stderr(contains("--seed: nothing is drawn").and(contains("--scale K")));
    for option in ["--runs", "--confidence", "--seed"] {
        rebound()
            .args(["size", option, "5"])
            .arg(&trace)
            .assert()
            .code(2)
            .stderr(contains("--scale <SCALE>"));
        rebound()
            .args(["size", option, "5", "--scale", "2"])
            .arg(&trace)
            .assert()
            .success();
    }
    rebound()
        .args(["replay", "--timeout", "5"])
        .arg(&trace)
        .assert()
        .code(2)
        .stderr(contains("--rtl"));
}
