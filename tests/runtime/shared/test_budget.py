"""The budget: never faster than the rate, fair, and one for all who share it.

The turn after a rest's first comes up to 0.1 s later than the rate alone would say.
"""

import threading
import time
from multiprocessing import get_context

import pytest

from connector_assets.errors import Cancelled
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.shared.budget import budget_for, try_slots
from connector_assets.spec.endpoint import RateLimit


class HandClock(Clock):
    """A clock that moves only when someone waits."""

    def __init__(self, now=1_000.0):
        self.now = now

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def wait(self, seconds, cancel):
        if cancel.is_set():
            raise Cancelled("cancelled while waiting")
        self.now += max(0.0, seconds)


def limit(rate=None, burst=1, concurrency=4):
    return RateLimit(requestsPerSecond=rate, burstSize=burst, concurrency=concurrency)


@pytest.fixture(params=["process", "folder"])
def store(request, tmp_path):
    return None if request.param == "process" else str(tmp_path)


@pytest.fixture
def cancel():
    return threading.Event()


def times(budget, clock, cancel, count):
    went = []
    for _ in range(count):
        budget.take(cancel)
        went.append(round(clock.now - 1000, 6))
    return went


def test_requests_go_at_the_rate(store, cancel):
    clock = HandClock()
    budget = budget_for("a", limit(5.0), clock=clock, store=store)
    assert times(budget, clock, cancel, 4) == pytest.approx([0, 0.3, 0.5, 0.7])


def test_a_burst_goes_almost_at_once_and_then_the_rate_holds(store, cancel):
    clock = HandClock()
    budget = budget_for("a", limit(2.0, burst=3), clock=clock, store=store)
    assert times(budget, clock, cancel, 5) == pytest.approx([0, 0, 0.1, 0.6, 1.1])


def test_an_idle_bucket_fills_up_to_the_burst_and_no_further(store, cancel):
    clock = HandClock()
    budget = budget_for("a", limit(2.0, burst=2), clock=clock, store=store)
    times(budget, clock, cancel, 2)
    clock.now = 1100.0
    assert times(budget, clock, cancel, 3) == pytest.approx([100, 100.1, 100.6])


def test_no_rate_means_no_wait(store, cancel):
    clock = HandClock()
    assert times(budget_for("a", None, clock=clock, store=store), clock, cancel, 3) == [0, 0, 0]


def test_a_pause_holds_everyone_even_without_a_rate(store, cancel):
    clock = HandClock()
    one = budget_for("a", None, clock=clock, store=store)
    other = budget_for("a", None, clock=clock, store=store)
    one.pause(30)
    assert other.take(cancel) == pytest.approx(30)


def test_a_pause_by_another_process_is_heeded_by_one_that_never_waited(tmp_path, cancel):
    clock = HandClock()
    one = budget_for("a", None, clock=clock, store=str(tmp_path))
    assert one.take(cancel) == 0
    assert not list((tmp_path / "budget").iterdir())
    budget_for("a", None, clock=clock, store=str(tmp_path)).pause(30)
    assert one.take(cancel) == pytest.approx(30)
    assert one.take(cancel) == 0


def test_a_budget_beside_another_leaves_the_waiting_to_it(store, cancel):
    clock = HandClock()
    beside = budget_for("a/rows", limit(concurrency=1), clock=clock, store=store, is_second=True)
    beside.pause(30)
    assert beside.take(cancel) == 0
    assert clock.now == 1000
    with_rate = budget_for("a/rows", limit(1.0), clock=clock, store=store, is_second=True)
    with_rate.pause(30)
    assert with_rate.take(cancel) == pytest.approx(30)


def test_a_shorter_pause_does_not_cut_a_longer_one_short(store, cancel):
    clock = HandClock()
    budget = budget_for("a", limit(1.0), clock=clock, store=store)
    budget.pause(30)
    budget.pause(5)
    assert times(budget, clock, cancel, 2) == pytest.approx([30, 31.1])


def test_two_budgets_with_one_key_share_and_other_keys_do_not(store, cancel):
    clock = HandClock()
    one = budget_for("a", limit(1.0), clock=clock, store=store)
    same = budget_for("a", limit(1.0), clock=clock, store=store)
    other = budget_for("b", limit(1.0), clock=clock, store=store)
    waits = [one.take(cancel), same.take(cancel), other.take(cancel)]
    assert waits == pytest.approx([0, 1.1, 0])


def test_a_cancelled_request_does_not_go(store, cancel):
    clock = HandClock()
    budget = budget_for("a", limit(1.0), clock=clock, store=store)
    cancel.set()
    with pytest.raises(Cancelled):
        budget.take(cancel)
    assert budget.take(threading.Event()) == 0


def test_who_is_cancelled_while_waiting_gives_the_turn_back(store):
    class Cancelling(HandClock):
        def wait(self, seconds, cancel):
            raise Cancelled("cancelled while waiting")

    clock = Cancelling()
    budget = budget_for("a", limit(0.1), clock=clock, store=store)
    budget.take(threading.Event())
    for _ in range(5):
        with pytest.raises(Cancelled):
            budget.take(threading.Event())
    clock.__class__ = HandClock
    assert budget.take(threading.Event()) == pytest.approx(10.1)
    assert budget.take(threading.Event()) == pytest.approx(10)


def test_a_clock_set_back_does_not_stop_the_budget(store, cancel):
    clock = HandClock()
    budget = budget_for("a", limit(1.0), clock=clock, store=store)
    budget.take(cancel)
    clock.now -= 86_400
    assert budget.take(cancel) == pytest.approx(1.1)
    assert budget.take(cancel) == pytest.approx(1)


def test_a_damaged_file_is_an_empty_history(tmp_path, cancel):
    clock = HandClock()
    budget = budget_for("a", limit(1.0), clock=clock, store=str(tmp_path))
    budget.take(cancel)
    (file,) = (tmp_path / "budget").iterdir()
    file.write_bytes(b'{"due": "')
    assert budget.take(cancel) == 0


def test_a_pause_moves_the_turns_already_promised(store):
    """Two wait for their turns when the server says stop: after it they still keep the distance."""
    clock, went = HandClock(), []
    budget = budget_for("a", limit(1.0), clock=clock, store=store)
    budget.take(threading.Event())

    class Pausing(HandClock):
        def wait(self, seconds, cancel):
            if not went:
                went.append("paused")
                budget.pause(60)
            super().wait(seconds, cancel)

    clock.__class__ = Pausing
    budget.take(threading.Event())
    assert clock.now == pytest.approx(1061.1)
    budget.take(threading.Event())
    assert clock.now == pytest.approx(1062.1)


def test_no_more_than_concurrency_are_under_way_at_once(store, cancel):
    budget = budget_for("slots", limit(concurrency=2), clock=Clock(), store=store)
    under_way, most, lock = [], [], threading.Lock()

    def request():
        with budget.slot(cancel):
            with lock:
                under_way.append(1)
                most.append(len(under_way))
            time.sleep(0.01)
            with lock:
                under_way.pop()

    threads = [threading.Thread(target=request, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 8
    assert max(most) == 2


def test_without_a_limit_everyone_has_a_place(store):
    budget = budget_for("slots", None, clock=Clock(), store=store)
    assert all(budget.try_slot() for _ in range(300))


def test_places_in_several_budgets_are_taken_together_or_not_at_all(store):
    one, other = (
        budget_for(key, limit(concurrency=1), clock=Clock(), store=store) for key in ("a", "b")
    )
    free = try_slots([one, other])
    assert free is not None
    assert try_slots([other]) is try_slots([one]) is None
    free()
    held = other.try_slot()
    assert held is not None
    assert try_slots([one, other]) is None
    held()
    again = try_slots([one, other])  # nothing was left behind in the first
    assert again is not None
    again()


def test_a_place_is_given_back_where_another_cannot_be_asked_for():
    class Broken:
        def try_slot(self):
            raise TimeoutError

    one = budget_for("a", limit(concurrency=1), clock=HandClock(), store=None)
    with pytest.raises(TimeoutError):
        try_slots([one, Broken()])
    free = one.try_slot()
    assert free is not None
    free()


def test_a_place_that_cannot_be_freed_keeps_no_other():
    class Lost(Exception):
        pass

    def lost():
        raise Lost

    class Losing:
        def try_slot(self):
            return lost

    other = budget_for("b", limit(concurrency=1), clock=HandClock(), store=None)
    for budgets in ([Losing(), other], [other, Losing()]):
        free = try_slots(budgets)
        with pytest.raises(Lost):
            free()
        freed = other.try_slot()
        assert freed is not None
        freed()


def test_waiting_for_a_place_is_cancellable(store, cancel):
    budget = budget_for("slots", limit(concurrency=1), clock=HandClock(), store=store)
    with budget.slot(threading.Event()):
        cancel.set()
        with pytest.raises(Cancelled), budget.slot(cancel):
            pytest.fail("two at once")
    with budget.slot(threading.Event()):
        pass


def hold_a_place(store, held):
    budget = budget_for("a", limit(concurrency=1), clock=Clock(), store=store)
    with budget.slot(threading.Event()):
        held.set()
        time.sleep(60)


def test_the_place_of_a_killed_process_is_free_again(tmp_path, cancel):
    context = get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold_a_place, args=(str(tmp_path), held), daemon=True)
    process.start()
    assert held.wait(30)
    process.kill()
    process.join()
    with budget_for("a", limit(concurrency=1), clock=Clock(), store=str(tmp_path)).slot(cancel):
        pass


def take_some(store, start, count, queue):
    budget = budget_for("a", limit(50.0, burst=2), clock=Clock(), store=store)
    start.wait()
    for _ in range(count):
        budget.take(threading.Event())
        queue.put(time.time())


def test_processes_together_keep_the_rate(tmp_path):
    context = get_context("fork")
    start, queue = context.Event(), context.Queue()
    processes = [
        context.Process(target=take_some, args=(str(tmp_path), start, 10, queue), daemon=True)
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    began = time.time()
    start.set()
    went = sorted(queue.get(timeout=30) for _ in range(30))
    for process in processes:
        process.join()
    assert all(count <= (at - began) * 50 + 2 for count, at in enumerate(went, start=1))
