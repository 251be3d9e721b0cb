"""Tests of the documents: their links, commands and tables agree with what is there."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md", "waves/README.md"]


def text(path: str) -> str:
    return (ROOT / path).read_text()


def first_column(document: str, heading: str) -> set[str]:
    """Words of the first column of the table whose heading begins so."""
    table = document.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    return {word.strip() for row in rows for word in row.split(",")}


class Documents(unittest.TestCase):
    """What the documents say of the project."""

    def test_links_lead_to_files(self):
        for document in DOCUMENTS:
            for link in re.findall(r"\]\(([^)#]+)\)", text(document)):
                if not link.startswith("https://"):
                    self.assertTrue((ROOT / document).parent.joinpath(link).exists(), f"{document}: {link}")

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([a-z]+):.*##", text("Makefile"), re.MULTILINE))
        self.assertIn("sim", targets)
        for document in DOCUMENTS:
            named = set(re.findall(r"(?:`|^    )make ([a-z]+)", text(document), re.MULTILINE))
            self.assertEqual(named - targets, set(), document)

    def test_each_crate_has_its_line(self):
        section = text("Cargo.toml").split("[workspace.dependencies]", 1)[1].split("\n[", 1)[0]
        crates = set(re.findall(r"^([a-z0-9_-]+) *=(?!.*path)", section, re.MULTILINE))
        self.assertGreater(len(crates), 10)
        self.assertEqual(first_column(text("DESIGN.md"), "crate"), crates)

    def test_each_python_package_has_its_line(self):
        pinned = "".join(path.read_text() for path in sorted((ROOT / "tools").glob("requirements-*.txt")))
        packages = set(re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE))
        self.assertEqual(first_column(text("DESIGN.md"), "Python package"), packages)

    def test_each_step_of_make_test_has_its_line_in_order(self):
        steps = re.search(r'^all="([^"]+)"', text("tools/test.sh"), re.MULTILINE).group(1).split()
        table = text("CONTRIBUTING.md").split("| step |", 1)[1].split("\n\n", 1)[0]
        rows = [row.split("|")[1].strip() for row in table.splitlines()[2:]]
        self.assertEqual(rows, steps)


if __name__ == "__main__":
    unittest.main()
