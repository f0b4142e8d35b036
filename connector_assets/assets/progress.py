"""Signs of life while a stream is read: a log line every few seconds, now and then an observation.

Dagster keeps every observation for good and plots it; so they are rare, and a short run has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import dagster as dg

from connector_assets.legible import message
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.stats import counted as count

LOG_S = 5.0
OBSERVE_S = 30.0


@dataclass
class Progress:
    """Tells of `stats` as they grow; `tick` may be called as often as one likes."""

    context: dg.AssetExecutionContext
    key: dg.AssetKey
    clock: Clock = field(default_factory=Clock)
    stats: Stats | None = None

    def __post_init__(self) -> None:
        self._began = self._logged = self._observed = self.clock.monotonic()
        self._notes, self._waited_for = 0, ""

    @property
    def elapsed_s(self) -> float:
        return self.clock.monotonic() - self._began

    def update(self, stats: Stats) -> None:
        """Take the counters of a reading; they go on counting by themselves."""
        if stats is not self.stats:
            self.stats, self._notes = stats, 0

    def tick(self) -> Iterator[dg.AssetObservation]:
        """Say what is due to be said; Dagster records an observation only when it is yielded."""
        now = self.clock.monotonic()
        self.tell_notes()
        self.tell_lines()
        waits_for = self.stats.waiting if self.stats else ""
        if waits_for and waits_for != self._waited_for:
            self.context.log.info("%s", waits_for)
        self._waited_for = waits_for
        if now - self._logged >= LOG_S:
            self._logged = now
            self.context.log.info(message(sentence(self.stats, now - self._began)))
        if self.stats and now - self._observed >= OBSERVE_S:
            self._observed = now
            yield dg.AssetObservation(self.key, metadata=so_far(self.stats))

    def done(self, rows: int) -> None:
        """Say what came of it: the table now holds `rows` rows."""
        self.tell_notes()
        self.tell_lines()
        spent = sentence(self.stats, self.elapsed_s) if self.stats else "nothing new was read"
        self.context.log.info("%s; the table holds %s", spent, count(rows, "row"))

    def tell_notes(self) -> None:
        """Log each remark of the reading once."""
        notes = self.stats.notes if self.stats else []
        for note in notes[self._notes :]:
            self.context.log.info(note)
        self._notes = len(notes)

    def tell_lines(self) -> None:
        """Log what a plugin said."""
        for level, text in self.stats.said() if self.stats else ():
            self.context.log.log(level, "%s", text)


def sentence(stats: Stats | None, elapsed_s: float) -> str:
    """What a person watching the log wants to know.

    >>> sentence(Stats(calls=7, pages=6, rows=6000, bytes=3_250_000, waited_s=4.2), 12.0)
    '6,000 rows in 6 pages, 3.2 MB, 500 rows/s; waited 4.2 s'
    """
    if stats is None:
        return f"no answer yet after {elapsed_s:.0f} s"
    rate = stats.rows / elapsed_s if elapsed_s else 0.0
    text = f"{stats.done} in {count(stats.pages, 'page')}, {size(stats.bytes)}"
    text += f", {count(round(rate), 'row')}/s"
    if stats.waited_s >= 1:
        text += f"; waited {stats.waited_s:,.1f} s"
    if stats.retries:
        text += f"; {count(stats.retries, 'retry', 'retries')}"
    return f"{text}; {stats.waiting}" if stats.waiting else text


def size(octets: int) -> str:
    """Bytes for people, in powers of ten.

    >>> size(999), size(3_250_000)
    ('999 B', '3.2 MB')
    """
    amount, unit = float(octets), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:  # noqa: PLR2004 - decimal units
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"


def so_far(stats: Stats) -> dict[str, int | float]:
    return {
        "rows_so_far": stats.rows,
        "pages_so_far": stats.pages,
        "bytes_so_far": stats.bytes,
        "waited_s_so_far": round(stats.waited_s, 1),
    }
