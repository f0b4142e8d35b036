"""Only what changed: how a stream's cursor is declared, compared, and sent.

A position is a cursor value in the form that compares (`cursor`), a token of the answer, or the
time that was read. What is stored is the value as the server wrote it, so `as_is` sends back
exactly what was received.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector_assets.errors import ConfigError
from connector_assets.spec.names import dates
from connector_assets.spec.names.model import Model, fault
from connector_assets.spec.names.paths import Path
from connector_assets.spec.request.call import Call, Sent
from connector_assets.spec.stream import cursor
from connector_assets.spec.stream.cursor import Position, Unreadable
from connector_assets.spec.templates.template import Template
from connector_assets.spec.templates.templated import Templated

_FORMATS = ("as_is", "iso", "date", *cursor.UNITS)
_MAX_WINDOWS = 100_000


def _duration(value: str) -> str:
    dates.duration(value)
    return value


def _format(value: str, known: Sequence[str] = _FORMATS) -> str:
    if value not in known:
        if "%" not in value:
            raise ValueError(f"must be one of {', '.join(known)}, or a strftime pattern")
        dates.check_format(value)
    return value


def _cursor_format(value: str) -> str:
    return _format(value, cursor.FORMATS)


DurationText = Annotated[str, AfterValidator(_duration)]
DurationOrTemplate = Annotated[str, AfterValidator(_duration), Templated()]


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

    cursor_field: Path | None = None
    """Path of the cursor in a row as the server sends it, before `fields.rename`, or of a field
    that `fields.add` makes. Rows without it, or with null or "", are kept and leave the position
    alone. Default: the position is `tokenField`, else the end of the window that was read.
    """
    cursor_format: Annotated[str, AfterValidator(_cursor_format)] | None = None
    """How rows write the cursor: iso, date, epoch (seconds), epoch_ms, epoch_us, number, text
    (compared letter by letter, as ULIDs are), or a strftime pattern. Default: numbers, also in
    texts, are numbers, and ISO 8601 are times; where the cursor is a time, the digits of a number
    tell its unit. Any other value ends the load at its row, or is set aside under `quarantine`.
    """
    token_field: Path | None = None
    """Path of a token in the answer, as `nextSyncToken` or `"@odata.deltaLink"`. It is kept when
    the list was read to its end, and sent under `startParam` the next time; a URL is followed
    where there is no `startParam`. Where the server answers 410, or a rule says
    `reset_pagination`, everything is read anew.
    """
    start_param: str | None = None
    """Name the start is sent under, as `since` or "updated[gte]"; in a JSON body, a path.
    Default: it is not sent; templates may read `window.start` and `cursor`.
    """
    end_param: str | None = None
    """Name the end is sent under: that of the window, else `end`. Needs a cursor that is a
    time. Default: it is not sent; templates may read `window.end`.
    """
    where: Sent = Field("query", alias="in")
    """Where start and end are sent."""
    start: Template | int | float | None = None
    """Where the first run begins, as "2024-01-01" or a template. Moving it back reads
    everything from there once more; moving it forward changes nothing. Default: the first
    run reads everything.
    """
    end: Template | int | float | None = None
    """Where windows end, as "2024-12-31" or a template; default the time the run began. Needs a
    cursor that is a time.
    """
    format: Annotated[str, AfterValidator(_format)] = "as_is"
    """How a time is sent: as_is (as written here or as received from the server), iso
    (2024-01-31T00:00:00Z), date, epoch (seconds), epoch_ms, epoch_us, or a strftime pattern.
    Times are in UTC.
    """
    lookback: DurationOrTemplate | None = None
    """How far before the stored cursor a run begins, as PT1H, P1D or a template, for rows that
    arrive late. Needs a `format`, and merge. Rows later than that are not found.
    """
    window: DurationOrTemplate | None = None
    """Reads one such stretch after the other, as P30D or a template, from the start to the end.
    Needs `start` and a `format`, and that the request reads the stretch: by `startParam`, or
    a template with `window.start`. With `lookback`, windows that are over move the stored
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
        self._one_position()
        if self.format == "as_is":
            for name in ("lookback", "window", "granularity"):
                if getattr(self, name):
                    raise fault("format", f"is required with {name}; say how a time is sent")
        if self.window and self.start is None:
            raise fault("start", "is required with window")
        return self

    def _one_position(self) -> None:
        """Refuse what has no meaning beside the kind of position there is."""
        if self.cursor_field and self.token_field:
            raise fault("tokenField", "is another position than cursorField; give one of them")
        if self.kind == "field":
            return
        if self.kind == "window" and (self.start is None or self.format == "as_is"):
            message = (
                "is required; else the position is the time read, which needs start and format"
            )
            raise fault("cursorField", message)
        for name, value in self._of_rows().items():
            if value:
                raise fault(name, "is of a cursor in the rows; give cursorField")

    def _of_rows(self) -> dict[str, Any]:
        """The keys that speak of a cursor in the rows, and of windows where there is a token."""
        found = {
            "cursorFormat": self.cursor_format,
            "order": self.order,
            "clientFilter": self.client_filter,
        }
        if self.kind == "window":
            return found
        as_is = None if self.format == "as_is" else self.format
        windows = {
            "endParam": self.end_param,
            "start": self.start is not None,
            "end": self.end is not None,
            "format": as_is,
            "lookback": self.lookback,
            "window": self.window,
            "granularity": self.granularity,
        }
        return {**found, **windows}

    @property
    def kind(self) -> Literal["field", "token", "window"]:
        """What a position is: a value of the rows, one of the answer, or the time that was read."""
        return "field" if self.cursor_field else "token" if self.token_field else "window"

    @property
    def is_time(self) -> bool:
        """Whether a number is a time: where the spec speaks of times."""
        if self.format != "as_is" or self.end_param or self.window or self.end is not None:
            return True
        if not (isinstance(self.start, Template) and self.start.is_literal):
            return False
        return isinstance(self.start_position(self.start.source), dt.datetime)

    @property
    def reader(self) -> Callable[[Any], Position]:
        """What gives the position of a value as a row holds it; Unreadable where it has none."""
        return partial(
            cursor.read, declared=self.cursor_format, is_time=self.is_time, also=self.format
        )

    def position(self, value: Any) -> Position:
        """A value as a row holds it, in the form that compares; Unreadable where it has none."""
        return self.reader(value)

    def stored_position(self, value: Any) -> Position:
        """As `position`, of a value that may have been written here: then it is ISO 8601."""
        try:
            return self.position(value)
        except Unreadable as error:
            if self.cursor_format is not None:
                return self._configured(value)
            raise self._unusable("the stored cursor", error) from None

    def start_position(self, value: Any) -> Position:
        """As `position`, of the start: ISO 8601 or a number, whatever rows hold."""
        if self.cursor_format == "text":
            return str(value)
        return self._configured(value)

    def _configured(self, value: Any) -> Position:
        is_time = self.cursor_format not in (None, "number") or (
            self.cursor_format is None and self.format != "as_is"
        )
        try:
            return cursor.read(value, None, is_time=is_time, also=self.format)
        except Unreadable as error:
            raise self._unusable("the start", error) from None

    def _unusable(self, what: str, error: Unreadable) -> ConfigError:
        fix = "say how the cursor is written with cursorFormat; text for what sorts as a text"
        return ConfigError(f"{what} {error}", where="incremental", fix=fix)

    def sent(self, position: Position, raw: Any = None) -> Any:
        """A position as the request holds it; `raw` is the value it came from, if unchanged."""
        if self.format == "as_is" or not isinstance(position, dt.datetime):
            return position if raw is None else raw
        if self.format == "iso":
            return dates.iso(position)
        if self.format == "date":
            return position.astimezone(dt.UTC).date().isoformat()
        if self.format in cursor.UNITS:
            return dates.epoch(position, cursor.UNITS[self.format])
        return dates.formatted(position, self.format)

    def first(self, scope: Mapping[str, Any]) -> Any:
        """The configured start as written, None without one."""
        return self.start.value(scope) if isinstance(self.start, Template) else self.start

    def windows(
        self, stored: Any, first: Any, now: dt.datetime, *, reads_end: bool = False
    ) -> Iterator[Window]:
        """The stretches to ask for, oldest first: from the stored cursor or `first` to the end.

        `reads_end` says that the request's templates read where a stretch ends.
        """
        start = self._start(stored, first)
        needs_time = self.window or self.end_param or self.end is not None
        is_time = start is None or isinstance(start, dt.datetime)
        if not (needs_time or (reads_end and is_time)):
            yield Window(start)
            return
        if start is not None and not isinstance(start, dt.datetime):
            raise ConfigError(
                "end, endParam and window need a cursor that is a time",
                where="incremental.format",
            )
        until = self._until(now)
        if start is None or start >= until:
            yield Window(start, max(start, until) if start else until)
            return
        yield from self.cut(Window(start, until))

    def _until(self, now: dt.datetime) -> dt.datetime:
        if self.end is None:
            return now
        given = self.end.value({}) if isinstance(self.end, Template) else self.end
        end = self.start_position(given)
        if not isinstance(end, dt.datetime):
            raise ConfigError("is not a time", where="incremental.end", fix="give a date or time")
        return end

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
        raise ConfigError(
            f"more than {_MAX_WINDOWS:,} windows lie between its start and its end",
            where="incremental.window",
            fix="make the window longer, or start later",
        )

    def settled(self, window: Window, now: dt.datetime) -> Any:
        """The end of `window`, as a cursor, if it is over and rows may be late only so much."""
        # Without `lookback` a late row is found as long as no later one has been read.
        if not (self.window and self.lookback) or window.closed:
            return None
        if not isinstance(window.end, dt.datetime) or window.end >= now:
            return None
        return self.sent(window.end) if self.cursor_format is None else dates.iso(window.end)

    def _start(self, stored: Any, first: Any) -> Position | None:
        if stored is None:
            return None if first is None else self.start_position(first)
        start = self.stored_position(stored)
        if self.lookback and isinstance(start, dt.datetime):
            start = _before(start, self.lookback)
            floor = None if first is None else self.start_position(first)
            return max(start, floor) if isinstance(floor, dt.datetime) else start
        return start

    def bounds(self, window: Window, raw: Any, *, last: bool) -> tuple[Any, Any]:
        """Start and end of `window` as a request has them, None where it is open.

        `raw` is the unchanged value behind its start, if any.
        """
        start = None if window.start is None else self.sent(window.start, raw)
        if window.end is None:
            return start, None
        return start, self.sent(self._end(window.end, last=last and not window.closed))

    def apply(self, call: Call, window: Window, raw: Any, *, last: bool) -> Call:
        """`call` asking for `window`; `raw` is as for `bounds`, or the stored token."""
        if self.kind == "token":
            return self._with_token(call, raw)
        start, end = self.bounds(window, raw, last=last)
        if self.start_param and start is not None:
            call = call.put(self.start_param, start, self.where)
        if self.end_param and end is not None:
            call = call.put(self.end_param, end, self.where)
        return call

    def _with_token(self, call: Call, token: Any) -> Call:
        if token is None:
            return call
        if self.start_param:
            return call.put(self.start_param, token, self.where)
        is_url = isinstance(token, str) and token.lower().startswith(("https://", "http://"))
        return call.follow(token) if is_url else call

    def _end(self, end: Position, *, last: bool) -> Position:
        # The last window ends now: what the current day holds so far belongs to it.
        if self.granularity and not last and isinstance(end, dt.datetime):
            return _before(end, self.granularity)
        return end


def _after(when: dt.datetime, duration: str) -> dt.datetime:
    return dates.instant(dates.duration(duration).after(when))


def _before(when: dt.datetime, duration: str) -> dt.datetime:
    return dates.instant(dates.duration(duration).before(when))
