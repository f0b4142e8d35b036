"""Signs of life: what is said, and how seldom."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import dagster as dg
import pytest

from connector_assets.assets.progress import Progress, sentence, size
from connector_assets.assets.step import watched
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.stats import Stats


class At(Clock):
    """A clock that stands where it is put."""

    now = 0.0

    def monotonic(self):
        return self.now


@dataclass
class Context:
    """What Progress uses of a step's context: a log."""

    lines: list[str] = field(default_factory=list)

    @property
    def log(self):
        return self

    def info(self, text, *args):
        self.lines.append(text % args)


def told(seconds, stats):
    """Lines and observations of a reading that is looked at once a second."""
    context, clock = Context(), At()
    progress = Progress(context, dg.AssetKey(["shop", "items"]), clock)
    progress.update(stats)
    seen = []
    for second in range(1, seconds + 1):
        clock.now = second
        seen += [(second, observation) for observation in progress.tick()]
    return context.lines, seen


def test_a_line_comes_every_five_seconds_and_an_observation_every_thirty():
    lines, observations = told(65, Stats(rows=100, pages=1))
    assert len(lines) == 13
    assert [second for second, _ in observations] == [30, 60]
    assert observations[0][1].metadata["rows_so_far"].value == 100


def test_what_is_waited_for_is_said_as_the_wait_begins():
    lines, _ = told(
        4,
        Stats(rows=100, pages=1, waiting="429 Too Many Requests: waiting 90 s, as the server asks"),
    )
    assert lines == ["429 Too Many Requests: waiting 90 s, as the server asks"]


def test_a_short_reading_has_no_observation():
    assert told(4, Stats(rows=100)) == ([], [])


def test_a_remark_is_said_once():
    lines, _ = told(4, Stats(notes=["rows are taken from items"]))
    assert lines == ["rows are taken from items"]


@pytest.mark.parametrize(
    ("stats", "text"),
    [
        (None, "no answer yet after 10 s"),
        (Stats(rows=1, pages=1, bytes=20), "1 row in 1 page, 20 B, 0 rows/s"),
        (Stats(rows=5000, pages=50, bytes=2_000), "5,000 rows in 50 pages, 2.0 kB, 500 rows/s"),
        (
            Stats(waited_s=3.04, retries=1),
            "0 rows in 0 pages, 0 B, 0 rows/s; waited 3.0 s; 1 retry",
        ),
    ],
)
def test_a_sentence_says_what_there_is_to_say(stats, text):
    assert sentence(stats, 10) == text


def test_sizes_are_in_powers_of_ten():
    assert [size(n) for n in (0, 999, 1000, 2_500_000_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "2500.0 TB",
    ]  # fmt: skip - a list of sizes


def test_an_interruption_cancels_the_work_and_passes_on():
    cancel, stopped = threading.Event(), threading.Event()

    def work():
        cancel.wait(30)
        stopped.set()

    def tick():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        list(watched(work, cancel, tick))
    assert stopped.is_set()


def test_what_the_work_raises_is_raised_by_the_watcher():
    def work():
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        list(watched(work, threading.Event(), lambda: iter(())))
