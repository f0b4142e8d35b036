"""A token bucket as a value: what it holds, and how each event changes it. No clock, no I/O.

A request *reserves* the instant at which it may go, and waits for it: first come, first served, and
no waiter asks twice. Instants are on the bucket's own clock, which stands still while a server has
asked everyone to wait, so that a pause moves every instant already promised by the same amount.
"""

from __future__ import annotations

import json
import math
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

# Processes read the clock at slightly different times, and two machines' clocks differ a little: up
# to this many seconds back, time stands still; further back, the clock was set.
_STEP_BACK_S = 10.0
# The first request after a rest must connect and so comes late, the next ones do not, and a server
# counts from the first: so the next wait this much longer, but at most one interval.
_REST_S, _LATE_S = 1.0, 0.1
MAX_BYTES = 1 << 20
"""What is read of a stored bucket: a longer one is damaged."""


# Not a dataclass: each request makes new ones, and that would take ten times as long.
class Bucket(Struct, frozen=True):
    """Times in seconds: `due` and `freed` on the bucket's clock, the others on the caller's.

    `due` is when the bucket is full again (GCRA's theoretical arrival time), `stopped` how long its
    clock has stood still, `until` the end of the pause, `seen` the last time anyone looked, and
    `freed` the instants that waiters gave back.
    """

    due: float = 0.0
    stopped: float = 0.0
    until: float = 0.0
    seen: float = 0.0
    freed: tuple[float, ...] = ()

    def at(self, now: float) -> Bucket:
        """This bucket as the clock says `now`."""
        back = self.seen - now
        if back <= 0:
            return replace(self, seen=now)
        if back <= _STEP_BACK_S:
            return self
        return replace(self, seen=now, stopped=self.stopped - back, until=self.until - back)

    @property
    def _own_time(self) -> float:
        return max(self.seen, self.until) - self.stopped

    def wait(self, instant: float) -> float:
        """Seconds from `seen` to `instant`, the pause as known now included."""
        return max(instant + self.stopped, self.until) - self.seen

    def reserve(self, rate: float | None, burst: int) -> tuple[Bucket, float]:
        """The next instant at which a request may go, and the bucket with it taken."""
        now = self._own_time
        if rate is None:
            return self, now
        freed = sorted(instant for instant in self.freed if instant > now)
        if freed:
            return replace(self, freed=tuple(freed[1:])), freed[0]
        if self.due + _REST_S <= now:
            due = now + 1 / rate + min(_LATE_S, 1 / rate)
            return replace(self, due=due, freed=()), now
        due = max(self.due, now) + 1 / rate
        return replace(self, due=due, freed=()), max(now, due - burst / rate)

    def give_back(self, instant: float) -> Bucket:
        """An instant nobody will use: the next to come gets it."""
        return replace(self, freed=(*self.freed, instant)) if instant > self._own_time else self

    def pause(self, seconds: float) -> Bucket:
        """Everyone waits `seconds` from now, and what was promised moves by as much."""
        until = self.seen + seconds
        if until <= self.until:
            return self
        return replace(self, until=until, stopped=self.stopped + until - max(self.seen, self.until))

    def dumps(self) -> bytes:
        return json.dumps([self.due, self.stopped, self.until, self.seen, self.freed]).encode()

    @classmethod
    def loads(cls, text: bytes | None) -> Self:
        """The bucket in `text`; a new or damaged one is an empty history, not an error."""
        if not text:
            return cls()
        try:
            due, stopped, until, seen, freed = json.loads(text)
            times = [float(one) for one in (due, stopped, until, seen, *freed)]
        except (ValueError, TypeError, OverflowError, RecursionError):
            return cls()
        if not all(map(math.isfinite, times)):
            return cls()
        return cls(times[0], times[1], times[2], times[3], tuple(times[4:]))
