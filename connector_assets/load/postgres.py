"""PostgreSQL as a destination: rows are typed by DuckDB, copied in, and applied in one transaction.

Any number of machines may load: an advisory lock keeps two loads of one table apart, and readers
see the old rows until the commit.
"""

from __future__ import annotations

import json
import os
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import CharacterNotInRepertoire, UntranslatableCharacter

from connector_assets.errors import Busy, LoadError
from connector_assets.load.derived import path_parts
from connector_assets.load.duckdb_load import Order, require_key
from connector_assets.load.duckdb_sql import literal
from connector_assets.load.plan import KeyColumn
from connector_assets.load.postgres_sql import pg_quoted, pg_text, pg_widened
from connector_assets.load.postgres_state import State
from connector_assets.load.postgres_tables import columns_of, count_of, describe, names_of
from connector_assets.load.postgres_typed import Typed, type_rows
from connector_assets.load.postgres_write import Write
from connector_assets.load.table import Column, Cursor, Loaded, Segment, Table, WriteMode

_WAIT_S = 0.2


class PostgresDestination:
    """Tables in a PostgreSQL database, given as a libpq URL.

    `wait_s` is how long to wait for another load of the same table, before Busy.
    """

    def __init__(
        self,
        url: str,
        *,
        wait_s: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._wait_s, self._sleep, self._monotonic = wait_s, sleep, monotonic

    def __repr__(self) -> str:
        return f"PostgresDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        given = conninfo_to_dict(self._url)
        host, port = given.get("host") or "localhost", given.get("port")
        at = f"{host}:{port}" if port else str(host)
        return f"postgresql://{at.lstrip('/')}/{given.get('dbname') or ''}"

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
        with self._connected(where, run_id) as connection, tempfile.TemporaryDirectory() as folder:
            self._lock(connection, where)
            state = State(connection, table)
            with connection.transaction():
                state.create()
                taken = state.taken(order.load_id) if order.load_id else None
                stored, remembered = columns_of(connection, table, state.columns())
            if taken is not None:
                return _loaded(order, connection, *taken)
            typed = type_rows(order, stored, remembered, Path(folder))
            with connection.transaction():
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
        with tempfile.TemporaryFile() as spool:
            with self._reading() as connection:
                if describe(connection, table):
                    _spool_keys(connection, table, columns, spool)
            spool.seek(0)
            for line in spool:
                yield json.loads(line)

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[list[Column], list[tuple[Any, ...]]]:
        """Run a query that reads; return its columns and at most `limit` rows."""
        with self._reading() as connection:
            result = connection.execute(sql.encode())
            types = connection.adapters.types
            columns = [
                Column(item.name, info.name if (info := types.get(item.type_code)) else "")
                for item in result.description or ()
            ]
            return columns, result.fetchall() if limit is None else result.fetchmany(limit)

    @contextmanager
    def _connected(self, where: str, run_id: str = "") -> Iterator[psycopg.Connection[Any]]:
        name = f"connector-assets {os.getpid()}@{socket.gethostname()} {run_id}"
        try:
            with psycopg.connect(
                self._url, application_name=name[:63], options="-c TimeZone=UTC", autocommit=True
            ) as connection:
                yield connection
        except psycopg.Error as error:
            raise LoadError(_words(error), where=where) from error

    @contextmanager
    def _reading(self) -> Iterator[psycopg.Connection[Any]]:
        with self._connected(self.uri) as connection:
            connection.execute("begin read only")
            yield connection
            connection.execute("rollback")

    def _lock(self, connection: psycopg.Connection[Any], where: str) -> None:
        """Hold the table for this connection's life; the server lets go when it ends."""
        give_up = self._monotonic() + self._wait_s
        key = f"connector_assets:{where}"
        while True:
            got = connection.execute(
                "select pg_try_advisory_lock(hashtextextended(%s, 0))", [key]
            ).fetchone()
            if got and got[0]:
                return
            if self._monotonic() >= give_up:
                raise Busy(
                    f"held by {_holder(connection, key)}",
                    where=where,
                    fix="wait for it to end, or end it",
                )
            self._sleep(_WAIT_S)


def _write(
    order: Order,
    connection: psycopg.Connection[Any],
    state: State,
    stored: Sequence[KeyColumn],
    typed: Typed,
) -> Loaded:
    table = order.table
    if order.cursor is not None:
        state.move(order.cursor, load_id=order.load_id, run_id=order.run_id)
    if typed.rows.types:
        names = names_of(typed.columns, typed.rows, table)
        write = Write(connection, table, typed.rows, names)
        is_all = order.cursor is None or order.cursor.is_all
        write.run(order.mode, stored, is_all=is_all)
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


def _loaded(
    order: Order, connection: psycopg.Connection[Any], received: int, rejected: int
) -> Loaded:
    columns = describe(connection, order.table)
    rows = count_of(connection, order.table) if columns else 0
    return Loaded(received, rows, columns, order.uri, rejected)


def _spool_keys(
    connection: psycopg.Connection[Any], table: Table, keys: Sequence[str], spool: IO[bytes]
) -> None:
    stored, _ = columns_of(connection, table, State(connection, table).columns())
    columns = {column.key: column for column in stored}
    values = ", ".join(f"({_key_value(key, columns, table)})::text" for key in keys)
    name = f"{pg_quoted(table.schema)}.{pg_quoted(table.name)}"
    with connection.cursor(name="keys") as cursor:
        cursor.itersize = 10_000
        for row in cursor.execute(f"select {values} from {name}".encode()):
            texts = ("null" if value is None else value for value in row)
            spool.write(f"[{','.join(texts)}]\n".encode())


def _key_value(key: str, columns: dict[str, KeyColumn], table: Table) -> str:
    if key in columns:
        column = columns[key]
        # Not jsonb here: of 1e308 it makes 309 digits.
        return f"to_json({pg_text(column)})" if column.type != "JSON" else pg_quoted(column.name)
    root, *rest = path_parts(key) or [key]
    if not rest or root not in columns:
        raise LoadError(f'there is no column for "{key}"', where=f"{table.schema}.{table.name}")
    return " -> ".join([pg_widened(columns[root], "JSON"), *map(literal, rest)])


def _holder(connection: psycopg.Connection[Any], key: str) -> str:
    found = connection.execute(
        "select a.application_name, a.backend_start::timestamptz(0) from pg_locks l "
        "join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted "
        "and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(%s, 0)",
        [key],
    ).fetchone()
    return f"{found[0].strip()}, connected since {found[1]}" if found else "another connection"


def _words(error: psycopg.Error) -> str:
    """PostgreSQL's own words, without the values it likes to quote."""
    text = error.diag.message_primary or str(error).strip().split("\n")[0]
    if isinstance(error, (UntranslatableCharacter, CharacterNotInRepertoire)):
        return "a text or a key has a NUL character (U+0000), which PostgreSQL cannot hold"
    return re.sub(r': "[^"]*"', "", text)[:200] or type(error).__name__
