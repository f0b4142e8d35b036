"""Rows per second of whole processes, into the same kind of DuckDB file, taking turns.

    python -m benchmarks.throughput [--rows 500000] [--rounds 3] [--peers PYTHON] [--case NAME]

`--peers` is the interpreter of an environment of their own: `pip install "dlt[duckdb]" pyarrow
httpx orjson`. Every contender's rows are counted in what it wrote. Figures are medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Contender:
    name: str
    script: str
    rows: int
    size: int = 1000
    query: str = ""
    more: tuple[str, ...] = ()
    is_peer: bool = False


@dataclass(frozen=True)
class Run:
    wall_s: float
    cpu_s: float
    rss_mb: float


def contenders(rows: int) -> dict[str, list[Contender]]:
    """What is compared, by case; what takes minutes gets fewer rows, and rates compare."""
    ours, dlt, few = "contenders/ours.py", "contenders/dlt_rest.py", rows // 25
    return {
        "peers": [
            Contender("httpx + orjson, nothing stored", "contenders/limit.py", rows, is_peer=True),
            Contender("connector_assets", ours, rows),
            Contender("connector_assets, one at a time", ours, rows, more=("1",)),
            Contender("dlt, default", dlt, rows // 10, more=("default",), is_peer=True),
            Contender("dlt, best setting", dlt, rows, more=("best",), is_peer=True),
        ],
        "pages": [
            Contender("httpx + orjson, pages of 1000", "contenders/limit.py", rows, is_peer=True),
            Contender(
                "httpx + orjson, pages of 100", "contenders/limit.py", rows, 100, is_peer=True
            ),
            Contender("pages of 1000", ours, rows),
            Contender("pages of 100", ours, rows, size=100),
            Contender("pages of 1000, one at a time", ours, rows, more=("1",)),
            Contender("pages of 100, one at a time", ours, rows, size=100, more=("1",)),
        ],
        "requests": [
            Contender("httpx + orjson, pages of 1", "contenders/limit.py", few, 1, is_peer=True),
            Contender("pages of 1", ours, few, 1),
        ],
        "dirty": [
            Contender("clean rows", ours, rows),
            Contender("dirty rows", ours, rows, query="&dirty=1"),
        ],
        "latency": [
            Contender(
                f"50 ms, pages of {size}, {kind}, {n} at a time",
                ours,
                size * 400,
                size=size,
                query="&delay_ms=50",
                more=(str(n), kind),
            )
            for size in (100, 1000)
            for kind in ("counted", "probed")
            for n in (1, 4, 8, 16)
        ],
        "memory": [
            Contender(f"{count:,} rows", ours, count) for count in (rows, 2 * rows, 10 * rows)
        ],
    }  # fmt: skip


def measure(contender: Contender, port: int, peers: str) -> Run:
    url = f"http://127.0.0.1:{port}/rows?total={contender.rows}{contender.query}"
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder, "out.duckdb"))
        python = peers if contender.is_peer else sys.executable
        command = [python, str(HERE / contender.script), url, str(contender.rows)]
        command += [str(contender.size), database, *contender.more]
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout
        said = process.stdout.read().split()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    if status or not said or int(said[-1]) != contender.rows:
        sys.exit(f"{contender.name}: {contender.rows} rows expected, it said {said[-3:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="")
    parser.add_argument("--case", action="append")
    given = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, str(HERE / "contenders/server.py"), str(given.rows)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    try:
        port = int(server.stdout.readline())
        for case, entries in contenders(given.rows).items():
            if given.case and case not in given.case:
                continue
            able = [one for one in entries if given.peers or not one.is_peer]
            report(case, able, given.rounds, port, given.peers)
    finally:
        server.kill()
        server.wait()


def report(case: str, entries: list[Contender], rounds: int, port: int, peers: str) -> None:
    runs: dict[str, list[Run]] = {one.name: [] for one in entries}
    for one in entries:
        if one.query or one.size == 1:  # the server makes these rows on first use
            measure(one, port, peers)
    for _ in range(rounds):
        for one in entries:
            runs[one.name].append(measure(one, port, peers))
    print(f"\n## {case} (medians of {rounds})\n")
    print("| what | rows | page | rows/s | wall s | CPU s | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for one in entries:
        wall = statistics.median(run.wall_s for run in runs[one.name])
        cpu = statistics.median(run.cpu_s for run in runs[one.name])
        rss = max(run.rss_mb for run in runs[one.name])
        print(
            f"| {one.name} | {one.rows:,} | {one.size} | {one.rows / wall:,.0f} "
            f"| {wall:.2f} | {cpu:.2f} | {rss:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
