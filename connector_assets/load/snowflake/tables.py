"""What a Snowflake database says about its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.tables import OWN_COLUMNS, VALID_FROM, VALID_TO, by_hand
from connector_assets.load.kinds import Kind
from connector_assets.load.ownership import Found, Owned, is_own_schema
from connector_assets.load.snowflake.sql import (
    described,
    duckdb_type,
    sf_name,
    sf_table,
    sf_type,
    shown,
)
from connector_assets.load.table import Column, Table
from connector_assets.snowflake.session import Refused, Session

_KINDS = {"BASE TABLE": "table", "TEMPORARY TABLE": "table", "VIEW": "view"}


def describe(session: Session, table: Table) -> list[Column]:
    """The table's columns; none where there is no table."""
    try:
        with session.cursor(f"describe table {sf_table(table)}") as cursor:
            names = [item[0].lower() for item in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except Refused as refused:
        if refused.refusal.is_absent:
            return []
        raise
    return [
        Column(shown(row["name"]), described(row["type"]), row["null?"] == "Y")
        for row in rows
        if row["kind"] == "COLUMN"
    ]


def look(session: Session, table: Table, owned: Owned | None, *, known: bool) -> Found:
    """What there is under the table's name."""
    found = session.run(
        "select table_type from information_schema.tables "
        "where table_schema = ? and table_name = ?",
        sf_name(table.schema),
        sf_name(table.name),
    )
    kind = _KINDS.get(found[0][0], found[0][0].lower()) if found else None
    columns = {column.name for column in describe(session, table)} if kind == "table" else set()
    rows = f"select 1 from {sf_table(table)} limit 1"
    return Found(
        kind=kind,
        has_rows=kind == "table" and bool(session.run(rows)),
        is_known=known,
        has_history=known and {VALID_FROM, VALID_TO} <= columns,
        own_schema=is_own_schema(table.schema),
        owned=owned if known else None,
    )


def count_of(session: Session, table: Table) -> int:
    return int(session.run(f"select count(*) from {sf_table(table)}")[0][0])


def columns_of(
    session: Session, table: Table, remembered: Sequence[Mapping[str, Any]]
) -> list[KeyColumn]:
    """The columns that the table has for rows, with what is remembered of those unchanged."""
    by_name = {shown(sf_name(row["column_name"])): row for row in remembered}
    return [
        kept_column(row)
        if (row := by_name.get(column.name)) and sf_type(row["column_type"]) == column.type
        else _by_hand(table, column, row)
        for column in describe(session, table)
        if column.name not in OWN_COLUMNS
    ]


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


def _by_hand(table: Table, column: Column, row: Mapping[str, Any] | None) -> KeyColumn:
    """A column whose type someone else chose."""
    known = kept_column(row) if row else None
    type_ = duckdb_type(column.type)
    if type_ is None and known:
        raise LoadError(
            f'column "{column.name[:60]}" is a {column.type.lower()}, which is not written',
            where=table.where,
            fix="give the column another type, or leave its field out of the stream",
        )
    return by_hand(known.name if known else column.name, type_ or "VARCHAR", known)
