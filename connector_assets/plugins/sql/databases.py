"""Connections to the database of a connection, with the dialect that is spoken there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from connector_assets.plugins.sql import adbc, jdbc
from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.dialects.duckdb import DuckDb
from connector_assets.plugins.sql.dialects.mariadb import OPTIONS, MariaDb
from connector_assets.plugins.sql.dialects.postgresql import PostgreSql
from connector_assets.plugins.sql.dialects.sqlite import Sqlite
from connector_assets.plugins.sql.settings import SqlSettings

if TYPE_CHECKING:
    from connector_assets.plugins.sql.source import Session

_DIALECTS: Mapping[str, type[Dialect]] = {
    "postgresql": PostgreSql,
    "postgres": PostgreSql,
    "mariadb": MariaDb,
    "mysql": MariaDb,
    "sqlite": Sqlite,
    "duckdb": DuckDb,
}
_BY_ADBC = ("sqlite", "duckdb")


def connected(settings: SqlSettings) -> Session:
    """A new connection; DatabaseError where there is none to be had."""
    if not settings.is_jdbc:
        return adbc.connect(settings)
    if settings.scheme in ("mariadb", "mysql"):
        settings = settings.model_copy(update={"options": {**OPTIONS, **settings.options}})
    return jdbc.connect(settings)


def dialect_of(settings: SqlSettings, session: Session) -> Dialect:
    """What is spoken to the database; plain SQL to one that is not known."""
    is_ours = not (settings.is_jdbc and settings.scheme in _BY_ADBC)
    return _DIALECTS.get(settings.scheme if is_ours else "", Dialect)(session)
