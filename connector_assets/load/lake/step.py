"""One load into a table in a lake: worked out in a scratch DuckDB file, and told as one change.

The file runs the same code as any load into DuckDB, on as little of the table as will do: nothing
of it for rows that are added, the rows of the keys that came for those that are merged. Only where
a column's type widens, all of it: files are never changed, so they are all written anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from connector_assets.load.duckdb.load import Terms, load
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import quoted
from connector_assets.load.duckdb.tables import (
    OWN_COLUMNS,
    PARTITION,
    VALID_FROM,
    count_of,
    describe,
    name_of,
    schema_of,
)
from connector_assets.load.duckdb.typed import REJECTED, with_deleted
from connector_assets.load.lake.affected import (
    GONE,
    Affected,
    all_rows,
    changed_rows,
    moved_rows,
)
from connector_assets.load.lake.facts import Facts, taken_facts
from connector_assets.load.lake.store import Change, LakeFormat, ScratchRows, Snapshot, Way
from connector_assets.load.lake.stored import safe_names
from connector_assets.load.order import Order
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Fill = Callable[["DuckDBPyConnection"], None]


@dataclass(frozen=True, slots=True)
class Pass:
    """A scratch file after a load, and what it did; `before` are the types it began with."""

    path: Path
    before: Mapping[str, str]
    types: Mapping[str, str]
    facts: Facts
    received: int
    rejected: int
    dropped: Mapping[str, int]

    @property
    def widened(self) -> list[str]:
        """Columns that are of another type now, or gone."""
        return [name for name, type_ in self.before.items() if self.types.get(name) != type_]


@dataclass(frozen=True, slots=True)
class LakePlan:
    """A change of the table, what to add to its rejects, and what to tell of the load."""

    change: Change
    rejects: ScratchRows | None
    received: int
    rejected: int
    notes: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


class LakeLoad:
    """From one state of a table to the next; `plan` is the whole of it."""

    def __init__(self, order: Order, before: Snapshot, lake: LakeFormat, folder: Path) -> None:
        self._order = replace(order, fence=None)
        self._before, self._lake, self._folder = before, lake, folder
        self._storing = lake.storing
        self._types = restored_types(before, lake)
        self._is_empty = before.columns is None or not before.count()

    def plan(self) -> LakePlan:
        """Work the change out; raises what the load raises."""
        order, table = self._order, self._order.table
        is_part = order.way == "replace" and table.partition is not None
        if order.way in {"merge", "scd2"} and not self._is_empty:
            return self._by_key()
        done = self._pass(order, self._before.facts)
        if order.way == "replace" and not is_part:
            return self._planned(done, self._change(done, "replace"))
        if done.widened and not self._is_empty:
            return self._whole(done)
        if done.widened:
            return self._planned(done, self._change(done, "replace"))
        if is_part and table.primary_key and not self._is_empty:
            return self._moved(done)
        return self._planned(done, self._change(done, self._part() if is_part else "append"))

    def _by_key(self) -> LakePlan:
        """Look which keys come, take their rows out of the table, and load on those."""
        probe = self._probe()
        begins_history = self._order.way == "scd2" and VALID_FROM not in self._types
        if probe.widened or begins_history:
            return self._whole(probe)
        affected = Affected.of(self._order, self._types, probe.path, rejected=probe.rejected)
        done = self._pass(
            self._order, self._before.facts, lambda c: affected.restore(c, self._before)
        )
        if done.widened:
            return self._whole(done)
        ids = affected.ids
        with scratch(done.path, where=self._order.where) as connection:
            added, gone = changed_rows(
                connection, self._order.table, ids, done.types, self._storing
            )
        change = self._change(done, "append", rows=self._rows(done, added, done.types))
        if gone:
            rows = self._gone(done, ids, gone)
            change = replace(change, way="part", gone=rows, bounds=affected.bounds)
        return self._planned(done, change)

    def _probe(self) -> Pass:
        """The new rows alone, those that delete a key among them, as a table of their own."""
        table = with_deleted(self._order.table)
        segments = [replace(segment, load_id="") for segment in self._order.segments]
        order = replace(self._order, table=table, mode="merge", segments=segments, cursor=None)
        facts = Facts({"columns": self._before.facts.state.get("columns", [])})
        return self._pass(order, facts)

    def _part(self) -> Way:
        """How a partition comes: a table that never had one has nothing that it would replace."""
        return "part" if PARTITION in self._types and not self._is_empty else "append"

    def _moved(self, done: Pass) -> LakePlan:
        """A partition by key: rows of its keys that are in other partitions go."""
        table, ids = self._order.table, self._ids(done)
        with scratch(done.path, where=self._order.where) as connection:
            gone = moved_rows(connection, table, ids, self._types, self._before)
        change = self._change(done, self._part())
        if not gone:
            return self._planned(done, change)
        if gone > self._lake.most_gone_in_part or PARTITION not in self._types:
            return self._whole(done)
        return self._planned(done, replace(change, gone=self._gone(done, ids, gone)))

    def _whole(self, seen: Pass) -> LakePlan:
        """Load on all of the table, and write it anew."""
        done = self._pass(self._order, self._before.facts, lambda c: all_rows(c, *self._source()))
        names = ", ".join(quoted(name) for name in (done.widened or seen.widened)[:5])
        why = f"the types of {names} changed" if names else "many keys have changed partitions"
        note = f"the whole table was written anew, since {why}"
        return self._planned(done, self._change(done, "replace"), note)

    def _source(self) -> tuple[Table, Mapping[str, str], Snapshot]:
        return self._order.table, self._types, self._before

    def _pass(self, order: Order, facts: Facts, fill: Fill | None = None) -> Pass:
        table, where = order.table, order.where
        path = self._folder / f"{uuid.uuid4().hex}.duckdb"
        with scratch(path, where=where) as connection:
            facts.restore(connection)
            if self._types:
                columns = ", ".join(f"{quoted(n)} {t}" for n, t in self._types.items())
                connection.execute(f"create schema if not exists {schema_of(connection, table)}")
                connection.execute(f"create table {name_of(connection, table)} ({columns})")
            if fill is not None:
                fill(connection)
        terms = Terms(named=safe_names)
        loaded = load(order, lambda: scratch(path, where=where), self._lake.uri, terms)
        with scratch(path, where=where) as connection:
            types = {one.name: one.type for one in describe(connection, table)}
            after = taken_facts(connection, path.parent)
        return Pass(
            path, self._types, types, after, loaded.received, loaded.rejected, loaded.dropped
        )

    def _change(self, done: Pass, way: Way, rows: ScratchRows | None = None) -> Change:
        """All rows of the scratch file as a change."""
        table, types = self._order.table, self._written(done, way)
        if rows is None:
            with scratch(done.path, where=self._order.where) as connection:
                name, count = name_of(connection, table), count_of(connection, table)
            rows = ScratchRows(
                done.path,
                f"select {self._storing.values(types)} from {name}",
                {name: self._storing.type(type_) for name, type_ in types.items()},
                count,
                self._order.where,
            )
        columns = {name: self._storing.type(type_) for name, type_ in done.types.items()}
        part = table.partition if way == "part" else None
        blind = self._order.way == "append" and way == "append"
        return Change(way, rows, columns, done.facts, self._order.load_id, part, blind=blind)

    def _written(self, done: Pass, way: str) -> dict[str, str]:
        """What is written of each row: a column of a person's has a default, perhaps."""
        names = list(done.types)
        if PARTITION in names and PARTITION not in self._types:
            names = [PARTITION, *(name for name in names if name != PARTITION)]  # for statistics
        ours = {*done.facts.types(), *OWN_COLUMNS}
        if way != "replace":
            names = [name for name in names if name in ours] or names
        return {name: done.types[name] for name in names}

    def _rows(self, done: Pass, sql: str, types: Mapping[str, str]) -> ScratchRows:
        with scratch(done.path, where=self._order.where) as connection:
            count = connection.execute(f"select count(*) from ({sql})").fetchall()[0][0]
        stored = {name: self._storing.type(type_) for name, type_ in types.items()}
        return ScratchRows(done.path, sql, stored, count, self._order.where)

    def _gone(self, done: Pass, ids: list[str], count: int) -> ScratchRows:
        types = {name: self._storing.type(self._types[name]) for name in ids}
        return ScratchRows(done.path, f"from {GONE}", types, count, self._order.where)

    def _ids(self, done: Pass) -> list[str]:
        columns = {row["key"]: row["column_name"] for row in done.facts.state["columns"]}
        return [columns[key] for key in self._order.table.primary_key]

    def _planned(self, done: Pass, change: Change, *notes: str) -> LakePlan:
        return LakePlan(
            change, self._rejects(done), done.received, done.rejected, notes, done.dropped
        )

    def _rejects(self, done: Pass) -> ScratchRows | None:
        table = self._order.table
        if table.schema_policy != "quarantine":
            return None
        rejects = replace(table, name=table.name + REJECTED)
        with scratch(done.path, where=self._order.where) as connection:
            types = {one.name: one.type for one in describe(connection, rejects)}
            sql = f"select {self._storing.values(types)} from {name_of(connection, rejects)}"
        return self._rows(done, sql, types)


def restored_types(before: Snapshot, lake: LakeFormat) -> dict[str, str]:
    """DuckDB's types of a table's columns: what is remembered, unless somebody changed it."""
    remembered = {**OWN_COLUMNS, **before.facts.types()}
    return {
        name: known
        if (known := remembered.get(name)) and lake.storing.type(known) == actual
        else actual
        for name, actual in (before.columns or {}).items()
    }
