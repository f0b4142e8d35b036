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

from connector_assets.errors import ConfigError
from connector_assets.private import locked_file, open_private, private_folder, private_root

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]  # the branch below then takes filelock


def shared_folder(path: Path) -> Path:
    """The folder of state at `path`, below the one that the operator chose; 0700, and ours."""
    with _as_config_errors(path):
        return private_folder(private_root(path.parent) / path.name)


@contextmanager
def _as_config_errors(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"cannot be used ({(error.strerror or type(error).__name__).lower()})"
        fix = "see that it is a folder of this user's; CONNECTOR_ASSETS_STATE moves it"
        raise ConfigError(what, where=str(path), fix=fix) from None


@contextmanager
def locked(path: str | Path) -> Iterator[int]:
    """The open file at `path`, made if need be (0600), with nobody else in it."""
    with nullcontext() if fcntl else FileLock(f"{path}.lock"):
        with _as_config_errors(path):
            file = open_private(path)
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
    with _as_config_errors(path):
        file = locked_file(path)
    return None if file is None else partial(os.close, file)
