"""What the database remembers about loads, in schema `_connector_assets`, as in a DuckDB file.

`items` is made when it is first needed, so that a role without the right to may go on without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import Connection

from connector_assets.load.items import ItemPositions, texts_of, whole
from connector_assets.load.order import Order
from connector_assets.load.ownership import Owned
from connector_assets.load.postgres.tables import describe
from connector_assets.load.table import Cursor, Loaded, Table

_TABLES = """
create schema if not exists _connector_assets;
create table if not exists _connector_assets.state (
    schema_name text, table_name text, partition text, cursor jsonb,
    load_id text, run_id text, updated_at timestamptz,
    primary key (schema_name, table_name, partition));
create table if not exists _connector_assets.loads (
    load_id text, schema_name text, table_name text, partition text, mode text,
    received bigint, rejected bigint, rows bigint, run_id text, loaded_at timestamptz,
    primary key (load_id, schema_name, table_name, partition));
create table if not exists _connector_assets.columns (
    schema_name text, table_name text, position integer, key text, column_name text,
    column_type text, kinds integer, shape text, fixed boolean);
alter table _connector_assets.columns add column if not exists by_hand boolean;
create table if not exists _connector_assets.tables (
    schema_name text, table_name text, connection text, primary_key jsonb, mode text,
    updated_at timestamptz, primary key (schema_name, table_name));
"""
_ITEMS = """
create table if not exists _connector_assets.items (
    schema_name text, table_name text, partition text, item text, position jsonb);
create index if not exists items_of_part
    on _connector_assets.items (schema_name, table_name, partition);
"""
_OF_PART = "(schema_name, table_name, partition) = (%s, %s, %s)"
_INCOMING = "connector_assets_items"
_ROWS_AT_ONCE = 10_000
# "if not exists" is not safe against another who is just creating, as those who share budgets do.
_CREATING = "select pg_advisory_xact_lock(hashtext('_connector_assets'))"


class PostgresState:
    """The remembered facts of one table, through one `connection`."""

    def __init__(self, connection: Connection[Any], table: Table) -> None:
        self.connection, self._table = connection, table
        self._key = (table.schema, table.name)
        self._part = (*self._key, table.partition or "")

    def create(self) -> None:
        """Make the tables where they are not: that takes rights which a role may lack later."""
        if not self._has("tables"):
            with self.connection.transaction():
                self.connection.execute(_CREATING)
                self.connection.execute(_TABLES)

    def exists(self) -> bool:
        return self._has("columns")

    def _has(self, name: str) -> bool:
        found = self.connection.execute("select to_regclass(%s)", [f"_connector_assets.{name}"])
        return (found.fetchone() or (None,))[0] is not None

    def cursor(self) -> Any:
        """The stored position, or None; the positions of many items are a mapping on disk."""
        found = self.connection.execute(
            f"select cursor::text from _connector_assets.state where {_OF_PART}", self._part
        ).fetchone()
        if found is None:
            return None
        return json.loads(found[0]) if found[0] else ItemPositions(self._items())

    def _items(self) -> Iterator[tuple[str, str]]:
        with self.connection.cursor(name="items") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            yield from cursor.execute(
                f"select item, position::text from _connector_assets.items where {_OF_PART} "
                'order by item collate "C"',
                self._part,
            )

    def move(self, order: Order) -> None:
        """Store the order's position; raise Busy if it is not where this run found it."""
        assert order.cursor is not None
        found = self.cursor()
        order.require_position(found)
        text = self._keep_items(order.cursor, are_rows=isinstance(found, ItemPositions))
        self.connection.execute(
            "insert into _connector_assets.state values (%s, %s, %s, %s, %s, %s, now()) "
            "on conflict (schema_name, table_name, partition) do update set "
            "cursor = excluded.cursor, load_id = excluded.load_id, run_id = excluded.run_id, "
            "updated_at = excluded.updated_at",
            (*self._part, text, order.load_id, order.run_id),
        )

    def _keep_items(self, cursor: Cursor, *, are_rows: bool) -> str | None:
        """Write what is kept in rows; return the cursor that is kept in `state`."""
        if cursor.adds and are_rows:
            self._put(cursor.value)
            return None
        has_table = self._has("items")
        if has_table:
            self.connection.execute(
                f"delete from _connector_assets.items where {_OF_PART}", self._part
            )
        value = whole(cursor)
        if not isinstance(value, ItemPositions):
            return json.dumps(value)
        if not has_table:
            self.connection.execute(_CREATING)
            self.connection.execute(_ITEMS)
        self._put(value)
        return None

    def _put(self, positions: Mapping[str, Any]) -> None:
        """Put rows in, over those of the same items."""
        self.connection.execute(
            f"create temp table {_INCOMING} (item text, position jsonb) on commit drop"
        )
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"copy {_INCOMING} from stdin") as copy,
        ):
            for row in texts_of(positions):
                copy.write_row(row)
        self.connection.execute(
            f"delete from _connector_assets.items where {_OF_PART} "
            f"and item in (select item from {_INCOMING})",
            self._part,
        )
        self.connection.execute(
            "insert into _connector_assets.items "
            f"select %s, %s, %s, item, position from {_INCOMING}",
            self._part,
        )

    def owned(self) -> Owned | None:
        """Whose the table is; None where that was never said."""
        if not self._has("tables"):  # an earlier version did not
            return None
        found = self.connection.execute(
            "select connection, primary_key, mode from _connector_assets.tables "
            "where (schema_name, table_name) = (%s, %s)",
            self._key,
        ).fetchone()
        return Owned(found[0], tuple(found[1]), found[2]) if found else None

    def keep_owned(self, order: Order) -> None:
        """Remember for whom, by which key and how the table is loaded."""
        table = order.table
        self.connection.execute(
            "insert into _connector_assets.tables as t values (%s, %s, %s, %s, %s, now()) "
            "on conflict (schema_name, table_name) do update set "
            "primary_key = excluded.primary_key, "
            "connection = coalesce(nullif(excluded.connection, ''), t.connection), "
            "mode = excluded.mode, updated_at = excluded.updated_at",
            (*self._key, table.claim.connection, json.dumps(table.primary_key), order.mode),
        )

    def columns(self) -> list[dict[str, Any]]:
        """Rows of `columns`, as DuckDB's State dumps and restores them."""
        found = self.connection.execute(
            "select to_jsonb(c) from _connector_assets.columns c "
            "where (schema_name, table_name) = (%s, %s) order by position",
            self._key,
        )
        return [row for (row,) in found]

    def keep_columns(self, rows: list[dict[str, Any]]) -> None:
        self.connection.execute(
            "delete from _connector_assets.columns where (schema_name, table_name) = (%s, %s)",
            self._key,
        )
        self.connection.execute(
            "insert into _connector_assets.columns select * "
            "from jsonb_populate_recordset(null::_connector_assets.columns, %s::jsonb)",
            [json.dumps(rows)],
        )

    def taken(self, load_id: str) -> tuple[int, int] | None:
        """(received, rejected) of the load of this name, None if it has not been done here.

        Rows that went into a table that is gone are to be loaded again.
        """
        found = self.connection.execute(
            "select received, rejected from _connector_assets.loads "
            f"where load_id = %s and {_OF_PART}",
            (load_id, *self._part),
        ).fetchone()
        return found if found and describe(self.connection, self._table) else None

    def last_load(self) -> str:
        """The name of the load that came last into this part of the table, "" without any."""
        found = self.connection.execute(
            f"select load_id from _connector_assets.loads where {_OF_PART} "
            "order by loaded_at desc limit 1",
            self._part,
        ).fetchone()
        return str(found[0]) if found else ""

    def keep_load(self, load_id: str, mode: str, loaded: Loaded, *, run_id: str) -> None:
        self.connection.execute(
            f"delete from _connector_assets.loads where load_id = %s and {_OF_PART}",
            (load_id, *self._part),
        )
        # An earlier version's key is the id alone, of whatever table.
        self.connection.execute(
            "insert into _connector_assets.loads "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, now()) on conflict do nothing",
            (load_id, *self._part, mode, loaded.received, loaded.rejected, loaded.rows, run_id),
        )
