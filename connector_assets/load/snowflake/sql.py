"""Snowflake's names and types, and how values get from DuckDB's types into them.

A name that is a plain word is written in capitals, as Snowflake reads one without quotes: so
`select createdAt from shop.orders` finds CREATEDAT. All others stand as they are, and need quotes.
"""

from __future__ import annotations

import hashlib
import re

from connector_assets.load.duckdb.sql import comparable, literal, quoted
from connector_assets.load.table import Table

STATE_SCHEMA = "_CONNECTOR_ASSETS"
_LONGEST_NAME = 255
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_WHOLE, _LONG = "NUMBER(19,0)", "NUMBER(38,0)"
_TYPES = {
    "BOOLEAN": "BOOLEAN",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), _WHOLE),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), _WHOLE),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT"), _LONG),
    "FLOAT": "FLOAT",
    "DOUBLE": "FLOAT",
    "JSON": "VARIANT",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_TZ",
    "BLOB": "BINARY",
}
# What a type found in Snowflake is to DuckDB, which holds values to it exactly.
_BACK = {
    "BOOLEAN": "BOOLEAN",
    "FLOAT": "DOUBLE",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_TZ": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_LTZ": "TIMESTAMP WITH TIME ZONE",
    "BINARY": "BLOB",
    **dict.fromkeys(("VARIANT", "OBJECT", "ARRAY"), "JSON"),
}
# Where nobody chose a length or a precision: a new account's largest, and an older one's.
_FULL = {
    "VARCHAR(16777216)",
    "VARCHAR(134217728)",
    "BINARY(8388608)",
    "BINARY(67108864)",
    "TIME(9)",
    *(f"TIMESTAMP_{kind}(9)" for kind in ("NTZ", "LTZ", "TZ")),
}
_TIME_TEXT = {
    "DATE": "%Y-%m-%d",
    "TIMESTAMP WITH TIME ZONE": "%Y-%m-%dT%H:%M:%S.%f+00:00",
    "TIMESTAMP_NS": "%Y-%m-%d %H:%M:%S.%n",
}


def sf_name(name: str) -> str:
    """A name as Snowflake keeps it: at most 255 characters.

    >>> sf_name("createdAt"), sf_name("a b"), len(sf_name("é" * 300))
    ('CREATEDAT', 'a b', 255)
    """
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: _LONGEST_NAME - 9]}_{digest}"
    return name.upper() if _PLAIN.fullmatch(name) else name


def sf_quoted(name: str) -> str:
    return quoted(sf_name(name))


def sf_table(table: Table, suffix: str = "") -> str:
    return f"{sf_quoted(table.schema)}.{sf_quoted(table.name + suffix)}"


def shown(name: str) -> str:
    """A name that Snowflake has, as people write it."""
    return name.lower() if name == name.upper() and _PLAIN.fullmatch(name) else name


def sf_type(type_: str) -> str:
    """Snowflake's type for one of DuckDB's; VARIANT for what is nested.

    >>> sf_type("DECIMAL(10,2)"), sf_type("VARCHAR[]"), sf_type("UUID")
    ('NUMBER(10,2)', 'VARIANT', 'VARCHAR')
    """
    if found := re.fullmatch(r"DECIMAL(\(.*\))", type_):
        return f"NUMBER{found[1]}"
    if type_.startswith(("STRUCT(", "MAP(", "UNION(")) or type_.endswith("]"):
        return "VARIANT"
    if type_.startswith("TIMESTAMP") and type_ != "TIMESTAMP WITH TIME ZONE":
        return "TIMESTAMP_NTZ"
    return _TYPES.get(type_, "VARCHAR")


def described(type_: str) -> str:
    """A type as DESCRIBE spells it, without a length or a precision that nobody chose.

    >>> described("VARCHAR(16777216)"), described("VARCHAR(10)")
    ('VARCHAR', 'VARCHAR(10)')
    """
    return type_.partition("(")[0] if type_ in _FULL else type_


def duckdb_type(type_: str) -> str | None:
    """DuckDB's type to which values of a type that somebody chose are held; None: there is none.

    >>> duckdb_type("NUMBER(10,2)"), duckdb_type("TIMESTAMP_NTZ(3)"), duckdb_type("GEOGRAPHY")
    ('DECIMAL(10,2)', 'TIMESTAMP_MS', None)
    """
    if found := re.fullmatch(r"NUMBER\((\d+),(\d+)\)", type_):
        return f"DECIMAL({found[1]},{found[2]})"
    if found := re.fullmatch(r"TIMESTAMP_NTZ\((\d)\)", type_):
        digits = int(found[1])
        return "TIMESTAMP_S" if digits < 3 else "TIMESTAMP_MS" if digits < 6 else "TIMESTAMP"  # noqa: PLR2004 # of a second
    if type_.startswith(("VARCHAR", "CHAR", "TEXT", "STRING")):
        return "VARCHAR"
    return _BACK.get(type_.partition("(")[0])


def exported(  # noqa: PLR0911 # a kind of type each
    name: str, type_: str, *, is_key: bool = False
) -> str:
    """DuckDB SQL of a column's values in the file that Snowflake copies from.

    Times, decimals, bytes and JSON are texts there: what Snowflake makes of Parquet's own depends
    on settings, and on how large a number is.
    """
    column = quoted(name)
    if is_key and type_ == "JSON":
        return f"CAST({comparable(column, type_)} AS VARCHAR)"
    if type_ in {"BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR"}:
        return column
    if type_ in {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"}:
        return f"CAST({column} AS BIGINT)"
    if type_ == "FLOAT":
        # The double that its digits say, as it is read back from elsewhere.
        return f"CAST(CAST({column} AS VARCHAR) AS DOUBLE)"
    if type_ == "BLOB":
        return f"hex({column})"
    if type_ in _TIME_TEXT:
        return f"strftime({column}, {literal(_TIME_TEXT[type_])})"
    if sf_type(type_) == "VARIANT" and type_ != "JSON":
        return f"CAST(to_json({column}) AS VARCHAR)"
    return f"CAST({column} AS VARCHAR)"


def imported(field: str, type_: str) -> str:
    """Snowflake's SQL of a file's field as a type of Snowflake's."""
    base = type_.partition("(")[0]
    if base in {"BOOLEAN", "FLOAT"}:
        return f"$1:{field}::{type_}"
    if base == "BINARY":
        return f"to_binary($1:{field}::VARCHAR, 'HEX')"
    if base == "VARIANT":
        return f"parse_json($1:{field}::VARCHAR)"
    if base in {"OBJECT", "ARRAY"}:
        return f"to_{base.lower()}(parse_json($1:{field}::VARCHAR))"
    return f"$1:{field}::VARCHAR" + (f"::{type_}" if base != "VARCHAR" else "")


def key_text(column: str, type_: str) -> str:
    """SQL that is equal for equal values of a key, and for no others."""
    return f"to_json({column})" if type_ == "VARIANT" else column


def same(new: str, old: str, type_: str) -> str:
    """SQL of whether two values of a key, which has no NULL, are one: 1 is not '1' in a VARIANT."""
    return f"{key_text(new, type_)} = {key_text(old, type_)}"


def differ(new: str, old: str, type_: str) -> str:
    """SQL of whether two values are not the same; NULL is like NULL."""
    if type_.partition("(")[0] in {"VARIANT", "OBJECT", "ARRAY"}:
        return f"to_json({new}) is distinct from to_json({old})"
    return f"{new} is distinct from {old}"
