"""Locks on files that processes share: held by an open file, so gone with whoever holds one dies.

`flock` itself where there is one: 13 µs with the read and write it guards, where `filelock` takes
60 to 90, and a budget is asked before every request. Elsewhere (Windows) `filelock` does it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]  # the branch below then takes filelock

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """The open file at `path`, made if need be (0600), with nobody else in it."""
    if fcntl is None:  # pragma: no cover - Windows
        with FileLock(f"{path}.lock"), _opened(path) as file:
            yield file
        return
    with _opened(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def try_lock(path: Path) -> Callable[[], None] | None:
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
    return partial(os.close, file)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, _FLAGS, 0o600)
    try:
        yield file
    finally:
        os.close(file)
