"""PostgreSQL as a destination: rows are typed by DuckDB, copied in, and applied in one transaction.

Any number of machines may load: an advisory lock keeps two loads of one table apart, and readers
see the old rows until the commit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.columns.policy import HasNul, Judge, Misfit
from connector_assets.load.destination import Capabilities
from connector_assets.load.duckdb.declared import refused_declaration
from connector_assets.load.duckdb.load import Terms
from connector_assets.load.duckdb.tuning import with_enough_memory
from connector_assets.load.duckdb.typed import Typed
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.order import Order
from connector_assets.load.ownership import (
    REJECTED,
    refused_as_rejects,
    refused_rejects,
    refused_table,
)
from connector_assets.load.postgres.errors import OVERFLOW_FIX
from connector_assets.load.postgres.exact import Chosen
from connector_assets.load.postgres.read import keys_of, query
from connector_assets.load.postgres.server import Connection, Database
from connector_assets.load.postgres.shape import shape
from connector_assets.load.postgres.sql import MOST_COLUMNS, NUL, pg_table, pg_type
from connector_assets.load.postgres.state import PostgresState
from connector_assets.load.postgres.tables import (
    chosen_of,
    columns_of,
    count_of,
    describe,
    kept_column,
    look,
    names_of,
    viewed_columns,
)
from connector_assets.load.postgres.typed import typed_csv
from connector_assets.load.postgres.write import PostgresWrite, RejectsWrite
from connector_assets.load.table import Column, Loaded, Table, WriteMode


class PostgresDestination:
    """Tables in a PostgreSQL database, given as a libpq URL.

    `wait_s` is how long to wait for others who load or use the table, before Busy.
    """

    def __init__(
        self,
        url: str,
        *,
        wait_s: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = Database(url, wait_s=wait_s, sleep=sleep, monotonic=monotonic)

    def __repr__(self) -> str:
        return f"PostgresDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        """The database's address, without user and password."""
        return self._server.uri

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(nul=False)

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error of what is declared, or of what is there, if a load could only end in it."""
        if refused := refused_declaration(table, mode):
            return refused
        with self._reading() as connection:
            return _refused(PostgresState(connection, table), table, mode)

    def load(self, order: Order) -> Loaded:
        """Put the order's rows into its table, or change nothing and raise LoadError."""
        return with_enough_memory(lambda: self._load(order))

    def _load(self, order: Order) -> Loaded:
        table = order.table
        if refused := refused_declaration(table, order.mode):
            raise refused
        with (
            self._server.locked(order.where, order.run_id) as connection,
            scratch_folder() as folder,
        ):
            state = PostgresState(connection, table)
            state.create()
            if order.load_id and (taken := state.taken(order.load_id)) is not None:
                return _loaded(table, connection, self.uri, *taken)
            if refused := _refused(state, table, order.mode):
                raise refused
            stored = columns_of(connection, table, state.columns())
            chosen = chosen_of(connection, table, stored)
            viewed = viewed_columns(connection, table)
            terms = Terms(stored, keeps_all=bool(chosen), keeps_types=viewed, opens_json=True)
            while True:
                attempt = Path(tempfile.mkdtemp(dir=folder))
                try:
                    # No transaction is open meanwhile: it may take minutes.
                    typed = typed_csv(order, attempt, terms)
                    _require_few_columns(table, typed, stored)
                    with self._server.writing(connection, pg_table(table)):
                        return _write(order, state, terms, chosen, typed, self.uri)
                except Misfit as error:
                    terms.judges.append(error.judge)
                except LoadError as error:
                    terms.judges.append(_judge_of(error, table, terms.judges))

    def read_cursor(self, table: Table) -> Any:
        """The stored position of `table`, or None."""
        with self._reading() as connection:
            state = PostgresState(connection, table)
            return state.cursor() if state.exists() else None

    def last_load(self, table: Table) -> str:
        """The name of the load that came last into `table`, "" without any."""
        with self._reading() as connection:
            state = PostgresState(connection, table)
            return state.last_load() if state.exists() else ""

    def describe(self, table: Table) -> list[Column] | None:
        """The table's columns, None where there is no table."""
        with self._reading() as connection:
            return describe(connection, table) or None

    def count(self, table: Table) -> int | None:
        """The number of rows, None where there is no table."""
        with self._reading() as connection:
            return count_of(connection, table) if describe(connection, table) else None

    def keys(self, table: Table, columns: Sequence[str]) -> Iterator[list[Any]]:
        """The values of row keys `columns`, as JSON values, row by row in bounded memory."""
        return keys_of(self._reading, table, columns)

    def name_in_sql(self, table: Table) -> str:
        """The table's name, cut as PostgreSQL has it."""
        return pg_table(table)

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[list[Column], list[tuple[Any, ...]]]:
        """Run a query that reads; return its columns and at most `limit` rows."""
        with self._reading() as connection:
            return query(connection, sql, limit)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._server.connected(self.uri) as connection:
            connection.execute("begin read only")
            yield connection
            connection.execute("rollback")


def _refused(state: PostgresState, table: Table, mode: WriteMode) -> LoadError | None:
    """The error of a table that is not ours to load."""
    known = state.exists() and bool(state.columns())
    owned = state.owned() if known else None
    return (
        refused_table(table, mode, look(state.connection, table, owned, known=known))
        or refused_as_rejects(table, [one.name for one in describe(state.connection, table)])
        or _refused_rejects(state.connection, table)
    )


def _refused_rejects(connection: Connection, table: Table) -> LoadError | None:
    rejects = replace(table, name=table.name + REJECTED)
    kind = look(connection, rejects, None, known=False).kind
    names = [one.name for one in describe(connection, rejects)]
    return refused_rejects(table, is_table=kind in {None, "table"}, columns=names)


def _require_few_columns(table: Table, typed: Typed, stored: Sequence[KeyColumn]) -> None:
    """Raise LoadError where the table would have more columns than there can be."""
    names = {*typed.rows.types, *(column.name for column in stored)}
    if len(names) > MOST_COLUMNS:
        what = f"the table would have {len(names):,} columns, and PostgreSQL has at most 1,600"
        raise LoadError(what, where=table.where, fix=OVERFLOW_FIX)


def _judge_of(error: LoadError, table: Table, judges: Sequence[Judge]) -> Judge:
    """Who finds the rows that PostgreSQL cannot hold, if they are to be set aside."""
    known = any(isinstance(judge, HasNul) for judge in judges)
    if table.schema_policy != "quarantine" or NUL not in error.what or known:
        raise error
    return HasNul()


def _write(  # noqa: PLR0917 # all of one attempt
    order: Order,
    state: PostgresState,
    terms: Terms,
    chosen: Mapping[str, Chosen],
    typed: Typed,
    uri: str,
) -> Loaded:
    table, connection = order.table, state.connection
    order.require_last(state.last_load())
    if order.cursor is not None:
        state.move(order)
    dropped = dict(typed.dropped)
    if typed.rows.types:
        names = names_of(typed.columns, typed.rows, table)
        declared = {row["column_name"] for row in typed.columns if row["fixed"]}
        write = PostgresWrite(connection, table, typed.rows, names, declared, chosen)
        stored = terms.stored or ()
        prunes = not typed.rejected and _prunes(order, state, stored, typed)
        way = "merge" if prunes else order.way
        write.run(way, stored, is_all=order.is_all(typed.rejected), prunes=prunes)
        dropped |= write.dropped
        state.keep_columns(typed.columns)
        shape(connection, table, [kept_column(row) for row in typed.columns])
    state.keep_owned(order)
    if typed.rejects.types:
        rejects = Table(table.schema, table.name + REJECTED)
        mode: WriteMode = "replace" if order.way == "replace" else "append"
        RejectsWrite(connection, rejects, typed.rejects, {}).run(mode, (), is_all=False)
    loaded = _loaded(table, connection, uri, typed.received, typed.rejected)
    loaded = replace(loaded, dropped=dropped)
    state.keep_load(order.kept_id, order.way, loaded, run_id=order.run_id)
    order.look()
    return loaded


def _prunes(order: Order, state: PostgresState, stored: Sequence[KeyColumn], typed: Typed) -> bool:
    """Whether a merge that is loaded anew changes what differs, instead of replacing all rows.

    It cannot where another key would find the rows, or where a type becomes a narrower one.
    """
    types, owned = typed.rows.types, state.owned()
    same_types = all(pg_type(c.type) == pg_type(types.get(c.name, c.type)) for c in stored)
    return order.may_prune(owned.key if owned else None) and same_types


def _loaded(table: Table, connection: Connection, uri: str, received: int, rejected: int) -> Loaded:
    columns = describe(connection, table)
    rows = count_of(connection, table) if columns else 0
    return Loaded(received, rows, columns, uri, rejected)
