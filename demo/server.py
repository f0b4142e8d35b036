"""Datasette, a real API server that others wrote, over the flights, on loopback."""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.data import build
from demo.process import running

_START_S = 60.0
# A proxy in the environment knows nothing of this machine's loopback.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def serving(folder: Path, *, port: int = 0, most: int | None = None) -> Iterator[str]:
    """The base URL of a Datasette that answers until the block ends; port 0 takes a free one.

    `folder` gets the SQLite file and the server's log. `most` limits the rows of each table.
    """
    database = folder / "nycflights.db"
    build(database, most=most)
    port = _free_port(port)
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
    with _DIRECT.open(f"{base_url}/nycflights/{table}.json?_size=0", timeout=60) as answer:
        return int(json.load(answer)["filtered_table_rows_count"])


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        # Without it, a port whose last connection ended a moment ago counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            raise SystemExit(f"port {wanted} is taken; end what uses it, or set PORT") from None
        return int(probe.getsockname()[1])


def _wait(base_url: str, exit_code: Callable[[], int | None], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and exit_code() is None:
        try:
            with _DIRECT.open(f"{base_url}/-/versions.json", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"datasette did not start at {base_url}; it said:\n{log.read_text()}")
