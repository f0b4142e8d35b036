"""What differs between databases: names, types, how a moment is held, what tables there are.

The class is plain SQL, for databases of which nothing more is known; others change what they have
otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import pyarrow as pa

from connector_assets.errors import ConfigError
from connector_assets.plugins.sql.adbc import AdbcSession
from connector_assets.plugins.sql.faults import DatabaseError
from connector_assets.plugins.sql.jdbc import JdbcSession
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import (
    Field,
    Found,
    FoundColumn,
    Query,
    SourceColumn,
    Stretch,
)

MOST_DIGITS = 38
"""Beyond these a number is a text: no store takes more."""
_NUMBERED = re.compile(r"column (\d+): (.{1,100})")
"""How `Bridge.java` says which column it is."""
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")
_CHOSEN: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "json": pa.json_(),
}
_CODES: Mapping[int, tuple[str, pa.DataType]] = {
    16: ("bool", pa.bool_()),
    -7: ("bool", pa.bool_()),
    **dict.fromkeys((-6, 5, 4, -5), ("int64", pa.int64())),
    7: ("float", pa.float32()),
    **dict.fromkeys((6, 8), ("double", pa.float64())),
    91: ("date", pa.date32()),
    92: ("time", pa.time64("us")),
    93: ("timestamp", pa.timestamp("us")),
    2014: ("timestamptz", pa.timestamp("us", "UTC")),
    **dict.fromkeys((-2, -3, -4, 2004), ("binary", pa.binary())),
}
_NUMBERS = (2, 3)


class Dialect:
    """Plain SQL, and what the driver itself knows of the database."""

    snapshot: Literal["shared", "own", "no"] = "no"
    """Whether rows of one moment can be read by several connections, by one, or not at all."""
    sorts = True
    """Whether rows can be asked for in order of a column."""
    quote = '"'
    text_type = "varchar"

    def __init__(self, session: Any = None) -> None:
        self._is_jdbc = isinstance(session, JdbcSession)
        if isinstance(session, JdbcSession):
            self.quote = session.about.quote.strip() or self.quote

    def quoted(self, name: str) -> str:
        """A name as SQL has it, whatever is in it.

        >>> Dialect().quoted('a"b')
        '"a""b"'
        """
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def table(self, schema: str, name: str) -> str:
        """A table as SQL has it."""
        return f"{self.quoted(schema)}.{self.quoted(name)}" if schema else self.quoted(name)

    def default_schema(self, settings: SqlSettings) -> str:
        """The schema whose tables are called by their own names alone."""
        del settings
        return ""

    def begin(self, session: Any, *, holds: bool, token: str | None = None) -> None:
        """Make a new connection ready; where it `holds`, all it reads is of one moment.

        `token` is that of another connection, whose moment it takes.
        """

    def export(self, session: Any) -> str | None:
        """The token by which others take this connection's moment; None where they cannot."""
        del session
        return None

    def let_go(self, session: Any) -> None:
        """End the transaction, so that the server keeps no moment for us."""
        session.commit()

    def fields(
        self, session: Any, source: str, chosen: Mapping[str, str], where: str
    ) -> list[Field]:
        """The columns of `source` as they are read; `chosen` are types that settings give.

        Raises ConfigError for a chosen column that is not there.
        """
        columns = self.columns(session, source)
        unknown = sorted(chosen.keys() - {one.name for one in columns})
        if unknown:
            known = ", ".join(one.name for one in columns)
            what = f'it has no column "{unknown[0]}"'
            raise ConfigError(what, where=where, fix=f"use one of {known}")
        read = [one for one in columns if chosen.get(one.name) != "skip"]
        return [
            self.chosen(session, one, chosen[one.name])
            if one.name in chosen
            else self.field(session, one)
            for one in read
        ]

    def columns(self, session: Any, source: str) -> list[SourceColumn]:
        """The columns of `source`, as the database has them."""
        found: list[SourceColumn] = session.describe(f"select * from {source}")
        return found

    def field(self, session: Any, column: SourceColumn) -> Field:
        """One column, exact: what no type of Arrow holds is a text as the database writes it."""
        del session
        name, expression = column.name, self.quoted(column.name)
        if column.arrow is not None:
            found = self._of_arrow(name, expression, column.arrow)
        elif column.code in _NUMBERS:
            found = self.number(column)
        elif column.code in _CODES:
            wire, type_ = _CODES[column.code]
            found = Field(name, expression, type_, wire)
        else:
            found = Field(name, expression, pa.string())
        return replace(found, orders=self._type_name(found.type))

    def chosen(self, session: Any, column: SourceColumn, type_: str) -> Field:
        """One column in the type that settings give it, read as a text: refused if it is none."""
        plain = replace(self.field(session, column), wire="text", guard="")
        text = self.as_text(self.quoted(column.name))
        if digits := _DECIMAL.fullmatch(type_):
            arrow = pa.decimal128(int(digits[1]), int(digits[2]))
            return replace(plain, expression=text, type=arrow)
        if type_ not in _CHOSEN:
            known = ", ".join((*_CHOSEN, "decimal(18,4)", "skip"))
            where = f"columns.{column.name}"
            raise ConfigError(f'"{type_}" is not a type', where=where, fix=f"use one of {known}")
        return replace(plain, expression=text, type=_CHOSEN[type_])

    def as_text(self, expression: str) -> str:
        """SQL for a value as text, of which `value` makes the same value again."""
        return f"cast({expression} as {self.text_type})"

    def value(self, mark: str, field: Field) -> str:
        """SQL for a bound text, as a value that compares with the column."""
        return f"cast({mark} as {field.orders})"

    def is_exact(self, value: str, field: Field) -> str:
        """SQL that is true where the text of a value, bound again, is the same value."""
        return f"{value} = {self.value(self.as_text(value), field)}"

    def compared(self, field: Field) -> str:
        """SQL of a column that is compared with such values."""
        column = self.quoted(field.name)
        return f"replace({column}, 'T', ' ')" if field.is_time_in_text else column

    def mark(self, session: Any, number: int) -> str:
        """What stands in a condition for its value of this number, from 1."""
        return str(session.placeholder(number))

    def condition(
        self, session: Any, field: Field, stretch: Stretch, first: int = 1
    ) -> tuple[str, tuple[str, ...]]:
        """SQL for "in this stretch", and the texts to bind to it, numbered from `first`."""
        column, found = self.compared(field), []
        values: list[str] = []
        if stretch.nulls:
            return f"{column} is null", ()
        for bound, sign in (
            (stretch.low, ">=" if stretch.with_low else ">"),
            (stretch.high, "<=" if stretch.with_high else "<"),
        ):
            if bound is not None:
                mark = self.mark(session, first + len(values))
                found.append(f"{column} {sign} {self.value(mark, field)}")
                values.append(bound)
        return " and ".join(found) or f"{column} is not null", tuple(values)

    def bound(self, session: Any, query: Query) -> Query:
        """The query as the session takes it."""
        del session
        return query

    def lines(self, select: str, fields: Sequence[Field]) -> str:
        """The statement that reads rows, from one that gives `fields` and their guards."""
        del fields
        return select

    def after(self, rows: pa.Table, *, is_first: bool = False) -> pa.Table:
        """Rows of `lines` as they are meant; the first ones of a query may be another matter."""
        del is_first
        return rows

    def explained(self, error: DatabaseError, fields: Sequence[Field]) -> DatabaseError:
        """What a driver says of the rows, in words of their columns."""
        found = _NUMBERED.match(error.text)
        if found is None or not 0 < int(found[1]) <= len(fields):
            return error
        what = f'column "{fields[int(found[1]) - 1].name}" has a value that does not fit'
        return DatabaseError(f"{what} ({found[2]}); give it the type text in columns")

    def limited(self, sql: str, skip: int) -> str:
        """The query, for the one row after so many."""
        standard = f"offset {skip} rows fetch next 1 rows only"
        return f"{sql} {standard if self._is_jdbc else self._limit(skip)}"

    @staticmethod
    def _limit(skip: int) -> str:
        return f"limit 1 offset {skip}"

    def estimate(self, session: Any, schema: str, name: str) -> int | None:
        """About how many rows a table has, where the database knows without counting."""
        del session, schema, name
        return None

    def found(self, session: Any, settings: SqlSettings) -> Iterator[Found]:
        """The tables that there are."""
        if isinstance(session, AdbcSession):
            yield from _of_objects(session.objects())
        else:
            yield from _of_catalog(session, settings)

    def number(self, column: SourceColumn) -> Field:
        """A number with a point: exact as a decimal where its digits are known, else as a text."""
        name, expression = column.name, self.quoted(column.name)
        if 0 < column.precision <= MOST_DIGITS and 0 <= column.scale <= column.precision:
            wire = f"decimal:{column.precision}:{column.scale}"
            return Field(name, expression, pa.decimal128(column.precision, column.scale), wire)
        return Field(name, self.as_text(expression), pa.string())

    def _of_arrow(self, name: str, expression: str, type_: pa.DataType) -> Field:
        kinds = pa.types
        if (
            kinds.is_large_string(type_)
            or kinds.is_string_view(type_)
            or kinds.is_dictionary(type_)
        ):
            return Field(name, expression, pa.string())
        if kinds.is_large_binary(type_) or kinds.is_binary_view(type_):
            return Field(name, expression, pa.binary())
        odd = kinds.is_interval(type_) or kinds.is_duration(type_) or kinds.is_decimal256(type_)
        if odd or kinds.is_null(type_) or isinstance(type_, pa.OpaqueType):
            return Field(name, self.as_text(expression), pa.string())
        return Field(name, expression, type_)

    def _type_name(self, type_: pa.DataType) -> str:
        kinds = pa.types
        if kinds.is_integer(type_):
            return "decimal(20,0)" if type_ == pa.uint64() else "bigint"
        if kinds.is_decimal(type_):
            return f"decimal({type_.precision},{type_.scale})"
        if kinds.is_floating(type_):
            return "real" if type_ == pa.float32() else "double precision"
        if kinds.is_date(type_):
            return "date"
        if kinds.is_timestamp(type_):
            return "timestamp with time zone" if type_.tz else "timestamp"
        return self.text_type if kinds.is_string(type_) else ""


def _of_objects(catalogs: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    for catalog in catalogs:
        for schema in catalog["catalog_db_schemas"] or ():
            for table in schema["db_schema_tables"] or ():
                yield _of_object(schema["db_schema_name"] or "", table)


def _of_object(schema: str, table: Mapping[str, Any]) -> Found:
    keys = [
        one["constraint_column_names"] or ()
        for one in table["table_constraints"] or ()
        if one["constraint_type"] == "PRIMARY KEY"
    ]
    columns = tuple(
        FoundColumn(
            one["column_name"],
            one["xdbc_type_name"] or "",
            one["xdbc_is_nullable"] != "NO",
            one["remarks"] or "",
        )
        for one in table["table_columns"] or ()
    )
    is_view = "view" in (table["table_type"] or "").lower()
    return Found(schema, table["table_name"], is_view, "", tuple(keys[0]) if keys else (), columns)


def _of_catalog(session: JdbcSession, settings: SqlSettings) -> Iterator[Found]:
    for schema, name, kind, comment in session.catalog("tables"):
        if settings.schemas and schema not in settings.schemas:
            continue
        columns = tuple(
            FoundColumn(column, type_, nullable != "NO", remark or "")
            for column, type_, nullable, remark in session.catalog("columns", schema or "", name)
        )
        keys = sorted(session.catalog("keys", schema or "", name), key=lambda one: int(one[1]))
        key = tuple(column for column, _ in keys)
        yield Found(schema or "", name, kind == "VIEW", comment or "", key, columns)
