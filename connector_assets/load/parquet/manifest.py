"""What a folder of Parquet holds: the one file that makes a load count, all of it at once.

A load puts its files beside the table first, then writes the manifest, and only then are files
moved in and out of the table's folders. So a process killed at any point leaves the old table or
the new one, and the next load ends what it began.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.tables import VALID_FROM, VALID_TO
from connector_assets.load.files.folders import STATE, Folder
from connector_assets.load.ownership import Found, Owned
from connector_assets.load.parquet.places import (
    MANIFEST,
    base,
    data_folder,
    hive_folder,
    state_folder,
)
from connector_assets.load.table import Table

REJECTED = "__rejected"
# What a load writes, half of it too: a person's files may lie beside them.
_OURS = re.compile(r"\.?\d{6,}-[0-9a-z]+\.parquet|\.manifest-\w{8}")
_LOADS_KEPT = 200
VERSION = 2


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of one load; `partition` is the part that a later load may replace."""

    name: str
    rows: int
    partition: str | None = None


@dataclass(slots=True)
class PartFiles:
    """Files that make up one table. `types` maps its columns to DuckDB's types, in order."""

    types: dict[str, str] = field(default_factory=dict)
    files: list[DataFile] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


@dataclass(slots=True)
class Manifest:
    """A table now: `parts` by suffix ("" itself, "__rejected"), and the remembered facts.

    `state` is the content of DuckDB's `_connector_assets` for this table, but for the positions of
    many items, which are a Parquet file of their own: `items`. Of `version` 1 are those that lay in
    the table's folder, with all else; they are read, and the next load moves everything.
    """

    schema: str
    name: str
    number: int = 0
    parts: dict[str, PartFiles] = field(default_factory=dict)
    state: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    version: int = VERSION
    items: DataFile | None = None

    @property
    def home(self) -> str:
        """The folder of all that is no rows."""
        return state_folder(self.schema, self.name)

    @property
    def is_old(self) -> bool:
        """Whether it is one of the layout that only we could read."""
        return self.version < VERSION

    def folder(self, suffix: str = "") -> str:
        """The folder of the rows, or of those set aside."""
        return data_folder(self.schema, self.name + suffix)

    def place(self, suffix: str, base_name: str, partition: str | None, *, parted: bool) -> str:
        """Where a file of rows belongs."""
        below = [hive_folder(partition)] if parted else []
        return "/".join([self.folder(suffix), *below, base_name])

    def waiting(self, name: str) -> str:
        """Where a file is before its load counts."""
        return f"{self.home}/new/{base(name)}"

    def part(self, suffix: str = "") -> PartFiles:
        return self.parts.get(suffix, PartFiles())

    def found(self) -> Found:
        """What there is under the table's name: nothing but what loads of ours brought."""
        known = bool(self.state.get("columns"))
        row = next(iter(self.state.get("tables", [])), None)
        owned = Owned(row["connection"], tuple(row["primary_key"]), row["mode"]) if row else None
        return Found(
            kind="table" if self.part().types else None,
            has_rows=bool(self.part().rows),
            is_known=known,
            has_history=known and {VALID_FROM, VALID_TO} <= self.part().types.keys(),
            owned=owned,
        )

    def file_names(self) -> list[str]:
        files = [file for part in self.parts.values() for file in part.files]
        return [file.name for file in [*files, *([self.items] if self.items else [])]]

    def require_folder(self, where: str) -> None:
        """Raise ValueError where it is about another folder, or its state is none."""
        is_where = where == (self.folder() if self.is_old else self.home)
        roots = [f"{root}/" for root in (self.folder(), self.folder(REJECTED), self.home)]
        below = (
            any(map(one.startswith, roots)) and ".." not in one.split("/")
            for one in self.file_names()
        )
        rows = all(isinstance(rows, list) for rows in self.state.values())
        if not is_where or not rows or not all(below):
            raise ValueError("it is about another folder")

    def last_load(self, table: Table) -> str:
        """The name of the load that came last into this part of the table, "" without any."""
        rows = self.state.get("loads", [])
        of_part = (row["load_id"] for row in rows if row["partition"] == (table.partition or ""))
        return str(next(reversed(list(of_part)), ""))

    def write(self, folder: Folder) -> None:
        """Make it the one that counts."""
        self.state["loads"] = self.state.get("loads", [])[-_LOADS_KEPT:]
        content = asdict(self)
        if self.items is None:
            del content["items"]
        folder.replace(f"{self.home}/{MANIFEST}", json.dumps(content, indent=1).encode())

    def settle(self, folder: Folder, *, now: float, grace_s: float = 0) -> None:
        """Move files in and out of the table's folders until they hold what it names.

        New files first: whoever lists a folder between the two finds files that are gone a moment
        later, which is an error, and not too few rows, which is none. With `grace_s` seconds, files
        that were replaced are kept beside the table for so long.
        """
        wanted = {base(name): name for name in self.file_names()}
        there = [name for name in self._all_files(folder) if _OURS.fullmatch(base(name))]
        for name in there:
            place = wanted.get(base(name))
            if place not in {None, name}:
                folder.move(name, place)
        for name in there:
            if base(name) not in wanted:
                self._remove(folder, name, now=now, keeps=grace_s > 0)
        self._end_grace(folder, now - grace_s)
        self._forget_old(folder)

    def _all_files(self, folder: Folder) -> Iterator[str]:
        """Those that were moved out, whose names begin otherwise, are none of ours any more."""
        for root in (self.home, self.folder()):
            yield from folder.files(root)
        if self.part(REJECTED).types:
            yield from folder.files(self.folder(REJECTED))

    def _remove(self, folder: Folder, name: str, *, now: float, keeps: bool) -> None:
        if keeps and name.startswith(f"{self.folder()}/") and not base(name).startswith("."):
            folder.move(name, f"{self.home}/replaced/{int(now)}-{base(name)}")
        else:
            folder.delete(name)

    def _end_grace(self, folder: Folder, until: float) -> None:
        for name in folder.files(f"{self.home}/replaced"):
            since = base(name).partition("-")[0]
            if since.isdigit() and int(since) <= until:
                folder.delete(name)

    def _forget_old(self, folder: Folder) -> None:
        """Delete the manifest that lay among the rows, once this one took its place."""
        name = f"{self.folder()}/{MANIFEST}"
        if not self.is_old and name in folder.files(self.folder()):
            before = _parse(folder.read(name) or b"", self.folder())
            if before.is_old:
                folder.delete(name)

    def elsewhere(self, folder: Folder, name: str) -> Iterator[str]:
        """Where a file may be that is not in its place: its load was killed, or it is replaced."""
        yield self.waiting(name)
        for one in folder.files(f"{self.home}/replaced"):
            if one.endswith(f"-{base(name)}"):
                yield one


def found_in(folder: Folder, manifest: Manifest) -> Found:
    """What there is under the table's name: what it was loaded with, or files of a person's."""
    if manifest.number:
        return manifest.found()
    if set_aside := _table_of_rejected(folder, manifest):
        return Found(kind="table", has_rows=bool(set_aside.part(REJECTED).rows))
    files = folder.files(manifest.folder())
    if not any(_is_of_others(base(name)) for name in files):
        return manifest.found()
    return Found(kind="table", has_rows=True)


def _table_of_rejected(folder: Folder, manifest: Manifest) -> Manifest | None:
    """The table whose rows that were set aside are in this one's folder."""
    if not manifest.name.endswith(REJECTED):
        return None
    found = read_manifest(folder, Table(manifest.schema, manifest.name.removesuffix(REJECTED)))
    return found if found.part(REJECTED).types else None


def _is_of_others(name: str) -> bool:
    return name.lower().endswith(".parquet") and not _OURS.fullmatch(name)


def read_manifest(folder: Folder, table: Table) -> Manifest:
    """The table's manifest; an empty one where nothing was ever loaded."""
    empty = Manifest(table.schema, table.name)
    for where in (empty.home, empty.folder()):
        content = folder.read(f"{where}/{MANIFEST}")
        if content is not None:
            return _parse(content, where)
    return empty


def all_manifests(folder: Folder) -> list[Manifest]:
    now = _tables_below(folder, [f"{STATE}/{base(name)}" for name in folder.folders(STATE)])
    kept = {name.removeprefix(f"{STATE}/") for name, _ in now}
    schemas = [name for name in folder.folders("") if not name.startswith((STATE, "."))]
    old = [one for one in _tables_below(folder, schemas) if one[0] not in kept]
    return [_parse(content, name) for name, content in sorted([*now, *old])]


def _tables_below(folder: Folder, schemas: Collection[str]) -> list[tuple[str, bytes]]:
    tables = [table for schema in schemas for table in folder.folders(schema)]
    found = [(name, folder.read(f"{name}/{MANIFEST}")) for name in tables]
    return [(name, content) for name, content in found if content is not None]


def _parse(content: bytes, where: str) -> Manifest:
    try:
        data = json.loads(content)
        data.pop("before", None)  # of version 1: files that readers might still have been in
        data["parts"] = {
            suffix: PartFiles(_types(part["types"]), [DataFile(**file) for file in part["files"]])
            for suffix, part in data["parts"].items()
        }
        if items := data.get("items"):
            data["items"] = DataFile(**items)
        for row in data["state"].get("columns", []):
            row["column_type"] = _type(row["column_type"])
        found = Manifest(**data)
        found.require_folder(where)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LoadError(
            f"{MANIFEST} cannot be read", where=where, fix="restore it, or remove it to start over"
        ) from error
    return found


def _types(types: Mapping[str, str]) -> dict[str, str]:
    return {name: _type(type_) for name, type_ in types.items()}


def _type(text: str) -> str:
    """The type as DuckDB writes it: whoever may write to a store must not write our SQL."""
    import duckdb

    try:
        return str(duckdb.sqltype(text))
    except duckdb.Error:
        raise ValueError("a column's type is none") from None
