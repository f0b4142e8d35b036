"""Parts of a stream that are read and replaced alone: stretches of time, values of a list, parents.

How a stream is partitioned is the connection's choice. Keys and windows are those that Dagster
gives the same partitions, also where clocks change; a test holds both to that.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from connector_assets.errors import ConfigError
from connector_assets.spec.names import dates
from connector_assets.spec.names.model import Model, fault
from connector_assets.spec.names.names import VariableName
from connector_assets.spec.stream.for_each import ForEach
from connector_assets.spec.stream.incremental import Incremental, Window
from connector_assets.spec.stream.stream import Stream, WriteMode

RANGE = "..."
"""Between the first and the last key of a range, as Dagster writes it."""
_HOUR = dt.timedelta(hours=1)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_KEY = 200
_MS_FROM = 100_000_000_000  # as seconds, in the year 5138


def _time(value: str) -> str:
    try:
        when = dt.datetime.fromisoformat(value)
    except ValueError:
        raise ValueError('must be a date or time such as "2024-01-31"') from None
    if when.tzinfo:
        raise ValueError("must have no offset; say timezone beside it")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a zone of the tz database, such as Europe/Madrid") from None
    return value


Time = Annotated[str, AfterValidator(_time)]
PerRun = Annotated[int, Field(ge=1, le=100_000)]


@dataclass(frozen=True, slots=True)
class Partition:
    """One part of a stream: a window of its cursor, or one value of its list or parent `of`.

    `mode` is what a load of it does to the table.
    """

    key: str
    window: Window | None = None
    of: str = ""
    value: Any = None
    mode: WriteMode = "replace"

    def covers(self, item: Mapping[str, Any]) -> bool:
        """Whether an item of the stream is in this part."""
        return not self.of or key_of(item[self.of]) == self.key

    def narrow(self, stream: Stream) -> Stream:
        """`stream`, reading this part only; which of a parent's rows it has, `covers` tells."""
        if self.window is None:
            each = tuple(
                one.model_copy(update={"values": (self.value,)})
                if one.bound == self.of and not one.parents
                else one
                for one in stream.for_each
            )
            return stream.model_copy(update={"for_each": each})
        return stream.model_copy(
            update={"incremental": _with_window(stream.incremental, self.window)}
        )


def _with_window(incremental: Incremental | None, window: Window) -> Incremental | None:
    """With a format: bounds that are computed were never written or received.

    It is that of `start`, as far as that shows one.
    """
    if incremental is None or incremental.format != "as_is":
        return incremental
    start = incremental.start
    if isinstance(start, int | float):
        told = "epoch" if start < _MS_FROM else "epoch_ms"
    elif start and start.is_literal and "T" in start.source:
        told = "iso"
    else:
        told = "date" if _is_whole_days(window) else "iso"
    return incremental.model_copy(update={"format": told})


def _is_whole_days(window: Window) -> bool:
    """Whether it begins and ends at midnight, UTC."""
    ends = (window.start, window.end)
    return all(isinstance(end, dt.datetime) and end == dates.instant(end.date()) for end in ends)


class TimePartitions(Model):
    """Stretches of time, each a partition of the asset, read by `incremental`'s parameters.

    `{type: daily, start: "2024-01-01"}`
    """

    type: Literal["hourly", "daily", "weekly", "monthly"]
    """How long each is. Weeks begin on the weekday of `start`, months on their first day. A
    partition is there once its time is over.
    """
    start: Time
    """Where the first begins, in `timezone`."""
    end: Time | None = None
    """Where the last ends, in `timezone`; default: never."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Zone whose hours, days, weeks or months these are."""
    partitions_per_run: PerRun | None = None
    """Most partitions that one run of a backfill takes; 1 gives each a run of its own. Default:
    one run takes all.
    """

    @model_validator(mode="after")
    def _on_boundaries(self) -> Self:
        for name, local in (("start", self._first), ("end", self._last)):
            if local and not self._begins_at(local):
                raise fault(name, self._boundary_of(local))
        if self._last and self._last <= self._first:
            raise fault("end", "must be after start")
        return self

    @property
    def unit(self) -> str:
        """What one of them is."""
        return {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month"}[self.type]

    def mode(self, stream: Stream) -> WriteMode:
        """What a load of a part does: replace it, unless rows are merged by key on purpose.

        A time that is loaded again has the same rows again: they are never appended twice.
        """
        merges = stream.write_mode == "merge" or stream.deleted_when is not None
        return "merge" if merges else "replace"

    @property
    def pattern(self) -> str:
        """The strftime pattern of keys."""
        return "%Y-%m-%d-%H:%M" if self.type == "hourly" else "%Y-%m-%d"

    @property
    def weekday(self) -> int:
        """The day on which weeks begin, from 0 for Monday."""
        return self._first.weekday()

    def keys(self, now: dt.datetime) -> Iterator[str]:
        """Those whose time is over, in order."""
        return (self._key(begin) for begin, _ in self._windows(now))

    def ended(self, after: dt.datetime, until: dt.datetime) -> Iterator[str]:
        """Those whose time ended after one moment and up to another."""
        return (self._key(begin) for begin, end in self._windows(until) if end > after)

    def partition(self, key: str, now: dt.datetime) -> Partition:
        """The one called `key`; ConfigError where there is none, or none yet."""
        begin = self._begin(key)
        end = self._next(begin) if begin else None
        first, last = self._instant(self._first), self._limit(now)
        if begin is None or end is None or begin < first or end > last:
            raise self._unknown(key, now)
        return Partition(key, Window(begin, end, closed=True))

    def fits(self, stream: Stream) -> str | None:
        """What keeps `stream` from being partitioned so."""
        incremental = stream.incremental
        if incremental is None:
            return "needs a stream with incremental, whose parameters ask for a window"
        if stream.mode == "scd2":
            return "cannot keep versions: writeMode scd2 takes the rows of all time"
        asks = incremental.start_param and incremental.end_param
        if not (asks or incremental.client_filter):
            return "needs incremental with startParam and endParam, or clientFilter"
        finest = _finest(incremental.format)
        if finest == "day" and (self.type == "hourly" or self.timezone != "UTC"):
            return f"needs a time; incremental.format {incremental.format} sends the day in UTC"
        return None

    @property
    def _first(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.start)

    @property
    def _last(self) -> dt.datetime | None:
        return dt.datetime.fromisoformat(self.end) if self.end else None

    def _windows(self, now: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        begin, limit = self._instant(self._first), self._limit(now)
        while (end := self._next(begin)) <= limit:
            yield begin, end
            begin = end

    def _limit(self, now: dt.datetime) -> dt.datetime:
        return min(now, self._instant(self._last)) if self._last else now

    def _unknown(self, key: str, now: dt.datetime) -> ConfigError:
        first = next(self.keys(now), None)
        fix = "none is over yet"
        if first:
            *_, last = self.keys(now)
            fix = f"use one from {first} to {last}"
        return ConfigError(f'"{key}" is not a {self.type} partition', fix=fix)

    # Windows are in UTC: to add to local times, or to compare them, ignores that clocks change.
    def _instant(self, local: dt.datetime) -> dt.datetime:
        return local.replace(tzinfo=ZoneInfo(self.timezone)).astimezone(dt.UTC)

    def _next(self, begin: dt.datetime) -> dt.datetime:
        if self.type == "hourly":
            return begin + _HOUR
        # Not by setting the hour: a day may begin at 1:00, where clocks change at midnight.
        today = begin.astimezone(ZoneInfo(self.timezone)).date()
        step = {"daily": "P1D", "weekly": "P1W", "monthly": "P1M"}[self.type]
        return self._instant(dt.datetime.combine(dates.duration(step).after(today), dt.time()))

    def _key(self, begin: dt.datetime) -> str:
        local = begin.astimezone(ZoneInfo(self.timezone))
        # An hour that a clock strikes twice: the second one says which it is.
        again = self.type == "hourly" and local.fold
        return local.strftime(self.pattern + ("%z" if again else ""))

    def _begin(self, key: str) -> dt.datetime | None:
        """The moment a key stands for, if it is written as keys are and begins a partition."""
        try:
            local = dt.datetime.strptime(key[: len("2024-01-31-00:00")], self.pattern)  # noqa: DTZ007 - a local time
        except ValueError:
            return None
        if not self._begins_at(local):
            return None
        moments = [self._instant(local.replace(fold=fold)) for fold in (0, 1)]
        return next((moment for moment in moments if self._key(moment) == key), None)

    def _begins_at(self, local: dt.datetime) -> bool:
        if self.type == "hourly":
            return not (local.minute or local.second or local.microsecond)
        fits = {"daily": True, "weekly": local.weekday() == self.weekday, "monthly": local.day == 1}
        return local.time() == dt.time() and fits[self.type]

    def _boundary_of(self, local: dt.datetime) -> str:
        if self.type != "hourly" and local.time() != dt.time():
            return "must be a date; only hourly partitions begin at other times"
        texts = {
            "hourly": "must be a full hour",
            "weekly": "must be whole weeks after start",
            "monthly": "must be the first of a month",
        }
        return texts[self.type]


def _finest(sent_as: str) -> Literal["day", "second"]:
    """What a format can tell apart."""
    by_day = sent_as == "date" or ("%" in sent_as and not re.search("%[HI]", sent_as))
    return "day" if by_day else "second"


class EachPartitions(Model):
    """The items of a `forEach`, each a partition of the asset: `{type: each, of: region}`."""

    type: Literal["each"]
    """Says that each value of a list, or each row of a parent, is a partition."""
    of: VariableName
    """The `as` of the stream's `forEach`. Values of a list must be known when Dagster loads the
    definitions; those of a parent's rows become partitions when the parent is loaded.
    """
    when_gone: Literal["keep", "remove"] | None = None
    """What a load of the parent does with partitions whose row it no longer has: keep them
    (default), or remove them from Dagster. Rows that were loaded stay either way.
    """
    partitions_per_run: PerRun | None = None
    """Most partitions that one run of a backfill takes; 1 gives each a run of its own. Default:
    one run takes all.
    """

    @property
    def unit(self) -> str:
        """What one of them is."""
        return self.of

    def mode(self, stream: Stream) -> WriteMode:
        """What a load of a part does: as without partitions, each has a cursor of its own."""
        return stream.mode

    def partition(self, key: str, values: Sequence[Any]) -> Partition:
        """The one called `key` among `values`; ConfigError where there is none."""
        found = keyed(values)
        if key not in found:
            raise ConfigError(f'"{key}" is not a {self.of}', fix=f"use one of {', '.join(found)}")
        return Partition(key, of=self.of, value=found[key])

    def fits(self, stream: Stream) -> str | None:
        """What keeps `stream` from being partitioned so."""
        if stream.mode == "scd2":
            return "cannot keep versions: writeMode scd2 takes the rows of all values"
        found = self.dimension(stream)
        if found is None:
            names = ", ".join(one.bound for one in stream.for_each)
            known = f"; use one of {names}" if names else ""
            return f'needs a forEach with as: {self.of}, which "{stream.name}" has not{known}'
        if found.parents and found.batch:
            return "cannot be of a batch, which is many items"
        if self.when_gone and not found.parents:
            return "has whenGone, which is for the rows of a parent"
        return None

    def dimension(self, stream: Stream) -> ForEach | None:
        """What of the stream's `forEach` the partitions are."""
        return next((one for one in stream.for_each if one.bound == self.of), None)


def key_of(value: Any) -> str:
    """The partition's key of a value."""
    return value if isinstance(value, str) else json.dumps(value)


def is_key(text: str) -> bool:
    """Whether a text can be the key of a partition."""
    fits = 0 < len(text) <= _LONGEST_KEY
    return fits and RANGE not in text and not _UNPRINTABLE.search(text)


def keyed(values: Sequence[Any]) -> Mapping[str, Any]:
    """Values by partition key; ConfigError for one that cannot be a key, or that comes twice."""
    found: dict[str, Any] = {}
    for value in values:
        key = key_of(value)
        if not is_key(key):
            raise ConfigError(
                f"a value cannot be a partition's key, as it is empty, over "
                f"{_LONGEST_KEY} characters long, or holds '...'"
            )
        if key in found:
            raise ConfigError(f'two values are called "{key}"', fix="list each once")
        found[key] = value
    return found


Partitions = Annotated[TimePartitions | EachPartitions, Field(discriminator="type")]
