"""What a `forEach` over many parents costs below HTTP: seconds and peak memory of each load.

    python -m benchmarks.items [--items 20000 200000] [--to URL]

The parents are a table; each is answered by one row, made here, without a request, and leaves one
position (`changed` and a cursor of its own). Each load is a process of its own: the first; one that
finds nothing changed; one that finds every hundredth changed; one that finds all changed and is
broken off half-way, and one that goes on from there. `--to` is a destination's URL; "{folder}" in
it is a new folder.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import httpx

from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table
from connector_assets.load.urls import destination_from_url
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.walk.paginate import Step
from connector_assets.spec.document import parse_connector
from connector_assets.sync import Run, sync

SPEC = """
kind: connector
version: "1.0"
id: shop
displayName: Shop
auth: [{type: none}]
endpoints:
  - {id: accounts, url: "https://api.example.com/accounts"}
  - {id: orders, url: "https://api.example.com/accounts/{{account_id}}/orders"}
read:
  streams:
    - {name: accounts, primaryKey: [id]}
    - name: orders
      primaryKey: [account, id]
      writeMode: merge
      incremental: {cursorField: updated, startParam: since}
      forEach: [{parent: {stream: accounts, field: id, as: account_id, changed: version}}]
"""
# What the parents' versions are at each load, and the share of items it reads before it breaks off.
LOADS = {
    "first": ("'a'", 1.0),
    "nothing changed": ("'a'", 1.0),
    "1% changed": ("case when id % 100 = 0 then 'b' else 'a' end", 1.0),
    "all changed, broken off": ("'c'", 0.5),
    "gone on": ("'c'", 1.0),
}


class OneRow(HttpRuntime):
    """Answers each item with one row, and breaks off after `most`."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.asked = most, 0

    def concurrency(self, *_args) -> int:
        return 1

    def steps(self, *_args, how, **_given) -> Iterator[Step]:
        self.asked += 1
        if self.asked > self.most:
            raise KeyboardInterrupt
        account, now = how.bindings["account_id"], time.time_ns()
        row = b'[{"account":%d,"id":1,"updated":%d}]' % (account, now)
        answer = Answer(200, httpx.Headers(), row, "https://api.example.com/orders")
        yield Step(Page(answer), None)


def load(url: str, staging: Path, most: int) -> None:
    """One load, as a process of its own: prints what it did."""
    runtime = OneRow(most)
    connection = Connection("shop", YamlConnector(parse_connector(SPEC), runtime), environ={})
    began = time.perf_counter()
    with suppress(KeyboardInterrupt):
        sync(connection, "orders", destination_from_url(url), Run(staging))
    took = time.perf_counter() - began
    print(runtime.asked, took, peak_mb())


def peak_mb() -> float:
    """Of this process alone: `ru_maxrss` begins with that of the one it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def parents(url: str, folder: Path, items: int, version: str) -> None:
    """Replace the parents' table."""
    path = folder / "parents.ndjson"
    rows = f"select id, {version} as version from range({items}) t(id)"
    duckdb.sql(f"copy ({rows}) to '{path}' (format json)")
    segment = Segment(path, items, path.stat().st_size)
    destination_from_url(url).load(Order(Table("shop", "accounts", ("id",)), "replace", [segment]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--to", default="duckdb:///{folder}/data.duckdb")
    given = parser.parse_args()
    print("| items | load | asked for | s | peak MB |\n|---|---|---|---|---|")
    for items in given.items:
        with tempfile.TemporaryDirectory() as folder:
            measure(given.to.replace("{folder}", folder), Path(folder), items)


def measure(url: str, folder: Path, items: int) -> None:
    for name, (version, share) in LOADS.items():
        parents(url, folder, items, version)
        told = [url, str(folder / "staging"), str(round(items * share))]
        command = [sys.executable, "-m", "benchmarks.items", *told]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        asked, took, peak = done.stdout.split()
        print(
            f"| {items:,} | {name} | {int(asked):,} | {float(took):.1f} | {float(peak):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case [url, staging, most] if "://" in url:
            load(url, Path(staging), int(most))
        case _:
            main()
