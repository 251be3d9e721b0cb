//! `rebound validate --watch`: runs again when a source changes, and ends with a verdict at Ctrl-C.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Long enough for a core to be built on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A running `rebound validate --watch` with what it prints.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(manifest: &Path, results: &Path) -> Self {
        let testbench = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_rebound"))
            .current_dir(testbench.parent().expect("the project"))
            .arg("validate")
            .arg(manifest)
            .args(["--watch", "--scenario", "basic/smallest", "--results"])
            .arg(results)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// What is printed up to the line that says that it watches.
    fn round(&self) -> String {
        let mut text = String::new();
        while !text.contains("---- watching ") {
            let line = self.lines.recv_timeout(PATIENCE);
            text += &line.unwrap_or_else(|error| panic!("{error}: {text}"));
            text.push('\n');
        }
        text
    }

    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("kill is there").success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Only if the test has failed: nobody else ends it.
        _ = self.child.kill();
    }
}

#[test]
fn a_change_of_a_source_or_of_the_manifest_starts_another_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cores = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cores");
    for name in ["idle_drop.sv", "idle_drop.toml"] {
        std::fs::copy(cores.join(name), folder.path().join(name)).expect("copied");
    }
    let manifest = folder.path().join("idle_drop.toml");
    let source = folder.path().join("idle_drop.sv");
    let watch = Watch::start(&manifest, &folder.path().join("results"));
    let first = watch.round();
    assert!(first.contains("PASS    basic/smallest"), "{first}");

    let change = |path: &Path, from: &str, to: &str| {
        let text = std::fs::read_to_string(path).expect("readable");
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replacen(from, to, 1)).expect("written");
    };
    change(&source, "<= s_axis_tdata", "<= ~s_axis_tdata");
    let second = watch.round();
    assert!(second.contains("idle_drop.sv has changed"), "{second}");
    assert!(second.contains("FAIL    basic/smallest"), "{second}");

    // A manifest that is wrong ends nothing: the next change mends it.
    change(&manifest, "drops_idle_data", "drops_idle_date");
    let third = watch.round();
    assert!(third.contains("idle_drop.toml has changed"), "{third}");
    assert!(!third.contains("basic/smallest"), "{third}");
    change(&manifest, "drops_idle_date", "drops_idle_data");
    let fourth = watch.round();
    assert!(fourth.contains("FAIL    basic/smallest"), "{fourth}");
    assert_eq!(watch.interrupt(), Some(1));
}
