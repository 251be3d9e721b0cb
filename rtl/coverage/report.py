#!/usr/bin/env python3
"""What suite and tests reached in the engine: `report.py FOLDER`, a folder of Verilator's coverage files (*.dat).

Prints lines, branches and toggles of each file and the hits of each functional point; writes `coverage.txt`,
`lines.csv`, `points.csv` and `coverage.info` (for genhtml) beside the folder. Fails if a line or point that was never
reached has no reason in holes.txt, or if fewer than 98 % of the lines were reached.
"""

from __future__ import annotations

import csv
import pathlib
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
RTL = HERE.parent
sys.path.insert(0, str(RTL))
from reasons import reasons  # noqa: E402

HOLES = HERE / "holes.txt"
LEAST_PERCENT = 98.0
# What is not the engine: faults on its pins, of which a build has one at most. Each build costs as much as all others'
# tests together, and `make test` sees every one of them caught (testbench/tests/faults.rs).
NOT_COUNTED = {"dma_fault.sv"}
# C '<key>' <count>, where the key is \x01name\x02value…
RECORD = re.compile(rb"^C '(.*)' (\d+)$")


@dataclass
class File:
    """What is known of one source file."""

    # Runs of each line.
    lines: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    # Each way of each branch, by place and kind.
    branches: dict[tuple[int, int, str], int] = field(default_factory=lambda: defaultdict(int))
    # Changes of each bit of each signal, in each direction.
    toggles: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class Coverage:
    """Counts of all models together."""

    files: dict[str, File] = field(default_factory=lambda: defaultdict(File))
    points: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def counts(folder: pathlib.Path) -> dict[bytes, int]:
    """Sum of each record over all files."""
    total: dict[bytes, int] = defaultdict(int)
    for path in sorted(folder.glob("*.dat")):
        for line in path.read_bytes().splitlines():
            match = RECORD.match(line)
            if match:
                total[match[1]] += int(match[2])
    return total


def numbers(ranges: str) -> list[int]:
    """Lines of `12,15-17`."""
    found = []
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def gather(records: dict[bytes, int]) -> Coverage:
    """Sorts records by file; instances and parameter sets of a module count together."""
    coverage = Coverage()
    for key, count in records.items():
        item = dict(part.split("\x02", 1) for part in key.decode().split("\x01") if "\x02" in part)
        path = pathlib.Path(item["f"])
        if item["t"] == "user":
            coverage.points[item["h"].rpartition("u_cover.")[2]] += count
            continue
        if path.parent != RTL or path.name in NOT_COUNTED:
            continue
        file = coverage.files[path.name]
        line, column, what = int(item["l"]), int(item["n"]), item.get("o", "")
        if item["t"] == "toggle":
            file.toggles[line, what] += count
            continue
        if item["t"] == "branch":
            file.branches[line, column, what] += count
        for number in numbers(item.get("S", item["l"])):
            file.lines[number] += count
    return coverage


def share(counts_of: list[int]) -> str:
    """`93 of 95   97.9 %`."""
    reached = sum(1 for count in counts_of if count)
    return f"{reached:>6} of {len(counts_of):>6} {100 * reached / max(1, len(counts_of)):6.1f} %"


def table(coverage: Coverage) -> str:
    """Files and points for people."""
    width = max(len(name) for name in coverage.files)
    text = f"{'file':<{width}} {'lines':>24} {'branches':>24} {'toggles':>24}\n"
    everything = File()
    for name, file in sorted(coverage.files.items()):
        parts = [file.lines, file.branches, file.toggles]
        text += f"{name:<{width}} " + " ".join(share(list(part.values())) for part in parts) + "\n"
        for whole, part in zip([everything.lines, everything.branches, everything.toggles], parts):
            whole.update({(name, key): count for key, count in part.items()})
    whole = [everything.lines, everything.branches, everything.toggles]
    text += f"{'all':<{width}} " + " ".join(share(list(part.values())) for part in whole) + "\n"
    width = max((len(name) for name in coverage.points), default=0)
    text += f"\n{'functional point':<{width}} {'hits':>10}\n"
    for name, count in sorted(coverage.points.items()):
        text += f"{name:<{width}} {count:>10}\n"
    return text


def write_files(coverage: Coverage, folder: pathlib.Path) -> None:
    """CSV for scripts, and what genhtml reads."""
    with (folder / "lines.csv").open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "line", "runs"])
        for name, file in sorted(coverage.files.items()):
            writer.writerows([name, line, count] for line, count in sorted(file.lines.items()))
    with (folder / "points.csv").open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["point", "hits"])
        writer.writerows(sorted(coverage.points.items()))
    with (folder / "coverage.info").open("w") as out:
        for name, file in sorted(coverage.files.items()):
            print(f"TN:\nSF:{RTL / name}", file=out)
            for index, ((line, column, _), count) in enumerate(sorted(file.branches.items())):
                print(f"BRDA:{line},{column},{index},{count}", file=out)
            for line, count in sorted(file.lines.items()):
                print(f"DA:{line},{count}", file=out)
            print("end_of_record", file=out)


def judge(coverage: Coverage) -> list[str]:
    """What was not reached and has no reason, and reasons that nothing needs."""
    allowed = reasons(HOLES)
    used = set()
    faults = []

    def is_explained(entry: str) -> bool:
        used.add(entry)
        return entry in allowed

    reached = total = 0
    for name, file in sorted(coverage.files.items()):
        source = (RTL / name).read_text().splitlines()
        for line, count in sorted(file.lines.items()):
            total += 1
            reached += bool(count)
            code = source[line - 1].strip()
            if not count and not is_explained(f"{name}: {code}"):
                faults.append(f"{name}:{line}: never reached: {code}")
    for name, count in sorted(coverage.points.items()):
        if not count and not is_explained(f"point: {name}"):
            faults.append(f"point {name}: never hit")
    faults += [f"{HOLES.name}: `{entry}` was reached, or is gone" for entry in sorted(set(allowed) - used)]
    if 100 * reached < LEAST_PERCENT * total:
        faults.append(f"lines: expected {LEAST_PERCENT} %, got {100 * reached / max(1, total):.1f} %")
    return faults


def main(arguments: list[str]) -> int:
    """Reports on a folder."""
    if len(arguments) != 1 or not any(pathlib.Path(arguments[0]).glob("*.dat")):
        print("usage: report.py FOLDER, with coverage files (*.dat) in it", file=sys.stderr)
        return 2
    folder = pathlib.Path(arguments[0])
    coverage = gather(counts(folder))
    if not coverage.files or not coverage.points:
        raise ValueError(f"{folder}: expected counts of the engine and of u_cover: was it built by counting.sh?")
    text = table(coverage)
    faults = judge(coverage)
    (folder.parent / "coverage.txt").write_text(text + "".join(f"\n{fault}" for fault in faults))
    write_files(coverage, folder.parent)
    print(text)
    for fault in faults:
        print(f"report.py: {fault}", file=sys.stderr)
    print(f"report.py: {len(faults)} findings; files are in {folder.parent}")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError, KeyError) as error:
        print(f"report.py: {error}", file=sys.stderr)
        sys.exit(2)
