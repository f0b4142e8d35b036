"""Progress of a load: a live line on a terminal, now and then a plain one elsewhere; on stderr."""

from __future__ import annotations

from types import TracebackType
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
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.stats import Stats

LINE_S = 5.0


class Shows(Protocol):
    """Shows the counters of one stream at a time."""

    def start(self, name: str) -> None: ...

    def update(self, stats: Stats) -> None: ...

    def stop(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def progress(clock: Clock | None = None) -> Shows:
    """A bar if stderr is a terminal, else lines."""
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines(clock or Clock())


def counted(stats: Stats, elapsed_s: float) -> str:
    """What was read so far.

    >>> counted(Stats(calls=7, pages=6, rows=6000, bytes=3_250_000, waited_s=4.2), 12.0)
    '6,000 rows, 6 pages, 3.2 MB, 500 rows/s, waited 4.2 s'
    """
    parts = [_many(stats.rows, "row"), _many(stats.pages, "page"), size(stats.bytes)]
    if elapsed_s > 0:
        parts.append(f"{stats.rows / elapsed_s:,.0f} rows/s")
    if stats.retries:
        parts.append(f"{stats.retries:,} retries")
    if stats.waited_s >= 1:
        parts.append(f"waited {stats.waited_s:,.1f} s")
    return ", ".join(parts)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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


class Bar:
    """A spinner and the counters, drawn anew several times a second."""

    def __init__(self, console: Console) -> None:
        self._drawn = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _Counters(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )

    def start(self, name: str) -> None:
        self._task = self._drawn.add_task(name, total=None, stats=Stats())

    def update(self, stats: Stats) -> None:
        self._drawn.update(self._task, stats=stats)

    def stop(self) -> None:
        self._drawn.remove_task(self._task)

    def __enter__(self) -> Self:
        self._drawn.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drawn.stop()


class _Counters(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(counted(task.fields["stats"], task.elapsed or 0.0))


class Lines:
    """A line every few seconds, for logs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def start(self, name: str) -> None:
        self._name = name
        self._began = self._last = self._clock.monotonic()

    def update(self, stats: Stats) -> None:
        now = self._clock.monotonic()
        if now - self._last >= LINE_S:
            self._last = now
            output.say(f"{self._name}: {counted(stats, now - self._began)}")

    def stop(self) -> None:
        """Nothing is left on the screen."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None
