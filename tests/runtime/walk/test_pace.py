"""How many pages are read ahead: fewer where the processor is busy, more where there is waiting."""

from __future__ import annotations

import threading

from connector_assets.runtime.walk.pace import Pace
from connector_assets.runtime.walk.prefetch import Foreseen, Prefetch
from connector_assets.spec.request.call import Call


class Clocks:
    """The wall's and the processor's, moved by hand."""

    def __init__(self):
        self.wall = self.cpu = 0.0

    def pace(self, most):
        return Pace(most, passed=lambda: self.wall, worked=lambda: self.cpu)

    def turns(self, pace, times, busy, others=0.0):
        """Let time pass, `busy` of it at work in the walk's thread, `others` in further ones."""
        widths = []
        for _ in range(times):
            self.wall += 0.06
            self.cpu += 0.06 * busy
            pace.spent(0.06 * others)
            pace.turn()
            widths.append(pace.width)
        return widths


def test_as_many_as_may_be_are_read_ahead_at_first():
    assert Clocks().pace(7).width == 7


def test_a_read_that_works_without_a_break_ends_with_one_request_at_a_time():
    clocks = Clocks()
    assert clocks.turns(clocks.pace(7), 7, busy=0.95) == [7, 5, 3, 2, 1, 0, 0]


def test_the_work_of_all_threads_counts():
    clocks = Clocks()
    assert clocks.turns(clocks.pace(7), 7, busy=0.15, others=0.8)[-1] == 0


def test_what_waits_is_read_wider_again_up_to_what_may_be():
    clocks = Clocks()
    pace = clocks.pace(3)
    clocks.turns(pace, 9, busy=1)
    assert clocks.turns(pace, 7, busy=0.1) == [0, 1, 2, 3, 3, 3, 3]


def test_one_wait_between_is_no_slow_server():
    clocks = Clocks()
    pace = clocks.pace(3)
    clocks.turns(pace, 9, busy=0.9)
    assert clocks.turns(pace, 1, busy=0.2) == [0]
    assert clocks.turns(pace, 3, busy=0.9) == [0, 0, 0]


def test_between_busy_and_idle_nothing_changes():
    clocks = Clocks()
    assert clocks.turns(clocks.pace(5), 20, busy=0.75) == [5] * 20


def test_shorter_times_are_not_judged():
    clocks = Clocks()
    pace = clocks.pace(5)
    for _ in range(15):
        clocks.wall += 0.001
        clocks.cpu += 0.001
        pace.turn()
    assert pace.width == 5


def test_pages_come_in_the_callers_thread_once_none_are_read_ahead():
    clocks = Clocks()
    pace = clocks.pace(3)
    threads = []

    def fetch(call, _stop=None):
        threads.append(threading.current_thread().name)
        return call.page

    def calls(page):
        while True:
            yield Call("GET", "https://api.example.com", page=page)
            page += 1

    def read(count, first):
        return [
            ahead(
                Call("GET", "https://api.example.com", page=n),
                lambda n=n: Foreseen(calls(n), certain=True),
            )
            for n in range(first, first + count)
        ]

    with Prefetch(fetch, fetch, 4, pace) as ahead:
        assert read(10, 1) == list(range(1, 11))
        assert any(name.startswith("pages") for name in threads)
        clocks.turns(pace, 9, busy=1)
        read(5, 11)  # what was asked for already
        threads.clear()
        assert read(20, 16) == list(range(16, 36))
        assert set(threads) == {threading.current_thread().name}
        clocks.turns(pace, 9, busy=0)
        assert read(20, 36) == list(range(36, 56))
        assert any(name.startswith("pages") for name in threads)
