"""Streams as they are read: with the defaults under them, and once more as they begin.

The checks look at these; what they find is told where the document says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from connector_assets.spec.checks.bindings import at, items, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.connector import merged_streams
from connector_assets.spec.yaml.yaml_source import Path

_AT = 2
"""How deep in a path the number of a stream stands."""


class WholeStreams:
    """A connector's data as its streams are read."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._written = data
        read = merged_streams(data.get("read"))
        streams = items(at(read, "streams"))
        self._count = len(streams)
        self._begins = [n for n, one in enumerate(streams) if isinstance(at(one, "initial"), dict)]
        ids = {text(at(one, "id")) for one in items(data.get("endpoints"))}
        begun = [_begun(streams[n], ids, at(read, "primary")) for n in self._begins]
        self.data = dict(data)
        if begun or read is not data.get("read"):
            self.data["read"] = {**read, "streams": [*streams, *begun]}

    def each_once(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """Findings at the places of the document, each once."""
        seen: set[tuple[Path, str]] = set()
        for one in found:
            placed = self._placed(one)
            if placed and (placed.path, placed.message) not in seen:
                seen.add((placed.path, placed.message))
                yield placed

    def _placed(self, one: Finding) -> Finding | None:
        path = one.path
        if path[:1] != ("read",) or len(path) <= _AT + 1 or path[1] not in ("streams", "dynamic"):
            return one
        number, below = path[_AT], path[_AT + 1 :]
        if path[1] == "streams" and isinstance(number, int) and number >= self._count:
            own: Path = ("read", "streams", self._begins[number - self._count])
            # What a stream does not begin with is its own, and told there.
            if not _is_in(self._written, (*own, "initial", below[0])):
                return None
            return replace(one, path=(*own, "initial", *below))
        inherited: Path = ("read", "defaults", *below)
        if not _is_in(self._written, path) and _is_in(self._written, inherited):
            return replace(one, path=inherited)
        return one


def _begun(stream: dict[str, Any], ids: set[str], primary: Any) -> dict[str, Any]:
    name = text(at(stream, "name"))
    endpoint = at(stream, "endpoint") or (name if name in ids else primary)
    initial = stream["initial"]
    given = {**stream, "endpoint": endpoint, **initial}
    given["vars"] = {**(at(stream, "vars") or {}), **(at(initial, "vars") or {})}
    return {key: value for key, value in given.items() if key != "initial"}


def _is_in(data: Any, path: Path) -> bool:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
