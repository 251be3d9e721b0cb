"""Tests of the tools that look at the engine: sizes, coverage, mutants. Each verdict is seen both ways."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
for folder in ("synth", "coverage", "mutants"):
    sys.path.insert(0, str(ROOT / "rtl" / folder))

import netlist  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import size  # noqa: E402


class Sizes(unittest.TestCase):
    """What is made of Yosys' counts."""

    def test_cells_become_a_size(self):
        cells = {"LUT2": 3, "LUT6": 1, "RAM32M": 2, "FDRE": 4, "RAMB18E1": 1, "IBUF": 9}
        self.assertEqual(size.Size.xilinx(cells), size.Size(lut=4, ff=4, lutram=8, bram36=0.5))
        self.assertEqual(size.Size.generic({"$_AND_": 2, "$_SDFF_PP0_": 3, "dma_fifo": 1}), size.Size(generic_cells=5, generic_ff=3))

    def test_an_instance_has_what_is_in_it(self):
        sizes = {"": size.Size(lut=1), "u_read": size.Size(lut=2), "u_read.u_fifo": size.Size(lut=4), "u_ready": size.Size(lut=8)}
        self.assertEqual(size.with_parts(sizes, "u_read").lut, 6)
        self.assertEqual(size.with_parts(sizes, "").lut, 15)

    def test_a_missed_goal_is_told(self):
        good = size.Size(lut=size.GOAL_LUT - 1, ff=size.GOAL_FF - 1, bram36=1)
        self.assertEqual(size.missed_goals({size.GOAL: good}), [])
        bad = size.Size(lut=size.GOAL_LUT, ff=size.GOAL_FF)
        self.assertEqual(len(size.missed_goals({size.GOAL: bad})), 3)


def record(kind: str, line: int, what: str, count: int, name: str = "dma_fifo.sv") -> str:
    """A line of Verilator's coverage file."""
    items = {"f": report.RTL / name, "l": line, "n": 5, "t": kind, "page": "v", "o": what, "S": line, "h": f"core.u_cover.{what}"}
    return "C '" + "".join(f"\x01{key}\x02{value}" for key, value in items.items()) + f"' {count}\n"


class Coverage(unittest.TestCase):
    """What is made of Verilator's counts."""

    def judged(self, records: str, holes: str = "") -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "a.dat").write_text(records)
            (path / "b.dat").write_text(records)
            (path / "holes.txt").write_text(holes)
            with mock.patch.object(report, "HOLES", path / "holes.txt"):
                return report.judge(report.gather(report.counts(path)))

    def test_files_are_added(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a.dat", "b.dat"):
                (pathlib.Path(folder) / name).write_text(record("line", 3, "block", 2))
            coverage = report.gather(report.counts(pathlib.Path(folder)))
        self.assertEqual(coverage.files["dma_fifo.sv"].lines, {3: 4})

    def test_what_is_reached_is_well(self):
        self.assertEqual(self.judged(record("line", 3, "block", 1) + record("user", 9, "burst", 1)), [])

    def test_a_line_never_reached_wants_a_reason(self):
        reached = "".join(record("line", line, "block", 1) for line in range(1, 70) if line != 3)
        records = reached + record("line", 3, "block", 0)
        code = (ROOT / "rtl/dma_fifo.sv").read_text().splitlines()[2].strip()
        self.assertEqual(self.judged(records), [f"dma_fifo.sv:3: never reached: {code}"])
        self.assertEqual(self.judged(records, f"dma_fifo.sv: {code}\n    It cannot be.\n"), [])
        for holes in (f"dma_fifo.sv: {code}\n", f"dma_fifo.sv: {code}\npoint: gone\n    It is.\n", "    It cannot be.\n"):
            with self.assertRaisesRegex(ValueError, "holes.txt.*reason"):
                self.judged(records, holes)

    def test_a_point_never_hit_wants_a_reason(self):
        records = record("line", 3, "block", 1) + record("user", 9, "burst", 0)
        self.assertEqual(self.judged(records), ["point burst: never hit"])
        self.assertEqual(self.judged(records, "point: burst\n    It cannot be.\n"), [])

    def test_a_reason_that_nothing_needs_is_told(self):
        found = self.judged(record("line", 3, "block", 1), "point: gone\n    It cannot be.\n")
        self.assertEqual(found, ["holes.txt: `point: gone` was reached, or is gone"])

    def test_too_few_lines_are_told_whatever_the_reasons(self):
        code = (ROOT / "rtl/dma_fifo.sv").read_text().splitlines()[2].strip()
        found = self.judged(record("line", 3, "block", 0), f"dma_fifo.sv: {code}\n    It cannot be.\n")
        self.assertEqual(found, ["lines: expected 98.0 %, got 0.0 %"])

    def test_ranges_of_lines_are_read(self):
        self.assertEqual(report.numbers("12,15-17"), [12, 15, 16, 17])


class Mutants(unittest.TestCase):
    """What is made of Yosys' list, and the verdict."""

    LINE = "mutate -ctrl mutant 8 7 -mode inv -module m -cell c -port Q -portbit 3 -wire left_q -wirebit 2 -src dma_fifo.sv:3.1-3.9"

    def verdict(self, survives: int, reasons: dict[str, str]) -> int:
        mutants = [netlist.parse(self.LINE.replace("mutant 8 7", f"mutant 8 {number}")) for number in range(1, 101)]
        killers = {each.number: None if each.number <= survives else "a test" for each in mutants}
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            with mock.patch.object(run, "RESULTS", pathlib.Path(folder)), mock.patch.object(run, "reasons", lambda path: reasons):
                return run.report(mutants, killers, 1.0, is_whole=True)

    def test_a_line_of_the_list_is_read(self):
        found = netlist.parse(self.LINE)
        self.assertEqual((found.number, found.file, found.line, found.mutation), (7, "dma_fifo.sv", 3, "inv of left_q[2]"))
        self.assertIsNone(netlist.parse(""))

    def test_survivors_want_a_reason_and_must_be_few(self):
        known = {netlist.parse(self.LINE).key: "It makes no difference."}
        self.assertEqual(self.verdict(0, {}), 0)
        self.assertEqual(self.verdict(1, {}), 1, "a survivor without a reason")
        self.assertEqual(self.verdict(5, known), 0)
        self.assertEqual(self.verdict(6, known), 1, "too many survivors")

    def test_a_reason_that_no_survivor_needs_is_told(self):
        known = {netlist.parse(self.LINE).key: "It makes no difference."}
        self.assertEqual(self.verdict(0, known), 1)

    def test_what_is_the_same_engine_does_not_count(self):
        same = {netlist.parse(self.LINE).key: "equivalent: the bit is always 0"}
        self.assertEqual(self.verdict(50, same), 0)

    def test_parameters_are_the_defaults_of_the_manifest(self):
        manifest = (ROOT / "rtl/dma_engine.toml").read_text().split("[parameters]", 1)[1].split("\n\n", 1)[0]
        names = {line.split(" = ", 1)[0] for line in manifest.strip().splitlines()}
        self.assertEqual(set(netlist.PARAMETERS), names)


if __name__ == "__main__":
    unittest.main()
