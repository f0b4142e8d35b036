"""Sessions with Snowflake: one connection, its statements, and its refusals as our errors."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import snowflake.connector
from snowflake.connector import errors

from connector_assets.errors import Busy, ConnectorError, RowsError
from connector_assets.snowflake.account import Account, Proof
from connector_assets.snowflake.refusals import Refusal, refusal_of

_LOGIN_S = 30
_LONGEST_TAG = 2000
# A process that was killed leaves its transaction, with its locks, to the server, which undoes it
# after it was in the way of others for five minutes.
_DETACHED_S = 330
_LOG = logging.getLogger(__name__)
_CORE = logging.getLogger("snowflake.connector._core")


class Refused(Exception):
    """What Snowflake refused, for who knows what it means there."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.what)


class Session:
    """One session; each statement is a transaction unless `transaction` is open."""

    def __init__(self, connection: Any, told: Callable[[errors.Error], Refusal]) -> None:
        self._connection, self._told = connection, told

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement with `?` for values; Refused where Snowflake refuses it."""
        with self.cursor(sql, *values) as cursor:
            return list(cursor.fetchall())

    @contextmanager
    def cursor(self, sql: str = "", *values: Any) -> Iterator[Any]:
        """The connector's own cursor, of a statement where there is one."""
        try:
            with self._connection.cursor() as cursor:
                if sql:
                    cursor.execute(sql, values or None)
                yield cursor
        except errors.Error as error:
            raise Refused(self._told(error)) from None

    def put(self, file: Path, place: str) -> None:
        """Upload a file to a place in a stage, as `@stage`; one that is there is replaced."""
        path = str(file).replace("'", "\\'")
        self.run(f"put 'file://{path}' {place} auto_compress = false overwrite = true")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done in the block, or nothing. DDL in it would commit what came before."""
        self.run("begin")
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        self.run("commit")

    def _roll_back(self) -> None:
        try:
            self.run("rollback")
        except Refused:  # the session is gone, and with it what it began
            _LOG.debug("a transaction was left to the server to undo")


@contextmanager
def session(
    account: Account,
    proof: Proof,
    *,
    tag: str = "",
    wait_s: float = 300,
    keeps_queries: bool = False,
) -> Iterator[Session]:
    """A session that ends with the block; `tag` is its QUERY_TAG.

    `wait_s` is how long it waits for tables that others hold, beside those of a process that is
    gone. With `keeps_queries` a query goes on where this process is killed, so that another may
    have its result. Raises Refused.
    """

    def told(error: errors.Error) -> Refusal:
        return refusal_of(error, account.server, proof.secrets())

    try:
        connection = _connected(account, proof, tag, wait_s, keeps_queries=keeps_queries)
    except errors.Error as error:
        raise Refused(told(error)) from None
    try:
        yield Session(connection, told)
    finally:
        _closed(connection)


def _connected(
    account: Account, proof: Proof, tag: str, wait_s: float, *, keeps_queries: bool
) -> Any:
    if _CORE.level == logging.NOTSET:
        _CORE.setLevel(logging.ERROR)  # each login warns of clouds that this machine is not in
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about options of the connector's own
        return snowflake.connector.connect(
            **account.options(),
            **proof.options(),
            application="connector_assets",
            paramstyle="qmark",
            login_timeout=_LOGIN_S,
            # A token must not be kept in a file of the connector's.
            client_store_temporary_credential=False,
            enable_server_session_keep_alive_auto_detection=False,
            session_parameters={
                # What a user or an account may have set otherwise, and what our texts rely on.
                "TIMEZONE": "UTC",
                "TIMESTAMP_INPUT_FORMAT": "AUTO",
                "DATE_INPUT_FORMAT": "AUTO",
                "TIME_INPUT_FORMAT": "AUTO",
                # By default texts of times end with milliseconds.
                "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF9",
                "TIMESTAMP_TZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM",
                "TIMESTAMP_LTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM",
                "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
                "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
                "AUTOCOMMIT": True,
                "CLIENT_TELEMETRY_ENABLED": False,
                "ABORT_DETACHED_QUERY": not keeps_queries,
                "LOCK_TIMEOUT": max(1, round(wait_s) + _DETACHED_S),
                "QUERY_TAG": tag[:_LONGEST_TAG],
            },
        )


def _closed(connection: Any) -> None:
    try:
        connection.close()
    except errors.Error:
        _LOG.debug("a session could not be closed, and ends by itself")


def raised(refused: Refused, where: str, kind: type[ConnectorError]) -> ConnectorError:
    """The error that a user sees: Busy for a table that others hold, RowsError for a value."""
    refusal = refused.refusal
    if refusal.is_locked:
        return Busy("another transaction holds the table", where=where, fix=refusal.fix)
    if refusal.is_about_a_value:
        kind = RowsError
    return kind(refusal.what, where=where, fix=refusal.fix)


def shown_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows whose bytes are bytes, and not the connector's bytearrays."""
    return [tuple(bytes(one) if isinstance(one, bytearray) else one for one in row) for row in rows]


def type_name(item: Any) -> str:
    """Snowflake's name of the type of a column in a cursor's description, as FIXED."""
    from snowflake.connector import constants

    return str(constants.FIELD_ID_TO_NAME[item.type_code])  # type: ignore[attr-defined]
