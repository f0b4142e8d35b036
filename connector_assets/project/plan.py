"""What a load will ask for, told before it is begun: requests, and the least time they take.

Nothing is sent. How many lists there are to read is known exactly: it is what a read would go
through. How many pages each has is known from what the table holds, from a first page that was
asked for, or not at all; and what is assumed or not known is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from connector_assets.errors import ConfigError
from connector_assets.project.connection import Connection
from connector_assets.project.partitioned import keys, narrowed, only, parent_partitions
from connector_assets.reading.connector import FirstPage, Lists, ReadContext
from connector_assets.runtime.stats import counted
from connector_assets.runtime.walk.slices import ParentRows
from connector_assets.spec.stream.stream import Stream

Certainty = Literal["exactly", "about", "at least"]
LATENCY_S = 0.5
"""What an answer is taken to take where nobody measured it."""
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


class Known(Protocol):
    """What is known of a stream before it is read."""

    def rows(self, stream: str) -> int | None:
        """How many rows its table holds; None where there is none."""
        ...

    def partitions(self, stream: str) -> int | None:
        """How many partitions these rows are of; None where that is not known."""
        ...

    def position(self, stream: str) -> Mapping[str, Any] | None:
        """Where it stands, as a load would read it."""
        ...


@dataclass(frozen=True)
class StreamPlan:
    """A stream's plan: `requests` are None where not even a least number is known.

    `certainty` says how that number is meant. `seconds` is the least time that it takes.
    """

    stream: str
    partitions: int | None = None
    lists: int | None = None
    requests: int | None = None
    certainty: Certainty = "at least"
    seconds: float | None = None
    per_second: float | None = None
    at_once: int = 1
    known: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The plan as JSON has it."""
        return {
            "stream": self.stream,
            "partitions": self.partitions,
            "lists": self.lists,
            "requests": self.requests,
            "certainty": self.certainty,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "requestsPerSecond": self.per_second,
            "atOnce": self.at_once,
            "known": list(self.known),
            "assumed": list(self.assumed),
            "unknown": list(self.unknown),
        }


@dataclass
class _Told:
    known: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Planner:
    """Plans the streams of a connection; `parents` reads the tables of parents.

    `full` plans a load that ignores stored positions. `latency_s` is what an answer takes.
    """

    connection: Connection
    known: Known
    parents: ParentRows
    full: bool = False
    latency_s: float | None = None

    def plan(
        self, stream: str, partitions: Sequence[str] | None = None, first: FirstPage | None = None
    ) -> StreamPlan:
        """What a load of `stream` asks for, or of these partitions of it.

        Raises ConfigError where its values are missing or it has no such partition.
        """
        told = _Told()
        counted_ = len(partitions) if partitions is not None else None
        try:
            lists = self._lists(stream, partitions)
        except ConfigError as error:
            if not self.connection.stream(stream).parents:
                raise
            told.unknown.append(f"for how many items it is read: {error}")
            return StreamPlan(stream, counted_, unknown=tuple(told.unknown))
        if lists is None:
            told.unknown.append("what a connector in Python asks for")
            return StreamPlan(stream, counted_, unknown=tuple(told.unknown))
        pages, certainty = self._pages(stream, lists, counted_, first, told)
        requests = lists.requests(pages)
        return StreamPlan(
            stream,
            counted_,
            lists.count,
            requests,
            certainty="at least" if lists.may_be_more else certainty,
            seconds=self._seconds(lists, requests, first, told),
            per_second=lists.per_second,
            at_once=lists.at_once,
            known=tuple(told.known),
            assumed=tuple(told.assumed),
            unknown=tuple(told.unknown),
        )

    def first(self, stream: str, partitions: Sequence[str] | None = None) -> FirstPage:
        """Ask for the first page of a stream, or of the last of these partitions; one request."""
        return self.connection.connector.first_page(
            self._reading(stream, partitions[-1] if partitions else None)
        )

    def _reading(self, stream: str, key: str | None) -> ReadContext[Any]:
        """What a load would read, from where it would begin."""
        reading = narrowed(self.connection, self.connection.open(stream), key)
        stored = None if self.full or key is not None else self.known.position(stream)
        return replace(reading, cursor=stored, parent_rows=only(self.parents, reading))

    def _lists(self, stream: str, partitions: Sequence[str] | None) -> Lists | None:
        """The lists that a load goes through, of all partitions together."""
        found: Lists | None = None
        for key in [None] if partitions is None else partitions:
            one = self.connection.connector.lists(self._reading(stream, key))
            if one is None:
                return None
            found = one if found is None else replace(found, count=found.count + one.count)
        return found

    def _pages(
        self,
        stream: str,
        lists: Lists,
        partitions: int | None,
        first: FirstPage | None,
        told: _Told,
    ) -> tuple[int, Certainty]:
        """Pages in all, at least one a list, and how that is meant."""
        if lists.is_one_answer:
            told.known.append("each list is one answer")
            return lists.count, "exactly"
        size = first.rows if first and not first.whole else lists.page_size
        if first and first.whole and lists.count == 1:
            told.known.append("the first page is the whole list")
            return 1, "exactly"
        rows = self._rows(stream, lists, partitions, first, told)
        if rows is None or not size:
            what = "how many rows there are" if rows is None else "how many rows a page has"
            told.unknown.append(f"{what}; each list is at least one page")
            return lists.count, "at least"
        told.known.append(f"{counted(size, 'row')} a page")
        return max(lists.count, math.ceil(rows / size)), "about"

    def _rows(
        self,
        stream: str,
        lists: Lists,
        partitions: int | None,
        first: FirstPage | None,
        told: _Told,
    ) -> int | None:
        if first and first.total is not None and lists.count == 1:
            told.known.append(f"the API tells of {counted(first.total, 'row')}")
            return first.total
        rows = self.known.rows(stream)
        if not rows:
            return None
        if partitions is not None:
            there = self.known.partitions(stream)
            if not there:
                return None
            text = f"each partition has as many rows as those in the table, {rows / there:,.0f}"
            told.assumed.append(text)
            return math.ceil(rows / there * partitions)
        if lists.goes_on:
            told.unknown.append("how many rows are new since the last load")
            return None
        told.assumed.append(f"the lists have as many rows as the table, {rows:,}")
        return rows

    def _seconds(self, lists: Lists, requests: int, first: FirstPage | None, told: _Told) -> float:
        """The least time: under the limit, and as answers take it."""
        latency = first.seconds if first else self.latency_s
        if latency is None:
            latency = LATENCY_S
            told.assumed.append(f"an answer takes {latency:g} s")
        elif first:
            told.known.append(f"the first answer took {latency:.2f} s")
        width = lists.at_once if lists.is_counted else min(lists.at_once, lists.count or 1)
        waiting = requests * latency / max(width, 1)
        if lists.per_second is None:
            told.unknown.append("the vendor's limit: the connector says no rateLimit")
            return waiting
        return max(waiting, (requests - lists.burst) / lists.per_second)


def at_least(seconds: float) -> str:
    """The least time for people.

    >>> at_least(3), at_least(400), at_least(90_000)
    ('at least 3 s', 'at least 6.7 min', 'at least 25.0 h')
    """
    if seconds < 2 * _MINUTE_S:
        return f"at least {seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"at least {seconds / _MINUTE_S:.1f} min"
    if seconds < 2 * _DAY_S:
        return f"at least {seconds / _HOUR_S:.1f} h"
    return f"at least {seconds / _DAY_S:.1f} days"


def outlook(connection: Connection, stream: Stream) -> str:
    """What the documents alone tell of a load's requests; empty where they tell nothing."""
    limits = connection.connector.limits(stream)
    if limits is None:
        return ""
    partitions = connection.partitions(stream.name)
    of = "partition" if partitions else "item" if stream.for_each else "load"
    size = f" of {limits.page_size:,} rows" if limits.page_size else ""
    each = f"1 request a {of}" if limits.is_one_answer else f"1 request a page{size}"
    if partitions and not limits.is_one_answer:
        each += f", at least 1 a {of}"
    pace = f"{limits.per_second:g} a second at most" if limits.per_second else "no limit is known"
    told = [each, f"{pace}, {limits.at_once} at once"]
    if count := _countable(connection, stream):
        seconds = (count - limits.burst) / limits.per_second if limits.per_second else 0.0
        time = f", {at_least(max(seconds, 0.0))}" if seconds > 0 else ""
        told.append(f"all {count:,} partitions there are now: at least {count:,} requests{time}")
    told.append(f"connector-assets plan {connection.id} {stream.name} counts them before a load")
    return "; ".join(told)


def _countable(connection: Connection, stream: Stream) -> int:
    """How many partitions there are, where no table has to be asked for that."""
    if connection.partitions(stream.name) is None or parent_partitions(connection, stream):
        return 0
    try:
        return len(keys(connection, stream.name))
    except ConfigError:
        return 0
