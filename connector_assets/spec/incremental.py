"""Only what changed: how a stream's cursor is declared, compared, and sent.

A position is a cursor value in the form that compares: a moment, a number or a text. What is stored
is the value as the server wrote it, so `as_is` sends back exactly what was received.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.spec import dates
from connector_assets.spec.call import Call, Place
from connector_assets.spec.model import Model, fault
from connector_assets.spec.paths import Path
from connector_assets.spec.template import Template

Position = dt.datetime | int | float | str
_FORMATS = ("as_is", "iso", "date", "epoch", "epoch_ms")
_MS, _S = dt.timedelta(milliseconds=1), dt.timedelta(seconds=1)
_MAX_WINDOWS = 100_000


def _duration(value: str) -> str:
    dates.duration(value)
    return value


def _format(value: str) -> str:
    if value not in _FORMATS:
        if "%" not in value:
            raise ValueError(f"must be one of {', '.join(_FORMATS)}, or a strftime pattern")
        dates.check_format(value)
    return value


DurationText = Annotated[str, AfterValidator(_duration)]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the cursor: from `start` on, up to `end`; None is open.

    What is at the end of a `closed` one or beyond it belongs to another, also in the last.
    """

    start: Position | None = None
    end: Position | None = None
    closed: bool = False


class Incremental(Model):
    """Continues where the last run ended.

    `{cursorField: updated, startParam: since, start: "2024-01-01"}` asks `?since=2024-01-01` the
    first time and from then on with the highest `updated` that has been loaded.
    """

    cursor_field: Path
    """Path of the cursor in a row as the server sends it, before `fields.rename`. A page on
    which no row has it is an error; single rows without it are kept.
    """
    start_param: str | None = None
    """Name the start is sent under, as `since` or "updated[gte]"; in a body, a dotted path.
    Default: it is not sent; templates may read `window.start` and `cursor`.
    """
    end_param: str | None = None
    """Name the end is sent under: that of the window, else the time the run began. Needs a
    cursor that is a time. Default: it is not sent.
    """
    place: Place = Field("query", alias="in")
    """Where start and end are sent."""
    start: Template | int | float | None = None
    """Where the first run begins, as "2024-01-01" or a template. Moving it back reads
    everything from there once more; moving it forward changes nothing. Default: the first
    run reads everything.
    """
    format: Annotated[str, AfterValidator(_format)] = "as_is"
    """How a time is sent: as_is (as written here or as received from the server), iso
    (2024-01-31T00:00:00Z), date, epoch (seconds), epoch_ms, or a strftime pattern. Times are
    in UTC.
    """
    lookback: DurationText | None = None
    """How far before the stored cursor a run begins, as PT1H or P1D, for rows that arrive
    late. Needs a `format`, and merge. Rows later than that are not found.
    """
    window: DurationText | None = None
    """Reads one such stretch after the other, as P30D, from the start to the time the run
    began. Needs `start` and a `format`. With `lookback`, windows that are over move the stored
    cursor to their end, also where they are empty.
    """
    granularity: DurationText | None = None
    """For a server whose end is inclusive: what to take off each window's end but the
    last's, as P1D or PT1S, so that no row is asked for twice.
    """
    order: Literal["ascending", "descending"] | None = None
    """How the server sorts by the cursor, if it does. With `descending` and `clientFilter`
    reading stops at the first page that reaches known rows.
    """
    client_filter: bool = False
    """The server cannot filter: rows before the start are dropped here, after they were read."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.format == "as_is":
            for name in ("lookback", "window", "granularity"):
                if getattr(self, name):
                    raise fault("format", f"is required with {name}; say how a time is sent")
        if self.window and self.start is None:
            raise fault("start", "is required with window")
        if self.granularity and not self.end_param:
            raise fault("granularity", "is for an end that is sent; give endParam")
        if self.window and not (self.start_param or self.client_filter):
            raise fault("startParam", "is required with window")
        return self

    def position(self, value: Any) -> Position:
        """`value`, as a row or a spec holds it, in the form that compares.

        Raises ResponseError for what cannot be a cursor.
        """
        if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
            raise ResponseError(
                f'the cursor "{self.cursor_field}" is neither a number nor a text',
                fix="point cursorField at the cursor",
            )
        if isinstance(value, str):
            return self._of_text(value)
        if self.format == "as_is":
            return value
        unit = _MS if self.format == "epoch_ms" else _S
        return dt.datetime.fromtimestamp(0, dt.UTC) + value * unit

    def _of_text(self, text: str) -> Position:
        if text.isascii() and text.lstrip("-").isdigit() and len(text) < 20:  # noqa: PLR2004 - 64 bits
            is_year_first = self.format not in ("epoch", "epoch_ms", "as_is")
            if not is_year_first:
                return self.position(int(text))
        if "%" in self.format:
            when = dates.parsed(text, self.format)
            if when:  # the row may hold ISO 8601 where the request wants a pattern
                return when
        try:
            return dates.instant(text)
        except dates.DateError:
            if self.format == "as_is":
                return text
            raise ResponseError(
                f'the cursor "{self.cursor_field}" is not a time',
                fix="use format: as_is, or point cursorField at a time",
            ) from None

    def sent(self, position: Position, raw: Any = None) -> Any:
        """A position as the request holds it; `raw` is the value it came from, if unchanged."""
        if self.format == "as_is" or not isinstance(position, dt.datetime):
            return position if raw is None else raw
        if self.format == "iso":
            return dates.iso(position)
        if self.format == "date":
            return position.astimezone(dt.UTC).date().isoformat()
        if self.format in ("epoch", "epoch_ms"):
            return dates.epoch(position, _S if self.format == "epoch" else _MS)
        return dates.formatted(position, self.format)

    def first(self, scope: Mapping[str, Any]) -> Any:
        """The configured start as written, None without one."""
        return self.start.value(scope) if isinstance(self.start, Template) else self.start

    def windows(self, stored: Any, first: Any, now: dt.datetime) -> Iterator[Window]:
        """The stretches to ask for, oldest first: from the stored cursor or `first` up to `now`."""
        start = self._start(stored, first)
        if not (self.window or self.end_param):
            yield Window(start)
            return
        if start is not None and not isinstance(start, dt.datetime):
            raise ConfigError(
                "endParam and window need a cursor that is a time", where="incremental.format"
            )
        if start is None or start >= now:
            yield Window(start, max(start, now) if start else now)
            return
        yield from self.cut(Window(start, now))

    def cut(self, whole: Window) -> Iterator[Window]:
        """A stretch of time in stretches of `window`, if there is one."""
        start, until = whole.start, whole.end
        assert isinstance(start, dt.datetime)
        assert isinstance(until, dt.datetime)
        for _ in range(_MAX_WINDOWS):
            end = min(_after(start, self.window), until) if self.window else until
            yield Window(start, end, whole.closed)
            if end >= until:
                return
            start = end
        raise ConfigError(f"more than {_MAX_WINDOWS} windows", where="incremental.window")

    def settled(self, window: Window, now: dt.datetime) -> Any:
        """The end of `window`, as a cursor, if it is over and rows may be late only so much."""
        # Without `lookback` a late row is found as long as no later one has been read.
        if not (self.window and self.lookback) or window.closed:
            return None
        over = isinstance(window.end, dt.datetime) and window.end < now
        return self.sent(window.end) if over and window.end is not None else None

    def _start(self, stored: Any, first: Any) -> Position | None:
        if stored is None:
            return None if first is None else self.position(first)
        start = self.position(stored)
        if self.lookback and isinstance(start, dt.datetime):
            start = _before(start, self.lookback)
            floor = None if first is None else self.position(first)
            return max(start, floor) if isinstance(floor, dt.datetime) else start
        return start

    def apply(self, call: Call, window: Window, raw: Any, *, last: bool) -> Call:
        """`call` asking for `window`; `raw` is the unchanged value behind its start, if any."""
        if self.start_param and window.start is not None:
            call = call.put(self.start_param, self.sent(window.start, raw), self.place)
        if self.end_param and window.end is not None:
            end = self._end(window.end, last=last and not window.closed)
            call = call.put(self.end_param, self.sent(end), self.place)
        return call

    def _end(self, end: Position, *, last: bool) -> Position:
        # The last window ends now: what the current day holds so far belongs to it.
        if self.granularity and not last and isinstance(end, dt.datetime):
            return _before(end, self.granularity)
        return end


def _after(when: dt.datetime, duration: str) -> dt.datetime:
    return dates.instant(dates.duration(duration).after(when))


def _before(when: dt.datetime, duration: str) -> dt.datetime:
    return dates.instant(dates.duration(duration).before(when))


def higher(left: Position, right: Position) -> bool:
    """Whether `left` is beyond `right`; ResponseError where they do not compare."""
    try:
        return left > right  # type: ignore[operator] # of one kind, or refused below
    except TypeError:
        raise ResponseError(
            "the cursor is of another kind than before", fix="set incremental.format"
        ) from None
