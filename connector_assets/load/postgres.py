"""PostgreSQL as a destination: rows are typed by DuckDB, copied in, and applied in one transaction.

Any number of machines may load: an advisory lock keeps two loads of one table apart, and readers
see the old rows until the commit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connector_assets.load.duckdb_load import Order, require_key
from connector_assets.load.duckdb_typed import Typed
from connector_assets.load.plan import KeyColumn
from connector_assets.load.postgres_read import keys_of, query
from connector_assets.load.postgres_server import Connection, Server
from connector_assets.load.postgres_sql import pg_table
from connector_assets.load.postgres_state import State
from connector_assets.load.postgres_tables import columns_of, count_of, describe, names_of
from connector_assets.load.postgres_typed import typed_csv
from connector_assets.load.postgres_write import Write
from connector_assets.load.table import Column, Cursor, Loaded, Segment, Table, WriteMode


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
        self._server = Server(url, wait_s=wait_s, sleep=sleep, monotonic=monotonic)

    def __repr__(self) -> str:
        return f"PostgresDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        """The database's address, without user and password."""
        return self._server.uri

    def load(
        self,
        table: Table,
        segments: Sequence[Segment],
        mode: WriteMode,
        cursor: Cursor | None = None,
        *,
        fence: Callable[[], None] | None = None,
        run_id: str = "",
    ) -> Loaded:
        """Put the rows of `segments` into `table`, or change nothing and raise LoadError."""
        require_key(table, mode)
        order = Order(table, segments, mode, cursor, fence, run_id, self.uri)
        where = f"{table.schema}.{table.name}"
        with (
            self._server.locked(where, run_id) as connection,
            tempfile.TemporaryDirectory() as folder,
        ):
            state = State(connection, table)
            state.create()
            if order.load_id and (taken := state.taken(order.load_id)) is not None:
                return _loaded(order, connection, *taken)
            stored, remembered = columns_of(connection, table, state.columns())
            # No transaction is open meanwhile: it may take minutes.
            typed = typed_csv(order, stored, remembered, Path(folder))
            with self._server.writing(connection, pg_table(table)):
                return _write(order, connection, state, stored, typed)

    def read_cursor(self, table: Table) -> Any:
        """The stored position of `table`, or None."""
        with self._reading() as connection:
            state = State(connection, table)
            return state.cursor() if state.exists() else None

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


def _write(
    order: Order,
    connection: Connection,
    state: State,
    stored: Sequence[KeyColumn],
    typed: Typed,
) -> Loaded:
    table = order.table
    if order.cursor is not None:
        state.move(order.cursor, load_id=order.load_id, run_id=order.run_id)
    if typed.rows.types:
        names = names_of(typed.columns, typed.rows, table)
        declared = {row["column_name"] for row in typed.columns if row["fixed"]}
        write = Write(connection, table, typed.rows, names, declared)
        write.run(order.mode, stored, is_all=order.is_all(typed.rejected))
        state.keep_columns(typed.columns)
    if typed.rejects.types:
        rejects = Table(table.schema, f"{table.name}__rejected")
        mode: WriteMode = "replace" if order.mode == "replace" else "append"
        Write(connection, rejects, typed.rejects, {}).run(mode, (), is_all=False)
    loaded = _loaded(order, connection, typed.received, typed.rejected)
    if order.load_id:
        state.keep_load(order.load_id, order.mode, loaded, run_id=order.run_id)
    if order.fence is not None:
        order.fence()
    return loaded


def _loaded(order: Order, connection: Connection, received: int, rejected: int) -> Loaded:
    columns = describe(connection, order.table)
    rows = count_of(connection, order.table) if columns else 0
    return Loaded(received, rows, columns, order.uri, rejected)
