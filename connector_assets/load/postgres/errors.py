"""What PostgreSQL refuses, in our words: which column, what to do, and no value."""

from __future__ import annotations

import re

from psycopg import DataError, Error, errors

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.duckdb.errors import ELSEWHERE, NUL_FIX
from connector_assets.load.postgres.sql import NUL

OVERFLOW_FIX = (
    "set overflow: {into: rest} in the stream, which puts the keys beyond the first 400 into one "
    "column, or load the stream into a DuckDB file or Parquet: they can hold it"
)
_FIXES: tuple[tuple[type[Error], str], ...] = (
    (errors.CharacterNotInRepertoire, ELSEWHERE),
    (errors.UntranslatableCharacter, ELSEWHERE),
    (errors.NumericValueOutOfRange, ELSEWHERE),
    (errors.TooManyColumns, OVERFLOW_FIX),
    (errors.ProgramLimitExceeded, OVERFLOW_FIX),
    (errors.InvalidTextRepresentation, "change the column's type"),
    (errors.StringDataRightTruncation, "change the column's type"),
    (errors.NotNullViolation, "give the column a default, or leave such rows out with where"),
    (errors.UniqueViolation, "set primaryKey to the constraint's columns, or drop it"),
    (errors.InsufficientPrivilege, "grant the role what it lacks"),
)


def refused(error: Error, where: str) -> LoadError:
    """What it refused of a load, with the column if it says one; RowsError for a value."""
    what, context = words(error), error.diag.context or ""
    if found := re.search(r"^COPY \w+, line \d+, column (.{1,63}?):", context, re.MULTILINE):
        what = f'column "{found[1]}": {what}'
    fix = next((fix for type_, fix in _FIXES if isinstance(error, type_)), "")
    if NUL in what:
        fix = NUL_FIX
    if what.endswith("used by a view or rule"):
        fix = "drop the view, load, and create it anew"
    kind = RowsError if isinstance(error, DataError) else LoadError
    return kind(what, where=where, fix=fix)


def words(error: Error) -> str:
    """PostgreSQL's own words, without the values it likes to quote."""
    text = error.diag.message_primary or str(error).strip().split("\n")[0]
    detail = error.diag.message_detail or ""
    if "0x00" in text or "\\u0000" in detail or "NUL" in text:
        return f"a text or a key has {NUL}"
    return re.sub(r': ".*"', "", text, flags=re.DOTALL)[:200] or type(error).__name__
