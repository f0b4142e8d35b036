"""DuckDB: plain SQL, and a transaction that sees the file as it was when that began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Found


class DuckDb(Dialect):
    """DuckDB: its file takes one connection, which reads chunks in turn."""

    snapshot = "own"

    def default_schema(self, settings: SqlSettings) -> str:
        del settings
        return "main"

    def found(self, session: Any, settings: SqlSettings) -> Iterator[Found]:
        return (
            one for one in super().found(session, settings) if one.schema != "information_schema"
        )
