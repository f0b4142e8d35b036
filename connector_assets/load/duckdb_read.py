"""Reading tables through DuckDB: what all destinations offer that DuckDB can open."""

from __future__ import annotations

import json
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.derived import path_parts
from connector_assets.load.duckdb_sql import literal, widened
from connector_assets.load.duckdb_state import State
from connector_assets.load.duckdb_tables import columns_of, count_of, describe, name_of
from connector_assets.load.plan import KeyColumn
from connector_assets.load.table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROWS_AT_ONCE = 10_000


class Reads(ABC):
    """The reading half of a destination, given a connection that has its tables and state."""

    @property
    @abstractmethod
    def uri(self) -> str: ...

    @abstractmethod
    def _reading(self) -> AbstractContextManager[DuckDBPyConnection | None]:
        """A connection for reading, None where nothing was ever loaded."""

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
                    _spool_keys(connection, table, columns, spool)
            spool.seek(0)
            for line in spool:
                yield json.loads(line)

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
                raise LoadError(first_line(error), where="query") from error
            return columns, rows


def refusal(error: Exception, *, where: str) -> LoadError:
    """What to raise for DuckDB's error in a load: RowsError where a value is what it minds."""
    import duckdb

    is_of_rows = isinstance(error, duckdb.DataError | duckdb.InvalidInputException)
    return (RowsError if is_of_rows else LoadError)(first_line(error), where=where)


def first_line(error: Exception) -> str:
    """DuckDB's own words, without the rows it likes to quote."""
    text = str(error).splitlines()[0]
    if found := re.search(r'in line (\d+): Object .* has duplicate key "(.*)"$', text):
        return f'row {found[1]} has the key "{found[2][:60]}" twice'
    if found := re.search(r"Malformed JSON in .* in line (\d+): (.*)", text):
        # It counts a line too many here, though not above.
        return f"row {int(found[1]) - 1} is not JSON: {found[2]}"
    return re.sub(r"[{\[].*", "…", text)[:200]


def _spool_keys(
    connection: DuckDBPyConnection, table: Table, keys: Sequence[str], spool: IO[bytes]
) -> None:
    columns = {c.key: c for c in columns_of(connection, State(connection, table), table)}
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
