"""Reading tables through DuckDB: what all destinations offer that DuckDB can open."""

from __future__ import annotations

import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.columns.derived import path_parts
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.confine import confine
from connector_assets.load.duckdb.errors import refused
from connector_assets.load.duckdb.interruptible import interruptible
from connector_assets.load.duckdb.sql import literal, widened
from connector_assets.load.duckdb.state import DuckDBState
from connector_assets.load.duckdb.tables import columns_of, count_of, describe, name_of
from connector_assets.load.table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

_ROWS_AT_ONCE = 10_000


class ReadsTables(ABC):
    """The reading half of a destination, given a connection that has its tables and state."""

    @property
    @abstractmethod
    def uri(self) -> str: ...

    @abstractmethod
    def _reading(self) -> AbstractContextManager[DuckDBPyConnection | None]:
        """A connection for reading, None where nothing was ever loaded."""

    def _of(self, table: Table) -> AbstractContextManager[DuckDBPyConnection | None]:
        """A connection for reading this table, where each is opened by itself."""
        del table
        return self._reading()

    def _asked(self, sql: str) -> AbstractContextManager[DuckDBPyConnection | None]:
        """The connection that answers `sql`, a query of a person's."""
        del sql
        return self._reading()

    def read_cursor(self, table: Table) -> Any:
        """Return the stored position of `table`, or None."""
        with self._of(table) as connection:
            state = DuckDBState(connection, table) if connection else None
            return state.cursor() if state and state.exists() else None

    def last_load(self, table: Table) -> str:
        """Return the name of the load that came last into `table`, "" without any."""
        with self._reading() as connection:
            state = DuckDBState(connection, table) if connection else None
            return state.last_load() if state and state.exists() else ""

    def describe(self, table: Table) -> list[Column] | None:
        """Return the table's columns, None where there is no table."""
        with self._of(table) as connection:
            return (describe(connection, table) or None) if connection else None

    def count(self, table: Table) -> int | None:
        """Return the number of rows, None where there is no table."""
        with self._of(table) as connection:
            if connection is None or not describe(connection, table):
                return None
            return count_of(connection, table)

    def keys(self, table: Table, columns: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the values of row keys `columns`, as JSON values, row by row in bounded memory.

        They go to a temporary file first: the database must not stay open while they are used.
        """
        with tempfile.TemporaryFile() as spool:
            self._spool(table, columns, spool)
            spool.seek(0)
            for line in spool:
                yield json.loads(line)

    def _spool(self, table: Table, columns: Sequence[str], spool: IO[bytes]) -> None:
        with self._of(table) as connection:
            if connection is not None:
                _spool_keys(connection, table, columns, spool)

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[list[Column], list[tuple[Any, ...]]]:
        """Run a query that reads tables, and nothing else; return columns and `limit` rows."""
        import duckdb

        with self._asked(sql) as connection:
            if connection is None:
                raise LoadError("there is no such file", where=self.uri, fix="load something first")
            try:
                confine(connection)
                return interruptible(connection, lambda: _answered(connection, sql, limit))
            except duckdb.Error as error:
                raise refused(error, "query") from error


def _answered(
    connection: DuckDBPyConnection, sql: str, limit: int | None
) -> tuple[list[Column], list[tuple[Any, ...]]]:
    result = connection.execute(one_that_reads(sql))
    columns = [Column(name, str(type_)) for name, type_, *_ in result.description or ()]
    return columns, result.fetchall() if limit is None else result.fetchmany(limit)


def one_that_reads(sql: str) -> Statement:
    """The statement, if there is one and it reads: COPY, say, would write where it likes."""
    import duckdb

    statements = duckdb.extract_statements(sql)
    if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
        raise LoadError("this is not one statement that reads", where="query", fix="use select …")
    return statements[0]


def _spool_keys(
    connection: DuckDBPyConnection, table: Table, keys: Sequence[str], spool: IO[bytes]
) -> None:
    columns = {
        c.key: c for c in columns_of(connection, table, DuckDBState(connection, table).columns())
    }
    if not columns:
        return
    values = ", ".join(_key_value(key, columns, table) for key in keys)
    result = connection.execute(f"select {values} from {name_of(connection, table)}")
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            texts = ("null" if value is None else value for value in row)
            spool.write(f"[{','.join(texts)}]\n".encode())


def _key_value(key: str, columns: Mapping[str, KeyColumn], table: Table) -> str:
    """The SQL of a row key's value as JSON; the key may be a path into a nested one."""
    if key in columns:
        return widened(columns[key], "JSON")
    root, *rest = path_parts(key) or [key]
    if not rest or root not in columns:
        raise LoadError(f'there is no column for "{key}"', where=f"{table.schema}.{table.name}")
    value = widened(columns[root], "JSON")
    for part in rest:
        value = (
            f"json_extract({value}, {literal('/' + part.replace('~', '~0').replace('/', '~1'))})"
        )
    return value
