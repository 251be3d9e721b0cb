//! Builds in processes of their own: at the same time, and killed in the middle.

mod common;

use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{probe, toolchain};
use rebound_sim::cache::Cache;
use rebound_sim::device::Device;
use rebound_sim::verilate::BuildStep;

/// Tells the other process which cache to use.
const CACHE_VARIABLE: &str = "REBOUND_TEST_CACHE";
/// What it prints when it builds rather than finds.
const LINKS: &str = "links the core itself";

/// Not a test by itself: what the other processes do.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn another_process_builds_the_probe() {
    let cache = Cache::at(env::var_os(CACHE_VARIABLE).expect("set by the test"));
    let on_step = |step| {
        if step == BuildStep::Linking {
            println!("{LINKS}");
        }
    };
    let library = probe()
        .build_with(&toolchain(), &cache, &on_step)
        .unwrap_or_else(|error| panic!("{error}"));
    Device::load(&library, 1).expect("loads");
}

/// Starts another process that builds the probe.
fn builder(cache: &Path, compiler: Option<&Path>) -> Child {
    // A shell starts what runs in the background with SIGINT ignored, which is inherited.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT")
        .arg(env::current_exe().expect("this program"))
        .args(["--exact", "another_process_builds_the_probe"])
        .args(["--ignored", "--nocapture"])
        .env(CACHE_VARIABLE, cache)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(compiler) = compiler {
        command.env("CXX", compiler);
    }
    command.spawn().expect("starts")
}

/// Looks until something is so; the test's own limit ends a failure.
fn eventually(is_so: impl Fn() -> bool) -> bool {
    (0..3000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        is_so()
    })
}

fn is_alive(process: &str) -> bool {
    // A zombie has ended: only its number is left, for whoever collects it.
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(") ").next().unwrap_or_default();
        !state.starts_with(['Z', 'X'])
    })
}

#[test]
fn processes_that_build_the_same_core_at_the_same_time_build_it_once() {
    let cache = tempfile::tempdir().expect("temporary folder");
    let builders: Vec<Child> = (0..4).map(|_| builder(cache.path(), None)).collect();
    let builds: usize = builders
        .into_iter()
        .map(|builder| {
            let output = builder.wait_with_output().expect("ends");
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8_lossy(&output.stdout);
            text.matches(LINKS).count()
        })
        .sum();
    assert_eq!(builds, 1);
}

#[test]
fn a_build_that_is_killed_leaves_no_process_and_the_next_one_succeeds() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let cache = folder.path().join("cache");
    let compiler = folder.path().join("g++");
    for (signal, number) in [("-KILL", 9), ("-INT", 2)] {
        // The compiler and a program that it starts, as g++ starts cc1plus.
        let log = folder.path().join(format!("processes{signal}"));
        common::compiler(
            &compiler,
            &format!("sleep 600 & echo \"$$ $!\" >>'{}'; wait", log.display()),
        );
        let mut builder = builder(&cache, Some(&compiler));
        let begun = || fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n'));
        assert!(eventually(begun), "the compiler was started");
        let kill = Command::new("kill")
            .args([signal, &builder.id().to_string()])
            .status();
        assert!(kill.expect("kill is there").success());
        let status = builder.wait().expect("ends");
        assert_eq!(status.signal(), Some(number), "{status}");

        let processes = fs::read_to_string(&log).expect("still there");
        for process in processes.split_whitespace() {
            assert!(
                eventually(|| !is_alive(process)),
                "{signal}: process {process} is still there"
            );
        }
    }
    let left = || fs::read_dir(cache.join("work")).expect("there").count();
    assert!(left() > 0, "what was killed could not clean up");

    let cache = Cache::at(&cache);
    let library = probe()
        .build(&toolchain(), &cache)
        .unwrap_or_else(|error| panic!("{error}"));
    Device::load(&library, 1).expect("loads");
    assert_eq!(left(), 0, "the next build cleans up");
}
