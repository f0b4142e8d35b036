"""A spec pointed at the simulator: the same document, with other origins and a quicker clock."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_assets.authoring.simulator.positions import NoPosition, read
from connector_assets.spec.names.dates import DateError, duration

_ORIGIN = re.compile(r"https?://(?:\{\{.*?\}\}|[^/?#{}\s])+|^\{\{\s*(?:config\.)?(\w+)\s*\}\}")
_NOT_ADDRESSES = {"description", "docsUrl", "authorizeUrl", "displayName"}
_PER_SECOND = 50.0
_MOST_AT_ONCE = 5
_POLL_S = 0.05
_MOST_WINDOWS = 12
_DAY = dt.timedelta(days=1)
_CONFIG = re.compile(r"\{\{\s*(?:config\.)?(\w+)\s*\}\}")


@dataclass
class Pointed:
    """The document with its origins replaced.

    `names` are the config values `simulator_0`, `simulator_1`, … that stand for the ports, in the
    order of the origins that the spec had; `given` are the spec's own config values that hold one.
    `sources` are the origins as they are written.
    """

    data: dict[str, Any]
    origins: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    given: dict[str, int] = field(default_factory=dict)

    def config(self, bases: list[str]) -> dict[str, str]:
        """The config values that point at `bases`, one for each origin."""
        named = {f"simulator_{n}": base for n, base in enumerate(bases)}
        return {**named, **{name: bases[n] for name, n in self.given.items()}}


def pointed(data: Mapping[str, Any], now: dt.datetime | None = None) -> Pointed:
    """`data`, a valid connector, with the requests of every origin going to the simulator.

    What a user would wait for is made short: limits are raised, polls come soon, and where `now`
    is given, lists in windows begin a few windows before it.
    """
    made = Pointed(dict(data))
    for key in ("auth", "defaults", "endpoints"):
        if key in made.data:
            made.data[key] = _moved(made.data[key], made)
    if "origins" in made.data:
        made.data["origins"] = []
    config: dict[str, Any] = {f"simulator_{n}": {} for n in range(len(made.origins))}
    declared = {
        name: _anywhere(one) if name in made.given else one
        for name, one in made.data.get("config", {}).items()
    }
    made.data["config"] = {**declared, **config}
    defaults = {name: (one or {}).get("default") for name, one in made.data["config"].items()}
    made.data = _Hastened(now, defaults).of(made.data)
    return made


def _anywhere(declared: Any) -> Any:
    """A config value that may hold the simulator's address, too."""
    bound = ("pattern", "enum", "default", "example")
    return {key: one for key, one in (declared or {}).items() if key not in bound}


def _moved(tree: Any, made: Pointed, key: str = "") -> Any:
    if isinstance(tree, dict):
        return {name: _moved(one, made, name) for name, one in tree.items()}
    if isinstance(tree, list):
        return [_moved(one, made, key) for one in tree]
    is_address = key in ("url", "baseUrl", "tokenUrl") and isinstance(tree, str)
    return _address(tree, made) if is_address else tree


def _address(url: str, made: Pointed) -> str:
    found = _ORIGIN.match(url)
    if found is None:
        return url
    origin = found[0].lower()
    if origin not in made.origins:
        made.origins.append(origin)
        made.sources.append(found[0])
    number = made.origins.index(origin)
    if found[1]:
        made.given[found[1]] = number
        return url
    return f"{{{{simulator_{number}}}}}{url[found.end() :]}"


@dataclass(frozen=True)
class _Hastened:
    now: dt.datetime | None
    defaults: Mapping[str, Any]

    def of(self, tree: Any, key: str = "") -> Any:
        """The document with what takes long made short."""
        if isinstance(tree, list):
            return [self.of(one, key) for one in tree]
        if not isinstance(tree, dict):
            return tree
        return self._short({name: self.of(one, name) for name, one in tree.items()}, key)

    def _short(self, tree: dict[str, Any], key: str) -> dict[str, Any]:
        if key == "rateLimit" and "requestsPerSecond" in tree:
            burst = min(tree.get("burstSize", 1), _MOST_AT_ONCE)
            return {**tree, "requestsPerSecond": _PER_SECOND, "burstSize": burst}
        if key == "poll":
            return {**tree, "everySeconds": _POLL_S, "maxEverySeconds": _POLL_S}
        if key == "retry":
            return {**tree, "maxDelaySeconds": min(tree.get("maxDelaySeconds", 1), 1)}
        if key == "incremental" and "window" in tree and self.now:
            return self._begun_late(tree, self.now)
        return tree

    def _begun_late(self, incremental: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
        """A list in windows, with no more of them than is soon read: a few, of a day at least."""
        start, window = self._time(incremental.get("start")), incremental["window"]
        try:
            if _before(now, window, 1) > now - _DAY:
                window = "P1D"
            latest = min(
                _before(now, window, _MOST_WINDOWS),
                _before(now, incremental.get("lookback", "P0D"), 3),
            )
        except DateError:
            return incremental
        incremental = {**incremental, "window": window}
        if incremental.get("format", "as_is") == "as_is" or (start and start >= latest):
            return incremental
        return {**incremental, "start": f"{latest:%Y-%m-%dT00:00:00Z}"}

    def _time(self, start: Any) -> dt.datetime | None:
        named = _CONFIG.fullmatch(start) if isinstance(start, str) else None
        value = self.defaults.get(named[1]) if named else start
        try:
            found = read(str(value), "time")
        except NoPosition:
            return None
        return found if isinstance(found, dt.datetime) else None


def _before(now: dt.datetime, span: str, times: int) -> dt.datetime:
    for _ in range(times):
        before = duration(span).before(now)
        assert isinstance(before, dt.datetime)
        now = before
    return now
