"""Reading tables back through dlt's own SQL clients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import dlt
from dlt.common.destination.exceptions import (
    DestinationUndefinedEntity,
    SqlClientNotAvailable,
)

from connector_assets.errors import LoadError
from connector_assets.load.columns.derived import path_parts
from connector_assets.load.dlt.confine import confined, tables_read
from connector_assets.load.dlt.pipeline import Road, TableState, stored_name
from connector_assets.load.ownership import Found, is_own_schema
from connector_assets.load.table import Column, Table

_ROWS_AT_ONCE = 10_000


def columns_of(pipeline: dlt.Pipeline, table: Table) -> list[Column]:
    """The table's columns without dlt's own; none where there is no table."""
    if not pipeline.default_schema_name:
        return []
    name, schema = stored_name(pipeline, table.name), pipeline.default_schema
    if name not in schema.tables:
        return []
    return [
        Column(column, str(about["data_type"]), bool(about.get("nullable", True)))
        for column, about in schema.get_table_columns(name).items()
        if not column.startswith("_dlt_")
    ]


def count_of(pipeline: dlt.Pipeline, table: Table) -> int:
    with pipeline.sql_client() as client:
        name = client.make_qualified_table_name(stored_name(pipeline, table.name))
        with client.execute_query(f"select count(*) from {name}") as cursor:
            return int(cursor.fetchall()[0][0])


def found_in(pipeline: dlt.Pipeline, table: Table) -> Found:
    """What there is under the table's name: by dlt's state, else by a look into the store."""
    found = replace(TableState.of(pipeline).found(), own_schema=is_own_schema(table.schema))
    if found.is_known or not _has_rows_of_others(pipeline, table):
        return found
    return replace(found, kind="table", has_rows=True)


def _has_rows_of_others(pipeline: dlt.Pipeline, table: Table) -> bool:
    """Whether rows are there that no load of ours brought, be it one that was killed."""
    client: Any = pipeline.destination_client()
    with client:
        # dlt stores the schema of a load before its rows.
        if client.get_stored_schema(client.schema.name):
            return False
        if hasattr(client, "list_table_files"):
            with suppress(DestinationUndefinedEntity):
                return bool(client.list_table_files(stored_name(pipeline, table.name)))
            return False
    with suppress(DestinationUndefinedEntity, SqlClientNotAvailable):
        return count_of(pipeline, table) > 0
    return False


def key_rows(pipeline: dlt.Pipeline, table: Table, keys: Sequence[str]) -> Iterator[list[Any]]:
    """The values of row keys as JSON values."""
    state = TableState.of(pipeline)
    columns = {row["key"]: row for row in state.columns}
    where = f"{table.schema}.{table.name}"
    found = [_KeyOf.of(key, columns, state.names, where) for key in keys]
    with pipeline.sql_client() as client:
        there = {column.name for column in columns_of(pipeline, table)}
        values = ", ".join(one.select(client) if one.column in there else "NULL" for one in found)
        name = client.make_qualified_table_name(stored_name(pipeline, table.name))
        with client.execute_query(f"select {values} from {name}") as cursor:
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                for row in rows:
                    yield [one(value) for one, value in zip(found, row, strict=True)]


class _KeyOf:
    """A row key's column, and how its values become JSON values again."""

    def __init__(self, column: str, type_: str, shape: str | None, rest: Sequence[str]) -> None:
        self.column, self._type, self._shape, self._rest = column, type_, shape, rest

    @classmethod
    def of(cls, key: str, columns: Any, names: Any, where: str) -> _KeyOf:
        root, *rest = [key] if key in columns else path_parts(key) or [key]
        if root not in columns:
            raise LoadError(f'there is no column for "{key}"', where=where)
        row = columns[root]
        return cls(names[row["column_name"]], row["column_type"], row["shape"], rest)

    def select(self, client: Any) -> str:
        name = str(client.escape_column_name(self.column))
        # psycopg2 would decode it, and "5" and 5 could no longer be told apart.
        is_postgres = client.capabilities.sqlglot_dialect == "postgres"
        return f"CAST({name} AS VARCHAR)" if is_postgres and self._type == "JSON" else name

    def __call__(self, value: Any) -> Any:
        if value is not None:
            value = self._json(value)
        for part in self._rest:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def _json(self, value: Any) -> Any:
        if self._shape and isinstance(value, (date, datetime)):
            return _as_it_came(value, self._shape)
        if self._type == "JSON" or (self._type.endswith(("]", ")")) and isinstance(value, str)):
            return json.loads(value) if isinstance(value, str) else value
        if self._type == "HUGEINT":
            return int(value)
        return plain(value)


def plain(value: Any) -> Any:
    """A driver's value as JSON has it."""
    if isinstance(value, Decimal):
        return json.loads(str(value))
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    return value.hex() if isinstance(value, (bytes, memoryview)) else value


def query_rows(
    road: Road, sql: str, limit: int | None
) -> tuple[list[Column], list[tuple[Any, ...]]]:
    """Run one statement that reads; the first table in it says which dataset to open."""
    tables = tables_read(sql, road.dialect)
    first = Table(tables[0].db, tables[0].name) if tables else Table("main", "none")
    with road.pipeline(first) as pipeline, pipeline.sql_client() as client:
        run = confined(client, sql, tables)
        with run() as cursor:
            columns = [Column(item[0], str(item[1])) for item in cursor.description or ()]
            rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
        return columns, [tuple(row) for row in rows]


def _as_it_came(value: date, shape: str) -> str:
    """A time as the text of that shape."""
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat(timespec=_precision(shape))
        return text.replace("T", shape[10]) + shape[len(text) :]
    return value.isoformat()


def _precision(shape: str) -> str:
    fraction = shape[19:].partition(".")[2]
    digits = len(fraction) - len(fraction.lstrip("0"))
    return {0: "seconds", 3: "milliseconds"}.get(digits, "microseconds")
