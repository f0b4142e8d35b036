"""1,000 rows merged into a large table of a lake, against 1,000 rows that are added.

    python -m benchmarks.lake_merge delta 1000000 --folder /tmp/lake

Keys that follow each other are in one file; keys that are spread touch every file, which is then
written anew. Each load is in a process of its own: seconds, CPU seconds (medians) and the highest
peak RSS of `--rounds`. A table that is in the folder already is taken as it is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterable
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


def measured(url: str, segment: Segment, mode: WriteMode) -> tuple[float, float, float]:
    """Load in a child process: seconds, its CPU seconds, and its peak in MB."""
    begun = time.monotonic()
    if (child := os.fork()) == 0:
        destination_from_url(url).load(Order(TABLE, mode, [segment]))
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    assert status == 0, mode
    cpu, rss = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    return time.monotonic() - begun, cpu, rss


def report(what: str, url: str, mode: WriteMode, segments: Iterable[Segment]) -> None:
    wall, cpu, rss = zip(*(measured(url, one, mode) for one in segments), strict=True)
    seconds = f"{statistics.median(wall):8.1f} s{statistics.median(cpu):8.1f} s CPU"
    print(f"{what:24}{seconds}{max(rss):8.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("format", choices=["delta", "iceberg", "parquet", "duckdb"])
    parser.add_argument("rows", type=int)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = given.folder / f"{given.format}-{given.rows}"
    folder.mkdir(parents=True, exist_ok=True)
    place = {
        "delta": f"delta+file:///{folder}/lake",
        "iceberg": f"iceberg+sqlite:///{folder}/catalog.db",
        "parquet": f"parquet:///{folder}/lake",
        "duckdb": f"duckdb:///{folder}/data.duckdb",
    }[given.format]
    part, rows = given.rows // 10, given.rows
    if len(list(folder.iterdir())) == 0:
        ranges = (f"range({n * part}, {(n + 1) * part})" for n in range(10))
        all_rows = (staged(folder, "part", f"select range from {one}", 0) for one in ranges)
        report(f"append {part:,}", place, "append", all_rows)
    salt = time.time_ns() % 1_000_000_000
    merges = {
        "new keys": f"select {rows} + {salt + 1}000 + SALT * 1000 + range from range(1000)",
        "near": f"select {part * 3} + range from range(1000)",
        "spread": f"select range * {rows // 1000} from range(1000)",
    }
    for name, numbers in merges.items():
        segments = (
            staged(folder, "few", numbers.replace("SALT", str(turn)), salt + turn)
            for turn in range(given.rounds)
        )
        mode: WriteMode = "append" if name == "new keys" else "merge"
        report(f"{mode} 1,000, {name}", place, mode, segments)


if __name__ == "__main__":
    main()
