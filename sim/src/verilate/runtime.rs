//! Verilator's runtime and our shim as objects, compiled once for each tool version and trace format.

use std::fs;
use std::path::{Path, PathBuf};

use super::compile::{self, CompileJob, Heat};
use super::{BuildError, BuildStep};
use crate::cache::{Cache, CacheError, KeyHasher, write_whole};
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

/// Finds or compiles the parts of the runtime named in `parts` (`verilated`, `verilated_dpi`, …).
pub(super) fn runtime(
    toolchain: &Toolchain,
    cache: &Cache,
    trace: TraceKind,
    parts: &[String],
    on_step: &(dyn Fn(BuildStep) + Sync),
) -> Result<Runtime, BuildError> {
    let flags = compile::common_flags(toolchain, trace);
    let mut hasher = KeyHasher::default();
    hasher
        .add("tools", toolchain.describe().as_bytes())
        .add("flags", flags.join("\n").as_bytes());
    for (name, content) in SHIM_FILES.iter().chain(&COMPRESSION_FILES) {
        hasher.add(name, content);
    }
    let key = hasher.finish();
    let folder = cache.sub_folder(&format!("runtime/{key}"))?;
    let has_fst = trace == TraceKind::Fst;
    let mut files: Vec<PathBuf> = parts
        .iter()
        .map(|part| toolchain.root().join(format!("include/{part}.cpp")))
        .collect();
    files.push(folder.join("rebound_shim.cpp"));
    let object_of =
        |file: &Path| folder.join(file.with_extension("o").file_name().unwrap_or_default());
    let mut objects: Vec<PathBuf> = files.iter().map(|file| object_of(file)).collect();
    if has_fst {
        objects.extend(["liblz4.a", "libz.a"].map(|archive| folder.join(archive)));
    }
    let is_complete = || objects.iter().all(|object| object.is_file());
    if !is_complete() {
        let lock = cache.lock(&format!("runtime-{key}"), || on_step(BuildStep::Waiting))?;
        if !is_complete() {
            on_step(BuildStep::Runtime);
            for (name, content) in SHIM_FILES
                .iter()
                .chain(COMPRESSION_FILES.iter().filter(|_| has_fst))
            {
                write_whole(&folder, &folder.join(name), content)?;
            }
            let work = cache.work_folder()?;
            let jobs: Vec<CompileJob> = files
                .iter()
                .filter(|file| !object_of(file).is_file())
                .map(|file| CompileJob {
                    source: file.clone(),
                    object: work
                        .path()
                        .join(object_of(file).file_name().unwrap_or_default()),
                    heat: Heat::Hot,
                })
                .collect();
            let include = toolchain.root().join("include");
            let includes = [folder.clone(), include.clone(), include.join("vltstd")];
            compile::compile_all(toolchain, work.path(), &flags, &includes, &jobs, on_step)?;
            for job in &jobs {
                let object = object_of(&job.source);
                fs::rename(&job.object, &object).map_err(CacheError::io("move to", &object))?;
            }
        }
        drop(lock);
    }
    Ok(Runtime { folder, objects })
}
