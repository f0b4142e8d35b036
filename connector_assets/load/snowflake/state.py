"""What the database remembers about loads, in its schema `_CONNECTOR_ASSETS`.

One row of `TABLES` is one table. A load changes that row first in its transaction: Snowflake locks
the table `TABLES` for it until the commit, so that loads into one database take turns there.
"""

from __future__ import annotations

import json
from typing import Any

from connector_assets.load.items import ItemPositions
from connector_assets.load.order import Order
from connector_assets.load.ownership import Owned
from connector_assets.load.snowflake.sql import STATE_SCHEMA
from connector_assets.load.snowflake.tables import describe
from connector_assets.load.table import Loaded, Table
from connector_assets.snowflake.session import Session

_COLUMNS = {
    "TABLES": "schema_name varchar, table_name varchar, connection varchar, primary_key varchar, "
    "mode varchar, columns varchar, updated_at timestamp_tz",
    "STATE": "schema_name varchar, table_name varchar, partition_name varchar, cursor varchar, "
    "load_id varchar, run_id varchar, updated_at timestamp_tz",
    "LOADS": "load_id varchar, schema_name varchar, table_name varchar, partition_name varchar, "
    "mode varchar, received number(38,0), rejected number(38,0), rows_after number(38,0), "
    "run_id varchar, number number(38,0), loaded_at timestamp_tz",
    "ITEMS": "schema_name varchar, table_name varchar, partition_name varchar, item varchar, "
    "position varchar",
}
_OF_TABLE = "schema_name = ? and table_name = ?"
_OF_PART = f"{_OF_TABLE} and partition_name = ?"
_ROWS_AT_ONCE = 10_000


class SnowflakeState:
    """The remembered facts of one table, through one session."""

    def __init__(self, session: Session, table: Table) -> None:
        self.session, self._table, self.locked = session, table, False
        self._key = (table.schema, table.name)
        self._part = (*self._key, table.partition or "")

    def create(self) -> None:
        """Make what is not there, and the table's own row: none of it may be in a transaction."""
        if not self.exists():
            self.session.run(f'create schema if not exists "{STATE_SCHEMA}"')
            for name, columns in _COLUMNS.items():
                self.session.run(
                    f'create table if not exists "{STATE_SCHEMA}"."{name}" ({columns})'
                )
        self.session.run(f'use schema "{STATE_SCHEMA}"')
        self.session.run(
            f'merge into "{STATE_SCHEMA}"."TABLES" old using (select ? as s, ? as t) new '
            "on old.schema_name = new.s and old.table_name = new.t "
            "when not matched then insert (schema_name, table_name) values (new.s, new.t)",
            *self._key,
        )

    def exists(self) -> bool:
        # The last one that is made: all of them are there.
        return bool(describe(self.session, Table(STATE_SCHEMA, "ITEMS")))

    def lock(self) -> None:
        """Be alone with the table until the commit; who waits too long for it is Busy."""
        self.locked = True
        self._run("TABLES", "update {} set updated_at = current_timestamp() where " + _OF_TABLE)

    def cursor(self) -> Any:
        """The stored position, or None; the positions of many items are a mapping on disk."""
        found = self._part_run("STATE", "select cursor from {} where " + _OF_PART)
        if not found:
            return None
        return json.loads(found[0][0]) if found[0][0] else ItemPositions(self._items())

    def _items(self) -> Any:
        sql = f'select item, position from "{STATE_SCHEMA}"."ITEMS" where {_OF_PART}'
        with self.session.cursor(sql, *self._part) as cursor:
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from rows

    def keep_cursor(self, text: str | None, order: Order) -> None:
        """Store a position as JSON; None says that it is in `ITEMS`."""
        self._part_run("STATE", "delete from {} where " + _OF_PART)
        self.session.run(
            f'insert into "{STATE_SCHEMA}"."STATE" select ?, ?, ?, ?, ?, ?, current_timestamp()',
            *self._part,
            text,
            order.load_id,
            order.run_id,
        )

    def keep_items(self, incoming: str | None, *, adds: bool) -> None:
        """Take positions from a table, given by its name in SQL, over those of the same items."""
        of = "" if not adds else f" and item in (select item from {incoming})"
        self._part_run("ITEMS", "delete from {} where " + _OF_PART + of)
        if incoming:
            self.session.run(
                f'insert into "{STATE_SCHEMA}"."ITEMS" '
                f"select ?, ?, ?, item, position from {incoming}",
                *self._part,
            )

    def owned(self) -> Owned | None:
        """Whose the table is; None where that was never said."""
        found = self._run(
            "TABLES", "select connection, primary_key, mode from {} where " + _OF_TABLE
        )
        if not found or found[0][2] is None:
            return None
        connection, key, mode = found[0]
        return Owned(connection or "", tuple(json.loads(key)), mode)

    def columns(self) -> list[dict[str, Any]]:
        """What is remembered of the table's columns."""
        found = self._run("TABLES", "select columns from {} where " + _OF_TABLE)
        return json.loads(found[0][0]) if found and found[0][0] else []

    def keep_table(self, order: Order, columns: list[dict[str, Any]] | None) -> None:
        """Remember for whom, by which key and how the table is loaded, and its columns."""
        table = order.table
        kept = self.columns() if columns is None else columns
        self.session.run(
            f'update "{STATE_SCHEMA}"."TABLES" set connection = coalesce(nullif(?, \'\'), '
            f"connection), primary_key = ?, mode = ?, columns = ? where {_OF_TABLE}",
            table.claim.connection,
            json.dumps(table.primary_key),
            order.mode,
            json.dumps(kept),
            *self._key,
        )

    def taken(self, load_id: str) -> tuple[int, int] | None:
        """(received, rejected) of the load of this name, None if it has not been done here."""
        found = self.session.run(
            f'select received, rejected from "{STATE_SCHEMA}"."LOADS" '
            f"where load_id = ? and {_OF_PART}",
            load_id,
            *self._part,
        )
        if not found or not describe(self.session, self._table):
            return None
        return int(found[0][0]), int(found[0][1])

    def last_load(self) -> str:
        """The name of the load that came last into this part of the table, "" without any."""
        found = self._part_run(
            "LOADS", "select load_id from {} where " + _OF_PART + " order by number desc limit 1"
        )
        return str(found[0][0]) if found else ""

    def keep_load(self, load_id: str, mode: str, loaded: Loaded, *, run_id: str) -> None:
        last = self._part_run("LOADS", "select max(number) from {} where " + _OF_PART)
        number = int(last[0][0] or 0) + 1 if last else 1
        self.session.run(
            f'insert into "{STATE_SCHEMA}"."LOADS" '
            "select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, current_timestamp()",
            load_id,
            *self._part,
            mode,
            loaded.received,
            loaded.rejected,
            loaded.rows,
            run_id,
            number,
        )

    def _run(self, name: str, sql: str) -> list[tuple[Any, ...]]:
        return self.session.run(sql.format(f'"{STATE_SCHEMA}"."{name}"'), *self._key)

    def _part_run(self, name: str, sql: str) -> list[tuple[Any, ...]]:
        return self.session.run(sql.format(f'"{STATE_SCHEMA}"."{name}"'), *self._part)
