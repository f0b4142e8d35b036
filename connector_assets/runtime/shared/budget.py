"""One request budget per connection, shared by threads, processes and machines.

    budget = budget_for("shop", spec.rate_limit, clock=Clock(), store="/var/lib/connector-assets")
    with budget.slot(cancel):          # at most `concurrency` at once
        waited_s = budget.take(cancel) # at most `requestsPerSecond`, in the order of asking
        ...                            # send

The bucket itself is in `bucket`; here is where it is kept: in this process, in a file that the
processes of one machine lock (`ledger`), or in Redis or Postgres (`servers`) for several machines.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from connector_assets.errors import Cancelled
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.shared.bucket import Bucket
from connector_assets.runtime.shared.ledger import FileLedger, Ledger, MemoryLedger
from connector_assets.runtime.shared.servers import server_ledger
from connector_assets.spec.endpoint import RateLimit

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

    def try_slot(self) -> Callable[[], None] | None:
        """As `slot`, without waiting: what frees it, None if all are taken."""
        ...

    def slot(self, cancel: threading.Event) -> AbstractContextManager[None]:
        """One of the connection's `concurrency` slots, while a request is under way."""
        ...


def try_slots(budgets: Sequence[Budget]) -> Callable[[], None] | None:
    """A slot in each budget, without waiting: what frees them, None if one has none left."""
    with ExitStack() as taken:
        for budget in budgets:
            if (free := budget.try_slot()) is None:
                return None
            taken.callback(free)
        return taken.pop_all().close


def budget_for(
    key: str,
    limit: RateLimit | None,
    *,
    clock: Clock,
    store: str | None = None,
    is_second: bool = False,
) -> Budget:
    """The budget named `key`, the connection's id.

    Without a `limit` only what a server asks is shared: to wait. `store` is a folder (shared by the
    machine's processes), `redis://…` or `postgresql://…` (shared by machines), or None (shared by
    this process's threads). `is_second`: another budget of the same requests is told of every wait,
    too.
    """
    kind = _SlotsOnly if is_second and limit and limit.requests_per_second is None else SharedBudget
    return kind(_ledger(key, clock, store), limit, clock)


def _ledger(key: str, clock: Clock, store: str | None) -> Ledger:
    if store is None:
        # The system's clocks tell one time: all users of a key share; a test's clock is its own.
        return _in_process(key, None if type(clock) is Clock else clock)
    if "://" in store:
        return server_ledger(store, key)
    return FileLedger(Path(store) / "budget", key, clock)


class SharedBudget:
    """A budget over a ledger: the same wherever a bucket is kept."""

    def __init__(self, ledger: Ledger, limit: RateLimit | None, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._slots = limit.concurrency if limit else None
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
        while (free := self.try_slot()) is None:
            self._clock.wait(_LOOK_AGAIN_S, cancel)
        try:
            yield
        finally:
            free()

    def try_slot(self) -> Callable[[], None] | None:
        if self._slots is None:
            return _nothing
        # From a random start, or every process would queue for the first slot.
        first = int(random.random() * self._slots)  # noqa: S311 - spreads load, guards nothing
        for offset in range(self._slots):
            free = self._ledger.slot((first + offset) % self._slots)
            if free is not None:
                return free
        return None


class _SlotsOnly(SharedBudget):
    """Only the slots count: there is no rate, and another budget heeds what a server asks."""

    def take(self, cancel: threading.Event) -> float:  # noqa: ARG002
        return 0.0

    def pause(self, seconds: float) -> None:
        pass


def _nothing() -> None:
    """What frees a slot where all have one."""


@cache
def _in_process(key: str, clock: Clock | None) -> MemoryLedger:  # noqa: ARG001 - the cache's key
    return MemoryLedger(clock or Clock())
