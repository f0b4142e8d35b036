"""Reading tables in PostgreSQL: a query's rows, and row keys as JSON values."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any

from psycopg.types.string import TextLoader

from connector_assets.errors import LoadError
from connector_assets.load.columns.derived import path_parts
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.postgres.confine import refuse_more_than_reading
from connector_assets.load.postgres.server import Connection
from connector_assets.load.postgres.sql import pg_quoted, pg_table, pg_text, pg_widened
from connector_assets.load.postgres.state import PostgresState
from connector_assets.load.postgres.tables import columns_of, describe
from connector_assets.load.table import Column, Table

_ROWS_AT_ONCE = 10_000


def query(
    connection: Connection, sql: str, limit: int | None
) -> tuple[list[Column], list[tuple[Any, ...]]]:
    """The columns and at most `limit` rows of one statement; JSON values as the texts they are."""
    for name in ("json", "jsonb"):
        connection.adapters.register_loader(name, TextLoader)
    # As the names are looked for: a backslash ends no string.
    connection.execute("set local standard_conforming_strings = on")
    refuse_more_than_reading(sql, lambda text, given: connection.execute(text, given).fetchall())
    # The server's cursor: it takes one statement, and only one that reads. A transaction that is
    # read-only would let a superuser's COPY write files.
    with connection.cursor(name="query") as cursor:
        cursor.execute(sql.encode())
        rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
        described = cursor.description or ()
    types = connection.adapters.types
    columns = [
        Column(item.name, info.regtype if (info := types.get(item.type_code)) else "")
        for item in described
    ]
    return columns, rows


def keys_of(
    reading: Callable[[], AbstractContextManager[Connection]], table: Table, keys: Sequence[str]
) -> Iterator[list[Any]]:
    """Yield the values of row keys; the connection is closed before the first is used."""
    with tempfile.TemporaryFile() as spool:
        with reading() as connection:
            if describe(connection, table):
                _spool_keys(connection, table, keys, spool)
        spool.seek(0)
        for line in spool:
            yield json.loads(line)


def _spool_keys(
    connection: Connection, table: Table, keys: Sequence[str], spool: IO[bytes]
) -> None:
    state = PostgresState(connection, table)
    stored = columns_of(connection, table, state.columns() if state.exists() else [])
    columns = {column.key: column for column in stored}
    values = ", ".join(f"({_key_value(key, columns, table)})::text" for key in keys)
    with connection.cursor(name="keys") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        for row in cursor.execute(f"select {values} from {pg_table(table)}".encode()):
            texts = ("null" if value is None else value for value in row)
            spool.write(f"[{','.join(texts)}]\n".encode())


def _key_value(key: str, columns: Mapping[str, KeyColumn], table: Table) -> str:
    if key in columns:
        column = columns[key]
        # Not jsonb here: of 1e308 it makes 309 digits.
        if column.type == "JSON" and not column.by_hand:
            return pg_quoted(column.name)
        return f"to_json({pg_text(column)})"
    root, *rest = path_parts(key) or [key]
    if not rest or root not in columns:
        raise LoadError(f'there is no column for "{key}"', where=f"{table.schema}.{table.name}")
    return " -> ".join([pg_widened(columns[root], "JSON"), *map(literal, rest)])
