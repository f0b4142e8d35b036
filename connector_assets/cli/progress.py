"""Progress of a load: a live line on a terminal, now and then a plain one elsewhere; on stderr."""

from __future__ import annotations

import logging
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from connector_assets.cli import output
from connector_assets.legible import legible
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.stats import counted as noun

LINE_S = 5.0


class Shows(Protocol):
    """Shows the counters of one stream at a time."""

    def start(self, name: str) -> None: ...

    def update(self, stats: Stats) -> None: ...

    def stop(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def progress(clock: Clock | None = None) -> Shows:
    """A bar if stderr is a terminal, else lines."""
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines(clock or Clock())


def counted(stats: Stats, elapsed_s: float) -> str:
    """What was read so far.

    >>> counted(Stats(calls=7, pages=6, rows=6000, bytes=3_250_000, waited_s=4.2), 12.0)
    '6,000 rows, 6 pages, 3.2 MB, 500 rows/s, waited 4.2 s'
    """
    parts = [stats.done, noun(stats.pages, "page"), size(stats.bytes)]
    if elapsed_s > 0:
        parts.append(f"{noun(round(stats.rows / elapsed_s), 'row')}/s")
    if stats.retries:
        parts.append(noun(stats.retries, "retry", "retries"))
    if stats.waited_s >= 1:
        parts.append(f"waited {stats.waited_s:,.1f} s")
    if stats.waiting:
        parts.append(stats.waiting)
    return ", ".join(parts)


def tell_lines(name: str, stats: Stats | None) -> None:
    """Say on stderr what a plugin said; debug lines are for those who ask with -v."""
    for level, text in stats.said() if stats else ():
        if level >= logging.INFO or logging.getLogger("connector_assets").isEnabledFor(level):
            output.say(f"{name}: {logging.getLevelName(level).lower()}: {text}")


def size(count: float) -> str:
    """Bytes in decimal units.

    >>> size(999), size(3_250_000)
    ('999 B', '3.2 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - decimal units
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _headed(name: str, stats: Stats) -> str:
    """What a line begins with: the stream, and what of it is read at the moment."""
    return f"{name}: {legible(stats.part)}" if stats.part else name


class Bar:
    """A spinner and the counters, drawn anew several times a second, and wiped away at the end.

    Nothing is drawn between two streams: what is then written to stdout has a line of its own.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn: Progress | None = None

    def start(self, name: str) -> None:
        self._name = legible(name)
        self._drawn = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            _Counters(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._drawn.add_task(self._name, total=None, stats=Stats())
        self._drawn.start()

    def update(self, stats: Stats) -> None:
        if self._drawn:
            self._drawn.update(self._task, stats=stats, description=_headed(self._name, stats))

    def stop(self) -> None:
        if self._drawn:
            self._drawn.stop()
            self._drawn = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Counters(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(counted(task.fields["stats"], task.elapsed or 0.0))


class Lines:
    """A line every few seconds, for logs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def start(self, name: str) -> None:
        self._name, self._waiting = name, ""
        self._began = self._last = self._clock.monotonic()

    def update(self, stats: Stats) -> None:
        now = self._clock.monotonic()
        is_news = bool(stats.waiting) and stats.waiting != self._waiting
        self._waiting = stats.waiting
        if now - self._last >= LINE_S or is_news:
            self._last = now
            output.say(f"{_headed(self._name, stats)}: {counted(stats, now - self._began)}")

    def stop(self) -> None:
        """Nothing is left on the screen."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None
