"""Folders of Parquet files as a destination: who reads `root/schema/table` sees the table.

A load happens in a scratch DuckDB file, by the same code as any load into DuckDB, and its result is
exported: what was added as one more file where that will do, else the whole table. The files wait
beside the table until a manifest names them, which is replaced in one step and makes the load
count. Then they are moved in, and those that they replace out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from connector_assets.errors import LoadError
from connector_assets.load.destination import Capabilities
from connector_assets.load.duckdb.confine import may_read
from connector_assets.load.duckdb.declared import refused_declaration
from connector_assets.load.duckdb.errors import first_line
from connector_assets.load.duckdb.read import ReadsTables
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import quoted
from connector_assets.load.duckdb.state import DuckDBState
from connector_assets.load.duckdb.tuning import with_enough_memory
from connector_assets.load.files.folders import Folder
from connector_assets.load.files.lock import PathLock
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.files.store_errors import as_load_errors
from connector_assets.load.order import Order
from connector_assets.load.ownership import (
    refused_as_rejects,
    refused_rejects,
    refused_table,
)
from connector_assets.load.parquet.files import fetch, show
from connector_assets.load.parquet.manifest import (
    REJECTED,
    Manifest,
    all_manifests,
    found_in,
    read_manifest,
)
from connector_assets.load.parquet.step import ParquetLoad, refused_partition, restore_all
from connector_assets.load.table import Column, Loaded, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_Result = TypeVar("_Result")
_TRIES = 3


class _Moved(LoadError):
    """A load moved the files of a table while it was read."""

    def __init__(self) -> None:
        super().__init__("a load changed the table while it was read", fix="read it again")


class ParquetDestination(ReadsTables):
    """Parquet files in a folder, local or in an object store.

    `wait_s` is how long to wait for another process of this machine that loads the same table,
    `grace_s` how long files that were replaced are kept beside the table.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        wait_s: float = 300,
        grace_s: float = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._wait_s = folder, wait_s
        self._grace_s, self._now = grace_s, now

    def __repr__(self) -> str:
        return f"ParquetDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        return self._folder.uri

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error of what is declared, or of what is there, if a load could only end in it."""
        if refused := refused_declaration(table, mode) or refused_partition(table):
            return refused
        with as_load_errors(self.uri):
            return self._refused(table, mode, read_manifest(self._folder, table))

    def _refused(self, table: Table, mode: WriteMode, manifest: Manifest) -> LoadError | None:
        """The error of a table that is not ours to load, or is where rows are set aside."""
        return (
            refused_table(table, mode, found_in(self._folder, manifest))
            or self._refused_as_rejects(table)
            or self._refused_rejects(table)
        )

    def _refused_as_rejects(self, table: Table) -> LoadError | None:
        if not table.name.endswith(REJECTED):
            return None
        other = replace(table, name=table.name.removesuffix(REJECTED))
        return refused_as_rejects(
            table, list(read_manifest(self._folder, other).part(REJECTED).types)
        )

    def _refused_rejects(self, table: Table) -> LoadError | None:
        if table.schema_policy != "quarantine":
            return None
        other = read_manifest(self._folder, replace(table, name=table.name + REJECTED))
        return refused_rejects(table, is_table=not other.number, columns=())

    def load(self, order: Order) -> Loaded:
        """Put the order's rows into its table, or change nothing and raise LoadError."""
        return with_enough_memory(lambda: self._load(order))

    def _load(self, order: Order) -> Loaded:
        with (
            as_load_errors(self.uri),
            self._locked(order.table, order.run_id),
            scratch_folder() as folder,
        ):
            before = read_manifest(self._folder, order.table)
            if refused := refused_partition(order.table) or self._refused(
                order.table, order.mode, before
            ):
                raise refused
            self._settle(before)  # first: it may be what fills the disk
            step = ParquetLoad(replace(order, fence=None), before, self._folder, Path(folder))
            loaded, after = step.done() or step.load()
            order.look()
            if after is not before:
                after.write(self._folder)
                self._settle(after)
        return loaded

    def _settle(self, manifest: Manifest) -> None:
        if manifest.number:
            manifest.settle(self._folder, now=self._now(), grace_s=self._grace_s)

    def _locked(self, table: Table, run_id: str) -> PathLock:
        path = self._folder.lock_path(f"{table.schema}.{table.name}.lock")
        return PathLock(path, what=self.uri, wait_s=self._wait_s, run_id=run_id)

    def read_cursor(self, table: Table) -> Any:
        """Return the stored position of `table`, or None; no other table's file is looked at."""
        with as_load_errors(self.uri), scratch_folder() as folder:
            manifest = read_manifest(self._folder, table)
            with scratch(Path(folder, "state.duckdb"), where=self.uri) as connection:
                restore_all(connection, manifest, self._folder, Path(folder))
                return DuckDBState(connection, table).cursor()

    def last_load(self, table: Table) -> str:
        """Return the name of the load that came last into `table`, "" without any."""
        with as_load_errors(self.uri):
            return read_manifest(self._folder, table).last_load(table)

    def describe(self, table: Table) -> list[Column] | None:
        """Return the table's columns, None where there is no table."""
        return self._again(super().describe, table)

    def count(self, table: Table) -> int | None:
        """Return the number of rows, None where there is no table."""
        return self._again(super().count, table)

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[list[Column], list[tuple[Any, ...]]]:
        """Run a query that reads tables, and nothing else; return columns and `limit` rows."""
        return self._again(super().query, sql, limit)

    def _spool(self, table: Table, columns: Sequence[str], spool: IO[bytes]) -> None:
        def anew() -> None:
            spool.seek(0)
            spool.truncate()
            super(ParquetDestination, self)._spool(table, columns, spool)

        self._again(anew)

    def _again(self, read: Callable[..., _Result], *given: Any) -> _Result:
        """What `read` gives; where a load moved files under it, of what is there after."""
        for _ in range(_TRIES):
            with suppress(_Moved):
                return read(*given)
        return read(*given)

    def name_in_sql(self, table: Table) -> str:
        """The table's name as `query` takes it: `_reading` makes the views in this file."""
        return f'"views".{quoted(table.schema)}.{quoted(table.name)}'

    @contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        import duckdb

        manifests: list[Manifest] = []
        try:
            with as_load_errors(self.uri):
                manifests = all_manifests(self._folder)
                with self._views(manifests) as connection:
                    yield connection
        except (duckdb.Error, LoadError) as error:
            if self._has_changed(manifests):
                raise _Moved from error
            if isinstance(error, LoadError):
                raise
            raise LoadError(first_line(error), where=self.uri) from error

    def _has_changed(self, manifests: Sequence[Manifest]) -> bool:
        with suppress(LoadError, OSError):
            return bool(manifests) and manifests != all_manifests(self._folder)
        return False

    @contextmanager
    def _views(self, manifests: Sequence[Manifest]) -> Iterator[DuckDBPyConnection | None]:
        import duckdb

        if not manifests:
            yield None
            return
        shown: list[Path] = []
        with scratch_folder() as folder:
            path = Path(folder, "views.duckdb")
            with duckdb.connect(path) as connection:
                for manifest in manifests:
                    # A query needs no positions of items; without them a load fails.
                    with suppress(LoadError, duckdb.Error):
                        restore_all(connection, manifest, self._folder, path.parent)
                    for suffix, part in manifest.parts.items():
                        table = Table(manifest.schema, manifest.name + suffix)
                        files = partial(fetch, self._folder, manifest, part.files, path.parent)
                        shown += show(connection, table, part, files)
            with duckdb.connect(path, read_only=True) as connection:
                connection.execute("set TimeZone = 'UTC'")
                may_read(connection, shown)
                yield connection
