"""Several connections read the stretches of one stream; what is whole first comes first.

A stretch that fits in memory is read while another is being given. One that does not is given as
it comes, and the others wait: the batches of a stretch are never mixed with those of another, so
that a checkpoint between them can say which stretches are whole.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa

from connector_assets.errors import Cancelled
from connector_assets.plugins.sql.chunks import Chunks
from connector_assets.plugins.sql.source import Session, Stretch

_WAITING = 8
"""Batches of a stretch that wait in memory."""
_POLL_S = 0.1
_END = None

Rows = Iterator[pa.Table]


class _Reading:
    """A stretch that is being read, and its batches as they come."""

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        self.batches: queue.Queue[Any] = queue.Queue(_WAITING)
        self.is_told = False


class Parallel:
    """Reads `chunks` by up to `count` connections.

    `opened()` makes a connection, and `read(session, stretch)` reads on it. `cancel` ends all: what
    runs at the server is cancelled there.
    """

    def __init__(
        self,
        chunks: Chunks,
        opened: Callable[[], Session],
        read: Callable[[Session, Stretch], Rows],
        count: int,
        cancel: threading.Event,
    ) -> None:
        self._chunks, self._opened, self._read, self._count = chunks, opened, read, count
        self._cancel, self._stop = cancel, threading.Event()
        self._told: queue.Queue[Any] = queue.Queue()
        self._room = threading.Semaphore(count + 1)
        self._threads: list[threading.Thread] = []
        self._sessions: list[Session] = []
        self._lock = threading.Lock()

    def results(self) -> Iterator[tuple[Stretch, Rows]]:
        """Each stretch with its rows; they have to be taken before the next stretch is."""
        self._start()
        try:
            ended = 0
            while ended < len(self._threads):
                found = self._next(self._told)
                if found is _END:
                    ended += 1
                elif isinstance(found, BaseException):
                    raise found
                else:
                    yield found.stretch, self._batches(found)
                    self._room.release()
        finally:
            self._end()

    def _start(self) -> None:
        """One reader more, if there is something for it."""
        with self._lock:
            if self._stop.is_set() or len(self._threads) >= self._count:
                return
            thread = threading.Thread(target=self._work, daemon=True, name="sql-reader")
            self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        try:
            session = self._opened()
            with self._lock:
                self._sessions.append(session)
            while self._has_room() and (stretch := self._chunks.take()) is not None:
                if self._chunks.has_more:
                    self._start()
                self._fill(_Reading(stretch), session)
        except BaseException as error:  # noqa: BLE001 - it is raised where the rows are taken
            self._told.put(error)
        self._told.put(_END)

    def _fill(self, reading: _Reading, session: Session) -> None:
        try:
            for rows in self._read(session, reading.stretch):
                if reading.batches.full() and not reading.is_told:
                    self._tell(reading)
                self._put(reading, rows)
            self._put(reading, _END)
        except BaseException as error:
            if not reading.is_told:
                raise
            self._put(reading, error)
            return
        if not reading.is_told:
            self._tell(reading)

    def _tell(self, reading: _Reading) -> None:
        reading.is_told = True
        self._told.put(reading)

    def _put(self, reading: _Reading, item: Any) -> None:
        if reading.batches.full() and not reading.is_told:
            self._tell(reading)
        while True:
            with suppress(queue.Full):
                reading.batches.put(item, timeout=_POLL_S)
                return
            if self._stop.is_set():
                raise Cancelled("cancelled")

    def _has_room(self) -> bool:
        while not self._room.acquire(timeout=_POLL_S):
            if self._stop.is_set():
                return False
        return not self._stop.is_set()

    def _batches(self, reading: _Reading) -> Rows:
        while (found := self._next(reading.batches)) is not _END:
            if isinstance(found, BaseException):
                raise found
            yield found

    def _next(self, waiting: queue.Queue[Any]) -> Any:
        while True:
            if self._cancel.is_set():
                raise Cancelled("cancelled")
            with suppress(queue.Empty):
                return waiting.get(timeout=_POLL_S)

    def _end(self) -> None:
        """Cancel what still runs, and wait until nothing does."""
        self._stop.set()
        while True:
            with self._lock:
                alive = [one for one in self._threads if one.is_alive()]
                sessions = list(self._sessions)
            if not alive:
                return
            for session in sessions:
                session.cancel()
            alive[0].join(_POLL_S)
