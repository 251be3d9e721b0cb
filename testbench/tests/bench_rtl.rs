//! `rebound bench rtl` on the verilated engine: its cycles are exact, and so are the formulas that they follow.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use rebound::bench::rtl::{Mode, Row};

/// Columns of `--csv`.
const COLUMNS: &str =
    "core,mode,data_width,latency,bytes,src_offset,dst_offset,count,cycles,beats,utilisation";

/// The command, started where it finds the engine.
fn bench(arguments: &[&str]) -> assert_cmd::assert::Assert {
    let testbench = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(env!("CARGO_BIN_EXE_rebound"))
        .current_dir(testbench.parent().expect("the project"))
        .args(["bench", "rtl", "--width", "64"])
        .args(arguments)
        .assert()
        .success()
}

fn text(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

/// The rows that the command prints as CSV.
fn rows(arguments: &[&str]) -> Vec<Row> {
    let csv = text(&bench(&[&["--csv"], arguments].concat()));
    assert_eq!(csv.lines().next(), Some(COLUMNS));
    csv::Reader::from_reader(csv.as_bytes())
        .deserialize()
        .map(|row| row.expect("well-formed"))
        .collect()
}

#[test]
fn cycles_follow_beats_and_latency_alone() {
    let arguments = ["--in-flight", "16", "--latency", "1,50"];
    let modes = ["--mode", "copy,mm2s,s2mm"];
    let rows = rows(&[arguments.as_slice(), &modes].concat());
    assert_eq!(rows.len(), 3 * 6 * 2 * 2);
    for row in rows {
        // A copy waits for memory twice, a stream half once. One more cycle is the start.
        let latencies = if row.mode == Mode::Copy { 2 } else { 1 };
        let expected = row.beats + latencies * u64::from(row.latency) + 1;
        assert_eq!(row.cycles, expected, "{}", row.cell());
        assert_eq!(row.core, "dma_engine (16 in flight)");
    }
}

#[test]
fn a_ring_adds_a_fetch_and_a_write_back_and_hides_them_among_many() {
    let rows = rows(&[
        "--in-flight",
        "16",
        "--latency",
        "1,50",
        "--mode",
        "copy-ring",
    ]);
    assert_eq!(rows.len(), (6 + 3) * 2 * 2);
    for row in rows {
        let around = 4 * u64::from(row.latency) + 6;
        let gaps = if row.count == 1 { 0 } else { 48 };
        let most = row.beats + around + gaps;
        assert!(row.cycles <= most, "{}: {} cycles", row.cell(), row.cycles);
    }
}

#[test]
fn a_queue_by_registers_overlaps_its_copies() {
    let rows = rows(&[
        "--in-flight",
        "16",
        "--latency",
        "50",
        "--mode",
        "copy-queue",
    ]);
    assert_eq!(rows.len(), 3 * 2);
    for row in rows {
        // One after the other, each would take this long alone, and two register writes besides.
        let alone = u64::from(row.count) * (2 * u64::from(row.latency) + 1) + row.beats;
        assert!(row.cycles < alone, "{}: {} cycles", row.cell(), row.cycles);
        assert!(
            row.cycles > row.beats,
            "{}: {} cycles",
            row.cell(),
            row.cycles
        );
    }
}

#[test]
fn a_slower_engine_shows_as_worse_than_the_best_peer() {
    // One burst in flight: 16 beats each time the memory's latency has passed.
    let arguments = ["--in-flight", "16,1", "--latency", "100", "--mode", "copy"];
    let table = text(&bench(&arguments));
    let sound = "dma_engine (16 in flight): 12 cells, 12 with a figure of a peer";
    let slow = "dma_engine (1 in flight): 12 cells, 12 with a figure of a peer";
    let verdict = |core| {
        let line = table.lines().find(|line| line.starts_with(core));
        line.unwrap_or_else(|| panic!("no line of {core}: {table}"))
    };
    assert!(verdict(sound).ends_with("worse in 0"), "{table}");
    assert!(verdict(slow).ends_with("worse in 10"), "{table}");
    let worse = "  worse: 64 bits, copy, 1 of 1048576 bytes, source +0, destination +0, L = 100";
    assert!(table.contains(worse), "{table}");
    assert_eq!(
        table.matches(" > ").count(),
        10 + 1,
        "marks, and their legend: {table}"
    );
}

#[test]
fn an_engine_is_compared_with_what_was_measured_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let before = folder.path().join("before.csv");
    let arguments = ["--in-flight", "16", "--latency", "1", "--mode", "mm2s"];
    let csv = text(&bench(&[&["--csv"], arguments.as_slice()].concat()));
    std::fs::write(&before, csv).expect("a folder that can be written");
    let path = before.to_str().expect("a path of text");
    bench(&[&["--against", path], arguments.as_slice()].concat()).stdout(contains(
        "12 with a figure of a peer: at or better than the best in 12 (fewer cycles in 0, as many in 12), worse in 0",
    ));
}

#[test]
fn the_interrupt_can_be_counted_to() {
    let arguments = ["--in-flight", "16", "--latency", "1", "--mode", "copy"];
    let responses = rows(&arguments);
    let interrupts = rows(&[arguments.as_slice(), &["--until", "interrupt"]].concat());
    for (response, interrupt) in responses.iter().zip(&interrupts) {
        assert_eq!(interrupt.cycles, response.cycles + 1, "{}", response.cell());
    }
    bench(&arguments).stdout(
        contains("the interrupt is high 1 to 1 cycles after the last response").and(contains(
            "MaxReads = MaxWrites = 16, MaxBurstBeats = 16, FifoDepth = 512",
        )),
    );
}
