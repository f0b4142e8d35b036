"""Seconds to merge 1,000 rows into a table of many, by store and by what the rows are.

    python -m benchmarks.merges [--rows 1000000] [--to duckdb --to parquet]

Each load is one process's, from staged rows to the commit; the table is loaded first.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table
from connector_assets.load.urls import destination_from_url

TABLE = Table("bench", "people", ("id",))
MERGED = 1_000


def row(number: int, version: int) -> dict[str, Any]:
    return {
        "id": number,
        "version": version,
        "name": f"name {number * 7919 % 104729}",
        "amount": number * 0.37,
        "at": f"2024-01-{number % 28 + 1:02d}T10:00:00Z",
        "tags": ["a", str(number)],
        "note": f"x{number * 31}" * 6,
    }


def staged(folder: Path, rows: Iterable[dict[str, Any]]) -> list[Segment]:
    path, count = folder / f"{time.monotonic_ns()}.ndjson", 0
    with path.open("w") as file:
        for one in rows:
            file.write(json.dumps(one) + "\n")
            count += 1
    return [Segment(path, count, path.stat().st_size)]


def loads(rows: int) -> dict[str, Iterable[dict[str, Any]]]:
    latest = range(rows - MERGED, rows)
    anywhere = random.Random(1).sample(range(rows), MERGED)
    return {
        "all": (row(number, 0) for number in range(rows)),
        "the latest": (row(number, 1) for number in latest),
        "the same again": (row(number, 1) for number in latest),
        "new ones": (row(number, 1) for number in range(rows, rows + MERGED)),
        "anywhere": (row(number, 2) for number in anywhere),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--to", action="append", choices=["duckdb", "parquet"])
    given = options.parse_args()
    for store in given.to or ("duckdb", "parquet"):
        with tempfile.TemporaryDirectory() as folder:
            destination = destination_from_url(f"{store}:///{folder}/table")
            for what, rows in loads(given.rows).items():
                segments = staged(Path(folder), rows)
                wall, cpu = time.perf_counter(), time.process_time()
                loaded = destination.load(Order(TABLE, "merge", segments))
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                print(f"{store:8} {what:15} {wall:6.2f} s, {cpu:6.2f} s CPU, {loaded.rows:,} rows")


if __name__ == "__main__":
    main()
