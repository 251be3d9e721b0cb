#!/bin/sh
# Runs the tests of the set-up scripts and the Makefile. They need no network and touch nothing outside
# a temporary folder.
set -u
cd "$(dirname "$0")/../.." || exit 2

failed=0
for test in tools/tests/*_test.sh; do
    sh "$test" || failed=1
done
python3 -B tools/tests/install_test.py --quiet || failed=1
exit "$failed"
