"""How many pages are worth reading ahead: as many as there is time to wait for, and no more.

Where a server answers at once, the rows themselves keep a processor busy, and Python runs one
thread at a time: further requests then only queue for its lock, which took twice the time of
reading one page after the other (`benchmarks/throughput.py --case pages`). So fewer requests are
under way while a read's threads work without a break, and more again as soon as they wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Shares of one processor: beyond the first, fewer at a time; below the second, more.
_BUSY, _IDLE = 0.85, 0.65
# Long enough for the processor's clock to tell, and for short lists to be left alone.
_JUDGED_S = 0.02

Seconds = Callable[[], float]


class Pace:
    """The number of pages to read ahead: `width`, at first `most`.

    The walk's own thread calls `turn` once a page; other threads tell what they have `spent`. It
    changes how many requests are under way at a time, never what is read. `passed` and `worked` are
    the clocks: of the wall, and of the processor's time that the calling thread has taken.
    """

    def __init__(
        self, most: int, passed: Seconds = time.monotonic, worked: Seconds = time.thread_time
    ) -> None:
        self.width = self._most = most
        self._passed, self._worked = passed, worked
        self._busy = (_BUSY + _IDLE) / 2
        self._lock = threading.Lock()
        self._others_s = 0.0
        self._began_s, self._had_worked_s = passed(), worked()

    def spent(self, seconds: float) -> None:
        """Count what a thread of the read has worked."""
        with self._lock:
            self._others_s += seconds

    def turn(self) -> None:
        """Judge, once enough time has passed."""
        now_s = self._passed()
        passed_s = now_s - self._began_s
        if passed_s < _JUDGED_S:
            return
        # The processor's time is asked for here only: that takes ten times as long as the wall's.
        worked_s = self._worked()
        own_s = worked_s - self._had_worked_s
        self._began_s, self._had_worked_s = now_s, worked_s
        with self._lock:
            busy, self._others_s = (own_s + self._others_s) / passed_s, 0.0
        # Two thirds of it are what was: a disk that is waited for now and then is no slow server.
        self._busy = (2 * self._busy + busy) / 3
        if self._busy > _BUSY:
            self.width -= -(-self.width // 4)
        elif self._busy < _IDLE:
            self.width = min(self._most, self.width + 1)
