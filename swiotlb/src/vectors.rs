//! Replays golden traces of a reference allocator and says where the answers differ.
//!
//! The format is described in `tests/vectors/README.md` of this crate. Every scenario is started
//! from its boot parameters, and every checked cell of every row is compared.

mod data;
mod difference;
mod error;
mod machine;
mod outcome;
mod query;
mod reader;
mod row;
mod script;
mod setup;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub use error::VectorError;

use crate::sparse_memory::SparseMemory;

/// The first answer that differs from the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// File that holds the row.
    pub file: PathBuf,
    /// Line in the file, from 1.
    pub line: u64,
    /// Row number `n`, or `None` if the start of a scenario (`@init`) came out otherwise.
    pub row: Option<u64>,
    /// Operation.
    pub op: String,
    /// Cell or key that differs.
    pub cell: String,
    /// What the reference gave.
    pub expected: String,
    /// What came out here.
    pub got: String,
    /// What that means.
    pub explanation: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(row) = self.row {
            write!(f, "row {row}, ")?;
        }
        write!(
            f,
            "{}: {} expected {}, got {}: {}",
            self.op, self.cell, self.expected, self.got, self.explanation
        )
    }
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Scenarios replayed.
    pub scenarios_run: u64,
    /// Starts of scenarios that came out otherwise.
    pub starts_failed: u64,
    /// Rows replayed and compared.
    pub rows_checked: u64,
    /// Rows with a difference.
    pub rows_failed: u64,
    /// The first difference.
    pub first_failure: Option<Failure>,
}

impl Summary {
    /// Returns whether every answer was that of the reference.
    #[must_use]
    pub const fn is_pass(&self) -> bool {
        self.rows_failed == 0 && self.starts_failed == 0
    }

    /// Adds the summary of a further file.
    pub fn add(&mut self, other: Self) {
        self.scenarios_run += other.scenarios_run;
        self.starts_failed += other.starts_failed;
        self.rows_checked += other.rows_checked;
        self.rows_failed += other.rows_failed;
        if self.first_failure.is_none() {
            self.first_failure = other.first_failure;
        }
    }
}

/// Replays one file, `.csv` or `.csv.gz`.
///
/// # Errors
/// If the file cannot be read or does not keep to the format. A difference in an answer is no
/// error, but part of the summary.
pub fn replay_file(path: &Path) -> Result<Summary, VectorError> {
    reader::replay(path, &mut SparseMemory::default())
}

/// Replays files on all CPUs there are. Returns a result for each, in the order given.
///
/// # Errors
/// As [`replay_file`], for each file on its own.
pub fn replay_files<P: AsRef<Path> + Sync>(paths: &[P]) -> Vec<Result<Summary, VectorError>> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut memory = SparseMemory::default();
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(index) else {
                return done;
            };
            done.push((index, reader::replay(path.as_ref(), &mut memory)));
        }
    };
    let mut done: Vec<(usize, Result<Summary, VectorError>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers.min(paths.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(results) => done.extend(results),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
