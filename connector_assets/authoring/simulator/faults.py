"""Faults on demand: what real servers do, once, at the answer that is counted out for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

NAMES = {
    "429": "too many requests, with Retry-After",
    "500": "a failure of the server",
    "expired": "every token is revoked, and the request refused",
    "empty": "a page without rows in the middle of the list",
    "short": "a page with half of its rows",
    "repeat": "the list goes on where it stands: the same cursor again",
    "drift": "rows with a column more",
    "cut": "the connection ends before the body does",
}


@dataclass
class Faults:
    """What goes wrong with which answer of a list, counted from 1."""

    planned: dict[int, str] = field(default_factory=dict)
    seen: int = 0
    fired: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def plan(self, text: str) -> None:
        """Take `429@3`, or `429` for the next answer; ValueError for what is no fault."""
        name, _, at = text.partition("@")
        if name not in NAMES:
            raise ValueError(f'"{name}" is no fault; use one of {", ".join(NAMES)}')
        if at and not at.isdigit():
            raise ValueError(f'"{at}" is not the number of an answer')
        with self._lock:
            self.planned[int(at) if at else self.seen + 1] = name

    def next(self) -> str:
        """The fault of the answer that is about to be given; "" where it is as it should be."""
        with self._lock:
            self.seen += 1
            name = self.planned.pop(self.seen, "")
            if name:
                self.fired.append(name)
            return name
