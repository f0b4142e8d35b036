"""Datasette, a real API server that others wrote, over the flights, on loopback."""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.data import build
from demo.process import running

_START_S = 60.0


@contextmanager
def serving(folder: Path, *, port: int = 0, most: int | None = None) -> Iterator[str]:
    """The base URL of a Datasette that answers until the block ends; port 0 takes a free one.

    `folder` gets the SQLite file and the server's log. `most` limits the rows of each table.
    """
    database = folder / "nycflights.db"
    build(database, most=most)
    port = port or _free_port()
    base_url = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "datasette", "serve", "--immutable", database),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--setting", "max_returned_rows", "10000"),  # the largest page it gives
        *("--setting", "sql_time_limit_ms", "20000"),  # a busy machine is slow, not wrong
        *("--setting", "suggest_facets", "off"),  # they cost a query per column and page
    ]
    log = folder / "datasette.log"
    with log.open("wb") as output, running([str(part) for part in command], output=output) as child:
        _wait(base_url, child.poll, log)
        yield base_url


def count(base_url: str, table: str) -> int:
    """How many rows the API itself says that `table` has."""
    with urllib.request.urlopen(
        f"{base_url}/nycflights/{table}.json?_size=0", timeout=60
    ) as answer:
        return int(json.load(answer)["filtered_table_rows_count"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(base_url: str, ended: object, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if callable(ended) and ended() is not None:
            break
        try:
            with urllib.request.urlopen(f"{base_url}/-/versions.json", timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise SystemExit(f"datasette did not start at {base_url}; it said:\n{log.read_text()}")
