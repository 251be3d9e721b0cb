"""Tests of the waveform layouts: both viewers show the same signals in the same formats, and they exist."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RIGHT_ALIGNED_ASCII, HEX, DECIMAL, BITS = 0x820, 0x22, 0x24, 0x28
GROUP_BEGIN, GROUP_END = 0x800200, 0x1000200
# A signal without a format of its own is shown as Surfer likes: hexadecimal, or as a wire.
SURFER_FORMATS = {RIGHT_ALIGNED_ASCII: "ASCII", DECIMAL: "Unsigned", HEX: None, BITS: None}


def gtkwave() -> list[tuple[str, str | None]]:
    """Groups and signals of the layout for GTKWave, in order, as (path, Surfer's format)."""
    items, flags = [], 0
    for line in (ROOT / "waves/rebound.gtkw").read_text().splitlines():
        if line.startswith("@"):
            flags = int(line[1:], 16)
        elif line.startswith("-"):
            if flags == GROUP_BEGIN:
                items.append(("group", None))
        elif not line.startswith(("[", "*")):
            items.append((re.sub(r"\[\d+:0\]$", "", line), SURFER_FORMATS[flags]))
    return items


def surfer() -> list[tuple[str, str | None]]:
    """The same of the layout for Surfer."""
    items, focus = [], None
    for line in (ROOT / "waves/rebound.sucl").read_text().splitlines():
        command, _, argument = line.partition(" ")
        if command == "divider_add":
            items.append(("group", None))
        elif command == "variable_add":
            items.append((argument, None))
        elif command == "item_focus":
            # Numbers of base 16 with the letters a to p as digits.
            focus = int("".join("0123456789abcdef"[ord(letter) - ord("a")] for letter in argument), 16)
        elif command == "item_set_format":
            items[focus] = (items[focus][0], argument)
    return items


def ports(module: str) -> dict[str, str]:
    """Ports of a module in rtl/, with the text of their width."""
    text = (ROOT / "rtl" / f"{module}.sv").read_text()
    pattern = r"^\s*(?:input|output)\s+\S+(?:\s+(\[[^\]]+\]))?\s+(\w+)"
    return {name: width for width, name in re.findall(pattern, text, re.MULTILINE)}


class Layouts(unittest.TestCase):
    """What the two layouts have to say."""

    maxDiff = None

    def test_both_viewers_show_the_same(self):
        self.assertGreater(len(gtkwave()), 60)
        self.assertEqual(gtkwave(), surfer())

    def test_cpu_states_are_shown_as_text(self):
        texts = [path.rsplit(".", 1)[1] for path, form in surfer() if form == "ASCII"]
        self.assertEqual(texts, ["cpu0_state", "cpu1_state", "cpu2_state", "cpu3_state"])

    def test_groups_are_closed(self):
        text = (ROOT / "waves/rebound.gtkw").read_text()
        names = re.findall(r"^@(800200|1000200)\n-(.+)$", text, re.MULTILINE)
        self.assertEqual([name for flag, name in names if flag == "800200"], [name for flag, name in names if flag == "1000200"])

    def test_each_signal_of_the_engine_is_a_port_of_its_module(self):
        modules = {"core": ports("dma_engine"), "u_mm2s": ports("dma_channel"), "u_s2mm": ports("dma_channel")}
        seen = 0
        for path, _ in gtkwave():
            scope, _, name = path.rpartition(".")
            module = modules.get(scope.rsplit(".", 1)[-1])
            if module is not None:
                self.assertIn(name, module, path)
                seen += 1
        self.assertGreater(seen, 50)


if __name__ == "__main__":
    unittest.main()
