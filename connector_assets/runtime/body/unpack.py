"""gzip and zip files as bodies, known by their first bytes whatever the server calls them."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from dataclasses import replace
from typing import IO

from connector_assets.errors import RequestError, ResponseError
from connector_assets.runtime.http.decode import DecodedBody
from connector_assets.runtime.http.exchange import IN_MEMORY, Answer, Limits
from connector_assets.runtime.http.spill import Spill, size_of

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


def unpacked(answer: Answer, limits: Limits) -> Answer:
    """`answer`, or with what is in it if it is a gzip file, or a zip file of one member.

    Raises ResponseError for what grows past the limits, is packed twice, or holds several files;
    RequestError, worth another try, where it is damaged or breaks off.
    """
    if not answer.body.startswith((_GZIP, *_ZIP)):
        return answer
    file = answer.file or io.BytesIO(answer.body)
    spills = answer.file is not None or (limits.to_file and 200 <= answer.status < 300)  # noqa: PLR2004
    unpack = _gunzipped if answer.body.startswith(_GZIP) else _unzipped
    out = unpack(file, size_of(file), limits, IN_MEMORY if spills else sys.maxsize)
    plain = out.content()
    if plain.startswith((_GZIP, *_ZIP)):
        raise ResponseError("the body is packed more than once; that is refused")
    return replace(answer, body=plain, file=out.file)


def _gunzipped(file: IO[bytes], size: int, limits: Limits, in_memory: int) -> Spill:
    inner = DecodedBody(
        "gzip",
        max_bytes=limits.max_bytes,
        max_wire_bytes=size,
        max_ratio=limits.max_ratio,
        in_memory=in_memory,
    )
    while step := file.read(_STEP):
        inner.feed(step)
    inner.finish()
    return inner.out


def _unzipped(file: IO[bytes], size: int, limits: Limits, in_memory: int) -> Spill:
    out = Spill(in_memory)
    most = max(_RATIO_FREE, int(limits.max_ratio * size))
    file.seek(max(0, size - MAX_DIRECTORY - _LONGEST_COMMENT))
    _refuse_long_directory(file.read())
    try:
        with zipfile.ZipFile(file) as archive, archive.open(_only(archive)) as member:
            while step := member.read(_STEP):
                out.write(step)
                _refuse_over(limits.max_bytes, most, out.tell())
    except (NotImplementedError, RuntimeError):  # zipfile's, for ways of packing it does not know
        raise ResponseError("the zip file is written in a way that is not read here") from None
    except _DAMAGE:
        raise RequestError("the zip file is damaged or breaks off", retryable=True) from None
    return out


def _refuse_over(max_bytes: int, most: int, size: int) -> None:
    if size > max_bytes:
        raise ResponseError(f"more than {max_bytes} bytes", fix="raise maxResponseBytes")
    if size > most:
        raise ResponseError("the zip file unpacks to too many times its size")


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
