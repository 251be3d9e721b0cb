#!/bin/sh
# The Makefile: help by default, the check before all else, options passed on to the program.
set -u
. tools/tests/common.sh

basics="make awk"

# Help needs none of the tools.
machine help-only $basics
on_machine make
expect_code 0 "make alone"
for target in sim test bench build lint fmt check diagrams registers synth formal coverage mutants doc waves clean distclean; do
    expect_text "$out" "make $target " "make alone lists $target"
done
for option in SCENARIO SEED JOBS WAVES VERILATOR; do
    expect_text "$out" "$option" "make alone explains $option"
done

# What is missing is one line on the error output, exit code 2, and nothing has been made.
before=$(ls -A "$scratch/project")
for target in sim test bench build lint check doc diagrams registers synth formal coverage mutants; do
    machine "no-compiler-$target" $basics python3 cargo
    on_machine make "$target"
    expect_code 2 "make $target without g++"
    expect_one_line "make $target without g++"
    expect_text "$err" "Debian package g++" "make $target without g++"
done
machine no-python $basics g++ c++ cc cargo
on_machine make -j2 sim
expect_code 2 "make sim without python3"
expect_one_line "make sim without python3"
expect_text "$err" "python3-venv" "make sim without python3"
[ "$(ls -A "$scratch/project")" = "$before" ] || fail "a refused make left something behind"

# With an installed Verilator, no Python is needed to simulate.
on_machine make --dry-run sim VERILATOR=/usr/bin/verilator
expect_code 0 "make sim with VERILATOR, without python3"
case "$out" in *install.py*) fail "make sim with VERILATOR installs the pinned one: $out" ;; esac

machine complete $basics g++ c++ cc python3 cargo
on_machine make --dry-run sim
expect_text "$out" "install.py verilator" "make sim installs Verilator"
case "$out" in *registers*) fail "make sim installs more than it needs: $out" ;; esac
on_machine make --dry-run synth
expect_text "$out" "install.py synth" "make synth installs Yosys"
on_machine make --dry-run fmt
expect_text "$out" "install.py verible" "make fmt installs the formatter"
on_machine make --dry-run sim SCENARIO="copy/one bounce/two" SEED=0x2a JOBS=3 WAVES=1
expect_text "$out" "sim --scenario copy/one --scenario bounce/two --seed 0x2a --jobs 3 --waves" "options of make sim"
on_machine make --dry-run sim MANIFEST="my cores/a.toml"
expect_text "$out" "--manifest 'my cores/a.toml'" "the manifest of make sim"
on_machine make --dry-run sim WAVES=0
case "$out" in *--waves*) fail "WAVES=0 asks for waveforms: $out" ;; esac
on_machine make --dry-run test
expect_text "$out" "install.py verilator registers verible" "make test installs the sets that its steps need"

# The steps of make test: a failing one is named, an unknown one is refused, success is said last.
machine steps dirname date env
fake cargo 'echo "cargo $*"; [ "$1" != "clippy" ]'
on_machine /bin/sh tools/test.sh format clippy docs
expect_code 1 "a step that fails"
expect_text "$err" 'FAILED at step "clippy" (exit code 1)' "a step that fails"
expect_text "$out" "== format: passed" "the steps before it"
case "$out" in *"cargo doc"*) fail "a step ran after the one that failed: $out" ;; esac
on_machine /bin/sh tools/test.sh format docs
expect_code 0 "steps that pass"
expect_text "$(tail -n 1 "$scratch/out")" "PASSED: all 2 steps (format docs)" "the last line"
on_machine /bin/sh tools/test.sh colour
expect_code 2 "an unknown step"
expect_text "$err" "no step is named colour" "an unknown step"

finish
