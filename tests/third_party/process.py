"""A server in a process of its own, awaited until it answers, ended with its block."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from demo.process import running

_PATIENCE_S = 90.0
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Server:
    """One that answers, and is filled."""

    base_url: str
    count: Callable[[str], int]
    """How many rows the server itself counts for a stream."""
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """A spec `specs/<id>.yaml`: how each of its streams goes on, and the rows it has."""

    id: str
    package: str
    auth: str
    rows: Mapping[str, int]
    styles: Mapping[str, str]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def answering(
    command: Sequence[str | Path],
    url: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run `command` until the block ends; its body begins once `url` answers, whatever it says."""
    log = folder / "server.log"
    with log.open("wb") as output, running(command, env=env, output=output, folder=folder) as child:
        deadline = time.monotonic() + _PATIENCE_S
        while not _answers(url):
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(_PAUSE_S)
        yield


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.TransportError:
        return False
