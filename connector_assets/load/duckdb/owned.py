"""What is on a DuckDB table besides rows: indexes, defaults, constraints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from connector_assets.load.duckdb.sql import quoted
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OF_TABLE = (
    "database_name = current_database() and lower(schema_name) = lower(?) "
    "and lower(table_name) = lower(?)"
)


def is_plain(connection: DuckDBPyConnection, table: Table) -> bool:
    """Whether it has but columns and comments, which are kept: the table can be made anew."""
    has_more = (
        f"select 1 from duckdb_tables() where {_OF_TABLE} and (has_primary_key "
        " or index_count > 0 or check_constraint_count > 0) "
        f"union all select 1 from duckdb_columns() where {_OF_TABLE} and "
        "(column_default is not null or not is_nullable) "
        f"union all select 1 from duckdb_constraints() where {_OF_TABLE}"
    )
    return not _all(connection, has_more, table, 3)


def indexed_columns(connection: DuckDBPyConnection, table: Table) -> frozenset[str]:
    """The columns of its keys and constraints; all its columns where an index may be of any."""
    found = _all(
        connection,
        "select unnest(constraint_column_names) from duckdb_constraints() "
        f"where {_OF_TABLE} and constraint_type <> 'NOT NULL'",
        table,
    )
    indexes = _all(connection, f"select expressions from duckdb_indexes() where {_OF_TABLE}", table)
    names = _all(connection, f"select column_name from duckdb_columns() where {_OF_TABLE}", table)
    texts = " ".join(str(expressions) for (expressions,) in indexes).casefold()
    return frozenset(
        name for (name,) in names if (name,) in found or (texts and name.casefold() in texts)
    )


@contextmanager
def without_indexes(connection: DuckDBPyConnection, table: Table) -> Iterator[None]:
    """Take its indexes away while columns change, which DuckDB else refuses, and make them anew."""
    indexes = _all(
        connection,
        f"select schema_name, index_name, sql from duckdb_indexes() where {_OF_TABLE}",
        table,
    )
    for schema, name, _ in indexes:
        connection.execute(f"drop index {quoted(schema)}.{quoted(name)}")
    yield
    for _, _, sql in indexes:
        connection.execute(sql)


def _all(
    connection: DuckDBPyConnection, sql: str, table: Table, times: int = 1
) -> list[tuple[Any, ...]]:
    return connection.execute(sql, [table.schema, table.name] * times).fetchall()
