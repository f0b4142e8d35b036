"""A spec pointed at the simulator: the same document, with other origins and a quicker clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ORIGIN = re.compile(r"https?://(?:\{\{.*?\}\}|[^/?#{}\s])+|^\{\{\s*(?:config\.)?(\w+)\s*\}\}")
_NOT_ADDRESSES = {"description", "docsUrl", "authorizeUrl", "displayName"}
_PER_SECOND = 50.0
_MOST_AT_ONCE = 5
_POLL_S = 0.05


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


def pointed(data: Mapping[str, Any]) -> Pointed:
    """`data`, a valid connector, with the requests of every origin going to the simulator.

    What a user would wait for is made short: limits are raised, polls come soon.
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
    made.data = _hastened(made.data)
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


def _hastened(tree: Any, key: str = "") -> Any:
    if isinstance(tree, list):
        return [_hastened(one, key) for one in tree]
    if not isinstance(tree, dict):
        return tree
    tree = {name: _hastened(one, name) for name, one in tree.items()}
    if key == "rateLimit" and "requestsPerSecond" in tree:
        burst = min(tree.get("burstSize", 1), _MOST_AT_ONCE)
        return {**tree, "requestsPerSecond": _PER_SECOND, "burstSize": burst}
    if key == "poll":
        return {**tree, "everySeconds": _POLL_S, "maxEverySeconds": _POLL_S}
    if key == "retry":
        return {**tree, "maxDelaySeconds": min(tree.get("maxDelaySeconds", 1), 1)}
    return tree
