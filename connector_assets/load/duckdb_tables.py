"""What a DuckDB file says about its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_assets.load.duckdb_sql import kinds_of, quoted
from connector_assets.load.plan import KeyColumn
from connector_assets.load.table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from connector_assets.load.duckdb_state import State

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
        "where database_name = current_database() and schema_name = ? and table_name = ? "
        "order by column_index",
        [table.schema, table.name],
    ).fetchall()
    return [Column(name, type_, nullable) for name, type_, nullable in rows]


def count_of(connection: DuckDBPyConnection, table: Table) -> int:
    return int(
        connection.execute(f"select count(*) from {name_of(connection, table)}").fetchall()[0][0]
    )


def columns_of(connection: DuckDBPyConnection, state: State, table: Table) -> list[KeyColumn]:
    """The columns that the table has for rows, with what is remembered about them."""
    remembered = {column.name: column for column in state.columns()}
    return [
        known
        if (known := remembered.get(column.name)) and known.type == column.type
        else _by_hand(column, known)
        for column in describe(connection, table)
        if column.name not in OWN_COLUMNS
    ]


def _by_hand(column: Column, known: KeyColumn | None) -> KeyColumn:
    """A column whose type someone else chose: inference goes on from it, or must fit it."""
    kinds = kinds_of(column.type)
    key = known.key if known else column.name
    if kinds is None:
        return KeyColumn(key, column.name, column.type, fixed=True)
    return KeyColumn(key, column.name, column.type, kinds)
