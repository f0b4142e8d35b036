"""What must hold of a stream's table: judged by the step that loaded it, or alone from the UI.

One look at the table answers all checks of a stream; it runs in the thread that loaded, while the
run's main thread watches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from connector_assets.errors import ConnectorError, PageLimit
from connector_assets.legible import code, markdown
from connector_assets.load.destination import Destination
from connector_assets.load.table import Column, Table
from connector_assets.spec.names.paths import own_key
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.stream.table_checks import Checks, ConnectionChecks, SqlCheck
from connector_assets.sync import Synced


def check_specs(key: dg.AssetKey, stream: Stream) -> list[dg.AssetCheckSpec]:
    """The checks of a stream; `complete` is there always."""
    texts = {**_texts(stream), **{one.name: markdown(one.description) for one in _sql(stream)}}
    return [
        dg.AssetCheckSpec(
            name,
            asset=key,
            description=texts[name] or None,
            blocking=stream.checks.blocks(name),
        )
        for name in stream.checks.names
    ]


def _texts(stream: Stream) -> dict[str, str]:
    checks = stream.checks
    changes = {"loses": checks.max_drop, "grows by": checks.max_growth}
    change = " and ".join(
        f"{verb} {most:.0%}" for verb, most in changes.items() if most is not None
    )
    return {
        "complete": "Every list was read to its end.",
        "min_rows": f"The table holds at least {checks.min_rows or 0:,} rows.",
        "max_rows": f"The table holds at most {checks.max_rows or 0:,} rows.",
        "rows_change": f"From load to load the table {change} at most.",
        "key": f"Every row has {', '.join(map(code, stream.primary_key))}, and no two the same.",
        "same_columns": "Columns and types are those of the load before.",
        "not_null": f"No value is missing in {', '.join(map(code, checks.not_null))}.",
        "fresh": f"The last load is no older than {checks.fresh_for}.",
    }


def _sql(stream: Stream) -> Sequence[SqlCheck]:
    return stream.checks.sql if isinstance(stream.checks, ConnectionChecks) else ()


@dataclass(frozen=True, slots=True)
class Before:
    """What a table was like at the load before: None where that is not known."""

    rows: int | None = None
    columns: Mapping[str, str] | None = None


@dataclass(slots=True)
class Look:
    """What was found in a table. A value may be the error that kept it from being found."""

    rows: int
    columns: Sequence[Column]
    before: Before = field(default_factory=Before)
    nulls: Mapping[str, int] | ConnectorError = field(default_factory=dict)
    twice: int | ConnectorError = 0
    age_s: float | None = None
    """Seconds since the last load; None where there was none."""
    found: dict[str, int | ConnectorError] = field(default_factory=dict)


def look(
    destination: Destination,
    table: Table,
    stream: Stream,
    *,
    before: Before,
    names: Collection[str],
    synced: Synced | None = None,
) -> Look:
    """Ask the table what the checks called `names` want to know."""
    rows = synced.loaded.rows if synced else destination.count(table) or 0
    columns = synced.loaded.columns if synced else destination.describe(table) or ()
    seen, checks = Look(rows, columns, before), stream.checks
    key = [own_key(path) for path in stream.primary_key]
    wanted = [*(key if "key" in names else ()), *(checks.not_null if "not_null" in names else ())]
    relation = f"{quoted(table.schema)}.{quoted(table.name)}"
    seen.nulls = _asked(lambda: _nulls(destination, relation, seen, wanted)) if wanted else {}
    if "key" in names and columns:
        seen.twice = _asked(lambda: _twice(destination, relation, key))
    for one in _sql(stream):
        if one.name in names:
            query = one.query.replace("{table}", destination.name_in_sql(table))
            seen.found[one.name] = _asked(lambda: len(destination.query(query, limit=100)[1]))  # noqa: B023 - asked at once
    return seen


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except ConnectorError as error:
        return error


def _nulls(
    destination: Destination, relation: str, seen: Look, names: Sequence[str]
) -> dict[str, int]:
    """How often each column is null; one that the table does not have is null in every row."""
    columns = {column.name.casefold(): column.name for column in seen.columns}
    known = [columns[name.casefold()] for name in names if name.casefold() in columns]
    counts = dict.fromkeys(names, seen.rows)
    if known:
        parts = ", ".join(f"count(*) - count({quoted(name)})" for name in known)
        (row,) = destination.query(f"select {parts} from {relation}")[1]  # noqa: S608 - names are quoted
        found = {name.casefold(): int(count) for name, count in zip(known, row, strict=True)}
        counts |= {name: found[name.casefold()] for name in names if name.casefold() in found}
    return counts


def _twice(destination: Destination, relation: str, key: Sequence[str]) -> int:
    """How many keys stand in several rows."""
    names = ", ".join(map(quoted, key))
    inner = f"select 1 from {relation} group by {names} having count(*) > 1"  # noqa: S608 - names are quoted
    (row,) = destination.query(f"select count(*) from ({inner}) as twice")[1]  # noqa: S608 - as above
    return int(row[0])


def quoted(name: str) -> str:
    """A name as SQL takes any."""
    return '"' + name.replace('"', '""') + '"'


def verdicts(
    key: dg.AssetKey, stream: Stream, seen: Look, names: Collection[str]
) -> Iterator[dg.AssetCheckResult]:
    """One for each of `names` but `complete`, which only a reading can tell."""
    judged = {
        "min_rows": lambda: _bound(seen, stream.checks, "min_rows"),
        "max_rows": lambda: _bound(seen, stream.checks, "max_rows"),
        "rows_change": lambda: _change(seen, stream.checks),
        "key": lambda: _key(seen, stream),
        "same_columns": lambda: _columns(seen),
        "not_null": lambda: _filled(seen, stream.checks.not_null),
        "fresh": lambda: _fresh(seen, stream.checks),
    }
    for name in names:
        if name == "complete":
            continue
        verdict = judged[name]() if name in judged else _query(seen.found[name])
        yield dg.AssetCheckResult(asset_key=key, check_name=name, **verdict)


def _bound(seen: Look, checks: Checks, name: str) -> dict[str, Any]:
    bound = getattr(checks, name)
    passed = seen.rows >= bound if name == "min_rows" else seen.rows <= bound
    return {"passed": passed, "metadata": {"rows": seen.rows, name: bound}}


def _change(seen: Look, checks: Checks) -> dict[str, Any]:
    before = seen.before.rows
    if not before:
        return {"passed": True, "description": "no load before to compare with"}
    change = seen.rows / before - 1
    least = -1.0 if checks.max_drop is None else -checks.max_drop
    passed = change >= least and (checks.max_growth is None or change <= checks.max_growth)
    metadata = {"rows": seen.rows, "rows_before": before, "change": round(change, 4)}
    return {"passed": passed, "metadata": metadata}


def _key(seen: Look, stream: Stream) -> dict[str, Any]:
    for found in (seen.nulls, seen.twice):
        if isinstance(found, ConnectorError):
            return _untold(found)
    missing = {own_key(path): seen.nulls[own_key(path)] for path in stream.primary_key}  # type: ignore[index] # no error
    passed = not any(missing.values()) and not seen.twice
    metadata = {"keys_twice": seen.twice, **{f"missing {name}": n for name, n in missing.items()}}
    return {"passed": passed, "metadata": metadata}


def _columns(seen: Look) -> dict[str, Any]:
    if seen.before.columns is None:
        return {"passed": True, "description": "no load before to compare with"}
    changes = column_changes(seen.before.columns, seen.columns)
    return {"passed": not changes, "description": markdown("\n".join(changes)) or None}


def column_changes(before: Mapping[str, str], after: Sequence[Column]) -> list[str]:
    """What changed in a table, a line each.

    >>> column_changes({"a": "bigint", "b": "text"}, [Column("a", "double"), Column("c", "date")])
    ['a: bigint is now double', 'b is gone', 'c is new: date']
    """
    now = {column.name: column.type for column in after}
    lines = [
        f"{name}: {kind} is now {now[name]}" if name in now else f"{name} is gone"
        for name, kind in before.items()
        if now.get(name) != kind
    ]
    return lines + [f"{name} is new: {kind}" for name, kind in now.items() if name not in before]


def _filled(seen: Look, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(seen.nulls, ConnectorError):
        return _untold(seen.nulls)
    counts = {name: seen.nulls[name] for name in names}
    return {"passed": not any(counts.values()), "metadata": counts}


def _fresh(seen: Look, checks: Checks) -> dict[str, Any]:
    if seen.age_s is None or checks.fresh_for is None:
        return {"passed": False, "description": "never loaded"}
    passed = seen.age_s <= checks.fresh_for.total_seconds()
    return {"passed": passed, "metadata": {"age_s": round(seen.age_s, 1)}}


def _query(found: int | ConnectorError) -> dict[str, Any]:
    if isinstance(found, ConnectorError):
        return _untold(found)
    return {"passed": not found, "metadata": {"rows_found": found}}


def _untold(error: ConnectorError) -> dict[str, Any]:
    return {"passed": False, "description": markdown(f"not counted: {error}")}


def completeness(key: dg.AssetKey, done: Sequence[Synced]) -> dg.AssetCheckResult:
    """Whether all lists of a step's loads were read to their end."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name="complete",
        passed=all(one.complete for one in done),
        description="\n".join(markdown(lack) for one in done for lack in one.stats.lacks) or None,
        metadata={
            "pages": sum(one.stats.pages for one in done),
            "rows_received": sum(one.loaded.received for one in done),
        },
    )


def incomplete(key: dg.AssetKey, error: ConnectorError) -> Iterator[dg.AssetCheckResult]:
    """The `complete` check in red, beside the failed step, where pages were left unread."""
    if isinstance(error, PageLimit):
        yield dg.AssetCheckResult(
            asset_key=key, check_name="complete", passed=False, description=markdown(str(error))
        )
