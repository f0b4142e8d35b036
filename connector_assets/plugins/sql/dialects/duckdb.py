"""DuckDB: plain SQL, and a transaction that sees the file as it was when that began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Field, Found, Query, SourceColumn


class DuckDb(Dialect):
    """DuckDB: its file takes one connection, which reads chunks in turn."""

    snapshot = "own"

    def default_schema(self, settings: SqlSettings) -> str:
        del settings
        return "main"

    def columns(self, session: Any, source: str) -> list[SourceColumn]:
        types = dict(row[:2] for row in session.rows(Query(f"describe select * from {source}")))
        found = super().columns(session, source)
        return [replace(one, type=str(types.get(one.name, "")).lower()) for one in found]

    def field(self, session: Any, column: SourceColumn) -> Field:
        found = super().field(session, column)
        return replace(found, orders="uuid") if column.type == "uuid" else found

    def _type_name(self, type_: pa.DataType) -> str:
        if pa.types.is_timestamp(type_) and type_.unit == "ns" and not type_.tz:
            return "timestamp_ns"
        return super()._type_name(type_)

    def found(self, session: Any, settings: SqlSettings) -> Iterator[Found]:
        return (
            one for one in super().found(session, settings) if one.schema != "information_schema"
        )
