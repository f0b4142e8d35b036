"""Where a project's things are: as the caller, the environment or custom says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connector_assets.project import documents, locks
from connector_assets.settings import private_hosts, setting


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the definitions depend on, so the key of the memoised build.

    `files` are the documents with size and time of change: a changed file is a new build.
    """

    specs: Path
    connections: Path
    destination: str
    staging: str
    state: str
    allow_private: tuple[str, ...]
    timezone: str
    """Of every cron, as in the tz database."""
    files: tuple[tuple[str, int, int], ...] = ()


def settings(
    specs: str | Path | None = None,
    connections: str | Path | None = None,
    destination: str | None = None,
    staging: str | Path | None = None,
    allow_private: Sequence[str] | None = None,
) -> Settings:
    """The settings in force; relative paths are taken from the working directory."""
    folders = (Path(specs or setting("SPECS")), Path(connections or setting("CONNECTIONS")))
    return Settings(
        *folders,
        destination=destination or setting("DESTINATION"),
        staging=str(staging or setting("STAGING")),
        state=setting("STATE"),
        allow_private=private_hosts() if allow_private is None else tuple(allow_private),
        timezone=setting("TIMEZONE"),
        files=tuple(
            _stamp(path) for folder in folders for path in (*documents(folder), *locks(folder))
        ),
    )


def _stamp(path: Path) -> tuple[str, int, int]:
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size
