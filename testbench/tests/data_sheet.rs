//! `rebound characterize` on sample cores: what it prints, the files, and the exit code.

use std::path::Path;

use assert_cmd::Command;

/// What a run left.
struct Sheet {
    code: Option<i32>,
    printed: String,
    errors: String,
    json: serde_json::Value,
    page: String,
}

fn characterize(core: &str, arguments: &[&str]) -> Sheet {
    let results = tempfile::tempdir().expect("a temporary folder");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let output = Command::cargo_bin("rebound")
        .expect("the program is built")
        .current_dir(repository.expect("the repository"))
        .arg("characterize")
        .arg(format!("testbench/cores/{core}/{core}.toml"))
        .args(arguments)
        .arg("--results")
        .arg(results.path())
        .output()
        .expect("it starts");
    let read = |name: &str| std::fs::read_to_string(results.path().join(name)).unwrap_or_default();
    Sheet {
        code: output.status.code(),
        printed: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        json: serde_json::from_str(&read("characterize.json")).unwrap_or_default(),
        page: read("characterize.html"),
    }
}

#[test]
fn a_sound_core_keeps_its_manifest_and_its_limits_are_those_declared() {
    let sheet = characterize("words_copy", &["--format", "toml"]);
    assert_eq!(sheet.code, Some(0), "{}{}", sheet.printed, sheet.errors);
    for line in [
        "[limits]",
        "address_bits = 32",
        "max_length = 4096",
        "alignment = 4",
    ] {
        assert!(
            sheet.printed.lines().any(|one| one == line),
            "{line}: {}",
            sheet.printed
        );
    }
    assert_eq!(sheet.json["sheet"]["core"]["name"], "words_copy");
    assert!(sheet.page.contains("SOUND"));
}

#[test]
fn a_core_that_wraps_at_4_gib_gets_its_boundary_and_exit_code_1() {
    let sheet = characterize("launch_copy", &["--param", "Defect=3", "--format", "c"]);
    assert_eq!(sheet.code, Some(1), "{}{}", sheet.printed, sheet.errors);
    let line = "\tdma_set_seg_boundary(dev, 0xffffffff);";
    assert!(
        sheet.printed.lines().any(|one| one == line),
        "{}",
        sheet.printed
    );
    let worst = &sheet.json["derived"]["disagreements"][0];
    assert_eq!(worst["field"], "limits.boundary");
    assert_eq!(worst["severity"], "corrupts");
    assert!(sheet.page.contains("wraps-4g"));
}

#[test]
fn a_parameter_that_the_core_lacks_is_a_wrong_request_and_leaves_no_file() {
    let sheet = characterize("words_copy", &["--param", "Colour=3"]);
    assert_eq!(sheet.code, Some(2), "{}{}", sheet.printed, sheet.errors);
    assert!(sheet.errors.contains("Colour"), "{}", sheet.errors);
    assert!(sheet.page.is_empty() && sheet.json.is_null());
}
