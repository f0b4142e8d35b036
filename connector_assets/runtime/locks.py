"""Locks on files that processes share: held by an open file, so gone with whoever holds one dies.

`flock` itself where there is one: 13 µs with the read and write it guards, where `filelock` takes
60 to 90, and a budget is asked before every request. Elsewhere (Windows) `filelock` does it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]  # the branch below then takes filelock

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def locked(path: str | Path) -> Iterator[int]:
    """The open file at `path`, made if need be (0600), with nobody else in it."""
    with nullcontext() if fcntl else FileLock(f"{path}.lock"):
        file = os.open(path, _FLAGS, 0o600)
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def try_lock(path: str | Path) -> Callable[[], None] | None:
    """Take the lock at `path` and return what releases it; None if someone has it."""
    if fcntl is None:  # pragma: no cover - Windows
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        return lock.release
    file = os.open(path, _FLAGS, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return partial(os.close, file)
