//! Verilator's runtime and our shim as objects, compiled once for each tool version and trace format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compile::{self, CompileJob, Heat};
use super::{BuildError, BuildStep};
use crate::cache::{Cache, CacheError, KeyHasher, hash_of, to_json, write_whole};
use crate::toolchain::Toolchain;
use crate::trace::TraceKind;

/// C++ of ours that each library has, by file name.
pub(super) const SHIM_FILES: [(&str, &[u8]); 4] = [
    ("rebound_abi.h", include_bytes!("../cxx/rebound_abi.h")),
    ("rebound_hooks.h", include_bytes!("../cxx/rebound_hooks.h")),
    ("rebound_shim.h", include_bytes!("../cxx/rebound_shim.h")),
    (
        "rebound_shim.cpp",
        include_bytes!("../cxx/rebound_shim.cpp"),
    ),
];

/// Compression that the FST writer needs, packed by the build script.
const COMPRESSION_FILES: [(&str, &[u8]); 5] = [
    ("lz4.h", include_bytes!(concat!(env!("OUT_DIR"), "/lz4.h"))),
    (
        "zlib.h",
        include_bytes!(concat!(env!("OUT_DIR"), "/zlib.h")),
    ),
    (
        "zconf.h",
        include_bytes!(concat!(env!("OUT_DIR"), "/zconf.h")),
    ),
    (
        "liblz4.a",
        include_bytes!(concat!(env!("OUT_DIR"), "/liblz4.a")),
    ),
    (
        "libz.a",
        include_bytes!(concat!(env!("OUT_DIR"), "/libz.a")),
    ),
];

/// The compiled runtime.
#[derive(Debug)]
pub(super) struct Runtime {
    /// Folder with our headers, for the core's own files.
    pub(super) folder: PathBuf,
    /// Objects and archives to link.
    pub(super) objects: Vec<PathBuf>,
}

/// File of the hashes of the objects in a runtime's folder.
const HASHES: &str = "hashes.json";

/// Hash of each object by its file name. An object without one, or with another, is compiled anew.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Hashes(BTreeMap<String, String>);

impl Hashes {
    /// What was noted when the objects were compiled; nothing, if that cannot be read.
    fn read(folder: &Path) -> Self {
        fs::read(folder.join(HASHES))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    fn write(&self, folder: &Path) -> Result<(), CacheError> {
        write_whole(folder, &folder.join(HASHES), &to_json(self))
    }

    /// Whether the object is there as it was compiled.
    fn fits(&self, object: &Path) -> bool {
        let noted = self.0.get(&*name_of(object));
        noted.is_some_and(|noted| hash_of(object).is_ok_and(|found| found == *noted))
    }
}

fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Finds or compiles the parts of the runtime named in `parts` (`verilated`, `verilated_dpi`, …).
pub(super) fn runtime(
    toolchain: &Toolchain,
    cache: &Cache,
    trace: TraceKind,
    parts: &[String],
    on_step: &(dyn Fn(BuildStep) + Sync),
) -> Result<Runtime, BuildError> {
    let flags = compile::common_flags(toolchain, trace);
    let key = key(toolchain, &flags);
    let folder = cache.used_folder(&format!("runtime/{key}"))?;
    let mut sources: Vec<PathBuf> = parts
        .iter()
        .map(|part| toolchain.root().join(format!("include/{part}.cpp")))
        .collect();
    sources.push(folder.join("rebound_shim.cpp"));
    let object_of =
        |source: &Path| folder.join(source.with_extension("o").file_name().unwrap_or_default());

    // Several builds may find the same damage: one mends it.
    let lock = cache.lock(&format!("runtime-{key}"), || on_step(BuildStep::Waiting))?;
    let embedded = embedded_files(trace);
    for (name, content) in &embedded {
        let path = folder.join(name);
        if fs::read(&path).ok().as_deref() != Some(content) {
            write_whole(&folder, &path, content)?;
        }
    }
    let mut hashes = Hashes::read(&folder);
    let missing: Vec<&PathBuf> = sources
        .iter()
        .filter(|source| !hashes.fits(&object_of(source)))
        .collect();
    if !missing.is_empty() {
        on_step(BuildStep::Runtime);
        let work = cache.work_folder()?;
        let jobs: Vec<CompileJob> = missing
            .into_iter()
            .map(|source| CompileJob {
                source: source.clone(),
                object: work.path().join(&*name_of(&object_of(source))),
                heat: Heat::Hot,
            })
            .collect();
        let include = toolchain.root().join("include");
        let includes = [folder.clone(), include.clone(), include.join("vltstd")];
        compile::compile_all(toolchain, work.path(), &flags, &includes, &jobs, on_step)?;
        for job in &jobs {
            let object = object_of(&job.source);
            hashes
                .0
                .insert(name_of(&object).into_owned(), hash_of(&job.object)?);
            fs::rename(&job.object, &object).map_err(CacheError::io("move to", &object))?;
        }
        hashes.write(&folder)?;
    }
    drop(lock);
    let archives = embedded.iter().filter(|(name, _)| name.ends_with(".a"));
    let objects = sources
        .iter()
        .map(|source| object_of(source))
        .chain(archives.map(|(name, _)| folder.join(name)))
        .collect();
    Ok(Runtime { folder, objects })
}

/// Everything that decides about the objects.
fn key(toolchain: &Toolchain, flags: &[String]) -> String {
    let mut hasher = KeyHasher::default();
    hasher
        .add("tools", toolchain.describe().as_bytes())
        .add("flags", flags.join("\n").as_bytes());
    for (name, content) in SHIM_FILES.iter().chain(&COMPRESSION_FILES) {
        hasher.add(name, content);
    }
    hasher.finish()
}

/// Files of ours that the runtime needs.
fn embedded_files(trace: TraceKind) -> Vec<(&'static str, &'static [u8])> {
    let has_fst = trace == TraceKind::Fst;
    SHIM_FILES
        .into_iter()
        .chain(COMPRESSION_FILES.into_iter().filter(|_| has_fst))
        .collect()
}
