"""One load into DuckDB, from staged rows to the last statement before the commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from connector_assets.errors import RowsError
from connector_assets.json_keys import KEY_TWICE_FIX, have_keys_once
from connector_assets.load.columns.derived import derived
from connector_assets.load.columns.overflow import narrowed
from connector_assets.load.columns.plan import (
    NO_COLUMN,
    KeyColumn,
    Named,
    PlannedColumn,
    anew,
    plan,
)
from connector_assets.load.columns.policy import (
    Judge,
    KeyTwice,
    Misfit,
    allowed,
    first_misfit,
    left_out,
    split,
)
from connector_assets.load.columns.profile import chunks, profile
from connector_assets.load.duckdb.ahead import NewFile
from connector_assets.load.duckdb.declared import refused_declaration
from connector_assets.load.duckdb.errors import KEY_TWICE
from connector_assets.load.duckdb.insert import Dropped, NotTimes
from connector_assets.load.duckdb.owned import indexed_columns
from connector_assets.load.duckdb.rejected import write_rejected
from connector_assets.load.duckdb.shape import comment, comments_of
from connector_assets.load.duckdb.sql import store_type
from connector_assets.load.duckdb.state import DuckDBState
from connector_assets.load.duckdb.tables import (
    RESERVED,
    columns_of,
    count_of,
    describe,
    name_of,
    schema_of,
)
from connector_assets.load.duckdb.tuning import tune
from connector_assets.load.duckdb.write import DuckDBWrite
from connector_assets.load.files.store_names import column_names
from connector_assets.load.kinds import Kind, Profile
from connector_assets.load.order import Order
from connector_assets.load.table import Loaded, Segment, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Transaction = Callable[[], AbstractContextManager["DuckDBPyConnection"]]


@dataclass(slots=True)
class _Rows:
    """What is loaded in one attempt: rows that fit as far as known, and those that do not."""

    accepted: Sequence[Segment]
    found: Profile
    rejected: Segment | None = None


@dataclass(slots=True)
class Terms:
    """What a caller knows of a load besides its order.

    `stored` are the columns that the table has, where the file does not tell. `judges` set rows
    aside, and gain those that this load finds. With `keeps_all`, rows of one key stay, in order.
    `keeps_types` names columns whose type a load anew must not make narrower. Values of row keys in
    `drops` are left out where they do not fit; a load finds those. `is_final` says that the table
    is the one that people see, and is to be as they want it; `named` is how row keys become
    names of columns. `done` is a new file that has some of the rows. With `opens_json`, objects in
    the rows are to be stored as such, and not as the texts they came as.
    """

    stored: Sequence[KeyColumn] | None = None
    judges: list[Judge] = field(default_factory=list)
    keeps_all: bool = False
    keeps_types: frozenset[str] = frozenset()
    drops: set[str] = field(default_factory=set)
    is_final: bool = False
    named: Named = column_names
    done: NewFile | None = None
    opens_json: bool = False

    def keys(self, transaction: Transaction, table: Table) -> list[str]:
        """The row keys that have columns already."""
        if self.stored is not None:
            return [column.key for column in self.stored]
        with transaction() as connection:
            state = DuckDBState(connection, table)
            state.create()
            return [c.key for c in columns_of(connection, table, state.columns())]


@dataclass(frozen=True, slots=True)
class _Gathering:
    """Makes the rows of an attempt: without those set aside, with as many keys as get columns."""

    order: Order
    segments: Sequence[Segment]
    terms: Terms
    transaction: Transaction
    files: ExitStack

    def rows(self) -> _Rows:
        rows, rejected = self.segments, None
        if self.terms.judges:
            parts = split(self.segments, self.terms.judges, self.order.segments)
            found = self.files.enter_context(parts)
            rows, rejected = found.accepted, found.rejected
        return self._narrow(_Rows(rows, profile(rows, where=self.order.where), rejected))

    def _narrow(self, rows: _Rows) -> _Rows:
        table = self.order.table
        if table.overflow is None:
            return rows
        keys = self.terms.keys(self.transaction, table)
        few = self.files.enter_context(narrowed(table, rows.accepted, rows.found, keys))
        if few is rows.accepted:
            return rows
        return _Rows(few, profile(few, where=self.order.where), rows.rejected)


def load(  # one attempt after another, until nothing new turns out
    order: Order, transaction: Transaction, uri: str, terms: Terms | None = None
) -> Loaded:
    """Load in one transaction; what turns out only there starts another."""
    terms = terms or Terms()
    table = order.table
    if refused := refused_declaration(table, order.mode):
        raise refused
    with ExitStack() as files:
        segments = files.enter_context(derived(table, order.segments))

        found = _Gathering(order, segments, terms, transaction, files)
        rows = found.rows()
        while True:
            try:
                if terms.opens_json:
                    _require_keys_once(rows, order.where, terms)
                with transaction() as connection:
                    return _write(order, rows, connection, uri, terms)
            except Dropped as error:
                terms.drops.update(error.keys)
            except NotTimes as error:
                rows.found.shapes.update(dict.fromkeys(error.keys))
            except RowsError as error:
                known = any(isinstance(judge, KeyTwice) for judge in terms.judges)
                if known or table.schema_policy != "quarantine" or KEY_TWICE not in error.what:
                    raise
                terms.judges.append(KeyTwice(within=terms.opens_json))
                rows = found.rows()
            except Misfit as error:
                if table.schema_policy != "quarantine":
                    raise first_misfit(table, rows.accepted, error.judge) from None
                terms.judges.append(error.judge)
                rows = found.rows()


def _require_keys_once(rows: _Rows, where: str, terms: Terms) -> None:
    """Raise RowsError for an object in a row that has a key twice: one value would be lost."""
    is_nested = any(kinds & Kind.NESTED for kinds in rows.found.kinds.values())
    if not is_nested or any(isinstance(judge, KeyTwice) for judge in terms.judges):
        return
    judge, before = KeyTwice(within=True), 0
    for segment in rows.accepted:
        if segment.format == "ndjson":
            for lines in chunks(segment):
                found = [] if have_keys_once(lines) else lines.splitlines()
                for number, line in enumerate(found, before + 1):
                    if reason := judge(number, line):
                        what = f"row {number}: {reason}"
                        raise RowsError(what, where=where, fix=KEY_TWICE_FIX)
                before += lines.count(b"\n")


def _write(  # all of one attempt
    order: Order, rows: _Rows, connection: DuckDBPyConnection, uri: str, terms: Terms
) -> Loaded:
    table = order.table
    state = DuckDBState(connection, table)
    state.create()
    if order.load_id and (taken := state.taken(order.load_id)) is not None:
        return _loaded(table, connection, uri, *taken)
    order.require_last(state.last_load())
    if order.cursor is not None:
        state.move(order)
    stored = _stored(order, rows, connection, state, terms)
    rejected = rows.rejected.rows if rows.rejected else 0
    planned = _planned(table, stored, rows.found, terms)
    dropped: dict[str, int] = {}
    if planned:
        connection.execute(f"create schema if not exists {schema_of(connection, table)}")
        tune(connection, len(planned))
        comments = comments_of(connection, table)
        if terms.done:
            terms.done.finish(planned, rows.found, rows.accepted)
        else:
            prunes = not rejected and _prunes(order, state, planned)
            write = DuckDBWrite(
                connection, table, planned, rows.found, rows.accepted, is_final=terms.is_final
            )
            write.run(
                "merge" if prunes else order.way,
                is_all=order.is_all(rejected),
                keeps_all=terms.keeps_all,
                prunes=prunes,
            )
            dropped = {**write.dropped, **_left_out(table, planned, rows)}
        ours = [item.column for item in planned if item.is_ours]
        if terms.is_final:
            comment(connection, table, ours, comments)
        state.keep_columns(column for column in ours if column.key != table.deleted)
    state.keep_owned(order)
    if table.schema_policy == "quarantine":
        write_rejected(connection, table, rows.rejected, order.way)
    loaded = _loaded(table, connection, uri, rows.found.rows + rejected, rejected)
    loaded = replace(loaded, dropped=dropped)
    state.keep_load(order.kept_id, order.way, loaded, run_id=order.run_id)
    order.look()
    return loaded


def _stored(
    order: Order, rows: _Rows, connection: DuckDBPyConnection, state: DuckDBState, terms: Terms
) -> Sequence[KeyColumn]:
    """The columns that the table has, as far as this load keeps them."""
    table, stored = order.table, terms.stored
    if stored is None:
        stored = columns_of(connection, table, state.columns())
        if [column.key for column in stored] == [NO_COLUMN] and rows.found.kinds:
            connection.execute(f"drop table {name_of(connection, table)}")
            stored = []
    if not table.claim.full:
        return stored
    # DuckDB changes no column that an index is of, also where it was dropped a moment ago.
    keep = terms.keeps_types | indexed_columns(connection, table)
    return anew(stored, rows.found, keep)


def _planned(
    table: Table, stored: Sequence[KeyColumn], found: Profile, terms: Terms
) -> list[PlannedColumn]:
    items = allowed(table, plan(table, stored, found, store_type, RESERVED, terms.named))
    return [replace(item, drops=item.column.key in terms.drops) for item in items]


def _left_out(table: Table, planned: Sequence[PlannedColumn], rows: _Rows) -> dict[str, int]:
    """The values of keys that get no column, where that is no fault."""
    if table.on_misfit != "drop" or table.schema_policy == "evolve":
        return {}
    return left_out(planned, rows.found.kinds, rows.accepted)


def _prunes(order: Order, state: DuckDBState, planned: Sequence[PlannedColumn]) -> bool:
    """Whether a merge that is loaded anew changes what differs, instead of replacing all rows.

    It cannot where another key would find the rows, or where a type becomes a narrower one.
    """
    owned = state.owned()
    same_types = all(i.before is None or i.before.type == i.column.type for i in planned)
    return order.may_prune(owned.key if owned else None) and same_types


def _loaded(
    table: Table, connection: DuckDBPyConnection, uri: str, received: int, rejected: int
) -> Loaded:
    columns = [one for one in describe(connection, table) if one.name != NO_COLUMN]
    rows = count_of(connection, table) if columns else 0
    return Loaded(received, rows, columns, uri, rejected)
