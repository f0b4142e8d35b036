"""Numbers as texts, before DuckDB reads them: it reads a bare number with a point as a double."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

Change = Callable[[msgspec.Raw], msgspec.Raw]

_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_NUMBER = b"-0123456789"
_MOST_DIGITS = 38  # of DuckDB's decimals


def as_text(value: msgspec.Raw) -> msgspec.Raw:
    """A number as a text with its digits; other values as they are."""
    raw = bytes(value)
    return msgspec.Raw(b'"%s"' % raw) if raw[:1] in _NUMBER else value


def nested_decimals(type_: str) -> Change | None:
    """What writes each decimal of a nested type as DuckDB writes it, None where it has none.

    `[1.5, 1e2]` as decimal(9,2)[] is `["1.50","100.00"]`.
    """
    import duckdb

    return _change(duckdb.type(type_))


def _change(type_: Any) -> Change | None:
    if type_.id == "decimal":
        return _Decimals(**dict(type_.children))
    if type_.id == "struct":
        changes = {name: _change(child) for name, child in type_.children}
        fields = {name: change for name, change in changes.items() if change}
        return _Nested(fields) if fields else None
    if type_.id in {"list", "array", "map"}:
        children = dict(type_.children)
        change = _change(children.get("value", children.get("child")))
        return _Nested({}, change) if change else None
    return None


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
