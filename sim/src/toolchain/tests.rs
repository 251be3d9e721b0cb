//! Tools that are there, missing, too old, silent or slow.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A folder that looks like an installed Verilator of the given version.
fn installed(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("folder");
        std::fs::write(path, text).expect("write");
    };
    write("bin/verilator_bin", "");
    script(
        &folder.path().join("bin/verilator"),
        &format!("echo Verilator {version}"),
    );
    write("share/verilator/include/verilated.h", "");
    write(
        "share/verilator/include/verilated_config.h",
        &format!("#define VERILATOR_VERSION \"{version}\"\n"),
    );
    folder
}

/// An executable of the shell.
fn script(path: &Path, body: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{body}\n")).expect("written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("ours");
}

fn find(verilator: PathBuf) -> Result<Toolchain, ToolchainError> {
    Toolchain::find(&ToolSearch {
        verilator: Some(verilator),
        ..ToolSearch::default()
    })
}

#[test]
fn versions_are_read_in_both_spellings() {
    let version = |text| VerilatorVersion::parse(text).expect("a version");
    assert_eq!(version("5.006 2023-01-22").to_string(), "5.006");
    assert_eq!(version("5.49").to_string(), "5.049");
    assert!(version("5.049") > version("5.006 2023-01-22"));
    assert_eq!(VerilatorVersion::parse("rev UNKNOWN"), None);
}

#[test]
fn an_installed_verilator_is_taken_with_the_program_behind_its_front() {
    let folder = installed("5.006 2023-01-22");
    let toolchain = find(folder.path().join("bin/verilator")).expect("new enough");
    assert!(toolchain.verilator().ends_with("bin/verilator_bin"));
    assert!(toolchain.root().ends_with("share/verilator"));
    assert_eq!(toolchain.version(), OLDEST_VERILATOR);
}

#[test]
fn an_old_verilator_is_refused_with_both_versions() {
    let folder = installed("4.228 2022-10-01");
    let error = find(folder.path().join("bin/verilator"))
        .expect_err("too old")
        .to_string();
    assert!(
        error.contains("expected Verilator 5.006 or newer, got 4.228"),
        "{error}"
    );
}

#[test]
fn a_path_to_nothing_is_refused() {
    let error = find(PathBuf::from("/nowhere/verilator"))
        .expect_err("nothing there")
        .to_string();
    assert!(
        error.starts_with("VERILATOR=/nowhere/verilator: expected the path"),
        "{error}"
    );
}

#[test]
fn without_any_verilator_the_message_says_how_to_get_one() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let search = ToolSearch {
        venv: Some(folder.path().to_owned()),
        ..ToolSearch::default()
    };
    let error = Toolchain::find(&search)
        .expect_err("none there")
        .to_string();
    assert!(
        error.contains("make sim") && error.contains("VERILATOR=/usr/bin/verilator"),
        "{error}"
    );
}

#[test]
fn far_from_the_project_the_verilator_beside_the_program_is_found() {
    let project = tempfile::tempdir().expect("temporary folder");
    for (name, text) in [
        ("bin/verilator_bin", ""),
        ("include/verilated.h", ""),
        (
            "include/verilated_config.h",
            "#define VERILATOR_VERSION \"5.048\"\n",
        ),
    ] {
        let path = project.path().join(".venv/verilator").join(name);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("folder");
        std::fs::write(path, text).expect("written");
    }
    let elsewhere = tempfile::tempdir().expect("temporary folder");
    let mut search = ToolSearch {
        start: elsewhere.path().to_owned(),
        ..ToolSearch::default()
    };
    Toolchain::find(&search).expect_err("none there");
    search.program = Some(project.path().join("target/release/rebound"));
    let toolchain = Toolchain::find(&search).expect("above the program");
    assert!(toolchain.root().starts_with(project.path()));
}

#[test]
fn a_missing_compiler_names_the_debian_package() {
    let folder = installed("5.048");
    let search = ToolSearch {
        verilator: Some(folder.path().join("bin/verilator")),
        compiler: Some(PathBuf::from("no-such-compiler")),
        ..ToolSearch::default()
    };
    let error = Toolchain::find(&search)
        .expect_err("no compiler")
        .to_string();
    assert!(error.contains("install the Debian package g++"), "{error}");
}

/// The refusal of a `$VERILATOR` that is this script.
fn refused_verilator(body: &str) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("verilator");
    script(&path, body);
    find(path).expect_err("no Verilator of ours").to_string()
}

#[test]
fn an_old_verilator_is_told_from_its_own_words() {
    let error = refused_verilator("echo Verilator 4.038 2020-07-11 rev v4.036-114-g0cd4a57ad");
    assert!(
        error.contains("verilator is too old: expected Verilator 5.006 or newer, got 4.038; leave VERILATOR unset"),
        "{error}"
    );
}

#[test]
fn a_program_that_is_no_verilator_is_refused_with_what_it_prints() {
    for (body, got) in [
        ("true", "got a program that prints nothing for --version"),
        (
            "echo hello; exit 3",
            "got a program that prints `hello` for --version",
        ),
    ] {
        let error = refused_verilator(body);
        assert!(
            error.contains(got) && error.contains("leave VERILATOR unset to use the pinned one"),
            "{error}"
        );
    }
}

#[test]
fn a_verilator_that_cannot_be_executed_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    let error = find(file.path().to_owned())
        .expect_err("no program")
        .to_string();
    assert!(
        error.contains("got a file that is not executable; name one of version 5.006"),
        "{error}"
    );
}

/// What is found with this `$CXX` beside a good Verilator.
fn with_compiler(compiler: &Path, limit: Option<&str>) -> Result<Toolchain, ToolchainError> {
    let folder = installed("5.048");
    Toolchain::find(&ToolSearch {
        verilator: Some(folder.path().join("bin/verilator")),
        compiler: Some(compiler.to_owned()),
        limit: limit.map(Into::into),
        ..ToolSearch::default()
    })
}

#[test]
fn a_compiler_that_is_none_is_refused_with_what_it_does() {
    for (compiler, got) in [
        (
            "/bin/true",
            "expected CXX=/bin/true to be one, got nothing for -dumpversion, not a version",
        ),
        (
            "/bin/false",
            "got exit status: 1 for -dumpversion, and no word",
        ),
        (
            "/bin/echo",
            "got `-dumpversion -dumpmachine` for -dumpversion",
        ),
        (
            "g++ --bogus",
            "got no such program (CXX takes one path, without options",
        ),
        ("/nowhere/g++", "got no such program;"),
        ("/bin", "got a folder"),
        ("/etc/passwd", "got a file that is not executable"),
    ] {
        let error = with_compiler(Path::new(compiler), None)
            .expect_err("no compiler")
            .to_string();
        assert!(
            error.contains(got) && error.contains("or set CXX to the path of g++ or clang++"),
            "{compiler}: {error}"
        );
    }
}

#[test]
fn a_compiler_in_a_folder_with_spaces_is_found() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let inner = folder.path().join("my tools");
    std::fs::create_dir(&inner).expect("folder");
    script(&inner.join("g++"), "echo 12.2.0");
    let toolchain = with_compiler(&inner.join("g++"), None).expect("found");
    assert!(toolchain.compiler().ends_with("my tools/g++"));
    assert!(toolchain.describe().ends_with("my tools/g++ 12.2.0"));
}

#[test]
fn tools_that_do_not_answer_are_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let slow = folder.path().join("slow");
    script(&slow, "sleep 600");
    let error = with_compiler(&slow, Some("5"))
        .expect_err("it sleeps")
        .to_string();
    assert!(
        error.starts_with("CXX: expected an end within 5 s")
            && error.contains("slow -dumpfullversion"),
        "{error}"
    );
    let error = Toolchain::find(&ToolSearch {
        verilator: Some(slow),
        limit: Some("5".into()),
        ..ToolSearch::default()
    })
    .expect_err("it sleeps")
    .to_string();
    assert!(
        error.starts_with("VERILATOR: expected an end within 5 s")
            && error.contains("slow --version"),
        "{error}"
    );
}

#[test]
fn a_limit_that_is_no_number_of_seconds_is_refused() {
    for text in ["0", "-1", "soon", "1.5", "99999999999"] {
        let error = Toolchain::find(&ToolSearch {
            limit: Some(text.into()),
            ..ToolSearch::default()
        })
        .expect_err("no limit")
        .to_string();
        assert!(
            error.starts_with(&format!(
                "REBOUND_TOOL_SECONDS={text}: expected the seconds"
            )),
            "{error}"
        );
    }
}
