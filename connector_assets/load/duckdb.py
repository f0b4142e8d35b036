"""A DuckDB file as a destination: one load is one short transaction, under a lock beside the file.

DuckDB lets one process open a file for writing, and nobody else even read it meanwhile. So rows are
staged first, the file is open only for the load, and loads queue at `<file>.lock`.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from connector_assets.errors import Busy, LoadError
from connector_assets.load.derived import derived
from connector_assets.load.duckdb_sql import kinds_of, quoted, store_type, widened
from connector_assets.load.duckdb_state import State
from connector_assets.load.duckdb_tuning import tune
from connector_assets.load.duckdb_write import NotTimes, Write
from connector_assets.load.lock import Lock
from connector_assets.load.plan import KeyColumn, plan
from connector_assets.load.profile import Profile, profile
from connector_assets.load.table import Column, Cursor, Loaded, Segment, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROWS_AT_ONCE = 10_000
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0


class DuckDBDestination:
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
        """Put the rows of `segments` into `table`, or change nothing and raise LoadError.

        `fence` is called just before the commit; what it raises undoes the load.
        """
        where = _where(table)
        if mode == "merge" and not table.primary_key:
            raise LoadError("merge needs a key", where=where, fix="declare primaryKey")
        with derived(table, segments) as rows:
            found = profile(rows, where=where)
            load = partial(
                self._load, table, rows, found, mode=mode, cursor=cursor, fence=fence, run_id=run_id
            )
            try:
                return load()
            except NotTimes as error:
                found.shapes.update(dict.fromkeys(error.keys))
                return load()

    def _load(
        self,
        table: Table,
        segments: Sequence[Segment],
        found: Profile,
        *,
        mode: WriteMode,
        cursor: Cursor | None,
        fence: Callable[[], None] | None,
        run_id: str,
    ) -> Loaded:
        load_id = segments[0].load_id if segments else ""
        with self._writing(_where(table), run_id) as connection:
            state = State(connection, table)
            state.create()
            if load_id and (taken := state.taken(load_id)) is not None:
                return self._loaded(connection, table, *taken)
            if cursor is not None:
                state.move(cursor, load_id=load_id, run_id=run_id)
            planned = plan(table, self._columns(connection, state, table), found, store_type)
            if planned:
                connection.execute(f"create schema if not exists {quoted(table.schema)}")
                tune(connection, len(planned))
                Write(connection, table, planned, found, segments).run(mode)
                state.keep_columns([item.column for item in planned])
            loaded = self._loaded(connection, table, found.rows, 0)
            if load_id:
                state.keep_load(load_id, mode, loaded, run_id=run_id)
            if fence is not None:
                fence()
        return loaded

    def read_cursor(self, table: Table) -> Any:
        """Return the stored position of `table`, or None."""
        with self._reading() as connection:
            state = State(connection, table) if connection else None
            return state.cursor() if state and state.exists() else None

    def describe(self, table: Table) -> list[Column] | None:
        """Return the table's columns, None where there is no table."""
        with self._reading() as connection:
            return (_describe(connection, table) or None) if connection else None

    def count(self, table: Table) -> int | None:
        """Return the number of rows, None where there is no table."""
        with self._reading() as connection:
            if connection is None or not _describe(connection, table):
                return None
            return _count(connection, table)

    def keys(self, table: Table, columns: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the values of row keys `columns`, as JSON values, row by row in bounded memory.

        They go to a temporary file first: the database must not stay open while they are used.
        """
        with tempfile.TemporaryFile() as spool:
            with self._reading() as connection:
                if connection is not None:
                    self._spool_keys(connection, table, columns, spool)
            spool.seek(0)
            for line in spool:
                yield json.loads(line)

    def _spool_keys(
        self, connection: DuckDBPyConnection, table: Table, keys: Sequence[str], spool: IO[bytes]
    ) -> None:
        columns = {c.key: c for c in self._columns(connection, State(connection, table), table)}
        if not columns:
            return
        for key in keys:
            if key not in columns:
                raise LoadError(f'there is no column for "{key}"', where=_where(table))
        values = ", ".join(widened(columns[key], "JSON") for key in keys)
        result = connection.execute(f"select {values} from {_name(table)}")
        while rows := result.fetchmany(_ROWS_AT_ONCE):
            for row in rows:
                texts = ("null" if value is None else value for value in row)
                spool.write(f"[{','.join(texts)}]\n".encode())

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[list[Column], list[tuple[Any, ...]]]:
        """Run a query that reads; return its columns and at most `limit` rows."""
        import duckdb

        with self._reading() as connection:
            if connection is None:
                raise LoadError("there is no such file", where=self.uri, fix="load something first")
            try:
                result = connection.execute(sql)
                columns = [Column(name, str(type_)) for name, type_, *_ in result.description or ()]
                rows = result.fetchall() if limit is None else result.fetchmany(limit)
            except duckdb.Error as error:
                raise LoadError(_first_line(error), where="query") from error
            return columns, rows

    def _loaded(
        self, connection: DuckDBPyConnection, table: Table, received: int, rejected: int
    ) -> Loaded:
        columns = _describe(connection, table)
        rows = _count(connection, table) if columns else 0
        return Loaded(received, rows, columns, self.uri, rejected)

    def _columns(
        self, connection: DuckDBPyConnection, state: State, table: Table
    ) -> list[KeyColumn]:
        """Return the columns that the table has, with what is remembered about them."""
        remembered = {column.name: column for column in state.columns()}
        return [
            known
            if (known := remembered.get(column.name)) and known.type == column.type
            else _by_hand(column, known)
            for column in _describe(connection, table)
        ]

    @contextmanager
    def _writing(self, where: str, run_id: str) -> Iterator[DuckDBPyConnection]:
        import duckdb

        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._path.with_name(self._path.name + ".lock")
        with Lock(lock, what=self.uri, wait_s=self._wait_s, run_id=run_id):
            connection = self._connect(read_only=False)
            try:
                tune(connection)
                connection.execute("begin")
                yield connection
                connection.execute("commit")
            except duckdb.Error as error:
                raise LoadError(_first_line(error), where=where) from error
            finally:
                # Closing without a commit undoes everything, also when it is an interrupt.
                connection.close()

    @contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        if not self._path.exists():
            yield None
            return
        connection = self._connect(read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    def _connect(self, *, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        wait_s, give_up = _FIRST_WAIT_S, self._monotonic() + self._wait_s
        while True:
            try:
                return duckdb.connect(self._path, read_only=read_only)
            except duckdb.Error as error:
                if "lock" not in str(error):
                    raise LoadError(_first_line(error), where=self.uri) from error
                if self._monotonic() >= give_up:
                    raise Busy(
                        f"open in {_holder(error)}",
                        where=self.uri,
                        fix="close it there, or read a copy of the file",
                    ) from error
            self._sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)


def _where(table: Table) -> str:
    return f"{table.schema}.{table.name}"


def _name(table: Table) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"


def _describe(connection: DuckDBPyConnection, table: Table) -> list[Column]:
    rows = connection.execute(
        "select column_name, data_type, is_nullable from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and table_name = ? "
        "order by column_index",
        [table.schema, table.name],
    ).fetchall()
    return [Column(name, type_, nullable) for name, type_, nullable in rows]


def _count(connection: DuckDBPyConnection, table: Table) -> int:
    return int(connection.execute(f"select count(*) from {_name(table)}").fetchall()[0][0])


def _by_hand(column: Column, known: KeyColumn | None) -> KeyColumn:
    """A column whose type someone else chose: inference goes on from it, or must fit it."""
    kinds = kinds_of(column.type)
    key = known.key if known else column.name
    if kinds is None:
        return KeyColumn(key, column.name, column.type, fixed=True)
    return KeyColumn(key, column.name, column.type, kinds)


def _holder(error: Exception) -> str:
    found = re.search(r"PID (\d+)", str(error))
    return f"process {found[1]}" if found else "another process"


def _first_line(error: Exception) -> str:
    """DuckDB's own words, without the rows it likes to quote."""
    text = str(error).splitlines()[0]
    if found := re.search(r'in line (\d+): Object .* has duplicate key "(.*)"$', text):
        return f'row {found[1]} has the key "{found[2][:60]}" twice'
    if found := re.search(r"Malformed JSON in .* in line (\d+): (.*)", text):
        # It counts a line too many here, though not above.
        return f"row {int(found[1]) - 1} is not JSON: {found[2]}"
    return re.sub(r"[{\[].*", "…", text)[:200]
