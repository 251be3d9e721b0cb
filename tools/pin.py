#!/usr/bin/env python3
"""Writes the sha256 hashes of every pinned Python tool into `requirements-*.txt`.

Change a version in one of the files, run `make pins`, and commit the result. Only wheels are pinned:
a source package would run its own build, with build tools that nothing pins.
"""

import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
# One list per machine: every tag that pip on that machine would accept.
MACHINES = [
    ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64"],
    ["manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_28_aarch64"],
    ["macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_14_0_arm64"],
    ["macosx_10_9_x86_64", "macosx_10_13_x86_64", "macosx_11_0_x86_64"],
]
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+==[^\s;\\]+)\s*(;[^\\]*)?")


def wheels(requirement: str, folder: pathlib.Path) -> list[pathlib.Path]:
    """Downloads the wheel of `requirement` for each machine and Python; a missing one is left out."""
    for tags in MACHINES:
        for python in PYTHONS:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary", ":all:", "--dest", str(folder), "--python-version", python]
            for tag in tags:
                command += ["--platform", tag]
            subprocess.run([*command, requirement], check=False, stderr=subprocess.DEVNULL)
            if any(name.name.endswith("-none-any.whl") for name in folder.iterdir()):
                return sorted(folder.iterdir())
    return sorted(folder.iterdir())


def pin(path: pathlib.Path) -> None:
    """Rewrites one requirement file with fresh hashes, keeping its comments and markers."""
    lines = []
    for line in path.read_text().splitlines():
        match = REQUIREMENT.match(line)
        if match is None:
            if line.startswith("#"):
                lines.append(line)
            continue
        requirement, marker = match.group(1), (match.group(2) or "").strip()
        with tempfile.TemporaryDirectory() as folder:
            found = wheels(requirement, pathlib.Path(folder))
            if not found:
                sys.exit(f"pin: no wheel found for {requirement}")
            hashes = sorted({hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in found})
            print(f"{requirement}: {len(found)} wheels")
        entry = f"{requirement} {marker}".rstrip()
        lines.append(" \\\n".join([entry] + [f"    --hash=sha256:{digest}" for digest in hashes]))
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    for requirements in sorted(HERE.glob("requirements-*.txt")):
        pin(requirements)
