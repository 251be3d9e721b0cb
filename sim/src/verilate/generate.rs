//! Verilator's part: a core's elaborated ports, and the wrapped core as C++.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::compile::Heat;
use super::ports::{self, CoreModule, CorePort};
use super::tool::ToolCall;
use super::{BuildError, CoreBuilder};
use crate::cache::CacheError;
use crate::manifest::{Language, Manifest, ManifestError, SourceSet};
use crate::parameters::Parameters;
use crate::toolchain::Toolchain;
use crate::trace::TraceKind;

/// Rule modules that are instantiated beside a core.
pub(super) const RULE_FILES: [(&str, &str); 2] = [
    (
        "axi_manager_rules.sv",
        include_str!("../../../rtl/sva/axi_manager_rules.sv"),
    ),
    (
        "axi_stream_rules.sv",
        include_str!("../../../rtl/sva/axi_stream_rules.sv"),
    ),
];

/// What Verilator is told about sources in every call.
fn source_arguments(manifest: &Manifest, sources: &SourceSet) -> Vec<OsString> {
    let joined = |prefix: &str, path: &Path| {
        let mut text = OsString::from(prefix);
        text.push(path);
        text
    };
    let mut arguments: Vec<OsString> = ["--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
        .into_iter()
        .map(OsString::from)
        .collect();
    if manifest.language == Language::Verilog2005 {
        arguments.push("+1364-2005ext+v".into());
    }
    arguments.extend(
        sources
            .include_dirs
            .iter()
            .map(|folder| joined("+incdir+", folder)),
    );
    for folder in &sources.library_dirs {
        arguments.push("-y".into());
        arguments.push(folder.into());
    }
    arguments.extend(sources.defines.iter().map(|(name, value)| {
        OsString::from(if value.is_empty() {
            format!("-D{name}")
        } else {
            format!("-D{name}={value}")
        })
    }));
    arguments
}

/// Ports of the core alone, elaborated with `parameters`.
pub(super) fn elaborate(
    toolchain: &Toolchain,
    builder: &CoreBuilder,
    sources: &SourceSet,
    parameters: &Parameters,
    folder: &Path,
) -> Result<Vec<CorePort>, BuildError> {
    let manifest = &builder.manifest;
    match module(toolchain, builder, sources, parameters, folder) {
        Ok(module) => {
            values_arrive(manifest, parameters, &module)?;
            Ok(module.ports)
        }
        Err(error @ BuildError::Tool { .. }) => {
            // Verilator's words say nothing of the manifest: does the module elaborate by itself?
            let alone = Parameters::default();
            let module = module(toolchain, builder, sources, &alone, folder);
            let unknown = module.map(|module| unknown_parameter(manifest, parameters, &module));
            Err(unknown.ok().flatten().map_or(error, BuildError::from))
        }
        Err(error) => Err(error),
    }
}

/// The first parameter of the manifest that the module lacks.
fn unknown_parameter(
    manifest: &Manifest,
    parameters: &Parameters,
    module: &CoreModule,
) -> Option<ManifestError> {
    let known = || {
        let known = module.parameters.iter();
        known.map(|parameter| parameter.name.as_str())
    };
    let (name, _) = parameters
        .iter()
        .find(|(name, _)| known().all(|known| known != *name))?;
    let expected = if module.parameters.is_empty() {
        format!("no parameter: module {} has none", manifest.top)
    } else {
        let names: Vec<&str> = known().collect();
        format!(
            "a parameter of module {}: {}",
            manifest.top,
            names.join(", ")
        )
    };
    let error = manifest.error_at(format!("parameters.{name}"), expected, format!("`{name}`"));
    Some(error.with_suggestion(name, known()))
}

/// Verilator cuts a number that is too long for its parameter, without a word.
fn values_arrive(
    manifest: &Manifest,
    parameters: &Parameters,
    module: &CoreModule,
) -> Result<(), ManifestError> {
    for parameter in &module.parameters {
        if let (Some(asked), Some(found)) = (parameters.get(&parameter.name), parameter.value)
            && !found.is(asked)
        {
            return Err(manifest
                .error_at(
                    format!("parameters.{}", parameter.name),
                    format!(
                        "a value of {} bits, as module {} has it",
                        found.width, manifest.top
                    ),
                    format!("{asked}, of which {found} is left"),
                )
                .with_help("choose a smaller value, or set min and max to what the module takes"));
        }
    }
    Ok(())
}

/// The top module of the core alone, elaborated with `parameters`.
fn module(
    toolchain: &Toolchain,
    builder: &CoreBuilder,
    sources: &SourceSet,
    parameters: &Parameters,
    folder: &Path,
) -> Result<CoreModule, BuildError> {
    let top = &builder.manifest.top;
    let writes_json = toolchain.version().writes_json();
    let tree = folder.join(if writes_json { "core.json" } else { "core.xml" });
    let mut call = ToolCall::new(format!("elaborate {top}"), toolchain.verilator(), folder)
        .env("VERILATOR_ROOT", toolchain.root());
    call = if writes_json {
        call.args(["--json-only", "--json-only-output"])
            .arg(&tree)
            .arg("--json-only-meta-output")
            .arg(folder.join("core.meta.json"))
    } else {
        call.args(["--xml-only", "--xml-output"]).arg(&tree)
    };
    call.args(["--Mdir", "elaborated", "--top-module"])
        .arg(top)
        .args(
            parameters
                .iter()
                .map(|(name, value)| format!("-G{name}={value}")),
        )
        .args(source_arguments(&builder.manifest, sources))
        .args(&sources.files)
        .run(toolchain.limit())?;
    let text = fs::read_to_string(&tree).map_err(CacheError::io("read", &tree))?;
    let module = if writes_json {
        ports::from_json(&text, top)
    } else {
        ports::from_xml(&text, top)
    };
    module.map_err(|problem| BuildError::Elaborated {
        file: tree,
        problem,
    })
}

/// The wrapped core in C++.
#[derive(Debug)]
pub(super) struct Generated {
    /// C++ files with what they gain from optimisation.
    pub(super) files: Vec<(PathBuf, Heat)>,
    /// Parts of Verilator's runtime that are needed.
    pub(super) runtime_parts: Vec<String>,
    /// Every file of the user's that Verilator read.
    pub(super) read: Vec<PathBuf>,
}

/// Verilates `rebound.sv` in `folder` around the core.
pub(super) fn generate(
    toolchain: &Toolchain,
    builder: &CoreBuilder,
    sources: &SourceSet,
    folder: &Path,
) -> Result<Generated, BuildError> {
    let initial = if builder.random_reset {
        "unique"
    } else {
        "fast"
    };
    let mut call = ToolCall::new(
        format!("verilate {}", builder.manifest.top),
        toolchain.verilator(),
        folder,
    )
    .env("VERILATOR_ROOT", toolchain.root())
    .args([
        "--cc",
        "--Mdir",
        ".",
        "--prefix",
        "Vrebound",
        "--top-module",
        "rebound",
        "-O3",
    ])
    .args(["--x-assign", initial, "--x-initial", initial])
    .args([
        "--timescale-override",
        "1ns/1ns",
        "--output-split",
        "20000",
        "--MMD",
    ])
    .arg(if builder.rules {
        "--assert"
    } else {
        "--no-assert"
    });
    if builder.trace != TraceKind::Off {
        call = call
            .arg(if builder.trace == TraceKind::Fst {
                "--trace-fst"
            } else {
                "--trace"
            })
            .args([
                "--trace-structs",
                "--trace-max-width",
                "2048",
                "--trace-max-array",
                "64",
            ]);
    }
    call = call
        .args(source_arguments(&builder.manifest, sources))
        .args(&sources.files);
    if builder.rules {
        call = call.args(RULE_FILES.map(|(name, _)| name));
    }
    call.arg("rebound.sv").run(toolchain.limit())?;

    let list = folder.join("Vrebound_classes.mk");
    let text = fs::read_to_string(&list).map_err(CacheError::io("read", &list))?;
    let mut files = Vec::new();
    for (variable, heat) in [
        ("VM_CLASSES_FAST", Heat::Hot),
        ("VM_SUPPORT_FAST", Heat::Hot),
        ("VM_CLASSES_SLOW", Heat::Cold),
        ("VM_SUPPORT_SLOW", Heat::Cold),
    ] {
        let names = make_list(&text, variable).into_iter();
        files.extend(names.map(|name| (folder.join(format!("{name}.cpp")), heat)));
    }
    let mut runtime_parts = make_list(&text, "VM_GLOBAL_FAST");
    runtime_parts.extend(make_list(&text, "VM_GLOBAL_SLOW"));

    let rule = folder.join("Vrebound__ver.d");
    let text = fs::read_to_string(&rule).map_err(CacheError::io("read", &rule))?;
    let mut read: Vec<PathBuf> = prerequisites(&text)
        .into_iter()
        .map(|path| folder.join(path))
        .filter(|path| {
            !path.starts_with(folder)
                && !path.starts_with(toolchain.root())
                && path != toolchain.verilator()
        })
        .filter(|path| path.is_file())
        .collect();
    read.sort();
    read.dedup();
    Ok(Generated {
        files,
        runtime_parts,
        read,
    })
}

/// Words of `VARIABLE += a \ b \` in a makefile.
fn make_list(text: &str, variable: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line
            .strip_prefix(variable)
            .and_then(|rest| rest.trim_start().strip_prefix("+="))
        else {
            continue;
        };
        let mut part = rest;
        loop {
            let (now, goes_on) = part
                .trim_end()
                .strip_suffix('\\')
                .map_or((part, false), |now| (now, true));
            words.extend(now.split_whitespace().map(str::to_owned));
            match lines.next() {
                Some(next) if goes_on => part = next,
                _ => break,
            }
        }
    }
    words
}

/// Files after the colon of a make rule, with escaped spaces undone.
fn prerequisites(rule: &str) -> Vec<PathBuf> {
    let Some((_, list)) = rule.split_once(" : ") else {
        return Vec::new();
    };
    let mut files = Vec::new();
    let mut file = String::new();
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if matches!(letters.peek(), Some(' ' | '\\')) => file.extend(letters.next()),
            letter if letter.is_whitespace() => {
                if !file.is_empty() {
                    files.push(PathBuf::from(std::mem::take(&mut file)));
                }
            }
            letter => file.push(letter),
        }
    }
    if !file.is_empty() {
        files.push(PathBuf::from(file));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_a_makefile_are_read() {
        let text = "# x\nA += \\\n  one \\\n  two \\\n\nAB += \\\n three \\\n\nA += four\n";
        assert_eq!(make_list(text, "A"), ["one", "two", "four"]);
    }

    #[test]
    fn files_of_a_rule_are_read_with_spaces() {
        let rule = "a.cpp a.h  : /v/bin/verilator /my\\ core/x.sv y.sv \n";
        let expected = ["/v/bin/verilator", "/my core/x.sv", "y.sv"].map(PathBuf::from);
        assert_eq!(prerequisites(rule), expected);
    }
}
