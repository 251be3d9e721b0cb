//! The core as Verilator sees it, from what the user named on the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use rebound_sim::cache::Cache;
use rebound_sim::manifest::Manifest;
use rebound_sim::parameters::ParameterValue;
use rebound_sim::toolchain::Toolchain;
use rebound_sim::verilate::outline::Outline;
use rebound_sim::verilate::{BuildError, CoreBuilder};

use crate::error::UsageError;

/// A core as the user names it; paths are as seen from the working folder.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Source files, packages first.
    pub files: Vec<PathBuf>,
    /// Top module.
    pub top: String,
    /// File lists.
    pub file_lists: Vec<PathBuf>,
    /// Include folders.
    pub include_dirs: Vec<PathBuf>,
    /// Library folders.
    pub library_dirs: Vec<PathBuf>,
    /// Definitions.
    pub defines: Vec<(String, String)>,
    /// Parameters that differ from the core's own defaults.
    pub parameters: BTreeMap<String, i64>,
    /// The manifest to be written.
    pub output: PathBuf,
}

/// A quoted text of TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Request {
    /// Folder of the manifest.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Checks that everything that is named is there.
    ///
    /// # Errors
    /// The first file or folder that is not.
    pub fn check(&self) -> Result<(), UsageError> {
        let files = self.files.iter().map(|path| (path, "source file"));
        let lists = self.file_lists.iter().map(|path| (path, "file list"));
        for (path, what) in files.chain(lists) {
            if !path.is_file() {
                let got = if path.is_dir() { "a folder" } else { "nothing" };
                return Err(UsageError::new(format!(
                    "expected a {what} at {}, got {got}",
                    path.display()
                ))
                .help("give the core's Verilog files, packages first, or a file list with -f"));
            }
        }
        let includes = self
            .include_dirs
            .iter()
            .map(|path| (path, "include folder (-I)"));
        let libraries = self
            .library_dirs
            .iter()
            .map(|path| (path, "library folder (-y)"));
        for (path, what) in includes.chain(libraries) {
            if !path.is_dir() {
                return Err(UsageError::new(format!(
                    "expected an {what} at {}, got none",
                    path.display()
                )));
            }
        }
        if !self.folder().is_dir() {
            return Err(UsageError::new(format!(
                "expected a folder for the manifest at {}, got none",
                self.folder().display()
            ))
            .help("make it, or name another place with --output"));
        }
        Ok(())
    }

    /// The first lines of the manifest: name, top, sources.
    ///
    /// # Errors
    /// If a path cannot be found from the manifest's folder.
    pub fn header(&self) -> Result<String, UsageError> {
        let mut text = String::new();
        let _ = writeln!(text, "name = {}", quoted(&self.top));
        let _ = writeln!(text, "top = {}", quoted(&self.top));
        for (field, paths) in [
            ("file_lists", &self.file_lists),
            ("sources", &self.files),
            ("include_dirs", &self.include_dirs),
            ("library_dirs", &self.library_dirs),
        ] {
            if paths.is_empty() {
                continue;
            }
            let paths = paths
                .iter()
                .map(|path| Ok(quoted(&relative(self.folder(), path)?)))
                .collect::<Result<Vec<String>, UsageError>>()?;
            let line = format!("{field} = [{}]", paths.join(", "));
            if line.len() <= 118 {
                let _ = writeln!(text, "{line}");
            } else {
                let _ = writeln!(text, "{field} = [\n    {},\n]", paths.join(",\n    "));
            }
        }
        if !self.defines.is_empty() {
            let defines = self.defines.iter();
            let defines =
                defines.map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)));
            let defines: Vec<String> = defines.collect();
            let _ = writeln!(text, "defines = {{ {} }}", defines.join(", "));
        }
        Ok(text)
    }

    fn skeleton(&self) -> Result<Manifest, UsageError> {
        let mut text = self.header()?;
        text.push_str("clocks = [\"not_yet_known\"]\n[parameters]\n");
        for (name, value) in &self.parameters {
            let _ = writeln!(text, "{} = {{ default = {value} }}", quoted(name));
        }
        Manifest::parse(&self.output, text).map_err(UsageError::from_diagnostic)
    }
}

/// The tools that elaborate a core.
#[derive(Debug)]
pub struct Elaborator {
    manifest: Manifest,
    toolchain: Toolchain,
    cache: Cache,
    parameters: BTreeMap<String, i64>,
}

impl Elaborator {
    /// Finds the tools.
    ///
    /// # Errors
    /// If the request is wrong, or a tool is missing.
    pub fn new(request: &Request) -> Result<Self, UsageError> {
        Ok(Self {
            manifest: request.skeleton()?,
            toolchain: Toolchain::discover().map_err(UsageError::from_diagnostic)?,
            cache: Cache::discover().map_err(UsageError::from_diagnostic)?,
            parameters: request.parameters.clone(),
        })
    }

    /// Elaborates the core as it was asked for.
    ///
    /// # Errors
    /// If Verilator does not take it: its message and the command; if it has no such top, the modules it has.
    pub fn outline(&self) -> Result<Outline, UsageError> {
        self.elaborate(&self.manifest)
            .map_err(|error| self.explain(error))
    }

    /// Elaborates the core with another value of a parameter; none if that does not work.
    #[must_use]
    pub fn with(&self, parameter: &str, value: i64) -> Option<Outline> {
        let mut builder = CoreBuilder::new(self.manifest.clone());
        builder.manifest.parameters.clear();
        let mut values = self.parameters.clone();
        values.insert(parameter.to_owned(), value);
        for (name, value) in values {
            let spec = toml::from_str(&format!("default = {value}")).ok()?;
            builder.manifest.parameters.insert(name, spec);
        }
        builder.outline(&self.toolchain, &self.cache).ok()
    }

    fn elaborate(&self, manifest: &Manifest) -> Result<Outline, BuildError> {
        let mut builder = CoreBuilder::new(manifest.clone());
        for (name, value) in &self.parameters {
            let value = ParameterValue::Integer(*value);
            builder.parameters.insert(name.clone(), value);
        }
        builder.outline(&self.toolchain, &self.cache)
    }

    fn explain(&self, error: BuildError) -> UsageError {
        let BuildError::Tool { output, .. } = &error else {
            return UsageError::from_diagnostic(error);
        };
        let top = &self.manifest.top;
        let sources = self.manifest.source_set().unwrap_or_default();
        let texts: Vec<String> = sources
            .files
            .iter()
            .filter_map(|file| std::fs::read_to_string(file).ok())
            .collect();
        let modules: BTreeSet<String> = texts.iter().flat_map(|text| modules(text)).collect();
        if output.contains("--top-module") && output.contains("not found") {
            let list: Vec<&str> = modules.iter().map(String::as_str).collect();
            let near = list.iter().max_by(|a, b| {
                strsim::jaro_winkler(a, top).total_cmp(&strsim::jaro_winkler(b, top))
            });
            let help = near.map_or_else(
                || "the sources have no module at all".to_owned(),
                |near| format!("did you mean {near}? Name the core's outermost module with --top"),
            );
            return UsageError::new(format!(
                "expected module {top} in the sources, got the modules {}",
                list.join(", ")
            ))
            .help(help);
        }
        let has_types = texts.iter().any(|text| text.contains("parameter type"));
        let help = if has_types {
            "the sources have type parameters: if the top's ports take their types from these, write a module around it that sets them and has plain ports, and give that as --top"
        } else {
            "Verilator's words are above; folders of includes are given with -I, definitions with -D, file lists with -f, parameters with --param NAME=VALUE"
        };
        UsageError::new(error.to_string()).help(help)
    }
}

/// Names of the modules that a source defines.
fn modules(text: &str) -> Vec<String> {
    let bare = without_comments(text);
    let mut words = bare.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')));
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        if word == "module" {
            let name = words.find(|word| !matches!(*word, "" | "automatic" | "static"));
            found.extend(name.map(str::to_owned));
        }
    }
    found
}

fn without_comments(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        bare.push_str(&rest[..at]);
        let comment = &rest[at..];
        let end = if comment.starts_with("//") {
            comment.find('\n')
        } else if comment.starts_with("/*") {
            comment.find("*/").map(|end| end + 2)
        } else {
            bare.push('/');
            Some(1)
        };
        rest = end.map_or("", |end| &comment[end..]);
    }
    bare.push_str(rest);
    bare
}

/// `path` as seen from `folder`.
fn relative(folder: &Path, path: &Path) -> Result<String, UsageError> {
    let whole = |path: &Path| {
        path.canonicalize().map_err(|error| {
            UsageError::from_error(&format!("cannot find {}", path.display()), &error)
        })
    };
    let (folder, path) = (whole(folder)?, whole(path)?);
    let common = folder
        .components()
        .zip(path.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(common)
        .map(|_| Component::ParentDir);
    let seen: PathBuf = up.chain(path.components().skip(common)).collect();
    let seen = if seen.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        seen
    };
    seen.to_str().map(str::to_owned).ok_or_else(|| {
        UsageError::new(format!("{} has a name that is no UTF-8", seen.display()))
            .help("a manifest is UTF-8: rename the file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_outside_of_comments() {
        let text = "// module no\n/* module nor */ module a #(parameter W = 4 / 2) (); endmodule\nmodule automatic b; endmodule";
        assert_eq!(modules(text), ["a", "b"]);
    }

    #[test]
    fn paths_are_seen_from_the_folder_of_the_manifest() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).expect("a folder");
        let file = folder.path().join("core.sv");
        std::fs::write(&file, "").expect("a file");
        assert_eq!(relative(&deep, &file).expect("found"), "../../core.sv");
        assert_eq!(relative(folder.path(), &file).expect("found"), "core.sv");
        assert_eq!(relative(&deep, &deep).expect("found"), ".");
    }
}
