"""Reading tables in Snowflake: a query's rows, and row keys as JSON values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.columns.derived import path_parts
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.snowflake.sql import sf_quoted, sf_table, shown
from connector_assets.load.table import Column, Table
from connector_assets.snowflake.session import Session, shown_rows, type_name

_ROWS_AT_ONCE = 10_000
# What a SELECT can do besides reading tables, or tell of others' queries.
_MORE = re.compile(
    r"system\$|(?:from|join|,)\s*@|\b(?:query|login|copy|load)_history|\baccount_usage\b|"
    r"\bresult_scan\b|\bget_ddl\b",
    re.IGNORECASE,
)


def query(
    session: Session, sql: str, limit: int | None
) -> tuple[list[Column], list[tuple[Any, ...]]]:
    """The columns and at most `limit` rows of one statement that reads."""
    if found := _MORE.search(sql):
        raise LoadError(
            f'"{found[0].strip()[:60]}" may do more than read tables of this database',
            where="query",
            fix="leave it out, or use Snowflake's own client",
        )
    # Only what reads can stand in brackets behind FROM, and only one statement.
    session.run(f"select * from (\n{sql}\n) limit 0")
    with session.cursor(sql) as cursor:
        rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
        columns = [Column(shown(item.name), type_name(item)) for item in cursor.description or ()]
    return columns, shown_rows(rows)


def key_rows(
    session: Session, table: Table, keys: Sequence[str], columns: Sequence[KeyColumn]
) -> Iterator[list[Any]]:
    """Yield the values of row keys, as JSON values."""
    by_key = {column.key: column for column in columns}
    found = [_source(key, by_key, table) for key in keys]
    values = ", ".join(sf_quoted(column.name) for column, _ in found)
    with session.cursor(f"select {values} from {sf_table(table)}") as cursor:
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for row in rows:
                pairs = zip(found, row, strict=True)
                yield [_inside(_json(value, column), path) for (column, path), value in pairs]


def _source(
    key: str, by_key: dict[str, KeyColumn], table: Table
) -> tuple[KeyColumn, Sequence[str]]:
    if key in by_key:
        return by_key[key], ()
    root, *rest = path_parts(key) or [key]
    if not rest or root not in by_key:
        raise LoadError(f'there is no column for "{key}"', where=table.where)
    return by_key[root], rest


def _inside(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _json(value: Any, column: KeyColumn) -> Any:
    """A value of a column as the JSON value that it came as."""
    if column.shape and isinstance(value, date):
        return _text(value, column.shape)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, str) and _is_json(column.type):
        return json.loads(value)
    return value


def _is_json(type_: str) -> bool:
    return type_.startswith(("JSON", "STRUCT(", "MAP(")) or type_.endswith("]")


def _text(value: date, shape: str) -> str:
    """A time as the text of its shape."""
    day = value.strftime("%Y-%m-%d").zfill(10)
    if not isinstance(value, datetime):
        return shape.replace("0000-00-00", day)
    if value.tzinfo:
        value = value.astimezone(UTC)
        day = f"{value.year:04}-{value.month:02}-{value.day:02}"
    day = f"{value.year:04}-{value.month:02}-{value.day:02}"
    clock = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
    text = shape.replace("0000-00-00", day, 1)
    text = text.replace("00:00:00", clock, 1)
    fraction = f"{value.microsecond:06}"
    return text.replace(".000000", f".{fraction}").replace(".000", f".{fraction[:3]}")
