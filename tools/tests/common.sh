# Helpers of the shell tests; sourced, with the project as current folder.

scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
failures=0
test_name=$(basename "$0")
# `python3` on the path may be a script that needs more than itself.
real_python=$(python3 -c 'import sys; print(sys.executable)')

# A copy of the scripts under test, in which nothing of the project can be changed.
mkdir -p "$scratch/project"
cp -R Makefile tools "$scratch/project/"

# machine NAME TOOL...: a folder that, as the whole path, has only these tools of this machine.
machine() {
    machine_bin="$scratch/$1"
    shift
    mkdir -p "$machine_bin"
    for tool in "$@"; do
        case $tool in
        python3) real=$real_python ;;
        *) real=$(command -v "$tool") ;;
        esac
        case $real in
        /*) ;;
        *) fail "this machine has no program $tool to test with" ;;
        esac
        # Not a link: some tools look at the name and folder they are called by.
        fake "$tool" "exec '$real' \"\$@\""
    done
}

# fake TOOL TEXT: puts a tool of our own on the path of the machine made last.
fake() {
    printf '#!/bin/sh\n%s\n' "$2" >"$machine_bin/$1"
    chmod +x "$machine_bin/$1"
}

# on_machine COMMAND...: runs a command there. Leaves its exit code in $code, its output in $out, $err.
on_machine() {
    (cd "$scratch/project" && PATH="$machine_bin" MAKEFLAGS='' MAKELEVEL='' "$@") \
        >"$scratch/out" 2>"$scratch/err" </dev/null
    code=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
}

fail() {
    failures=$((failures + 1))
    printf '%s: FAIL %s\n' "$test_name" "$*" >&2
}

# expect_code N WHAT
expect_code() {
    [ "$code" -eq "$1" ] || fail "$2: expected exit code $1, found $code; output: $out $err"
}

# expect_text WHERE TEXT WHAT: TEXT stands in WHERE, which is $out or $err.
expect_text() {
    case "$1" in
    *"$2"*) ;;
    *) fail "$3: expected the text \"$2\", found: $1" ;;
    esac
}

# expect_one_line WHAT: the error output is one line, and the ordinary output is empty.
expect_one_line() {
    [ "$(wc -l <"$scratch/err")" -eq 1 ] || fail "$1: expected one line, found: $err"
    [ -z "$out" ] || fail "$1: expected no other output, found: $out"
}

# finish: ends the test with its verdict.
finish() {
    [ "$failures" -eq 0 ] && printf '%s: ok\n' "$test_name"
    exit $((failures != 0))
}
