"""Texts that are dates and times: by shape, so that the text can be had back from the value.

A column of texts becomes a date or a timestamp only if all of them have one shape, and each is what
its value looks like in that shape. Anything else, as two shapes in one column, stays text.
"""

from __future__ import annotations

_DIGITS = str.maketrans("123456789", "000000000")
_DAY = "0000-00-00"
_CLOCKS = ("00:00:00", "00:00:00.000", "00:00:00.000000")
_UTC = ("Z", "+00:00")

_TYPES = {_DAY: "date"}
for _between in "T ":
    for _clock in _CLOCKS:
        _TYPES[f"{_DAY}{_between}{_clock}"] = "timestamp"
        for _zone in _UTC:
            _TYPES[f"{_DAY}{_between}{_clock}{_zone}"] = "timestamptz"


def shape_of(text: str) -> str | None:
    """The shape of a text that may be a time: its digits as 0.

    >>> shape_of("2024-05-01T10:30:00Z"), shape_of("May 1st")
    ('0000-00-00T00:00:00Z', None)
    """
    shape = text.translate(_DIGITS)
    if shape not in _TYPES or (shape.endswith(_UTC[1]) and not text.endswith(_UTC[1])):
        return None
    return shape


def time_type(shape: str) -> str:
    """The type of a shape: date, timestamp, or timestamptz where the text says UTC."""
    return _TYPES[shape]


def strftime(shape: str) -> str:
    """The shape as DuckDB's `strftime` has it.

    >>> strftime("0000-00-00T00:00:00.000Z")
    '%Y-%m-%dT%H:%M:%S.%gZ'
    """
    text = shape.replace(_DAY, "%Y-%m-%d").replace("00:00:00", "%H:%M:%S", 1)
    return text.replace(".000000", ".%f").replace(".000", ".%g")
