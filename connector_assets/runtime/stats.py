"""What reading cost, counted while it runs."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connector_assets.legible import message

_TOLD = 100  # no one reads more
_LINES = 1_000


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "page"), counted(2000, "page")
    ('1 page', '2,000 pages')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@dataclass(slots=True)
class Stats:
    """Counters of one read; times in seconds, `bytes` as received on the wire.

    `failed_items` counts the items of a `forEach` that were skipped because they could not be read.
    `part` is what is read at the moment, where a stream is read in parts. `staged` rows are safe on
    disk, and `whole` when they are all. `waiting` says what is waited for at the moment, and
    `watcher` is told when that begins; `teller` is told bodies and answers, masked. `waited_s` is
    time spent on purpose: rate limit, Retry-After, back-off. `notes` are one-line remarks a user
    should see once, such as which root array was taken for the rows. `lacks` are the reasons why
    rows may be missing, one for each list that has some; a cap is one, and then `truncated` is set.
    `total` is how many rows there are to read, as far as a plugin tells, and `metadata` is what it
    says of the load.
    """

    calls: int = 0
    pages: int = 0
    rows: int = 0
    bytes: int = 0
    retries: int = 0
    waited_s: float = 0.0
    failed_items: int = 0
    truncated: bool = False
    quota_left: int | None = None
    part: str = ""
    staged: int = 0
    whole: bool = False
    waiting: str = ""
    watcher: Callable[[Stats], None] | None = field(default=None, repr=False, compare=False)
    teller: Callable[[str], None] | None = field(default=None, repr=False, compare=False)
    notes: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    total: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    ignored: int = 0
    _lines: deque[tuple[int, str]] = field(default_factory=deque, repr=False, compare=False)
    _lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(
        self,
        *,
        calls: int = 0,
        pages: int = 0,
        rows: int = 0,
        bytes: int = 0,  # noqa: A002 - as the counter is called
        retries: int = 0,
        waited_s: float = 0.0,
    ) -> None:
        """Count what one thread did; several may count at once."""
        with self._lock:
            self.calls += calls
            self.pages += pages
            self.rows += rows
            self.bytes += bytes
            self.retries += retries
            self.waited_s += waited_s

    def say(self, level: int, text: str) -> None:
        """Keep a line, of a level as in `logging`, for whoever watches the read."""
        with self._lock:
            if len(self._lines) < _LINES:
                self._lines.append((level, message(text)))
            else:
                self._lost += 1

    def said(self) -> list[tuple[int, str]]:
        """The lines that were kept since the last call; of too many, how many were left out."""
        with self._lock:
            lines, lost = list(self._lines), self._lost
            self._lines.clear()
            self._lost = 0
        if lost:
            lines.append((logging.WARNING, f"{counted(lost, 'further line')} left out"))
        return lines

    @property
    def done(self) -> str:
        """How much is read, of how much where that is known: "12 of 100 rows"."""
        if not self.total or self.rows > self.total:
            return counted(self.rows, "row")
        return f"{self.rows:,} of {counted(self.total, 'row')}"

    @property
    def complete(self) -> bool:
        """Whether every list was read to its end, as far as its server tells."""
        return not (self.lacks or self.truncated)

    def lack(self, reason: str) -> None:
        """Keep a reason why rows may be missing, once."""
        if reason and reason not in self.lacks:
            if len(self.lacks) < _TOLD:
                self.lacks.append(reason)
            elif len(self.lacks) == _TOLD:
                self.lacks.append("further lists are not complete either")

    def ignore(self, answers: int) -> None:
        """Count answers that a rule ignored; one note says how many."""
        if not answers:
            return
        with self._lock:
            before, self.ignored = self._ignored_note, self.ignored + answers
            kept = [note for note in self.notes if note != before]
            self.notes[:] = [*kept, self._ignored_note]

    @property
    def _ignored_note(self) -> str:
        many = f"{self.ignored:,} answers were" if self.ignored != 1 else "1 answer was"
        return f"{many} ignored, as an errors rule says"

    @contextmanager
    def waits(self, reason: str) -> Iterator[None]:
        """Say for the length of this block what is waited for."""
        self.waiting = reason
        if self.watcher:
            self.watcher(self)
        try:
            yield
        finally:
            self.waiting = ""

    def note(self, text: str) -> None:
        """Keep a remark, once."""
        text = message(text)
        if text not in self.notes:
            self.notes.append(text)
