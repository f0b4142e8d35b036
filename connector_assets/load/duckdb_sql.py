"""Pieces of DuckDB SQL: names, types, and the expression that turns one type into another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from connector_assets.errors import LoadError
from connector_assets.load.kinds import Kind

_TYPES = {"text": "VARCHAR"}
_KINDS = {
    "BOOLEAN": Kind.BOOLEAN,
    "BIGINT": Kind.INTEGER_64,
    "HUGEINT": Kind.INTEGER_128,
    "DOUBLE": Kind.FLOAT,
    "VARCHAR": Kind.TEXT,
    "JSON": Kind.NESTED,
}
_INTEGERS = r"(U?(TINY|SMALL|BIG|HUGE)?INT|INTEGER|UINTEGER)"
# DuckDB's own default; a line that is longer needs a larger buffer.
_OBJECT_BYTES = 16 << 20


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def kinds_of(type_: str) -> Kind | None:
    """Return the kinds a column of this type may hold; None for a type inference never gives."""
    return _KINDS.get(type_)


def type_name(text: str) -> str:
    """Return a type as SQL; LoadError for what cannot be one, since it comes from a spec.

    >>> type_name("text"), type_name("decimal(10, 2)")
    ('VARCHAR', 'DECIMAL(10, 2)')
    """
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            break
    # Letters and balanced brackets only: such text cannot end the cast it stands in.
    if depth or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ,()\[\]\"]*", text):
        raise LoadError(f"{text[:60]!r} is not a column type", fix="use one such as bigint")
    return _TYPES.get(text.lower(), text if '"' in text else text.upper())


def read_rows(paths: Sequence[Path], columns: Mapping[str, str], *, longest: int) -> str:
    """Rows of NDJSON files as a table expression; each key is read as the type given, or fails."""
    files = ", ".join(literal(str(path)) for path in paths)
    named = ", ".join(f"{literal(key)}: {literal(type_)}" for key, type_ in columns.items())
    size = max(_OBJECT_BYTES, longest)
    return (
        f"read_json([{files}], format = 'newline_delimited', records = true, "
        f"columns = {{{named}}}, maximum_object_size = {size})"
    )


def widened(column: str, before: str, after: str) -> str:
    """An expression for a column's old values under its wider type."""
    if before == "JSON" and after != "JSON":
        return f"CAST({column} ->> '$' AS {after})"
    return f"to_json({column})" if after == "JSON" else f"CAST({column} AS {after})"


def unfit(value: str, source: str, target: str) -> str:
    """A condition: `value`, of type `source`, is not null and is not exactly a `target`."""
    cast = f"TRY_CAST({value} AS {target})"
    if source == target:
        return "false"
    if source == "VARCHAR":
        return f"({value} IS NOT NULL AND ({cast} IS NULL OR NOT {_spelled(value, target)}))"
    back = f"TRY_CAST({cast} AS {source})"
    return f"({value} IS NOT NULL AND ({cast} IS NULL OR {back} IS DISTINCT FROM {value}))"


def _spelled(value: str, target: str) -> str:
    # TRY_CAST rounds '1.5' to an integer and '1.155' to a DECIMAL(10, 2) without a word.
    if re.fullmatch(_INTEGERS, target):
        return rf"regexp_full_match({value}, '\s*[+-]?\d+\s*')"
    if found := re.fullmatch(r"DECIMAL\(\d+, ?(\d+)\)", target):
        return rf"regexp_full_match({value}, '\s*[+-]?\d*(\.\d{{0,{found[1]}}}0*)?\s*')"
    return "true"
