#!/bin/sh
# SystemVerilog style by Verible: `style.sh check` lints and tells what is not formatted, `style.sh write` formats.
# Rules: .rules.verible_lint, .waivers.verible_lint, .verible_format. Environment: VERIBLE, the folder of the programs
# (default: those on the path). Exits 1 if anything is found, 2 if it cannot look.
set -u
cd "$(dirname "$0")/.." || exit 2
VERIBLE=${VERIBLE:+$VERIBLE/}
for program in verible-verilog-lint verible-verilog-format; do
    if ! command -v "$VERIBLE$program" >/dev/null 2>&1; then
        echo "style.sh: $VERIBLE$program not found: run \`make lint\`, or set VERIBLE to the folder of an installed Verible" >&2
        exit 2
    fi
done

# Not the generated register block, whose look is the generator's affair; nor cores in Verilog 2005 (*.v).
files=$(find rtl testbench/cores -maxdepth 2 -name '*.sv' ! -path '*/generated/*' | sort)

# keeps_layout FILE: the formatter would spread over several lines what is a table: a protocol rule or a point in a line,
# or, in the sample cores, the connections of a channel.
keeps_layout() {
    case $1 in
    rtl/sva/* | rtl/formal/* | rtl/coverage/* | testbench/cores/*) return 0 ;;
    esac
    return 1
}
findings=0
count=0

case ${1:-} in
write)
    for file in $files; do
        keeps_layout "$file" && continue
        "${VERIBLE}verible-verilog-format" --flagfile=rtl/.verible_format --inplace "$file" || exit 2
    done
    ;;
check)
    for file in $files; do
        count=$((count + 1))
        "${VERIBLE}verible-verilog-lint" --rules_config=rtl/.rules.verible_lint \
            --waiver_files=rtl/.waivers.verible_lint "$file" || findings=$((findings + 1))
        keeps_layout "$file" && continue
        if ! "${VERIBLE}verible-verilog-format" --flagfile=rtl/.verible_format --verify "$file" >/dev/null 2>&1; then
            echo "$file: expected the layout of the formatter: run \`make fmt\`"
            findings=$((findings + 1))
        fi
    done
    echo "style.sh: $count files, $findings with findings"
    [ $findings -eq 0 ]
    ;;
*)
    echo "usage: style.sh check|write" >&2
    exit 2
    ;;
esac
