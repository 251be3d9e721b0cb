#!/bin/sh
# Runs the tests of the set-up scripts and the Makefile. They need no network and touch nothing outside
# a temporary folder.
set -u
cd "$(dirname "$0")/../.." || exit 2

failed=0
for test in tools/tests/*_test.sh; do
    sh "$test" || failed=1
done
for test in tools/tests/*_test.py; do
    python3 -B "$test" --quiet || failed=1
done
exit "$failed"
