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
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from connector_assets.errors import Busy, LoadError
from connector_assets.load.duckdb_load import Order, load
from connector_assets.load.duckdb_sql import widened
from connector_assets.load.duckdb_state import State
from connector_assets.load.duckdb_tables import columns_of, count_of, describe, name_of
from connector_assets.load.duckdb_tuning import tune
from connector_assets.load.lock import Lock
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
        if mode in {"merge", "scd2"} and not table.primary_key:
            raise LoadError(f"{mode} needs a key", where=where, fix="declare primaryKey")
        order = Order(table, segments, mode, cursor, fence, run_id, self.uri)
        return load(order, lambda: self._writing(where, run_id))

    def read_cursor(self, table: Table) -> Any:
        """Return the stored position of `table`, or None."""
        with self._reading() as connection:
            state = State(connection, table) if connection else None
            return state.cursor() if state and state.exists() else None

    def describe(self, table: Table) -> list[Column] | None:
        """Return the table's columns, None where there is no table."""
        with self._reading() as connection:
            return (describe(connection, table) or None) if connection else None

    def count(self, table: Table) -> int | None:
        """Return the number of rows, None where there is no table."""
        with self._reading() as connection:
            if connection is None or not describe(connection, table):
                return None
            return count_of(connection, table)

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
        columns = {c.key: c for c in columns_of(connection, State(connection, table), table)}
        if not columns:
            return
        for key in keys:
            if key not in columns:
                raise LoadError(f'there is no column for "{key}"', where=_where(table))
        values = ", ".join(widened(columns[key], "JSON") for key in keys)
        result = connection.execute(f"select {values} from {name_of(table)}")
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
