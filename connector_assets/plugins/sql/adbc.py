"""A connection by ADBC: the driver runs in this process and gives Arrow."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import pyarrow as pa

from connector_assets.errors import ConfigError
from connector_assets.plugins.sql.faults import DatabaseError
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Field, Query, SourceColumn

_BATCH_BYTES = 4 << 20
_MODULES = {
    "postgresql": "adbc_driver_postgresql",
    "postgres": "adbc_driver_postgresql",
    "sqlite": "adbc_driver_sqlite",
    "duckdb": "adbc_driver_duckdb",
}
_NAME, _PRECISION, _TYPE = b"ADBC:postgresql:typname", b"POSTGRESQL:typmod", b"POSTGRESQL:type"


class AdbcSession:
    """A `Session` by ADBC."""

    def __init__(
        self, connection: Any, options: Mapping[str, str], mark: str, unsupported: type[Exception]
    ) -> None:
        self._connection, self._options, self._mark = connection, dict(options), mark
        self._unsupported = unsupported
        self._running: Any = None

    def execute(self, sql: str) -> None:
        with _blaming(), self._cursor() as cursor:
            cursor.execute(sql)

    def describe(self, sql: str) -> list[SourceColumn]:
        with _blaming(), self._cursor() as cursor:
            try:
                schema = cursor.adbc_execute_schema(sql)
            except self._unsupported:
                cursor.execute(f"select * from ({sql}) q where 1 = 0")
                with cursor.fetch_record_batch() as reader:
                    schema = reader.schema
            return [_described(field) for field in schema]

    def commit(self) -> None:
        with _blaming():
            self._connection.commit()

    def rollback(self) -> None:
        with _blaming():
            self._connection.rollback()

    def rows(self, query: Query, columns: int = 1) -> list[tuple[Any, ...]]:  # noqa: ARG002 - as of a Session
        with _blaming(), self._cursor() as cursor:
            cursor.execute(query.sql, list(query.values) or None)
            return [tuple(row) for row in cursor.fetchall()]

    def batches(self, query: Query, fields: Sequence[Field]) -> Iterator[pa.RecordBatch]:
        del fields
        with _blaming(), self._cursor() as cursor:
            cursor.adbc_statement.set_options(**self._options)
            cursor.execute(query.sql, list(query.values) or None)
            with cursor.fetch_record_batch() as reader:
                yield from reader

    def placeholder(self, number: int) -> str:
        return f"${number}" if self._mark == "$" else self._mark

    def objects(self, **chosen: Any) -> list[dict[str, Any]]:
        """What the driver itself knows of catalogs, schemas, tables, columns and keys."""
        with _blaming():
            found = self._connection.adbc_get_objects(depth="all", **chosen)
            rows: list[dict[str, Any]] = found.read_all().to_pylist()
            return rows

    def cancel(self) -> None:
        running = self._running
        if running is not None:
            with suppress(Exception):  # it may just have ended
                running.adbc_cancel()

    def close(self) -> None:
        with suppress(Exception):
            self._connection.rollback()
        with suppress(Exception):
            self._connection.close()

    def _cursor(self) -> _Cursor:
        return _Cursor(self)

    def started(self) -> Any:
        """A cursor, which `cancel` stops from now on."""
        self._running = self._connection.cursor()
        return self._running

    def ended(self) -> None:
        cursor, self._running = self._running, None
        with suppress(Exception):
            cursor.close()


class _Cursor:
    """A cursor that is closed, whatever comes."""

    def __init__(self, session: AdbcSession) -> None:
        self._session = session

    def __enter__(self) -> Any:
        return self._session.started()

    def __exit__(self, *error: object) -> None:
        self._session.ended()


class _blaming:  # noqa: N801 - a context
    """What the driver raises, as a `DatabaseError`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, DatabaseError | GeneratorExit):
            return
        if isinstance(error, pa.ArrowException | OSError) or hasattr(error, "sqlstate"):
            raise DatabaseError(str(error), getattr(error, "sqlstate", None) or "") from None


def _described(field: pa.Field) -> SourceColumn:
    about = field.metadata or {}
    name = about.get(_NAME) or about.get(_TYPE) or b""
    precision, scale = _digits(name, int(about.get(_PRECISION, -1)))
    if pa.types.is_decimal(field.type):
        precision, scale = field.type.precision, field.type.scale
    return SourceColumn(
        field.name,
        name.decode().lower(),
        precision,
        scale,
        nullable=field.nullable,
        arrow=field.type,
    )


def _digits(name: bytes, modifier: int) -> tuple[int, int]:
    """The digits that PostgreSQL's modifier of a numeric says; the scale is one of 11 bits."""
    if name != b"numeric" or modifier < 0:
        return 0, 0
    told = modifier - 4
    scale = told & 0x7FF
    return told >> 16, scale - 0x800 if scale & 0x400 else scale


def connect(settings: SqlSettings) -> AdbcSession:
    """Open a connection; DatabaseError where that fails, ConfigError without the driver."""
    name = settings.driver or _MODULES[settings.scheme]
    options, secret = dict(settings.options), secret_options(settings)
    try:
        from adbc_driver_manager import dbapi
    except ModuleNotFoundError:
        fix = 'pip install "connector-assets[sql]"'
        raise ConfigError("reading SQL needs ADBC", fix=fix) from None
    library, entry = _library(name)
    with _blaming(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a driver without transactions says so for each connection
        connection = dbapi.connect(
            driver=library,
            entrypoint=entry,
            db_kwargs={**_target(settings), **options, **secret},
        )
    mark = "$" if settings.scheme.startswith("postgres") else "?"
    options = _statement_options(settings)
    return AdbcSession(connection, options, mark, dbapi.NotSupportedError)


def _library(name: str) -> tuple[str, str | None]:
    """The shared library of a driver, by the module that ships it or by its path."""
    if "/" in name or "." in name:
        return name, None
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:
        package = name.replace("_", "-")
        raise ConfigError(f"the driver {name} is missing", fix=f"pip install {package}") from None
    path: Callable[[], str] = getattr(module, "_driver_path", None) or module.driver_path
    return path(), "duckdb_adbc_init" if name == "adbc_driver_duckdb" else None


def _target(settings: SqlSettings) -> dict[str, str]:
    """Where the driver connects to, and as whom."""
    password = settings.password.get_secret_value() if settings.password else None
    if settings.scheme == "sqlite":
        return {"uri": f"file:{quote(_file(settings.uri))}?mode=ro"}
    if settings.scheme == "duckdb":
        return {"path": _file(settings.uri), "access_mode": "READ_ONLY"}
    if settings.scheme in ("postgresql", "postgres"):
        return {"uri": _with_user(settings.uri, settings.username, password)}
    given = {"uri": settings.uri, "username": settings.username, "password": password}
    return {name: value for name, value in given.items() if value is not None}


def _file(uri: str) -> str:
    """The path in `sqlite:///data.db`, or `sqlite:////var/data.db`; ConfigError if it is none."""
    path = Path(unquote(uri.partition(":///")[2]))
    if not path.is_file():
        raise ConfigError(f"there is no file {path}", where="uri", fix="check the path")
    return str(path)


def _with_user(uri: str, username: str | None, password: str | None) -> str:
    """PostgreSQL's URI with who connects, each part escaped: libpq takes it in no other way."""
    parts = urlsplit(uri)
    before, _, host = parts.netloc.rpartition("@")
    user = quote(username, safe="") if username else before.rstrip(":")
    if password:
        user += f":{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))


def _statement_options(settings: SqlSettings) -> dict[str, str]:
    """How much a driver gives at a time."""
    if settings.scheme in ("postgresql", "postgres"):
        return {"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
    if settings.scheme == "sqlite":
        return {"adbc.sqlite.query.batch_rows": str(settings.fetch_rows)}
    return {}


def secret_options(settings: SqlSettings) -> dict[str, str]:
    if settings.secret_options is None:
        return {}
    import json

    try:
        found = json.loads(settings.secret_options.get_secret_value())
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError):
        raise ConfigError("secretOptions is not a JSON object of texts") from None
