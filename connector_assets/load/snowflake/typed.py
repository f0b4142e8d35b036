"""Staged rows, typed by DuckDB, as a Parquet file that Snowflake copies in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connector_assets.errors import SchemaError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.load import Terms
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.typed import NUMBER, Typed, TypedRows, type_rows
from connector_assets.load.order import Order
from connector_assets.load.snowflake.exact import may_drop, refuse, unfit_rows
from connector_assets.load.snowflake.sql import exported, sf_name, sf_type, shown
from connector_assets.load.table import Table

_PARQUET = "format parquet, compression zstd"


@dataclass(frozen=True, slots=True)
class FileOfRows:
    """A file whose field `c0` is the first of the columns `types`, and so on; `n` numbers rows.

    `types` are Snowflake's, by column name. `dropped` has how many values were left out.
    """

    path: Path
    types: Mapping[str, str]
    count: int
    dropped: Mapping[str, int]

    def field(self, name: str) -> str:
        return f"c{list(self.types).index(name)}"


def typed_parquet(order: Order, folder: Path, terms: Terms) -> Typed:
    """The rows and those set aside, in files; SchemaError where a column would have to change."""
    keys = _key_columns(order.table, terms.stored or ())

    def select(types: Mapping[str, str]) -> str:
        fields = (
            f"{exported(name, type_, is_key=name in keys)} AS c{number}"
            for number, (name, type_) in enumerate(types.items())
        )
        return ", ".join(fields)

    def numbered(types: Mapping[str, str]) -> str:
        return f"{select(types)}, rowid + 1 AS {NUMBER}"

    typed = type_rows(order, folder, terms, select=select, rejected=numbered, options=_PARQUET)
    _forbid_changes(order.table, terms.stored or (), typed.rows.types)
    return typed


def _key_columns(table: Table, stored: Sequence[KeyColumn]) -> set[str]:
    """The columns of the primary key, by which rows are found."""
    named = {column.key: column.name for column in stored}
    return {named.get(key, key) for key in table.primary_key}


def _forbid_changes(table: Table, stored: Sequence[KeyColumn], now: Mapping[str, str]) -> None:
    """Snowflake adds columns; what would make another type of one is not done to a table."""
    for column in stored:
        before, after = sf_type(column.type), sf_type(now.get(column.name, column.type))
        if column.by_hand or before == after or has_no_value(column):
            continue
        raise SchemaError(
            f'column "{column.key}" is {before.lower()} and would have to become {after.lower()}, '
            "which Snowflake does not make of it",
            where=table.where,
            fix="declare the column's type, or rename or drop the table and load anew",
        )


def has_no_value(column: KeyColumn) -> bool:
    """Whether no row ever brought a value: its type was no more than a place to begin."""
    return not column.kinds and not column.fixed


def checked(
    table: Table, rows: TypedRows, stored: Sequence[KeyColumn], described: Mapping[str, str]
) -> FileOfRows:
    """The file, once it is known that Snowflake holds every value exactly.

    `described` are the types that the table has, by name. Raises Misfit or RowsError.
    """
    by_name = {column.name: column for column in stored}
    fixed = {name for name, column in by_name.items() if not has_no_value(column)}
    types = {
        name: described.get(shown(sf_name(name)), sf_type(type_))
        if name in fixed
        else sf_type(type_)
        for name, type_ in rows.types.items()
    }
    file = FileOfRows(rows.path, types, rows.count, {})
    with scratch(rows.path.with_name("look.duckdb"), where=table.where) as connection:
        unfit = unfit_rows(connection, rows.path, types, number=NUMBER, field=file.field)
        droppable = {name: bad for name, bad in unfit.items() if may_drop(table, name, by_name)}
        kept = {name: bad for name, bad in unfit.items() if name not in droppable}
        refuse(table, kept, types)
        if not droppable:
            return file
        path = rows.path.with_name("without")
        fields = ", ".join(
            f"CASE WHEN list_contains({list(droppable[name])}, {NUMBER}) THEN NULL "
            f"ELSE {quoted(file.field(name))} END AS {file.field(name)}"
            if name in droppable
            else file.field(name)
            for name in types
        )
        connection.execute(
            f"copy (select {fields}, {NUMBER} from read_parquet({literal(str(rows.path))})) "
            f"to {literal(str(path))} ({_PARQUET})"
        )
    return replace(file, path=path, dropped={name: len(bad) for name, bad in droppable.items()})
