"""A PostgreSQL server: its address without the password, connections, the lock of a table."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from connector_assets.errors import Busy, ConfigError, LoadError, RowsError
from connector_assets.load.postgres.errors import refused, words

Connection = psycopg.Connection[Any]

_POLL_S = 0.2
_LONGEST_NAME = 63
# What a server or a role may have set otherwise, and what our texts and literals rely on.
_SESSION = (
    "set TimeZone = 'UTC'; set DateStyle = 'ISO'; set extra_float_digits = 1; "
    "set standard_conforming_strings = on"
)


class Database:
    """The database at a libpq URL; what the URL leaves out libpq takes from `PG*` variables.

    `wait_s` is how long to wait for others who hold a table, before Busy.
    """

    def __init__(
        self,
        url: str,
        *,
        wait_s: float,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            self._given = conninfo_to_dict(url)
        except psycopg.Error:
            # libpq quotes the URL, and the password in it.
            raise ConfigError(
                "this is not a PostgreSQL URL",
                where="destination",
                fix="use postgresql://user@host:port/database; in a password or a name, "
                "write each of @ : / % as %40 %3A %2F %25",
            ) from None
        self.wait_s, self._sleep, self._monotonic = wait_s, sleep, monotonic

    @property
    def uri(self) -> str:
        """Host, port and database only."""
        host, port, name = (
            str(self._given.get(key) or os.environ.get(variable) or default)
            for key, variable, default in (
                ("host", "PGHOST", "localhost"),
                ("port", "PGPORT", ""),
                ("dbname", "PGDATABASE", ""),
            )
        )
        if ":" in host:
            host = f"[{host}]"
        at = quote(host, safe="[]:,")
        return f"postgresql://{at}{port and ':'}{port}/{quote(name, safe='')}"

    @contextmanager
    def connected(self, where: str, run_id: str = "") -> Iterator[Connection]:
        """A connection in autocommit mode; what the server says leaves as LoadError at `where`."""
        try:
            connection = psycopg.connect(self._conninfo(run_id), autocommit=True)
        except psycopg.Error as error:
            raise LoadError(
                words(error), where=self.uri, fix="check host, database, user and password"
            ) from error
        try:
            with connection:
                connection.execute(f"{_SESSION}; set lock_timeout = {self._wait_ms}".encode())
                with self._patient(connection):
                    yield connection
        except psycopg.Error as error:
            kind = RowsError if isinstance(error, psycopg.DataError) else LoadError
            raise kind(words(error), where=where) from error

    @property
    def _wait_ms(self) -> int:
        return max(1, round(self.wait_s * 1000))

    @contextmanager
    def _patient(self, connection: Connection, table: str | None = None) -> Iterator[None]:
        """Turn the end of our patience with those who hold a table into Busy."""
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            connection.rollback()
            raise Busy(
                f"in use by {_users(connection, table)}",
                where=self.uri,
                fix="end that transaction, or wait for it",
            ) from error

    def _conninfo(self, run_id: str) -> str:
        ours = {"application_name": _name(run_id), "client_encoding": "UTF8"}
        return make_conninfo(make_conninfo(connect_timeout=10), **{**self._given, **ours})

    @contextmanager
    def locked(self, where: str, run_id: str) -> Iterator[Connection]:
        """A connection that holds the table `where`, for loads, until it ends."""
        with self.connected(where, run_id) as connection:
            try:
                with self._patient(connection):
                    self._lock(connection, where)
                    yield connection
            except psycopg.Error as error:
                raise refused(error, where) from error

    @contextmanager
    def writing(self, connection: Connection, table: str) -> Iterator[None]:
        """A transaction that waits `wait_s` for those who use the table, not for ever.

        `table` is its name in SQL.
        """
        with self._patient(connection, table), connection.transaction():
            yield

    def _lock(self, connection: Connection, where: str) -> None:
        give_up = self._monotonic() + self.wait_s
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
            self._sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class _Session:
    """Another connection; of other users' the server tells less."""

    pid: int
    name: str | None
    since: Any

    def __str__(self) -> str:
        name = self.name.strip() if self.name else "a connection without a name"
        since = f", connected since {self.since}" if self.since else ""
        return f"{name} (server process {self.pid}){since}"


def _holder(connection: Connection, key: str) -> str:
    found = connection.execute(
        "select a.pid, a.application_name, a.backend_start::timestamptz(0) "
        "from pg_locks l join pg_stat_activity a using (pid) "
        "where l.locktype = 'advisory' and l.granted "
        "and l.database = (select oid from pg_database where datname = current_database()) "
        "and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(%s, 0)",
        [key],
    ).fetchone()
    return str(_Session(*found)) if found else "another connection"


def _users(connection: Connection, table: str | None) -> str:
    """Who holds a lock on the table; of none in particular, who keeps readers out of any."""
    found = connection.execute(
        "select distinct a.pid, a.application_name, a.backend_start::timestamptz(0) "
        "from pg_locks l join pg_stat_activity a using (pid) "
        "where l.granted and a.pid <> pg_backend_pid() and (l.relation = to_regclass(%s) "
        "or %s and l.locktype = 'relation' and l.mode = 'AccessExclusiveLock' "
        "and a.datname = current_database()) order by a.pid limit 3",
        [table, table is None],
    ).fetchall()
    return " and ".join(str(_Session(*row)) for row in found) or "another connection"


def _name(run_id: str) -> str:
    """What others see of this connection; the server keeps 63 bytes."""
    run = f"run {run_id[:12]} " if run_id else ""
    return f"connector-assets {run}{os.getpid()}@{socket.gethostname()}"[:_LONGEST_NAME]
