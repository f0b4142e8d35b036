"""A staging folder's copy in an object store, written beside whoever fills the folder.

What was appended is on its way at the latest after two seconds, or when there are 8 MB of it: so
pages that come fast share an object, and 10,000 of them are not 10,000.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from connector_assets.load.files.store_errors import as_load_errors
from connector_assets.load.staging.journal import JOURNAL
from connector_assets.load.staging.lease import Lease
from connector_assets.load.staging.pieces import Part, Piece, Pieces

_SHIP_BYTES = 8 << 20
_SHIP_S = 2.0
# One object of rows, and what is in memory of them.
_PART_BYTES = 16 << 20

Ends = Mapping[str, int]
"""How long each file of a staging folder is."""


class RemoteCopy:
    """The copy of one stream's folder; `reaches`, `cut` and `forget` are told it as it changes.

    Use it in a `with` block: entering lays out in `folder` what is there. Its thread reads what was
    appended from the folder, so no more of it is in memory than one object has.
    """

    def __init__(
        self,
        pieces: Pieces,
        lease: Lease,
        folder: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pieces, self._lease, self._folder = pieces, lease, folder
        self._monotonic = monotonic
        self._last: str | None = None
        self._beginnings, self._number = 0, 0
        self._ends: Ends = {}
        self._sent: Ends = {}
        self._since = 0.0
        self._ending = False
        self._error: Exception | None = None
        self._told = threading.Condition()
        self._shipping = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="staging-copy", daemon=True)

    def __enter__(self) -> Self:
        self._last = self._pieces.restore(self._folder)
        if self._last is not None:
            self._sent = {path.name: path.stat().st_size for path in self._folder.iterdir()}
        self._ends = self._sent
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Copy what is left."""
        with self._told:
            self._ending = True
            self._told.notify_all()
        self._thread.join()
        self._lease.is_kept = self._last is not None
        if error is None:
            self.raise_error()

    def reaches(self, ends: Ends) -> None:
        """Take that files have grown; raises what kept those before from being copied."""
        self.raise_error()
        with self._told:
            if self._ends == self._sent:
                self._since = self._monotonic()
            self._ends = ends
            self._told.notify_all()

    def cut(self, ends: Ends) -> None:
        """Take that files are about to be cut to these lengths, and others to go."""
        with self._shipping, self._told:
            self._ends = ends
            self._sent = {name: min(self._sent.get(name, 0), end) for name, end in ends.items()}

    def forget(self) -> None:
        """Remove the copy: what is in the folder is done with, or is to be read anew."""
        with self._shipping, self._told:
            had_any = self._last is not None
            # Under another name: of one that was left half removed nothing may go on.
            self._beginnings += 1
            self._last, self._number, self._ends, self._sent = None, 0, {}, {}
            if had_any:
                self._pieces.forget()

    def flush(self) -> None:
        """Return once all is copied: rows that are loaded are never staged in part."""
        with self._told:
            self._since = -math.inf
            self._told.notify_all()
            self._told.wait_for(lambda: self._ends == self._sent or self._error is not None)
        self.raise_error()

    def raise_error(self) -> None:
        """Raise what the store said to the thread, or that another run has the stream now."""
        self._lease.require()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while self._wait():
                self._ship()
        except Exception as error:  # noqa: BLE001 - it is raised where rows are appended
            with self._told:
                self._error = error
                self._told.notify_all()

    def _wait(self) -> bool:
        """Wait until something is to be copied; False where nothing will be any more."""
        with self._told:
            while not self._ending and not self._is_due():
                has_some = self._ends != self._sent
                left = self._since + _SHIP_S - self._monotonic()
                self._told.wait(max(left, 0) if has_some else None)
            return self._ends != self._sent

    def _is_due(self) -> bool:
        if self._ends == self._sent:
            return False
        size = sum(self._ends.values()) - sum(self._sent.values())
        return size >= _SHIP_BYTES or self._monotonic() - self._since >= _SHIP_S

    def _ship(self) -> None:
        """Copy all that there is: rows first, then the piece that makes them count."""
        with self._shipping:
            self._lease.require()
            ends, sent, number = self._ends, self._sent, self._number + 1
            if ends == sent:  # they were cut, or forgotten, just now
                return
            session = f"{self._lease.session}-{self._beginnings}"
            parts: list[Part] = []
            for file, start, size in _ranges(ends, sent):
                data = self._bytes(file, start, size)
                name = self._pieces.write_rows(session, number, len(parts) + 1, data)
                parts.append(Part(file, start, name))
            start = sent.get(JOURNAL, 0)
            lines = self._bytes(JOURNAL, start, ends[JOURNAL] - start)
            piece = Piece(self._last, start, tuple(parts))
            self._last = self._pieces.write(session, number, piece, lines)
            self._number = number
            with self._told:
                self._sent = ends
                self._since = self._monotonic()  # of what was appended meanwhile
                self._told.notify_all()

    def _bytes(self, name: str, start: int, size: int) -> bytes:
        with as_load_errors(str(self._folder)), (self._folder / name).open("rb") as file:
            file.seek(start)
            return file.read(size)


def _ranges(ends: Ends, sent: Ends) -> Iterator[tuple[str, int, int]]:
    """What was appended to files of rows: name, start and size, none too large for one object."""
    for name, end in ends.items():
        if name != JOURNAL:
            for start in range(sent.get(name, 0), end, _PART_BYTES):
                yield name, start, min(_PART_BYTES, end - start)
