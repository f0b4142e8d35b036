"""What must hold of a stream's table: judged by the step that loaded it, at no step of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from connector_assets.errors import ConnectorError, PageLimit
from connector_assets.load.table import Destination
from connector_assets.spec.stream import Stream
from connector_assets.sync import Synced

Nulls = Mapping[str, int] | ConnectorError
"""Missing values by column, or why they could not be counted."""


def check_specs(key: dg.AssetKey, stream: Stream) -> list[dg.AssetCheckSpec]:
    """The checks of a stream; `complete` is there always."""
    least, filled = stream.checks.min_rows, stream.checks.not_null
    texts = {"complete": "Every page was read."}
    if least is not None:
        texts["min_rows"] = f"The table holds at least {least:,} rows."
    if filled:
        texts["not_null"] = f"No value is missing in {', '.join(filled)}."
    return [dg.AssetCheckSpec(name, asset=key, description=text) for name, text in texts.items()]


def verdicts(
    key: dg.AssetKey, stream: Stream, done: Sequence[Synced], nulls: Nulls
) -> Iterator[dg.AssetCheckResult]:
    """One for each of `check_specs`; `done` are all loads of the step, in order."""
    rows, least = done[-1].loaded.rows, stream.checks.min_rows
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name="complete",
        passed=not any(one.stats.truncated for one in done),
        metadata={
            "pages": sum(one.stats.pages for one in done),
            "rows_received": sum(one.loaded.received for one in done),
        },
    )
    if least is not None:
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name="min_rows",
            passed=rows >= least,
            metadata={"rows": rows, "min_rows": least},
        )
    if stream.checks.not_null:
        yield _filled(key, nulls)


def _filled(key: dg.AssetKey, nulls: Nulls) -> dg.AssetCheckResult:
    name = "not_null"
    if isinstance(nulls, ConnectorError):
        return dg.AssetCheckResult(
            asset_key=key, check_name=name, passed=False, description=f"not counted: {nulls}"
        )
    return dg.AssetCheckResult(
        asset_key=key, check_name=name, passed=not any(nulls.values()), metadata=dict(nulls)
    )


def incomplete(key: dg.AssetKey, error: ConnectorError) -> Iterator[dg.AssetCheckResult]:
    """The `complete` check in red, beside the failed step, where pages were left unread."""
    if isinstance(error, PageLimit):
        yield dg.AssetCheckResult(
            asset_key=key, check_name="complete", passed=False, description=str(error)
        )


def count_nulls(destination: Destination, synced: Synced, names: Sequence[str]) -> Nulls:
    """How often each of the columns `names` is null in the loaded table.

    A column that the table does not have is null in every row.
    """
    table, loaded = synced.table, synced.loaded
    columns = {column.name.casefold(): column.name for column in loaded.columns}
    known = [columns[name.casefold()] for name in names if name.casefold() in columns]
    counts = dict.fromkeys(names, loaded.rows)
    if known:
        parts = ", ".join(f"count(*) - count({_quoted(name)})" for name in known)
        place = f"{_quoted(table.schema)}.{_quoted(table.name)}"
        try:
            (row,) = destination.query(f"select {parts} from {place}")[1]  # noqa: S608 - names are quoted
        except ConnectorError as error:
            return error
        found = {name.casefold(): int(count) for name, count in zip(known, row, strict=True)}
        counts |= {name: found[name.casefold()] for name in names if name.casefold() in found}
    return counts


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
