"""What a PostgreSQL database says about its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection

from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.tables import OWN_COLUMNS, VALID_FROM, VALID_TO, by_hand
from connector_assets.load.duckdb.typed import TypedRows
from connector_assets.load.kinds import Kind
from connector_assets.load.ownership import Found, Owned, is_own_schema
from connector_assets.load.postgres.exact import Chosen, chosen_types
from connector_assets.load.postgres.sql import duckdb_type, pg_name, pg_table, pg_type
from connector_assets.load.table import Column, Table

_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
    "i": "index",
    "I": "index",
    "c": "type",
}


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


def look(connection: Connection[Any], table: Table, owned: Owned | None, *, known: bool) -> Found:
    """What there is under the table's name."""
    found = connection.execute(
        "select c.relkind::text from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relname = %s",
        [pg_name(table.schema), pg_name(table.name)],
    ).fetchone()
    kind = _KINDS.get(found[0], "relation of another kind") if found else None
    columns = {column.name for column in describe(connection, table)} if kind == "table" else set()
    rows = f"select from {pg_table(table)} limit 1".encode()
    return Found(
        kind=kind,
        has_rows=kind == "table" and connection.execute(rows).fetchone() is not None,
        is_known=known,
        has_history=known and {VALID_FROM, VALID_TO} <= columns,
        own_schema=is_own_schema(table.schema),
        owned=owned if known else None,
    )


def count_of(connection: Connection[Any], table: Table) -> int:
    found = connection.execute(f"select count(*) from {pg_table(table)}".encode()).fetchone()
    return int(found[0]) if found else 0


def columns_of(
    connection: Connection[Any], table: Table, remembered: Sequence[Mapping[str, Any]]
) -> list[KeyColumn]:
    """The columns that the table has for rows, with what is remembered of those unchanged."""
    by_name = {pg_name(row["column_name"]): row for row in remembered}
    return [
        kept_column(row)
        if (row := by_name.get(column.name)) and pg_type(row["column_type"]) == column.type
        else _by_hand(column, row)
        for column in describe(connection, table)
        if column.name not in OWN_COLUMNS
    ]


def chosen_of(
    connection: Connection[Any], table: Table, stored: Sequence[KeyColumn]
) -> dict[str, Chosen]:
    """The columns whose type somebody chose that only PostgreSQL itself can cast to."""
    names = [column.name for column in stored if column.by_hand and column.type == "JSON"]
    found = chosen_types(connection, pg_table(table), names) if names else {}
    return {name: chosen for name, chosen in found.items() if chosen.type != "jsonb"}


def viewed_columns(connection: Connection[Any], table: Table) -> frozenset[str]:
    """The columns that a view or a rule uses, whose type PostgreSQL does not change."""
    found = connection.execute(
        "select a.attname from pg_depend d "
        "join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid "
        "where d.refobjid = to_regclass(%s) and d.refclassid = 'pg_class'::regclass "
        "and d.classid = 'pg_rewrite'::regclass",
        [pg_table(table)],
    )
    return frozenset(name for (name,) in found)


def names_of(columns: Sequence[Mapping[str, Any]], rows: TypedRows, table: Table) -> dict[str, str]:
    """Row keys to column names, with that of the mark of deleted rows."""
    names = {row["key"]: row["column_name"] for row in columns}
    if table.deleted is not None and table.deleted in rows.types:
        names[table.deleted] = table.deleted
    return names


def kept_column(row: Mapping[str, Any]) -> KeyColumn:
    return KeyColumn(
        row["key"],
        row["column_name"],
        row["column_type"],
        Kind(row["kinds"]),
        row["shape"],
        row["fixed"],
        bool(row.get("by_hand")),
    )


def _by_hand(column: Column, row: Mapping[str, Any] | None) -> KeyColumn:
    """A column whose type someone else chose; what DuckDB has no type for comes as JSON."""
    known = kept_column(row) if row else None
    name = known.name if known else column.name
    return by_hand(name, duckdb_type(column.type) or "JSON", known)
