//! The price of bouncing with a core.

use predicates::prelude::*;
use predicates::str::contains;

use crate::{excerpt, rebound, temporary};

/// A core without streams, in the repository.
const COPY: &str = "cores/axil_copy/axil_copy.toml";
/// The reference engine.
const ENGINE: &str = "../rtl/dma_engine.toml";

/// Runs `rebound replay` on an excerpt with a core; returns the rows of its CSV by device and run.
fn priced(core: &str, transfers: &str) -> Vec<(String, String, u64, u64, u64)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let csv = folder.path().join("price.csv");
    rebound()
        .arg("replay")
        .arg(excerpt("nvme_7.3.txt.gz"))
        .args(["--rtl", core, "--transfers", transfers, "--csv"])
        .arg(&csv)
        .assert()
        .success()
        .stdout(contains("address bits"));
    let mut reader = csv::Reader::from_path(csv).expect("rows");
    let rows = reader.records().map(|record| {
        let record = record.expect("a row");
        let number = |column: usize| record[column].parse().expect("a number");
        (
            record[0].to_owned(),
            record[1].to_owned(),
            number(2),
            number(4),
            number(7),
        )
    });
    rows.collect()
}

#[test]
fn bouncing_costs_copies_and_cycles_whatever_the_core() {
    for core in [ENGINE, COPY] {
        let rows = priced(core, "12");
        let runs: Vec<_> = rows
            .iter()
            .map(|row| (row.0.as_str(), row.1.as_str()))
            .collect();
        let expected = [
            ("0000:00:02.0", "bounced"),
            ("0000:00:02.0", "direct"),
            ("all", "bounced"),
            ("all", "direct"),
        ];
        assert_eq!(runs, expected, "{core}");
        let (bounced, direct) = (&rows[0], &rows[1]);
        assert_eq!((bounced.2, direct.2), (12, 12), "{core}");
        assert!(bounced.3 > direct.3, "{core}: {rows:?}");
        assert!(bounced.4 > 0 && direct.4 == 0, "{core}: {rows:?}");
    }
}

#[test]
fn windows_without_work_and_cores_without_a_program_are_refused() {
    let run = |arguments: &[&str]| {
        rebound()
            .arg("replay")
            .arg(excerpt("nvme_7.3.txt.gz"))
            .args(arguments)
            .assert()
            .code(2)
    };
    run(&["--rtl", COPY, "--window", "90000..90001"]).stderr(contains("no bounced transfer"));
    run(&["--rtl", "no/such.toml"]).stderr(contains("no/such.toml"));
    run(&["--window", "1..2"]).stderr(contains("--rtl"));
    run(&["--rtl", COPY, "--scale", "2"]).stderr(contains("cannot be used with"));
}

#[test]
fn a_core_that_lacks_the_direction_says_which() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = std::fs::read_to_string("cores/split_dma/split_dma.toml").expect("a manifest");
    let cores = std::fs::canonicalize("cores").expect("the sample cores");
    let cores = cores.display();
    let start = manifest.find("[control.s2mm]").expect("a program");
    let rest = manifest[start + 1..].find("\n[control.");
    let end = rest.map_or(manifest.len(), |at| start + 1 + at);
    let cut = format!("{}{}", &manifest[..start], &manifest[end..])
        .replace("\"../common/", &format!("\"{cores}/common/"))
        .replace(
            "\"split_dma.sv",
            &format!("\"{cores}/split_dma/split_dma.sv"),
        )
        .replace(
            "\"split_registers",
            &format!("\"{cores}/split_dma/split_registers"),
        )
        .replace("\"split_mm2s", &format!("\"{cores}/split_dma/split_mm2s"))
        .replace("\"split_s2mm", &format!("\"{cores}/split_dma/split_s2mm"));
    let path = folder.path().join("half.toml");
    std::fs::write(&path, cut).expect("a manifest");
    let trace = "\
        a-1 [000] 1.0: swiotlb_bounced: dev_name: nic dma_mask=ffffffff dev_addr=100000000 size=64 NORMAL\n\
        a-1 [000] 1.1: dma_map_phys: nic dir=FROM_DEVICE dma_addr=7000000 size=64 phys_addr=100000000 attrs=\n";
    let file = temporary(trace);
    rebound()
        .arg("replay")
        .arg(file.path())
        .arg("--rtl")
        .arg(&path)
        .assert()
        .code(2)
        .stderr(contains("expected a program `s2mm`").and(contains("found mm2s")));
}
