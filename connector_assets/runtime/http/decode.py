"""Content encodings undone while streaming, so that a bomb is stopped before it has grown.

gzip (also of several members), deflate (with or without its zlib wrapper) and identity; names that
encode nothing (`utf-8`, `none`) are passed over; what was not asked for is refused by name, and so
is an encoding on top of another: `gzip, gzip` makes gigabytes out of kilobytes.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable

from connector_assets.errors import RequestError, ResponseError
from connector_assets.runtime.http.spill import Spill

Write = Callable[[bytes], None]

ACCEPT_ENCODING = "gzip, deflate"

_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_ZLIB_HEADER = 2
_LONGEST_LENGTH = 20
_STEP = 1 << 20
# What servers write there though nothing is encoded: a charset most of all.
_NOTHING = re.compile(
    r"identity|none|null|no|off|raw|plain|text|binary|[78]-?bit|aws-chunked|json"
    r"|(?:charset=)?(?:utf-?(?:7|8|16|32)(?:[lb]e)?|(?:us-)?ascii|unicode|iso-?8859-?[0-9]{1,2}"
    r"|latin-?[0-9]|(?:windows-|cp)[0-9]{3,4})"
)
_SMALLER = "ask for smaller pages or raise maxResponseBytes"
# Below this no ratio is suspicious: a short page of zeros compresses a thousand times.
_RATIO_FREE = 16 << 20


class DecodedBody:
    """Collects one answer's body; `feed` what came off the wire, then `finish`. Sizes in bytes.

    `encoding` and `length` are what the headers say of it. Beyond `in_memory` it goes to a file:
    see `out`.
    """

    def __init__(
        self,
        encoding: str = "",
        length: str = "",
        *,
        max_bytes: int,
        max_wire_bytes: int,
        max_ratio: float,
        in_memory: int = sys.maxsize,
    ) -> None:
        self.wire_bytes = 0
        self.out = Spill(in_memory)
        self._decode = _decoder(encoding) if encoding else None
        self._max_bytes, self._max_wire, self._max_ratio = max_bytes, max_wire_bytes, max_ratio
        self._announced = int(length[:_LONGEST_LENGTH]) if length.isdecimal() else 0

    def feed(self, chunk: bytes) -> None:
        self.wire_bytes += len(chunk)
        if max(self.wire_bytes, self._announced) > self._max_wire:
            raise ResponseError(f"more than {self._max_wire} bytes on the wire", fix=_SMALLER)
        if self._decode is None:
            self._write(chunk)
        else:
            self._decode.feed(chunk, self._write)

    def finish(self) -> bytes:
        """The body, or its beginning if it is in a file; RequestError if the stream breaks off."""
        if self._decode is not None:
            self._decode.finish(self._write)
        return self.out.content()

    def _write(self, data: bytes) -> None:
        size = self.out.tell() + len(data)
        if size > self._max_bytes:
            raise ResponseError(f"more than {self._max_bytes} bytes", fix=_SMALLER)
        if size > _RATIO_FREE and size > self._max_ratio * self.wire_bytes:
            raise ResponseError(f"the body unpacks to more than {self._max_ratio:g} times its size")
        self.out.write(data)


class _Inflate:
    """zlib streams, expanded a step at a time."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self._empty = True

    def feed(self, data: bytes, write: Write) -> None:
        while data:
            self._empty = False
            if self._stream.eof and not (data := self._next_member(data)):
                return
            try:
                write(self._stream.decompress(data, _STEP))
            except zlib.error:
                raise RequestError("the compressed body is damaged", retryable=True) from None
            data = self._stream.unconsumed_tail or self._stream.unused_data

    def finish(self, write: Write) -> None:
        # What the last step left inside zlib is at most one copied string: it cannot be a bomb.
        write(self._stream.flush())
        if not (self._empty or self._stream.eof):
            raise RequestError("the compressed body breaks off", retryable=True)

    def _next_member(self, data: bytes) -> bytes:
        data = data.lstrip(b"\0")  # padding, as gzip(1) allows
        if data:
            self._stream = zlib.decompressobj(_GZIP)
        return data


class _Deflate:
    """HTTP's "deflate" is zlib's format, but some servers send it bare (RFC 9110, 8.4.1.2)."""

    def __init__(self) -> None:
        self._head = b""
        self._inflate: _Inflate | None = None

    def feed(self, data: bytes, write: Write) -> None:
        if self._inflate is None:
            data = self._head = self._head + data
            if len(data) < _ZLIB_HEADER:
                return
            wrapped = data[0] & 0x0F == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
            self._inflate = _Inflate(_ZLIB if wrapped else _RAW)
        self._inflate.feed(data, write)

    def finish(self, write: Write) -> None:
        if self._inflate is not None:
            self._inflate.finish(write)
        elif self._head:
            raise RequestError("the compressed body breaks off", retryable=True)


def _decoder(encoding: str) -> _Inflate | _Deflate | None:
    given = [part.strip(" \t\"'") for part in encoding.lower().split(",")]
    names = [name for name in given if name and not _NOTHING.fullmatch(name)]
    if not names:
        return None
    if len(names) > 1:
        raise ResponseError("the body is encoded more than once; that is refused")
    if names[0] in ("gzip", "x-gzip"):
        return _Inflate(_GZIP)
    if names[0] == "deflate":
        return _Deflate()
    known = names[0][:20] if names[0].isalnum() and names[0].isascii() else "an unknown name"
    raise ResponseError(f"the body's content encoding is {known}, not gzip or deflate")
