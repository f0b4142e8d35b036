"""A folder of connectors: each id is one file's, and an id that two files claim is nobody's.

Which of them came first says nothing of whose the secrets are, so none of them gets any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from connector_assets.errors import SpecError
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import (
    Document,
    parse_connector,
    read_connection,
    read_connector,
)
from connector_assets.spec.dynamic import LOCK_SUFFIX
from connector_assets.spec.yaml.yaml_text import read_file

SUFFIXES = (".yaml", ".yml")
_LISTED = 10
_ID = re.compile(rb"""\bid["']?\s*:\s*["']?([a-z][a-z0-9_]{0,62})\b""")
Read = TypeVar("Read", bound=BaseModel)


@dataclass(frozen=True)
class Broken:
    """A file that cannot be used; `error` says why, `id` is its id as far as that is known.

    Of a connection, `data` is what it says where its text was read already, and `streams` are those
    of its connector, as far as that is known.
    """

    path: Path
    error: SpecError
    id: str = ""
    data: Mapping[str, Any] | None = field(default=None, compare=False)
    streams: tuple[str, ...] = ()

    def stands_for(self, name: str) -> bool:
        """Whether it would be the connector called `name`, if it could be read."""
        return name in (self.id, self.path.stem)


Stamp = tuple[str, int, int, int]
"""A file's path, number, time of change and size: while they are the same, so is what was read."""


def stamp(path: Path) -> Stamp:
    """What changes with a file."""
    stat = path.stat()
    return str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size


@dataclass(eq=False)
class SpecFiles:
    """The connectors of a folder by id, the ids that several files claim, and what is broken.

    Equal to itself alone: `read_specs` gives the same object until a file changes.
    """

    specs: dict[str, tuple[ConnectorSpec, Path]] = field(default_factory=dict)
    shared: dict[str, list[Path]] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    folder: Path | None = None


def read_specs(folder: Path, plugins: Collection[str] = ()) -> SpecFiles:
    """The connectors in the files of `folder`; none of them may have an id of `plugins`.

    A file is read once in a process, until it changes.
    """
    stamps = tuple(stamp(path) for path in documents(folder))
    return _read_specs(folder, stamps, frozenset(plugins))


@lru_cache(maxsize=16)
def _read_specs(folder: Path, files: tuple[Stamp, ...], plugins: frozenset[str]) -> SpecFiles:
    found = SpecFiles(folder=folder)
    read: list[tuple[Path, ConnectorSpec]] = []
    for path, one in ((Path(file[0]), read_spec(file)) for file in files):
        if isinstance(one, SpecError):
            found.broken.append(Broken(path, one))
        else:
            read.append((path, one))
    claims: dict[str, list[Path]] = {}
    for path, spec in read:
        claims.setdefault(spec.id, []).append(path)
    for path, spec in read:
        claimed = claims[spec.id]
        if spec.id not in plugins and len(claimed) == 1:
            found.specs[spec.id] = spec, path
            continue
        if spec.id not in plugins:
            found.shared[spec.id] = claimed
        by = "a plugin" if spec.id in plugins else others(claimed, path)
        document = read_connector(read_file(path), source=str(path))
        found.broken.append(Broken(path, taken(document, by), spec.id))
    return found


@cache
def read_spec(file: Stamp) -> ConnectorSpec | SpecError:
    """The connector in a file, or why there is none."""
    try:
        return parse_connector(read_file(file[0]), source=file[0])
    except SpecError as error:
        return error


def streams_of(data: Any, path: Path, files: SpecFiles) -> tuple[str, ...]:
    """The streams of the connector that a connection with faults names; none where it has none.

    `data` is what the connection says, `path` its file.
    """
    name = str(data.get("connector")) if isinstance(data, Mapping) else ""
    found: ConnectorSpec | SpecError | None = files.specs[name][0] if name in files.specs else None
    target = path.parent / name
    if found is None and name.endswith(SUFFIXES) and target.is_file():
        found = read_spec(stamp(target))
    return tuple(one.name for one in found.streams) if isinstance(found, ConnectorSpec) else ()


def documents(folder: Path) -> list[Path]:
    """The YAML files of a folder, in order of name; hidden files are left out."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
        and not path.name.endswith(LOCK_SUFFIX)
    )


def readable(
    paths: Sequence[Path], read: Callable[..., Document[Read]]
) -> tuple[list[tuple[Path, Document[Read]]], list[Broken]]:
    """The documents of those files that are ones, and the others."""
    found, broken = [], []
    for path in paths:
        try:
            found.append((path, read(read_file(path), source=str(path))))
        except SpecError as error:
            broken.append(Broken(path, error))
    return found, broken


def claims_of(read: Sequence[tuple[Path, Document[Any]]]) -> dict[str, list[Path]]:
    """The files that claim each id."""
    claims: dict[str, list[Path]] = {}
    for path, document in read:
        claims.setdefault(document.spec.id, []).append(path)
    return claims


def written_ids(folder: Path) -> dict[str, list[Path]]:
    """Every word that a file of `folder` has behind an `id:`, and those files."""
    found: dict[str, list[Path]] = {}
    for path in documents(folder):
        try:
            text = read_file(path)
        except SpecError:
            continue
        for name in dict.fromkeys(_ID.findall(text)):
            found.setdefault(name.decode(), []).append(path)
    return found


def refuse_shared_id(
    document: Document[ConnectorSpec],
    path: Path,
    written: Mapping[str, Sequence[Path]],
    plugins: Collection[str] = (),
) -> None:
    """Raise SpecError where one of the files `written`, or a plugin, has the document's id too.

    Only files that hold the id as it is mostly written are read in full: where the project is
    read, every file is.
    """
    name = document.spec.id
    if name in plugins:
        raise taken(document, "a plugin")
    for other in written.get(name, ()):
        if other.resolve() != path.resolve() and _claims(other, name):
            raise taken(document, str(other))


def refuse_id_of_connection(document: Document[ConnectorSpec], connections: Path) -> None:
    """Raise SpecError where a connection has the document's id, and so its variables."""
    name = document.spec.id
    for path in documents(connections):
        try:
            text = read_file(path)
            found = name.encode() in text and read_connection(text, source=str(path)).spec.id
        except SpecError:
            found = path.stem
        if found == name:
            message = f'"{name}" is the id of the connection {path}; give it another, or load that'
            fault = Finding(("id",), message).placed(document.yaml)
            raise SpecError([fault], source=document.source)


def _claims(path: Path, name: str) -> bool:
    try:
        return parse_connector(read_file(path)).id == name
    except SpecError:
        return False


def taken(document: Document[Any], by: str) -> SpecError:
    """That the document's id is another's too."""
    name = document.spec.id
    message = f'"{name}" is the id of {by} too, so none of them is used; give each its own'
    return SpecError([Finding(("id",), message).placed(document.yaml)], source=document.source)


def others(paths: Sequence[Path], path: Path) -> str:
    """The other claimants, in words."""
    return listed([one for one in paths if one != path])


def listed(paths: Sequence[Path]) -> str:
    """`a.yaml, b.yaml and c.yaml`; of many only the first."""
    shown = [str(path) for path in paths[:_LISTED]]
    if len(paths) > _LISTED:
        shown.append(f"{len(paths) - _LISTED} more files")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
