#!/bin/sh
# Counts what the suite and the register-level tests reach in the engine, and reports it (results/coverage).
# Exits 1 if a test fails or the report finds something.
set -u
cd "$(dirname "$0")/../.." || exit 2
folder=$PWD/results/coverage
rm -rf "$folder/data"
mkdir -p "$folder/data"

# Cores that count are built apart from the others, by counting.sh.
if [ -n "${VERILATOR:-}" ]; then
    VERILATOR_ROOT=${VERILATOR_ROOT:-$("$VERILATOR" --getenv VERILATOR_ROOT)} || exit 2
else
    VERILATOR_ROOT=$PWD/.venv/verilator
fi
DMA_COVERAGE=$folder/data
export VERILATOR_ROOT DMA_COVERAGE
counting=$PWD/rtl/coverage/counting.sh
failed=0

# The program is built with its tests.
cargo test --locked --release --workspace --all-features --test engine \
    --config "target.'cfg(all())'.runner = ['sh', '$counting']" || failed=1
sh "$counting" "${CARGO_TARGET_DIR:-target}/release/rebound" sim --no-comparison --results "$folder" \
    --waves-folder "$folder" || failed=1

python3 rtl/coverage/report.py "$folder/data" || failed=1
exit $failed
