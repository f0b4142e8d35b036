"""A staging folder in pieces: what an object store keeps of it, and how it is laid out again.

    crm/people/all/000006-3f0c…-0/000001-1.rows   bytes of a file of rows
    crm/people/all/000006-3f0c…-0/000001.piece    lines of the journal, and where all of it stands

Each run writes below a name of its own, numbered on from 1, rows first. A piece counts once its
small file is there, and never changes. The first of a run names the last one before it, so what two
runs wrote at a time is never mixed. A piece that begins before the end of the last one replaces
what stood there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import count, takewhile
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from connector_assets.load.files.objects import Objects
from connector_assets.load.staging.journal import JOURNAL
from connector_assets.private import private_file, private_folder, truncate_private

_PIECE, _ROWS = ".piece", ".rows"
# Names come from the store: none may lead out of the folder.
_FILE = re.compile(r"rows-\d{6,}\.(ndjson|parquet)")
_SESSION = re.compile(r"\d{6,}-[0-9a-f]+-\d+")
_AT_ONCE = 32


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes of one file of rows, from `start` on, and the object that has them."""

    file: str
    start: int
    name: str


class Piece(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of a piece; the lines that follow stand in the journal from `journal` on.

    `after` is the last piece of the run before, None where there is none.
    """

    after: str | None
    journal: int
    parts: tuple[Part, ...]


class Pieces:
    """The pieces of one stream, at `place` in the store."""

    def __init__(self, objects: Objects, place: str) -> None:
        self._objects, self._place = objects, place

    def write_rows(self, session: str, number: int, part: int, data: bytes) -> str:
        """Write bytes of rows, which count once their piece names them."""
        name = f"{session}/{number:06d}-{part}{_ROWS}"
        self._objects.replace(f"{self._place}/{name}", data)
        return name

    def write(self, session: str, number: int, piece: Piece, lines: bytes) -> str:
        """Write a piece; all that it names must be there."""
        name = f"{session}/{number:06d}{_PIECE}"
        content = msgspec.json.encode(piece) + b"\n" + lines
        self._objects.replace(f"{self._place}/{name}", content)
        return name

    def forget(self) -> None:
        """Remove all pieces. The first ones go first: without them none counts."""
        names = sorted(self._names())
        roots = [name for name in names if name.endswith(f"/{1:06d}{_PIECE}")]
        self._objects.delete_all(map(self._at, roots))
        self._objects.delete_all(self._at(name) for name in names if name not in set(roots))

    def restore(self, folder: Path) -> str | None:
        """Lay out in `folder` what is there, and give the last piece of it; None for nothing."""
        names, last = set(self._names()), None
        if chain := self._chain(names):
            folder.mkdir(parents=True)
        for first in range(0, len(chain), _AT_ONCE):
            for name in self._lay_out(chain[first : first + _AT_ONCE], names, folder):
                last = name
        return last

    def _names(self) -> Iterator[str]:
        for path in self._objects.files(self._place):
            name = path.removeprefix(f"{self._place}/")
            if _SESSION.fullmatch(name.partition("/")[0]):
                yield name

    def _chain(self, names: set[str]) -> list[str]:
        """The pieces from the first on, of the last run that has them all."""
        for session in sorted({name.partition("/")[0] for name in names}, reverse=True):
            pieces = _numbered(session, names)
            if pieces and (chain := self._up_to(pieces[-1], names)):
                return chain
        return []

    def _up_to(self, last: str, names: set[str]) -> list[str]:
        """The pieces of all runs from the first to `last`, none where one is missing."""
        chain: list[str] = []
        while True:
            session = last.partition("/")[0]
            pieces = [name for name in _numbered(session, names) if name <= last]
            if not pieces or pieces[-1] != last:
                return []
            first = _split(self._objects.read(self._at(pieces[0])) or b"")[0]
            if first is None or (first.after or "") >= session:
                return []
            chain = [*pieces, *chain]
            if first.after is None:
                return chain
            last = first.after

    def _lay_out(self, chain: Sequence[str], names: set[str], folder: Path) -> Iterator[str]:
        """Put pieces one after the other into the folder; the names of those that are whole."""
        private_folder(fetched := folder / "fetched")
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, fetched)
            self._fetch(chain, fetched)
            found = [(name, *_split(_local(fetched, name).read_bytes())) for name in chain]
            parts = [part for _, piece, _ in found if piece for part in piece.parts]
            self._fetch([part.name for part in parts if part.name in names], fetched)
            for name, piece, lines in found:
                if piece is None or not all(map(_is_ours, piece.parts)):
                    return
                for part in piece.parts:
                    source = _local(fetched, part.name)
                    if not source.exists():
                        return
                    with source.open("rb") as rows, _cut(folder / part.file, part.start) as to:
                        shutil.copyfileobj(rows, to)
                with _cut(folder / JOURNAL, piece.journal) as to:
                    to.write(lines)
                yield name

    def _fetch(self, names: Sequence[str], folder: Path) -> None:
        to = [_local(folder, name) for name in names]
        self._objects.fetch_all([self._at(name) for name in names], to)

    def _at(self, name: str) -> str:
        return f"{self._place}/{name}"


def _numbered(session: str, names: set[str]) -> list[str]:
    """The pieces of one run, from 1 on without a gap."""
    pieces = (f"{session}/{number:06d}{_PIECE}" for number in count(1))
    return list(takewhile(names.__contains__, pieces))


def _split(content: bytes) -> tuple[Piece | None, bytes]:
    """A piece and its lines of the journal; None for half of one."""
    head, _, lines = content.partition(b"\n")
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(head, type=Piece), lines
    return None, b""


def _is_ours(part: Part) -> bool:
    return _FILE.fullmatch(part.file) is not None and part.start >= 0


def _local(folder: Path, name: str) -> Path:
    return folder / name.replace("/", "+")


def _cut(path: Path, size: int) -> IO[bytes]:
    """The file, to be written from `size` on."""
    file = private_file(path, "ab")
    try:
        truncate_private(path, size)
    except BaseException:
        file.close()
        raise
    return file
