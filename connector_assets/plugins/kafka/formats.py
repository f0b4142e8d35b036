"""Formats of keys and values: bytes of a message become JSON text, or are no such thing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

FRAME = b"\0"
"""The byte before the four of a schema's id, which serializers with a registry write."""
_FRAME_BYTES = 5
_encode = msgspec.json.Encoder().encode
_lines = msgspec.json.Decoder(msgspec.Raw)


class Undecodable(Exception):
    """Bytes that are not what their format says; the text says why."""


@dataclass(frozen=True, slots=True)
class Bad:
    """In the place of a JSON text: why there is none."""

    reason: str


class Format(Protocol):
    """How keys or values are written."""

    def text(self, data: bytes) -> bytes:
        """JSON in one line; Undecodable where there is none."""
        ...


def texts(written: Format, found: Sequence[bytes | None]) -> Sequence[bytes | Bad]:
    """JSON of each; `null` of those that are not there."""
    if isinstance(written, Json) and (fast := written.all_at_once(found)) is not None:
        return fast
    return [b"null" if data is None else _text(written, data) for data in found]


def _text(written: Format, data: bytes) -> bytes | Bad:
    try:
        return written.text(data)
    except Undecodable as error:
        return Bad(str(error))


class Json:
    """JSON, with or without the five bytes that name its schema."""

    def all_at_once(self, found: Sequence[bytes | None]) -> Sequence[bytes | Bad] | None:
        """As `texts`, six times as fast; None where one of them has to be looked at by itself."""
        lines = [b"null" if data is None else data for data in found]
        joined = b"\n".join(lines)
        # A line end within a text would let one be taken for two.
        odd = FRAME in joined or b"\r" in joined
        if odd or joined.count(b"\n") != len(lines) - 1:
            return None
        try:
            joined.decode()
            if len(_lines.decode_lines(joined)) != len(lines):
                return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return lines

    def text(self, data: bytes) -> bytes:
        if data.startswith(FRAME):
            data = data[_FRAME_BYTES:]
        try:
            data.decode()
            _lines.decode(data)
        except UnicodeDecodeError:
            raise Undecodable("is not UTF-8") from None
        except msgspec.DecodeError as error:
            raise Undecodable(f"is not JSON: {error}") from None
        is_one_line = b"\n" not in data and b"\r" not in data
        return data if is_one_line else msgspec.json.format(data, indent=-1)


class Text:
    """UTF-8."""

    def text(self, data: bytes) -> bytes:
        try:
            return _encode(data.decode())
        except UnicodeDecodeError:
            raise Undecodable("is not UTF-8; read it as raw") from None


class Raw:
    """Bytes of any kind, as base64."""

    def text(self, data: bytes) -> bytes:
        return b'"%b"' % b64encode(data)


class Integer:
    """A whole number of one to eight bytes, big-endian and signed, as Java writes it."""

    def text(self, data: bytes) -> bytes:
        if len(data) not in (1, 2, 4, 8):
            raise Undecodable(f"has {len(data)} bytes, which no integer has")
        return b"%d" % int.from_bytes(data, "big", signed=True)


def schema_id(data: bytes) -> tuple[int, bytes]:
    """The id of the schema that a message names, and what follows it."""
    if len(data) < _FRAME_BYTES or not data.startswith(FRAME):
        raise Undecodable("names no schema of a registry: it does not begin with a zero and an id")
    return int.from_bytes(data[1:_FRAME_BYTES], "big"), data[_FRAME_BYTES:]
