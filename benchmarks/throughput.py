"""Rows per second of whole processes, into the same kind of DuckDB file, taking turns.

    python -m benchmarks.throughput [--rows 500000] [--rounds 5] [--peers PYTHON] [--case NAME]

`--peers` is the interpreter of an environment of their own: `pip install "dlt[duckdb]" pyarrow
httpx orjson`. `--postgres` is the URL of a database of its own for the case of that name, by
default a server that is started for it. `--staging` is where the case of that name stages rows
besides a folder, as `s3://bucket/prefix`, by default `file://` through fsspec. Every contender's
rows are counted in what it wrote, and no row comes twice. Each contender runs once before, with few
rows, so that none is timed while Python compiles it. Figures are medians; CPU seconds are those of
the process and its children, and say more than the others where a machine has other work. Ratios
are to the first of a case.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.rows import write

HERE = Path(__file__).parent
# What pip installs is compiled; where this is forbidden, each process would compile it again.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
_FIRST_ROWS = 2_000


@dataclass(frozen=True)
class Contender:
    name: str
    script: str
    rows: int
    size: int = 1000
    query: str = ""
    more: tuple[str, ...] = ()
    is_peer: bool = False
    to: str = ""
    staging: str = ""

    @property
    def dirty(self) -> bool:
        return "dirty" in self.query


@dataclass(frozen=True)
class Run:
    wall_s: float
    cpu_s: float
    rss_mb: float


def contenders(rows: int, postgres: str, staging: str) -> dict[str, list[Contender]]:
    """What is compared, by case; what takes minutes gets fewer rows, and rates compare."""
    ours, dlt, few = "contenders/ours.py", "contenders/dlt_rest.py", rows // 25
    own = Contender("DuckDB, from a local file", "contenders/duckdb_file.py", rows)
    return {
        "peers": [
            own,
            Contender("httpx + orjson, nothing stored", "contenders/limit.py", rows, is_peer=True),
            Contender("connector_assets", ours, rows),
            Contender("connector_assets, one at a time", ours, rows, more=("1",)),
            Contender("dlt, default", dlt, rows // 10, more=("default",), is_peer=True),
            Contender("dlt, best setting", dlt, rows, more=("best",), is_peer=True),
        ],
        "file": [own, Contender("connector_assets", ours, rows)],
        "postgres": [
            Contender("into a DuckDB file", ours, rows),
            Contender("into PostgreSQL", ours, rows, to=postgres),
        ],
        "staging": [
            Contender("staged in a folder", ours, rows),
            Contender("staged below a URL", ours, rows, staging=staging),
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


def clear(postgres: str) -> None:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("drop schema if exists bench cascade")


def url_of(contender: Contender, port: int) -> str:
    return f"http://127.0.0.1:{port}/rows?total={contender.rows}{contender.query}"


def measure(contender: Contender, port: int, peers: str, made: Path) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        if contender.to:
            clear(contender.to)
        database = contender.to or str(Path(folder, "out.duckdb"))
        more = contender.more
        if contender.script.endswith("duckdb_file.py"):
            more = (str(write(made, contender.rows, dirty=contender.dirty)),)
        python = peers if contender.is_peer else sys.executable
        command = [python, str(HERE / contender.script), url_of(contender, port)]
        command += [str(contender.rows), str(contender.size), database, *more]
        start = time.monotonic()
        given = {"CONNECTOR_ASSETS_STAGING": contender.staging or str(Path(folder, "staging"))}
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**_ENVIRONMENT, **given},
        )
        assert process.stdout
        said = process.stdout.read().split()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    if status or not said or int(said[-1]) != contender.rows:
        sys.exit(f"{contender.name}: {contender.rows} rows expected, it said {said[-3:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextmanager
def serving(made: Path) -> Iterator[int]:
    """The port of a server of the rows in a folder."""
    command = [sys.executable, "-m", "benchmarks.contenders.server", str(made)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    assert server.stdout
    try:
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()


@contextmanager
def postgres_for(cases: list[str], url: str) -> Iterator[str]:
    """A database of PostgreSQL, if one of the cases needs it and none is given."""
    if url or (cases and "postgres" not in cases):
        yield url
        return
    import pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="")
    parser.add_argument("--postgres", default="")
    parser.add_argument("--staging", default="")
    parser.add_argument("--case", action="append", default=[])
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as made,
        serving(Path(made)) as port,
        postgres_for(given.case, given.postgres) as postgres,
    ):
        staging = given.staging or f"file://{made}/staging"
        for case, entries in contenders(given.rows, postgres, staging).items():
            if given.case and case not in given.case:
                continue
            able = [one for one in entries if given.peers or not one.is_peer]
            report(case, able, given.rounds, port=port, peers=given.peers, made=Path(made))


def report(
    case: str, entries: list[Contender], rounds: int, *, port: int, peers: str, made: Path
) -> None:
    runs: dict[str, list[Run]] = {one.name: [] for one in entries}
    for one in entries:  # rows are made on first use
        urllib.request.urlopen(url_of(one, port) + "&offset=0&limit=1").read()
    for one in entries:
        measure(replace(one, rows=min(one.rows, _FIRST_ROWS)), port, peers, made)
    for _ in range(rounds):
        for one in entries:
            runs[one.name].append(measure(one, port, peers, made))
    print(f"\n## {case} (medians of {rounds})\n")
    print("| what | rows | page | rows/s | wall s | ratio | CPU s | ratio | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    first = median(runs[entries[0].name], entries[0].rows)
    for one in entries:
        wall, cpu = median(runs[one.name], one.rows)
        rss = max(run.rss_mb for run in runs[one.name])
        print(
            f"| {one.name} | {one.rows:,} | {one.size} | {1 / wall:,.0f} "
            f"| {wall * one.rows:.2f} | {wall / first[0]:.2f} "
            f"| {cpu * one.rows:.2f} | {cpu / first[1]:.2f} | {rss:.0f} |",
            flush=True,
        )


def median(runs: list[Run], rows: int) -> tuple[float, float]:
    """Seconds a row, on the wall and of CPU."""
    wall = statistics.median(run.wall_s for run in runs)
    return wall / rows, statistics.median(run.cpu_s for run in runs) / rows


if __name__ == "__main__":
    main()
