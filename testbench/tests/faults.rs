//! The family `fault`: every fault that the engine can be built with is caught by what names it.

use std::path::Path;

use assert_cmd::Command;

#[test]
fn every_planted_fault_of_the_engine_is_caught_by_its_check_or_rule() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let testbench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = testbench.parent().expect("the crate lies in the project");
    let run = Command::new(env!("CARGO_BIN_EXE_rebound"))
        .current_dir(project)
        .args(["sim", "--scenario", "fault", "--no-comparison", "--results"])
        .arg(folder.path())
        .assert()
        .success();
    let text = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert_eq!(text.matches("CAUGHT fault/").count(), 21, "{text}");
}
