"""Two versions of a spec compared: what the change does to rows, positions, columns and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from connector_assets.authoring.change_meanings import Affects, Effect, Level, meaning_of
from connector_assets.authoring.differences import differing, plain_model, shown_value
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.fingerprint import fingerprint
from connector_assets.spec.stream.stream import Stream

_LEVELS: tuple[Level, ...] = ("info", "warning", "breaking")
_WITHOUT_VALUES = ("auth", "endpoint.auth", "endpoint.headers", "endpoint.params", "endpoint.body")
"""What may hold a secret that somebody wrote there by mistake."""
_SPELLED_OUT = {"endpoints", "read", "defaults"}
"""Keys of a connector that are compared as streams have them."""


@dataclass(frozen=True)
class SpecChange:
    """One key that differs. `stream` is empty where it is the connector's own."""

    stream: str
    path: str
    affects: Affects
    level: Level
    says: str
    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class Comparison:
    """All that differs. `rows` names the streams whose rows may be others than before."""

    changes: Sequence[SpecChange]
    added: Sequence[str]
    removed: Sequence[str]
    rows: Sequence[str]

    @property
    def level(self) -> Level | None:
        """The gravest level there is; None where nothing differs."""
        found = {one.level for one in self.changes}
        return next((level for level in reversed(_LEVELS) if level in found), None)

    def reaches(self, level: Level) -> bool:
        """Whether a change is at least as grave as `level`."""
        gravest = self.level
        return gravest is not None and _LEVELS.index(gravest) >= _LEVELS.index(level)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "level": self.level,
            "added": list(self.added),
            "removed": list(self.removed),
            "rows": list(self.rows),
            "changes": [asdict(one) for one in self.changes],
        }


def compare(old: ConnectorSpec, new: ConnectorSpec) -> Comparison:
    """What the change from `old` to `new` does, stream by stream."""
    before = {one.name: one for one in old.streams}
    after = {one.name: one for one in new.streams}
    both = [name for name in before if name in after]
    removed = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    changes = [*_of_connector(old, new)]
    changes += [_gone(name) for name in removed]
    changes += [_new(after[name]) for name in added]
    for name in both:
        changes += _of_stream(old, new, name)
    rows = [
        name for name in both if fingerprint(old, before[name]) != fingerprint(new, after[name])
    ]
    return Comparison(changes, added, removed, rows)


def _gone(name: str) -> SpecChange:
    says = "is no longer loaded; its table and its position stay where they are"
    return SpecChange(name, "", "table", "breaking", says)


def _new(stream: Stream) -> SpecChange:
    key = f" by {', '.join(stream.primary_key)}" if stream.primary_key else ""
    return SpecChange(
        stream.name, "", "table", "info", f"is new: its table is written ({stream.mode}{key})"
    )


def _of_connector(old: ConnectorSpec, new: ConnectorSpec) -> Iterator[SpecChange]:
    before, after = (
        {key: item for key, item in plain_model(one).items() if key not in _SPELLED_OUT}
        for one in (old, new)
    )
    for path, was, is_ in differing(before, after, ""):
        yield _change("", path, was, is_, meaning_of(path, was, is_))


def _of_stream(old: ConnectorSpec, new: ConnectorSpec, name: str) -> Iterator[SpecChange]:
    streams = old.stream(name), new.stream(name)
    before, after = (
        {
            **plain_model(stream),
            "writeMode": stream.mode,
            "endpoint": plain_model(spec.endpoint_of(stream)),
        }
        for spec, stream in zip((old, new), streams, strict=True)
    )
    for path, was, is_ in differing(before, after, ""):
        yield _change(name, path, was, is_, meaning_of(path, was, is_, stream=streams[1]))


def _change(stream: str, path: str, old: Any, new: Any, meaning: Effect) -> SpecChange:
    hidden = any(path == one or path.startswith(f"{one}.") for one in _WITHOUT_VALUES)
    shown = (None, None) if hidden else (shown_value(old), shown_value(new))
    return SpecChange(stream, path, meaning.affects, meaning.level, meaning.says, *shown)
