"""A load that is killed, wherever it is, leaves each table as it was or as it should be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = [pytest.param(2, id="some"), pytest.param(200, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("kills", KILLS)
def test_whole_loads_that_crash_lose_and_double_nothing(kills: int) -> None:
    # In a process of its own: it forks, and pytest's has threads.
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed", "--kills", str(kills)],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost or doubled" in done.stdout
