"""What a PostgreSQL database says about its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection

from connector_assets.load.duckdb_sql import kinds_of
from connector_assets.load.duckdb_tables import OWN_COLUMNS
from connector_assets.load.duckdb_typed import Rows
from connector_assets.load.kinds import Kind
from connector_assets.load.plan import KeyColumn
from connector_assets.load.postgres_sql import duckdb_type, pg_name, pg_table, pg_type
from connector_assets.load.table import Column, Table


def describe(connection: Connection[Any], table: Table) -> list[Column]:
    """The table's columns; none where there is no table."""
    found = connection.execute(
        "select attname, format_type(atttypid, atttypmod), not attnotnull "
        "from pg_attribute a join pg_class c on c.oid = a.attrelid "
        "join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relname = %s and attnum > 0 and not attisdropped "
        "order by attnum",
        [pg_name(table.schema), pg_name(table.name)],
    )
    return [Column(*row) for row in found]


def count_of(connection: Connection[Any], table: Table) -> int:
    found = connection.execute(f"select count(*) from {pg_table(table)}".encode()).fetchone()
    return int(found[0]) if found else 0


def columns_of(
    connection: Connection[Any], table: Table, remembered: Sequence[Mapping[str, Any]]
) -> tuple[list[KeyColumn], list[dict[str, Any]]]:
    """The columns that the table has for rows, and what is remembered of those unchanged."""
    by_name = {pg_name(row["column_name"]): row for row in remembered}
    columns, kept = [], []
    for column in describe(connection, table):
        if column.name in OWN_COLUMNS:
            continue
        row = by_name.get(column.name)
        if row is not None and pg_type(row["column_type"]) == column.type:
            columns.append(_remembered(row))
            kept.append(dict(row))
        else:
            columns.append(_by_hand(column, row))
    return columns, kept


def names_of(columns: Sequence[Mapping[str, Any]], rows: Rows, table: Table) -> dict[str, str]:
    """Row keys to column names, with that of the mark of deleted rows."""
    names = {row["key"]: row["column_name"] for row in columns}
    if table.deleted is not None and table.deleted in rows.types:
        names[table.deleted] = table.deleted
    return names


def _remembered(row: Mapping[str, Any]) -> KeyColumn:
    return KeyColumn(
        row["key"],
        row["column_name"],
        row["column_type"],
        Kind(row["kinds"]),
        row["shape"],
        row["fixed"],
    )


def _by_hand(column: Column, row: Mapping[str, Any] | None) -> KeyColumn:
    """A column whose type someone else chose: inference goes on from it, or must fit it."""
    key, name = (row["key"], row["column_name"]) if row else (column.name, column.name)
    type_ = duckdb_type(column.type)
    kinds = kinds_of(type_)
    return KeyColumn(key, name, type_, kinds or Kind(0), fixed=kinds is None)
