"""What reading cost, counted while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """Counters of one read; times in seconds, `bytes` as received on the wire.

    `waited_s` is time spent on purpose: rate limit, Retry-After, back-off. `notes` are one-line
    remarks a user should see once, such as which root array was taken for the rows.
    """

    calls: int = 0
    pages: int = 0
    rows: int = 0
    bytes: int = 0
    retries: int = 0
    waited_s: float = 0.0
    truncated: bool = False
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.notes:
            self.notes.append(text)
