"""What Dagster is told when a step ends: metadata that shows and plots, checks, or a failure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from connector_assets.assets.checks import column_changes, quoted
from connector_assets.assets.lineage import Lineage
from connector_assets.assets.shown import described, table_column
from connector_assets.errors import ConnectorError, RateLimited
from connector_assets.legible import legible, message
from connector_assets.load.destination import Destination
from connector_assets.load.table import Column as Stored
from connector_assets.load.table import Loaded
from connector_assets.spec.stream.stream import Column, Stream
from connector_assets.sync import Synced

LONGEST_WAIT_S = 24 * 3600
"""A vendor that asks for more is a failure to look at, not a run to keep open."""
_MOST_WAITS = 5
_LONGEST_CELL, _LONGEST_CURSOR = 80, 100_000


@dataclass(frozen=True, slots=True)
class LoadedPart:
    """One load: of a partition, or of all there is."""

    synced: Synced
    seconds: float
    stream: Stream
    lineage: Lineage
    before: Sequence[Stored] | None = None
    """The table's columns before the load; None where there was no table."""
    sample: Sequence[Mapping[str, Any]] = ()
    registered: Mapping[str, int] = field(default_factory=dict)
    """How many partitions of children its rows became, and how many are gone."""
    source_state: str | None = None
    """What the source was like as the load began, of a stream that is watched."""

    @property
    def partition(self) -> str | None:
        return self.synced.table.partition


def result(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    parts: Sequence[LoadedPart],
    judged: Sequence[dg.AssetCheckResult],
) -> dg.MaterializeResult[None]:
    """A materialization, also of zero rows, with the checks' verdicts.

    Dagster makes one of each partition, with the metadata that is set aside for it here.
    """
    whole = parts[0].partition is None
    for part in () if whole else parts:
        context.add_asset_metadata(metadata(part), key, part.partition)
    return dg.MaterializeResult(
        asset_key=key,
        metadata=metadata(parts[0]) if whole else {},
        check_results=judged,
    )


def loaded_before(
    key: dg.AssetKey, parts: Sequence[LoadedPart]
) -> Iterator[dg.AssetMaterialization]:
    """Partitions that are in the table, of a step that fails at a later one."""
    for part in parts:
        if part.partition is not None:
            yield dg.AssetMaterialization(key, metadata=metadata(part), partition=part.partition)


def metadata(part: LoadedPart) -> dict[str, Any]:
    """What Dagster shows and plots of a load."""
    synced = part.synced
    stats, loaded, table, stream = synced.stats, synced.loaded, synced.table, part.stream
    told = {
        "dagster/row_count": loaded.rows,
        "dagster/partition_row_count": loaded.received if part.partition else None,
        "dagster/column_schema": column_schema(stream, loaded),
        "dagster/column_lineage": part.lineage.of(stream, [one.name for one in loaded.columns]),
        "dagster/table_name": f"{table.schema}.{table.name}",
        "dagster/uri": loaded.uri,
        "dagster/storage_kind": loaded.uri.partition(":")[0],
        "rows_received": loaded.received,
        "resumed_rows": synced.resumed_rows,
        "rejected": loaded.rejected,
        "dropped_values": sum(loaded.dropped.values()) or None,
        "calls": stats.calls,
        "pages": stats.pages,
        "bytes": stats.bytes,
        "retries": stats.retries,
        "waited_s": round(stats.waited_s, 3),
        "duration_s": round(part.seconds, 3),
        "complete": synced.complete,
        "truncated": stats.truncated,
        "unchanged": True if synced.unchanged else None,
        "cursor_before": _shown(synced.cursor_before),
        "cursor_after": _shown(synced.cursor_after),
        "schema_changes": _changes(part),
        "sample": _table(part.sample),
        "quota_left": stats.quota_left,
        **part.registered,
        "source_state": part.source_state,
        "notes": dg.MetadataValue.text("\n".join(stats.notes)) if stats.notes else None,
    }
    known = {name: value for name, value in told.items() if value is not None}
    return {**_of_plugin(stats.metadata, told.keys()), **known}


def _of_plugin(said: Mapping[str, Any], taken: Collection[str]) -> dict[str, Any]:
    """What a plugin says of the load, under names of its own."""
    return {
        f"plugin/{name}" if name in taken else name: _metadata_value(value)
        for name, value in said.items()
    }


def _metadata_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        return dg.MetadataValue.json(value)
    return legible(value) if isinstance(value, str) else value


def _changes(part: LoadedPart) -> dg.MetadataValue[Any] | None:
    """What the load changed in the table's columns."""
    if part.before is None:
        return None
    before = {column.name: column.type for column in part.before}
    lines = column_changes(before, part.synced.loaded.columns)
    return dg.MetadataValue.text("\n".join(map(legible, lines))) if lines else None


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue[Any] | None:
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows]) if rows else None


def sample(
    destination: Destination, part: LoadedPart, most: int, mask: Callable[[str], str]
) -> list[dict[str, Any]]:
    """At most `most` rows of the table, short and without secrets.

    Columns that are tagged `pii` are left out. No example is worth a failed step.
    """
    said = described(part.stream)
    names = [
        column.name
        for column in part.synced.loaded.columns
        if "pii" not in said.get(column.name, Column()).tags
    ]
    table = part.synced.table
    if not (most and names and part.synced.loaded.rows):
        return []
    columns = ", ".join(map(quoted, names))
    relation = f"{quoted(table.schema)}.{quoted(table.name)}"
    try:
        rows = destination.query(f"select {columns} from {relation}", limit=most)[1]  # noqa: S608 - names are quoted
    except ConnectorError:
        return []
    return [
        {legible(name): _cell(value, mask) for name, value in zip(names, row, strict=True)}
        for row in rows
    ]


def _cell(value: Any, mask: Callable[[str], str]) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = legible(mask(str(value)))
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def _shown(cursor: Any) -> Any:
    if cursor is None or isinstance(cursor, int | float):
        return cursor
    if isinstance(cursor, Mapping) and len(json.dumps(cursor)) <= _LONGEST_CURSOR:
        return dg.MetadataValue.json(dict(cursor))  # a plugin's own, which its probe is given
    return message(cursor if isinstance(cursor, str) else repr(cursor))


def column_schema(stream: Stream, loaded: Loaded) -> dg.TableSchema:
    """The table as it is now, with what the spec says of its columns."""
    said = described(stream)
    return dg.TableSchema(
        [
            table_column(stream, said, column.name, column.type, nullable=column.nullable)
            for column in loaded.columns
        ]
    )


def failure(error: ConnectorError) -> Exception:
    """What to raise for `error`: its one line, without the chain of exceptions that led to it.

    Requests were already retried where that can help, so Dagster is asked for another try only
    where the server named a time to come back.
    """
    told = {"error": type(error).__name__, "where": error.where, "what to do": error.fix}
    failed = dg.Failure(
        str(error),
        {name: message(text) for name, text in told.items() if text},
        allow_retries=False,
    )
    if not isinstance(error, RateLimited) or error.retry_after_s > LONGEST_WAIT_S:
        return failed
    retry = dg.RetryRequested(_MOST_WAITS, seconds_to_wait=math.ceil(error.retry_after_s))
    retry.__cause__ = failed
    return retry
