"""Staged rows, typed in a DuckDB file of their own and exported for another store to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.load.duckdb_load import Order, load
from connector_assets.load.duckdb_scratch import scratch
from connector_assets.load.duckdb_sql import literal, quoted
from connector_assets.load.duckdb_state import dump_state, restore_state
from connector_assets.load.duckdb_tables import describe, name_of, schema_of
from connector_assets.load.plan import KeyColumn
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REJECTED = "__rejected"
# SQL for what stands in the file, from the names and types of a table's columns.
Select = Callable[[Mapping[str, str]], str]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in a file, and the columns they have, with DuckDB's types."""

    path: Path
    types: Mapping[str, str]
    count: int


@dataclass(frozen=True, slots=True)
class Typed:
    """New rows and rejects; `columns` is what is to be remembered of the table's columns."""

    rows: Rows
    rejects: Rows
    columns: list[dict[str, Any]]
    received: int
    rejected: int


def type_rows(
    order: Order,
    stored: Sequence[KeyColumn],
    remembered: list[dict[str, Any]],
    folder: Path,
    *,
    select: Select,
    options: str,
) -> Typed:
    """Load into an empty copy of the table, so that types widen and policies hold as in DuckDB.

    Of new rows with one key only the last is left; those that delete a key are still there.
    `options` are those of DuckDB's `copy … to`.
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
        rejects = replace(table, name=table.name + REJECTED)
        return Typed(
            _export(connection, table, folder / "rows", select, options),
            _export(connection, rejects, folder / "rejects", select, options),
            [row for row in dump_state(connection)["columns"] if row["key"] != table.deleted],
            loaded.received,
            loaded.rejected,
        )


def _with_deleted(table: Table) -> Table:
    """The table with its mark of deleted rows as a column like any other."""
    if table.deleted is None:
        return table
    return replace(table, deleted=None, columns={**table.columns, table.deleted: "boolean"})


def _export(
    connection: DuckDBPyConnection, table: Table, path: Path, select: Select, options: str
) -> Rows:
    types = {column.name: column.type for column in describe(connection, table)}
    if not types:
        return Rows(path, {}, 0)
    copied = connection.execute(
        f"copy (select {select(types)} from {name_of(connection, table)}) "
        f"to {literal(str(path))} "
        f"({options})"
    ).fetchall()
    return Rows(path, types, copied[0][0])
