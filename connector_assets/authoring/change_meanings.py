"""What a change of one key means for a table that is loaded already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from connector_assets.spec.stream.stream import Stream

Affects = Literal["rows", "state", "columns", "table", "asset", "cost", "access", "prose"]
Level = Literal["info", "warning", "breaking"]


@dataclass(frozen=True)
class Effect:
    """What a change affects, how grave that is, and what to do."""

    affects: Affects
    level: Level
    says: str


def meaning_of(path: str, old: Any, new: Any, *, stream: Stream | None = None) -> Effect:
    """The meaning of a change at `path`: a key of a connector, or of `stream` as it is to be."""
    if stream is not None and stream.mode == "replace" and path in ("primaryKey", "expand"):
        return Effect("rows", "warning", "the next load replaces the table, by what is new")
    known = _OF_STREAM if stream is not None else _OF_CONNECTOR
    for prefix, found in known:
        if path == prefix or path.startswith(f"{prefix}."):
            return found if isinstance(found, Effect) else found(path, old, new)
    return _ROWS if stream is not None else _PROSE


_Judge = Callable[[str, Any, Any], Effect]
_ANEW = "load it once with --full"
_PROSE = Effect("prose", "info", "changes no row and no table")
_ROWS = Effect("rows", "warning", "rows may be others from the next load on")
_REQUESTS = Effect("rows", "warning", "other requests are sent, so other rows may come")
_COST = Effect("cost", "info", "changes how fast or how patiently is asked, and no row")


def _key(_path: str, old: Any, new: Any) -> Effect:
    if not old:
        return Effect("table", "warning", f"rows get a key; those loaded without one: {_ANEW}")
    if not new:
        return Effect("table", "breaking", "rows have no key any more: none is updated in place")
    return Effect("table", "breaking", f"rows loaded by the old key are not found again: {_ANEW}")


def _mode(_path: str, old: Any, new: Any) -> Effect:
    if new == "replace":
        return Effect("table", "warning", "each load replaces the table, older rows included")
    if old == "replace":
        return Effect("table", "warning", f"rows stay from load to load: {new}")
    return Effect("table", "breaking", f"the table was written as {old}: {_ANEW}")


def _incremental(_path: str, old: Any, new: Any) -> Effect:
    if old is None:
        return Effect("state", "info", "the first load reads everything, later ones what is new")
    if new is None:
        return Effect("state", "warning", "each load reads everything; the position is not used")
    return _REQUESTS


def _cursor(_path: str, old: Any, new: Any) -> Effect:
    if old is None or new is None:
        return Effect("state", "breaking", f"a position is something else than before: {_ANEW}")
    says = f"the stored position is kept and taken for one of the new cursor: {_ANEW}"
    return Effect("state", "breaking", says)


def _token(_path: str, _old: Any, _new: Any) -> Effect:
    return Effect("state", "breaking", f"a position is something else than before: {_ANEW}")


def _written(_path: str, _old: Any, _new: Any) -> Effect:
    says = f"the stored position is kept, and read as the new format: if it fails, {_ANEW}"
    return Effect("state", "warning", says)


def _columns(path: str, old: Any, new: Any) -> Effect:
    name = path.partition(".")[2]
    if not name or path.endswith((".description", ".tags")):
        return _PROSE if name else Effect("columns", "warning", "other columns are declared")
    if old is None:
        return Effect("columns", "info", "a column is declared that was inferred, or is new")
    if new is None:
        return Effect("columns", "warning", "is no longer declared: its type is inferred")
    says = "the type is another: columns are made wider where the store can, else " + _ANEW
    return Effect("columns", "breaking", says)


def _page_size(_path: str, old: Any, new: Any) -> Effect:
    numbers = all(isinstance(one, int) and one for one in (old, new))
    times = f": {old / new:.2g} times the requests" if numbers else ""
    return Effect("cost", "info", f"pages are of another size{times}")


def _rate(_path: str, old: Any, new: Any) -> Effect:
    before, after = _per_second(old), _per_second(new)
    if not before or not after:
        return _COST
    return Effect("cost", "info", f"takes about {before / after:.2g} times as long")


def _per_second(value: Any) -> float | None:
    found = value.get("requestsPerSecond") if isinstance(value, dict) else value
    return float(found) if isinstance(found, int | float) else None


def _needed(path: str, old: Any, new: Any) -> Effect:
    if path.endswith(".description"):
        return _PROSE
    if path.endswith(".default") and new is None:
        return Effect("access", "breaking", "has no default any more: connections must give it")
    if path.count(".") > 1:
        return Effect("access", "warning", "values of connections may have to be others")
    if old is None:
        is_needed = (
            isinstance(new, dict)
            and new.get("default") is None
            and new.get("required") is not False
        )
        says = "is new: connections must give it where a stream uses it"
        return Effect("access", "breaking" if is_needed else "info", says)
    if new is None:
        return Effect("access", "breaking", "is gone: connections that give it are refused")
    return Effect("access", "warning", "values of connections may have to be others")


_ID = Effect("table", "breaking", "names tables, assets and variables: they are others from now on")

_OF_CONNECTOR: tuple[tuple[str, Effect | _Judge], ...] = (
    ("id", _ID),
    ("config", _needed),
    ("secrets", _needed),
    (
        "auth",
        Effect("access", "warning", "credentials are sent otherwise, or others are needed"),
    ),
    ("origins", Effect("access", "warning", "credentials may be sent to other servers")),
    ("rateLimit", _rate),
)

_OF_STREAM: tuple[tuple[str, Effect | _Judge], ...] = (
    ("table", Effect("table", "breaking", "is written to another table; the old one stays")),
    ("primaryKey", _key),
    ("writeMode", _mode),
    ("incremental.cursorField", _cursor),
    ("incremental.tokenField", _token),
    ("incremental.cursorFormat", _written),
    ("incremental.format", _written),
    (
        "incremental.start",
        Effect("state", "warning", "an earlier start reads all from there; a later one nothing"),
    ),
    ("incremental", _incremental),
    (
        "forEach",
        Effect("state", "warning", "other items are read; those with new keys begin anew"),
    ),
    ("columns", _columns),
    (
        "fields",
        Effect("columns", "warning", f"rows have other fields; to change old rows, {_ANEW}"),
    ),
    ("expand", Effect("rows", "breaking", f"a row is something else than before: {_ANEW}")),
    ("where", Effect("rows", "warning", f"other rows are kept; for older ones, {_ANEW}")),
    ("deletedWhen", Effect("rows", "warning", "other rows are deleted")),
    ("schemaPolicy", Effect("columns", "warning", "new columns are treated otherwise")),
    ("overflow", Effect("columns", "warning", "other keys get columns of their own")),
    ("keyConstraint", Effect("table", "info", "the table gets or loses a constraint")),
    ("indexes", Effect("table", "info", "the table gets or loses indexes")),
    ("loadColumns", Effect("columns", "info", "columns of the load come or go")),
    ("checks", Effect("prose", "info", "other checks are made; no row changes")),
    ("description", _PROSE),
    ("docsUrl", _PROSE),
    ("endpoint.id", _PROSE),
    ("endpoint.description", _PROSE),
    ("endpoint.pagination.pageSize", _page_size),
    (
        "endpoint.pagination.maxPages",
        Effect("cost", "warning", "a list may end earlier or later"),
    ),
    ("endpoint.rateLimit", _rate),
    ("endpoint.retry", _COST),
    ("endpoint.timeoutSeconds", _COST),
    ("endpoint.connectTimeoutSeconds", _COST),
    ("endpoint.readTimeoutSeconds", _COST),
    ("endpoint.minBytesPerSecond", _COST),
    ("endpoint.maxResponseBytes", _COST),
    (
        "endpoint.conditional",
        Effect("cost", "info", "a list that has not changed is asked anew"),
    ),
    (
        "endpoint.responseRowsPath",
        Effect("rows", "breaking", "rows are taken from another place in the answer"),
    ),
    ("endpoint", _REQUESTS),
)
