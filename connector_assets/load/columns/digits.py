"""Numbers as texts, before DuckDB reads them: it reads a bare number with a point as a double."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import inf, isfinite
from typing import Any

import msgspec

Change = Callable[[msgspec.Raw], msgspec.Raw]

_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_NUMBER = b"-0123456789"
# Of so many digits every decimal number is one double, which no other is.
_IN_DOUBLE = 15
_RUN = b"0" * (_IN_DOUBLE + 1)
_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# Where a value begins, a number with a point or an exponent and so many digits; a text may look
# like it, too.
_POINTED = re.compile(rb"[:,\[]\s*-?(?=[0-9.]{17}|[0-9]{16}[eE])[0-9]+(?:\.[0-9]|[eE])")
# What may be nearer to 0 than any double but 0: by its exponent, or by the zeros behind its point.
_ZEROS = b"0" * 220
_TINY = re.compile(rb"0\.0{220}")
# It begins with the rarer sign, for which it is searched five times as fast.
_EXPONENT = re.compile(rb"-(?<=[eE]-)0*[1-9][0-9]{2}")
# What may stand before a number; of one that is longer than this, nothing is looked for there.
_BEFORE, _LONG = b":,[ \t\r\n", 60
_NOT_ZERO = re.compile(r"[^eE]*[1-9]")
_MOST_DIGITS = 38  # of DuckDB's decimals


def as_text(value: msgspec.Raw) -> msgspec.Raw:
    """A number as a text with its digits; other values as they are."""
    raw = bytes(value)
    return msgspec.Raw(b'"%s"' % raw) if raw[:1] in _NUMBER else value


def as_json_text(value: msgspec.Raw) -> msgspec.Raw:
    """A value as a text of the JSON it came as: DuckDB's own reader would round its numbers."""
    raw = bytes(value)
    if raw == b"null":
        return value
    return msgspec.Raw(_encode(msgspec.json.format(raw, indent=-1).decode()))


def as_json_where_long(value: msgspec.Raw) -> msgspec.Raw:
    """Return a value with a long number as its text, as `as_json_text` does; others stay.

    A text has to be one within a text, or its quotes would be gone.
    """
    raw = bytes(value)
    if raw[:1] == b'"':
        return msgspec.Raw(_encode(_encode(msgspec.json.decode(raw)).decode()))
    return as_json_text(value) if has_long(b":" + raw) else value


def has_long(text: bytes) -> bool:
    """Whether a number in a JSON text has a point and more digits than any double keeps.

    So has a number that is no double but 0, as 1e-400. Most texts have no such run of digits at
    all, which is found out at a gigabyte a second.
    """
    if may_be_tiny(text):
        return True
    if _RUN not in text.translate(_AS_ZEROS, b"."):
        return False
    return _POINTED.search(text) is not None


def may_be_tiny(text: bytes) -> bool:
    """Whether a number in a text may be one that no double but 0 is near to, as 1e-400."""
    if any(_ends_number(text, found.start() - 1) for found in _EXPONENT.finditer(text)):
        return True
    return _ZEROS in text and _TINY.search(text) is not None


def _ends_number(text: bytes, at: int) -> bool:
    """Whether what stands before `at` may be a number, and is not a part of a UUID."""
    start = max(at - _LONG, 0)
    before = text[start:at].rstrip(b"0123456789.").rstrip(b"-")
    return not before or before[-1] in _BEFORE


def as_double(text: str) -> float:
    """A number's double; infinity for one that would be 0 and is not.

    >>> as_double("1e-400"), as_double("-0e-400"), as_double("5e-324")
    (inf, -0.0, 5e-324)
    """
    number = float(text)
    return inf if not number and _NOT_ZERO.match(text) else number


def nested_digits(type_: str, *, has_long: bool) -> Change | None:
    """What writes the numbers of a nested type so that DuckDB reads all their digits.

    `[1.5, 1e2]` as decimal(9,2)[] is `["1.50","100.00"]`, `[9007199254740993.0]` as bigint[] is
    `[9007199254740993]`, which needs to be looked at only where a value is long. None where the
    type asks for nothing.
    """
    import duckdb

    return _change(duckdb.type(type_), has_long=has_long)


def _change(type_: Any, *, has_long: bool) -> Change | None:
    if type_.id == "decimal":
        return _Decimals(**dict(type_.children))
    if type_.id == "struct":
        changes = {name: _change(child, has_long=has_long) for name, child in type_.children}
        fields = {name: change for name, change in changes.items() if change}
        return _Nested(fields) if fields else None
    if type_.id in {"list", "array", "map"}:
        children = dict(type_.children)
        change = _change(children.get("value", children.get("child")), has_long=has_long)
        return _Nested({}, change) if change else None
    return _LEAVES.get(type_.id) if has_long else None


def _as_integer(value: msgspec.Raw) -> msgspec.Raw:
    """A number that is a whole one as such; a text of it, which fits no integer, where it is not.

    As a number DuckDB would read it as a double, which may be a whole one.
    """
    text = bytes(value).decode()
    if text[:1].encode() not in _NUMBER or not _HAS_POINT.search(text):
        return value
    number = Decimal(text)
    if number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
        return as_text(value)
    return msgspec.Raw(format(number, ".0f").encode())


def _as_float(value: msgspec.Raw) -> msgspec.Raw:
    """A number that is no double as a text, which fits none."""
    text = bytes(value).decode()
    is_number = text[:1].encode() in _NUMBER
    return as_text(value) if is_number and not isfinite(as_double(text)) else value


_HAS_POINT = re.compile(r"[.eE]")
_LEAVES: dict[str, Change] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint", "hugeint"), _as_integer),
    **dict.fromkeys(("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"), _as_integer),
    **dict.fromkeys(("float", "double"), _as_float),
}


@dataclass(frozen=True, slots=True)
class _Nested:
    """Changes fields by name, or else `each` field or element."""

    fields: Mapping[str, Change]
    each: Change | None = None

    def __call__(self, value: msgspec.Raw) -> msgspec.Raw:
        start = bytes(value)[:1]
        if start == b"{":
            items = _object.decode(value).items()
            return msgspec.Raw(_encode({name: self._field(name, item) for name, item in items}))
        if start == b"[" and self.each:
            return msgspec.Raw(_encode([self.each(item) for item in _list.decode(value)]))
        return value

    def _field(self, name: str, value: msgspec.Raw) -> msgspec.Raw:
        change = self.fields.get(name, self.each)
        return change(value) if change else value


@dataclass(frozen=True, slots=True)
class _Decimals:
    precision: int
    scale: int

    def __call__(self, value: msgspec.Raw) -> msgspec.Raw:
        """The number with all places, as DuckDB writes it; as it is where it does not fit."""
        text = bytes(as_text(value)).strip(b'"').decode()
        try:
            number = Decimal(text)
        except InvalidOperation:
            return value
        if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
            return value
        written = format(number or Decimal(), f".{self.scale}f")
        if Decimal(written) != number:
            return as_text(value)
        return msgspec.Raw(_encode(self._shown(written)))

    def _shown(self, written: str) -> str:
        return written.replace("0.", ".", 1) if self.precision == self.scale else written
