"""Ctrl-C, also for the threads that fetch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupting(cancel: threading.Event) -> Iterator[None]:
    """Ctrl-C sets `cancel`, then interrupts as ever.

    Only the main thread is interrupted, and on its way out it waits for the others: so they must
    be told first, or a server that is silent holds all of them.
    """

    def stop(*_: object) -> None:
        cancel.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
