"""How far a table is behind its topics: messages that are there and not loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.offsets import Bounds, Offsets, Place, next_of

_MOST_SHOWN = 1_000


def lag_of(cluster: Cluster, found: Bounds, position: Mapping[str, Any]) -> dict[str, Any]:
    """What the asset shows of a load: its lag, and the offsets where the next one goes on."""
    latest = Offsets(cluster).latest(list(found.spans))
    told: dict[str, Any] = {"lag": lag(position, latest), "partitions_read": len(found.spans)}
    if len(found.spans) <= _MOST_SHOWN:
        told["next_offsets"] = {name: position[name]["next"] for name in found.ids}
    return told


def lag(position: Mapping[str, Any], latest: Mapping[Place, int]) -> int:
    """How many offsets lie between a position and the ends of its partitions."""
    return sum(max(0, end - (next_of(position, at) or 0)) for at, end in latest.items())
