"""Environments for servers that others wrote: made once from pinned requirements, then kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".third-party"


def python_environment(name: str) -> Path:
    """The `bin` folder of an environment with what `requirements-<name>.txt` pins."""
    pinned = HERE / f"requirements-{name}.txt"

    def install(folder: Path) -> None:
        venv.create(folder, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
        _run([*pip, "--quiet", "--no-deps", "--requirement", pinned])

    return _kept(name, pinned.read_text(), install) / "bin"


def npm_environment() -> Path:
    """The `bin` folder of the packages in `requirements-npm.txt`; skips the test without npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, and this server is an npm package")
    pinned = (HERE / "requirements-npm.txt").read_text()

    def install(folder: Path) -> None:
        # Scripts compile storages that these tests do not use.
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        _run([npm, "install", "--prefix", folder, *quiet, *pinned.split()])

    return _kept("npm", pinned, install) / "node_modules" / ".bin"


def version_of(package: str) -> str:
    """The version that the requirement files pin."""
    for file in sorted(HERE.glob("requirements-*.txt")):
        for line in file.read_text().split():
            name, _, version = line.replace("==", "@").rpartition("@")
            if name.lower() == package.lower():
                return version
    raise LookupError(f"{package}: no requirement file pins it")


def _kept(name: str, pinned: str, install: Callable[[Path], None]) -> Path:
    """The folder, installed anew where its pins have changed or an install was broken off."""
    folder, stamp = KEPT / name, KEPT / name / "installed"
    wanted = f"{sys.version}\n{pinned}"
    KEPT.mkdir(exist_ok=True)
    with FileLock(KEPT / f"{name}.lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(folder)
            stamp.write_text(wanted)
    return folder


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
