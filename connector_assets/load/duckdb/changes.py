"""A column of a DuckDB table becomes another type: every old value stays what it is, or none moves.

What rows brought makes a type wider only. A declared type may be any: old values are then held to
what new ones are held to, and must besides be had back from what they become.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_assets.errors import LoadError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.casts import Cast, exact_cast
from connector_assets.load.duckdb.sql import is_nested, old_value, quoted, widened

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def changed(before: KeyColumn, after: KeyColumn) -> Cast:
    """A column's old values under its new type."""
    if not after.fixed or after.type == "JSON":
        return Cast(widened(before, after.type))
    value, source = old_value(before), "VARCHAR" if before.shape else before.type
    if is_nested(source):
        value, source = f"to_json({value})", "JSON"
    cast = exact_cast(value, source, after.type)
    if before.type in {"JSON", "VARCHAR"} or is_nested(before.type) or is_nested(after.type):
        return cast
    # A time of day drops its date, and a TIMESTAMP_S its fraction, with no error.
    name = quoted(before.name)
    back = f"TRY_CAST(CAST({cast.value} AS VARCHAR) AS {before.type})"
    return Cast(cast.value, f"({cast.unfit} OR {back} IS DISTINCT FROM {name})")


def require_fit(
    connection: DuckDBPyConnection, rows: str, cast: Cast, after: KeyColumn, *, where: str
) -> None:
    """Raise LoadError if any of the old `rows` would not survive the cast."""
    if cast.unfit == "false":
        return
    count = connection.execute(f"select count(*) from {rows} where {cast.unfit}").fetchall()[0][0]
    if count:
        number = f"{count:,} old row{'s' if count > 1 else ''}"
        raise LoadError(
            f'column "{after.name}" has in {number} a value that is not exactly a '
            f"{after.type.lower()}",
            where=where,
            fix="declare a type that fits them, or load the stream anew with --full",
        )
