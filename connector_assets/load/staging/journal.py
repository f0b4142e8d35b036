"""The journal of a staging folder: one checksummed line per batch, trusted only as far as it holds.

Rows are appended to a data file first, then a line to the journal. A process that is killed loses
nothing of either, since the kernel keeps what was written. After a power loss any part of either
may be missing, so a line carries a checksum of itself and one of its rows, and reading stops at the
first that does not hold: what comes after is fetched again. So nothing here depends on fsync, which
only bounds how much that is.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from connector_assets.load.table import SegmentFormat

JOURNAL = "journal"
_CHUNK = 1 << 20
# 2: checkpoints tell texts that came from our own things; those of 1 could be forged.
_VERSION = 2
_T = TypeVar("_T", bound=Struct)
_encoder = json.JSONEncoder(separators=(",", ":"))
_plain = msgspec.json.Encoder()


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: whose rows these are. Another fingerprint or version means: start over.

    `load_id` names the one load these rows are for, so that a destination takes them only once.
    `after` is the load that the table had last when they began to be read, None where that is not
    known: once it has another, they are out of date.
    """

    connection: str
    stream: str
    partition: str | None
    fingerprint: str
    load_id: str
    version: int = _VERSION
    after: str | None = None


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One batch, whose rows are bytes `start` to `end` of `file`.

    `journal_end`, where its line ends, is known on reading only.
    """

    file: str
    format: SegmentFormat
    start: int
    end: int
    crc: int
    rows: int
    checkpoint: str | None
    complete: bool
    cursor: Any
    lacks: str = ""
    journal_end: int = 0

    @property
    def resumable(self) -> bool:
        return self.complete or self.checkpoint is not None


def line(record: Header | Entry) -> bytes:
    if isinstance(record, Entry) and record.cursor is None and (record.checkpoint or "").isascii():
        # The same, in a tenth of the time: there is nothing in it that JSON lacks.
        text = _plain.encode(record)
    else:
        text = _encoder.encode(asdict(record)).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def read_header(path: Path) -> Header | None:
    """The first line, None where there is none that this version can go by."""
    header = next((_as(Header, record) for record, _ in _lines(path)), None)
    return header if header and header.version == _VERSION else None


def read_entries(path: Path) -> Iterator[Entry]:
    """Entries in order, up to the first line or the first rows that do not hold."""
    records = _lines(path)
    next(records, None)
    for record, end in records:
        entry = _as(Entry, {**record, "journal_end": end})
        if entry is None or not _intact(path.parent, entry):
            return
        yield entry


def _as(kind: type[_T], record: dict[str, Any]) -> _T | None:
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError:  # another version wrote it
        return None


def _intact(folder: Path, entry: Entry) -> bool:
    crc, left = 0, entry.end - entry.start
    if not left:
        return True
    try:
        with (folder / entry.file).open("rb") as file:
            file.seek(entry.start)
            while left and (chunk := file.read(min(left, _CHUNK))):
                crc = zlib.crc32(chunk, crc)
                left -= len(chunk)
    except OSError:
        return False
    return left == 0 and crc == entry.crc


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each record that holds, and where its line ends."""
    end = 0
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for text in file:
            end += len(text)
            if not text.endswith(b"\n") or b"%08x " % zlib.crc32(text[9:-1]) != text[:9]:
                return
            try:
                record = json.loads(text[9:-1])
            except ValueError:
                return
            if not isinstance(record, dict):
                return
            yield record, end
