"""What Dagster is told when a step ends: metadata that shows and plots, checks, or a failure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from connector_assets.assets.checks import Nulls, verdicts
from connector_assets.errors import ConnectorError, RateLimited
from connector_assets.load.table import Column, Loaded
from connector_assets.spec.stream import Stream
from connector_assets.sync import Synced

LONGEST_WAIT_S = 24 * 3600
"""A vendor that asks for more is a failure to look at, not a run to keep open."""
_MOST_WAITS = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One load: of a partition, or of all there is."""

    synced: Synced
    seconds: float

    @property
    def partition(self) -> str | None:
        return self.synced.table.partition


def result(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    stream: Stream,
    parts: Sequence[Part],
    nulls: Nulls,
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
        check_results=list(verdicts(key, stream, [part.synced for part in parts], nulls)),
    )


def loaded_before(key: dg.AssetKey, parts: Sequence[Part]) -> Iterator[dg.AssetMaterialization]:
    """Partitions that are in the table, of a step that fails at a later one."""
    for part in parts:
        if part.partition is not None:
            yield dg.AssetMaterialization(key, metadata=metadata(part), partition=part.partition)


def metadata(part: Part) -> dict[str, Any]:
    """What Dagster shows and plots of a load."""
    synced = part.synced
    stats, loaded, table = synced.stats, synced.loaded, synced.table
    told = {
        "dagster/row_count": loaded.rows,
        "dagster/partition_row_count": loaded.received if part.partition else None,
        "dagster/column_schema": column_schema(loaded, table.primary_key),
        "dagster/table_name": f"{table.schema}.{table.name}",
        "dagster/uri": loaded.uri,
        "dagster/storage_kind": loaded.uri.partition(":")[0],
        "rows_received": loaded.received,
        "resumed_rows": synced.resumed_rows,
        "rejected": loaded.rejected,
        "calls": stats.calls,
        "pages": stats.pages,
        "bytes": stats.bytes,
        "retries": stats.retries,
        "waited_s": round(stats.waited_s, 3),
        "duration_s": round(part.seconds, 3),
        "truncated": stats.truncated,
        "unchanged": True if synced.unchanged else None,
        "cursor_before": _shown(synced.cursor_before),
        "cursor_after": _shown(synced.cursor_after),
        "notes": dg.MetadataValue.md("\n".join(f"- {note}" for note in stats.notes))
        if stats.notes
        else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _shown(cursor: Any) -> Any:
    return cursor if cursor is None or isinstance(cursor, str | int | float) else repr(cursor)


def column_schema(loaded: Loaded, primary_key: tuple[str, ...]) -> dg.TableSchema:
    """The table as it is now; the columns of its primary key carry a tag."""
    return dg.TableSchema(
        [_column(column, column.name in primary_key) for column in loaded.columns]
    )


def _column(column: Column, key: bool) -> dg.TableColumn:
    return dg.TableColumn(
        column.name,
        column.type,
        constraints=dg.TableColumnConstraints(nullable=column.nullable and not key),
        tags={"primary_key": ""} if key else None,
    )


def failure(error: ConnectorError) -> Exception:
    """What to raise for `error`: its one line, without the chain of exceptions that led to it.

    Requests were already retried where that can help, so Dagster is asked for another try only
    where the server named a time to come back.
    """
    told = {"error": type(error).__name__, "where": error.where, "what to do": error.fix}
    failed = dg.Failure(
        str(error), {name: text for name, text in told.items() if text}, allow_retries=False
    )
    if not isinstance(error, RateLimited) or error.retry_after_s > LONGEST_WAIT_S:
        return failed
    retry = dg.RetryRequested(_MOST_WAITS, seconds_to_wait=math.ceil(error.retry_after_s))
    retry.__cause__ = failed
    return retry
