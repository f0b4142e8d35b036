"""What the database remembers about loads: schema `_connector_assets`, in their transactions.

`state` holds one cursor per table and partition, `loads` one row per load done, `columns` the row
key and the kinds of value behind each column. The positions of many items are rows of `items`, and
`state` then has no cursor.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.duckdb.tables import describe
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.items import ItemPositions, whole, write_lines
from connector_assets.load.kinds import Kind
from connector_assets.load.order import Order
from connector_assets.load.ownership import STATE_SCHEMA, Owned
from connector_assets.load.table import Cursor, Loaded, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TABLES = """
create schema if not exists _connector_assets;
create table if not exists _connector_assets.state (
    schema_name varchar, table_name varchar, partition varchar,
    cursor json, load_id varchar, run_id varchar, updated_at timestamptz);
create table if not exists _connector_assets.loads (
    load_id varchar, schema_name varchar, table_name varchar, partition varchar, mode varchar,
    received bigint, rejected bigint, rows bigint, run_id varchar, loaded_at timestamptz);
create table if not exists _connector_assets.columns (
    schema_name varchar, table_name varchar, position integer,
    key varchar, column_name varchar, column_type varchar, kinds integer,
    shape varchar, fixed boolean);
alter table _connector_assets.columns add column if not exists by_hand boolean;
create table if not exists _connector_assets.tables (
    schema_name varchar, table_name varchar, connection varchar, primary_key json, mode varchar,
    updated_at timestamptz);
create table if not exists _connector_assets.items (
    schema_name varchar, table_name varchar, partition varchar, item varchar, position json);
"""
_OF_PART = "schema_name = ? and table_name = ? and partition = ?"
_ROWS_AT_ONCE = 10_000

_NAMES = ("state", "loads", "columns", "tables")
_COLUMNS_JSON = (
    '[{"position": "INTEGER", "key": "VARCHAR", "name": "VARCHAR", "type": "VARCHAR", '
    '"kinds": "INTEGER", "shape": "VARCHAR", "fixed": "BOOLEAN", '
    '"by_hand": "BOOLEAN"}]'
)


class DuckDBState:
    """The remembered facts of one table, read and written through one connection."""

    def __init__(self, connection: DuckDBPyConnection, table: Table) -> None:
        self._connection, self._table = connection, table
        self._key = [table.schema, table.name]
        self._part = [*self._key, table.partition or ""]

    def create(self) -> None:
        self._connection.execute(_TABLES)

    def exists(self) -> bool:
        return self._has("columns")

    def _has(self, name: str) -> bool:
        found = "select 1 from duckdb_tables() where schema_name = ? and table_name = ?"
        return bool(self._all(found, [STATE_SCHEMA, name]))

    def cursor(self) -> Any:
        """The stored position, or None; the positions of many items are a mapping on disk."""
        rows = self._all(f"select cursor from _connector_assets.state where {_OF_PART}", self._part)
        if not rows:
            return None
        # A manifest has JSON's null as SQL's, so that only rows tell that there are many items.
        return json.loads(rows[0][0]) if rows[0][0] else ItemPositions(self._items()) or None

    def _items(self) -> Iterator[tuple[str, str]]:
        found = self._connection.execute(
            f"select item, position from _connector_assets.items where {_OF_PART}",
            self._part,
        )
        while rows := found.fetchmany(_ROWS_AT_ONCE):
            yield from rows

    def move(self, order: Order) -> None:
        """Store the order's position; raise Busy if it is not where this run found it."""
        assert order.cursor is not None
        found = self.cursor()
        order.require_position(found)
        text = self._keep_items(order.cursor, are_rows=isinstance(found, ItemPositions))
        self._all(f"delete from _connector_assets.state where {_OF_PART}", self._part)
        self._all(
            "insert into _connector_assets.state values (?, ?, ?, ?, ?, ?, now())",
            [*self._part, text, order.load_id, order.run_id],
        )

    def _keep_items(self, cursor: Cursor, *, are_rows: bool) -> str | None:
        """Write what is kept in rows; return the cursor that is kept in `state`."""
        if cursor.adds and are_rows:
            self._put(cursor.value)
            return None
        self._all(f"delete from _connector_assets.items where {_OF_PART}", self._part)
        value = whole(cursor)
        if not isinstance(value, ItemPositions):
            return json.dumps(value)
        self._put(value)
        return None

    def _put(self, positions: Mapping[str, Any]) -> None:
        """Put rows in, over those of the same items."""
        with scratch_folder() as folder:
            path = Path(folder, "items.ndjson")
            write_lines(positions, path)
            rows = (
                f"read_json({literal(str(path))}, format = 'newline_delimited', "
                "columns = {item: 'VARCHAR', position: 'VARCHAR'})"
            )
            self._all(
                f"delete from _connector_assets.items where {_OF_PART} "
                f"and item in (select item from {rows})",
                self._part,
            )
            self._all(
                "insert into _connector_assets.items "
                f"select ?, ?, ?, item, position::json from {rows}",
                self._part,
            )

    def owned(self) -> Owned | None:
        """Whose the table is; None where that was never said."""
        if not self._has("tables"):  # an earlier version did not
            return None
        found = self._all(
            "select connection, primary_key, mode from _connector_assets.tables "
            "where schema_name = ? and table_name = ?",
            self._key,
        )
        return Owned(found[0][0], tuple(json.loads(found[0][1])), found[0][2]) if found else None

    def keep_owned(self, order: Order) -> None:
        """Remember for whom, by which key and how the table is loaded."""
        before, table = self.owned(), order.table
        owner = table.claim.connection or (before.connection if before else "")
        self._all(
            "delete from _connector_assets.tables where schema_name = ? and table_name = ?",
            self._key,
        )
        self._all(
            "insert into _connector_assets.tables values (?, ?, ?, ?, ?, now())",
            [*self._key, owner, json.dumps(table.primary_key), order.mode],
        )

    def columns(self) -> list[KeyColumn]:
        rows = self._all(
            f"select key, column_name, column_type, kinds, shape, fixed, {self._by_hand()} "
            "from _connector_assets.columns where schema_name = ? and table_name = ? "
            "order by position",
            self._key,
        )
        return [
            KeyColumn(key, name, type_, Kind(kinds), shape, fixed, bool(by_hand))
            for key, name, type_, kinds, shape, fixed, by_hand in rows
        ]

    def _by_hand(self) -> str:
        """The column of that name, which an earlier version did not have."""
        found = self._all(
            "select 1 from duckdb_columns() where schema_name = ? and table_name = 'columns' "
            "and column_name = 'by_hand'",
            [STATE_SCHEMA],
        )
        return "by_hand" if found else "false"

    def keep_columns(self, columns: Iterable[KeyColumn]) -> None:
        self._all(
            "delete from _connector_assets.columns where schema_name = ? and table_name = ?",
            self._key,
        )
        rows = [
            {**asdict(column), "position": number, "kinds": int(column.kinds)}
            for number, column in enumerate(columns)
        ]
        self._all(
            "insert into _connector_assets.columns "
            "select ?, ?, position, key, name, type, kinds, shape, fixed, by_hand "
            "from (select unnest(from_json(?, ?), recursive := true))",
            [*self._key, json.dumps(rows), _COLUMNS_JSON],
        )

    def taken(self, load_id: str) -> tuple[int, int] | None:
        """(received, rejected) of the load of this name, None if it has not been done here.

        Rows that went into a table that is gone are to be loaded again.
        """
        found = self._all(
            "select received, rejected from _connector_assets.loads "
            f"where load_id = ? and {_OF_PART}",
            [load_id, *self._part],
        )
        is_here = found and describe(self._connection, self._table)
        return (found[0][0], found[0][1]) if is_here else None

    def last_load(self) -> str:
        """The name of the load that came last into this part of the table, "" without any."""
        found = self._all(
            f"select load_id from _connector_assets.loads where {_OF_PART} "
            "order by loaded_at desc limit 1",
            self._part,
        )
        return str(found[0][0]) if found else ""

    def keep_load(self, load_id: str, mode: str, loaded: Loaded, *, run_id: str) -> None:
        self._all(
            "insert into _connector_assets.loads values (?, ?, ?, ?, ?, ?, ?, ?, ?, now())",
            [load_id, *self._part, mode, loaded.received, loaded.rejected, loaded.rows, run_id],
        )

    def _all(self, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        # fetchall, always: a half-read result leaves a DuckDB 2.0 connection busy.
        return self._connection.execute(sql, values or []).fetchall()


def dump_state(connection: DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """All that is remembered, as JSON."""
    return {
        name: [
            json.loads(row)
            for (row,) in connection.execute(
                f"select to_json(t) from _connector_assets.{name} t"
            ).fetchall()
        ]
        for name in _NAMES
    }


def restore_state(
    connection: DuckDBPyConnection, state: Mapping[str, list[dict[str, Any]]]
) -> None:
    """Add what `dump_state` gave, in a file that may have some already."""
    connection.execute(_TABLES)
    for name in _NAMES:
        rows = state.get(name, [])
        table = f"_connector_assets.{name}"
        shape = connection.execute(
            "select json_group_object(column_name, data_type) from duckdb_columns() "
            "where schema_name = '_connector_assets' and table_name = ?",
            [name],
        ).fetchall()
        connection.execute(
            f"insert into {table} by name select unnest(from_json(?, ?), recursive := true)",
            [json.dumps(rows), f"[{shape[0][0]}]"],
        )
