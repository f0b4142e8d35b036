"""Where tokens outlive a process: by default a file each, which only the user can read."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connector_assets.errors import Cancelled, ConnectorError
from connector_assets.private import open_private, private_file
from connector_assets.runtime.shared.locks import shared_folder, try_lock
from connector_assets.runtime.shared.servers import server_tokens
from connector_assets.spec.auth.credentials import TokenStore

# A renewal takes seconds. Whoever waits longer than this waits for a process that hangs.
_LONGEST_WAIT_S = 300.0
_POLL_S = 0.05
MAX_RECORD_BYTES = 4 << 20
"""What is read of a stored record: a longer one is damaged."""


def token_store(state: str | None = None) -> TokenStore:
    """The store at `state`: a folder, `redis://…`, `postgresql://…`, or None for this process."""
    if state is None:
        return MemoryTokenStore()
    if "://" in state:
        return server_tokens(state)
    return FileTokenStore(Path(state) / "tokens")


def record_of(text: bytes | str | None) -> Mapping[str, Any] | None:
    """A stored record; None for one that is damaged, or not ours."""
    try:
        record = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


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
        self._folder = shared_folder(folder)

    @contextmanager
    def lock(self, key: str, cancel: threading.Event) -> Iterator[None]:
        until = time.monotonic() + _LONGEST_WAIT_S
        while (release := try_lock(self._folder / f"{key}.lock")) is None:
            if cancel.wait(_POLL_S):
                raise Cancelled("cancelled while another process renews the token")
            if time.monotonic() >= until:
                raise ConnectorError(
                    "another process has been renewing the token for 5 minutes",
                    fix="look whether one hangs",
                )
        try:
            yield
        finally:
            release()

    def read(self, key: str) -> Mapping[str, Any] | None:
        try:
            file = open_private(self._folder / f"{key}.json", os.O_RDONLY)
            with os.fdopen(file, "rb") as opened:
                return record_of(opened.read(MAX_RECORD_BYTES))
        except FileNotFoundError:
            return None

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
        with private_file(new, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
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
