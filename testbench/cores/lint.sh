#!/bin/sh
# Lints each sample core at each width of data, sound and with each of its defects, and checks that a defect it
# does not have is refused. Environment: VERILATOR, the program to run (default: verilator), and VERILATOR_ROOT if
# it needs one. Exits 1 if anything is reported.
set -u
cd "$(dirname "$0")" || exit 2
: "${VERILATOR:=verilator}"
if ! command -v "$VERILATOR" >/dev/null 2>&1; then
    echo "lint.sh: $VERILATOR not found: run \`make tools\`, or set VERILATOR to an installed Verilator" >&2
    exit 2
fi
failures=0
runs=0

# lint TOP "FILES" [option ...]
lint() {
    top=$1
    files=$2
    shift 2
    runs=$((runs + 1))
    # FILES is split into its words.
    # shellcheck disable=SC2086
    if ! output=$("$VERILATOR" --lint-only --assert -Wall "$@" $files --top-module "$top" 2>&1); then
        echo "lint.sh: $top $*"
        echo "$output"
        failures=$((failures + 1))
    fi
}

# refuse TOP "FILES" TEXT option ...: elaboration must stop with TEXT.
refuse() {
    top=$1
    files=$2
    text=$3
    shift 3
    runs=$((runs + 1))
    # shellcheck disable=SC2086
    output=$("$VERILATOR" --lint-only "$@" $files --top-module "$top" 2>&1)
    case $output in
    *"$text"*) ;;
    *)
        echo "lint.sh: $top $*: expected to be refused with \"$text\", got:"
        echo "$output"
        failures=$((failures + 1))
        ;;
    esac
}

# core TOP "FILES" DEFECT ...
core() {
    name=$1
    sources=$2
    shift 2
    for width in 32 64 128; do
        for defect in 0 "$@"; do
            lint "$name" "$sources" -GDataWidth=$width -GDefect="$defect"
        done
    done
}

package=common/dma_defect_pkg.sv
split="$package common/burst_split.sv"
registers="$split common/axil_slave.sv"

axil_copy="$registers axil_copy/axil_copy.sv"
stream_copy="$split stream_copy/stream_copy.sv"
launch_copy="$split launch_copy/launch_registers.sv launch_copy/launch_copy.sv"
split_dma="$registers split_dma/split_registers.sv split_dma/split_mm2s.sv split_dma/split_s2mm.sv"
split_dma="$split_dma split_dma/split_dma.sv"
struct_copy="$split struct_copy/struct_copy.sv struct_copy/struct_copy_wrap.sv"
words_copy="$package words_copy/words_copy.sv"
two_clock_copy="$registers two_clock_copy/two_clock_copy.sv"

core axil_copy "$axil_copy" 1 9 12 18 19 20
core stream_copy "$stream_copy" 4 6 10 12 23 25
core launch_copy "$launch_copy" 3 9 13 21
core apb_copy apb_copy/apb_copy.v 2 8 15 16 24
core split_dma "$split_dma" 1 6 12 14
core struct_copy_wrap "$struct_copy" 5 7 11 22
core words_copy "$words_copy" 10 17 18
core two_clock_copy "$two_clock_copy" 4 8 12 13 14
lint apb_copy apb_copy/apb_copy.v --language 1364-2001

for beats in 2 16; do
    lint axil_copy "$axil_copy" -GMaxBeats=$beats -GAddrWidth=64
    lint stream_copy "$stream_copy" -GMaxBeats=$beats -GFifoBeats=32 -GAddrWidth=16
    lint launch_copy "$launch_copy" -GMaxBeats=$beats -GIdWidth=1 -GAddrWidth=33
    lint apb_copy apb_copy/apb_copy.v -GMaxBeats=$beats -GIdWidth=1 -GAddrWidth=17 -GLenWidth=14
    lint split_dma "$split_dma" -GMaxBeats=$beats -GAddrWidth=63
    lint struct_copy_wrap "$struct_copy" -GMaxBeats=$beats -GSlots=2 -GAddrWidth=16
    lint words_copy "$words_copy" -GMaxBeats=$beats -GAddrWidth=64 -GCountWidth=2
    lint two_clock_copy "$two_clock_copy" -GMaxBeats=$beats -GAddrWidth=16 -GLenWidth=13
done

refuse axil_copy "$axil_copy" "Defect must be one that this core can plant" -GDefect=2
refuse stream_copy "$stream_copy" "Defect must be one that this core can plant" -GDefect=1
refuse launch_copy "$launch_copy" "Defect must be one that this core can plant" -GDefect=1
refuse split_dma "$split_dma" "Defect must be one that this core can plant" -GDefect=2
refuse struct_copy_wrap "$struct_copy" "Defect must be one that this core can plant" -GDefect=1
refuse words_copy "$words_copy" "Defect must be one that this core can plant" -GDefect=1
refuse two_clock_copy "$two_clock_copy" "Defect must be one that this core can plant" -GDefect=26
refuse axil_copy "$axil_copy" "DataWidth must be 32, 64 or 128" -GDataWidth=48
refuse stream_copy "$stream_copy" "MaxBeats must be 2, 4, 8 or 16" -GMaxBeats=32
refuse words_copy "$words_copy" "DataWidth must be 32, 64 or 128" -GDataWidth=256
refuse words_copy "$words_copy" "MaxBeats must be 2, 4, 8 or 16" -GMaxBeats=3

echo "lint.sh: $runs runs, $failures with findings"
[ $failures -eq 0 ]
