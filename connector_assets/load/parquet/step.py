"""One load of a table of Parquet files: from one manifest to the next, with few rows read.

Files that stay as they are stay where they are. A load that adds rows writes one file more; one by
key looks for its keys in the files, and writes anew those that hold rows which change.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.load import load
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.shape import comments_wanted
from connector_assets.load.duckdb.state import DuckDBState, dump_state, restore_state
from connector_assets.load.duckdb.tables import PARTITION
from connector_assets.load.duckdb.tuning import tune
from connector_assets.load.duckdb.typed import with_deleted
from connector_assets.load.files.folders import Folder
from connector_assets.load.order import Order
from connector_assets.load.parquet.by_key import OldFiles, changes_by_key
from connector_assets.load.parquet.files import (
    add_rows,
    blocks_of,
    export,
    export_items,
    fetch,
    partitions_of,
    restore,
    restore_items,
    types_of,
)
from connector_assets.load.parquet.manifest import REJECTED, VERSION, DataFile, Manifest, PartFiles
from connector_assets.load.parquet.places import FIELD, base, unfit_partition
from connector_assets.load.table import Column, Loaded, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SMALL = 122_880
"""Rows of a file that is worth no reading of its own: DuckDB's and others' unit of work."""
_MOST_SMALL = 16


def restore_all(
    connection: DuckDBPyConnection, manifest: Manifest, folder: Folder, scratch: Path
) -> None:
    """Add what a manifest remembers to a file that may have some already."""
    restore_state(connection, manifest.state)
    items = [manifest.items] if manifest.items else []
    restore_items(connection, fetch(folder, manifest, items, scratch))


@dataclass(frozen=True, slots=True)
class ParquetLoad:
    """From one manifest to the next."""

    order: Order
    before: Manifest
    folder: Folder
    scratch: Path

    def done(self) -> tuple[Loaded, Manifest] | None:
        """What this load did, if it was done before."""
        this = (self.order.load_id, self.order.table.partition or "")
        for row in self.before.state.get("loads", []):
            if self.order.load_id and (row["load_id"], row["partition"]) == this:
                loaded = self._loaded(self.before, row["received"], row["rejected"])
                return loaded, self.before
        return None

    def load(self) -> tuple[Loaded, Manifest]:
        """Load; files that stay as they are not even read, unless a column's type widens."""
        needs_rows = self._needs_rows()
        path, done = self._run(with_rows=needs_rows)
        if not needs_rows and self._stays() and self._has_widened(path):
            needs_rows = True
            path, done = self._run(with_rows=True)
        with scratch(path, where=self.order.where) as connection:
            kept = [] if needs_rows else self._kept(connection)
            set_aside = self.before.part(REJECTED).files
            stays = set_aside if not needs_rows and self.order.way != "replace" else []
            parts = {
                "": self._export(connection, "", kept),
                REJECTED: self._export(connection, REJECTED, stays),
            }
            state, items = self._state(connection), self._export_items(connection)
        after = replace(
            self.before,
            number=self.before.number + 1,
            parts={suffix: part for suffix, part in parts.items() if part.types},
            version=VERSION,
            state=state,
            items=items,
        )
        loaded = self._loaded(after, done.received, done.rejected)
        return replace(loaded, dropped=done.dropped), after

    def _needs_rows(self) -> bool:
        """Whether the table as it is must be there: history has rows that are to be closed."""
        # In version 1 files hold what is now in the names of their folders.
        return self.before.is_old or self.order.way == "scd2" or not self._can_look()

    def _can_look(self) -> bool:
        names = {name.casefold() for name in self.before.part().types}
        return not self._is_by_key() or not names & OldFiles.COLUMNS

    def _is_by_key(self) -> bool:
        """Whether new rows take the place of those of their keys, in files that stay."""
        order = self.order
        part_by_key = order.table.partition is not None and bool(order.table.primary_key)
        return order.way == "merge" or (order.way == "replace" and part_by_key)

    def _stays(self) -> list[DataFile]:
        """The files that stay, or may lose some of their rows."""
        order, files = self.order, self.before.part().files
        if order.way != "replace":
            return files
        part = order.table.partition
        return [] if part is None else [file for file in files if file.partition != part]

    def _kept(self, connection: DuckDBPyConnection) -> list[DataFile]:
        """The files that stay; by key, those anew that lost rows, and new rows without equals."""
        stays = self._stays()
        if not self._is_by_key():
            return stays
        table, part = self._table(), replace(self.before.part(), files=stays)
        columns = {column.key: column for column in DuckDBState(connection, table).columns()}
        gone = columns[table.deleted].name if table.deleted in columns else ""
        if not stays or not types_of(connection, table):
            changes_by_key(connection, table, None, [], gone=gone, is_merge=True)
            return stays
        old = OldFiles(part, fetch(self.folder, self.before, stays, self.scratch))
        key = [columns[name] for name in table.primary_key]
        is_merge = self.order.way == "merge"
        touched = changes_by_key(connection, table, old, key, gone=gone, is_merge=is_merge)
        kept = [file for file in stays if file.name not in touched]
        for file in stays:
            if file.name in touched and (left := file.rows - touched[file.name].lost):
                rows = touched[file.name].rows
                if left < SMALL:
                    add_rows(connection, table, rows)
                else:
                    kept.append(self._write(connection, "", rows, file.partition))
        return kept

    def _run(self, *, with_rows: bool) -> tuple[Path, Loaded]:
        path = self.scratch / f"{uuid.uuid4().hex}.duckdb"
        with scratch(path, where=self.order.where) as connection:
            restore_all(connection, self.before, self.folder, self.scratch)
            for suffix, part in self.before.parts.items():
                files = part.files if with_rows else []
                fetched = fetch(self.folder, self.before, files, self.scratch)
                restore(connection, self._table(suffix), part, fetched)
        order = self.order
        if not with_rows and self._is_by_key():
            order = replace(order, table=with_deleted(order.table))
        loaded = load(order, lambda: scratch(path, where=order.where), self.folder.uri)
        return path, loaded

    def _has_widened(self, path: Path) -> bool:
        with scratch(path, where=self.order.where) as connection:
            now = types_of(connection, self._table())
        return any(
            now.get(name, type_) != type_ for name, type_ in self.before.part().types.items()
        )

    def _export(
        self, connection: DuckDBPyConnection, suffix: str, kept: Sequence[DataFile]
    ) -> PartFiles:
        """Put the rows into files, for each partition where there are any."""
        table = self._table(suffix)
        types = types_of(connection, table)
        if PARTITION in types and (refused := _refused_field(types, where=self.order.where)):
            raise refused
        tune(connection, len(types))
        kept = self._without_many_small(connection, suffix, kept)
        files = [self._placed(suffix, file, parted=PARTITION in types) for file in kept]
        for partition in partitions_of(connection, table) if types else []:
            files += [
                self._write(connection, suffix, rows, partition)
                for rows in blocks_of(connection, table, partition)
            ]
        return PartFiles(types, files)

    def _without_many_small(
        self, connection: DuckDBPyConnection, suffix: str, kept: Sequence[DataFile]
    ) -> Sequence[DataFile]:
        """Many loads of few rows must not make many files: their rows are written once more."""
        small: dict[str | None, list[DataFile]] = {}
        for file in kept:
            if file.rows < SMALL:
                small.setdefault(file.partition, []).append(file)
        many = [file for files in small.values() if len(files) >= _MOST_SMALL for file in files]
        if many:
            part = replace(self.before.part(suffix), files=many)
            old = OldFiles(part, fetch(self.folder, self.before, many, self.scratch))
            add_rows(connection, self._table(suffix), old.rows(connection))
        return [file for file in kept if file not in many]

    def _write(
        self, connection: DuckDBPyConnection, suffix: str, rows: str, partition: str | None
    ) -> DataFile:
        """Write what a query gives to a file that waits to be part of the table."""
        types = types_of(connection, self._table(suffix))
        path = self.scratch / self._file_name()
        metadata = self._described(connection) if not suffix else {}
        count = export(connection, rows, types, path, metadata)
        written = DataFile(path.name, count, partition)
        file = self._placed(suffix, written, parted=PARTITION in types)
        self.folder.put(self.before.waiting(file.name), path)
        return file

    def _described(self, connection: DuckDBPyConnection) -> dict[str, str]:
        """What the spec says of the table and its columns, as metadata of a file."""
        table = self._table()
        texts = dict(comments_wanted(table, DuckDBState(connection, table).columns()))
        found = {"description": text} if (text := texts.pop("", "")) else {}
        return {**found, "column_descriptions": json.dumps(texts)} if texts else found

    def _placed(self, suffix: str, file: DataFile, *, parted: bool) -> DataFile:
        """The file with the name that it must have for readers to see its partition."""
        name = self.before.place(suffix, base(file.name), file.partition, parted=parted)
        return replace(file, name=name)

    def _state(self, connection: DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
        """What is remembered, without the mark of deleted rows, which is no column."""
        state, deleted = dump_state(connection), self.order.table.deleted
        if deleted is not None:
            state["columns"] = [row for row in state["columns"] if row["key"] != deleted]
        return state

    def _export_items(self, connection: DuckDBPyConnection) -> DataFile | None:
        """Put the positions of items into a file, if there are any and they have moved."""
        if self.order.cursor is None and not self.before.is_old:
            return self.before.items
        path = self.scratch / self._file_name()
        rows = export_items(connection, path)
        if not rows:
            return None
        name = f"{self.before.home}/items/{path.name}"
        self.folder.put(name, path)
        return DataFile(name, rows)

    def _file_name(self) -> str:
        return f"{self.before.number + 1:06d}-{uuid.uuid4().hex[:8]}.parquet"

    def _table(self, suffix: str = "") -> Table:
        return replace(self.order.table, name=self.order.table.name + suffix)

    def _loaded(self, manifest: Manifest, received: int, rejected: int) -> Loaded:
        part = manifest.part()
        columns = [Column(name, type_) for name, type_ in part.types.items()]
        return Loaded(received, part.rows, columns, self.folder.uri, rejected)


def refused_partition(table: Table) -> LoadError | None:
    """The error of a partition that cannot be told from others by the name of its folder."""
    if table.partition is None:
        return None
    if unfit := unfit_partition(table.partition):
        return LoadError(unfit, where=table.where, fix="leave it out, or load the table whole")
    return _refused_field([*table.columns, *table.primary_key], where=table.where)


def _refused_field(names: Iterable[str], *, where: str) -> LoadError | None:
    if all(name.casefold() != FIELD for name in names):
        return None
    return LoadError(
        f'a field has the name of the folders of partitions, "{FIELD}"',
        where=where,
        fix=f"rename it: fields: {{rename: {{{FIELD}: …}}}}",
    )
