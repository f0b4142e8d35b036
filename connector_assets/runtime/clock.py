"""Time as an argument: tests pass their own clock, so nothing in them sleeps."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time

from connector_assets.errors import Cancelled

# How often someone who waits for two events looks at the other one, in seconds.
_LOOK_S = 0.2
# The system cannot count to much more than a hundred years; whoever waits looks again then.
_LONGEST_WAIT_S = 1e8


class Either(threading.Event):
    """Set when one of two events is."""

    def __init__(self, first: threading.Event, second: threading.Event) -> None:
        # Without the lock and the flag of an event, which would take longer than all the rest.
        self._first, self._second = first, second

    def __repr__(self) -> str:
        return f"Either({self._first}, {self._second})"

    def is_set(self) -> bool:
        return self._first.is_set() or self._second.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        ends = time.monotonic() + (math.inf if timeout is None else timeout)
        while not self.is_set() and (left := ends - time.monotonic()) > 0:
            self._first.wait(min(_LOOK_S, left))
        return self.is_set()


class Clock:
    """The system's clocks, and a wait that a cancel event cuts short. All in seconds."""

    def monotonic(self) -> float:
        """Never goes back; for durations and deadlines."""
        return time.monotonic()

    def time(self) -> float:
        """Since the epoch; for dates the server sends and for what processes share."""
        return time.time()

    def utc_now(self) -> dt.datetime:
        """The time in UTC that templates and windows of a spec see."""
        return dt.datetime.fromtimestamp(self.time(), dt.UTC)

    def wait(self, seconds: float, cancel: threading.Event) -> None:
        """Return after `seconds`; raise Cancelled as soon as `cancel` is set."""
        if cancel.wait(min(max(0.0, seconds), _LONGEST_WAIT_S)):
            raise Cancelled("cancelled while waiting")
