#!/bin/sh
# Runs a program so that the engines it builds count what is reached: `counting.sh PROGRAM ARGUMENT…`.
# Cargo itself must not see the stand-ins in bin/: it would build everything again for another compiler.
# Environment: VERILATOR_ROOT, DMA_COVERAGE (see run.sh).
set -eu
project=$(cd "$(dirname "$0")/../.." && pwd)
VERILATOR=$project/rtl/coverage
CXX=$VERILATOR/bin/g++
REBOUND_CACHE=$project/.cache/coverage
export VERILATOR CXX REBOUND_CACHE
exec "$@"
