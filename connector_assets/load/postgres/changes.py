"""Old values of a PostgreSQL column whose type is declared anew, held to what new ones are held to.

DuckDB decides what fits, as it does for new rows: two sets of rules would differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from connector_assets.errors import LoadError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.changes import changed, require_fit
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.postgres.sql import pg_quoted, pg_table, pg_type
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def require_old_fit(
    connection: Connection[Any], table: Table, changes: Sequence[tuple[KeyColumn, KeyColumn]]
) -> None:
    """Raise LoadError if a column's old values would not survive; `changes` have before and after.

    The table is locked first: a value that came after the look would be changed in silence.
    """
    if not changes:
        return
    connection.execute(f"lock table {pg_table(table)}".encode())
    for column, after in changes:
        before = replace(column, type="JSON") if pg_type(column.type) == "jsonb" else column
        with scratch_folder() as folder:
            path = Path(folder, "values.csv")
            _copy_out(connection, table, before, path)
            _look(path, before, after, where=f"{table.schema}.{table.name}")


def _copy_out(connection: Connection[Any], table: Table, column: KeyColumn, path: Path) -> None:
    name = pg_quoted(column.name)
    select = f"select {name}::text from {pg_table(table)} where {name} is not null"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy ({select}) to stdout (format csv, force_quote *)".encode()) as copy,
        path.open("wb") as file,
    ):
        for chunk in copy:
            file.write(chunk)


def _look(path: Path, before: KeyColumn, after: KeyColumn, *, where: str) -> None:
    import duckdb

    try:
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            _require(connection, path, before, after, where)
    except duckdb.Error as error:
        raise LoadError(
            f'column "{after.name}" has values that cannot be read as a {before.type.lower()}',
            where=where,
            fix="leave the declared type out, or load the stream anew with --full",
        ) from error


def _require(
    connection: DuckDBPyConnection, path: Path, before: KeyColumn, after: KeyColumn, where: str
) -> None:
    type_ = f"{literal(before.name)}: {literal(before.type)}"
    rows = (
        f"read_csv({literal(str(path))}, columns = {{{type_}}}, header = false, delim = ',', "
        "quote = '\"', escape = '\"', allow_quoted_nulls = false, max_line_size = 1073741824)"
    )
    require_fit(connection, rows, changed(before, after), after, where=where)
