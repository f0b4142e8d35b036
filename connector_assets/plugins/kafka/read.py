"""The story of one load: topics, offsets, messages, rows, and the position stored with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from connector_assets.errors import ResponseError
from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.config import KafkaConfig, TopicStream
from connector_assets.plugins.kafka.consume import Reading
from connector_assets.plugins.kafka.lag import lag_of
from connector_assets.plugins.kafka.offsets import Asked, Bounds, at_time, bounds
from connector_assets.plugins.kafka.registry import Registry
from connector_assets.plugins.kafka.rows import RowMaker
from connector_assets.plugins.kafka.streams import topic_stream
from connector_assets.plugins.kafka.topics import listed, topics_of
from connector_assets.reading.connector import Batch
from connector_assets.reading.plugin_context import PluginContext

Context = PluginContext[KafkaConfig]


def read(ctx: Context) -> Iterator[Any]:
    """The messages of a stream from its stored offsets up to those where it ends now."""
    stream = topic_stream(ctx.config, ctx.stream.name, ctx.vars)
    cluster = Cluster(ctx.config, ctx.secrets, where=ctx.label)
    registry = Registry(ctx.config, where=ctx.label)
    maker = RowMaker(ctx.config, stream, registry, where=ctx.label)
    found = _resumed(ctx, cluster)
    if found is None:
        if ctx.resume is not None:
            ctx.reading.stats.note("a topic was made anew since this load began: starting over")
            yield Batch(b"", 0, void_after="")
        found = _bounds(ctx, cluster, stream)
    ctx.progress(total=found.total)
    deletes = ctx.stream.mode == "merge"
    for messages in Reading(cluster, found, ctx):
        for lines, is_deleted in maker.runs(messages):
            yield ctx.deleted(lines) if is_deleted and deletes else lines
        ctx.checkpoint(found.mark())
    if not found.stands(cluster):
        what, fix = "a topic was deleted and made anew while it was read", "load it again"
        raise ResponseError(what, where=ctx.label, fix=fix)
    for lack in found.lacks:
        ctx.reading.stats.lack(lack)
    if ctx.window is None:
        ctx.position = position = found.position(_stored(ctx))
        ctx.metadata(**lag_of(cluster, found, position))


def _resumed(ctx: Context, cluster: Cluster) -> Bounds | None:
    """What a load that was interrupted is still to read; None where its topics are others now."""
    if ctx.resume is None:
        return None
    found = Bounds.resumed(ctx.resume)
    is_there = found.ids.keys() <= listed(cluster).keys()
    return found if is_there and found.stands(cluster) else None


def _bounds(ctx: Context, cluster: Cluster, stream: TopicStream) -> Bounds:
    topics = topics_of(cluster, stream, ctx.stream.name)
    part = ctx.window
    window = (_ms(part.start), _ms(part.end)) if part else None
    stored = _stored(ctx)
    if window and ctx.stream.mode == "append" and ctx.reading.mode == "merge":
        # What is not loaded yet is appended when its turn comes, and would be there twice.
        stored = stored or {}
    elif window:
        stored = None
    return bounds(cluster, topics, Asked(stored, window, _since(ctx)))


def _since(ctx: Context) -> int | None:
    """The time at which the first run begins, where somebody says one."""
    incremental = ctx.stream.incremental
    start = incremental.start if incremental else None
    if incremental is None or start is None:
        return None
    return _ms(incremental.start_position(getattr(start, "source", start)))


def _stored(ctx: Context) -> dict[str, Any] | None:
    """The position of an earlier load; a table that is replaced is read as a whole."""
    found = ctx.cursor
    return found if isinstance(found, dict) and ctx.stream.mode != "replace" else None


def _ms(when: Any) -> int:
    assert isinstance(when, dt.datetime)
    return at_time(when)
