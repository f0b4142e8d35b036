"""What a spec wants of a DuckDB table: comments, NOT NULL, a primary key, indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.owned import without_indexes
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.tables import describe, name_of
from connector_assets.load.table import Index, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Comments = Mapping[str, str]
"""By column, "" is the table itself."""

_OF_TABLE = (
    "database_name = current_database() and lower(schema_name) = lower(?) "
    "and lower(table_name) = lower(?) and comment is not null"
)


def comments_of(connection: DuckDBPyConnection, table: Table) -> Comments:
    """The comments that the table and its columns have."""
    rows = connection.execute(
        f"select '', comment from duckdb_tables() where {_OF_TABLE} union all "
        f"select column_name, comment from duckdb_columns() where {_OF_TABLE}",
        [table.schema, table.name] * 2,
    ).fetchall()
    return dict(rows)


def comment(
    connection: DuckDBPyConnection, table: Table, columns: Sequence[KeyColumn], before: Comments
) -> None:
    """Write what the spec says; where it says nothing, what was there `before` stays."""
    name, now = name_of(connection, table), comments_of(connection, table)
    there = {column.name for column in describe(connection, table)}
    for column, text in {**before, **comments_wanted(table, columns)}.items():
        if text != now.get(column) and (column in there or not column):
            what = f"column {name}.{quoted(column)}" if column else f"table {name}"
            connection.execute(f"comment on {what} is {literal(text)}")


def comments_wanted(table: Table, columns: Sequence[KeyColumn]) -> Comments:
    """What the spec says of the table and its columns, by column."""
    said = table.wanted.descriptions
    texts = {column.name: said.get(column.key, "") for column in columns}
    return {name: text for name, text in {"": table.wanted.description, **texts}.items() if text}


def constrain(connection: DuckDBPyConnection, table: Table, columns: Sequence[KeyColumn]) -> None:
    """Put on the constraints and indexes that are not there yet: before rows are written."""
    name, names = name_of(connection, table), {column.key: column.name for column in columns}
    nullable = {one.name for one in describe(connection, table) if one.nullable}
    wanted = [names[key] for key in table.wanted.required if names.get(key) in nullable]
    key = [names[one] for one in table.primary_key if one in names]
    needs_key = table.wanted.has_key and key and not _has_key(connection, table)
    if wanted or needs_key:
        with without_indexes(connection, table):
            for column in wanted:
                _all(connection, f"alter table {name} alter {quoted(column)} set not null")
            if needs_key:
                _all(connection, f"alter table {name} add primary key ({_listed(key)})")
    for index, of in indexes_wanted(table, names):
        unique = "unique index" if index.unique else "index"
        made = quoted(index_name(table, of, index))
        _all(connection, f"create {unique} if not exists {made} on {name} ({_listed(of)})")


def indexes_wanted(table: Table, names: Mapping[str, str]) -> Iterator[tuple[Index, list[str]]]:
    """The indexes whose columns are all there, with these."""
    for index in table.wanted.indexes:
        if all(key in names for key in index.columns):
            yield index, [names[key] for key in index.columns]


def index_name(table: Table, columns: Sequence[str], index: Index) -> str:
    return "_".join([table.name, *columns, "key" if index.unique else "idx"])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def _has_key(connection: DuckDBPyConnection, table: Table) -> bool:
    found = (
        "select 1 from duckdb_tables() where database_name = current_database() "
        "and lower(schema_name) = lower(?) and lower(table_name) = lower(?) and has_primary_key"
    )
    return bool(connection.execute(found, [table.schema, table.name]).fetchall())


def _all(connection: DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
