"""Files on their way from the kernel's memory to the disk, in a thread beside the one that writes.

A disk takes a fifth of a second for what is written in one go, and nobody has to wait for it: it
only bounds what a power loss costs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import IO


class Syncing:
    """At most one fsync at a time. Before its files are closed, `end` must be called."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None

    def begin(self, files: Iterable[IO[bytes]]) -> None:
        """Start, once what was begun before is done; raises as `end`."""
        self.end()
        numbers = [file.fileno() for file in files]
        self._thread = threading.Thread(target=self._run, args=(numbers,), name="staging-fsync")
        self._thread.start()

    def end(self) -> None:
        """Wait for what is under way; raises the OSError that it met."""
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self.raise_error()

    def raise_error(self) -> None:
        """Raise the OSError that was met so far, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, numbers: list[int]) -> None:
        try:
            for number in numbers:
                os.fsync(number)
        except OSError as error:
            self._error = error
