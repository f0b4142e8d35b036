"""An inter-process lock that can say who holds it.

The lock is the operating system's (`flock`), so it is gone when its holder is, even by SIGKILL. The
holder writes who it is into a file beside it, which matters only while the lock is held.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from connector_assets.errors import Busy


class Lock:
    """`with Lock(path, what="github/issues"):` waits up to `wait_s` seconds, then raises Busy.

    Both files, `path` and `path` + `.holder`, are left in place: removing a lock file while others
    wait for it would let two in.
    """

    def __init__(self, path: Path, *, what: str, wait_s: float = 0, run_id: str = "") -> None:
        self._holder_file = path.with_name(path.name + ".holder")
        self._what, self._wait_s, self._run_id = what, wait_s, run_id
        # Not thread-local: the thread that stages may not be the one that clears.
        self._lock = FileLock(path, thread_local=False)

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=self._wait_s, poll_interval=0.02)
        except Timeout:
            raise Busy(
                f"held by {self._holder()}",
                where=self._what,
                fix="wait for it to end, or end it",
            ) from None
        # The holder's name is a courtesy: a full disk must not turn it into a failure.
        with suppress(OSError):
            self._holder_file.write_text(json.dumps(_me(self._run_id)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._holder_file.unlink()
        self._lock.release()

    def _holder(self) -> str:
        try:
            holder = json.loads(self._holder_file.read_text())
            run = f", run {holder['run']}" if holder["run"] else ""
            return f"process {holder['pid']} on {holder['host']} since {holder['since']}{run}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def _me(run_id: str) -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run_id,
    }
