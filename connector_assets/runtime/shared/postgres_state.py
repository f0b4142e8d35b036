"""Budgets and tokens in Postgres (the `postgres` extra), schema `_connector_assets`.

Locks are advisory ones, which belong to a session: they are free as soon as their holder's
connection is gone. So a lock keeps a connection to itself, and all else borrows an idle one.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg

from connector_assets.errors import Cancelled, ConnectorError
from connector_assets.runtime.shared.bucket import MAX_BYTES, Bucket
from connector_assets.runtime.shared.ledger import Change, Result
from connector_assets.runtime.shared.tokens import MAX_RECORD_BYTES, record_of

T = TypeVar("T")
Connection = psycopg.Connection[Any]
_POLL_S = 0.05
_SCHEMA = """
create schema if not exists _connector_assets;
create table if not exists _connector_assets.budgets (key text primary key, bucket text not null);
create table if not exists _connector_assets.tokens (
  key text primary key, record text not null, written_at timestamptz not null default now());
"""


class PostgresServer:
    """One database; safe for threads and after a fork."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process, self._idle = os.getpid(), list[Connection]()
        self._inherited: list[Connection] = []
        atexit.register(self.close)
        self.run(self._prepare)

    def ledger(self, key: str) -> PostgresLedger:
        return PostgresLedger(self, hashlib.sha256(key.encode()).hexdigest()[:32])

    def tokens(self) -> PostgresTokenStore:
        return PostgresTokenStore(self)

    def close(self) -> None:
        """Close the idle connections."""
        while self._process == os.getpid() and self._idle:
            self._idle.pop().close()

    def run(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction; tried again on a new connection if an idle one was lost."""
        while True:
            connection, is_new = self._borrow()
            try:
                with connection.transaction():
                    result = work(connection)
            except psycopg.OperationalError as error:
                connection.close()
                if is_new:
                    raise _failed(error) from None
            except BaseException as error:
                connection.close()
                if isinstance(error, psycopg.Error):
                    raise _failed(error) from None
                raise
            else:
                self._idle.append(connection)
                return result

    def try_lock(self, name: str) -> Callable[[], None] | None:
        """Take the lock called `name` and return what releases it; None if someone has it.

        The lock keeps its connection: to the server each taker is another session.
        """
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        while True:
            connection, is_new = self._borrow()
            try:
                taken = _one(connection, "select pg_try_advisory_lock(%s)", number)
            except psycopg.Error as error:
                connection.close()
                if is_new:
                    raise _failed(error) from None
                continue
            if taken:
                return partial(self._unlock, connection, number)
            self._idle.append(connection)
            return None

    def _unlock(self, connection: Connection, number: int) -> None:
        try:
            _one(connection, "select pg_advisory_unlock(%s)", number)
        except psycopg.Error:
            connection.close()  # which releases it too
        else:
            self._idle.append(connection)

    def _borrow(self) -> tuple[Connection, bool]:
        """A connection for the caller alone, and whether it is new."""
        if self._process != os.getpid():
            # A forked child must neither use nor close its parent's connections.
            self._inherited, self._idle, self._process = self._idle, [], os.getpid()
        try:
            return self._idle.pop(), False
        except IndexError:
            pass
        try:
            return psycopg.connect(self._url, autocommit=True, connect_timeout=10), True
        except psycopg.Error as error:
            raise _failed(error) from None

    def _prepare(self, connection: Connection) -> None:
        # "if not exists" is not safe against another who is just creating.
        connection.execute("select pg_advisory_xact_lock(hashtext('_connector_assets'))")
        connection.execute(_SCHEMA)


class PostgresLedger:
    """A bucket in one row, which a change locks."""

    def __init__(self, server: PostgresServer, key: str) -> None:
        self._server, self._key = server, key

    def change(self, change: Change[Result]) -> Result:
        return self._server.run(lambda connection: self._apply(connection, change))

    def _apply(self, connection: Connection, change: Change[Result]) -> Result:
        connection.execute(
            "insert into _connector_assets.budgets values (%s, '') on conflict do nothing",
            (self._key,),
        )
        text = _one(
            connection,
            "select left(bucket, %s) from _connector_assets.budgets where key = %s for update",
            MAX_BYTES,
            self._key,
        )
        # Asked once the row is ours: a time from before the wait would be old.
        now = float(_one(connection, "select extract(epoch from clock_timestamp())"))
        before = Bucket.loads(text.encode()).at(now)
        after, result = change(before)
        if after != before:
            connection.execute(
                "update _connector_assets.budgets set bucket = %s where key = %s",
                (after.dumps().decode(), self._key),
            )
        return result

    def is_untouched(self) -> bool:
        return False

    def slot(self, number: int) -> Callable[[], None] | None:
        return self._server.try_lock(f"{self._key}:{number}")


class PostgresTokenStore:
    """A row per connection and credentials, readable by all who may read the table."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @contextmanager
    def lock(self, key: str, cancel: threading.Event) -> Iterator[None]:
        while (release := self._server.try_lock(f"token:{key}")) is None:
            if cancel.wait(_POLL_S):
                raise Cancelled("cancelled while another process renews the token")
        try:
            yield
        finally:
            release()

    def read(self, key: str) -> Mapping[str, Any] | None:
        query = "select left(record, %s) from _connector_assets.tokens where key = %s"
        text = self._server.run(lambda connection: _one(connection, query, MAX_RECORD_BYTES, key))
        return record_of(text)

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        query = (
            "insert into _connector_assets.tokens (key, record) values (%s, %s) "
            "on conflict (key) do update set record = excluded.record, written_at = now()"
        )
        values = (key, json.dumps(record))
        self._server.run(lambda connection: connection.execute(query, values))


def _one(connection: Connection, query: str, *values: Any) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None


def _failed(error: psycopg.Error) -> ConnectorError:
    return ConnectorError(
        f"the shared state's Postgres failed ({type(error).__name__})",
        fix="check CONNECTOR_ASSETS_STATE, and that the server answers",
    )
