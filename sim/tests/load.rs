//! Libraries that are not ours, or not whole, are refused with a sentence.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{build, probe, toolchain};
use rebound_sim::device::Device;
use rebound_sim::verilate::CoreLibrary;

/// What loading says when the library's file is replaced by `make`.
fn refusal(make: impl FnOnce(&CoreLibrary, &Path)) -> String {
    let library = build(&probe());
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("core.so");
    make(&library, &path);
    let error = Device::load(&library.with_path(&path), 1)
        .expect_err("must be refused")
        .to_string();
    let start = format!("{}: expected ", path.display());
    assert!(error.starts_with(&start), "{error}");
    error
}

fn compile(source: &str, to: &Path) {
    let file = to.with_extension("cpp");
    fs::write(&file, source).expect("written");
    let status = Command::new(toolchain().compiler())
        .args(["-shared", "-fPIC", "-w", "-o"])
        .args([to, &file])
        .arg(concat!("-I", env!("CARGO_MANIFEST_DIR"), "/src/cxx"))
        .status()
        .expect("the compiler runs");
    assert!(status.success());
}

#[test]
fn a_file_that_is_no_library_is_refused() {
    let error = refusal(|_, path| fs::write(path, "not a library").expect("written"));
    assert!(error.contains("expected a shared library, got"), "{error}");
}

#[test]
fn a_library_that_is_gone_is_refused() {
    assert!(refusal(|_, _| ()).contains("No such file"));
}

#[test]
fn a_library_cut_short_is_refused() {
    let error = refusal(|library, path| {
        let whole = fs::read(library.path()).expect("readable");
        fs::write(path, &whole[..whole.len() / 20]).expect("written");
    });
    assert!(error.contains("expected a shared library of "), "{error}");
}

#[test]
fn a_foreign_library_is_refused() {
    let error = refusal(|_, path| compile("int x;", path));
    assert!(
        error.contains("expected a core library, got one without rebound_library"),
        "{error}"
    );
    let error = refusal(|_, path| {
        compile(
            "extern \"C\" { char rebound_library[64] = \"other\"; }",
            path,
        );
    });
    assert!(
        error.contains("got one with a foreign rebound_library"),
        "{error}"
    );
}

#[test]
fn a_library_of_another_abi_is_refused() {
    let source = r#"
        #include "rebound_abi.h"
        extern "C" rebound::LibraryInfo rebound_library = {"rebound-library", rebound::kAbi + 1, 8, "x", nullptr};
    "#;
    let error = refusal(|_, path| compile(source, path));
    assert!(
        error.contains("expected a core library of abi 2 with")
            && error.contains("got abi 3 with 8"),
        "{error}"
    );
}

#[test]
fn a_model_that_cannot_be_made_is_refused_with_its_reason() {
    let source = r#"
        #include "rebound_abi.h"
        #include <cstring>
        static rebound::Model* create(std::uint64_t, char* error, std::size_t) {
            std::strcpy(error, "no memory");
            return nullptr;
        }
        extern "C" rebound::LibraryInfo rebound_library =
            {"rebound-library", rebound::kAbi, rebound::kPinBytes, "x", create};
    "#;
    let error = refusal(|_, path| compile(source, path));
    assert!(error.contains("expected a model, got no memory"), "{error}");
}
