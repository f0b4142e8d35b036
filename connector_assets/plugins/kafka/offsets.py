"""From which offset to which each partition is read: what one load takes, fixed as it begins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector_assets.errors import ResponseError
from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.topics import Topic, ids_of

Place = tuple[str, int]
"""A topic's name and the number of a partition."""
_FIX = "set whenGone to earliest or latest to go on without them, or load all anew with --full"


@dataclass(slots=True)
class Span:
    """The offsets from `next` on, up to and without `end`, of one partition."""

    next: int
    end: int


@dataclass
class Bounds:
    """What one load reads: spans by partition, of topics with these ids.

    `lacks` are the reasons why rows are missing.
    """

    ids: dict[str, str]
    spans: dict[Place, Span]
    lacks: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many offsets are left to read; some may hold no message."""
        return sum(span.end - span.next for span in self.spans.values())

    def stands(self, cluster: Cluster) -> bool:
        """Whether the topics are still those whose ends these are, and reach as far."""
        if ids_of(cluster, self.ids) != self.ids:
            return False
        written = Offsets(cluster).latest(list(self.spans), "read_uncommitted")
        return all(written[at] >= span.end for at, span in self.spans.items())

    def mark(self) -> dict[str, Any]:
        """Where a run that is killed goes on, as a JSON value."""
        spans: dict[str, dict[str, list[int]]] = {name: {} for name in self.ids}
        for (topic, partition), span in self.spans.items():
            spans[topic][str(partition)] = [span.next, span.end]
        return {"ids": self.ids, "spans": spans, "lacks": self.lacks}

    @classmethod
    def resumed(cls, mark: Mapping[str, Any]) -> Bounds:
        """Those of a `mark`."""
        spans = {
            (topic, int(partition)): Span(*pair)
            for topic, pairs in mark["spans"].items()
            for partition, pair in pairs.items()
        }
        return cls(dict(mark["ids"]), spans, list(mark["lacks"]))

    def position(self, before: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is stored with the rows once all is read: the next offset of each partition.

        Topics of `before` that are not there now stay: they may come again under their names.
        """
        ends: dict[str, dict[str, int]] = {name: {} for name in self.ids}
        for (topic, partition), span in self.spans.items():
            ends[topic][str(partition)] = span.end
        read = {name: {"id": id_, "next": ends[name]} for name, id_ in self.ids.items()}
        return {**(before or {}), **read}


def at_time(when: dt.datetime) -> int:
    """A moment as brokers take it: milliseconds since 1970."""
    return int(when.timestamp() * 1000)


def places(topics: Iterable[Topic]) -> list[Place]:
    """All partitions of `topics`."""
    return [(one.name, partition) for one in topics for partition in one.partitions]


class Offsets:
    """Asks brokers for offsets, of many partitions at once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def earliest(self, of: Sequence[Place]) -> dict[Place, int]:
        """The first offset that is there."""
        return dict(self._ask(of, _spec("earliest")))

    def latest(self, of: Sequence[Place], isolation: str = "") -> dict[Place, int]:
        """The offset after the last message, by the isolation of the connection or another.

        Of `read_committed` it is the first offset of the oldest transaction that is open.
        """
        return dict(self._ask(of, _spec("latest"), isolation))

    def since(self, of: Sequence[Place], ms: int, latest: Mapping[Place, int]) -> dict[Place, int]:
        """The first offset whose message has this time or a later one, else the `latest`."""
        found = self._ask(of, _spec("for_timestamp", ms))
        return {at: latest[at] if offset < 0 else min(offset, latest[at]) for at, offset in found}

    def _ask(
        self, of: Sequence[Place], spec: Any, isolation: str = ""
    ) -> Iterator[tuple[Place, int]]:
        from confluent_kafka import IsolationLevel, TopicPartition

        cluster = self._cluster
        level = IsolationLevel[(isolation or cluster.config.isolation).upper()]
        if not of:
            return
        found = cluster.admin.list_offsets(
            {TopicPartition(*at): spec for at in of},
            isolation_level=level,
            request_timeout=cluster.config.timeout_s,
        )
        for one, told in found.items():
            what = f"{one.topic}/{one.partition}"
            yield (one.topic, one.partition), int(cluster.result(told, what).offset)


def _spec(kind: str, *given: int) -> Any:
    from confluent_kafka import admin

    module: Any = admin  # its own types leave this class out
    return getattr(module.OffsetSpec, kind)(*given)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a load is to read: all after a stored position, or a stretch of time.

    Of a stretch nothing is read beyond the stored position, if there is one. `since` is a time that
    the first run begins at, if not where the connection says.
    """

    stored: Mapping[str, Any] | None = None
    window: tuple[int, int] | None = None
    since: int | None = None


def bounds(cluster: Cluster, topics: Sequence[Topic], asked: Asked) -> Bounds:
    """What to read of `topics`; raises ResponseError where stored offsets are gone."""
    log = log_of(cluster, topics, asked.stored)
    if asked.window:
        return Bounds(dict(log.ids), _between(cluster, asked.window, asked.stored, log))
    if asked.stored is None:
        found = Bounds(dict(log.ids), _first(cluster, asked.since, log))
    else:
        found = _after(cluster, asked.stored, log)
    _cap(found, cluster.config.max_messages)
    return found


@dataclass(frozen=True)
class Log:
    """What brokers have: topics with these ids, and each partition from one offset to another.

    `written` are ends with the messages of transactions that are open, where those matter.
    """

    ids: Mapping[str, str]
    earliest: Mapping[Place, int]
    latest: Mapping[Place, int]
    written: Mapping[Place, int] = field(default_factory=dict)

    def missing(self, stored: Mapping[str, Any], at: Place) -> int:
        """How many offsets of a partition are there and not read, from a stored position on.

        Of one that is new, or not as it was, these are all that it has.
        """
        after = next_of(stored, at)
        if after is None or self.why_gone(at, stored[at[0]]["id"], after):
            after = self.earliest[at]
        return max(0, self.latest[at] - after)

    def why_gone(self, at: Place, before: str, after: int) -> str:
        """Why reading cannot go on at the offset `after`, of a topic with the id `before`."""
        now, first = self.ids[at[0]], self.earliest[at]
        end = self.written.get(at, self.latest[at])
        if before and now and before != now:
            return "the topic was deleted and made anew since it was read"
        if after < first:
            return f"messages {after:,} to {first - 1:,} were removed before they were read"
        if after > end:
            return f"was read up to {after:,} and ends at {end:,}: it was made anew, or cut off"
        return ""


def log_of(cluster: Cluster, topics: Sequence[Topic], stored: Mapping[str, Any] | None) -> Log:
    """What brokers have of `topics` now, to be compared with a stored position."""
    offsets, of = Offsets(cluster), places(topics)
    ids = ids_of(cluster, [one.name for one in topics])
    latest = offsets.latest(of)
    shorter = [at for at, end in latest.items() if (next_of(stored or {}, at) or 0) > end]
    written = offsets.latest(shorter, "read_uncommitted")
    return Log(ids, offsets.earliest(of), latest, written)


def next_of(stored: Mapping[str, Any], at: Place) -> int | None:
    """The offset that a position has for a partition; None for one that is new."""
    found = stored.get(at[0], {}).get("next", {}).get(str(at[1]))
    return None if found is None else int(found)


def _between(
    cluster: Cluster, window: tuple[int, int], stored: Mapping[str, Any] | None, log: Log
) -> dict[Place, Span]:
    """What stands between two times, and not beyond the stored position, if there is one."""
    offsets, of = Offsets(cluster), list(log.latest)
    begin, end = (offsets.since(of, ms, log.latest) for ms in window)
    if stored is not None:
        end = {at: min(end[at], next_of(stored, at) or 0) for at in of}
    return {at: Span(begin[at], max(begin[at], end[at])) for at in of}


def _first(cluster: Cluster, since: int | None, log: Log) -> dict[Place, Span]:
    """What the first run reads."""
    begin = log.earliest if cluster.config.start == "earliest" else log.latest
    if since is not None:
        begin = Offsets(cluster).since(list(log.latest), since, log.latest)
    return {at: Span(begin[at], end) for at, end in log.latest.items()}


def _after(cluster: Cluster, stored: Mapping[str, Any], log: Log) -> Bounds:
    """What comes after the stored position, and what of it is gone."""
    policy, lacks, spans = cluster.config.when_gone, [], {}
    for at, end in log.latest.items():
        after = next_of(stored, at)
        if after is None:
            # A partition or a topic that is new, whatever the first run began with.
            spans[at] = Span(log.earliest[at], end)
        elif why := log.why_gone(at, stored[at[0]]["id"], after):
            lacks.append(f"{at[0]}/{at[1]}: {why}")
            spans[at] = Span(log.earliest[at] if policy == "earliest" else end, end)
        else:
            spans[at] = Span(after, max(after, end))
    if lacks and policy == "error":
        raise ResponseError("; ".join(lacks), where=cluster.where, fix=_FIX)
    return Bounds(dict(log.ids), spans, lacks)


def _cap(found: Bounds, most: int | None) -> None:
    """Leave what is beyond `most` messages to the next run, an equal share of each partition."""
    ready = [span for span in found.spans.values() if span.end > span.next]
    if most is None or not ready:
        return
    share = max(1, most // len(ready))
    for span in ready:
        span.end = min(span.end, span.next + share)
