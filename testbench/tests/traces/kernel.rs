//! Answers as the kernel gave them.

use predicates::prelude::*;
use predicates::str::contains;

use crate::write::{Trace, full_pool};
use crate::{excerpt, rebound, replay, temporary};

pub(crate) const EXCERPTS: [&str; 3] = ["nvme_7.3.txt.gz", "e1000_7.3.txt.gz", "ahci_6.12.txt.gz"];

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
fn with_one_cpu_no_order_of_two_is_blamed() {
    let mut trace = Trace::new();
    trace.map(0, (0, 0), 2048, 5);
    trace.map(0, (1, 0), 2048, 6);
    rebound()
        .args(["replay", "--recorded", "128,1", "--pool-base", "7000000"])
        .arg("-")
        .write_stdin(trace.text())
        .assert()
        .code(1)
        .stdout(contains("the pool's base").and(contains("order of two CPUs").not()));
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
fn the_standard_input_is_read_too() {
    rebound()
        .args(["replay", "-"])
        .write_stdin(full_pool())
        .assert()
        .success()
        .stdout(contains("17 of 17 bounce buffers"));
}

/// Whole traces, where there are some: every peak as the kernel's or among those that the lines allow, and
/// 99.9 % of the addresses the same.
#[test]
fn whole_traces_are_answered_as_the_kernel_answered() {
    let Some(folder) = std::env::var_os("REBOUND_TRACES") else {
        eprintln!("skipped: REBOUND_TRACES names no folder of whole traces (`*.gz`)");
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
