"""What a spec wants of a PostgreSQL table: comments, NOT NULL, a primary key, indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection

from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.shape import comments_wanted, index_name, indexes_wanted
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.postgres.sql import pg_name, pg_quoted, pg_table
from connector_assets.load.postgres.tables import describe
from connector_assets.load.table import Table

_COMMENTS = (
    "select coalesce(a.attname, ''), d.description from pg_description d "
    "left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and a.attnum > 0 "
    "where d.objoid = to_regclass(%s) and d.classoid = 'pg_class'::regclass"
)
_KEY = "select 1 from pg_constraint where conrelid = to_regclass(%s) and contype = 'p'"


def shape(connection: Connection[Any], table: Table, columns: Sequence[KeyColumn]) -> None:
    """Bring comments, constraints and indexes up to date, once the rows are written."""
    _comment(connection, table, columns)
    names = {column.key: column.name for column in columns}
    _constrain(connection, table, names)
    for index, of in indexes_wanted(table, names):
        unique = "unique index" if index.unique else "index"
        made = pg_quoted(index_name(table, of, index))
        listed = ", ".join(map(pg_quoted, of))
        _run(connection, f"create {unique} if not exists {made} on {pg_table(table)} ({listed})")


def _comment(connection: Connection[Any], table: Table, columns: Sequence[KeyColumn]) -> None:
    now = dict(connection.execute(_COMMENTS, [pg_table(table)]).fetchall())
    there = {column.name for column in describe(connection, table)}
    for column, text in comments_wanted(table, columns).items():
        if text != now.get(pg_name(column)) and (not column or pg_name(column) in there):
            of = f"column {pg_table(table)}.{pg_quoted(column)}" if column else pg_table(table)
            what = of if column else f"table {of}"
            _run(connection, f"comment on {what} is {literal(text)}")


def _constrain(connection: Connection[Any], table: Table, names: Mapping[str, str]) -> None:
    nullable = {column.name for column in describe(connection, table) if column.nullable}
    changes = [
        f"alter column {pg_quoted(name)} set not null"
        for key in table.wanted.required
        if (name := names.get(key)) and pg_name(name) in nullable
    ]
    key = [names[one] for one in table.primary_key if one in names]
    if table.wanted.has_key and key and not connection.execute(_KEY, [pg_table(table)]).fetchone():
        changes.append(f"add primary key ({', '.join(map(pg_quoted, key))})")
    if changes:
        _run(connection, f"alter table {pg_table(table)} {', '.join(changes)}")


def _run(connection: Connection[Any], statement: str) -> None:
    connection.execute(statement.encode())
