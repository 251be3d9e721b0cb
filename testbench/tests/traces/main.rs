//! The program on traces of the kernel: answers as the kernel's, what if, sizes, the price with a core, and bad input.

mod bad_input;
mod kernel;
mod price;
mod sizes;
mod what_if;
mod write;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use rebound::replay::{Known, Load, Recorded, Recording, fit_alignment, replay_recorded};
use rebound::trace::Reader;

pub(crate) fn rebound() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rebound"))
}

pub(crate) fn excerpt(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/traces")
        .join(name)
}

pub(crate) fn replay(path: &Path) -> (Load, Recording) {
    let load = Reader::open(path).and_then(Load::read).expect("a trace");
    let mut machine = Recorded::of(&load.survey, Known::default()).machine;
    fit_alignment(&load, &mut machine).expect("a pool");
    let recording = replay_recorded(&load, machine).expect("a pool");
    (load, recording)
}

pub(crate) fn temporary(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("a temporary file");
    file
}
