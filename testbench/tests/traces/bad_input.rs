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
