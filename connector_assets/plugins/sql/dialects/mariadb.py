"""MariaDB and MySQL, by a JDBC driver: there is no ADBC driver of theirs.

Times are read as texts: the drivers shift some of them, and make NULL of 0000-00-00.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Field, Found, FoundColumn, Query, SourceColumn

OPTIONS = {"tinyInt1isBit": "false", "yearIsDateType": "false", "useCursorFetch": "true"}
"""What keeps numbers numbers, and results out of the driver's memory."""
_SETTINGS = ("set time_zone = '+00:00'", "set session transaction isolation level repeatable read")
_UNSIGNED: dict[str, pa.DataType] = {
    "tinyint unsigned": pa.uint8(),
    "smallint unsigned": pa.uint16(),
    "mediumint unsigned": pa.uint32(),
    "int unsigned": pa.uint32(),
    "integer unsigned": pa.uint32(),
    "bigint unsigned": pa.uint64(),
}
_SIGNED: Mapping[str, pa.DataType] = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "mediumint": pa.int32(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "year": pa.int16(),
}
_TIMES: dict[str, pa.DataType] = {
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "timestamp": pa.timestamp("us", "UTC"),
}
_BYTES = ("blob", "tinyblob", "mediumblob", "longblob", "binary", "varbinary")
_TYPES: Mapping[str, tuple[str, str, pa.DataType]] = {
    **{name: ("{} + 0", "int64", arrow) for name, arrow in _SIGNED.items()},
    **{name: ("cast({} as char)", "text", arrow) for name, arrow in (_UNSIGNED | _TIMES).items()},
    "timestamp": ("concat(cast({} as char), 'Z')", "text", _TIMES["timestamp"]),
    # As it stands a FLOAT is sent with six digits of its seven.
    **dict.fromkeys(("float", "double"), ("{} + 0e0", "double", pa.float64())),
    "bit": ("cast({} + 0 as char)", "text", pa.uint64()),
    **dict.fromkeys(_BYTES, ("{}", "binary", pa.binary())),
    "geometry": ("st_aswkb({})", "binary", pa.binary()),
}


class MariaDb(Dialect):
    """MariaDB: a moment is held by one connection alone, so one reads the chunks in turn."""

    snapshot = "own"
    quote = "`"
    text_type = "char"

    def default_schema(self, settings: SqlSettings) -> str:
        return unquote(urlsplit(settings.uri.removeprefix("jdbc:")).path.strip("/"))

    def begin(self, session: Any, *, holds: bool, token: str | None = None) -> None:
        del token
        for statement in _SETTINGS:
            session.execute(statement)
        if holds:
            session.execute("start transaction with consistent snapshot, read only")
        else:
            self.let_go(session)

    def field(self, session: Any, column: SourceColumn) -> Field:
        del session
        found = self._field(column)
        return replace(found, orders=self._orders(column, found))

    def _field(self, column: SourceColumn) -> Field:
        name, expression, type_ = column.name, self.quoted(column.name), column.type
        signed = type_.removesuffix(" unsigned")
        if signed in ("decimal", "numeric"):
            return self.number(column)
        known = _TYPES.get(type_) or _TYPES.get(signed)
        pattern, wire, arrow = known or ("{}", "text", pa.string())
        return Field(name, pattern.format(expression), arrow, wire)

    def _orders(self, column: SourceColumn, field: Field) -> str:
        if column.type in _UNSIGNED:
            return "unsigned"
        if column.type in _SIGNED:
            return "signed"
        if column.type in _TIMES:
            return "date" if column.type == "date" else "datetime(6)"
        if pa.types.is_decimal(field.type):
            return f"decimal({field.type.precision},{field.type.scale})"
        return "char" if pa.types.is_string(field.type) and "char" in column.type else ""

    def value(self, mark: str, field: Field) -> str:
        # A text is compared in the collation of its column, which a cast would replace.
        return mark if field.orders == "char" else super().value(mark, field)

    def is_exact(self, value: str, field: Field) -> str:
        # A text is; in an expression it would have another collation than its column.
        return "1 = 1" if field.orders == "char" else super().is_exact(value, field)

    def limited(self, sql: str, skip: int) -> str:
        return f"{sql} {self._limit(skip)}"

    def estimate(self, session: Any, schema: str, name: str) -> int | None:
        sql = (
            "select cast(table_rows as char) from information_schema.tables"
            " where table_schema = ? and table_name = ?"
        )
        found = session.rows(Query(sql, (schema, name)))
        return int(found[0][0]) if found and found[0][0] else None

    def found(self, session: Any, settings: SqlSettings) -> Iterator[Found]:
        del settings
        columns: dict[tuple[str, str], list[FoundColumn]] = {}
        keys: dict[tuple[str, str], tuple[str, ...]] = {}
        for schema, table, name, type_, nullable, comment in session.rows(Query(_COLUMNS), 6):
            column = FoundColumn(name, type_, nullable == "YES", comment)
            columns.setdefault((schema, table), []).append(column)
        for schema, table, name in session.rows(Query(_KEYS), 3):
            keys[schema, table] = (*keys.get((schema, table), ()), name)
        for schema, table, kind, comment in session.rows(Query(_TABLES), 4):
            at, is_view = (schema, table), kind == "VIEW"
            told = "" if is_view else comment  # which is "VIEW"
            yield Found(*at, is_view, told, keys.get(at, ()), tuple(columns.get(at, ())))


_OURS = "table_schema not in ('mysql', 'sys', 'information_schema', 'performance_schema')"
_TABLES = f"""
select table_schema, table_name, table_type, table_comment from information_schema.tables
where {_OURS} and table_type in ('BASE TABLE', 'VIEW') order by 1, 2"""
_COLUMNS = f"""
select table_schema, table_name, column_name, column_type, is_nullable, column_comment
from information_schema.columns where {_OURS} order by 1, 2, ordinal_position"""
_KEYS = f"""
select table_schema, table_name, column_name from information_schema.key_column_usage
where {_OURS} and constraint_name = 'PRIMARY' order by 1, 2, ordinal_position"""
