"""Hundreds of thousands of parents: memory that does not grow with them, time that grows no faster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.items import LOADS, parents


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], list[float]]:
    """(items asked for, seconds, peak MB) of each load of the benchmark, by items and load."""
    found = {}
    for items in (20_000, 300_000):
        folder = tmp_path_factory.mktemp("items")
        url = f"duckdb:///{folder}/data.duckdb"
        for name, (version, share) in LOADS.items():
            parents(url, folder, items, version)
            told = [url, str(folder / "staging"), str(round(items * share))]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.items", *told],
                check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1],
            )  # fmt: skip
            found[items, name] = [float(one) for one in done.stdout.split()]
    return found


@pytest.mark.slow
def test_what_is_known_of_items_takes_no_memory(figures):
    """Beyond what DuckDB takes for the rows, where all are read."""
    for name, most_mb in {"nothing changed": 40, "1% changed": 40, "first": 120}.items():
        grown = figures[300_000, name][2] - figures[20_000, name][2]
        assert grown < most_mb, f"{name}: {grown:.0f} MB more"


@pytest.mark.slow
def test_only_what_has_to_be_read_is_read(figures):
    asked = {name: figures[300_000, name][0] for name in LOADS}
    assert asked == {
        "first": 300_000,
        "nothing changed": 0,
        "1% changed": 3_000,
        "all changed, broken off": 150_001,
        "gone on": 150_000,
    }
