//! The probe core, built once for all tests of a kind.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test files, each using its part"
)]

use std::path::{Path, PathBuf};

use rebound_sim::cache::Cache;
use rebound_sim::device::{Device, DeviceError};
use rebound_sim::manifest::Manifest;
use rebound_sim::toolchain::Toolchain;
use rebound_sim::trace::TraceKind;
use rebound_sim::verilate::{CoreBuilder, CoreLibrary};

/// What the probe core does on its command wire (`cores/probe_commands.svh`).
pub mod command {
    pub const FATAL: u64 = 1;
    pub const FINISH: u64 = 2;
    pub const STOP: u64 = 3;
    pub const ERROR: u64 = 4;
    pub const DISPLAY: u64 = 5;
    pub const ASSERT: u64 = 6;
    pub const LOOP: u64 = 7;
    pub const READ: u64 = 8;
    pub const WITHDRAW: u64 = 9;
    pub const IRQ: u64 = 10;
    pub const SEND: u64 = 11;
    pub const REMEMBER: u64 = 12;
}

/// The tools; without them the tests fail with the message a user would see.
pub fn toolchain() -> Toolchain {
    Toolchain::discover().unwrap_or_else(|error| panic!("{error}"))
}

/// A cache that lasts from one test run to the next.
pub fn cache() -> Cache {
    Cache::at(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cores"))
}

pub fn core(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cores")
        .join(name)
}

pub fn probe() -> CoreBuilder {
    CoreBuilder::new(Manifest::load(&core("probe.toml")).unwrap_or_else(|error| panic!("{error}")))
}

pub fn build(builder: &CoreBuilder) -> CoreLibrary {
    builder
        .build(&toolchain(), &cache())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The probe out of reset.
pub fn device(builder: &CoreBuilder, seed: u64) -> Device {
    let mut device = Device::load(&build(builder), seed).unwrap_or_else(|error| panic!("{error}"));
    device.reset(4).expect("reset does no harm");
    device
}

pub fn traced(trace: TraceKind) -> CoreBuilder {
    CoreBuilder {
        trace,
        parameters: [("DataWidth".to_owned(), 512.into())].into(),
        ..probe()
    }
}

/// One cycle with a command, one to see what came of it, both results.
pub fn run_command(device: &mut Device, command: u64) -> Result<(), DeviceError> {
    let wire = device
        .interfaces()
        .wire_in("command")
        .expect("a wire of the probe");
    device.wires_in_mut()[wire] = command;
    let result = device.step();
    device.wires_in_mut()[wire] = 0;
    result
}

/// A compiler that says its version, and otherwise does what the script says.
pub fn compiler(path: &Path, script: &str) {
    let text = format!("#!/bin/sh\ncase $1 in -dump*) echo 12; exit 0;; esac\n{script}\n");
    std::fs::write(path, text).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("executable");
}
