"""Rows from segments into a DuckDB table, inside a transaction that someone else commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.load.duckdb_changes import changed, require_fit
from connector_assets.load.duckdb_insert import Insert
from connector_assets.load.duckdb_new_rows import NewRows
from connector_assets.load.duckdb_sql import literal, quoted
from connector_assets.load.duckdb_tables import (
    OWN_COLUMNS,
    PARTITION,
    VALID_FROM,
    VALID_TO,
    name_of,
)
from connector_assets.load.kinds import Profile
from connector_assets.load.plan import KeyColumn, Planned
from connector_assets.load.table import Segment, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB's unit of work: up to here order costs nothing, and a reader likes the first row first.
_ROW_GROUP = 122_880


class Write:
    """One write of one table; `run` is the whole of it."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        table: Table,
        planned: Sequence[Planned],
        found: Profile,
        segments: Sequence[Segment],
    ) -> None:
        self._connection, self._table = connection, table
        self._planned, self._found, self._segments = planned, found, segments
        self._where = f"{table.schema}.{table.name}"
        self._target = name_of(connection, table)
        self._own: list[str] = []

    def run(self, mode: WriteMode, *, is_all: bool) -> None:
        """Write the rows; `is_all` says that the source has no others, for scd2."""
        table = self._table
        constants = {}
        if mode == "replace" and table.partition is not None:
            constants[PARTITION] = table.partition
            self._own = [PARTITION]
        elif mode == "scd2":
            self._own = [VALID_FROM, VALID_TO]
        if mode == "replace" and not constants:
            self._create("create or replace table")
        else:
            self._create("create table if not exists")
            self._evolve()
        # By key, the order of rows tells what came last.
        by_key = mode != "append" and bool(table.primary_key)
        last = self._last_row()
        for name, value in constants.items():
            self._execute(f"delete from {self._target} where {name} = {literal(value)}")
        if self._found.rows:
            ordered = by_key or self._found.rows <= _ROW_GROUP
            insert = Insert(self._connection, table, self._planned, self._found, ordered=ordered)
            insert.run(self._target, self._segments, constants)
        if by_key:
            rows = NewRows(self._connection, table, self._key(), last)
            rows.require_key()
            rows.keep_last()
            if mode == "scd2":
                rows.make_versions(self._data(), self._gone(), is_all=is_all)
            else:
                rows.replace_older()
        if self._gone():
            self._execute(f"delete from {self._target} where rowid > {last} and {self._gone()}")
            self._execute(f"alter table {self._target} drop column {self._gone()}")

    def _create(self, create: str) -> None:
        types = {item.column.name: item.column.type for item in self._planned}
        columns = ", ".join(
            f"{quoted(name)} {type_}" for name, type_ in {**types, **self._own_types()}.items()
        )
        self._execute(f"{create} {self._target} ({columns})")

    def _evolve(self) -> None:
        add = f"alter table {self._target} add column if not exists"
        for item in self._planned:
            name, type_ = quoted(item.column.name), item.column.type
            if item.before is None:
                self._execute(f"{add} {name} {type_}")
            elif item.before.type != type_:
                self._change(item.before, item.column)
        for name, type_ in self._own_types().items():
            self._execute(f"{add} {quoted(name)} {type_}")

    def _change(self, before: KeyColumn, after: KeyColumn) -> None:
        cast = changed(before, after)
        require_fit(self._connection, self._target, cast, after, where=self._where)
        self._execute(
            f"alter table {self._target} alter {quoted(after.name)} type {after.type} "
            f"using {cast.value}"
        )

    def _own_types(self) -> dict[str, str]:
        return {name: OWN_COLUMNS[name] for name in self._own}

    def _gone(self) -> str:
        """The column of rows that say "this key is gone", if any row has it."""
        key = self._table.deleted
        return next((quoted(i.column.name) for i in self._planned if i.column.key == key), "")

    def _data(self) -> list[KeyColumn]:
        return [i.column for i in self._planned if i.column.key != self._table.deleted]

    def _last_row(self) -> int:
        """The highest rowid now; rows inserted from here on have higher ones, in their order."""
        return int(self._execute(f"select coalesce(max(rowid), -1) from {self._target}")[0][0])

    def _key(self) -> list[KeyColumn]:
        columns = {item.column.key: item.column for item in self._planned}
        return [columns[key] for key in self._table.primary_key]

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()
