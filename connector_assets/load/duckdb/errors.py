"""What DuckDB refuses, in our words: what to do, and none of the values that it likes to quote."""

from __future__ import annotations

import re

from connector_assets.errors import LoadError, RowsError
from connector_assets.json_keys import KEY_TWICE_FIX

NUL_FIX = (
    "set schemaPolicy to quarantine to set such rows aside, take it out with text: {nul: strip} "
    "or replace in fields, or load the stream into a DuckDB file or Parquet: they can hold it"
)
ELSEWHERE = "load the stream into a DuckDB file or Parquet: they can hold it"
_REINDEX = "drop the index, load, and create it anew"
NO_DATABASE = "the file is no DuckDB database, or not all of one"
NO_DATABASE_FIX = "choose another file, or move this one away and run it again"
# What its message has, and what to say instead.
_REFUSALS = (
    (
        "an index depends on it",
        "a column would have to change, and an index depends on it",
        _REINDEX,
    ),
    (
        "there are entries that depend on it",
        "a column would have to change, and an index depends on the table",
        _REINDEX,
    ),
    (
        "Constraint Error: Duplicate key",
        "a unique index already has one of the values",
        "set primaryKey to the index's columns and writeMode to merge, or drop the index",
    ),
    ("is not a valid DuckDB database file", NO_DATABASE, NO_DATABASE_FIX),
    (
        "Corrupt database file",
        "the DuckDB file is damaged",
        "restore it from a copy, or move it away and load anew",
    ),
)


KEY_TWICE = "has the key"


class OutOfMemory(LoadError):
    """DuckDB was given less memory than the rows take."""


def refused(error: Exception, where: str, *, before: int = 0) -> LoadError:
    """DuckDB's error as ours: RowsError where a value is what it minds.

    `before` rows came before the file that it names.
    """
    import duckdb

    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        limit = found[1] if (found := re.search(r"/([\d.]+ [KMGT]iB) used", text)) else "its limit"
        return OutOfMemory(f"a row or a column takes more memory than {limit}", where=where)
    for part, what, fix in _REFUSALS:
        if part in text:
            return LoadError(what, where=where, fix=fix)
    line = first_line(error, before)
    is_of_rows = isinstance(error, duckdb.DataError | duckdb.InvalidInputException)
    kind = RowsError if is_of_rows else LoadError
    if found := re.search(r"(column \".*, which \w+(?: store)? cannot hold)$", line):
        return kind(found[1], where=where, fix=NUL_FIX if "U+0000" in found[1] else ELSEWHERE)
    fix = KEY_TWICE_FIX if re.match(r"row \d+ (is not JSON|has the key)", line) else ""
    return kind(line, where=where, fix=fix)


def first_line(error: Exception, before: int = 0) -> str:
    """DuckDB's own words, without the rows it likes to quote."""
    text = str(error).splitlines()[0]
    if found := re.search(r'in line (\d+): Object .* has duplicate key "(.*)"$', text):
        return f'row {int(found[1]) + before} {KEY_TWICE} "{found[2][:60]}" twice'
    if found := re.search(r"Malformed JSON in .* in line (\d+): (.*)", text):
        # It counts a line too many here, though not above.
        return f"row {int(found[1]) - 1 + before} is not JSON: {found[2]}"
    return re.sub(r"[{\[].*", "…", text)[:200]
