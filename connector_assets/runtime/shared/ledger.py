"""Where a bucket is kept: in this process, or in a file that the processes of a machine lock."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from connector_assets.runtime.clock import Clock
from connector_assets.runtime.shared.bucket import MAX_BYTES, Bucket
from connector_assets.runtime.shared.locks import locked, shared_folder, try_lock

Result = TypeVar("Result")
Change = Callable[[Bucket], tuple[Bucket, Result]]


class Ledger(Protocol):
    """Where a bucket is kept, and the slots of requests under way."""

    def change(self, change: Change[Result]) -> Result:
        """Apply `change` to the bucket as of now, alone; keep what it returns."""
        ...

    def is_untouched(self) -> bool:
        """Whether nobody has had to wait yet; False, too, where to look is as dear as to ask."""
        ...

    def slot(self, number: int) -> Callable[[], None] | None:
        """Take a slot and return what frees it, as its holder's death does; None if taken."""
        ...


class MemoryLedger:
    """A bucket for the threads of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock, self._bucket = clock, threading.Lock(), Bucket()
        self._taken: set[int] = set()

    def change(self, change: Change[Result]) -> Result:
        with self._lock:
            self._bucket, result = change(self._bucket.at(self._clock.time()))
            return result

    def is_untouched(self) -> bool:
        return self._bucket == Bucket()

    def slot(self, number: int) -> Callable[[], None] | None:
        with self._lock:
            if number in self._taken:
                return None
            self._taken.add(number)
        return partial(self._taken.discard, number)


class FileLedger:
    """A bucket in a small file of its own; each change locks it, so no process need serve it.

    The file is opened anew each time: a lock belongs to the open file, so threads exclude each
    other too, and a forked child does not share its parent's lock. 13 µs a change.
    """

    def __init__(self, folder: Path, key: str, clock: Clock) -> None:
        self._path = str(shared_folder(folder) / hashlib.sha256(key.encode()).hexdigest()[:32])
        self._clock = clock

    def change(self, change: Change[Result]) -> Result:
        with locked(self._path) as file:
            before = Bucket.loads(os.pread(file, MAX_BYTES, 0)).at(self._clock.time())
            after, result = change(before)
            if after != before:
                text = after.dumps()
                os.pwrite(file, text, 0)
                os.ftruncate(file, len(text))
            return result

    def is_untouched(self) -> bool:
        try:
            # As text: to make a Path of it would take as long as to ask.
            return os.stat(self._path).st_size == 0  # noqa: PTH116
        except FileNotFoundError:
            return True

    def slot(self, number: int) -> Callable[[], None] | None:
        return try_lock(f"{self._path}.{number}")
