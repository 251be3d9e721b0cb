//! C++ to objects, several at a time, and objects to one library.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::tool::ToolCall;
use super::{BuildError, BuildStep};
use crate::cache::CacheError;
use crate::toolchain::Toolchain;
use crate::trace::TraceKind;

/// How much a file gains from optimisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heat {
    /// Runs every cycle.
    Hot,
    /// Runs once, or on failure.
    Cold,
}

/// A file to compile.
#[derive(Debug)]
pub(super) struct CompileJob {
    pub(super) source: PathBuf,
    pub(super) object: PathBuf,
    pub(super) heat: Heat,
}

/// Flags of every file of a library, so that the runtime and the core agree.
pub(super) fn common_flags(toolchain: &Toolchain, trace: TraceKind) -> Vec<String> {
    let mut flags: Vec<String> = [
        "-std=gnu++17",
        "-fPIC",
        "-w",
        // A library hides everything but its one entry, so that several can be loaded side by side.
        "-fvisibility=hidden",
        "-fvisibility-inlines-hidden",
        "-fcf-protection=none",
        "-fno-plt",
        "-pthread",
        "-include",
        "rebound_hooks.h",
        "-DVERILATOR=1",
        "-DVM_COVERAGE=0",
        "-DVM_SC=0",
        "-DVM_TRACE_SAIF=0",
    ]
    .map(str::to_owned)
    .to_vec();
    if !is_clang(toolchain) {
        flags.push("-fno-gnu-unique".to_owned());
    }
    let on = |is_on: bool| u8::from(is_on);
    flags.push(format!("-DVM_TRACE={}", on(trace != TraceKind::Off)));
    flags.push(format!("-DVM_TRACE_FST={}", on(trace == TraceKind::Fst)));
    flags.push(format!("-DVM_TRACE_VCD={}", on(trace == TraceKind::Vcd)));
    flags
}

fn is_clang(toolchain: &Toolchain) -> bool {
    toolchain
        .compiler()
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains("clang"))
}

/// Optimisation of one file.
pub(super) fn heat_flag(heat: Heat) -> &'static str {
    match heat {
        Heat::Hot => "-O3",
        Heat::Cold => "-O0",
    }
}

/// Source text that goes into one unit. Each unit reads Verilator's headers again, which takes a second,
/// and code of one unit is inlined; but one unit is compiled by one processor.
const UNIT_BYTES: u64 = 400_000;

/// Gathers generated files into few units that include them, hot and cold apart.
pub(super) fn bundle(
    files: &[(PathBuf, Heat)],
    folder: &Path,
) -> Result<Vec<CompileJob>, CacheError> {
    let mut jobs = Vec::new();
    for (heat, name) in [(Heat::Hot, "hot"), (Heat::Cold, "cold")] {
        let mut unit = String::new();
        let mut bytes = 0;
        let mut files = files.iter().filter(|(_, each)| *each == heat).peekable();
        while let Some((file, _)) = files.next() {
            let _ = writeln!(
                unit,
                "#include \"{}\"",
                file.file_name().unwrap_or_default().display()
            );
            bytes += fs::metadata(file)
                .map_err(CacheError::io("find", file))?
                .len();
            if bytes >= UNIT_BYTES || files.peek().is_none() {
                let source = folder.join(format!("{name}_{}.cpp", jobs.len()));
                fs::write(&source, &unit).map_err(CacheError::io("write", &source))?;
                jobs.push(CompileJob {
                    object: source.with_extension("o"),
                    source,
                    heat,
                });
                unit.clear();
                bytes = 0;
            }
        }
    }
    Ok(jobs)
}

/// Compiles all files, as many at a time as there are processors; stops at the first error.
pub(super) fn compile_all(
    toolchain: &Toolchain,
    folder: &Path,
    flags: &[String],
    includes: &[PathBuf],
    jobs: &[CompileJob],
    on_step: &(dyn Fn(BuildStep) + Sync),
) -> Result<(), BuildError> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = job
                .source
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let call = ToolCall::new(format!("compile {name}"), toolchain.compiler(), folder)
                .arg(heat_flag(job.heat))
                .args(flags)
                .args(
                    includes
                        .iter()
                        .map(|include| format!("-I{}", include.display())),
                )
                .arg("-c")
                .arg(&job.source)
                .arg("-o")
                .arg(&job.object);
            if let Err(error) = call.run(toolchain.limit()) {
                next.store(jobs.len(), Ordering::Relaxed);
                failure
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .get_or_insert(error);
                return;
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            on_step(BuildStep::Compiled {
                file: name,
                done,
                total: jobs.len(),
            });
        }
    };
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(jobs.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    match failure
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Links objects and archives into one shared library.
pub(super) fn link(
    toolchain: &Toolchain,
    folder: &Path,
    objects: &[PathBuf],
    library: &Path,
) -> Result<(), BuildError> {
    ToolCall::new("link the core", toolchain.compiler(), folder)
        .args([
            "-shared",
            "-pthread",
            "-Wl,-Bsymbolic",
            "-Wl,--exclude-libs,ALL",
            "-Wl,-z,defs",
            "-o",
        ])
        .arg(library)
        .args(objects)
        .run(toolchain.limit())
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_gathered_hot_and_cold_apart() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = |name: &str, bytes: usize, heat| {
            let path = folder.path().join(name);
            fs::write(&path, vec![b' '; bytes]).expect("written");
            (path, heat)
        };
        let files = [
            file("a.cpp", 10, Heat::Hot),
            file("b.cpp", 10, Heat::Cold),
            file("c.cpp", 400_000, Heat::Hot),
            file("d.cpp", 10, Heat::Hot),
        ];
        let jobs = bundle(&files, folder.path()).expect("bundled");
        let units: Vec<_> = jobs
            .iter()
            .map(|job| (job.heat, fs::read_to_string(&job.source).expect("readable")))
            .collect();
        assert_eq!(
            units,
            [
                (
                    Heat::Hot,
                    "#include \"a.cpp\"\n#include \"c.cpp\"\n".to_owned()
                ),
                (Heat::Hot, "#include \"d.cpp\"\n".to_owned()),
                (Heat::Cold, "#include \"b.cpp\"\n".to_owned()),
            ]
        );
    }
}
