"""A first load into a new DuckDB file, typed and inserted while rows are still on their way.

DuckDB lets go of Python's lock, so it works on a second processor. The file has its name only once
the load is committed, so nobody sees a part of one. It is what one insert of all rows would make,
by the same plan and the same statements: where a later row makes that another plan, the file is
begun anew, and in the end given up, and the rows are loaded from the staging, as without it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from connector_assets.load.columns.plan import PlannedColumn, plan
from connector_assets.load.duckdb.sql import store_type
from connector_assets.load.duckdb.tables import RESERVED, schema_of
from connector_assets.load.duckdb.tuning import tune, without_extensions
from connector_assets.load.duckdb.write import DuckDBWrite
from connector_assets.load.kinds import Profile
from connector_assets.load.order import Order
from connector_assets.load.table import Loaded, Segment, Table, WriteMode
from connector_assets.private import private_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# How often another plan is worth another beginning: later, more would be done in vain.
_MOST_BEGINNINGS = 3
_THREADS_MEANWHILE = 1

Load = Callable[[Order, "NewFile | None"], Loaded]


class GivenUp(Exception):
    """What was done ahead is not what the load would do."""


class NewFile:
    """A database with one table, in a transaction that only the load commits."""

    def __init__(self, path: Path, table: Table, mode: WriteMode) -> None:
        import duckdb

        self.path, self._table, self._mode = path, table, mode
        private_folder(path.parent)
        self.connection: DuckDBPyConnection = without_extensions(duckdb.connect(path))
        self._beginnings = 0
        self._found = Profile()
        self._planned: list[PlannedColumn] = []
        self.segments: list[Segment] = []

    def insert(self, segment: Segment) -> None:
        """Insert the rows of one more file; raises GivenUp where that has become pointless."""
        if segment.profile is None:
            raise GivenUp
        found = Profile().add(self._found).add(segment.profile)
        fits = self.fits(planned := self.plan(found), found)
        self._found, self._planned = found, planned
        self.segments.append(segment)
        if fits:
            self._write([segment])
            return
        if self._beginnings == _MOST_BEGINNINGS:
            raise GivenUp
        if self._beginnings:
            self.connection.execute("rollback")
        self._beginnings += 1
        self._begin()
        self._write(self.segments)

    def plan(self, found: Profile) -> list[PlannedColumn]:
        return plan(self._table, (), found, store_type, RESERVED)

    def fits(self, planned: Sequence[PlannedColumn], found: Profile) -> bool:
        """Whether these rows would have been inserted in the way that those before them were."""
        return (
            bool(self._beginnings)
            and found.has_long == self._found.has_long
            and list(map(_way, planned)) == list(map(_way, self._planned))
        )

    def _begin(self) -> None:
        tune(self.connection, len(self._planned))
        self.connection.execute(f"set threads = {_THREADS_MEANWHILE}")
        self.connection.execute("begin")
        self.connection.execute(f"create schema {schema_of(self.connection, self._table)}")
        self._writer([]).create()

    def _write(self, segments: Sequence[Segment]) -> None:
        self._writer(segments).insert(self._mode)

    def _writer(self, segments: Sequence[Segment]) -> DuckDBWrite:
        found = replace(self._found, rows=sum(segment.rows for segment in segments))
        return DuckDBWrite(self.connection, self._table, self._planned, found, segments)

    def finish(
        self, planned: Sequence[PlannedColumn], found: Profile, segments: Sequence[Segment]
    ) -> None:
        """Insert the rest of `segments`, of which all rows are `found`."""
        done = len(self.segments)
        if not self.fits(planned, found) or self.segments != list(segments[:done]):
            raise GivenUp
        self._write(segments[done:])
        self._writer([]).end(self._mode)

    def close(self) -> None:
        self.connection.close()


def _way(item: PlannedColumn) -> tuple[object, ...]:
    """What decides how the values of a column are read and written."""
    column = item.column
    return (
        column.key,
        column.name,
        column.type,
        column.shape,
        column.fixed,
        item.arrives,
        item.source,
    )


class FileAhead:
    """Takes files of staged rows as they are done, and loads what is missing in the end.

    `load` is the ordinary way, given an order and the new file, if there is one. It raises GivenUp
    where the file is not what it would make; then it is called again without.
    """

    def __init__(self, folder: Path, table: Table, mode: WriteMode, load: Load) -> None:
        self._folder, self._table, self._mode, self._load = folder, table, mode, load
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load-ahead")
        self._given_up = False
        self._file: NewFile | None = None
        self._steps: list[Future[None]] = []

    def offer(self, segments: Sequence[Segment]) -> None:
        """Take files that are done, in order; each is offered once."""
        for segment in segments:
            self._steps.append(self._thread.submit(self._insert, segment))

    def give_up(self) -> None:
        """Forget everything: rows were staged that are not to be loaded."""
        self._given_up = True

    def load(self, order: Order) -> Loaded:
        """Load the order, from what was done ahead or from the start."""
        for step in self._steps:
            step.result()
        try:
            if self._file is not None and not self._given_up:
                return self._load(order, self._file)
        except GivenUp:
            pass
        finally:
            self.close()
        return self._load(order, None)

    def close(self) -> None:
        """Leave nothing behind."""
        self._given_up = True
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):
            shutil.rmtree(self._folder)

    def _insert(self, segment: Segment) -> None:
        if self._given_up:
            return
        try:
            if self._file is None:
                self._file = NewFile(self._folder / "new.duckdb", self._table, self._mode)
            self._file.insert(segment)
        except Exception:  # noqa: BLE001 - the load that follows meets it, and has the words for it
            self._given_up = True


def put_in_place(new: Path, path: Path) -> None:
    """Give a database that is whole its name, from where on others see it."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    shutil.move(new, beside)
    with beside.open("rb") as file:
        os.fsync(file.fileno())  # moved from another disk it is a copy
    beside.replace(path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
