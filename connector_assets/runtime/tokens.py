"""Where tokens outlive a process: by default a file each, which only the user can read."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from connector_assets.errors import Cancelled, ConnectorError
from connector_assets.spec.credentials import TokenStore

# A renewal takes seconds. Whoever waits longer than this waits for a process that hangs.
_LONGEST_WAIT_S = 300.0
_POLL_S = 0.05


def token_store(state: str | None = None) -> TokenStore:
    """The store at `state`: a folder, `redis://…`, `postgresql://…`, or None for this process."""
    if state is None:
        return MemoryTokenStore()
    if "://" in state:
        from connector_assets.runtime.servers import server_tokens

        return server_tokens(state)
    return FileTokenStore(Path(state) / "tokens")


class MemoryTokenStore:
    """Tokens of one process, gone with it; all its stores are one."""

    _locks: dict[str, threading.Lock] = {}
    _records: dict[str, Mapping[str, Any]] = {}

    @contextmanager
    def lock(self, key: str, cancel: threading.Event) -> Iterator[None]:
        lock = self._locks.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=_POLL_S):
            if cancel.is_set():
                raise Cancelled("cancelled while another thread renews the token")
        try:
            yield
        finally:
            lock.release()

    def read(self, key: str) -> Mapping[str, Any] | None:
        return self._records.get(key)

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        self._records[key] = dict(record)


class FileTokenStore:
    """A file per connection and credentials, 0600 in a folder of 0700, replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # someone else's, who decides
            folder.chmod(0o700)

    @contextmanager
    def lock(self, key: str, cancel: threading.Event) -> Iterator[None]:
        # A lock of its own per caller: filelock's are shared by threads and re-entrant.
        lock = FileLock(self._folder / f"{key}.lock", mode=0o600)
        try:
            lock.acquire(_LONGEST_WAIT_S, _POLL_S, cancel_check=cancel.is_set)
        except Timeout:
            if cancel.is_set():
                raise Cancelled("cancelled while another process renews the token") from None
            raise ConnectorError(
                "another process has been renewing the token for 5 minutes",
                fix="look whether one hangs",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def read(self, key: str) -> Mapping[str, Any] | None:
        try:
            record = json.loads((self._folder / f"{key}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        try:
            self._replace(key, json.dumps(record).encode())
        except OSError as error:
            raise ConnectorError(
                f"a token cannot be stored ({error.strerror})",
                where=str(self._folder),
                fix="make room, or make it writable; the server may have voided the old one",
            ) from None

    def _replace(self, key: str, content: bytes) -> None:
        # One name for all: the writer holds the lock, and what a killed one left is overwritten.
        new = self._folder / f"{key}.new"
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(file)
        new.replace(self._folder / f"{key}.json")
        _sync(self._folder)


def _sync(folder: Path) -> None:
    """A rename is on disk when its folder is; Windows has no such thing and needs none."""
    if os.name == "posix":
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
