"""1,000 rows merged into a large table of a lake, against 1,000 rows that are added.

    python -m benchmarks.lake_merge delta 1000000 --folder /tmp/lake

Keys that follow each other are in one file; keys that are spread touch every file, which is then
written anew. Each figure is one load in a process of its own: seconds, CPU seconds, peak RSS.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

import duckdb

from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table, WriteMode
from connector_assets.load.urls import destination_from_url

TABLE = Table("bench", "rows", ("id",))
_ROW = """{'id': n, 'name': 'customer ' || n, 'email': n || '@example.com',
    'amount': n * 7 % 1000 / 8.0, 'active': n % 3 = 0,
    'note': repeat(md5(VALUES), 5), 'at': '2024-01-01T00:00:00Z'}"""


def staged(folder: Path, name: str, numbers: str, salt: int) -> Segment:
    """Rows of these numbers as a staged file; `salt` makes their texts differ."""
    path = folder / f"{name}.ndjson"
    row = _ROW.replace("VALUES", f"(n + {salt})::varchar")
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select to_json({row}) from ({numbers}) t(n)) to '{path}' "
            "(format csv, header false, quote '', delimiter '\x01', escape '')"
        )
        rows = connection.execute(f"select count(*) from ({numbers})").fetchall()[0][0]
    return Segment(path, rows, path.stat().st_size)


def measured(what: str, url: str, segment: Segment, mode: WriteMode) -> None:
    """Load in a child process, and print what it took."""
    begun = time.monotonic()
    if (child := os.fork()) == 0:
        destination_from_url(url).load(Order(TABLE, mode, [segment]))
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    assert status == 0, what
    cpu, rss = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    seconds = time.monotonic() - begun
    print(f"{what:24}{seconds:8.1f} s{cpu:8.1f} s CPU{rss:8.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("format", choices=["delta", "iceberg", "parquet", "duckdb"])
    parser.add_argument("rows", type=int)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    folder = given.folder / f"{given.format}-{given.rows}"
    folder.mkdir(parents=True)
    place = {
        "delta": f"delta+file:///{folder}/lake",
        "iceberg": f"iceberg+sqlite:///{folder}/catalog.db",
        "parquet": f"parquet:///{folder}/lake",
        "duckdb": f"duckdb:///{folder}/data.duckdb",
    }[given.format]
    part = given.rows // 10
    for number in range(10):
        numbers = f"select range from range({number * part}, {(number + 1) * part})"
        segment = staged(folder, "part", numbers, 0)
        measured(f"append {part:,}", place, segment, "append")
    more = staged(folder, "more", f"select {given.rows} + range from range(1000)", 0)
    measured("append 1,000", place, more, "append")
    near = staged(folder, "near", f"select {part * 3} + range from range(1000)", 1)
    measured("merge 1,000 near", place, near, "merge")
    spread = staged(folder, "far", f"select range * {given.rows // 1000} from range(1000)", 2)
    measured("merge 1,000 spread", place, spread, "merge")
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, "MB at most")


if __name__ == "__main__":
    main()
