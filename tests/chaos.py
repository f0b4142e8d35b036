"""The hostile server of the corpus, as a process of its own on free ports."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

_SERVER = Path(__file__).parent / "corpus" / "chaos_server.py"
_TRIES = 10


@dataclass(frozen=True)
class Chaos:
    """One server: `port` and, as another origin, `port + 1`."""

    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def allowed(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, run: str) -> str:
        """`path` under a run of its own, so that counters and log are not shared."""
        return f"{self.origin}{path}{'&' if '?' in path else '?'}run={run}"

    def log(self, run: str) -> list[dict[str, Any]]:
        """The requests seen under `run`."""
        return self._get(f"/_log?run={run}")

    def cases(self) -> list[dict[str, Any]]:
        return self._get("/_list")

    def _get(self, path: str) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.origin + path, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def running() -> Iterator[Chaos]:
    """The server, for as long as the block lasts."""
    for _ in range(_TRIES):
        port = _free_port()
        command = [sys.executable, str(_SERVER), "--port", str(port), "--ttl", "7200"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                # It needs the next port too; if that is taken it dies without this line.
                if (process.stdout.readline() if process.stdout else "").startswith("READY"):
                    yield Chaos(port)
                    return
            finally:
                process.kill()
    raise AssertionError("no two free ports side by side")


def new_run() -> str:
    return uuid4().hex


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
