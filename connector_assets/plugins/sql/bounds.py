"""Values of a cursor as texts: what is earlier, and where a stretch of time begins and ends."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation

import pyarrow as pa

from connector_assets.errors import ConfigError
from connector_assets.plugins.sql.source import Field, Stretch
from connector_assets.spec.names import dates
from connector_assets.spec.stream.incremental import Window


def earlier(position: str, lookback: str, where: str) -> str:
    """A position less a duration, or less a number.

    >>> earlier("2024-01-31 10:00:00", "PT10M", ""), earlier("1500", "100", "")
    ('2024-01-31 09:50:00', '1400')
    """
    try:
        return str(Decimal(position) - Decimal(lookback))
    except InvalidOperation:
        pass
    try:
        when = dt.datetime.fromisoformat(position)
        return str(dates.duration(lookback).before(when))
    except (ValueError, OverflowError):
        fix = "give a duration for a time, as PT10M, or a number for a number"
        raise ConfigError("lookback does not fit the cursor", where=where, fix=fix) from None


def of_time(window: Window, cursor: Field, where: str) -> Stretch:
    """The rows of a stretch of time: from its start on, up to and without its end."""
    kinds = pa.types
    if not any(is_one(cursor.type) for is_one in (kinds.is_temporal, kinds.is_string)):
        fix = "choose a cursor that is a time"
        raise ConfigError(f'the cursor "{cursor.name}" is a number', where=where, fix=fix)
    low, high = (None if end is None else _text(end) for end in (window.start, window.end))
    return Stretch(low, high, with_low=True, with_high=False)


def has_hours(window: Window | None) -> bool:
    """Whether a stretch of time begins or ends within a day."""
    ends = (window.start, window.end) if window else ()
    return any(" " in _text(end) for end in ends if end is not None)


def _text(when: object) -> str:
    """A time as every database reads it; a whole day as a date, with which texts begin."""
    if not isinstance(when, dt.datetime):
        return str(when)
    plain = when.astimezone(dt.UTC).replace(tzinfo=None)
    return str(plain.date() if plain.time() == dt.time() else plain)


def beyond(value: pa.Scalar) -> str | None:
    """The last value of rows as a text; None where it has no end, or nothing is there."""
    if not value.is_valid:
        return None
    if pa.types.is_timestamp(value.type):
        if abs(value.cast(pa.int64()).as_py()) == 2**63 - 1:
            return None
        return str(value.cast(pa.string()).as_py()).rstrip("Z")
    if pa.types.is_date(value.type) or pa.types.is_floating(value.type):
        return str(value.cast(pa.string()).as_py())
    return str(value.as_py())
