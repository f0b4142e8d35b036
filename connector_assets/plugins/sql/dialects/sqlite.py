"""SQLite: a value has a type of its own, and a column only says which it would like.

The driver takes the types of columns from the first rows, so the first row is one that we make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.faults import DatabaseError
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Field, Found, FoundColumn, Query, SourceColumn

_VIEW = "temp.connector_assets_source"
_KINDS: Mapping[str, tuple[pa.DataType, str]] = {
    "integer": (pa.int64(), "0"),
    "real": (pa.float64(), "0.0"),
    "text": (pa.string(), "''"),
    "blob": (pa.binary(), "x''"),
}
_EXACT = 2**53
_MISMATCH = re.compile(r"Type mismatch in column (\d+): expected (\w+) but got (\S+)")


class Sqlite(Dialect):
    """SQLite: one reader, whose transaction sees the file as it was when that began."""

    snapshot = "own"
    text_type = "text"
    quote = "`"  # what stands in double quotes and is no column would be a text
    sorts = False  # our own first row would go elsewhere

    def columns(self, session: Any, source: str) -> list[SourceColumn]:
        """The columns with the types that were declared; an expression has none."""
        session.execute(f"create view {_VIEW} as select * from {source}")
        try:
            told = (
                "select name, type, cast(\"notnull\" as text) from pragma_table_info('{}', 'temp')"
            )
            rows = session.rows(Query(told.format(_VIEW.partition(".")[2])), 3)
            columns = [
                SourceColumn(name, type_.lower(), nullable=n == "0") for name, type_, n in rows
            ]
            # A view says blob of what has no declared type.
            unsaid = ("", "blob")
            return [self._seen(session, one) if one.type in unsaid else one for one in columns]
        finally:
            session.execute(f"drop view {_VIEW}")

    def _seen(self, session: Any, column: SourceColumn) -> SourceColumn:
        """A column of no declared type, by the values it has."""
        name = self.quoted(column.name)
        seen = f"select distinct typeof({name}) from {_VIEW} where {name} is not null limit 5"
        kinds = {one for (one,) in session.rows(Query(seen))}
        if kinds == {"integer", "real"}:
            return replace(column, type="numeric")
        return replace(column, type=kinds.pop() if len(kinds) == 1 else "text")

    def field(self, session: Any, column: SourceColumn) -> Field:
        del session
        name, expression, kind = column.name, self.quoted(column.name), _kind(column.type)
        if kind == "boolean":
            guard = f"{expression} is null or {expression} in (0, 1)"
            return Field(name, expression, pa.bool_(), "integer", guard, "holds no boolean")
        if kind == "numeric":
            guard = f"typeof({expression}) <> 'integer' or abs({expression}) <= {_EXACT}"
            told = "holds a whole number that no double has; give it the type bigint or text"
            return Field(name, expression, pa.float64(), "real", guard, told)
        orders = kind if kind != "blob" else ""
        return Field(name, expression, _KINDS[kind][0], kind, *_guard(expression, kind), orders)

    def value(self, mark: str, field: Field) -> str:
        return f"cast({mark} as {field.orders})"

    def as_text(self, expression: str) -> str:
        # A cast would leave out the last digits of a real.
        real = f"printf('%!.17g', {expression})"
        return (
            f"case typeof({expression}) when 'real' then {real} else cast({expression} as text) end"
        )

    def lines(self, select: str, fields: Sequence[Field]) -> str:
        samples = [_KINDS.get(one.wire, _KINDS["text"])[1] for one in fields]
        guards = ["1" for one in fields if one.guard]
        return f"select {', '.join([*samples, *guards])} union all {select}"

    def after(self, rows: pa.Table, *, is_first: bool = False) -> pa.Table:
        return rows.slice(1) if is_first else rows

    def explained(self, error: DatabaseError, fields: Sequence[Field]) -> DatabaseError:
        found = _MISMATCH.search(error.text)
        if found is None or int(found[1]) >= len(fields):
            return error
        name, expected, got = fields[int(found[1])].name, found[2].lower(), found[3].lower()
        fix = "give it the type text in columns"
        return DatabaseError(f'column "{name}" holds {got} beside {expected}; {fix}', error.state)

    def found(self, session: Any, settings: SqlSettings) -> Iterator[Found]:
        del settings
        for name, kind in session.rows(Query(_TABLES), 2):
            try:
                rows = session.rows(Query(_COLUMNS, (name,)), 4)
            except DatabaseError:  # a view of what is not there any more: `check` and a read say so
                rows = []
            keys = sorted((int(pk), column) for column, _, _, pk in rows if pk != "0")
            columns = tuple(FoundColumn(column, type_, n == "0") for column, type_, n, _ in rows)
            yield Found("", name, kind == "view", "", tuple(one for _, one in keys), columns)


_TABLES = """
select name, type from sqlite_master
where type in ('table', 'view') and name not like 'sqlite~_%' escape '~' order by 1"""
_COLUMNS = """
select name, type, cast("notnull" as text), cast(pk as text) from pragma_table_info(?)"""


def _guard(expression: str, kind: str) -> tuple[str, str]:
    """SQL that is false for bytes among texts and the reverse: the driver tells them not apart."""
    if kind not in ("text", "blob"):
        return "", ""
    other, told = ("blob", "bytes") if kind == "text" else ("text", "a text")
    fix = "read it by a query that casts it"
    return f"typeof({expression}) <> '{other}'", f"holds {told} beside {kind}; {fix}"


def _kind(declared: str) -> str:
    """How values of a declared type are read, by SQLite's own rules and the names people use.

    >>> _kind("varchar(20)"), _kind("datetime"), _kind("decimal(10,2)"), _kind("")
    ('text', 'text', 'numeric', '')
    """
    for kind, names in (
        ("integer", ("int",)),
        ("text", ("char", "clob", "text")),
        ("blob", ("blob",)),
        ("real", ("real", "floa", "doub")),
        ("boolean", ("bool",)),
        ("text", ("date", "time", "json", "uuid")),
    ):
        if any(name in declared for name in names):
            return kind
    return "numeric" if declared else ""
