//! From a manifest to a loadable library: elaborate, wrap, verilate, compile, link, cache.

mod compile;
mod generate;
pub mod outline;
pub mod ports;
mod runtime;
mod tool;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cache::{Cache, CacheError, KeyHasher, hash_of};
use crate::interfaces::Interfaces;
use crate::manifest::{Manifest, ManifestError, SourceSet};
use crate::parameters::{ParameterError, ParameterValue, Parameters, ResolvedLimits};
use crate::process::ProcessError;
use crate::toolchain::Toolchain;
use crate::trace::TraceKind;
use crate::wrapper::{self, Variant};
use compile::Heat;

/// Changes with the code that builds cores (see `build.rs`).
const BUILD_FORMAT: &str = env!("REBOUND_BUILD_FORMAT");

/// A core to build: a manifest and what to make of it.
#[derive(Debug, Clone)]
pub struct CoreBuilder {
    /// The core.
    pub manifest: Manifest,
    /// Parameters that differ from the manifest's defaults.
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Waveform format; costs speed even when nothing is recorded.
    pub trace: TraceKind,
    /// Rule modules beside the core, and the core's own assertions.
    pub rules: bool,
    /// Random values in registers that reset does not set, from the seed given at load.
    pub random_reset: bool,
}

/// A step of a build, for progress shown to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildStep {
    /// Another process builds the same; this one waits.
    Waiting,
    /// Verilator looks at the core's ports.
    Elaborating,
    /// Verilator writes C++.
    Verilating,
    /// Verilator's runtime is compiled, once for all cores.
    Runtime,
    /// A file was compiled.
    Compiled {
        /// File name.
        file: String,
        /// Files done.
        done: usize,
        /// Files in all.
        total: usize,
    },
    /// Objects become a library.
    Linking,
}

/// A core that was not built.
#[derive(Debug, Error, miette::Diagnostic)]
pub enum BuildError {
    /// The manifest does not fit the core.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Manifest(#[from] ManifestError),
    /// A parameter does not exist or does not take its value.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Parameter(#[from] ParameterError),
    /// Files could not be read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cache(#[from] CacheError),
    /// Verilator or the compiler failed.
    #[error("{purpose} failed ({status}):\n{output}\ncommand: {command}")]
    Tool {
        /// What was tried.
        purpose: String,
        /// How the tool ended.
        status: String,
        /// What it printed.
        output: String,
        /// Command that can be pasted.
        command: String,
    },
    /// Verilator or the compiler did not end in time.
    #[error("{purpose}: {error}")]
    ToolHung {
        /// What was tried.
        purpose: String,
        /// Limit and command.
        error: ProcessError,
    },
    /// A tool is gone.
    #[error(
        "{}: expected to run it, got {error}; it was there when the build began: install it again",
        program.display()
    )]
    ToolDidNotStart {
        /// Program.
        program: PathBuf,
        /// Why it did not start.
        error: std::io::Error,
    },
    /// Verilator's description of the core is not understood.
    #[error("{}: expected Verilator's description of the core, got {problem}", file.display())]
    Elaborated {
        /// File.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A template of Rebound is wrong for this core.
    #[error("wrapper of core {core}: expected templates that can be filled in, got {error:#}")]
    Template {
        /// Core.
        core: String,
        /// What is wrong.
        error: minijinja::Error,
    },
}

/// A built core, ready to be loaded.
#[derive(Debug, Clone)]
pub struct CoreLibrary {
    path: PathBuf,
    is_cached: bool,
    description: Description,
}

/// What is kept beside a library.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Description {
    name: String,
    /// Hash of the library, to notice a damaged one.
    library_hash: String,
    parameters: Parameters,
    limits: ResolvedLimits,
    interfaces: Interfaces,
    trace: TraceKind,
    rules: bool,
    random_reset: bool,
}

impl CoreLibrary {
    /// The shared library.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same core in another file, such as one that was copied for a user.
    #[must_use]
    pub fn with_path(&self, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    /// It was found in the cache.
    pub fn is_cached(&self) -> bool {
        self.is_cached
    }

    /// Name of the core.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// Ports with their widths.
    pub fn interfaces(&self) -> &Interfaces {
        &self.description.interfaces
    }

    /// All parameters with their values.
    pub fn parameters(&self) -> &Parameters {
        &self.description.parameters
    }

    /// Limits of the core's DMA with these parameters.
    pub fn limits(&self) -> &ResolvedLimits {
        &self.description.limits
    }

    /// Waveform format it can record.
    pub fn trace(&self) -> TraceKind {
        self.description.trace
    }

    /// Rule modules and assertions are in it.
    pub fn has_rules(&self) -> bool {
        self.description.rules
    }
}

impl CoreBuilder {
    /// A core with its default parameters, rules on, no waveform.
    pub fn new(manifest: Manifest) -> Self {
        Self {
            manifest,
            parameters: BTreeMap::new(),
            trace: TraceKind::Off,
            rules: true,
            random_reset: false,
        }
    }

    /// Finds the core in the cache or builds it.
    pub fn build(&self, toolchain: &Toolchain, cache: &Cache) -> Result<CoreLibrary, BuildError> {
        self.build_with(toolchain, cache, &|_| {})
    }

    /// As [`build`](Self::build), telling each step that takes time; steps may come from several threads.
    pub fn build_with(
        &self,
        toolchain: &Toolchain,
        cache: &Cache,
        on_step: &(dyn Fn(BuildStep) + Sync),
    ) -> Result<CoreLibrary, BuildError> {
        let parameters = Parameters::resolve(&self.manifest, &self.parameters)?;
        let limits = ResolvedLimits::resolve(&self.manifest, &parameters)?;
        let sources = absolute(self.manifest.source_set()?)?;
        let request = self.request_key(toolchain, &sources, &parameters)?;
        if let Some(library) = self.find(cache, &request) {
            return Ok(library);
        }
        let lock = cache.lock(&request, || on_step(BuildStep::Waiting))?;
        if let Some(library) = self.find(cache, &request) {
            return Ok(library);
        }
        let library = self.build_new(
            toolchain, cache, on_step, &request, &sources, parameters, limits,
        );
        drop(lock);
        library
    }

    /// Elaborated ports of the core, for tools that write manifests.
    pub fn ports(
        &self,
        toolchain: &Toolchain,
        cache: &Cache,
    ) -> Result<Vec<ports::CorePort>, BuildError> {
        let parameters = Parameters::resolve(&self.manifest, &self.parameters)?;
        let sources = absolute(self.manifest.source_set()?)?;
        let work = cache.work_folder()?;
        generate::elaborate(toolchain, self, &sources, &parameters, work.path())
    }

    /// The elaborated core from outside, for tools that write manifests.
    pub fn outline(
        &self,
        toolchain: &Toolchain,
        cache: &Cache,
    ) -> Result<outline::Outline, BuildError> {
        let parameters = Parameters::resolve(&self.manifest, &self.parameters)?;
        let sources = absolute(self.manifest.source_set()?)?;
        let work = cache.work_folder()?;
        generate::outline(toolchain, self, &sources, &parameters, work.path())
    }

    /// Files that the core is made from: its sources and file lists, and what they included when it was built last.
    ///
    /// # Errors
    /// If a source that the manifest names is missing, or a parameter is wrong.
    pub fn files(&self, toolchain: &Toolchain, cache: &Cache) -> Result<Vec<PathBuf>, BuildError> {
        let parameters = Parameters::resolve(&self.manifest, &self.parameters)?;
        let sources = absolute(self.manifest.source_set()?)?;
        let request = self.request_key(toolchain, &sources, &parameters)?;
        let lists = self.manifest.file_lists.iter();
        let mut files: Vec<PathBuf> = lists
            .map(|list| self.manifest.folder().join(list))
            .chain(sources.files)
            .chain(cache.files_of(&request))
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn find(&self, cache: &Cache, request: &str) -> Option<CoreLibrary> {
        let (entry, description) = cache.find::<Description>(&self.manifest.name, request)?;
        let path = entry.join("core.so");
        let is_whole = hash_of(&path).is_ok_and(|found| found == description.library_hash);
        is_whole.then_some(CoreLibrary {
            path,
            is_cached: true,
            description,
        })
    }

    /// Hash of everything that decides about the library, except files that only Verilator knows of.
    fn request_key(
        &self,
        toolchain: &Toolchain,
        sources: &SourceSet,
        parameters: &Parameters,
    ) -> Result<String, CacheError> {
        let mut hasher = KeyHasher::default();
        hasher
            .add("format", BUILD_FORMAT.as_bytes())
            .add("tools", toolchain.describe().as_bytes())
            .add(
                "flags",
                compile::common_flags(toolchain, self.trace)
                    .join("\n")
                    .as_bytes(),
            )
            .add("manifest", self.manifest.text().as_bytes())
            .add(
                "variant",
                format!(
                    "{:?} rules={} random={}",
                    self.trace, self.rules, self.random_reset
                )
                .as_bytes(),
            );
        for (name, content) in runtime::SHIM_FILES {
            hasher.add(name, content);
        }
        for template in wrapper::template_texts() {
            hasher.add("template", template.as_bytes());
        }
        for (name, text) in generate::RULE_FILES {
            hasher.add(name, text.as_bytes());
        }
        for (name, value) in parameters.iter() {
            hasher.add(name, &value.to_le_bytes());
        }
        for (name, value) in &sources.defines {
            hasher.add(name, value.as_bytes());
        }
        for folder in sources.include_dirs.iter().chain(&sources.library_dirs) {
            hasher.add("folder", folder.as_os_str().as_encoded_bytes());
        }
        for file in &sources.files {
            hasher.add_file(file)?;
        }
        Ok(hasher.finish())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "called once, with what the caller has worked out"
    )]
    fn build_new(
        &self,
        toolchain: &Toolchain,
        cache: &Cache,
        on_step: &(dyn Fn(BuildStep) + Sync),
        request: &str,
        sources: &SourceSet,
        parameters: Parameters,
        limits: ResolvedLimits,
    ) -> Result<CoreLibrary, BuildError> {
        let work = cache.work_folder()?;
        let folder = work.path();
        on_step(BuildStep::Elaborating);
        let ports = generate::elaborate(toolchain, self, sources, &parameters, folder)?;
        let wiring = wrapper::connect(&self.manifest, &parameters, &ports)?;
        let variant = Variant {
            trace: self.trace,
            has_rules: self.rules,
        };
        let rendered =
            wrapper::render(&self.manifest, &parameters, &wiring, variant).map_err(|error| {
                BuildError::Template {
                    core: self.manifest.name.clone(),
                    error,
                }
            })?;
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(CacheError::io("write", &path))
        };
        write("rebound.sv", &rendered.wrapper)?;
        write("rebound_model.cpp", &rendered.model)?;
        for (name, text) in generate::RULE_FILES {
            write(name, text)?;
        }

        on_step(BuildStep::Verilating);
        let generated = generate::generate(toolchain, self, sources, folder)?;
        let runtime = runtime::runtime(
            toolchain,
            cache,
            self.trace,
            &generated.runtime_parts,
            on_step,
        )?;
        let mut files = generated.files;
        files.push((folder.join("rebound_model.cpp"), Heat::Hot));
        let jobs = compile::bundle(&files, folder)?;
        let include = toolchain.root().join("include");
        let includes = [
            folder.to_owned(),
            runtime.folder.clone(),
            include.clone(),
            include.join("vltstd"),
        ];
        let flags = compile::common_flags(toolchain, self.trace);
        compile::compile_all(toolchain, folder, &flags, &includes, &jobs, on_step)?;

        on_step(BuildStep::Linking);
        let finished = cache.work_folder()?;
        let library = finished.path().join("core.so");
        let mut objects: Vec<PathBuf> = jobs.into_iter().map(|job| job.object).collect();
        objects.extend(runtime.objects);
        compile::link(toolchain, folder, &objects, &library)?;
        let library_hash = hash_of(&library)?;
        // Beside the library, for people who look.
        for name in ["rebound.sv", "rebound_model.cpp"] {
            let to = finished.path().join(name);
            fs::copy(folder.join(name), &to).map_err(CacheError::io("write", &to))?;
        }
        let description = Description {
            name: self.manifest.name.clone(),
            library_hash,
            parameters,
            limits,
            interfaces: wiring.interfaces,
            trace: self.trace,
            rules: self.rules,
            random_reset: self.random_reset,
        };
        let entry = cache.publish(
            &self.manifest.name,
            request,
            finished,
            generated.read,
            &description,
        )?;
        cache.prune();
        Ok(CoreLibrary {
            path: entry.join("core.so"),
            is_cached: false,
            description,
        })
    }
}

/// Paths that hold in any working folder; messages and assertion texts then name files fully.
fn absolute(sources: SourceSet) -> Result<SourceSet, CacheError> {
    let all = |paths: Vec<PathBuf>| {
        paths
            .into_iter()
            .map(|path| path.canonicalize().map_err(CacheError::io("find", &path)))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(SourceSet {
        files: all(sources.files)?,
        include_dirs: all(sources.include_dirs)?,
        library_dirs: all(sources.library_dirs)?,
        defines: sources.defines,
    })
}
