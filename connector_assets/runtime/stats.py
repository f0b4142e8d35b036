"""What reading cost, counted while it runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """Counters of one read; times in seconds, `bytes` as received on the wire.

    `failed_items` counts the items of a `forEach` that were skipped because they could not be read.
    `waited_s` is time spent on purpose: rate limit, Retry-After, back-off. `notes` are one-line
    remarks a user should see once, such as which root array was taken for the rows.
    """

    calls: int = 0
    pages: int = 0
    rows: int = 0
    bytes: int = 0
    retries: int = 0
    waited_s: float = 0.0
    failed_items: int = 0
    truncated: bool = False
    notes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(
        self,
        *,
        calls: int = 0,
        pages: int = 0,
        rows: int = 0,
        bytes: int = 0,  # noqa: A002 - as the counter is called
        retries: int = 0,
        waited_s: float = 0.0,
    ) -> None:
        """Count what one thread did; several may count at once."""
        with self._lock:
            self.calls += calls
            self.pages += pages
            self.rows += rows
            self.bytes += bytes
            self.retries += retries
            self.waited_s += waited_s

    def note(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.notes:
            self.notes.append(text)
