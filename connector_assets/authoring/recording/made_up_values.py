"""What stands in a recording for a value of somebody's: of the same shape, equal for equal ones."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import Literal

Kind = Literal["email", "ip", "birth", "secret", "name", "phone", "address", "number", "text"]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class MadeUpValues:
    """Values that were replaced, with what replaces them.

    The n-th value of a kind becomes one with n in it, so that a recording made again is the same.
    """

    def __init__(self) -> None:
        self._by_value: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._given: set[str] = set()

    def __contains__(self, value: str) -> bool:
        return value in self._by_value

    def __getitem__(self, value: str) -> str:
        return self._by_value[value]

    def of(self, kind: Kind, value: str, *, is_number: bool = False) -> str:
        """What stands for `value`; `is_number` keeps it one."""
        if value not in self._by_value:
            self._by_value[value] = self._new(kind, value, is_number)
        return self._by_value[value]

    def _new(self, kind: Kind, value: str, is_number: bool) -> str:
        while True:
            self._counts[kind] += 1
            made = _made(kind, value, self._counts[kind], is_number)
            if made not in self._given and made not in self._by_value:
                self._given.add(made)
                return made


def _made(kind: Kind, value: str, number: int, is_number: bool) -> str:
    if is_number:
        return _digits(value, number)
    if kind == "email":
        return f"user{number}@example.com"
    if kind == "ip":
        if ":" in value:
            return f"2001:db8::{number:x}"
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    if kind == "birth" and _DAY.match(value):
        day = dt.date(1970, 1, 1) + dt.timedelta(days=number)
        return f"{day.isoformat()}{value[10:]}"
    return _shaped(value, number)


def _shaped(value: str, number: int) -> str:
    """The same text with x, X and 0 for its letters and digits, and the number at its end.

    >>> _shaped("Anna Müller", 7), _shaped("+49 170 1234", 7)
    ('Xxxx Xxxxx7', '+00 000 0007')
    """
    made = [
        "0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in value
    ]
    places = [at for at, c in enumerate(made) if c in "0Xx"]
    written = str(number)
    if len(places) < len(written):
        return "".join(made) + written
    for at, digit in zip(places[-len(written) :], written, strict=True):
        made[at] = digit
    return "".join(made)


def _digits(value: str, number: int) -> str:
    """A number with as many digits, the same sign and exponent.

    >>> _digits("52.5200", 3), _digits("49170123", 3)
    ('10.0003', '10000003')
    """
    body, mark, exponent = value.partition("e" if "e" in value else "E")
    count = sum(c.isdigit() for c in body)
    written = str(number)
    digits = written if len(written) >= count else f"1{written.zfill(count - 1)}"
    extra, rest = digits[: len(digits) - count], iter(digits[len(digits) - count :])
    made = "".join(next(rest) if c.isdigit() else c for c in body)
    sign = "-" if made.startswith("-") else ""
    return f"{sign}{extra}{made.removeprefix('-')}{mark}{exponent}"
