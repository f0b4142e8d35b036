"""A table cut into stretches of its key, as they are read: which are begun, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from connector_assets.plugins.sql.source import Stretch


class Chunks:
    """Stretches to read, handed out to several readers.

    They are cut one after the other: `cut(rest)` gives the last value of the next stretch of
    `rest`, None where all of it is one. `left` are the stretches of an earlier run; the last of
    them is the rest that was not cut yet.
    """

    def __init__(self, cut: Callable[[Stretch], str | None], left: Sequence[Stretch]) -> None:
        self._cut = cut
        *self._waiting, self._rest = left
        self._is_cut = False
        self._begun: list[Stretch] = []
        self._lock = Lock()

    def take(self) -> Stretch | None:
        """The next stretch, None where there is none."""
        with self._lock:
            found = self._waiting.pop(0) if self._waiting else self._next()
            if found is not None:
                self._begun.append(found)
            return found

    def _next(self) -> Stretch | None:
        if self._is_cut:
            return None
        end = None if self._rest.nulls else self._cut(self._rest)
        if end is None or end == self._rest.high:
            self._is_cut = True
            return self._rest
        found, self._rest = self._rest.up_to(end), self._rest.beyond(end)
        return found

    @property
    def has_more(self) -> bool:
        """Whether there may be a further stretch."""
        return bool(self._waiting) or not self._is_cut

    def done(self, stretch: Stretch) -> None:
        """Say that all rows of a stretch are safe, or will be with the next checkpoint."""
        with self._lock:
            self._begun.remove(stretch)

    def left(self) -> list[list[Any]]:
        """What a later run has to read, as JSON; empty at the end."""
        with self._lock:
            rest = [] if self._is_cut else [self._rest]
            return [one.told() for one in (*self._begun, *self._waiting, *rest)]
