"""Folders of Parquet files as a destination: `<root>/<schema>/<table>/`, made whole by a manifest.

A load happens in a scratch DuckDB file, by the same code as any load into DuckDB, and its result is
exported: what was added as one more file where that will do, else the whole table. Only then is
`manifest.json` replaced, in one step. A reader that goes by it sees the old table or the new one,
and files that it no longer names stay until the load after that.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.duckdb_errors import first_line
from connector_assets.load.duckdb_load import Order, load, require_key
from connector_assets.load.duckdb_read import Reads
from connector_assets.load.duckdb_scratch import scratch
from connector_assets.load.duckdb_sql import quoted
from connector_assets.load.duckdb_state import State, dump_state, restore_state
from connector_assets.load.folders import Folder
from connector_assets.load.lock import Lock
from connector_assets.load.manifest import DataFile, Manifest, Part, all_manifests, read_manifest
from connector_assets.load.names import file_name
from connector_assets.load.parquet_files import (
    export,
    export_items,
    fetch,
    partitions_of,
    restore,
    restore_items,
    show,
    types_of,
)
from connector_assets.load.table import Column, Cursor, Loaded, Segment, Table, WriteMode
from connector_assets.load.told import told

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_REJECTED = "__rejected"


class ParquetDestination(Reads):
    """Parquet files in a folder, local or in an object store.

    `wait_s` is how long to wait for another process of this machine that loads the same table.
    """

    def __init__(self, folder: Folder, *, wait_s: float = 300) -> None:
        self._folder, self._wait_s = folder, wait_s

    def __repr__(self) -> str:
        return f"ParquetDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        return self._folder.uri

    def load(
        self,
        table: Table,
        segments: Sequence[Segment],
        mode: WriteMode,
        cursor: Cursor | None = None,
        *,
        fence: Callable[[], None] | None = None,
        run_id: str = "",
    ) -> Loaded:
        """Put the rows of `segments` into `table`, or change nothing and raise LoadError."""
        require_key(table, mode)
        order = Order(table, segments, mode, cursor, None, run_id, self.uri)
        with (
            told(self.uri),
            self._locked(table, run_id),
            tempfile.TemporaryDirectory() as folder,
        ):
            before = read_manifest(self._folder, table)
            if before.number:
                before.sweep(self._folder)  # first: it may be what fills the disk
            step = _Step(order, before, self._folder, Path(folder))
            loaded, after = step.done() or step.load()
            if fence is not None:
                fence()
            if after is not before:
                after.write(self._folder)
        return loaded

    def _locked(self, table: Table, run_id: str) -> Lock:
        path = self._folder.lock_path(f"{table.schema}.{table.name}.lock")
        return Lock(path, what=self.uri, wait_s=self._wait_s, run_id=run_id)

    def read_cursor(self, table: Table) -> Any:
        """Return the stored position of `table`, or None; no other table's file is looked at."""
        with told(self.uri), tempfile.TemporaryDirectory() as folder:
            manifest = read_manifest(self._folder, table)
            with scratch(Path(folder, "state.duckdb"), where=self.uri) as connection:
                _restore_state(connection, manifest, self._folder, Path(folder))
                return State(connection, table).cursor()

    def name_in_sql(self, table: Table) -> str:
        """The table's name as `query` takes it: `_reading` makes the views in this file."""
        return f'"views".{quoted(table.schema)}.{quoted(table.name)}'

    @contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        import duckdb

        try:
            with told(self.uri), self._views() as connection:
                yield connection
        except duckdb.Error as error:
            raise LoadError(first_line(error), where=self.uri) from error

    @contextmanager
    def _views(self) -> Iterator[DuckDBPyConnection | None]:
        import duckdb

        manifests = all_manifests(self._folder)
        if not manifests:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "views.duckdb")
            with duckdb.connect(path) as connection:
                for manifest in manifests:
                    # A query needs no positions of items; without them a load fails.
                    with suppress(LoadError, duckdb.Error):
                        _restore_state(connection, manifest, self._folder, path.parent)
                    for suffix, part in manifest.parts.items():
                        table = Table(manifest.schema, manifest.name + suffix)
                        files = partial(fetch, self._folder, part.files, path.parent)
                        show(connection, table, part, files)
            with duckdb.connect(path, read_only=True) as connection:
                connection.execute("set TimeZone = 'UTC'")
                yield connection


def _restore_state(
    connection: DuckDBPyConnection, manifest: Manifest, folder: Folder, scratch: Path
) -> None:
    """Add what a manifest remembers to a file that may have some already."""
    restore_state(connection, manifest.state)
    restore_items(connection, fetch(folder, [manifest.items] if manifest.items else [], scratch))


@dataclass(frozen=True, slots=True)
class _Step:
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
        kept = self._kept()
        path, received, rejected = self._run(with_rows=kept is None)
        if kept and self._has_widened(path):
            kept = None
            path, received, rejected = self._run(with_rows=True)
        with scratch(path, where=self.before.folder) as connection:
            main = self._export(connection, "", kept or [])
            stays = self.before.part(_REJECTED).files if kept and self._adds() else []
            parts = {"": main, _REJECTED: self._export(connection, _REJECTED, stays)}
            state, items = dump_state(connection), self._export_items(connection)
        after = replace(
            self.before,
            number=self.before.number + 1,
            parts={suffix: part for suffix, part in parts.items() if part.types},
            before=self.before.file_names(),
            state=state,
            items=items,
        )
        return self._loaded(after, received, rejected), after

    def _adds(self) -> bool:
        return self.order.mode == "append"

    def _kept(self) -> list[DataFile] | None:
        """The files that need no change; None if that takes a look at their rows."""
        table, files = self.order.table, self.before.part().files
        if self._adds():
            return files
        if self.order.mode != "replace" or (table.partition is not None and table.primary_key):
            return None
        if table.partition is None:
            return []
        return [file for file in files if file.partition != table.partition]

    def _run(self, *, with_rows: bool) -> tuple[Path, int, int]:
        path = self.scratch / f"{uuid.uuid4().hex}.duckdb"
        with scratch(path, where=self.before.folder) as connection:
            _restore_state(connection, self.before, self.folder, self.scratch)
            for suffix, part in self.before.parts.items():
                files = fetch(self.folder, part.files if with_rows else [], self.scratch)
                restore(connection, self._table(suffix), part, files)
        loaded = load(self.order, lambda: scratch(path, where=self.before.folder))
        return path, loaded.received, loaded.rejected

    def _has_widened(self, path: Path) -> bool:
        with scratch(path, where=self.before.folder) as connection:
            now = types_of(connection, self._table())
        return any(now[name] != type_ for name, type_ in self.before.part().types.items())

    def _export(self, connection: DuckDBPyConnection, suffix: str, kept: list[DataFile]) -> Part:
        """Put the rows into files, one for each partition where there are any."""
        table = self._table(suffix)
        types = types_of(connection, table)
        files = list(kept)
        for partition in partitions_of(connection, table) if types else []:
            folder = [self.before.folder, suffix.strip("_")]
            if partition is not None:
                folder.append(f"_partition={file_name(partition)}")
            path = self.scratch / self._file_name()
            rows = export(connection, table, types, path, partition)
            name = "/".join([*filter(None, folder), path.name])
            self.folder.put(name, path)
            files.append(DataFile(name, rows, partition))
        return Part(types, files)

    def _export_items(self, connection: DuckDBPyConnection) -> DataFile | None:
        """Put the positions of items into a file, if there are any and they have moved."""
        if self.order.cursor is None:
            return self.before.items
        path = self.scratch / self._file_name()
        rows = export_items(connection, path)
        if not rows:
            return None
        name = f"{self.before.folder}/_items/{path.name}"
        self.folder.put(name, path)
        return DataFile(name, rows)

    def _file_name(self) -> str:
        return f"{self.before.number + 1:06d}-{uuid.uuid4().hex[:8]}.parquet"

    def _table(self, suffix: str = "") -> Table:
        return replace(self.order.table, name=self.order.table.name + suffix)

    def _loaded(self, manifest: Manifest, received: int, rejected: int) -> Loaded:
        part = manifest.part()
        columns = [Column(name, type_) for name, type_ in part.types.items()]
        return Loaded(received, part.rows, columns, self.order.uri, rejected)
