"""Time as an argument: tests pass their own clock, so nothing in them sleeps."""

from __future__ import annotations

import threading
import time

from connector_assets.errors import Cancelled


class Clock:
    """The system's clocks, and a wait that a cancel event cuts short. All in seconds."""

    def monotonic(self) -> float:
        """Never goes back; for durations and deadlines."""
        return time.monotonic()

    def time(self) -> float:
        """Since the epoch; for dates the server sends and for what processes share."""
        return time.time()

    def wait(self, seconds: float, cancel: threading.Event) -> None:
        """Return after `seconds`; raise Cancelled as soon as `cancel` is set."""
        if cancel.wait(max(0.0, seconds)):
            raise Cancelled("cancelled while waiting")
