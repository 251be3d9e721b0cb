#!/bin/sh
# Builds a measurement against the engine: build.sh PROGRAM.cpp OUTPUT [-GParameter=value ...]
# Environment: VERILATOR, VERILATOR_ROOT, CXX (default: verilator, what it says, g++).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${VERILATOR:=verilator}" "${CXX:=g++}"
root=${VERILATOR_ROOT:-$("$VERILATOR" --getenv VERILATOR_ROOT)}
program=$here/$1
output=$2
shift 2
folder=$output.build
mkdir -p "$folder"
# Flat outputs: one folder for the model, and one object for each of Verilator's own sources.
(cd "$here/.." && "$VERILATOR" --cc -O3 --assert --x-assign fast --x-initial fast "$@" lint.vlt -f files.f \
    --top-module dma_engine --Mdir "$folder")
flags="-std=gnu++17 -O2 -I$root/include -I$root/include/vltstd -I$here -I$folder"
for part in verilated verilated_threads; do
    shared=$(dirname "$output")/$part.o
    # shellcheck disable=SC2086  # flags are words
    [ -f "$shared" ] || "$CXX" $flags -c "$root/include/$part.cpp" -o "$shared"
done
# shellcheck disable=SC2086  # flags are words
"$CXX" $flags "$folder"/*.cpp "$program" "$(dirname "$output")"/verilated.o "$(dirname "$output")"/verilated_threads.o \
    -o "$output" -lpthread
