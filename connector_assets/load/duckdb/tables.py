"""What a DuckDB file says about its tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.sql import kinds_of, quoted
from connector_assets.load.kinds import NOTHING
from connector_assets.load.ownership import Found, Owned, is_own_schema
from connector_assets.load.table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Columns of ours among those of the rows: a row's key of such a name gets another.
PARTITION, VALID_FROM, VALID_TO = "_partition", "_valid_from", "_valid_to"
OWN_COLUMNS = {
    PARTITION: "VARCHAR",
    VALID_FROM: "TIMESTAMP WITH TIME ZONE",
    VALID_TO: "TIMESTAMP WITH TIME ZONE",
}
# And DuckDB's own, by which we tell new rows from old ones.
RESERVED = {"rowid", *OWN_COLUMNS}


def name_of(connection: DuckDBPyConnection, table: Table, suffix: str = "") -> str:
    """The table's name in SQL, with the file's: a schema may be called like the file."""
    return f"{schema_of(connection, table)}.{quoted(table.name + suffix)}"


def schema_of(connection: DuckDBPyConnection, table: Table) -> str:
    file = connection.execute("select current_database()").fetchall()[0][0]
    return f"{quoted(file)}.{quoted(table.schema)}"


def describe(connection: DuckDBPyConnection, table: Table) -> list[Column]:
    """The table's columns; none where there is no table."""
    rows = connection.execute(
        "select column_name, data_type, is_nullable from duckdb_columns() "
        "where database_name = current_database() "
        "and lower(schema_name) = lower(?) and lower(table_name) = lower(?) "
        "order by column_index",
        [table.schema, table.name],
    ).fetchall()
    return [Column(name, type_, nullable) for name, type_, nullable in rows]


def look(
    connection: DuckDBPyConnection, table: Table, owned: Owned | None, *, known: bool
) -> Found:
    """What there is under the table's name; DuckDB finds names in any case."""
    of_name = "database_name = current_database() and lower(schema_name) = lower(?)"
    kinds = connection.execute(
        f"select 'table' from duckdb_tables() where {of_name} and lower(table_name) = lower(?) "
        f"union select 'view' from duckdb_views() where {of_name} and lower(view_name) = lower(?)",
        [table.schema, table.name] * 2,
    ).fetchall()
    is_table = ("table",) in kinds
    columns = {column.name for column in describe(connection, table)} if is_table else set()
    rows = f"select 1 from {name_of(connection, table)} limit 1"
    return Found(
        kind=kinds[0][0] if kinds else None,
        has_rows=is_table and bool(connection.execute(rows).fetchall()),
        is_known=known,
        has_history=known and {VALID_FROM, VALID_TO} <= columns,
        own_schema=is_own_schema(table.schema),
        owned=owned if known else None,
    )


def count_of(connection: DuckDBPyConnection, table: Table) -> int:
    return int(
        connection.execute(f"select count(*) from {name_of(connection, table)}").fetchall()[0][0]
    )


def columns_of(
    connection: DuckDBPyConnection, table: Table, kept: Iterable[KeyColumn]
) -> list[KeyColumn]:
    """The columns that the table has for rows, with what is remembered about them."""
    remembered = {column.name: column for column in kept}
    return [
        known
        if (known := remembered.get(column.name)) and known.type == column.type
        else by_hand(column.name, column.type, known)
        for column in describe(connection, table)
        if column.name not in OWN_COLUMNS
    ]


def by_hand(name: str, type_: str, known: KeyColumn | None) -> KeyColumn:
    """A column whose type someone else chose: it stays, and values must fit it."""
    key = known.key if known else name
    return KeyColumn(
        key, name, type_, kinds_of(type_) or NOTHING, fixed=True, by_hand=True, untouched=not known
    )
