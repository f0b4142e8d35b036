"""Rows from segments into a DuckDB table, inside a transaction that someone else commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.load.columns.plan import KeyColumn, PlannedColumn
from connector_assets.load.duckdb.casts import Cast
from connector_assets.load.duckdb.changes import changed, require_fit
from connector_assets.load.duckdb.insert import Insert
from connector_assets.load.duckdb.new_rows import NewRows
from connector_assets.load.duckdb.owned import indexed_columns, is_plain, without_indexes
from connector_assets.load.duckdb.shape import constrain
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.tables import (
    OWN_COLUMNS,
    PARTITION,
    VALID_FROM,
    VALID_TO,
    name_of,
)
from connector_assets.load.duckdb.upsert import INCOMING, DuckDBUpsert
from connector_assets.load.kinds import Profile
from connector_assets.load.table import (
    LOAD_COLUMNS,
    LOAD_ID,
    LOADED_AT,
    Segment,
    Table,
    WriteMode,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB's unit of work: up to here order costs nothing, and a reader likes the first row first.
_ROW_GROUP = 122_880


class DuckDBWrite:
    """One write of one table; `run` is the whole of it."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        table: Table,
        planned: Sequence[PlannedColumn],
        found: Profile,
        segments: Sequence[Segment],
        *,
        is_final: bool = False,
    ) -> None:
        """With `is_final` the table gets the constraints and indexes that are wanted of it."""
        self._connection, self._table = connection, table
        self._planned, self._found, self._segments = planned, found, segments
        self._where = f"{table.schema}.{table.name}"
        self._target = name_of(connection, table)
        self._own: list[str] = []
        self._is_final = is_final
        self.dropped: dict[str, int] = {}

    def create(self) -> None:
        """Make the table, in a file that has none."""
        self._create("create table")

    def insert(self, mode: WriteMode) -> None:
        """Insert more rows of a first load, which `end` ends."""
        self._insert(self._target, {}, ordered=self._is_by_key(mode))

    def end(self, mode: WriteMode) -> None:
        """End a first load, of which all rows are inserted."""
        if self._is_by_key(mode):
            self._by_key(mode, -1, is_all=False, keeps_all=False)

    def _is_by_key(self, mode: WriteMode) -> bool:
        """Whether the order of rows tells what came last."""
        return mode != "append" and bool(self._table.primary_key)

    def run(
        self, mode: WriteMode, *, is_all: bool, keeps_all: bool = False, prunes: bool = False
    ) -> None:
        """Write the rows.

        `is_all` says that the source has no others, for scd2. With `keeps_all`, rows of one key
        stay side by side, in their order; with `prunes`, a merge deletes keys that did not come.
        """
        part = self._table.partition if mode == "replace" else None
        self._own = [PARTITION] if part is not None else []
        if mode == "scd2":
            self._own = [VALID_FROM, VALID_TO]
        self._prepare(replaces=mode == "replace" and part is None)
        by_key = self._is_by_key(mode)
        last = self._last_row()
        if by_key and mode != "scd2" and part is None and self._is_upsert(last):
            self._upsert(prunes=prunes)
            return
        if part is not None:
            self._execute(f"delete from {self._target} where {PARTITION} = {literal(part)}")
        if self._gone():
            self._execute(f"alter table {self._target} add column {self._gone()} boolean")
        constants = {PARTITION: part} if part is not None else {}
        self._insert(self._target, constants, ordered=by_key or keeps_all)
        if by_key:
            self._by_key(mode, last, is_all=is_all, keeps_all=keeps_all)
        if self._gone():
            self._execute(f"delete from {self._target} where rowid > {last} and {self._gone()}")
            self._execute(f"alter table {self._target} drop column {self._gone()}")

    def _by_key(self, mode: WriteMode, last: int, *, is_all: bool, keeps_all: bool) -> None:
        """What happens to rows behind `last`, which were just inserted, and to those before."""
        rows = NewRows(self._connection, self._table, self._target, self._key(), last)
        rows.require_key()
        if keeps_all:
            return
        rows.keep_last()
        if mode == "scd2":
            compared = [c for c in self._data() if c.key not in LOAD_COLUMNS]
            rows.make_versions(compared, self._gone(), is_all=is_all)
        else:
            rows.replace_older()

    def _prepare(self, *, replaces: bool) -> None:
        """Have the table with its columns as planned; empty, if it is to be replaced."""
        self._make(replaces=replaces)
        if self._is_final:
            constrain(self._connection, self._table, self._all_data())

    def _make(self, *, replaces: bool) -> None:
        if replaces and is_plain(self._connection, self._table) and not self._has_by_hand():
            self._create("create or replace table")
            return
        self._create("create table if not exists")
        self._evolve(replaces=replaces)
        if replaces:
            self._execute(f"delete from {self._target}")

    def _has_by_hand(self) -> bool:
        return any(item.before and item.before.by_hand for item in self._planned)

    def _is_upsert(self, last: int) -> bool:
        """Whether new rows cannot stand in the table beside those that they replace."""
        return last >= 0 or bool(self._gone()) or bool(self._indexed())

    def _indexed(self) -> frozenset[str]:
        return indexed_columns(self._connection, self._table)

    def _insert(self, target: str, constants: Mapping[str, str], *, ordered: bool) -> None:
        if not self._found.rows:
            return
        ordered = ordered or self._found.rows <= _ROW_GROUP
        insert = Insert(self._connection, self._table, self._planned, self._found, ordered=ordered)
        insert.run(target, self._segments, {**constants, **self._load_values()})
        self.dropped = insert.dropped

    def _load_values(self) -> dict[str, str]:
        """What the columns about the load hold in each of its rows, by column."""
        names = {item.column.key: item.column.name for item in self._planned}
        values = {
            LOADED_AT: self._execute("select now()::varchar")[0][0],
            LOAD_ID: self._segments[0].load_id if self._segments else "",
        }
        return {names[key]: values[key] for key in self._table.wanted.load_columns}

    def _upsert(self, *, prunes: bool) -> None:
        """Put the rows into a table of their own first, and from there what differs into ours."""
        columns = [item.column for item in self._planned if item.is_ours]
        typed = ", ".join(f"{quoted(column.name)} {column.type}" for column in columns)
        self._execute(f"create or replace temp table {INCOMING} ({typed})")
        self._insert(INCOMING, {}, ordered=True)
        rows = NewRows(self._connection, self._table, INCOMING, self._key(), -1)
        rows.require_key()
        rows.keep_last()
        data = [column for column in columns if column.key != self._table.deleted]
        upsert = DuckDBUpsert(
            self._connection, self._target, self._key(), data, self._indexed(), gone=self._gone()
        )
        upsert.run(prunes=prunes)
        self._execute(f"drop table {INCOMING}")

    def _create(self, create: str) -> None:
        types = {column.name: column.type for column in self._all_data()}
        columns = ", ".join(
            f"{quoted(name)} {type_}" for name, type_ in {**types, **self._own_types()}.items()
        )
        self._execute(f"{create} {self._target} ({columns})")

    def _evolve(self, *, replaces: bool) -> None:
        add = f"alter table {self._target} add column if not exists"
        changes = []
        for item in self._planned:
            name, type_ = quoted(item.column.name), item.column.type
            if item.before is None and item.column.key != self._table.deleted:
                self._execute(f"{add} {name} {type_}")
            elif item.before is not None and item.before.type != type_:
                changes.append((item.before, item.column))
        for name, type_ in self._own_types().items():
            self._execute(f"{add} {quoted(name)} {type_}")
        if changes:
            with without_indexes(self._connection, self._table):
                for before, after in changes:
                    self._change(before, after, keeps=not replaces)

    def _change(self, before: KeyColumn, after: KeyColumn, *, keeps: bool) -> None:
        cast = changed(before, after) if keeps else Cast("NULL")
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

    def _all_data(self) -> list[KeyColumn]:
        return [i.column for i in self._planned if i.column.key != self._table.deleted]

    def _data(self) -> list[KeyColumn]:
        """What is written, and compared."""
        deleted = self._table.deleted
        return [i.column for i in self._planned if i.is_ours and i.column.key != deleted]

    def _last_row(self) -> int:
        """The highest rowid now; rows inserted from here on have higher ones, in their order."""
        return int(self._execute(f"select coalesce(max(rowid), -1) from {self._target}")[0][0])

    def _key(self) -> list[KeyColumn]:
        columns = {item.column.key: item.column for item in self._planned}
        return [columns[key] for key in self._table.primary_key]

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()
