//! The C++ compiler: `$CXX`, else `g++`.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use super::{ToolSearch, ToolchainError};
use crate::process::{Call, ProcessError};

/// Path and version of the compiler that `search` names.
pub(super) fn compiler(
    search: &ToolSearch,
    limit: Duration,
) -> Result<(PathBuf, String), ToolchainError> {
    let asked = search.compiler.as_deref().unwrap_or(Path::new("g++"));
    let refused = |got: String| ToolchainError::NoCompiler {
        compiler: match &search.compiler {
            Some(compiler) => format!("CXX={}", compiler.display()),
            None => "g++".to_owned(),
        },
        got,
    };
    let path = which::which(asked)
        .and_then(|path| std::path::absolute(path).map_err(|_| which::Error::CannotFindBinaryPath))
        .map_err(|_| refused(not_found(asked)))?;
    // clang++ knows only the second question; g++ answers that with less.
    let version = match ask(&path, "-dumpfullversion", limit)? {
        Ok(version) => version,
        Err(_) => ask(&path, "-dumpversion", limit)?.map_err(refused)?,
    };
    Ok((path, version))
}

/// The version that the compiler prints when asked by `option`, or what it does instead.
fn ask(
    compiler: &Path,
    option: &str,
    limit: Duration,
) -> Result<Result<String, String>, ToolchainError> {
    match Call::new(compiler)
        .args([option, "-dumpmachine"])
        .run(limit)
    {
        Ok(output) => Ok(version(&output, option)),
        Err(ProcessError::DidNotStart { error, .. }) => Ok(Err(error.to_string())),
        Err(error @ ProcessError::Hung { .. }) => Err(ToolchainError::NoAnswer {
            variable: "CXX",
            error,
        }),
    }
}

fn not_found(asked: &Path) -> String {
    let text = asked.to_string_lossy();
    if asked.is_dir() {
        "a folder".to_owned()
    } else if asked.is_file() {
        "a file that is not executable".to_owned()
    } else if text.contains(char::is_whitespace) {
        "no such program (CXX takes one path, without options: put these into a script)".to_owned()
    } else {
        "no such program".to_owned()
    }
}

/// What the compiler prints of itself, in one line; or what is wrong with it.
fn version(output: &Output, option: &str) -> Result<String, String> {
    let words = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (said, complained) = (words(&output.stdout), words(&output.stderr));
    if !output.status.success() {
        let why = if complained.is_empty() {
            "and no word".to_owned()
        } else {
            complained
        };
        return Err(format!("{} for {option}, {why}", output.status));
    }
    if said.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(said);
    }
    let said = if said.is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{said}`")
    };
    Err(format!("{said} for {option}, not a version"))
}
