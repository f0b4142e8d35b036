"""How much is read and spent for one draft, and what was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from connector_assets.errors import Cancelled

Told = Callable[[str], None]


@dataclass(frozen=True)
class Bounds:
    """Limits of one draft: of reading its pages, and of asking a model."""

    pages: int = 20
    bytes: int = 8 << 20
    seconds: float = 60.0
    rounds: int = 4
    tokens: int = 100_000


@dataclass
class Spent:
    """What a draft took; `told` is given a line whenever something happens."""

    bounds: Bounds = field(default_factory=Bounds)
    told: Told = lambda _: None
    cancel: Event = field(default_factory=Event)
    clock: Callable[[], float] = time.monotonic
    pages: int = 0
    bytes: int = 0
    rounds: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: str | None = None
    model: str | None = None
    trial: str | None = None
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def say(self, text: str) -> None:
        """Tell a step; raises Cancelled where the draft is not wanted any more."""
        if self.cancel.is_set():
            raise Cancelled("the draft was cancelled")
        self.told(text)

    @property
    def may_read(self) -> bool:
        """Whether another page may be read."""
        late = self.clock() - self.began > self.bounds.seconds
        return self.pages < self.bounds.pages and self.bytes < self.bounds.bytes and not late

    def plain(self) -> dict[str, Any]:
        """As an answer has it."""
        return {
            "by": "model" if self.model else "rules",
            "model": self.model,
            "rounds": self.rounds,
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "maxTokens": self.bounds.tokens,
            "costUsd": self.cost,
            "pages": self.pages,
            "bytes": self.bytes,
            "trial": self.trial,
        }
