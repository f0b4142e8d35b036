"""Staged rows, typed in a DuckDB file of their own and exported for another store to take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.load.columns.plan import NO_COLUMN
from connector_assets.load.duckdb.load import Terms, load
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.state import dump_state
from connector_assets.load.duckdb.tables import describe, name_of, schema_of
from connector_assets.load.duckdb.tuning import tune
from connector_assets.load.order import Order
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REJECTED = "__rejected"
NUMBER = "n"
"""The name of the last column, where `Terms.keeps_all` numbers the rows."""
# SQL for what stands in the file, from the names and types of a table's columns.
Select = Callable[[Mapping[str, str]], str]


@dataclass(frozen=True, slots=True)
class TypedRows:
    """Rows in a file, and the columns they have, with DuckDB's types."""

    path: Path
    types: Mapping[str, str]
    count: int


@dataclass(frozen=True, slots=True)
class Typed:
    """New rows and rejects; `columns` is what is to be remembered of the table's columns."""

    rows: TypedRows
    rejects: TypedRows
    columns: list[dict[str, Any]]
    received: int
    rejected: int
    dropped: Mapping[str, int]


def type_rows(
    order: Order,
    folder: Path,
    terms: Terms,
    *,
    select: Select,
    options: str,
    rejected: Select | None = None,
) -> Typed:
    """Load into an empty copy of the table, so that types widen and policies hold as in DuckDB.

    `terms` have the columns of the table. Of new rows with one key only the last is left, unless
    all are kept; those that delete a key are still there. `options` are those of DuckDB's
    `copy … to`; `rejected` is what to select of rows that were set aside.
    """
    path, table, where = folder / "scratch.duckdb", order.table, order.where
    with scratch(path, where=where) as connection:
        if terms.stored:
            columns = ", ".join(f"{quoted(one.name)} {one.type}" for one in terms.stored)
            connection.execute(f"create schema if not exists {schema_of(connection, table)}")
            connection.execute(f"create table {name_of(connection, table)} ({columns})")
    here = replace(
        order,
        table=replace(with_deleted(table), claim=replace(table.claim, adopt=True)),
        mode="append" if order.way == "append" or not table.primary_key else "merge",
        cursor=None,
        fence=None,
        after=None,
    )
    loaded = load(here, lambda: scratch(path, where=where), "", terms)
    with scratch(path, where=where) as connection:
        kept = [row for row in dump_state(connection)["columns"] if row["key"] != table.deleted]
        rejects = replace(table, name=table.name + REJECTED)
        untouched = {c.name for c in terms.stored or () if c.untouched}
        leave = (untouched | {NO_COLUMN}) - {row["column_name"] for row in kept}
        numbered = f", rowid + 1 AS {NUMBER}" if terms.keeps_all else ""
        return Typed(
            _export(connection, table, folder / "rows", select, options, leave, numbered),
            _export(connection, rejects, folder / "rejects", rejected or select, options),
            kept,
            loaded.received,
            loaded.rejected,
            loaded.dropped,
        )


def with_deleted(table: Table) -> Table:
    """The table with its mark of deleted rows as a column like any other."""
    if table.deleted is None:
        return table
    return replace(
        table,
        deleted=None,
        columns={**table.columns, table.deleted: "boolean"},
        wanted=replace(table.wanted, unless=table.deleted),
    )


def _export(  # noqa: PLR0917 # one `copy … to`
    connection: DuckDBPyConnection,
    table: Table,
    path: Path,
    select: Select,
    options: str,
    leave: Collection[str] = (),
    more: str = "",
) -> TypedRows:
    """Write rows to a file, but for some columns, and with more SQL behind the others."""
    described = {column.name: column.type for column in describe(connection, table)}
    types = {name: type_ for name, type_ in described.items() if name not in leave}
    if not types:
        return TypedRows(path, {}, 0)
    tune(connection, len(types))
    # Several threads hold what they wrote until it is its turn in the file: of 500,000 rows too
    # much for the limit, so that all were loaded again with more.
    connection.execute("set threads = 1")
    copied = connection.execute(
        f"copy (select {select(types)}{more} from {name_of(connection, table)}) "
        f"to {literal(str(path))} "
        f"({options})"
    ).fetchall()
    return TypedRows(path, types, copied[0][0])
