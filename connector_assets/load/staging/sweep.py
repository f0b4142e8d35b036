"""Staged rows that nobody will load any more: those of streams that are not there now."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from connector_assets.errors import Busy, ConfigError
from connector_assets.load.files.lock import PathLock
from connector_assets.load.files.store_names import file_name
from connector_assets.private import discard


def sweep_streams(root: Path, connection: str, streams: Iterable[str]) -> None:
    """Remove what was staged for streams that `connection` no longer has, but what is in use."""
    with suppress(OSError):
        folders = list((root / file_name(connection)).iterdir())
        names = {file_name(stream) for stream in streams} if folders else set()
        for folder in folders:
            if folder.name not in names:
                _sweep(root, folder)


def _sweep(root: Path, folder: Path) -> None:
    for part in folder.iterdir():
        lock = root / ".locks" / f"{'+'.join(part.relative_to(root).parts)}.lock"
        with suppress(OSError, Busy, ConfigError), PathLock(lock, what=str(part)):
            discard(part)
    folder.rmdir()
