"""What a cursor value is: a number, a time or a text, in the form that compares (ADR 19).

Nothing is guessed that could be wrong in silence: numbers, also in texts, and ISO 8601 are read as
what they are, and all else needs `cursorFormat`. Sources: ISO 8601.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Any

from connector_assets.spec.names import dates

Position = dt.datetime | int | float | Decimal | str

FORMATS = ("iso", "date", "epoch", "epoch_ms", "epoch_us", "number", "text")
UNITS = {
    "epoch": dt.timedelta(seconds=1),
    "epoch_ms": dt.timedelta(milliseconds=1),
    "epoch_us": dt.timedelta(microseconds=1),
}
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NANO = 1000
# The digits that a time of these decades has in each unit.
_DIGITS = {9: "epoch", 10: "epoch", 12: "epoch_ms", 13: "epoch_ms", 16: "epoch_us"}
_NANO_DIGITS = 19
_DAY_DIGITS = 8


class Unreadable(ValueError):
    """A value that is no position; the message says what it is not, and never quotes it."""


def read(raw: Any, declared: str | None, *, is_time: bool, also: str | None = None) -> Position:
    """The position of a value as a row has it; Unreadable where it has none.

    `declared` is the `cursorFormat`. Without one a number is a number, or a time where `is_time`,
    whose unit its digits tell; `also` is the stream's `format`: a text may have its
    pattern, and a number of few digits its unit.

    >>> read("10.5", None, is_time=False) > read("9.5", None, is_time=False)
    True
    >>> read(1704189600000, None, is_time=True).isoformat()
    '2024-01-02T10:00:00+00:00'
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
        raise Unreadable("is neither a number nor a text")
    if isinstance(raw, float) and not math.isfinite(raw):
        raise Unreadable("is no finite number")
    try:
        return _undeclared(raw, also, is_time) if declared is None else _declared(raw, declared)
    except (OverflowError, ArithmeticError, dates.DateError):
        raise Unreadable("is no time between the years 1 and 9999") from None


def written_like(raw: Any, declared: str | None, when: dt.datetime) -> Any:
    """`when` in the form in which `raw` is written, rounded down to what that form can say."""
    number = _number(raw)
    if declared is not None and "%" in declared:
        return dates.formatted(when, declared)
    if number is None or declared in ("iso", "date"):
        is_day = isinstance(raw, str) and len(raw) == len("2024-01-31")
        return when.date().isoformat() if is_day else dates.iso(when)
    unit = declared if declared in UNITS else _unit(number)
    written: Any
    if unit is None:
        nano = len(str(abs(int(number)))) == _NANO_DIGITS
        microseconds = dates.epoch(when, UNITS["epoch_us"])
        written = microseconds * _NANO if nano else int(f"{when:%Y%m%d}")
    else:
        written = dates.epoch(when, UNITS[unit])
    return str(written) if isinstance(raw, str) else written


def higher(left: Position, right: Position) -> bool:
    """Whether `left` is beyond `right`; Unreadable where they do not compare."""
    try:
        return left > right  # type: ignore[operator] # of one kind, or refused below
    except TypeError:
        raise Unreadable(f"is {_kind(left)}, and those before are {_kind(right)}s") from None


def _declared(raw: Any, declared: str) -> Position:
    number = _number(raw)
    if declared == "text":
        if not isinstance(raw, str):
            raise Unreadable("is not a text")
        return raw
    if declared == "number" or declared in UNITS:
        if number is None:
            raise Unreadable("is not a number")
        return number if declared == "number" else _since(number, UNITS[declared])
    if not isinstance(raw, str | int):
        raise Unreadable("is not a text")
    when = _iso(str(raw)) if declared in ("iso", "date") else dates.parsed(str(raw), declared)
    if when is None:
        raise Unreadable(f"is not written as cursorFormat {declared} says")
    return when


def _undeclared(raw: Any, also: str | None, is_time: bool) -> Position:
    if isinstance(raw, str) and also and "%" in also and (when := dates.parsed(raw, also)):
        return when
    number = _number(raw)
    if number is None:
        when = _iso(str(raw))
        if when is None:
            raise Unreadable("is neither a number nor an ISO 8601 date or time")
        return when
    return _time(number, also) if is_time else number


def _number(raw: Any) -> int | float | Decimal | None:
    if not isinstance(raw, str):
        return raw if isinstance(raw, int | float | Decimal) else None
    if not _NUMBER.fullmatch(raw):
        return None
    return Decimal(raw) if "." in raw else int(raw)


def _iso(text: str) -> dt.datetime | None:
    try:
        return dates.instant(text.strip())
    except dates.DateError:
        return None


def _time(number: float | Decimal, also: str | None) -> dt.datetime:
    """A time that is written as a number: its digits tell the unit."""
    digits = len(str(abs(int(number))))
    if digits == _NANO_DIGITS:
        return _since(int(number) // _NANO, UNITS["epoch_us"])
    if unit := _unit(number):
        return _since(number, UNITS[unit])
    if digits == _DAY_DIGITS and (day := _iso(str(number))):
        return day
    if digits > _DAY_DIGITS or also not in UNITS:
        raise Unreadable("is a number, and no time by its digits")
    return _since(number, UNITS[also])


def _unit(number: float | Decimal) -> str | None:
    return _DIGITS.get(len(str(abs(int(number)))))


def _since(number: float | Decimal, unit: dt.timedelta) -> dt.datetime:
    microseconds = Decimal(number) * (unit // UNITS["epoch_us"])
    return _EPOCH + dt.timedelta(microseconds=int(microseconds))


def _kind(position: Position) -> str:
    return (
        "a time"
        if isinstance(position, dt.datetime)
        else "a text"
        if isinstance(position, str)
        else "a number"
    )
