//! The yardstick: the reference engine verilated by itself, in a bare C++ loop.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rebound_sim::manifest::SourceSet;
use rebound_sim::process::Call;
use rebound_sim::toolchain::Toolchain;

use crate::bench::{Round, Work};
use crate::error::UsageError;

const BARE_LOOP: &str = include_str!("../../bench/bare_loop.cpp");
/// Runtime files that a model without tracing needs; those that a version lacks are left out.
const RUNTIME: [&str; 2] = ["verilated.cpp", "verilated_threads.cpp"];

/// The program, built.
#[derive(Debug)]
pub struct BareLoop {
    program: PathBuf,
    limit: Duration,
}

impl BareLoop {
    /// Verilates the core and compiles it with the loop, in `folder`.
    ///
    /// # Errors
    /// If Verilator or the compiler fails: with the tool's own message and the command.
    pub fn build(
        toolchain: &Toolchain,
        sources: &SourceSet,
        top: &str,
        parameters: &BTreeMap<String, i64>,
        folder: &Path,
    ) -> Result<Self, UsageError> {
        let model = folder.join("model");
        verilate(toolchain, sources, top, parameters, &model)?;
        let loop_file = folder.join("bare_loop.cpp");
        std::fs::write(&loop_file, BARE_LOOP)
            .map_err(|error| UsageError::from_error("cannot write the bare loop", &error))?;
        let program = folder.join("bare_loop");
        let include = toolchain.root().join("include");
        let call = Call::new(toolchain.compiler())
            .args([
                "-std=gnu++17",
                "-O3",
                "-w",
                "-fcf-protection=none",
                "-DVERILATOR=1",
            ])
            .args(["-DVM_TRACE=0", "-DVM_COVERAGE=0", "-DVM_SC=0"])
            .args([
                joined("-I", &model),
                joined("-I", &include),
                joined("-I", &include.join("vltstd")),
            ])
            .args([Path::new("-o"), &program, &loop_file])
            .args(generated(&model)?)
            .args(
                RUNTIME
                    .iter()
                    .map(|file| include.join(file))
                    .filter(|file| file.is_file()),
            )
            .args(["-pthread"]);
        run(&call, toolchain.limit(), "the C++ compiler")?;
        Ok(Self {
            program,
            limit: toolchain.limit(),
        })
    }

    /// Runs one round.
    ///
    /// # Errors
    /// If the program fails, or prints something else than a round.
    pub fn round(&self, work: Work) -> Result<Round, UsageError> {
        let numbers = [work.copies, work.bytes, work.latency];
        let call = Call::new(&self.program).args(numbers.map(|number| number.to_string()));
        let output = run(&call, self.limit, "the bare loop")?;
        Round::from_line(&output).ok_or_else(|| {
            UsageError::new(format!(
                "the bare loop: expected cycles and nanoseconds, found `{}`",
                output.trim()
            ))
        })
    }
}

fn verilate(
    toolchain: &Toolchain,
    sources: &SourceSet,
    top: &str,
    parameters: &BTreeMap<String, i64>,
    model: &Path,
) -> Result<(), UsageError> {
    let call = Call::new(toolchain.verilator())
        .env("VERILATOR_ROOT", toolchain.root())
        .args([
            "--cc",
            "--prefix",
            "Vbare",
            "--no-timing",
            "-Wno-fatal",
            "-Wno-lint",
            "-O3",
            "--no-assert",
        ])
        .args([
            "--x-assign",
            "fast",
            "--x-initial",
            "fast",
            "--top-module",
            top,
        ])
        .args([Path::new("-Mdir"), model])
        .args(
            parameters
                .iter()
                .map(|(name, value)| format!("-G{name}={value}")),
        )
        .args(
            sources
                .defines
                .iter()
                .map(|(name, value)| format!("+define+{name}={value}")),
        )
        .args(
            sources
                .include_dirs
                .iter()
                .map(|folder| joined("+incdir+", folder)),
        )
        .args(
            sources
                .library_dirs
                .iter()
                .flat_map(|folder| ["-y".into(), folder.clone().into_os_string()]),
        )
        .args(&sources.files);
    run(&call, toolchain.limit(), "Verilator").map(drop)
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut text = OsString::from(option);
    text.push(path);
    text
}

/// Returns the C++ files that Verilator wrote, sorted.
fn generated(model: &Path) -> Result<Vec<PathBuf>, UsageError> {
    let entries = std::fs::read_dir(model)
        .map_err(|error| UsageError::from_error("cannot read Verilator's output", &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .collect();
    files.sort();
    Ok(files)
}

/// Runs a tool and returns what it printed.
fn run(call: &Call, limit: Duration, what: &str) -> Result<String, UsageError> {
    let output = call
        .run(limit)
        .map_err(|error| UsageError::from_error(&format!("{what} did not run"), &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(
        UsageError::new(format!("{what} failed with {}: {said}", output.status))
            .help(format!("the command was {call}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_tool_is_shown_with_its_message_and_command() {
        let call = Call::new(Path::new("/bin/sh")).args(["-c", "echo no such port >&2; exit 3"]);
        let (message, help) = run(&call, Duration::from_secs(30), "the tool")
            .expect_err("it fails")
            .into_parts();
        assert_eq!(message, "the tool failed with exit status: 3: no such port");
        assert!(help.is_some_and(|help| help.contains("/bin/sh")));
    }
}
