"""Ctrl-C and SIGTERM, also for the threads that fetch and for libraries that load."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupting(cancel: threading.Event) -> Iterator[None]:
    """Either sets `cancel`, then interrupts as Ctrl-C ever did.

    Only the main thread is interrupted, and on its way out it waits for the others: so they must
    be told first, or a server that is silent holds all of them. SIGTERM would else end the process
    where it stands, and leave its scratch files.
    """
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        cancel.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except Exception as error:
        # A library may make something else of it: DuckDB, a RuntimeError that says so.
        if stopped.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
