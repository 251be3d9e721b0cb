//! Tests of the core with its driver.

use std::path::Path;

use own_core::{copy, run_core};
use rebound::harness::{Buffer, Harness};

/// Within the core's reach of 16 MiB, and beyond.
const NEAR: u64 = 0x80_0000;
const FAR: u64 = 0x4000_0000;

fn core() -> Harness {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("word_copy.toml");
    Harness::build(&manifest).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn data_arrives_wherever_the_buffers_lie() {
    let core = core();
    for (from, to) in [
        (NEAR, NEAR + 0x10000),
        (FAR, NEAR),
        (NEAR, FAR),
        (FAR, FAR + 0x10000),
    ] {
        let buffers = [Buffer::source(from, 4096), Buffer::destination(to, 4096)];
        let run = core.run(&buffers, |machine| async move { copy(&machine).await });
        let (result, done) = run.expect("the machine can be made");
        assert!(matches!(done, Some(Ok(true))), "{done:?}");
        assert!(result.broken.is_empty(), "{:#?}", result.violations);
    }
}

#[test]
fn a_driver_that_forgets_to_map_is_caught() {
    let buffers = [
        Buffer::source(NEAR, 64),
        Buffer::destination(NEAR + 4096, 64),
    ];
    let driver = |machine| async move { run_core(&machine, NEAR, NEAR + 4096, 16).await };
    let (result, _) = core()
        .run(&buffers, driver)
        .expect("the machine can be made");
    let first = &result.violations[0];
    assert_eq!(first.check.name(), "unmapped", "{first:?}");
}
