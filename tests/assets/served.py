"""Dagster's UI in processes of its own, asked over GraphQL as a browser does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODULE = ("-m", "connector_assets.definitions")
ENOUGH_S = 180
Ask = Callable[..., Any]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def started(root: Path, name: str, *args: str) -> Iterator[None]:
    """One of Dagster's servers in `root`, killed with all that it started."""
    child = subprocess.Popen(
        [str(Path(sys.executable).with_name(name)), *args],
        cwd=root,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def asking(port: int) -> Ask:
    """Calls the GraphQL of a UI at `port`."""

    def ask(query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=ENOUGH_S) as answer:
            return json.load(answer)["data"]

    return ask


@contextmanager
def developing(root: Path, *args: str) -> Iterator[Ask]:
    """`dagster dev` over the project; calls its GraphQL."""
    port = free_port()
    with started(root, "dagster", "dev", *(args or MODULE), "-p", str(port)):
        ask = asking(port)
        until(lambda: ask("{ version }"))
        yield ask


def until(found: Callable[[], Any]) -> Any:
    """What `found` gives, once it gives something."""
    end = time.monotonic() + ENOUGH_S
    value = None
    while time.monotonic() < end:
        try:
            value = found()
        except OSError as error:
            value = None
            last: Any = error
        else:
            last = value
        if value:
            return value
        time.sleep(0.5)
    raise AssertionError(f"it did not come in time; last: {last!r}")
