"""Installs the package beside the newest and the oldest releases it allows, and uses it there.

    python -m tests.versions [newest|dg|oldest]...

Each environment is new and outside of the checkout. `dg` asks for the newest release of Dagster's
project tool, which holds back libraries that we share: a range of ours that leaves it no version
cannot be solved, or is solved by an older Dagster, and either fails here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = (
    "pytest>=8.3",
    "pytest-timeout>=2.3",
    "hypothesis>=6.115",
    "trustme>=1.2",
    "cffi>=1.17",
    "pyarrow>=18",
    "jsonschema>=4.23",
)  # fmt: skip - as installed
UV = (sys.executable, "-m", "uv")
DG = ("dagster", "dagster-dg-core")
TESTS = (
    "tests/cli/test_validate.py",
    "tests/cli/test_read.py",
    "tests/cli/test_other_commands.py",
    "tests/cli/test_check.py",
    "tests/spec/test_document.py",
    "tests/spec/test_connection.py",
    "tests/test_sync.py",
    "tests/assets/test_definitions.py",
    "tests/assets/test_materialize.py",
)  # fmt: skip - by room
LEFT_OUT = "not reference and not generated and not explained"
"""The help of arguments, which typer before 0.26 loses with click 8.4."""


def run(*command: str | Path, **given: object) -> str:
    """The output of a command; a failure ends everything, its words on stderr."""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=environ, **given
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def newest(package: str) -> str:
    """The newest release that the index has."""
    text = run(*UV, "pip", "compile", "--quiet", "--no-deps", "--no-header", "-", input=package)
    return text.partition("==")[2].split()[0]


def wanted(name: str) -> list[str]:
    """What an environment is to hold, as arguments of `uv pip install`."""
    if name == "oldest":
        return ["--resolution", "lowest-direct"]
    return [f"{one}=={newest(one)}" for one in DG] if name == "dg" else []


def check(name: str, folder: Path) -> None:
    """Install and use the package as `name` says."""
    python = folder / "bin/python"
    run(*UV, "venv", "--quiet", "--python", sys.executable, folder)
    run(*UV, "pip", "install", "--quiet", "--python", python, ROOT, *TOOLS, *wanted(name))
    run(*UV, "pip", "check", "--quiet", "--python", python)
    listed = json.loads(run(*UV, "pip", "list", "--format", "json", "--python", python))
    found = {one["name"]: one["version"] for one in listed}
    shown = ("dagster", "dagster-dg-core", "typer", "click", "pydantic", "duckdb")
    print(f"{name}:", ", ".join(f"{one} {found[one]}" for one in shown if one in found), flush=True)
    program = folder / "bin/connector-assets"
    for args in (["--version"], ["--help"], ["validate", "specs"], ["list"]):
        run(program, *args, cwd=ROOT)
    # Old releases warn of new ones, and new ones of what they will drop.
    how = ["-q", "-x", "-p", "no:cacheprovider", "-W", "default", "-k", LEFT_OUT]
    print(" ", run(python, "-m", "pytest", *how, *TESTS, cwd=ROOT).splitlines()[-1], flush=True)


def main(names: Sequence[str]) -> None:
    for name in names or ("newest", "dg", "oldest"):
        with tempfile.TemporaryDirectory(prefix=f"versions-{name}-") as folder:
            check(name, Path(folder) / "env")


if __name__ == "__main__":
    main(sys.argv[1:])
