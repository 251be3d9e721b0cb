#!/bin/sh
# Says in one line what is missing on this machine, and exits 2; silent and 0 if nothing is.
# Arguments: `python` if the Python tools are wanted, `rust-tools` if rustfmt and clippy are.
# Only the shell itself is used, so that the answer is right on the barest machine.
set -u

rust_minimum=89   # 1.89: `rust-version` in Cargo.toml
python_minimum=10 # 3.10: what the pinned Python tools need

missing=

# need WHAT HOW: notes that WHAT is missing and HOW to get it.
need() {
    missing="${missing:+$missing; }$1: $2"
}

# has COMMAND...: true if every command is on the path.
has() {
    for name in "$@"; do
        command -v "$name" >/dev/null 2>&1 || return 1
    done
}

wants() {
    case " $wanted " in *" $1 "*) return 0 ;; esac
    return 1
}

wanted=$*

# Debian's g++ brings cc and c++ along; cargo links with the one and compiles C++ with the other.
has g++ c++ cc || need "g++ is missing" "install the Debian package g++"
has make || need "make is missing" "install the Debian package make"

if wants python; then
    if ! has python3; then
        need "python3 is missing" "install the Debian packages python3 and python3-venv"
    elif ! python3 -c "import sys; sys.exit(sys.version_info < (3, $python_minimum))" >/dev/null 2>&1; then
        need "python3 is too old" "install Python 3.$python_minimum or newer (Debian packages python3 and python3-venv)"
    elif ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
        need "python3 has no venv" "install the Debian package python3-venv"
    fi
fi

rust_how="install Rust 1.$rust_minimum or newer with rustup, or the Debian package cargo where it is that new"
if ! has cargo || ! version=$(cargo --version 2>/dev/null); then
    need "cargo is missing" "$rust_how"
else
    # "cargo 1.95.0 (f2d3ce0bd 2026-03-21)"
    version=${version#cargo }
    version=${version%% *}
    major=${version%%.*}
    minor=${version#*.}
    minor=${minor%%.*}
    case "$major$minor" in
    *[!0-9]* | '') need "cargo gives no version" "$rust_how" ;;
    *)
        if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "$minor" -lt "$rust_minimum" ]; }; then
            need "cargo $version is too old" "$rust_how"
        elif wants rust-tools; then
            cargo fmt --version >/dev/null 2>&1 ||
                need "rustfmt is missing" "rustup component add rustfmt, or the Debian package rustfmt"
            cargo clippy --version >/dev/null 2>&1 ||
                need "clippy is missing" "rustup component add clippy, or the Debian package rust-clippy"
        fi
        ;;
    esac
fi

[ -z "$missing" ] && exit 0
printf 'rebound: %s\n' "$missing" >&2
exit 2
