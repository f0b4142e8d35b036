"""Where a project's things are: as the caller, the environment or custom says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connector_assets.project import documents, locks


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
    folders = (
        Path(specs or _from("SPECS", "specs")),
        Path(connections or _from("CONNECTIONS", "connections")),
    )
    private = _from("ALLOW_PRIVATE", "").split(",") if allow_private is None else allow_private
    return Settings(
        *folders,
        destination=destination or _from("DESTINATION", "duckdb:///data.duckdb"),
        staging=str(staging or _from("STAGING", ".connector_assets/staging")),
        state=_from("STATE", ".connector_assets/state"),
        allow_private=tuple(host.strip() for host in private if host.strip()),
        timezone=_from("TIMEZONE", "UTC"),
        files=tuple(
            _stamp(path) for folder in folders for path in (*documents(folder), *locks(folder))
        ),
    )


def _from(name: str, default: str) -> str:
    return os.environ.get(f"CONNECTOR_ASSETS_{name}") or default


def _stamp(path: Path) -> tuple[str, int, int]:
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size
