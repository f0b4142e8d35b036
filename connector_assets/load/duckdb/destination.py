"""A DuckDB file as a destination: one load is one short transaction, under a lock beside the file.

DuckDB lets one process open a file for writing, and nobody else even read it meanwhile. So rows are
staged first, the file is open only for the load, and loads queue at `<file>.lock`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from connector_assets.errors import Busy, LoadError, RowsError
from connector_assets.load.columns.derived import path_parts
from connector_assets.load.columns.policy import Misfit
from connector_assets.load.destination import Capabilities
from connector_assets.load.duckdb.ahead import FileAhead, GivenUp, NewFile, put_in_place
from connector_assets.load.duckdb.confine import attach_renamed, is_ambiguous
from connector_assets.load.duckdb.declared import refused_declaration
from connector_assets.load.duckdb.errors import NO_DATABASE, NO_DATABASE_FIX, OutOfMemory
from connector_assets.load.duckdb.errors import refused as told_by_duckdb
from connector_assets.load.duckdb.insert import NotTimes
from connector_assets.load.duckdb.load import Terms, load
from connector_assets.load.duckdb.read import ReadsTables
from connector_assets.load.duckdb.state import DuckDBState
from connector_assets.load.duckdb.tables import describe, look, name_of
from connector_assets.load.duckdb.tuning import tune, with_enough_memory, without_extensions
from connector_assets.load.files.lock import PathLock
from connector_assets.load.files.store_errors import as_load_errors
from connector_assets.load.order import Order
from connector_assets.load.ownership import (
    REJECTED,
    Found,
    is_own_schema,
    refused_as_rejects,
    refused_rejects,
    refused_table,
)
from connector_assets.load.table import Loaded, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# https://duckdb.org/docs/stable/internals/storage: a checksum of 8 bytes, then these.
_MAGIC, _MAGIC_AT = b"DUCK", 8
_SQLITE = b"SQLite format 3\0"
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0
# DuckDB's words for a file that another process has; the others are Windows', and its own there.
_HELD = ("Could not set lock on file", "File is already open in", "used by another process")


class DuckDBDestination(ReadsTables):
    """Tables in a DuckDB file: schema = connection, table = stream.

    `wait_s` is how long to wait for others who load into or read the file, before Busy.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        wait_s: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path)
        self._wait_s, self._sleep, self._monotonic = wait_s, sleep, monotonic

    def __repr__(self) -> str:
        return f"DuckDBDestination({str(self._path)!r})"

    @property
    def uri(self) -> str:
        return f"duckdb:///{self._path.as_posix()}"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error of what is declared, or of what is there, if a load could only end in it."""
        if refused := refused_declaration(table, mode):
            return refused
        with self._reading() as connection:
            return _refused(connection, table, mode)

    def load(self, order: Order) -> Loaded:
        """Put the order's rows into its table, or change nothing and raise LoadError."""
        return with_enough_memory(
            lambda: load(order, lambda: self._writing(order), self.uri, Terms(is_final=True))
        )

    def ahead(self, table: Table, mode: WriteMode, folder: Path) -> FileAhead | None:
        """What loads a new file's first table while rows are on their way; `folder` is its own."""
        is_plain = table.partition is None and table.deleted is None and mode != "scd2"
        has_paths = any(len(path_parts(name)) > 1 for name in (*table.primary_key, *table.columns))
        takes_all = table.schema_policy == "evolve" and not (table.reject or table.overflow)
        # Of what is wanted of a table, only comments can be added once its rows are there.
        takes_all &= table.on_misfit == "fail" and not table.wanted.has_rules
        if not is_plain or has_paths or not takes_all or self._path.exists():
            return None
        return FileAhead(folder, table, mode, self._load_ahead)

    def _load_ahead(self, order: Order, done: NewFile | None) -> Loaded:
        if done is None:
            return self.load(order)
        try:
            return load(
                order,
                lambda: self._ending(order, done),
                self.uri,
                Terms((), done=done, is_final=True),
            )
        except (NotTimes, Misfit, RowsError, OutOfMemory) as error:
            raise GivenUp from error

    @contextmanager
    def _ending(self, order: Order, done: NewFile) -> Iterator[DuckDBPyConnection]:
        import duckdb

        with ExitStack() as held:
            self._lock(order, held)
            if self._path.exists():
                raise GivenUp
            try:
                tune(done.connection)
                yield done.connection
                done.connection.execute("commit")
            except duckdb.Error as error:
                raise told_by_duckdb(error, order.where) from error
            finally:
                done.close()
            with as_load_errors(self.uri):
                put_in_place(done.path, self._path.resolve())

    def name_in_sql(self, table: Table) -> str:
        """The table's name with the file's: a schema may be called like the file."""
        with self._reading() as connection:
            return name_of(connection, table) if connection else f"{table.schema}.{table.name}"

    @contextmanager
    def _writing(self, order: Order) -> Iterator[DuckDBPyConnection]:
        import duckdb

        with ExitStack() as held:
            self._lock(order, held)
            with as_load_errors(self.uri):
                self._create()
            connection = self._connect(read_only=False)
            try:
                tune(connection)
                connection.execute("begin")
                if refused := _refused(connection, order.table, order.mode):
                    raise refused
                yield connection
                connection.execute("commit")
            except duckdb.Error as error:
                raise told_by_duckdb(error, order.where) from error
            finally:
                # Closing without a commit undoes everything, also when it is an interrupt.
                connection.close()

    def _lock(self, order: Order, held: ExitStack) -> None:
        with as_load_errors(self.uri):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = self._path.with_name(self._path.name + ".lock")
            held.enter_context(
                PathLock(lock, what=self.uri, wait_s=self._wait_s, run_id=order.run_id)
            )

    def _create(self) -> None:
        """Make the file where there is none, under its name only when it is whole.

        DuckDB writes it in several steps: of one that was killed between them it makes no sense.
        """
        import duckdb

        path = self._path.resolve()  # a link stays one
        if path.exists():
            return
        new = path.with_name(path.name + ".new")
        new.unlink(missing_ok=True)
        try:
            duckdb.connect(new).close()
        except duckdb.Error as error:
            new.unlink(missing_ok=True)
            raise told_by_duckdb(error, self.uri) from error
        new.replace(path)

    def _require_database(self) -> None:
        """Raise LoadError for another kind of file: DuckDB would fetch an extension to open it."""
        with as_load_errors(self.uri), self._path.open("rb") as file:
            head = file.read(len(_SQLITE))
        if head and head[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC:
            what = "a SQLite file, not a DuckDB one" if head == _SQLITE else NO_DATABASE
            raise LoadError(what, where=self.uri, fix=NO_DATABASE_FIX)

    @contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        with as_load_errors(self.uri):
            exists = self._path.exists()
        if not exists:
            yield None
            return
        connection = self._connect(read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _asked(self, sql: str) -> Iterator[DuckDBPyConnection | None]:
        import duckdb

        with self._reading() as connection:
            if connection is None or not is_ambiguous(connection, sql):
                yield connection
                return
        with closing(without_extensions(duckdb.connect())) as connection:
            attach_renamed(connection, self._path)
            yield connection

    def _connect(self, *, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        self._require_database()
        wait_s, give_up = _FIRST_WAIT_S, self._monotonic() + self._wait_s
        while True:
            try:
                return without_extensions(duckdb.connect(self._path, read_only=read_only))
            except duckdb.Error as error:
                if not any(words in str(error) for words in _HELD):
                    raise told_by_duckdb(error, self.uri) from error
                if self._monotonic() >= give_up:
                    raise Busy(
                        f"open in {_holder(error)}",
                        where=self.uri,
                        fix="close it there, or read a copy of the file",
                    ) from error
            self._sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)


def _refused(
    connection: DuckDBPyConnection | None, table: Table, mode: WriteMode
) -> LoadError | None:
    """The error of a table that is not ours to load; without a file there is none yet."""
    if connection is None:
        return refused_table(table, mode, Found(own_schema=is_own_schema(table.schema)))
    state = DuckDBState(connection, table)
    known = state.exists() and bool(state.columns())
    owned = state.owned() if known else None
    return (
        refused_table(table, mode, look(connection, table, owned, known=known))
        or refused_as_rejects(table, [one.name for one in describe(connection, table)])
        or _refused_rejects(connection, table)
    )


def _refused_rejects(connection: DuckDBPyConnection, table: Table) -> LoadError | None:
    rejects = replace(table, name=table.name + REJECTED)
    kind = look(connection, rejects, None, known=False).kind
    names = [one.name for one in describe(connection, rejects)]
    return refused_rejects(table, is_table=kind in {None, "table"}, columns=names)


def _holder(error: Exception) -> str:
    found = re.search(r"PID (\d+)", str(error))
    return f"process {found[1]}" if found else "another process"
