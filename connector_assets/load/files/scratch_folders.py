"""Temporary folders of a load, also those that a killed process has left behind.

Each holds a lock as long as it is used. Who makes one looks at the others of the same user, and
removes those whose lock nobody holds any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from connector_assets.errors import Busy, ConfigError
from connector_assets.load.files.lock import PathLock

_PREFIX, _LOCK = "connector_assets-", "lock"
# One that has no lock yet is just being made, or was left by a process that was killed then.
_NEW_S = 3600.0


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of this load's own in the system's temporary one (TMPDIR); it is gone at the end."""
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with PathLock(folder / _LOCK, what=str(folder)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove the folders that nobody uses any more."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, Busy, ConfigError):
            if folder.is_symlink() or not folder.is_dir() or not _is_mine(folder):
                continue
            lock = folder / _LOCK
            if not lock.exists() and time.time() - folder.stat().st_mtime < _NEW_S:
                continue
            with PathLock(lock, what=str(folder)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_mine(folder: Path) -> bool:
    return not hasattr(os, "geteuid") or folder.lstat().st_uid == os.geteuid()
