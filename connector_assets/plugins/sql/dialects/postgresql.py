"""PostgreSQL, by its ADBC driver and by its JDBC driver."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connector_assets.plugins.sql.adbc import AdbcSession
from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.faults import DatabaseError
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Field, Found, FoundColumn, Query, SourceColumn

_TOKEN = re.compile(r"[0-9A-Fa-f-]{1,60}")
_SETTINGS = (
    "set timezone to 'UTC'",
    "set datestyle to 'ISO'",
    "set intervalstyle to 'postgres'",
    # A server that has it looks every two seconds whether we are still there.
    "select set_config(name, '2000', false) from pg_settings where name = 'client_connection_check_interval'",  # noqa: E501 - one statement
)
_INTEGERS: Mapping[str, pa.DataType] = {
    **dict.fromkeys(("int2", "smallserial"), pa.int16()),
    **dict.fromkeys(("int4", "serial"), pa.int32()),
    **dict.fromkeys(("int8", "bigserial"), pa.int64()),
}
_PLAIN: Mapping[str, tuple[str, pa.DataType]] = {
    "bool": ("bool", pa.bool_()),
    **{name: ("int64", type_) for name, type_ in _INTEGERS.items()},
    "float4": ("float", pa.float32()),
    "float8": ("double", pa.float64()),
    **dict.fromkeys(("text", "varchar", "bpchar"), ("text", pa.string())),
    "bytea": ("binary", pa.binary()),
    "date": ("date", pa.date32()),
    "time": ("time", pa.time64("us")),
    "timestamp": ("timestamp", pa.timestamp("us")),
    "timestamptz": ("timestamptz", pa.timestamp("us", "UTC")),
}
_OTHERS: Mapping[str, tuple[str, str, pa.DataType]] = {
    "uuid": ("uuid_send({})", "binary", pa.uuid()),
    **dict.fromkeys(("json", "jsonb"), ("{}::text", "text", pa.json_())),
    **dict.fromkeys(("oid", "xid"), ("{}::text::int8", "int64", pa.int64())),
    "money": ("{}::numeric::text", "text", pa.string()),
}
_ORDERED = (*_PLAIN, "numeric", "uuid")
"""Types whose values, written as texts, are the same values again."""
_STRUCT = 2002
_ELEMENTS = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar")


class PostgreSql(Dialect):
    """PostgreSQL: chunks are read by several connections, of one moment that the first exports."""

    snapshot = "shared"
    text_type = "text"

    def default_schema(self, settings: SqlSettings) -> str:
        del settings
        return "public"

    def begin(self, session: Any, *, holds: bool, token: str | None = None) -> None:
        if holds:
            session.execute("set transaction isolation level repeatable read read only")
        if token is not None:
            if not _TOKEN.fullmatch(token):
                raise DatabaseError("the server gave a snapshot with an odd name")
            session.execute(f"set transaction snapshot '{token}'")
        for statement in _SETTINGS:
            session.execute(statement)
        if not holds:
            self.let_go(session)

    def export(self, session: Any) -> str | None:
        return str(session.rows(Query("select pg_export_snapshot()"))[0][0])

    def field(self, session: Any, column: SourceColumn) -> Field:
        found = self._field(session, column)
        return replace(found, orders=column.type if column.type in _ORDERED else "")

    def _field(self, session: Any, column: SourceColumn) -> Field:
        name, expression, type_ = column.name, self.quoted(column.name), column.type
        if type_ in _PLAIN:
            wire, arrow = _PLAIN[type_]
            return Field(name, expression, arrow, wire)
        if type_ == "numeric":
            return self.number(column)
        if type_.startswith("_"):
            return self._array(session, column)
        if column.code == _STRUCT or pa.types.is_struct(column.arrow or pa.null()):
            return Field(name, f"to_jsonb({expression})::text", pa.json_())
        pattern, wire, arrow = _OTHERS.get(type_, ("{}::text", "text", pa.string()))
        return Field(name, pattern.format(expression), arrow, wire)

    def _array(self, session: Any, column: SourceColumn) -> Field:
        """A list; by JDBC, which has no lists, JSON."""
        name, expression, element = column.name, self.quoted(column.name), column.type[1:]
        if not isinstance(session, AdbcSession):
            return Field(name, f"to_jsonb({expression})::text", pa.json_())
        # The driver makes one long list of an array of several dimensions.
        guard = f"coalesce(array_ndims({expression}), 1) = 1"
        otherwise = "holds an array of several dimensions; give it the type json"
        if element not in _ELEMENTS:
            type_ = pa.list_(pa.string())
            return Field(name, f"{expression}::text[]", type_, "", guard, otherwise)
        return Field(name, expression, pa.list_(_PLAIN[element][1]), "", guard, otherwise)

    def chosen(self, session: Any, column: SourceColumn, type_: str) -> Field:
        if type_ == "json":
            expression = f"to_jsonb({self.quoted(column.name)})::text"
            return Field(column.name, expression, pa.json_())
        return super().chosen(session, column, type_)

    def as_text(self, expression: str) -> str:
        return f"{expression}::text"

    def value(self, mark: str, field: Field) -> str:
        return f"{mark}::{_NAMES.get(field.orders, field.orders)}"

    def mark(self, session: Any, number: int) -> str:
        """A setting of the session: ADBC streams (by COPY) only what has no parameters."""
        del session
        return f"current_setting('connector_assets.value{number}')"

    def bound(self, session: Any, query: Query) -> Query:
        for number, value in enumerate(query.values, 1):
            name = f"connector_assets.value{number}"
            sql = f"select set_config('{name}', {session.placeholder(1)}, false)"
            session.rows(Query(sql, (value,)))
        return Query(query.sql)

    def after(self, rows: pa.Table, *, is_first: bool = False) -> pa.Table:
        del is_first
        for number, field in enumerate(rows.schema):
            if field.type in _ENDLESS:
                rows = rows.set_column(number, field, _endless(rows.column(number), field.name))
        return rows

    def estimate(self, session: Any, schema: str, name: str) -> int | None:
        mark = session.placeholder
        sql = (
            "select greatest(reltuples, 0)::bigint::text from pg_class c"
            " join pg_namespace n on n.oid = relnamespace"
            f" where nspname = {mark(1)} and relname = {mark(2)} and relkind in ('r', 'm')"
        )
        found = session.rows(Query(sql, (schema, name)))
        return int(found[0][0]) or None if found else None

    def found(self, session: Any, settings: SqlSettings) -> Iterator[Found]:
        del settings
        keys: dict[tuple[str, str], tuple[str, ...]] = {}
        columns: dict[tuple[str, str], list[FoundColumn]] = {}
        for schema, table, name, type_, nullable, comment in session.rows(Query(_COLUMNS), 6):
            column = FoundColumn(name, type_, nullable == "t", comment or "")
            columns.setdefault((schema, table), []).append(column)
        for schema, table, name in session.rows(Query(_KEYS), 3):
            keys[schema, table] = (*keys.get((schema, table), ()), name)
        for schema, table, kind, comment in session.rows(Query(_TABLES), 4):
            at = schema, table
            is_view = kind in ("v", "m")
            its_columns = tuple(columns.get(at, ()))
            yield Found(*at, is_view, comment or "", keys.get(at, ()), its_columns)


_NAMES = {"smallserial": "int2", "serial": "int4", "bigserial": "int8"}


@dataclass(frozen=True, slots=True)
class _Ends:
    """What the ADBC driver makes of infinity, and all else that is out of Arrow's range.

    PostgreSQL counts from the year 2000 and has numbers for infinity; the driver adds the years
    since 1970 to them, and they go round.
    """

    integer: pa.DataType
    infinity: int
    minus_infinity: int
    lowest: int
    largest: int


_TIME = _Ends(
    pa.int64(), -(2**63) + 946_684_799_999_999, -(2**63) + 946_684_800_000_000,
    -(10**18), 2**63 - 1,
)  # fmt: skip
_DAY = _Ends(pa.int32(), -(2**31) + 10_956, -(2**31) + 10_957, -(10**8), 2**31 - 1)
_ENDLESS: Mapping[pa.DataType, _Ends] = {
    pa.timestamp("us"): _TIME,
    pa.timestamp("us", "UTC"): _TIME,
    pa.date32(): _DAY,
}


def _endless(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Infinity as the stores write it in Arrow, by the largest number; DatabaseError beyond."""
    ends = _ENDLESS[column.type]
    numbers = column.cast(ends.integer)
    lowest = pc.min(numbers).as_py()
    if lowest is None or lowest > ends.lowest:
        return column
    is_later, is_earlier = (
        pc.equal(numbers, pa.scalar(value, ends.integer))
        for value in (ends.infinity, ends.minus_infinity)
    )
    for found, value in ((is_later, ends.largest), (is_earlier, -ends.largest)):
        numbers = pc.if_else(found, pa.scalar(value, ends.integer), numbers)
    # What is left below are years beyond 294246, but for our own minus infinity.
    odd = pc.and_(pc.less(numbers, ends.lowest), pc.not_equal(numbers, -ends.largest))
    if pc.any(odd).as_py():
        fix = "give it the type text in columns"
        raise DatabaseError(f'column "{name}" has a time beyond the year 294246; {fix}')
    return numbers.cast(column.type)


_OURS = "nspname !~ '^pg_' and nspname <> 'information_schema'"
_TABLES = f"""
select nspname::text, relname::text, relkind::text, obj_description(c.oid, 'pg_class')::text
from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind in ('r', 'p', 'v', 'm', 'f') and {_OURS} and not relispartition
order by 1, 2"""
_COLUMNS = f"""
select nspname::text, relname::text, attname::text, format_type(atttypid, atttypmod)::text,
  case when attnotnull then 'f' else 't' end, col_description(c.oid, attnum)::text
from pg_class c join pg_namespace n on n.oid = relnamespace join pg_attribute on attrelid = c.oid
where relkind in ('r', 'p', 'v', 'm', 'f') and {_OURS} and attnum > 0 and not attisdropped
order by 1, 2, attnum"""
_KEYS = f"""
select nspname::text, relname::text, attname::text
from pg_index join pg_class c on c.oid = indrelid join pg_namespace n on n.oid = relnamespace
join pg_attribute on attrelid = c.oid and attnum = any(indkey)
where indisprimary and {_OURS}
order by 1, 2, array_position(indkey::int2[], attnum)"""
