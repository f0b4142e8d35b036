"""Pieces of DuckDB SQL: names, types, and rows read from files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from connector_assets.errors import LoadError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.columns.times import strftime
from connector_assets.load.kinds import Kind
from connector_assets.load.table import Segment

_KINDS = {
    "BOOLEAN": Kind.BOOLEAN,
    "BIGINT": Kind.INTEGER_64,
    "HUGEINT": Kind.INTEGER_128,
    "DOUBLE": Kind.FLOAT,
    "VARCHAR": Kind.TEXT,
    "JSON": Kind.NESTED,
}
# DuckDB's own default; a line that is longer needs a larger buffer.
_OBJECT_BYTES = 16 << 20


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def kinds_of(type_: str) -> Kind | None:
    """The kinds a column of this type may hold; None for a type that inference never gives."""
    return _KINDS.get(type_)


def store_type(text: str) -> str:
    """DuckDB's own name of a type; LoadError for what is none.

    >>> store_type("text"), store_type("decimal(10, 2)")
    ('VARCHAR', 'DECIMAL(10,2)')
    """
    import duckdb

    # It comes from a spec. Text that DuckDB reads as a type and writes again can be nothing else.
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ,()\[\]\"]*", text):
        try:
            return str(duckdb.type(text))
        except duckdb.Error:
            pass
    raise LoadError(f"{text[:60]!r} is not a column type", fix="use one such as bigint")


def with_texts(type_: str, part: str) -> str:
    """A type that has texts for the types in it that match the pattern `part`.

    >>> with_texts('STRUCT("HUGEINT" BIGINT, b HUGEINT[])', "HUGEINT")
    'STRUCT("HUGEINT" BIGINT, b VARCHAR[])'
    """
    # What is quoted is a name, and a bare name has its type behind it.
    pattern = rf"""("(?:[^"]|"")*"|'(?:[^']|'')*')|\b(?:{part})(?=[,)\[]|$)"""
    return re.sub(pattern, lambda found: found[1] or "VARCHAR", type_)


# A partition's rows are staged in a folder `partition=KEY`, and may have a column of that name.
_NO_HIVE = "hive_partitioning = false"


def read_rows(segments: Sequence[Segment], columns: Mapping[str, str], *, longest: int) -> str:
    """Rows of NDJSON files as a table expression; each key is read as the type given, or fails."""
    files = ", ".join(literal(str(segment.path)) for segment in segments)
    named = ", ".join(f"{literal(key)}: {literal(type_)}" for key, type_ in columns.items())
    size = max(_OBJECT_BYTES, longest)
    return (
        f"read_json([{files}], format = 'newline_delimited', records = true, "
        f"columns = {{{named}}}, maximum_object_size = {size}, {_NO_HIVE})"
    )


def read_parquet(segments: Sequence[Segment]) -> str:
    """Rows of Parquet files as a table expression; a column that a file lacks is NULL there."""
    files = ", ".join(literal(str(segment.path)) for segment in segments)
    return f"read_parquet([{files}], union_by_name = true, {_NO_HIVE})"


def is_nested(type_: str) -> bool:
    return type_.startswith(("STRUCT(", "MAP(")) or type_.endswith("]")


def old_value(column: KeyColumn) -> str:
    """A column as it is, but times as the texts they came as."""
    if not column.shape:
        return quoted(column.name)
    return f"strftime({quoted(column.name)}, {literal(strftime(column.shape))})"


def comparable(value: str, type_: str) -> str:
    """A value such that equal ones are one: JSON is text to DuckDB, and 1, 1.0 and 1e0 are not.

    A number of up to 15 characters is the double it names, which no other such number has; a longer
    one only loses zeros behind its point, and is else compared as it is spelled.
    """
    if type_ != "JSON":
        return value
    text = rf"regexp_replace(CAST({value} AS VARCHAR), '^(-?\d+)\.0+$', '\1')"
    number = rf"regexp_replace(CAST(TRY_CAST({text} AS DOUBLE) + 0 AS VARCHAR), '\.0$', '')"
    is_short = rf"regexp_full_match({text}, '-?[\d.]{{1,15}}([eE][+-]?\d\d?)?')"
    return f"CASE WHEN {is_short} THEN {number} ELSE {text} END"


def widened(before: KeyColumn, after: str) -> str:
    """An expression for a column's old values under its wider type."""
    value = old_value(before)
    if before.type == "JSON" and after != "JSON":
        return f"CAST({value} ->> '$' AS {after})"
    if before.type == "DOUBLE" and after == "JSON":
        # What was 1 among whole numbers is 1 again.
        whole = r"'^(-?[1-9]\d{0,15}|0)\.0$', '\1'"
        return f"CAST(regexp_replace(CAST(to_json({value}) AS VARCHAR), {whole}) AS JSON)"
    return f"to_json({value})" if after == "JSON" else f"CAST({value} AS {after})"
