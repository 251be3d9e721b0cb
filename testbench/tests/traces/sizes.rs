//! Sizes, and why no size helps.

use predicates::prelude::*;
use predicates::str::contains;

use crate::write::{Trace, full_pool};
use crate::{rebound, temporary};

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
                .and(contains("slots a minute, most by task leaky")),
        );
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

/// Runs `rebound size` on a trace of one device named `disk`, on a pool of so many areas.
fn sized(trace: Trace, areas: &str, more: &[&str]) -> assert_cmd::assert::Assert {
    let file = temporary(&trace.text());
    rebound()
        .args(["size", "--policy", "static", "--margin", "0"])
        .args(["--recorded", &format!("32768,{areas}")])
        .args(["--pool-base", "0x7000000"])
        .args(more)
        .arg(file.path())
        .assert()
        .success()
}

#[test]
fn a_pool_in_pieces_is_told_with_its_longest_free_run() {
    let mut trace = Trace::new();
    for slot in 0..120 {
        trace.map(0, (slot, 0), 2048, slot);
    }
    for slot in (0..120).step_by(2) {
        trace.unmap(0, 2048, slot);
    }
    trace.map(0, (200, 0), 16 * 2048, 128);
    sized(trace, "1", &[])
        .stdout(contains("kernel command line: swiotlb=256,1"))
        .stdout(contains("with 128 slots it fails").and(contains("longest free run 8")))
        .stdout(contains("helps: smaller mappings, or a larger pool"));
}

#[test]
fn free_slots_on_the_wrong_side_of_a_page_are_told() {
    let mut trace = Trace::new();
    for buffer in 0..65 {
        trace.map(0, (buffer, 0x800), 2048, 2 * buffer + 1);
    }
    sized(trace, "1", &["--min-align", "disk=0xfff"])
        .stdout(contains("kernel command line: swiotlb=256,1"))
        .stdout(contains("with 128 slots it fails").and(contains(
            "helps: a buffer whose low address bits are those of free slots, or a larger pool",
        )));
}

#[test]
fn an_area_that_overflows_into_others_is_told() {
    let mut trace = Trace::new();
    for slot in 0..150 {
        trace.map(0, (slot, 0), 2048, slot);
    }
    sized(trace, "2", &[]).stdout(
        contains("kernel command line: swiotlb=256,2")
            .and(contains("area imbalance: 22 of 150 mappings")),
    );
    let mut even = Trace::new();
    for slot in 0..75 {
        even.map(0, (slot, 0), 2048, slot);
        even.map(1, (100 + slot, 0), 2048, 16384 + slot);
    }
    sized(even, "2", &[]).stdout(contains("area imbalance").not());
}

#[test]
fn alignment_makes_the_longest_mapping_shorter_and_that_is_told() {
    let mut trace = Trace::new();
    trace.map(0, (0, 0x200), 262_144, 0);
    sized(trace, "1", &["--min-align", "disk=0xfff"]).stdout(
        contains("no size helps: a bounce buffer is at most 262144 bytes, for this device 258048")
            .and(contains("kernel command line").not()),
    );
}

#[test]
fn every_policy_gets_a_size_and_one_with_margin_and_growing_pools_their_course() {
    let mut trace = Trace::new();
    for slot in 0..200 {
        trace.map(0, (slot, 0), 2048, slot);
        trace.wait(10_000);
    }
    for slot in 0..200 {
        trace.unmap(0, 2048, slot);
    }
    let file = temporary(&trace.text());
    let output = rebound()
        .args(["size", "--recorded", "32768,1", "--pool-base", "0x7000000"])
        .args(["--margin", "50"])
        .arg(file.path())
        .assert()
        .success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    let row = |policy: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(policy));
        let words = line.expect("a row").split_whitespace();
        words.map(str::to_owned).collect()
    };
    // 200 slots at the peak, and half as many again: 300.
    let fixed = row("static");
    assert_eq!(
        (fixed[1].as_str(), fixed[4].as_str()),
        ("256", "512"),
        "{text}"
    );
    assert_eq!(row("per-buffer")[1], "256", "{text}");
    let dynamic = row("dynamic");
    assert_eq!(dynamic[1], "128", "{text}");
    assert!(dynamic[5].parse::<u64>().expect("slots") >= 200, "{text}");
    assert_eq!(text.matches("its pools over time").count(), 2, "{text}");
}

#[test]
fn a_pool_out_of_reach_is_told_and_no_size_recommended() {
    let mut trace = Trace::new();
    trace.map(0, (0, 0), 2048, 0);
    let file = temporary(&trace.text());
    // The device reaches 1 GiB: the pool lies above, but one of 2 GiB with the same end would begin below.
    for policy in ["static", "dynamic"] {
        rebound()
            .args(["size", "--policy", policy, "--dma-mask", "disk=30"])
            .args(["--recorded", "32768,1", "--pool-base", "0x7bfe0000"])
            .arg(file.path())
            .assert()
            .success()
            .stdout(contains(
                "no size helps: the pool lies above what the device reaches (mask 0x3fffffff)",
            ))
            .stdout(contains("swiotlb=").not());
    }
    let low = ["--pool-base", "0x7000000"];
    rebound()
        .args(["size", "--policy", "static", "--dma-mask", "disk=30"])
        .args(["--recorded", "32768,1"])
        .args(low)
        .arg(file.path())
        .assert()
        .success()
        .stdout(contains("kernel command line: swiotlb=128,1"));
}

#[test]
fn a_mapping_of_no_byte_is_no_want_of_room() {
    let mut trace = Trace::new();
    trace.map(0, (1, 0), 0, 0);
    sized(trace, "1", &[]).stdout(
        contains("no size helps: the trace asks for a mapping that no kernel makes")
            .and(contains("1 mappings are of 0 bytes"))
            .and(contains("do not suffice").not()),
    );
}

#[test]
fn no_pool_is_recommended_where_nothing_bounces() {
    let file = temporary(
        "io-7 [000] 1.0: dma_map_phys: disk dir=TO_DEVICE dma_addr=100000 size=2048 phys_addr=100000 attrs=\n",
    );
    rebound()
        .arg("size")
        .args([file.path(), file.path()])
        .assert()
        .success()
        .stdout(contains("no pool is needed for this load"))
        .stdout(contains("for all traces: no pool is needed"))
        .stdout(contains("swiotlb=").not());
}

#[test]
fn each_policy_alone_has_its_line() {
    let file = temporary(&full_pool());
    let rows = [
        ("dynamic", "for policy dynamic: swiotlb=128,1,force\n"),
        ("shrinker", "for policy shrinker: swiotlb=128,1,force\n"),
        (
            "per-buffer",
            "for policy per-buffer: swiotlb=256,1,force,dynamic\n",
        ),
    ];
    for (policy, line) in rows {
        rebound()
            .args(["size", "--policy", policy])
            .arg(file.path())
            .assert()
            .success()
            .stdout(contains(line));
    }
}

#[test]
fn areas_that_are_rounded_are_told() {
    let file = temporary(&full_pool());
    rebound()
        .args(["size", "--policy", "static", "--areas", "3"])
        .arg(file.path())
        .assert()
        .success()
        .stderr(contains("--areas: 3 areas become 4"))
        .stdout(contains("swiotlb=512,4,force"));
}
