"""Readers at work side by side, and one that goes no further than what was kept."""

from __future__ import annotations

import threading

import pytest

from connector_assets.runtime.walk.in_order import in_order


def test_results_come_in_the_order_of_the_tasks():
    found = in_order(range(9), lambda task: iter([task, task + 0.5]), 4)
    assert [list(results) for _, results in found] == [[n, n + 0.5] for n in range(9)]


def test_several_tasks_are_under_way_at_a_time():
    together = threading.Barrier(3, timeout=30)

    def read(task):
        together.wait()
        yield task

    assert [list(results) for _, results in in_order(range(3), read, 3)] == [[0], [1], [2]]


@pytest.mark.parametrize("width", [1, 4])
def test_a_task_alone_goes_no_further_than_what_is_asked_of_it(width):
    done = []

    def read(task):
        for number in range(5):
            done.append((number, threading.current_thread()))
            yield number

    for _, results in in_order(["only"], read, width):
        for number in results:
            assert done[-1] == (number, threading.current_thread())
    assert len(done) == 5


def test_an_error_is_raised_where_the_results_are_asked_for():
    def read(task):
        yield task
        raise ValueError(task)

    found = in_order(range(4), read, 2)
    _, results = next(found)
    assert next(results) == 0
    with pytest.raises(ValueError, match="0"):
        next(results)
    found.close()
