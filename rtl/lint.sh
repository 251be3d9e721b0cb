#!/bin/sh
# Lints every module of the engine alone, at several parameter sets, and checks that impossible parameters
# are refused. Environment: VERILATOR, the program to run (default: verilator), and VERILATOR_ROOT if it needs
# one. Exits 1 if anything is reported.
set -u
cd "$(dirname "$0")" || exit 2
: "${VERILATOR:=verilator}"
if ! command -v "$VERILATOR" >/dev/null 2>&1; then
    echo "lint.sh: $VERILATOR not found: run \`make lint\`, or set VERILATOR to an installed Verilator" >&2
    exit 2
fi
failures=0
runs=0

# lint MODULE [-GParameter=value ...]
lint() {
    top=$1
    shift
    runs=$((runs + 1))
    if ! output=$("$VERILATOR" --lint-only --assert -Wall "$@" lint.vlt -f files.f --top-module "$top" 2>&1); then
        echo "lint.sh: $top $*"
        echo "$output"
        failures=$((failures + 1))
    fi
}

# lint_rules FILE: a rule module, which belongs to no engine.
lint_rules() {
    top=$(basename "$1" .sv)
    file=$1
    shift
    runs=$((runs + 1))
    if ! output=$("$VERILATOR" --lint-only --assert -Wall "$@" lint.vlt "$file" --top-module "$top" 2>&1); then
        echo "lint.sh: $file $*"
        echo "$output"
        failures=$((failures + 1))
    fi
}

# refuse TEXT -GParameter=value ...: elaboration must stop with TEXT.
refuse() {
    text=$1
    shift
    runs=$((runs + 1))
    output=$("$VERILATOR" --lint-only "$@" lint.vlt -f files.f --top-module dma_engine 2>&1)
    case $output in
    *"$text"*) ;;
    *)
        echo "lint.sh: dma_engine $*: expected to be refused with \"$text\", got:"
        echo "$output"
        failures=$((failures + 1))
        ;;
    esac
}

for file in dma_*.sv; do
    module=${file%.sv}
    [ "$module" = dma_pkg ] && continue
    [ "$module" = dma_engine ] || lint "$module"
done
lint dma_engine_regs

for width in 32 64 128 256 512; do
    lint dma_engine -GDataWidth=$width
    lint dma_engine -GDataWidth=$width -GMaxBurstBeats=256 -GAddrMode=1 -GAddrBits=64
    lint_rules sva/axi_manager_rules.sv -GDataWidth=$width -GMaxReads=16 -GMaxWrites=16
    lint_rules sva/axi_stream_rules.sv -GDataWidth=$width
done
lint_rules sva/axi_manager_rules.sv -GAddrWidth=32 -GIdWidth=1 -GAxi3=1
lint_rules sva/axi_manager_rules.sv -GDataWidth=8 -GIdWidth=16
lint_rules sva/axi_manager_rules.sv -GDataWidth=1024
lint_rules sva/axi_manager_rules.sv -GMaxTracked=2
# For proofs the rules are assertions and assumptions.
lint_rules sva/axi_manager_rules.sv -DFORMAL -GMaxReads=16 -GMaxWrites=16
lint_rules sva/axi_manager_rules.sv -DFORMAL -GAddrWidth=32 -GIdWidth=1 -GAxi3=1
lint_rules sva/axi_stream_rules.sv -DFORMAL
lint_rules sva/axi_stream_rules.sv -DFORMAL -GIsInput=1
for bits in 16 24 32 40; do
    for mode in 0 1 2 3; do
        lint dma_engine -GAddrBits=$bits -GAddrMode=$mode
    done
done
lint dma_engine -GMaxBurstBeats=1 -GMaxReads=1 -GMaxWrites=1 -GFifoDepth=4 -GIdWidth=1
lint dma_engine -GMaxBurstBeats=5 -GMaxReads=3 -GMaxWrites=255 -GFifoDepth=8 -GIdWidth=8
lint dma_engine -GAddrMode=3 -GBoundaryBits=12
lint dma_engine -GAddrMode=3 -GBoundaryBits=32 -GAddrBits=64 -GMaxBurstBeats=256
lint dma_engine -GRingDepth=8
lint dma_engine -GRingDepth=0
lint dma_engine -GRingDepth=0 -GMaxBurstBeats=1 -GMaxReads=1 -GMaxWrites=1 -GFifoDepth=4 -GAddrMode=1
lint dma_read -GIsQueued=0
lint dma_write -GIsQueued=0
lint dma_channel -GHasRings=0
lint dma_engine_regs -GHasRings=0
lint dma_engine -GRingDepth=128 -GAddrBits=64 -GAddrMode=1
fault=1
while [ $fault -le 21 ]; do
    lint dma_engine -GPlantedFault=$fault
    fault=$((fault + 1))
done

refuse "DataWidth must be 32, 64, 128, 256 or 512" -GDataWidth=48
refuse "AddrBits must be 16 to 64" -GAddrBits=65
refuse "AddrMode must be 0" -GAddrMode=4
refuse "BoundaryBits must be 12 to 64" -GBoundaryBits=11
refuse "BoundaryBits must be 12 to 64" -GAddrMode=3 -GBoundaryBits=65
refuse "MaxBurstBeats must be 1 to 256" -GMaxBurstBeats=0
refuse "MaxReads must be 1 to 255" -GMaxReads=0
refuse "MaxWrites must be 1 to 255" -GMaxWrites=256
refuse "FifoDepth must be a power of two" -GFifoDepth=48
refuse "FifoDepth must hold a burst" -GFifoDepth=16 -GMaxBurstBeats=32
refuse "RingDepth must be 0 (no rings), 8, 16, 32, 64 or 128" -GRingDepth=48
refuse "IdWidth must be 1 to 32" -GIdWidth=0
refuse "PlantedFault must be one of" -GPlantedFault=99

echo "lint.sh: $runs runs, $failures with findings"
[ $failures -eq 0 ]
