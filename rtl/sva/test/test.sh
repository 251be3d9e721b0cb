#!/bin/sh
# Tests the rule modules: every rule is broken once, and must be reported alone.
# Environment: VERILATOR, the program to run (default: verilator); VERILATOR_ROOT if it needs one; CXX
# (default: g++). Exits 1 if a test fails.
set -eu
cd "$(dirname "$0")"
: "${VERILATOR:=verilator}" "${CXX:=g++}"
for tool in "$VERILATOR" "$CXX"; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "test.sh: $tool not found: run \`make test\`, or set VERILATOR and CXX" >&2
        exit 2
    fi
done
root=${VERILATOR_ROOT:-$("$VERILATOR" --getenv VERILATOR_ROOT)}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

flags="-std=gnu++17 -O1 -I$root/include -I$root/include/vltstd"
# shellcheck disable=SC2086  # flags are words
for part in verilated verilated_threads; do
    "$CXX" $flags -c "$root/include/$part.cpp" -o "$folder/$part.o"
done

# test_module MODULE [-GParameter=value ...]
test_module() {
    module=$1
    shift
    "$VERILATOR" --cc --assert "$@" "../$module.sv" --top-module "$module" --Mdir "$folder/$module" \
        >"$folder/$module.log" 2>&1 || {
        cat "$folder/$module.log"
        return 1
    }
    # shellcheck disable=SC2086  # flags are words
    "$CXX" $flags "-I$folder/$module" "$folder/$module"/*.cpp "${module}_test.cpp" "$folder"/*.o \
        -o "$folder/$module/test" -lpthread
    "$folder/$module/test"
}

status=0
test_module axi_manager_rules -GMaxReads=4 -GMaxWrites=4 || status=1
test_module axi_stream_rules || status=1
exit $status
