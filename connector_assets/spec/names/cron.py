"""Cron expressions: five fields, as a schedule has them, checked without computing a date."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FIELDS: Sequence[tuple[str, int, int, Sequence[str]]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec".split()),  # noqa: SIM905 - read as a line
    ("day of the week", 0, 7, "sun mon tue wed thu fri sat".split()),  # noqa: SIM905 - as above
)
_MACROS = {"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}
_PART = re.compile(r"(?:\*|(\w{1,3})(?:-(\w{1,3}))?)(?:/([0-9]{1,2}))?", re.ASCII)


def check_cron(text: str) -> str:
    """`text` if it is a cron expression; else ValueError naming the field that is wrong.

    >>> check_cron("0 6 * * mon-fri")
    '0 6 * * mon-fri'
    """
    if text in _MACROS:
        return text
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError('must be a cron expression of five fields, such as "0 6 * * *"')
    for part, (name, low, high, words) in zip(parts, _FIELDS, strict=True):
        if not all(_fits(one, low, high, words) for one in part.split(",")):
            also = f" or {words[0]} to {words[-1]}" if words else ""
            raise ValueError(f"must have a {name} from {low} to {high}{also}")
    return text


def _fits(part: str, low: int, high: int, words: Sequence[str]) -> bool:
    found = _PART.fullmatch(part.lower())
    if not found:
        return False
    first, last, every = found.groups()
    numbers = [_number(one, low, words) for one in (first, last) if one is not None]
    in_range = all(number is not None and low <= number <= high for number in numbers)
    ordered = in_range and numbers == sorted(numbers, key=lambda one: one or 0)
    return ordered and (every is None or 1 <= int(every) <= high)


def _number(text: str, low: int, words: Sequence[str]) -> int | None:
    if text in words:
        return list(words).index(text) + low
    return int(text) if text.isdecimal() else None
