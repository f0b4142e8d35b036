"""Staged rows, typed by DuckDB, as CSV that PostgreSQL copies in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connector_assets.load.duckdb_load import Order, load
from connector_assets.load.duckdb_scratch import scratch
from connector_assets.load.duckdb_sql import literal, quoted
from connector_assets.load.duckdb_state import dump_state, restore_state
from connector_assets.load.duckdb_tables import describe, name_of, schema_of
from connector_assets.load.plan import KeyColumn
from connector_assets.load.postgres_sql import exported
from connector_assets.load.table import Table

_REJECTED = "__rejected"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in a CSV file, and the columns they have, with DuckDB's types."""

    path: Path
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Typed:
    """New rows and rejects; `columns` is what is to be remembered of the table's columns."""

    rows: Rows
    rejects: Rows
    columns: list[dict[str, Any]]
    received: int
    rejected: int


def type_rows(
    order: Order, stored: Sequence[KeyColumn], remembered: list[dict[str, Any]], folder: Path
) -> Typed:
    """Load into an empty copy of the table, so that types widen and policies hold as in DuckDB.

    Of new rows with one key only the last is left; those that delete a key are still there.
    """
    path, table = folder / "scratch.duckdb", order.table
    where = f"{table.schema}.{table.name}"
    with scratch(path, where=where) as connection:
        restore_state(connection, {"columns": remembered})
        if stored:
            columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in stored)
            connection.execute(f"create schema if not exists {schema_of(connection, table)}")
            connection.execute(f"create table {name_of(connection, table)} ({columns})")
    here = replace(
        order,
        table=_with_deleted(table),
        mode="append" if order.mode == "append" or not table.primary_key else "merge",
        cursor=None,
        fence=None,
    )
    loaded = load(here, lambda: scratch(path, where=where))
    with scratch(path, where=where) as connection:
        rejects = replace(table, name=table.name + _REJECTED)
        return Typed(
            _export(connection, table, folder / "rows.csv"),
            _export(connection, rejects, folder / "rejects.csv"),
            [row for row in dump_state(connection)["columns"] if row["key"] != table.deleted],
            loaded.received,
            loaded.rejected,
        )


def _with_deleted(table: Table) -> Table:
    """The table with its mark of deleted rows as a column like any other."""
    if table.deleted is None:
        return table
    return replace(table, deleted=None, columns={**table.columns, table.deleted: "boolean"})


def _export(connection: Any, table: Table, path: Path) -> Rows:
    types = {column.name: column.type for column in describe(connection, table)}
    if types:
        values = ", ".join(exported(name, type_) for name, type_ in types.items())
        # Quoted, a text is never taken for NULL, nor a lone \. for the end.
        connection.execute(
            f"copy (select {values} from {name_of(connection, table)}) to {literal(str(path))} "
            "(format csv, header false, nullstr '', force_quote *)"
        )
    return Rows(path, types)
