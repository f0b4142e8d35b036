"""gzip and zip files as bodies, known by their first bytes whatever the server calls them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import IO

from connector_assets.errors import RequestError, ResponseError
from connector_assets.runtime.decode import Body

MAX_DIRECTORY = 1 << 16
"""Bytes of a zip file's list of members: some hundred names; it is read before they are counted."""

_GZIP, _END, _ZIP64 = b"\x1f\x8b", b"PK\x05\x06", b"PK\x06\x07"
_ZIP = (b"PK\x03\x04", _END)
_END_BYTES, _LONGEST_COMMENT = 22, 1 << 16
_ENCRYPTED = 1
_STEP = 1 << 20
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
