"""How far a table is behind its topics: messages that are there and not loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.config import KafkaConfig
from connector_assets.plugins.kafka.offsets import Bounds, Offsets, Place, log_of, next_of
from connector_assets.plugins.kafka.streams import topic_stream
from connector_assets.plugins.kafka.topics import topics_of
from connector_assets.reading.connector import Probe
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.runtime.stats import counted

_MOST_SHOWN = 1_000


def lag_of(cluster: Cluster, found: Bounds, position: Mapping[str, Any]) -> dict[str, Any]:
    """What the asset shows of a load: its lag, and the offsets where the next one goes on."""
    latest = Offsets(cluster).latest(list(found.spans))
    told: dict[str, Any] = {"lag": lag(position, latest), "partitions_read": len(found.spans)}
    if len(found.spans) <= _MOST_SHOWN:
        told["next_offsets"] = {name: position[name]["next"] for name in found.ids}
    return told


def probe(ctx: PluginContext[KafkaConfig], position: Any) -> Probe:
    """Whether messages are there that no load had, and how many; `position` is what one stored."""
    stream = topic_stream(ctx.config, ctx.stream.name, ctx.vars)
    cluster = Cluster(ctx.config, ctx.secrets, where=ctx.label)
    before = position if isinstance(position, Mapping) else None
    log = log_of(cluster, topics_of(cluster, stream, ctx.stream.name), before)
    state = {f"{topic}/{partition}": end for (topic, partition), end in log.latest.items()}
    if before is None:
        return Probe(state, None, "where the last load ended is not known")
    behind = {at: missing for at in log.latest if (missing := log.missing(before, at))}
    total = sum(behind.values())
    worst = sorted(behind.items(), key=lambda one: -one[1])[:_MOST_SHOWN]
    partitions = {f"{topic}/{partition}": missing for (topic, partition), missing in worst}
    told = {"lag": total, "partitions": partitions}
    return Probe(state, total > 0, f"{counted(total, 'message')} behind", told)


def lag(position: Mapping[str, Any], latest: Mapping[Place, int]) -> int:
    """How many offsets lie between a position and the ends of its partitions."""
    return sum(max(0, end - (next_of(position, at) or 0)) for at, end in latest.items())
