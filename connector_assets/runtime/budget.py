"""One request budget per connection, shared by threads, processes and machines.

    budget = budget_for("shop", spec.rate_limit, clock=Clock(), store="/var/lib/connector-assets")
    with budget.slot(cancel):          # at most `concurrency` at once
        waited_s = budget.take(cancel) # at most `requestsPerSecond`, in the order of asking
        ...                            # send

The bucket itself is in `bucket`; here is where it is kept: in this process, in a file that the
processes of one machine lock, or in Redis or Postgres (`servers`) for several machines.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Protocol, TypeVar

from connector_assets.errors import Cancelled
from connector_assets.runtime.bucket import Bucket
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.locks import locked, try_lock
from connector_assets.spec.endpoint import RateLimit

Result = TypeVar("Result")
Change = Callable[[Bucket], tuple[Bucket, Result]]

# How often a process looks for a free slot when all are taken by others, in seconds.
_LOOK_AGAIN_S = 0.02


class Budget(Protocol):
    """What a request must pass before it is sent."""

    def take(self, cancel: threading.Event) -> float:
        """Wait for this request's turn; the seconds waited. Raises Cancelled."""
        ...

    def pause(self, seconds: float) -> None:
        """The server asked to wait: nobody goes for so long."""
        ...

    def place(self) -> Callable[[], None] | None:
        """As `slot`, without waiting: what frees it, None if all places are taken."""
        ...

    def slot(self, cancel: threading.Event) -> AbstractContextManager[None]:
        """One of the connection's `concurrency` places, while a request is under way."""
        ...


def places(budgets: Sequence[Budget]) -> Callable[[], None] | None:
    """A place in each budget, without waiting: what frees them, None if one has none left."""
    with ExitStack() as taken:
        for budget in budgets:
            if (free := budget.place()) is None:
                return None
            taken.callback(free)
        return taken.pop_all().close


class Ledger(Protocol):
    """Where a bucket is kept, and the places for requests under way."""

    def change(self, change: Change[Result]) -> Result:
        """Apply `change` to the bucket as of now, alone; keep what it returns."""
        ...

    def is_untouched(self) -> bool:
        """Whether nobody has had to wait yet; False, too, where to look is as dear as to ask."""
        ...

    def place(self, number: int) -> Callable[[], None] | None:
        """Take a place and return what frees it, as its holder's death does; None if taken."""
        ...


def budget_for(
    key: str,
    limit: RateLimit | None,
    *,
    clock: Clock,
    store: str | None = None,
    beside: bool = False,
) -> Budget:
    """The budget named `key`, the connection's id.

    Without a `limit` only what a server asks is shared: to wait. `store` is a folder (shared by the
    machine's processes), `redis://…` or `postgresql://…` (shared by machines), or None (shared by
    this process's threads). `beside`: another budget of the same requests is told of every wait,
    too.
    """
    kind = _Places if beside and limit and limit.requests_per_second is None else SharedBudget
    return kind(_ledger(key, clock, store), limit, clock)


def _ledger(key: str, clock: Clock, store: str | None) -> Ledger:
    if store is None:
        # The system's clocks tell one time: all users of a key share; a test's clock is its own.
        return _in_process(key, None if type(clock) is Clock else clock)
    if "://" in store:
        from connector_assets.runtime.servers import server_ledger

        return server_ledger(store, key)
    return FileLedger(Path(store) / "budget", key, clock)


class SharedBudget:
    """A budget over a ledger: the same for every place a bucket is kept in."""

    def __init__(self, ledger: Ledger, limit: RateLimit | None, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._places = limit.concurrency if limit else None
        limit = limit or RateLimit()
        self._rate, self._burst = limit.requests_per_second, limit.burst_size

    def take(self, cancel: threading.Event) -> float:
        if cancel.is_set():
            raise Cancelled("cancelled before a request")
        if self._rate is None and self._ledger.is_untouched():
            return 0.0
        began = self._clock.monotonic()
        instant, wait_s = self._ledger.change(self._reserve)
        try:
            while wait_s > 0:
                self._clock.wait(wait_s, cancel)
                wait_s = self._ledger.change(lambda bucket: (bucket, bucket.wait(instant)))
        except BaseException:
            self._ledger.change(lambda bucket: (bucket.give_back(instant), None))
            raise
        return self._clock.monotonic() - began

    def _reserve(self, bucket: Bucket) -> tuple[Bucket, tuple[float, float]]:
        taken, instant = bucket.reserve(self._rate, self._burst)
        return taken, (instant, taken.wait(instant))

    def pause(self, seconds: float) -> None:
        self._ledger.change(lambda bucket: (bucket.pause(seconds), None))

    @contextmanager
    def slot(self, cancel: threading.Event) -> Iterator[None]:
        while (free := self.place()) is None:
            self._clock.wait(_LOOK_AGAIN_S, cancel)
        try:
            yield
        finally:
            free()

    def place(self) -> Callable[[], None] | None:
        if self._places is None:
            return _nothing
        # From a random start, or every process would queue for the first place.
        first = int(random.random() * self._places)  # noqa: S311 - spreads load, guards nothing
        for offset in range(self._places):
            free = self._ledger.place((first + offset) % self._places)
            if free is not None:
                return free
        return None


class _Places(SharedBudget):
    """Only the places count: there is no rate, and another budget heeds what a server asks."""

    def take(self, cancel: threading.Event) -> float:  # noqa: ARG002
        return 0.0

    def pause(self, seconds: float) -> None:
        pass


def _nothing() -> None:
    """What frees a place where all have one."""


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

    def place(self, number: int) -> Callable[[], None] | None:
        with self._lock:
            if number in self._taken:
                return None
            self._taken.add(number)
        return partial(self._taken.discard, number)


@cache
def _in_process(key: str, clock: Clock | None) -> MemoryLedger:  # noqa: ARG001 - the cache's key
    return MemoryLedger(clock or Clock())


class FileLedger:
    """A bucket in a small file of its own; each change locks it, so no process need serve it.

    The file is opened anew each time: a lock belongs to the open file, so threads exclude each
    other too, and a forked child does not share its parent's lock. 13 µs a change.
    """

    def __init__(self, folder: Path, key: str, clock: Clock) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = str(folder / hashlib.sha256(key.encode()).hexdigest()[:32])
        self._clock = clock

    def change(self, change: Change[Result]) -> Result:
        with locked(self._path) as file:
            before = Bucket.loads(os.pread(file, 1 << 20, 0)).at(self._clock.time())
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

    def place(self, number: int) -> Callable[[], None] | None:
        return try_lock(f"{self._path}.{number}")
