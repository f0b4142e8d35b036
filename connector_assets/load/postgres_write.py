"""Typed rows into a PostgreSQL table, inside a transaction that someone else commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import Connection

from connector_assets.load.duckdb_sql import literal
from connector_assets.load.duckdb_tables import PARTITION, VALID_FROM, VALID_TO
from connector_assets.load.duckdb_typed import Rows
from connector_assets.load.plan import KeyColumn
from connector_assets.load.postgres_changes import require_old_fit
from connector_assets.load.postgres_sql import (
    pg_name,
    pg_quoted,
    pg_table,
    pg_type,
    pg_widened,
)
from connector_assets.load.postgres_tables import describe
from connector_assets.load.table import Table, WriteMode

_INCOMING = "connector_assets_incoming"
_CHUNK = 1 << 20


class Write:
    """One write of one table: bring its columns up to date, copy rows in, apply them by mode."""

    def __init__(
        self,
        connection: Connection[Any],
        table: Table,
        rows: Rows,
        names: Mapping[str, str],
        declared: Collection[str] = (),
    ) -> None:
        """`names` maps row keys to column names, `declared` are those whose type is given."""
        self._connection, self._table, self._rows, self._names = connection, table, rows, names
        self._target = pg_table(table)
        self._declared = declared
        gone = names.get(table.deleted) if table.deleted else None
        self._gone = gone if gone in rows.types else None

    def run(self, mode: WriteMode, stored: Sequence[KeyColumn], *, is_all: bool) -> None:
        """Write the rows; `is_all` says that the source has no others, for scd2."""
        own = {}
        if mode == "replace" and self._table.partition is not None:
            own[PARTITION] = "VARCHAR"
        if mode == "scd2":
            own |= dict.fromkeys((VALID_FROM, VALID_TO), "TIMESTAMP WITH TIME ZONE")
        if mode == "replace" and not own:
            # First, or they would have to fit; not truncate: readers would see an empty table.
            self._clear()
        self._evolve(stored, own)
        self._copy()
        if self._table.primary_key and mode != "append":
            self._keep_last()
        if mode == "scd2":
            self._make_versions(is_all=is_all)
            self._insert({VALID_FROM: "now()"})
            return
        if mode == "replace" and own:
            part = literal(self._table.partition or "")
            self._execute(f"delete from {self._target} where {PARTITION} = {part}")
        if self._table.primary_key and mode != "append":
            same = self._same()
            self._execute(f"delete from {self._target} old using {_INCOMING} new where {same}")
        if self._gone:
            self._execute(f"delete from {_INCOMING} where {pg_quoted(self._gone)}")
        self._insert({PARTITION: literal(self._table.partition or "")} if own else {})

    def _clear(self) -> None:
        if describe(self._connection, self._table):
            self._execute(f"delete from {self._target}")

    def _evolve(self, stored: Sequence[KeyColumn], own: Mapping[str, str]) -> None:
        """Make the table, or change what has to be changed in one go: it may rewrite all rows."""
        wanted = {**self._data(), **own}
        now = {column.name for column in describe(self._connection, self._table)}
        if not now:
            self._create(wanted)
            return
        changes = [
            f"add column {pg_quoted(name)} {pg_type(type_)}"
            for name, type_ in wanted.items()
            if pg_name(name) not in now
        ]
        changes += self._changes(stored, wanted)
        if changes:
            self._execute(f"alter table {self._target} {', '.join(changes)}")

    def _changes(self, stored: Sequence[KeyColumn], wanted: Mapping[str, str]) -> list[str]:
        """What turns columns into their new types, once it is known that old values fit."""
        changes = [
            (before, replace(before, type=type_, fixed=before.name in self._declared))
            for before in stored
            if (type_ := wanted.get(before.name)) and pg_type(before.type) != pg_type(type_)
        ]
        declared = [(before, after) for before, after in changes if after.fixed]
        require_old_fit(self._connection, self._table, declared)
        return [
            f"alter column {pg_quoted(after.name)} type {pg_type(after.type)} "
            f"using {pg_widened(before, after.type)}"
            for before, after in changes
        ]

    def _create(self, columns: Mapping[str, str]) -> None:
        schema = self._connection.execute(
            "select from pg_namespace where nspname = %s", [pg_name(self._table.schema)]
        ).fetchone()
        if schema is None:
            # "if not exists" is not safe against another load that is just creating it.
            self._connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"connector_assets:{self._table.schema}"],
            )
            self._execute(f"create schema if not exists {pg_quoted(self._table.schema)}")
        typed = (f"{pg_quoted(name)} {pg_type(type_)}" for name, type_ in columns.items())
        self._execute(f"create table {self._target} ({', '.join(typed)})")

    def _copy(self) -> None:
        """Copy the CSV into a table of this transaction only, whose types are the target's."""
        columns = ", ".join(
            f"null::boolean {pg_quoted(name)}" if name == self._gone else pg_quoted(name)
            for name in self._rows.types
        )
        self._execute(
            f"create temp table {_INCOMING} on commit drop as "
            f"select {columns} from {self._target} with no data"
        )
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"copy {_INCOMING} from stdin (format csv)".encode()) as copy,
            self._rows.path.open("rb") as file,
        ):
            while chunk := file.read(_CHUNK):
                copy.write(chunk)

    def _keep_last(self) -> None:
        """Of new rows with one key, the last: keys that differ as texts may be one as jsonb."""
        keys = [self._names[key] for key in self._table.primary_key]
        if any(pg_type(self._rows.types[name]) == "jsonb" for name in keys):
            # Rows of one copy into a new table stand there in their order.
            self._execute(
                f"delete from {_INCOMING} old using {_INCOMING} new "
                f"where {self._same()} and old.ctid < new.ctid"
            )

    def _insert(self, more: Mapping[str, str]) -> None:
        names = ", ".join(pg_quoted(name) for name in (*self._data(), *more))
        values = ", ".join([*(pg_quoted(name) for name in self._data()), *more.values()])
        self._execute(f"insert into {self._target} ({names}) select {values} from {_INCOMING}")
        self._execute(f"drop table {_INCOMING}")

    def _make_versions(self, *, is_all: bool) -> None:
        """Keep history: close the versions that changed or went, drop rows that did not change.

        With `is_all`, a key that did not come is gone as well.
        """
        same, current = self._same(), f"old.{VALID_TO} is null"
        stays = f"and not coalesce(new.{pg_quoted(self._gone)}, false)" if self._gone else ""
        equal = " and ".join(
            f"new.{pg_quoted(name)} is not distinct from old.{pg_quoted(name)}"
            for name in self._data()
        )
        close = f"update {self._target} old set {VALID_TO} = now() where {current}"
        new = f"(select 1 from {_INCOMING} new where {same}"
        if is_all:
            self._execute(f"{close} and not exists {new} {stays})")
        self._execute(
            f"delete from {_INCOMING} new using {self._target} old "
            f"where {current} and {same} and {equal} {stays}"
        )
        self._execute(f"{close} and exists {new})")
        if self._gone:
            self._execute(f"delete from {_INCOMING} where {pg_quoted(self._gone)}")

    def _same(self) -> str:
        keys = [pg_quoted(self._names[key]) for key in self._table.primary_key]
        return " and ".join(f"new.{key} = old.{key}" for key in keys)

    def _data(self) -> dict[str, str]:
        return {name: type_ for name, type_ in self._rows.types.items() if name != self._gone}

    def _execute(self, statement: str) -> None:
        self._connection.execute(statement.encode())
