"""The tutorial's commands, run as they stand, and what it says they print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb

from demo.server import serving
from tests.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "tutorial.md"
_MARK = "=-=-= block"


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    page = list(blocks(PAGE))
    with serving(tmp_path / "api", most=4000) as base_url:
        address = base_url.removeprefix("http://")
        done = run(script(page).replace("127.0.0.1:8001", address), tmp_path)
    assert done.returncode == 0, done.stdout
    printed = done.stdout.replace(address, "127.0.0.1:8001").split(_MARK)
    for number, block in enumerate(page):
        if block.language == "text":
            said = printed[sum(b.language == "bash" for b in page[:number])]
            assert_shown(block, said)
    with duckdb.connect(str(tmp_path / ".demo/tutorial/data.duckdb"), read_only=True) as air:
        sql = "select count(*) from air."
        held = {
            t: air.execute(sql + t).fetchall()[0][0] for t in ("airlines", "airports", "planes")
        }
    assert held == {"airlines": 16, "airports": 1458, "planes": 3322}


def script(page: list[Block]) -> str:
    """One shell runs them all, for a later block uses what an earlier one set."""
    commands = [block.text for block in page if block.language == "bash"]
    return "set -euo pipefail\n" + "".join(f"echo '{_MARK}'\n{text}" for text in commands)


def assert_shown(block: Block, printed: str) -> None:
    """Each line of `block` is printed, in that order; a line of three dots stands for any."""
    rest = iter(" ".join(line.split()) for line in printed.splitlines())
    for line in block.text.splitlines():
        if line.strip() not in ("", "..."):
            wanted = " ".join(line.split())
            assert any(wanted == said for said in rest), f"{block}: {line!r} not in\n{printed}"


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    unwanted = ("PYTHONDONTWRITEBYTECODE", "DAGSTER_", "CONNECTOR_ASSETS_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    env["COLUMNS"] = "100"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
