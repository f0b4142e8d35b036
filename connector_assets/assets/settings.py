"""Where a project's things are: as the caller, the environment or custom says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector_assets.errors import ConfigError
from connector_assets.project.project import documents, locks
from connector_assets.project.settings import private_hosts, setting, variable
from connector_assets.project.spec_files import Stamp, stamp


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
    own: tuple[tuple[str, str], ...] = ()
    """What the caller said instead of the environment, as far as resources depend on it."""
    files: tuple[Stamp, ...] = ()

    def with_files(self) -> Settings:
        """These, with the documents as they are now."""
        folders = (self.specs, self.connections)
        found = (path for one in folders for path in (*documents(one), *locks(one)))
        return replace(self, files=tuple(stamp(path.resolve()) for path in found))


def settings(
    specs: str | Path | None = None,
    connections: str | Path | None = None,
    destination: str | None = None,
    staging: str | Path | None = None,
    allow_private: Sequence[str] | None = None,
) -> Settings:
    """The settings in force; relative paths are taken from the working directory."""
    said = {"destination": destination, "staging": staging, "allow_private": allow_private}
    folders = (Path(specs or setting("SPECS")), Path(connections or setting("CONNECTIONS")))
    return Settings(
        *folders,
        destination=destination or setting("DESTINATION"),
        staging=str(staging or setting("STAGING")),
        state=setting("STATE"),
        allow_private=private_hosts() if allow_private is None else tuple(allow_private),
        timezone=_timezone(setting("TIMEZONE")),
        own=tuple((name, str(value)) for name, value in said.items() if value is not None),
    )


def _timezone(name: str) -> str:
    """A time zone by its name in the tz database, as Dagster takes it; ConfigError for another."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ConfigError(
            f'"{name}" is no time zone',
            where=variable("TIMEZONE"),
            fix="write it as the tz database does, as Europe/Madrid or UTC",
        ) from None
    return name
