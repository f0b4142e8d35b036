"""What Dagster shows of a stream's table before any run: where it is, its columns, its vendor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from connector_assets.assets.lineage import Lineage
from connector_assets.legible import legible
from connector_assets.passwords import may_hold_password
from connector_assets.project.connection import Connection
from connector_assets.project.plan import outlook
from connector_assets.spec.names.paths import own_key
from connector_assets.spec.stream.stream import Column, Stream
from connector_assets.sync import table_of


def metadata(connection: Connection, stream: Stream, url: str, lineage: Lineage) -> dict[str, Any]:
    """What is known from the documents alone; `url` is the destination's."""
    table = table_of(connection, stream)
    docs = stream.docs_url or connection.connector.docs_url
    told: dict[str, Any] = {
        **connection.asset_settings(stream.name).metadata,
        "dagster/table_name": f"{table.schema}.{table.name}",
        "dagster/storage_kind": url.partition(":")[0],
        "docs": dg.MetadataValue.url(docs) if docs else None,
        "plan": outlook(connection, stream) or None,
    }
    if not may_hold_password(url):
        told["dagster/uri"] = url
    declared = declared_columns(stream, table.columns)
    if declared:
        told["dagster/column_schema"] = dg.TableSchema(declared)
        told["dagster/column_lineage"] = lineage.of(stream, [one.name for one in declared])
    return {name: value for name, value in told.items() if value is not None}


def declared_columns(stream: Stream, types: Mapping[str, str]) -> list[dg.TableColumn]:
    """The columns that a spec names: those of the key, and what `columns` and casts say."""
    names = [*map(own_key, stream.primary_key), *types, *map(own_key, stream.columns)]
    said = described(stream)
    return [
        table_column(stream, said, name, types.get(name, "?"), nullable=True)
        for name in dict.fromkeys(names)
    ]


def table_column(
    stream: Stream, described: Mapping[str, Column], name: str, type_: str, *, nullable: bool
) -> dg.TableColumn:
    """A column as Dagster shows it, with what the spec says of it and `described` gives."""
    said = described.get(name) or Column()
    is_key = name in map(own_key, stream.primary_key)
    return dg.TableColumn(
        legible(name),
        type_,
        description=legible(said.description) or None,
        constraints=dg.TableColumnConstraints(nullable=nullable and not is_key),
        tags={**said.tags, **({"primary_key": ""} if is_key else {})} or None,
    )


def described(stream: Stream) -> dict[str, Column]:
    """What the spec says of columns, by their names in the table."""
    return {own_key(path): stream.column(path) for path in stream.columns}
