"""One load into DuckDB, from staged rows to the last statement before the commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector_assets.errors import LoadError
from connector_assets.load.derived import derived
from connector_assets.load.duckdb_insert import NotTimes
from connector_assets.load.duckdb_rejected import write_rejected
from connector_assets.load.duckdb_sql import store_type
from connector_assets.load.duckdb_state import State
from connector_assets.load.duckdb_tables import (
    RESERVED,
    columns_of,
    count_of,
    describe,
    schema_of,
)
from connector_assets.load.duckdb_tuning import tune
from connector_assets.load.duckdb_write import Write
from connector_assets.load.kinds import Profile
from connector_assets.load.plan import plan
from connector_assets.load.policy import Judge, Misfit, allowed, first_misfit, split
from connector_assets.load.profile import profile
from connector_assets.load.table import Cursor, Loaded, Segment, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Transaction = Callable[[], AbstractContextManager["DuckDBPyConnection"]]


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller of `load` asks for."""

    table: Table
    segments: Sequence[Segment]
    mode: WriteMode
    cursor: Cursor | None
    fence: Callable[[], None] | None
    run_id: str
    uri: str

    @property
    def load_id(self) -> str:
        return self.segments[0].load_id if self.segments else ""

    def is_all(self, rejected: int) -> bool:
        """Whether a key that no row has is gone; it is not if it may be among those set aside."""
        return not rejected and (self.cursor is None or self.cursor.is_all)


@dataclass(slots=True)
class _Rows:
    """What is loaded in one attempt: rows that fit as far as known, and those that do not."""

    accepted: Sequence[Segment]
    found: Profile
    rejected: Segment | None = None


def require_key(table: Table, mode: WriteMode) -> None:
    if mode in {"merge", "scd2"} and not table.primary_key:
        where = f"{table.schema}.{table.name}"
        raise LoadError(f"{mode} needs a key", where=where, fix="declare primaryKey")


def load(order: Order, transaction: Transaction) -> Loaded:
    """Load in one transaction; what turns out only there starts another."""
    table, where = order.table, f"{order.table.schema}.{order.table.name}"
    judges: list[Judge] = []
    with ExitStack() as files:
        segments = files.enter_context(derived(table, order.segments))
        rows = _Rows(segments, profile(segments, where=where))
        while True:
            try:
                with transaction() as connection:
                    return _write(order, rows, connection)
            except NotTimes as error:
                rows.found.shapes.update(dict.fromkeys(error.keys))
            except Misfit as error:
                if table.schema_policy != "quarantine":
                    raise first_misfit(table, rows.accepted, error.judge) from None
                judges.append(error.judge)
                parts = files.enter_context(split(segments, judges, order.segments))
                rows = _Rows(parts.accepted, profile(parts.accepted, where=where), parts.rejected)


def _write(order: Order, rows: _Rows, connection: DuckDBPyConnection) -> Loaded:
    table = order.table
    state = State(connection, table)
    state.create()
    if order.load_id and (taken := state.taken(order.load_id)) is not None:
        return _loaded(order, connection, *taken)
    if order.cursor is not None:
        state.move(order.cursor, load_id=order.load_id, run_id=order.run_id)
    stored = columns_of(connection, state, table)
    rejected = rows.rejected.rows if rows.rejected else 0
    planned = allowed(table, plan(table, stored, rows.found, store_type, RESERVED))
    if planned:
        connection.execute(f"create schema if not exists {schema_of(connection, table)}")
        tune(connection, len(planned))
        write = Write(connection, table, planned, rows.found, rows.accepted)
        write.run(order.mode, is_all=order.is_all(rejected))
        kept = [item.column for item in planned if item.column.key != table.deleted]
        state.keep_columns(kept)
    if table.schema_policy == "quarantine":
        write_rejected(connection, table, rows.rejected, order.mode)
    loaded = _loaded(order, connection, rows.found.rows + rejected, rejected)
    if order.load_id:
        state.keep_load(order.load_id, order.mode, loaded, run_id=order.run_id)
    if order.fence is not None:
        order.fence()
    return loaded


def _loaded(order: Order, connection: DuckDBPyConnection, received: int, rejected: int) -> Loaded:
    columns = describe(connection, order.table)
    rows = count_of(connection, order.table) if columns else 0
    return Loaded(received, rows, columns, order.uri, rejected)
