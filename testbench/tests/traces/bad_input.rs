//! What is no trace, or only half of one.

use std::io::Write as _;

use predicates::prelude::*;
use predicates::str::contains;

use crate::write::full_pool;
use crate::{excerpt, rebound, temporary};

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
fn a_gzip_file_cut_in_the_middle_is_read_as_far_as_it_goes() {
    let whole = std::fs::read(excerpt("nvme_7.3.txt.gz")).expect("an excerpt");
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&whole[..whole.len() * 2 / 3])
        .expect("a temporary file");
    rebound()
        .arg("replay")
        .arg(file.path())
        .assert()
        .success()
        .stdout(contains("the compressed file breaks off behind line"));
}

#[test]
fn a_cut_line_is_named_with_what_was_expected() {
    let text = full_pool();
    let end = text.rfind(" attrs=").expect("the last mapping");
    let file = temporary(&text[..end - 20]);
    rebound()
        .arg("replay")
        .arg(file.path())
        .assert()
        .success()
        .stdout(contains(
            "1 lines of our events could not be read and were skipped",
        ))
        .stdout(contains(": expected ").and(contains("the last line has no end")));
}

#[test]
fn a_folder_and_a_line_without_an_end_are_wrong_usage() {
    rebound()
        .args(["replay", "tests"])
        .assert()
        .code(2)
        .stderr(contains("tests: cannot read the trace"));
    rebound()
        .args(["replay", "-"])
        .write_stdin(vec![b'x'; 3 << 20])
        .assert()
        .code(2)
        .stderr(contains("-:1: expected text"));
}

/// The same slots given away twice, ends without a begin, lengths beyond all memory, and time that jumps.
const CONTRADICTIONS: &str = "\
a-1 [000] 1.0: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr=100000000 size=4096 FORCE
a-1 [000] 1.1: dma_map_phys: disk dir=TO_DEVICE dma_addr=7000000 size=4096 phys_addr=100000000 attrs=
a-1 [000] 1.2: swiotlb_bounced: dev_name: disk dma_mask=ffffffff dev_addr=100001000 size=4096 FORCE
a-1 [000] 1.3: dma_map_phys: disk dir=TO_DEVICE dma_addr=7000000 size=4096 phys_addr=100001000 attrs=
a-1 [000] 1.4: dma_unmap_phys: disk dir=FROM_DEVICE dma_addr=7000000 size=64 attrs=
a-1 [000] 1.5: dma_unmap_phys: disk dir=TO_DEVICE dma_addr=7000000 size=18446744073709551615 attrs=
a-1 [65535] 0.5: dma_map_phys: disk dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=
a-1 [000] 18446744073.0: dma_map_phys: disk dir=TO_DEVICE dma_addr=1000 size=0 phys_addr=1000 attrs=
a-1 [000] 2.0: tracing_mark_write: phase=x io_tlb_nslabs=99999999999999 io_tlb_used=1 io_tlb_used_hiwater=0
";

#[test]
fn contradictory_events_are_counted_with_their_lines() {
    for command in [&["replay", "-"][..], &["size", "--policy", "static", "-"]] {
        rebound()
            .args(command)
            .write_stdin(CONTRADICTIONS)
            .assert()
            .success()
            .stdout(contains("mappings ended without a line").and(contains("first line 4")))
            .stdout(contains("another length or direction").and(contains("first line 5")))
            .stdout(contains("events are earlier than the line before"));
    }
}
