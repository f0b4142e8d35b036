"""What a folder of Parquet holds: the one file that makes a load visible, all of it at once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.folders import Folder
from connector_assets.load.names import file_name
from connector_assets.load.table import Table

_FILE = "manifest.json"
_LOADS_KEPT = 200


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of one load; `partition` is the part that a later load may replace."""

    name: str
    rows: int
    partition: str | None = None


@dataclass(slots=True)
class Part:
    """Files that make up one table. `types` maps its columns to DuckDB's types, in order."""

    types: dict[str, str] = field(default_factory=dict)
    files: list[DataFile] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


@dataclass(slots=True)
class Manifest:
    """A table now: `parts` by suffix ("" itself, "__rejected"), and the remembered facts.

    `before` are the files of the manifest before this one, which readers may still be in; `state`
    is the content of DuckDB's `_connector_assets` for this table, but for the positions of many
    items, which are a Parquet file of their own: `items`.
    """

    schema: str
    name: str
    number: int = 0
    parts: dict[str, Part] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    state: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    version: int = 1
    items: DataFile | None = None

    @property
    def folder(self) -> str:
        return f"{file_name(self.schema)}/{file_name(self.name)}"

    def part(self, suffix: str = "") -> Part:
        return self.parts.get(suffix, Part())

    def file_names(self) -> list[str]:
        files = [file for part in self.parts.values() for file in part.files]
        return [file.name for file in [*files, *([self.items] if self.items else [])]]

    def write(self, folder: Folder) -> None:
        """Make it the one that counts; then sweep files that neither it nor the last one names."""
        self.state["loads"] = self.state.get("loads", [])[-_LOADS_KEPT:]
        content = asdict(self)
        if self.items is None:  # as before there were any: who reads those can read this
            del content["items"]
        folder.replace(f"{self.folder}/{_FILE}", json.dumps(content, indent=1).encode())
        self.sweep(folder)

    def sweep(self, folder: Folder) -> None:
        """Delete the files of loads that came to nothing, and of those before the last."""
        keep = {*self.file_names(), *self.before, f"{self.folder}/{_FILE}"}
        for name in folder.files(self.folder):
            is_ours = name.endswith(".parquet") or name.rpartition("/")[2].startswith(".")
            if is_ours and name not in keep:
                folder.delete(name)


def read_manifest(folder: Folder, table: Table) -> Manifest:
    """The table's manifest; an empty one where nothing was ever loaded."""
    empty = Manifest(table.schema, table.name)
    content = folder.read(f"{empty.folder}/{_FILE}")
    return _parse(content, empty.folder) if content is not None else empty


def all_manifests(folder: Folder) -> list[Manifest]:
    tables = [table for schema in folder.folders("") for table in folder.folders(schema)]
    found = [(name, folder.read(f"{name}/{_FILE}")) for name in sorted(tables)]
    return [_parse(content, name) for name, content in found if content is not None]


def _parse(content: bytes, where: str) -> Manifest:
    try:
        data = json.loads(content)
        data["parts"] = {
            suffix: Part(part["types"], [DataFile(**file) for file in part["files"]])
            for suffix, part in data["parts"].items()
        }
        if items := data.get("items"):
            data["items"] = DataFile(**items)
        return Manifest(**data)
    except (ValueError, TypeError, KeyError) as error:
        raise LoadError(
            f"{_FILE} cannot be read", where=where, fix="restore it, or remove it to start over"
        ) from error
