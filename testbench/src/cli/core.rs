//! A core from its manifest: built for a choice of parameters, or taken from the cache.

use std::path::{Path, PathBuf};

use rebound_sim::cache::Cache;
use rebound_sim::manifest::Manifest;
use rebound_sim::parameters::ParameterValue;
use rebound_sim::toolchain::Toolchain;
use rebound_sim::trace::TraceKind;
use rebound_sim::verilate::{BuildStep, CoreBuilder, CoreLibrary};

use crate::error::UsageError;

/// What a build of a core depends on, beside its manifest.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// Parameters that are not the defaults, `NAME=VALUE`.
    pub(super) parameters: Vec<String>,
    /// The waveform that it can write.
    pub(super) trace: TraceKind,
    /// Registers that no reset reaches begin with random values.
    pub(super) has_random_reset: bool,
}

/// A manifest with the tools that build its core.
#[derive(Debug)]
pub(super) struct CoreFiles {
    manifest: Manifest,
    toolchain: Toolchain,
    cache: Cache,
}

impl CoreFiles {
    /// Reads a manifest and finds the tools.
    pub(super) fn load(manifest: &Path) -> Result<Self, UsageError> {
        let found = Manifest::load(manifest);
        Ok(Self {
            manifest: found.map_err(UsageError::from_diagnostic)?,
            toolchain: Toolchain::discover().map_err(UsageError::from_diagnostic)?,
            cache: Cache::discover().map_err(UsageError::from_diagnostic)?,
        })
    }

    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Name of the core.
    pub(super) fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Builds the core, or finds it in the cache; tells that it builds, if it is to be shown.
    pub(super) fn build(&self, choice: &Choice, is_shown: bool) -> Result<CoreLibrary, UsageError> {
        let builder = self.builder(choice);
        let said = std::sync::atomic::AtomicBool::new(!is_shown);
        let what = format!("building {} {}", self.name(), choice.parameters.join(" "));
        let on_step = |_: BuildStep| {
            if !said.swap(true, std::sync::atomic::Ordering::Relaxed) {
                eprintln!("{}", what.trim_end());
            }
        };
        let library = builder.build_with(&self.toolchain, &self.cache, &on_step);
        library.map_err(UsageError::from_diagnostic)
    }

    /// Files that the core is made from, as far as they are known before it is built.
    pub(super) fn files(&self, choice: &Choice) -> Result<Vec<PathBuf>, UsageError> {
        let files = self.builder(choice).files(&self.toolchain, &self.cache);
        files.map_err(UsageError::from_diagnostic)
    }

    fn builder(&self, choice: &Choice) -> CoreBuilder {
        let parameters = choice.parameters.iter().map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (name.to_owned(), value_of(value))
        });
        CoreBuilder {
            parameters: parameters.collect(),
            trace: choice.trace,
            random_reset: choice.has_random_reset,
            ..CoreBuilder::new(self.manifest.clone())
        }
    }
}

/// A number, or the name of a value.
fn value_of(text: &str) -> ParameterValue {
    text.parse::<i64>()
        .map_or_else(|_| ParameterValue::from(text), ParameterValue::from)
}
