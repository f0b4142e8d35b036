"""The specs that come with this package: found by name, and read only where one is named.

In a checkout they are in `specs/catalogue/`, in an installed package beside this file. Releases
that an older connection may still name are in `previous/` there, as `stripe@1.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from connector_assets.errors import ConfigError

_HERE = Path(__file__).parent
_PREVIOUS = "previous"
_NAME = re.compile(r"(?P<id>[a-z][a-z0-9_]{0,62})(?:@(?P<release>[1-9][0-9]{0,3}))?")
_RELEASE = re.compile(rb"^release:[ \t]*([0-9]+)", re.MULTILINE)


@cache
def folder() -> Path:
    """Where the specs are."""
    installed = _HERE / "specs"
    return installed if installed.is_dir() else _HERE.parents[1] / "specs" / "catalogue"


def files() -> Iterator[Path]:
    """The newest release of every spec, in order of their ids."""
    yield from sorted(folder().glob("[a-z]*.yaml"))


def file_of(name: str) -> Path | None:
    """The file of `stripe`, or of a release as `stripe@1`; None where none is called so.

    Raises ConfigError where there is such a connector and not that release.
    """
    said = _NAME.fullmatch(name)
    newest = folder() / f"{said['id']}.yaml" if said else None
    if said is None or newest is None or not newest.is_file():
        return None
    if said["release"] in (None, str(release_in(newest))):
        return newest
    earlier = folder() / _PREVIOUS / f"{name}.yaml"
    if earlier.is_file():
        return earlier
    what = f'"{said["id"]}" has no release {said["release"]} in this build'
    raise ConfigError(what, fix=f"the newest is {said['id']}@{release_in(newest)}")


def release_in(path: Path) -> int:
    """The number that a file gives its release, found without reading the rest."""
    found = _RELEASE.search(path.read_bytes())
    return int(found[1]) if found else 1
