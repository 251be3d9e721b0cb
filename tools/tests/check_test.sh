#!/bin/sh
# On a machine where something is missing, one line says what to install, and the exit code is 2.
set -u
. tools/tests/common.sh

everything="g++ c++ cc make python3 cargo"

# except TOOL: everything but one tool.
except() {
    for tool in $everything; do
        [ "$tool" = "$1" ] || printf '%s ' "$tool"
    done
}

machine complete $everything
on_machine /bin/sh tools/check.sh python rust-tools
expect_code 0 "nothing is missing"
[ -z "$out$err" ] || fail "nothing is missing: expected silence, found: $out$err"

# missing TOOL TEXT...: without TOOL, the line has each TEXT.
missing() {
    tool=$1
    shift
    machine "no-$tool" $(except "$tool")
    on_machine /bin/sh tools/check.sh python rust-tools
    expect_code 2 "no $tool"
    expect_one_line "no $tool"
    for text in "$@"; do
        expect_text "$err" "$text" "no $tool"
    done
}
missing g++ "g++ is missing" "Debian package g++"
missing cc "g++ is missing" "Debian package g++"
missing make "make is missing" "Debian package make"
missing python3 "python3 is missing" "Debian packages python3 and python3-venv"
missing cargo "cargo is missing" "Rust 1.89 or newer with rustup" "Debian package cargo"

machine no-venv $(except python3)
fake python3 "case \"\$*\" in *ensurepip*) exit 1 ;; esac; exec '$real_python' \"\$@\""
on_machine /bin/sh tools/check.sh python
expect_code 2 "no venv"
expect_one_line "no venv"
expect_text "$err" "Debian package python3-venv" "no venv"
on_machine /bin/sh tools/check.sh
expect_code 0 "no venv, and none wanted"

machine old-python $(except python3)
fake python3 "exit 1"
on_machine /bin/sh tools/check.sh python
expect_code 2 "old Python"
expect_text "$err" "python3 is too old: install Python 3.10 or newer" "old Python"

machine old-cargo $(except cargo)
fake cargo 'echo "cargo 1.85.0 (d73d2caf9 2024-12-31)"'
on_machine /bin/sh tools/check.sh
expect_code 2 "old cargo"
expect_one_line "old cargo"
expect_text "$err" "cargo 1.85.0 is too old: install Rust 1.89 or newer" "old cargo"

for version in 1.89.0 1.100.0-nightly 2.0.0; do
    fake cargo "echo 'cargo $version'"
    on_machine /bin/sh tools/check.sh
    expect_code 0 "cargo $version"
done

machine rustup-only $(except cargo)
fake cargo 'echo "error: rustup could not choose a version of cargo to run" >&2; exit 1'
on_machine /bin/sh tools/check.sh
expect_code 2 "rustup without a toolchain"
expect_one_line "rustup without a toolchain"
expect_text "$err" "cargo is missing" "rustup without a toolchain"

machine plain-cargo $(except cargo)
fake cargo 'case "$1" in --version) echo "cargo 1.89.0" ;; *) exit 101 ;; esac'
on_machine /bin/sh tools/check.sh rust-tools
expect_code 2 "no rustfmt and clippy"
expect_one_line "no rustfmt and clippy"
expect_text "$err" "rustup component add rustfmt" "no rustfmt"
expect_text "$err" "rustup component add clippy" "no clippy"

machine nothing
on_machine /bin/sh tools/check.sh python
expect_code 2 "an empty machine"
expect_one_line "an empty machine"
for package in g++ make python3-venv cargo; do
    expect_text "$err" "$package" "an empty machine"
done

finish
