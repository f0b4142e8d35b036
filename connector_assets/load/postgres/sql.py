"""PostgreSQL's names and types, and how values get from DuckDB's types into them."""

from __future__ import annotations

import hashlib
import re

from connector_assets.errors import LoadError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.casts import without_nanoseconds
from connector_assets.load.duckdb.errors import ELSEWHERE
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.tables import OWN_COLUMNS
from connector_assets.load.table import Table

NUL = "a NUL character (U+0000), which PostgreSQL cannot hold"
MOST_COLUMNS = 1600 - len(OWN_COLUMNS)
"""A table of PostgreSQL has 1,600, of which some may be our own."""
_LONGEST_NAME = 63
_SYSTEM = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "UTINYINT": "smallint",
    "INTEGER": "integer",
    "USMALLINT": "integer",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
    "HUGEINT": "numeric",
    "UBIGINT": "numeric",
    "UHUGEINT": "numeric",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "JSON": "jsonb",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "UUID": "uuid",
    "BLOB": "bytea",
    "INTERVAL": "interval",
}
# A text may be 1e+15, which is no integer to PostgreSQL; or have an offset, which it would drop.
_STEPS = {
    **dict.fromkeys(["smallint", "integer", "bigint", "numeric"], "::numeric"),
    "timestamp without time zone": "::timestamptz",
}
# What a type found in the database is to DuckDB, where someone else chose it.
_BACK = {
    theirs: ours
    for ours, theirs in reversed(_TYPES.items())
    # A numeric without limits, and what the two spell or round otherwise.
    if theirs not in {"numeric", "real", "interval"}
}
_MOST_DIGITS = 38  # of DuckDB's decimals


def pg_name(name: str) -> str:
    """A name as PostgreSQL takes it: at most 63 bytes, and none of its system columns.

    >>> pg_name("xmin"), len(pg_name("k" * 100))
    ('xmin_eafb2f50', 63)
    """
    raw = name.encode()
    if len(raw) <= _LONGEST_NAME and name not in _SYSTEM:
        return name
    # PostgreSQL would cut it in silence, and two long names could become one.
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return f"{raw[: _LONGEST_NAME - 9].decode(errors='ignore')}_{digest}"


def pg_quoted(name: str) -> str:
    if "\0" in name:  # libpq would end the statement there
        raise LoadError(f"a name has {NUL}", fix=ELSEWHERE)
    return quoted(pg_name(name))


def pg_table(table: Table) -> str:
    return f"{pg_quoted(table.schema)}.{pg_quoted(table.name)}"


def pg_type(type_: str) -> str:
    """PostgreSQL's type for one of DuckDB's; jsonb for what is nested.

    >>> pg_type("DECIMAL(10,2)"), pg_type("VARCHAR[]")
    ('numeric(10,2)', 'jsonb')
    """
    if found := re.fullmatch(r"DECIMAL(\(.*\))", type_):
        return f"numeric{found[1]}"
    if type_.startswith("ENUM("):
        return "text"
    if type_.startswith("TIMESTAMP_"):
        return _TYPES["TIMESTAMP"]
    return _TYPES.get(type_, "jsonb")


def duckdb_type(type_: str) -> str | None:
    """DuckDB's type that holds just what one found in PostgreSQL does, None where it has none.

    >>> duckdb_type("numeric(10,2)"), duckdb_type("numeric")
    ('DECIMAL(10,2)', None)
    """
    if found := re.fullmatch(r"numeric\((\d+),(\d+)\)", type_):
        fits = int(found[1]) <= _MOST_DIGITS and int(found[2]) <= int(found[1])
        return f"DECIMAL({found[1]},{found[2]})" if fits else None
    return _BACK.get(type_)


def exported(name: str, type_: str) -> str:
    """DuckDB SQL for a column's values in the CSV that PostgreSQL copies in."""
    column = quoted(name)
    if type_ == "BLOB":
        return f"'\\x' || hex({column})"
    if type_ == "TIMESTAMP_NS":
        return f"CAST({without_nanoseconds(name)} AS VARCHAR)"
    if type_ == "VARCHAR":
        message = literal(f'column "{name[:60]}" has a text with {NUL}')
        return f"CASE WHEN contains({column}, chr(0)) THEN error({message}) ELSE {column} END"
    if type_ == "JSON":
        return f"CAST({column} AS VARCHAR)"
    if pg_type(type_) == "jsonb":
        return f"CAST(to_json({column}) AS VARCHAR)"
    return f"CAST({column} AS VARCHAR)"


def pg_text(column: KeyColumn) -> str:
    """A column as it is, but times as the texts they came as."""
    if not column.shape:
        return pg_quoted(column.name)
    return f"to_char({pg_quoted(column.name)}, '{_to_char(column.shape)}')"


def pg_widened(before: KeyColumn, after: str) -> str:
    """An expression for a column's old values, which fit, under another type."""
    value, target = pg_text(before), pg_type(after)
    if target == "jsonb":
        return f"to_jsonb({value})"
    # As text, or a double would keep 15 digits of its 17 in a numeric.
    text = f"({value} #>> '{{}}')" if pg_type(before.type) == "jsonb" else f"{value}::text"
    return f"{text}{_STEPS.get(target.partition('(')[0], '')}::{target}"


def _to_char(shape: str) -> str:
    """The shape as PostgreSQL's `to_char` has it; the session's time zone is UTC."""
    text = shape.replace("0000-00-00", "YYYY-MM-DD").replace("00:00:00", "HH24:MI:SS", 1)
    text = text.replace(".000000", ".US").replace(".000", ".MS")
    return text.replace("T", '"T"', 1).replace("Z", '"Z"').replace("+00:00", '"+00:00"')
