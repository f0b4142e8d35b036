"""Two versions of a connection compared: what the change does to tables, assets and access."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.authoring.change_meanings import Effect, Level
from connector_assets.authoring.changes import Comparison, SpecChange
from connector_assets.authoring.differences import differing, plain_model, shown_value
from connector_assets.spec.connection import ConnectionDocument, StreamSettings

_GONE = "no longer loaded; tables and positions stay where they are"
_ANEW = "load it once with --full"
_ASSET = Effect("asset", "info", "Dagster shows or runs the asset otherwise; no row changes")
_PROSE = Effect("prose", "info", "changes no row and no table")
_VALUES = Effect("rows", "warning", f"other rows may come; to change those loaded before, {_ANEW}")
_TABLE = Effect("table", "breaking", "is written to another table; the old one stays")
_KEY = Effect(
    "asset",
    "breaking",
    "the asset has another key: its history, and who depends on it, do not follow",
)
_NETWORK = Effect("access", "warning", "requests leave by another way")

_OF_CONNECTION: tuple[tuple[str, Effect], ...] = (
    (
        "id",
        Effect(
            "table", "breaking", "names tables, assets and variables: they are others from now on"
        ),
    ),
    (
        "connector",
        Effect("rows", "breaking", f"another connector is read into the same tables: {_ANEW}"),
    ),
    (
        "destination",
        Effect(
            "table", "breaking", "tables are made elsewhere, from the beginning; the old ones stay"
        ),
    ),
    ("table", _TABLE),
    ("config", _VALUES),
    ("vars", _VALUES),
    ("auth", Effect("access", "warning", "other credentials are needed, and may see other rows")),
    ("secrets", Effect("access", "warning", "secrets are looked for elsewhere")),
    ("origins", Effect("access", "warning", "requests may be sent to other servers, or no longer")),
    ("network", _NETWORK),
    (
        "adopt",
        Effect("table", "warning", "rows of others in its tables may be replaced, or no longer"),
    ),
    ("keyPrefix", _KEY),
    ("key", _KEY),
    (
        "execution",
        Effect("asset", "warning", "steps are made otherwise: one for each stream, or one for all"),
    ),
    ("description", _PROSE),
)
_OF_STREAM: tuple[tuple[str, Effect], ...] = (
    ("table", _TABLE),
    ("writeMode", Effect("table", "breaking", f"the table is written in another mode: {_ANEW}")),
    ("vars", _VALUES),
    (
        "incremental",
        Effect("state", "warning", "an earlier start reads all from there; a later one nothing"),
    ),
    ("python", Effect("rows", "warning", f"other code makes the rows; for older ones, {_ANEW}")),
    (
        "partitions",
        Effect(
            "table",
            "breaking",
            f"parts of the table are others, and what Dagster knows of them: {_ANEW}",
        ),
    ),
    ("key", _KEY),
    ("description", _PROSE),
)
_HIDDEN = ("config", "vars", "secrets", "network", "destination", "metadata", "opTags")
"""What may hold a secret that somebody wrote there by mistake."""


def compare_connections(old: ConnectionDocument, new: ConnectionDocument) -> Comparison:
    """What the change from `old` to `new` does, stream by stream."""
    before, after = _streams(old), _streams(new)
    changes = list(_differences("", _head(old), _head(new), _OF_CONNECTION))
    removed, added = _gone(before, after), _gone(after, before)
    changes += [_listed(name, "breaking", _GONE) for name in removed]
    changes += [_listed(name, "info", "loaded from now on") for name in added]
    unsaid = plain_model(StreamSettings())
    for name in {**(before or {}), **(after or {})}:
        if name not in (*removed, *added):
            one, other = ((each or {}).get(name, unsaid) for each in (before, after))
            changes += _differences(name, one, other, _OF_STREAM)
    rows = {one.stream or "all" for one in changes if one.affects == "rows"}
    return Comparison(changes, added, removed, sorted(rows))


def _head(connection: ConnectionDocument) -> dict[str, Any]:
    """All that is not of single streams; whether all are loaded is told as such."""
    return {key: one for key, one in plain_model(connection).items() if key != "streams"}


def _streams(connection: ConnectionDocument) -> dict[str, Any] | None:
    """The settings of each stream that is named; None where all are loaded."""
    named = connection.streams
    if not named:
        return None
    settings = named if isinstance(named, Mapping) else dict.fromkeys(named)
    return {name: plain_model(one or StreamSettings()) for name, one in settings.items()}


def _gone(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    """The streams of `before` that `after` does not load; "" stands for all that are not named."""
    if after is None:
        return []
    return [""] if before is None else [name for name in before if name not in after]


def _listed(name: str, level: Level, what: str) -> SpecChange:
    subject = "is" if name else "all streams that are not named are"
    return SpecChange(name, "streams", "table", level, f"{subject} {what}")


def _differences(
    stream: str, old: Any, new: Any, known: tuple[tuple[str, Effect], ...]
) -> Iterator[SpecChange]:
    for path, was, is_ in differing(old, new, ""):
        found = (one for key, one in known if path == key or path.startswith(f"{key}."))
        effect = next(found, _ASSET)
        hidden = path.split(".")[0] in _HIDDEN
        shown = (None, None) if hidden else (shown_value(was), shown_value(is_))
        yield SpecChange(stream, path, effect.affects, effect.level, effect.says, *shown)
