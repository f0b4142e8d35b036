"""Exact casts in PostgreSQL, for columns whose type somebody else chose.

A value comes as JSON, with the digits it was served with. The database casts it, and says whether
the result is still that value: PostgreSQL's own casts round, cut and drop an offset in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import Connection

from connector_assets.load.duckdb.sql import literal
from connector_assets.load.postgres.sql import pg_quoted

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_DAY = r"^\s*0{0,3}[1-9]\d{0,5}[-/ ]\d{1,2}[-/ ]\d{1,2}"
_DATE = _DAY + r"([T ]0?0:00(:00(\.0*)?)?\s*(Z|[+-]00(:?00)?)?)?\s*$"
_MOMENT = _DAY + r"([T ]\s*\d[^(]*)?Z?\s*$"
_TIME = r"^\s*\d{1,2}:\d{2}"
_FINER = r"\.\d{6}\d*[1-9]"
_BOOLEAN = r"^\s*([tT]rue|TRUE|[fF]alse|FALSE|1|0)\s*$"
# What PostgreSQL reads of these says all that was written, however it is spelled.
_LOSSLESS = {"uuid", "inet", "cidr", "macaddr", "macaddr8", "xml", "hstore", "ltree", "pg_lsn"} | {
    f"{kind}{suffix}" for kind in ("int4", "int8", "num") for suffix in ("range", "multirange")
}
_SPELLED = _LOSSLESS | {"timestamptz", "time", "timetz", "interval", "date"}
"""Types whose values may be written in several ways, and say the same; not timestamp, as a list
of which PostgreSQL drops offsets."""
_NUMBERS = {"int2", "int4", "int8", "numeric", "money"}
_MOMENTS = {"timestamp", "timestamptz"}
_SPANS = {"time", "timetz", "interval"}
_TEXTS = {"text", "varchar", "bpchar", "name", "citext", "bytea", "bit", "varbit"}
_COMPARED = {"bool", "float4", "float8", "date", "uuid", "inet", "cidr", "macaddr", "jsonb"} | (
    _NUMBERS | _MOMENTS | _SPANS | _TEXTS
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A column's type in full, as `t.price` of numeric(10,2); and what it is made of.

    `base` is the type's own name, of a domain that of the type below it; `category` and `kind`
    are PostgreSQL's `typcategory` and `typtype` of it. `element` is the type of a list's items.
    """

    type: str
    base: str
    category: str
    kind: str
    element: Chosen | None = None

    @property
    def is_structured(self) -> bool:
        """Whether its values are lists or records."""
        return self.category == "A" or self.kind == "c"

    @property
    def has_equality(self) -> bool:
        """Whether two values can be compared by `=`, and as values rather than as texts."""
        return self.kind in {"e", "r", "m"} or self.base in _COMPARED

    def value(self, column: str) -> str:
        """SQL of a JSON column's value under this type; it may raise, and it may not be exact."""
        text = f"({column} #>> '{{}}')"
        if self.base in {"json", "jsonb"}:
            return f"{column}::{self.type}"
        if self.is_structured:
            record = f"json_to_record(json_build_object('x', {column})) as r(x {self.type})"
            return f"(select x from {record})"
        if self.base in {"int2", "int4", "int8"}:
            return f"{text}::numeric::{self.type}"
        if self.base == "timestamp":
            return f"({text}::timestamptz at time zone 'UTC')::{self.type}"
        return f"{text}::{self.type}"

    def exact(self, column: str) -> str:
        """SQL of whether `value` is what came."""
        text, value = f"({column} #>> '{{}}')", self.value(column)
        if self.base in {"json", "jsonb"}:
            return "true"
        if self.is_structured:
            return f"(to_jsonb({value}) = {column}::jsonb{self._or_each(column)})"
        return self._same(text, value)

    def _or_each(self, column: str) -> str:
        """SQL that follows: or each item is what came, only written in another way."""
        if self.element is None or self.element.base not in _SPELLED:
            return ""
        return (
            f" or case when json_typeof({column}) = 'array' then not exists (select from "
            f"json_array_elements({column}) items(item) where json_typeof(item) <> 'null' "
            f"and ({self.element.exact('item')}) is not true) else false end"
        )

    def _same(self, text: str, value: str) -> str:
        number = f"{_is(text, _NUMBER)} and "
        if self.base in _MOMENTS | _SPANS:
            return self._same_time(text, value)
        if self.base in _NUMBERS:
            return f"{number}{value}::numeric = {text}::numeric"
        ways = {
            "float4": f"{number}{value}::text::float8 = {text}::float8",
            "float8": f"{number}{value}::text::numeric = {text}::numeric",
            "bool": _is(text, _BOOLEAN),
            "date": _is(text, _DATE),
            "bytea": f"({value}::text = lower({text}) or encode({value}, 'escape') = {text})",
            **dict.fromkeys(_LOSSLESS, "true"),
        }
        return ways.get(self.base, f"{value}::text = {text}")

    def _same_time(self, text: str, value: str) -> str:
        whole = f"not {_is(text, _FINER)} and {value} = "
        if self.base in _MOMENTS:
            moment = f"{text}::timestamptz"
            moment += " at time zone 'UTC'" if self.base == "timestamp" else ""
            return f"{_is(text, _MOMENT)} and {whole}({moment})"
        whole += f"{text}::{self.base}"
        if self.base == "interval":
            return whole
        offset = f" and not {_is(text, '[+Zz-]')}" if self.base == "time" else ""
        return f"{_is(text, _TIME)} and {whole}{offset}"


def chosen_types(
    connection: Connection[Any], table: str, names: Sequence[str]
) -> dict[str, Chosen]:
    """The types in full of some columns of a table, given by its name in SQL."""
    found = connection.execute(
        "with recursive below as ("
        " select a.attname as name, a.atttypid as type, a.atttypid as below, 0 as depth"
        " from pg_attribute a where a.attrelid = %s::regclass and a.attname = any(%s)"
        " union all select b.name, b.type, t.typbasetype, b.depth + 1"
        " from below b join pg_type t on t.oid = b.below where t.typtype = 'd')"
        "select distinct on (b.name) b.name, format_type(a.atttypid, a.atttypmod), t.typname,"
        " t.typcategory::text, t.typtype::text "
        "from below b join pg_type t on t.oid = b.below "
        "join pg_attribute a on a.attrelid = %s::regclass and a.attname = b.name "
        "order by b.name, b.depth desc",
        [table, list(names), table],
    )
    return {name: _with_element(connection, Chosen(*rest)) for name, *rest in found}


def _with_element(connection: Connection[Any], chosen: Chosen) -> Chosen:
    """The type of a list with that of its items, as `timestamp(2) without time zone`."""
    if chosen.category != "A" or not chosen.type.endswith("[]"):
        return chosen
    element = chosen.type.removesuffix("[]")
    found = connection.execute(
        "with recursive below as (select %s::regtype::oid as type union all "
        "select t.typbasetype from below b join pg_type t on t.oid = b.type where t.typtype = 'd')"
        "select t.typname, t.typcategory::text, t.typtype::text from below b "
        "join pg_type t on t.oid = b.type where t.typtype <> 'd'",
        [element],
    ).fetchall()
    return replace(chosen, element=Chosen(element, *found[0]))


def unfit_rows(
    connection: Connection[Any], rows: str, number: str, types: Mapping[str, Chosen]
) -> dict[str, list[int]]:
    """The numbers of rows whose value a column's type cannot hold exactly, by column.

    Most often there are none, which one statement tells. Where a cast raises, each value is
    looked at by itself, in a function that is this session's.
    """
    checks = {name: _fits(pg_quoted(name), chosen) for name, chosen in types.items()}
    if _all_fit(connection, rows, list(checks.values())):
        return {}
    found = {}
    for name, chosen in types.items():
        _make_function(connection, chosen)
        unfit = connection.execute(
            f"select {number} from {rows} where not pg_temp.connector_assets_fits("
            f"{pg_quoted(name)}) order by 1".encode()
        ).fetchall()
        if unfit:
            found[name] = [row for (row,) in unfit]
    return found


def _all_fit(connection: Connection[Any], rows: str, checks: Sequence[str]) -> bool:
    try:
        with connection.transaction():
            sql = f"select 1 from {rows} where not ({' and '.join(checks)}) limit 1"
            return connection.execute(sql.encode()).fetchone() is None
    except psycopg.OperationalError:  # a server that ends, not a value that does not fit
        raise
    except psycopg.DatabaseError:
        return False


def _make_function(connection: Connection[Any], chosen: Chosen) -> None:
    body = f"begin return {_fits('v', chosen)}; exception when others then return false; end"
    connection.execute(
        "create or replace function pg_temp.connector_assets_fits(v json) returns boolean "
        f"language plpgsql as {literal(body)}".encode()
    )


def _fits(column: str, chosen: Chosen) -> str:
    """SQL of whether a value is null or exact; the cast must be made, too: a domain may refuse."""
    return (
        f"({column} is null or coalesce(({chosen.exact(column)}) "
        f"and ({chosen.value(column)}) is not null, false))"
    )


def _is(text: str, pattern: str) -> str:
    return f"{text} ~ {literal(pattern)}"
