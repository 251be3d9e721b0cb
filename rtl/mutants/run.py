#!/usr/bin/env python3
"""Mutants of the engine: changes it in one place at a time and asks whether the project's checks notice.

`run.py [--count N] [NUMBER...]`: with numbers, only these mutants. Yosys puts all mutants into one netlist, in which a
number chooses one (netlist.py); so they are compiled once. A mutant is killed by a failing scenario or register-level
test, or by taking too long. Writes results/mutants/mutants.csv. A survivor that does what the engine does, whatever
comes in, is no mutant: survivors.txt says so with `equivalent:` and why, and it does not count. Fails if fewer than 95 %
of those that count are killed, if a survivor has no reason in survivors.txt, or if a reason there is not needed.
Environment: JOBS, mutants at the same time (default: one per processor).
"""

from __future__ import annotations

import argparse
import concurrent.futures
import csv
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

from netlist import RESULTS, ROOT, Mutant, MutationError, make_netlist

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from reasons import reasons  # noqa: E402

SURVIVORS = HERE / "survivors.txt"
COUNT = 260
LEAST_PERCENT = 95.0
EQUIVALENT = "equivalent:"
# The whole of a mutant's tests takes a fraction of that.
LIMIT_SECONDS = 240
CARGO = ["cargo", "test", "--locked", "--release", "--workspace", "--all-features", "--test", "engine", "--no-run", "--quiet"]
# Kills most within a second.
FIRST = "transfer/copy"
# Groups of scenarios whose engine has the mutants' parameters; more of the others is about software.
GROUPS = ("transfer/", "bounce/", "bus/")


def environment(mutant: int) -> dict[str, str]:
    """In which the mutants stand for the engine."""
    installed = os.environ.get("VERILATOR")
    root = os.environ.get("VERILATOR_ROOT")
    if installed and not root:
        answer = subprocess.run([installed, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=True)
        root = answer.stdout.strip()
    return {
        **os.environ,
        "VERILATOR": str(HERE),
        "VERILATOR_ROOT": root or str(ROOT / ".venv/verilator"),
        "CXX": str(HERE.parent / "coverage/bin/g++"),
        "REBOUND_CACHE": str(RESULTS / "cache"),
        "DMA_MUTANTS": str(RESULTS),
        "DMA_MUTANT": str(mutant),
    }


class Checks:
    """What judges the mutants: the program with its scenarios, and the register-level tests."""

    def __init__(self) -> None:
        command = [*CARGO, "--message-format=json"]
        built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        if built.returncode != 0:
            raise MutationError("the tests do not build (cargo's message is above)")
        artifacts = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
        programs = {item["target"]["name"]: item["executable"] for item in artifacts if item.get("executable")}
        self.engine = programs["engine"]
        self.rebound = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/rebound"
        self.tests: list[str] = []
        self.scenarios: list[str] = []

    def choose(self) -> None:
        """Those that pass on the netlist without a mutant, which are all if the netlist is right."""
        if not self.passes(0, FIRST):
            raise MutationError(f"{FIRST} fails on the netlist without a mutant: are PARAMETERS those of dma_engine.toml?")
        listed = subprocess.run([self.rebound, "list"], cwd=ROOT, capture_output=True, text=True, check=True)
        names = [line.split()[0] for line in listed.stdout.splitlines() if line[:1].isalpha() and "/" in line]
        chosen = [name for name in names if name.startswith(GROUPS) and name != FIRST]
        self.scenarios = [name for name in chosen if self.passes(0, name)]
        ended = subprocess.run(
            [self.engine],
            cwd=ROOT / "testbench",
            env=environment(0),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10 * LIMIT_SECONDS,
            check=False,
        )
        lines = [line.split() for line in ended.stdout.splitlines()]
        self.tests = sorted(words[1] for words in lines if len(words) == 4 and words[0] == "test" and words[3] == "ok")
        if not self.tests:
            raise MutationError("no register-level test passes on the netlist without a mutant")

    def passes(self, mutant: int, *scenarios: str) -> bool:
        """Whether scenarios have the verdict that is expected of them."""
        folder = RESULTS / "runs" / f"{mutant}-{threading.get_ident()}"
        command = [self.rebound, "sim", "--no-comparison", "--jobs", "1", "--timeout", "30"]
        command += ["--results", folder, "--waves-folder", folder]
        for name in scenarios:
            command += ["--scenario", name]
        ended = subprocess.run(
            command, cwd=ROOT, env=environment(mutant), stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_SECONDS
        )
        return ended.returncode == 0

    def failing_test(self, mutant: int) -> str | None:
        """The first register-level test that fails; the ones after it are not run."""
        command = [self.engine, "--test-threads", "1", "--exact", *self.tests]
        with subprocess.Popen(
            command,
            cwd=ROOT / "testbench",
            env=environment(mutant),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as running:
            timer = threading.Timer(LIMIT_SECONDS, running.kill)
            timer.start()
            try:
                last = "the first test"
                for line in running.stdout:
                    words = line.split()
                    if len(words) == 4 and words[0] == "test":
                        if words[3] == "FAILED":
                            return words[1]
                        last = words[1]
            finally:
                timer.cancel()
                running.kill()
        # Killed, crashed, or well: only the last ends with 0, but an orderly end may be overtaken by the kill above.
        return None if last == self.tests[-1] else f"time limit or crash after {last}"

    def killer(self, mutant: int) -> str | None:
        """What notices the mutant."""
        try:
            if not self.passes(mutant, FIRST):
                return FIRST
            test = self.failing_test(mutant)
            if test:
                return test
            return next((name for name in self.scenarios if not self.passes(mutant, name)), None)
        except subprocess.TimeoutExpired:
            return "time limit"


def report(mutants: list[Mutant], killers: dict[int, str | None], seconds: float, is_whole: bool) -> int:
    """Table, survivors, verdict."""
    explained = reasons(SURVIVORS)
    survivors = [mutant for mutant in mutants if killers[mutant.number] is None]
    with (RESULTS / "mutants.csv").open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["number", "file", "line", "mutation", "killed_by"])
        for each in mutants:
            writer.writerow([each.number, each.file, each.line, each.mutation, killers[each.number] or ""])
    is_equivalent = {each.number: explained.get(each.key, "").startswith(EQUIVALENT) for each in survivors}
    counted = [mutant for mutant in mutants if not is_equivalent.get(mutant.number)]
    print(f"\n{'file':<26}{'mutants':>8}{'count':>8}{'killed':>8}")
    for file in sorted({mutant.file for mutant in mutants}):
        of_file = [[mutant for mutant in part if mutant.file == file] for part in (mutants, counted)]
        killed = sum(mutant not in survivors for mutant in of_file[0])
        print(f"{file:<26}{len(of_file[0]):>8}{len(of_file[1]):>8}{killed:>8}")
    killed = len(mutants) - len(survivors)
    percent = 100 * killed / max(1, len(counted))
    print(f"{'all':<26}{len(mutants):>8}{len(counted):>8}{killed:>8}  {percent:.1f} %, in {seconds:.0f} s")
    unexplained = [mutant for mutant in survivors if mutant.key not in explained]
    for mutant in survivors:
        print(f"survivor {mutant.number}: {mutant.file}:{mutant.line}\n{mutant.key}")
        print(f"    {explained.get(mutant.key, 'no reason is known: it wants a check, or a reason in survivors.txt')}")
    stale = set(explained) - {mutant.key for mutant in survivors} if is_whole else set()
    for key in sorted(stale):
        print(f"{SURVIVORS.name}: `{key}` was killed, or is gone")
    print(f"run.py: {len(unexplained)} survivors without a reason; results/mutants/mutants.csv has these mutants")
    return 1 if unexplained or stale or percent < LEAST_PERCENT else 0


def main() -> int:
    """Makes the mutants and tries them."""
    parser = argparse.ArgumentParser(description="Mutants of the engine.")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("numbers", type=int, nargs="*")
    arguments = parser.parse_args()
    # A mistake in it is told now, not after the run.
    reasons(SURVIVORS)
    mutants = make_netlist(arguments.count)
    if arguments.numbers:
        mutants = [mutant for mutant in mutants if mutant.number in arguments.numbers]
        if not mutants:
            raise MutationError(f"expected numbers from 1 to {arguments.count}")
    checks = Checks()
    begin = time.monotonic()
    checks.choose()
    print(f"run.py: judged by {len(checks.scenarios) + 1} scenarios and {len(checks.tests)} register-level tests", flush=True)
    killers: dict[int, str | None] = {}
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS") or os.cpu_count() or 1)) as pool:
        runs = {pool.submit(checks.killer, mutant.number): mutant for mutant in mutants}
        for run in concurrent.futures.as_completed(runs):
            mutant = runs[run]
            killers[mutant.number] = run.result()
            print(f"{len(killers):>4} of {len(mutants)}: {mutant.number}: {killers[mutant.number] or 'SURVIVED'}", flush=True)
    return report(mutants, killers, time.monotonic() - begin, not arguments.numbers)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (MutationError, subprocess.SubprocessError, OSError, ValueError) as error:
        print(f"rebound: {error}", file=sys.stderr)
        sys.exit(2)
