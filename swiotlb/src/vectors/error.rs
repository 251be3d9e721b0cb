//! Files that are not what they should be.

use std::path::{Path, PathBuf};

/// A file of vectors that could not be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// The file could not be read or unpacked.
    #[error("{}: {cause}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A line does not keep to the format.
    #[error("{}:{line}: {column}: expected {expected}, got {got}", .file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column of a row, or key of a set-up line.
        column: String,
        /// What the format asks for.
        expected: String,
        /// What the line says.
        got: String,
    },
}

/// A line that does not keep to the format, before the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) column: String,
    pub(super) expected: String,
    pub(super) got: String,
}

impl BadLine {
    pub(super) fn new(
        column: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self {
            column: column.into(),
            expected: expected.into(),
            got: got.into(),
        }
    }

    pub(super) fn at(self, file: &Path, line: u64) -> VectorError {
        VectorError::Malformed {
            file: file.to_owned(),
            line,
            column: self.column,
            expected: self.expected,
            got: self.got,
        }
    }
}
