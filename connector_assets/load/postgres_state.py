"""What the database remembers about loads, in schema `_connector_assets`, as in a DuckDB file."""

from __future__ import annotations

import json
from typing import Any

from psycopg import Connection

from connector_assets.errors import Busy
from connector_assets.load.table import Cursor, Loaded, Table

_TABLES = """
create schema if not exists _connector_assets;
create table if not exists _connector_assets.state (
    schema_name text, table_name text, partition text, cursor jsonb,
    load_id text, run_id text, updated_at timestamptz,
    primary key (schema_name, table_name, partition));
create table if not exists _connector_assets.loads (
    load_id text primary key, schema_name text, table_name text, partition text, mode text,
    received bigint, rejected bigint, rows bigint, run_id text, loaded_at timestamptz);
create table if not exists _connector_assets.columns (
    schema_name text, table_name text, position integer, key text, column_name text,
    column_type text, kinds integer, shape text, fixed boolean);
"""
# "if not exists" is not safe against another who is just creating, as those who share budgets do.
_CREATING = "select pg_advisory_xact_lock(hashtext('_connector_assets'))"


class State:
    """The remembered facts of one table."""

    def __init__(self, connection: Connection[Any], table: Table) -> None:
        self._connection, self._table = connection, table
        self._key = (table.schema, table.name)
        self._part = (*self._key, table.partition or "")

    def create(self) -> None:
        """Make the tables where they are not: that takes rights which a role may lack later."""
        if not self.exists():
            with self._connection.transaction():
                self._connection.execute(_CREATING)
                self._connection.execute(_TABLES)

    def exists(self) -> bool:
        found = self._connection.execute("select to_regclass('_connector_assets.columns')")
        return (found.fetchone() or (None,))[0] is not None

    def cursor(self) -> Any:
        found = self._connection.execute(
            "select cursor::text from _connector_assets.state "
            "where (schema_name, table_name, partition) = (%s, %s, %s)",
            self._part,
        ).fetchone()
        return json.loads(found[0]) if found and found[0] is not None else None

    def move(self, cursor: Cursor, *, load_id: str, run_id: str) -> None:
        """Store the cursor; raise Busy if it is not where this run found it."""
        if self.cursor() != cursor.expected:
            raise Busy(
                "its position moved while this run was reading: another run loaded it",
                where=f"{self._table.schema}.{self._table.name}",
                fix="run it again: it goes on from the new position",
            )
        self._connection.execute(
            "insert into _connector_assets.state values (%s, %s, %s, %s, %s, %s, now()) "
            "on conflict (schema_name, table_name, partition) do update set "
            "cursor = excluded.cursor, load_id = excluded.load_id, run_id = excluded.run_id, "
            "updated_at = excluded.updated_at",
            (*self._part, json.dumps(cursor.value), load_id, run_id),
        )

    def columns(self) -> list[dict[str, Any]]:
        """Rows of `columns`, as DuckDB's State dumps and restores them."""
        found = self._connection.execute(
            "select to_jsonb(c) from _connector_assets.columns c "
            "where (schema_name, table_name) = (%s, %s) order by position",
            self._key,
        )
        return [row for (row,) in found]

    def keep_columns(self, rows: list[dict[str, Any]]) -> None:
        self._connection.execute(
            "delete from _connector_assets.columns where (schema_name, table_name) = (%s, %s)",
            self._key,
        )
        self._connection.execute(
            "insert into _connector_assets.columns select * "
            "from jsonb_populate_recordset(null::_connector_assets.columns, %s::jsonb)",
            [json.dumps(rows)],
        )

    def taken(self, load_id: str) -> tuple[int, int] | None:
        """(received, rejected) of the load of this name, None if it has not been done."""
        return self._connection.execute(
            "select received, rejected from _connector_assets.loads where load_id = %s", [load_id]
        ).fetchone()

    def keep_load(self, load_id: str, mode: str, loaded: Loaded, *, run_id: str) -> None:
        self._connection.execute(
            "insert into _connector_assets.loads "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, now())",
            (load_id, *self._part, mode, loaded.received, loaded.rejected, loaded.rows, run_id),
        )
