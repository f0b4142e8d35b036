"""gzip and zip files as bodies, known by their first bytes whatever the server calls them."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from connector_assets.errors import RequestError, ResponseError
from connector_assets.runtime.decode import Body

MAX_DIRECTORY = 1 << 16
"""Bytes of a zip file's list of members: some hundred names; it is read before they are counted."""

_GZIP, _END, _ZIP64 = b"\x1f\x8b", b"PK\x05\x06", b"PK\x06\x07"
_ZIP = (b"PK\x03\x04", _END)
_END_BYTES, _LONGEST_COMMENT = 22, 1 << 16
_ENCRYPTED = 1
_STEP = 1 << 20
# A thousand times this is what one step of a packed file may come to.
_PACKED_STEP = 8 << 10
# As for content encodings: below this no ratio is suspicious.
_RATIO_FREE = 16 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OSError)


def unpacked(body: bytes, max_bytes: int, max_ratio: float) -> bytes:
    """`body`, or what is in it if it is a gzip file, or a zip file of one member.

    Raises ResponseError for what grows past the limits, is packed twice, or holds several files;
    RequestError, worth another try, where it is damaged or breaks off.
    """
    if body.startswith(_GZIP):
        plain = _gunzipped(body, max_bytes, max_ratio)
    elif body.startswith(_ZIP):
        plain = _unzipped(body, max_bytes, max_ratio)
    else:
        return body
    if plain.startswith((_GZIP, *_ZIP)):
        raise ResponseError("the body is packed more than once; that is refused")
    return plain


def opened(file: IO[bytes], max_ratio: float) -> io.BufferedReader[_Pieces]:
    """What `file`, or what is packed in it, holds from its beginning, read as it is asked for.

    Raises as `unpacked` does, while it is read. The file's size has had its limit; what is packed
    in it has that of its ratio.
    """
    file.seek(0)
    head = file.read(len(_ZIP[0]))
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if head.startswith(_GZIP):
        plain = _inflated(file, size, max_ratio)
    elif head.startswith(_ZIP):
        plain = _extracted(file, size, max_ratio)
    else:
        return io.BufferedReader(_Pieces(iter(lambda: file.read(_STEP), b"")), _STEP)
    reader = io.BufferedReader(_Pieces(plain), _STEP)
    if reader.peek(len(_END)).startswith((_GZIP, *_ZIP)):
        raise ResponseError("the file is packed more than once; that is refused")
    return reader


def check(file: IO[bytes], max_bytes: int, max_ratio: float) -> None:
    """Read a packed file to its end, while it may still be asked for again.

    Raises as `unpacked` does.
    """
    file.seek(0)
    if not file.read(len(_ZIP[0])).startswith((_GZIP, *_ZIP)):
        return
    plain, left = opened(file, max_ratio), max_bytes
    while step := plain.read(_STEP):
        left -= len(step)
        if left < 0:
            raise ResponseError(f"more than {max_bytes} bytes", fix="raise maxResponseBytes")


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class _Sink:
    """Where a decoder writes, emptied after each step."""

    def __init__(self) -> None:
        self.size, self._parts = 0, list[bytes]()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._parts.append(data)

    def tell(self) -> int:
        return self.size

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _inflated(file: IO[bytes], size: int, max_ratio: float) -> Iterator[bytes]:
    sink = _Sink()
    inner = Body(
        {"content-encoding": "gzip"},
        max_bytes=sys.maxsize,
        max_wire_bytes=size,
        max_ratio=max_ratio,
        out=sink,
    )
    while step := file.read(_PACKED_STEP):
        inner.feed(step)
        yield sink.taken()
    inner.end()
    yield sink.taken()


def _extracted(file: IO[bytes], size: int, max_ratio: float) -> Iterator[bytes]:
    most = max(_RATIO_FREE, int(max_ratio * size))
    file.seek(max(0, size - MAX_DIRECTORY - _LONGEST_COMMENT))
    _refuse_long_directory(file.read())
    try:
        with zipfile.ZipFile(file) as archive, archive.open(_only(archive)) as member:
            while step := member.read(_STEP):
                most -= len(step)
                if most < 0:
                    raise ResponseError("the zip file unpacks to too many times its size")
                yield step
    except (NotImplementedError, RuntimeError):
        raise ResponseError("the zip file is written in a way that is not read here") from None
    except _DAMAGE:
        raise RequestError("the zip file is damaged or breaks off", retryable=True) from None


def _gunzipped(body: bytes, max_bytes: int, max_ratio: float) -> bytes:
    inner = Body(
        {"content-encoding": "gzip"},
        max_bytes=max_bytes,
        max_wire_bytes=len(body),
        max_ratio=max_ratio,
    )
    inner.feed(body)
    return inner.finish()


def _unzipped(body: bytes, max_bytes: int, max_ratio: float) -> bytes:
    _refuse_long_directory(body)
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive, archive.open(_only(archive)) as member:
            return _read(member, max_bytes, max(_RATIO_FREE, int(max_ratio * len(body))))
    except (NotImplementedError, RuntimeError):
        raise ResponseError("the zip file is written in a way that is not read here") from None
    except _DAMAGE:
        raise RequestError("the zip file is damaged or breaks off", retryable=True) from None


def _refuse_long_directory(body: bytes) -> None:
    """A list of millions of members would be read into memory before anyone could count them."""
    end = body.rfind(_END, -_END_BYTES - _LONGEST_COMMENT)
    size = int.from_bytes(body[end + 12 : end + 16], "little") if end >= 0 else 0
    if size > MAX_DIRECTORY or body[max(0, end - 20) : end].startswith(_ZIP64):
        raise ResponseError("the zip file is too large or holds too many files")


def _only(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [one for one in archive.infolist() if not one.is_dir()]
    if len(files) != 1:
        raise ResponseError(
            f"the zip file holds {len(files)} files", fix="one is expected; use a plugin for more"
        )
    if files[0].flag_bits & _ENCRYPTED:
        raise ResponseError("the zip file is encrypted")
    if files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ResponseError("the zip file is not compressed by deflate, but in another way")
    return files[0]


def _read(member: IO[bytes], max_bytes: int, most: int) -> bytes:
    out = io.BytesIO()
    while step := member.read(_STEP):
        out.write(step)
        if out.tell() > max_bytes:
            raise ResponseError(f"more than {max_bytes} bytes", fix="raise maxResponseBytes")
        if out.tell() > most:
            raise ResponseError("the zip file unpacks to too many times its size")
    return out.getvalue()
