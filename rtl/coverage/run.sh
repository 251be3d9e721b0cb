#!/bin/sh
# Counts what the suite and the register-level tests reach in the engine, and reports it (results/coverage).
# Exits 1 if a test fails or the report finds something.
set -u
cd "$(dirname "$0")/../.." || exit 2
folder=$PWD/results/coverage
rm -rf "$folder/data"
mkdir -p "$folder/data"

# Cores that count are built apart from the others; bin/ stands in for the tools that build them.
if [ -n "${VERILATOR:-}" ]; then
    VERILATOR_ROOT=${VERILATOR_ROOT:-$("$VERILATOR" --getenv VERILATOR_ROOT)} || exit 2
else
    VERILATOR_ROOT=$PWD/.venv/verilator
fi
VERILATOR=$PWD/rtl/coverage
CXX=$PWD/rtl/coverage/bin/g++
REBOUND_CACHE=$PWD/.cache/coverage
DMA_COVERAGE=$folder/data
export VERILATOR_ROOT VERILATOR CXX REBOUND_CACHE DMA_COVERAGE

flags="--locked --release --workspace --all-features"
failed=0
# shellcheck disable=SC2086  # flags are words
cargo test $flags --test engine || failed=1
# shellcheck disable=SC2086  # flags are words
cargo test $flags --no-run --quiet || exit 2
"${CARGO_TARGET_DIR:-target}/release/rebound" sim --no-comparison --results "$folder" --waves-folder "$folder" || failed=1

python3 rtl/coverage/report.py "$folder/data" || failed=1
exit $failed
