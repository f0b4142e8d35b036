"""Benchmarks run with what there is now, however slowly: nobody reads a figure here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLOW = pytest.mark.slow
ROWS = ["--rows", "5000", "--rounds", "1"]


@pytest.mark.parametrize(
    ("arguments", "said", "ends"),
    [
        pytest.param(
            ["throughput", *ROWS, "--case", "pages"],
            "| pages of 100 | 5,000 | 100 |",
            {0},
            marks=SLOW,
        ),
        pytest.param(
            ["throughput", *ROWS, "--case", "requests"], "| pages of 1 | 200 | 1 |", {0}, marks=SLOW
        ),
        pytest.param(
            ["throughput", *ROWS, "--case", "dirty"], "| dirty rows | 5,000 |", {0}, marks=SLOW
        ),
        (["throughput", *ROWS, "--case", "file"], "| DuckDB, from a local file | 5,000 |", {0}),
        pytest.param(
            ["throughput", *ROWS, "--case", "postgres"],
            "| into PostgreSQL | 5,000 |",
            {0},
            marks=SLOW,
        ),
        (["merge", "--tables", "4000", "--rounds", "2"], "| postgres | 4,000 |", {0}),
        (["latency", "--pages", "6", "--rounds", "1", "--delay-ms", "1"], "probed", {0}),
        pytest.param(
            ["components", "--components", "2", "--streams", "2", "--rounds", "1"],
            "components",
            {0},
            marks=SLOW,
        ),
        pytest.param(["items", "--items", "50"], "| 50 | gone on | 25 |", {0}, marks=SLOW),
        (["merges", "--rows", "3000"], "anywhere", {0}),
        pytest.param(
            ["definitions", "--assets", "20", "--rounds", "1"],
            "| 20 | bare |",
            {0},
            marks=SLOW,
        ),
        # Its exit says whether the aim was met, which is not asked here.
        (["guarded_client", "5", "1000"], "guarded, basic auth", {0, 1}),
    ],
    ids=lambda one: "-".join(one[:1] + one[-1:]) if isinstance(one, list) else "",
)
def test_a_benchmark_runs(arguments, said, ends):
    command = [sys.executable, "-m", f"benchmarks.{arguments[0]}", *arguments[1:]]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said in ran.stdout, ran.stderr
    assert ran.returncode in ends, ran.stderr
