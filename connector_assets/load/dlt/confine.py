"""What a query of a person's may do through dlt: one statement that reads tables, by their names.

dlt's own clients would run anything. A DuckDB connection is confined as that of our own files is,
and PostgreSQL is asked as for our own. Of all others the statement is read in the destination's
dialect, and what sqlglot does not know to be a table or a function that computes is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.confine import confine, may_read
from connector_assets.load.postgres.confine import refuse_more_than_reading

# What a statement that begins as a query may have within it, and do.
_WRITES = (exp.DML, exp.DDL, exp.Into, exp.Copy, exp.Command, exp.Drop, exp.Merge, exp.Lock)
_FILES = (exp.ReadCSV, exp.ReadParquet)
_ASKED = {"postgres", "redshift"}
_PATHS = ("/", "\\", ":", "@", "*")


def tables_read(sql: str, dialect: str | None) -> list[exp.Table]:
    """The tables of one statement that reads; LoadError for any other."""
    try:
        statements = sqlglot.parse(sql, dialect=dialect)
    except sqlglot.errors.SqlglotError:
        statements = []
    only = statements[0] if len(statements) == 1 else None
    if not isinstance(only, exp.Query) or only.find(*_WRITES):
        raise LoadError("this is not one statement that reads", where="query", fix="use select …")
    for what in _more_than_tables(only, dialect):
        raise LoadError(
            f"{what} may do more than read tables of this destination",
            where="query",
            fix="leave it out, or use the destination's own client",
        )
    return list(only.find_all(exp.Table))


def _more_than_tables(statement: exp.Query, dialect: str | None) -> Iterator[str]:
    for table in statement.find_all(exp.Table):
        # A function, a file, a stage, a variable: all of them stand where a table does.
        if not isinstance(table.this, exp.Identifier):
            yield f'"{table.this.sql(dialect)[:60]}"'
        elif any(mark in part.name for part in table.parts for mark in _PATHS):
            yield f'"{table.name[:60]}"'
    if statement.find(*_FILES):
        yield "a file"
    if dialect == "duckdb" or dialect in _ASKED:
        return  # the database itself is asked, or confined
    for call in statement.find_all(exp.Anonymous):
        yield f'the function "{call.name[:60]}"'


def confined(client: Any, sql: str, tables: list[exp.Table]) -> Callable[[], Any]:
    """What runs `sql` on a client of dlt's, which can do no more from now on."""
    import duckdb

    native = client.native_connection
    if isinstance(native, duckdb.DuckDBPyConnection):
        if hasattr(client, "create_views_for_tables"):  # files: their views first, then the door
            client.create_views_for_tables({one.name: one.name for one in tables if one.name})
            may_read(native, [], folders=_folders(client))
        confine(native)
    elif client.capabilities.sqlglot_dialect in _ASKED:
        _read_only(native, sql)
    return lambda: client.execute_query(sql)


def _folders(client: Any) -> list[str]:
    """Where the files of a destination are, in the forms that DuckDB is given."""
    url = str(client.remote_client.config.bucket_url).rstrip("/")
    return [f"{form}/" for form in dict.fromkeys((url, url.removeprefix("file://")))]


def _read_only(native: Any, sql: str) -> None:
    if ";" in sql.rstrip().rstrip(";"):
        # The server splits a text by its own rules; what follows could end the transaction.
        raise LoadError('a ";" may only end the statement', where="query", fix="write chr(59)")
    native.rollback()
    native.set_session(readonly=True)

    def ask(text: str, given: Any) -> Any:
        with native.cursor() as cursor:
            cursor.execute(text, given)
            return cursor.fetchall()

    ask("set standard_conforming_strings = on; select 1", ())
    refuse_more_than_reading(sql, ask)
