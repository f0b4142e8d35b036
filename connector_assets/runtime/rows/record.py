"""A JSON object whose fields are decoded when they are asked for; the others stay bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from connector_assets.errors import ResponseError

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])

encoder = msgspec.json.Encoder(decimal_format="number")
"""Writes what `decoded` gives with the same digits, and fields that were never decoded as bytes."""


def decoded(value: Any) -> Any:
    """The value of a field, numbers with all their digits: 1.10 is a decimal, not a float."""
    return _decoded(_decoder, value) if isinstance(value, msgspec.Raw | bytes) else value


def fields_of(line: bytes) -> dict[str, Any]:
    """The fields of an object, undecoded."""
    fields: dict[str, Any] = _decoded(_fields, line)
    return fields


class Record(Mapping[str, Any]):
    """A view of `fields`, for templates: what is changed in `fields` shows."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> Any:
        return decoded(self._fields[name])

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _decoded(decoder: Any, text: bytes | msgspec.Raw) -> Any:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ResponseError("the JSON is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError):
        raise ResponseError("a number is too long, or a text is not UTF-8") from None
