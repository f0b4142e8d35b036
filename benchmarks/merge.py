"""What it takes to merge 1,000 rows into tables of different sizes: it must grow slower than they.

    python -m benchmarks.merge [--tables 500000 1000000 5000000] [--to duckdb postgres] [--rounds 5]

Of the rows, which are spread over the whole table, half changed, a quarter is as it was, and a
quarter is new. Seconds on the wall and of this process's CPU, medians; PostgreSQL works in a server
of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from benchmarks.rows import write
from connector_assets.load.destination import Destination
from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table
from connector_assets.load.urls import destination_from_url

TABLE = Table("bench", "rows", ("id",))
FEW = 1_000


def changed(folder: Path, table: Path, rows: int, turn: int) -> Path:
    """A file of rows to merge into the table that the file `table` made."""
    path = folder / f"few-{rows}-{turn}.ndjson"
    step = rows // FEW
    duckdb.sql(
        f"copy (select case when id // {step} % 4 = 3 then {rows} + {turn * FEW} + id // {step} "
        f"else id end as id, case when id // {step} % 2 = 0 then 'turn {turn}' else name end "
        f"as name, * exclude (id, name) from read_json('{table}') where id % {step} = {turn}) "
        f"to '{path}' (format json)"
    )
    return path


def segment(path: Path, rows: int, load_id: str) -> Segment:
    return Segment(path, rows, path.stat().st_size, load_id=load_id)


def measure(
    destination: Destination, folder: Path, rows: int, rounds: int
) -> list[tuple[float, float]]:
    table = write(folder, rows)
    destination.load(Order(TABLE, "replace", [segment(table, rows, f"all-{rows}")]))
    took = []
    for turn in range(rounds):
        few = segment(changed(folder, table, rows, turn), FEW, f"few-{rows}-{turn}")
        wall, cpu = time.perf_counter(), time.process_time()
        loaded = destination.load(Order(TABLE, "merge", [few]))
        took.append((time.perf_counter() - wall, time.process_time() - cpu))
        assert loaded.rows == rows + (turn + 1) * FEW // 4, loaded.rows
    return took


@contextmanager
def store(kind: str, folder: Path) -> Iterator[Destination]:
    if kind == "duckdb":
        yield destination_from_url(f"duckdb:///{folder}/data.duckdb")
        return
    if kind != "postgres":
        yield destination_from_url(kind.replace("{folder}", str(folder)))
        return
    import pgserver

    # Not in that folder: the server runs as a user of its own, who may not look into it.
    with tempfile.TemporaryDirectory() as own:
        server = pgserver.get_server(own, cleanup_mode="stop")
        try:
            yield destination_from_url(server.get_uri())
        finally:
            server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=int, nargs="+", default=[500_000, 1_000_000, 5_000_000])
    parser.add_argument("--to", nargs="+", default=["duckdb", "postgres"], help="or a URL")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ.setdefault("TZ", "UTC")
    print("| store | table | merge of 1,000: s | CPU s |\n|---|---|---|---|")
    for kind in given.to:
        for rows in given.tables:
            with tempfile.TemporaryDirectory() as folder, store(kind, Path(folder)) as destination:
                took = measure(destination, Path(folder), rows, given.rounds)
            wall, cpu = (statistics.median(one[at] for one in took) for at in (0, 1))
            print(f"| {kind} | {rows:,} | {wall:.2f} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    main()
