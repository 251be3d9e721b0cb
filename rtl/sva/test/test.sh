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

# test_module MODULE TEST [-GParameter=value ...]: the module with these parameters, against TEST.cpp.
test_module() {
    module=$1
    test=$2
    shift 2
    "$VERILATOR" --cc --assert "$@" "../$module.sv" --top-module "$module" --Mdir "$folder/$test" \
        >"$folder/$test.log" 2>&1 || {
        cat "$folder/$test.log"
        return 1
    }
    # shellcheck disable=SC2086  # flags are words
    "$CXX" $flags "-I$folder/$test" "$folder/$test"/*.cpp "$test.cpp" "$folder"/*.o \
        -o "$folder/$test/test" -lpthread
    "$folder/$test/test"
}

status=0
test_module axi_manager_rules axi_manager_rules_test -GMaxReads=4 -GMaxWrites=4 || status=1
test_module axi_manager_rules axi3_manager_rules_test -GMaxReads=4 -GMaxWrites=4 -GAxi3=1 || status=1
test_module axi_stream_rules axi_stream_rules_test || status=1
exit $status
