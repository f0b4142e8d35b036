"""Messages of a load as they come from brokers, until each partition's end is reached.

The end is not told by a message: the last offset may be a control record, or have been compacted
away. It is reached by a message at the end or behind it, or by the word that there is no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from connector_assets.errors import Cancelled, ResponseError
from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.offsets import Bounds, Offsets, Place, Span
from connector_assets.reading.plugin_context import PluginContext

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

_MOST, _BYTES = 10_000, 4 << 20
"""Messages taken at once, and about how many bytes."""
_LOOK_S = 0.2


class Reading:
    """The messages of `bounds`, whose spans move on with them."""

    def __init__(
        self,
        cluster: Cluster,
        bounds: Bounds,
        ctx: PluginContext[Any],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._bounds, self._ctx, self._monotonic = cluster, bounds, ctx, monotonic
        self._open = {at: span for at, span in bounds.spans.items() if span.next < span.end}
        self._most = 500

    def __iter__(self) -> Iterator[list[Message]]:
        """Messages in the order of their partitions, some at a time."""
        if not self._open:
            return
        with self._cluster.consumer() as consumer:
            self._assign(consumer, self._open)
            heard = self._monotonic()
            while self._open:
                if self._ctx.cancelled:
                    raise Cancelled("cancelled", where=self._ctx.label)
                count = len(self._open)
                found = self._ours(consumer, consumer.consume(self._most, _LOOK_S))
                if found or len(self._open) < count:
                    heard = self._monotonic()
                    yield found
                elif self._monotonic() - heard > self._cluster.config.timeout_s:
                    raise self._cluster.unreachable("reading")

    def _ours(self, consumer: Consumer, came: list[Any]) -> list[Message]:
        """The messages of the load among those that came; what else was said is acted on."""
        found, spans = [], self._open
        size = 0
        for one in came:
            if (error := one.error()) is not None:
                self._act(consumer, one, error)
                continue
            at = (one.topic(), one.partition())
            span = spans.get(at)
            if span is None:
                continue
            offset = one.offset()
            # Not what comes twice, as after partitions were assigned anew.
            if span.next <= offset < span.end:
                span.next = offset + 1
                found.append(one)
                size += len(one)
            if offset >= span.end - 1:
                self._done(consumer, at, span)
        if found:
            self._most = max(1, min(_MOST, self._most * 2, _BYTES * len(found) // (size + 1)))
        return found

    def _done(self, consumer: Consumer, at: Place, span: Span) -> None:
        from confluent_kafka import TopicPartition

        span.next = span.end
        self._open.pop(at, None)
        if self._open:
            consumer.pause([TopicPartition(*at)])

    def _act(self, consumer: Consumer, said: Any, error: Any) -> None:
        """What a consumer is told beside messages."""
        name, at = error.name(), (said.topic(), said.partition())
        span = self._open.get(at)
        if name == "_PARTITION_EOF":
            if span is not None and said.offset() >= span.end:
                self._done(consumer, at, span)
            elif span is not None:
                self._require_uncut(at, span)
        elif name in ("_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"):
            if span is not None:
                self._go_on(consumer, at, span)
        elif not is_passing(error):
            self._cluster.fail(error, at[0] or "reading")

    def _require_uncut(self, at: Place, span: Span) -> None:
        """Raise ResponseError where the log ends before the end that it had."""
        end = Offsets(self._cluster).latest([at])[at]
        if end < span.end:
            what = f"{at[0]}/{at[1]}: it ended at {span.end:,} and now ends at {end:,}"
            fix = "the topic was made anew or cut off while it was read; load it again"
            raise ResponseError(what, where=self._cluster.where, fix=fix)

    def _go_on(self, consumer: Consumer, at: Place, span: Span) -> None:
        """Messages were removed while they were read: as `whenGone` says."""
        first = Offsets(self._cluster).earliest([at])[at]
        policy = self._cluster.config.when_gone
        lack = f"{at[0]}/{at[1]}: messages {span.next:,} to {first - 1:,} were removed meanwhile"
        if policy == "error" or first <= span.next:
            fix = "set whenGone to earliest or latest to go on without them"
            raise ResponseError(lack, where=self._cluster.where, fix=fix)
        self._bounds.lacks.append(lack)
        if policy == "latest" or first >= span.end:
            self._done(consumer, at, span)
            return
        span.next = first
        self._assign(consumer, self._open)

    def _assign(self, consumer: Consumer, spans: dict[Place, Span]) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        try:
            consumer.assign([TopicPartition(*at, span.next) for at, span in spans.items()])
        except KafkaException as error:
            self._cluster.fail(error.args[0], "reading")


def is_passing(error: Any) -> bool:
    """Whether an error that a consumer is told of may pass without anybody doing anything."""
    name = error.name()
    return name.startswith("GROUP_") or error.retriable() or name in _PASSING


# What librdkafka mends by itself; if it does not, no message comes in time.
_PASSING = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE", "_WAIT_COORD"})
