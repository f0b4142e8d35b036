"""Moments and durations as documents write them: ISO 8601 text, epoch seconds, `P1D`.

Everything is UTC: a moment with another offset is converted, one without is taken as UTC.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args

from connector_assets.errors import ConfigError

Precision = Literal["auto", "seconds", "milliseconds", "microseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,5})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,7})D)?"
    r"(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)
_LONGEST = 64
# What every platform's strftime agrees on. Others (glibc's `%9999d`) pad without a bound.
_FORMAT = re.compile(r"(?:[^%]|%[YmdHMSfyjbBaApIzZuVG%])*")


class DateError(ConfigError, ValueError):
    """Text that is no moment, duration or format; the message never quotes it."""


@dataclass(frozen=True, slots=True)
class Duration:
    """Calendar months and an exact span; the months are added first.

    >>> Duration(months=1).after(date(2024, 1, 31))
    datetime.date(2024, 2, 29)
    """

    months: int = 0
    span: timedelta = timedelta()

    def after(self, when: date) -> date:
        """`when` moved forward; a datetime stays one."""
        return self._shift(when, 1)

    def before(self, when: date) -> date:
        """`when` moved back; a datetime stays one."""
        return self._shift(when, -1)

    def _shift(self, when: date, sign: int) -> date:
        if not isinstance(when, datetime) and self.span % _DAY:
            raise DateError("a date moves by whole days; use a time for less")
        try:
            return _add_months(when, sign * self.months) + sign * self.span
        except (ValueError, OverflowError):
            raise DateError("the result is outside the years 1 to 9999") from None


def duration(text: str) -> Duration:
    """An ISO 8601 duration: `P1Y2M3W4DT5H6M7.5S`, any part left out.

    >>> duration("P1DT12H")
    Duration(months=0, span=datetime.timedelta(days=1, seconds=43200))
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise DateError("not an ISO 8601 duration such as P1D or PT30M")
    years, months, weeks, days, hours, minutes, seconds = (float(n or 0) for n in found.groups())
    try:
        span = timedelta(days=days, weeks=weeks, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise DateError("a duration may not pass 999,999,999 days") from None
    return Duration(int(years * 12 + months), span)


def moment(value: Any) -> date:
    """A date or datetime from ISO 8601 text, epoch seconds, or what is one already.

    >>> moment("2024-01-31")
    datetime.date(2024, 1, 31)
    >>> moment("2024-01-31T12:00:00+02:00")
    datetime.datetime(2024, 1, 31, 10, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return _moment(value)
    except (ValueError, OverflowError, OSError):
        raise DateError("not an ISO 8601 date or time, nor seconds since 1970") from None


def instant(value: Any) -> datetime:
    """As `moment`, but a date is its midnight, UTC."""
    when = moment(value)
    return when if isinstance(when, datetime) else datetime.combine(when, time(), UTC)


def parsed(text: str, pattern: str) -> datetime | None:
    """The moment that `text` writes by a strptime pattern, None where it does not."""
    try:
        when = datetime.strptime(text, pattern) if len(text) <= _LONGEST else None  # noqa: DTZ007
    except (ValueError, re.error):  # the second where a pattern has a directive twice
        return None
    return when and _utc(when)


def iso(when: date, precision: str = "auto") -> str:
    """A date as `2024-01-31`; a time as `2024-01-31T12:00:00Z`, with a fraction if it has one."""
    check_precision(precision)
    if not isinstance(when, datetime):
        return when.isoformat()
    return _utc(when).isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def epoch(when: datetime, unit: timedelta) -> int:
    """Whole units since 1970-01-01T00:00:00Z, rounded down."""
    return (_utc(when) - _EPOCH) // unit


def formatted(when: date, pattern: str) -> str:
    """`when` by a strftime pattern, UTC; directives that differ between systems are refused."""
    check_format(pattern)
    return instant(when).strftime(pattern)


def check_precision(precision: str) -> None:
    if precision not in get_args(Precision):
        raise DateError(f"a precision is one of {', '.join(get_args(Precision))}")


def check_format(pattern: str) -> None:
    if not _FORMAT.fullmatch(pattern):
        raise DateError("a date format uses %Y %m %d %H %M %S %f %j %b %B %a %A %p %I %z %% only")


def _moment(value: Any) -> date:
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError  # noqa: TRY004 - told to the caller as one error with the rest
    if isinstance(value, Decimal):
        return _EPOCH + timedelta(microseconds=int(value.scaleb(6)))
    if not isinstance(value, str):
        return datetime.fromtimestamp(value, UTC)
    if len(value) > _LONGEST:
        raise ValueError
    if len(value) == len("2024-01-31"):
        return date.fromisoformat(value)
    return _utc(datetime.fromisoformat(value))


def _utc(when: datetime) -> datetime:
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def _add_months(when: date, months: int) -> date:
    if not months:
        return when
    index = when.year * 12 + when.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - the years a date can hold
        raise OverflowError
    last = calendar.monthrange(year, month + 1)[1]
    return when.replace(year=year, month=month + 1, day=min(when.day, last))
