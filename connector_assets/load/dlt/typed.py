"""Staged rows, typed by DuckDB, as Parquet files that dlt takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from connector_assets.errors import SchemaError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.casts import without_nanoseconds
from connector_assets.load.duckdb.load import Terms
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.typed import Typed, type_rows
from connector_assets.load.kinds import Kind
from connector_assets.load.order import Order
from connector_assets.load.table import Table

LOAD, PARTITION, VERSION = "_load_id", "_partition", "_row_version"
VALID_FROM, VALID_TO = "_valid_from", "_valid_to"
_OURS = {LOAD, PARTITION, VERSION, VALID_FROM, VALID_TO}
_TYPES = {
    "BOOLEAN": "bool",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "bigint"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), "bigint"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "double"),
    "JSON": "json",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "BLOB": "binary",
}


def hint(type_: str) -> dict[str, Any]:
    """Dlt's type for one of DuckDB's: json for what is nested, text for what it has not.

    >>> hint("DECIMAL(10,2)")
    {'data_type': 'decimal', 'precision': 10, 'scale': 2}
    """
    if found := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_):
        return {"data_type": "decimal", "precision": int(found[1]), "scale": int(found[2])}
    if type_.startswith(("STRUCT", "MAP", "UNION")) or type_.endswith("]"):
        return {"data_type": "json"}
    found_type = _TYPES.get(type_, "text")
    if type_ in {"TIMESTAMP", "TIMESTAMP_NS"}:
        return {"data_type": found_type, "timezone": False}
    return {"data_type": found_type}


class ColumnNames:
    """The destination's column names; those of new columns are found on the way, each once."""

    def __init__(self, known: Mapping[str, str], normalized: Callable[[str], str]) -> None:
        self.by_column = dict(known)
        self._normalized = normalized
        self._taken = {name.casefold() for name in (*known.values(), *_OURS)}

    def __getitem__(self, column: str) -> str:
        if column not in self.by_column:
            name, number = self._normal(column), 0
            while name.casefold() in self._taken or name.startswith("_dlt_"):
                number += 1
                name = self._normal(f"{column}_{number}".lstrip("_"))
            self._taken.add(name.casefold())
            self.by_column[column] = name
        return self.by_column[column]

    def _normal(self, column: str) -> str:
        try:
            return self._normalized(column)
        except ValueError:  # nothing of it is left, as of a space
            return self._normalized("column")


def typed_parquet(
    order: Order, columns: list[dict[str, Any]], folder: Path, names: ColumnNames, *, has_nul: bool
) -> Typed:
    """The rows in files, under the destination's names; SchemaError where a type has changed.

    Without `has_nul` a text with U+0000 is an error: dlt would leave it out in silence.
    """
    stored = [_remembered(row) for row in columns]
    typed = type_rows(
        order,
        folder,
        Terms(stored, opens_json=True),  # what a warehouse makes of them nobody knows
        select=lambda types: _select(types, names, _own_values(order, types), has_nul=has_nul),
        options="format parquet, compression zstd",
    )
    _forbid_changes(order.table, stored, typed.rows.types)
    return typed


def _remembered(row: Mapping[str, Any]) -> KeyColumn:
    return KeyColumn(
        row["key"],
        row["column_name"],
        row["column_type"],
        Kind(row["kinds"]),
        row["shape"],
        row["fixed"],
    )


def _forbid_changes(table: Table, stored: Sequence[KeyColumn], now: Mapping[str, str]) -> None:
    """Dlt adds columns, but leaves the types of those there are."""
    for column in stored:
        if not column.kinds and not column.fixed:
            continue  # it never had a value, and is not there yet
        before, after = hint(column.type), hint(now.get(column.name, column.type))
        if before != after:
            raise SchemaError(
                f'column "{column.key}" is {before["data_type"]} and would have to become '
                f"{after['data_type']}, which dlt does not change",
                where=f"{table.schema}.{table.name}",
                fix="declare the column's type, drop the table with its dlt state, and load anew",
            )


def _select(
    types: Mapping[str, str], names: ColumnNames, more: Mapping[str, str], *, has_nul: bool
) -> str:
    values = [
        f"{_value(name, type_, has_nul=has_nul)} AS {quoted(names[name])}"
        for name, type_ in types.items()
    ]
    return ", ".join([*values, *(f"{value} AS {name}" for name, value in more.items())])


def own_columns(order: Order) -> list[str]:
    """Columns of ours, by which dlt tells rows apart."""
    if order.way == "append" and order.load_id:
        return [LOAD]
    if order.way == "replace" and order.table.partition is not None:
        return [PARTITION]
    return [VERSION] if order.way == "scd2" else []


def _own_values(order: Order, types: Mapping[str, str]) -> dict[str, str]:
    own = {LOAD: literal(order.load_id), PARTITION: literal(order.table.partition or "")}
    if order.way != "scd2":
        return own
    # Without what is null, or a new column would make a new version of every row.
    values = ", ".join(
        f"CASE WHEN {quoted(name)} IS NOT NULL THEN {literal(name)} || to_json({quoted(name)}) END"
        for name in types
        if name != order.table.deleted
    )
    version = f"md5(to_json(list_filter([{values}], lambda x: x IS NOT NULL)))"
    return {**own, VERSION: version}


def _value(name: str, type_: str, *, has_nul: bool) -> str:
    column = quoted(name)
    found = hint(type_)["data_type"]
    if found in {"text", "json"}:
        is_nested = found == "json" and type_ != "JSON"
        text = f"CAST({f'to_json({column})' if is_nested else column} AS VARCHAR)"
        return text if has_nul else _without_nul(text, found)
    if type_ == "TIMESTAMP_NS":
        return without_nanoseconds(name)
    if found == "bigint":
        return f"CAST({column} AS BIGINT)"
    return f"CAST({column} AS DOUBLE)" if found == "double" else column


def _without_nul(text: str, type_: str) -> str:
    looked_at, nul = text, "chr(0)"
    if type_ == "json":  # where it is escaped, but not behind an escaped backslash
        looked_at, nul = f"replace({text}, '\\\\', '')", "'\\u0000'"
    message = literal("a text has a NUL character (U+0000), which this destination cannot hold")
    return f"CASE WHEN contains({looked_at}, {nul}) THEN error({message}) ELSE {text} END"
