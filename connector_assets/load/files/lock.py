"""An inter-process lock that can say who holds it.

The lock is the operating system's (`flock`), so it is gone when its holder is, even by SIGKILL. The
holder writes who it is into the locked file, which matters only while the lock is held.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from connector_assets.errors import Busy
from connector_assets.private import locked_file, open_private

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]  # the branch below then takes filelock

_LOOK_AGAIN_S = 0.02
_LONGEST = 4096


class PathLock:
    """`with PathLock(path, what="github/issues"):` waits up to `wait_s` seconds, then raises Busy.

    The file at `path` is left in place: removing it while others wait for it would let two in. No
    link is followed there, and no file of another user taken: ConfigError.
    """

    def __init__(self, path: Path, *, what: str, wait_s: float = 0, run_id: str = "") -> None:
        self._path, self._what, self._wait_s, self._run_id = path, what, wait_s, run_id
        self._release: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        until = time.monotonic() + self._wait_s
        while (release := self._take()) is None:
            if time.monotonic() >= until:
                raise Busy(
                    f"held by {self._holder()}",
                    where=self._what,
                    fix="wait for it to end, or end it",
                )
            time.sleep(_LOOK_AGAIN_S)
        self._release = release
        return self

    def __exit__(self, *_: object) -> None:
        release, self._release = self._release, None
        if release:
            release()

    def _take(self) -> Callable[[], None] | None:
        """What releases the lock, once it is taken; None while someone else has it."""
        if fcntl is None:  # pragma: no cover - Windows, where nobody could read a locked file
            lock = FileLock(self._path, thread_local=False)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return None
            return lock.release
        file = locked_file(self._path)
        if file is None:
            return None
        # The holder's name is a courtesy: a full disk must not turn it into a failure. And where
        # the file has a second name, someone else's lies under it.
        if os.fstat(file).st_nlink == 1:
            with suppress(OSError):
                os.ftruncate(file, 0)
                os.pwrite(file, json.dumps(_me(self._run_id)).encode(), 0)
        return lambda: _let_go(file)

    def _holder(self) -> str:
        try:
            file = open_private(self._path, os.O_RDONLY)
            try:
                holder = json.loads(os.pread(file, _LONGEST, 0))
            finally:
                os.close(file)
            run = f", run {holder['run']}" if holder["run"] else ""
            return f"process {holder['pid']} on {holder['host']} since {holder['since']}{run}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def _let_go(file: int) -> None:
    """Without the name in it, which would be wrong from now on."""
    try:
        if os.fstat(file).st_nlink == 1:
            with suppress(OSError):
                os.ftruncate(file, 0)
    finally:
        os.close(file)


def _me(run_id: str) -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run_id,
    }
