"""Budgets and tokens on a real Redis and a real Postgres: what holds in a folder holds there."""

import hashlib
import json
import threading
import time
from multiprocessing import get_context

import pytest

from connector_assets.errors import Cancelled, ConfigError, ConnectorError
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.shared.bucket import MAX_BYTES
from connector_assets.runtime.shared.budget import budget_for
from connector_assets.runtime.shared.tokens import MAX_RECORD_BYTES, token_store
from connector_assets.spec.auth.token_answer import Tokens
from connector_assets.spec.endpoint import RateLimit
from tests.runtime.shared.state_servers import postgres_url, redis_url  # noqa: F401 - fixtures


@pytest.fixture(params=["redis", "postgres"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def key(request):
    return request.node.name


@pytest.fixture
def cancel():
    return threading.Event()


def budget(key, url, rate=None, burst=1, concurrency=4):
    limit = RateLimit(requestsPerSecond=rate, burstSize=burst, concurrency=concurrency)
    return budget_for(key, limit, clock=Clock(), store=url)


def test_a_burst_and_then_the_rate(url, key, cancel):
    one, other = (budget(key, url, rate=20, burst=2) for _ in range(2))
    began = time.monotonic()
    for _ in range(3):
        one.take(cancel)
        other.take(cancel)
    assert time.monotonic() - began >= 4 / 20 - 0.001


def test_a_pause_holds_others(url, key, cancel):
    budget(key, url).pause(0.2)
    began = time.monotonic()
    assert budget(key, url).take(cancel) > 0
    assert time.monotonic() - began > 0.1


def test_who_is_cancelled_while_waiting_gives_the_turn_back(url, key):
    waiting = budget(key, url, rate=2)
    waiting.take(threading.Event())
    for _ in range(20):
        cancel = threading.Event()
        threading.Timer(0.005, cancel.set).start()
        with pytest.raises(Cancelled):
            waiting.take(cancel)
    assert waiting.take(threading.Event()) <= 0.51


def test_no_more_than_concurrency_are_under_way(url, key, cancel):
    places, under_way, most, lock = budget(key, url, concurrency=2), [], [], threading.Lock()

    def request():
        with places.slot(cancel):
            with lock:
                under_way.append(1)
                most.append(len(under_way))
            time.sleep(0.01)
            with lock:
                under_way.pop()

    threads = [threading.Thread(target=request, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 6
    assert max(most) == 2


def test_one_thread_gets_two_places_not_one_twice(url, key, cancel):
    places = budget(key, url, concurrency=2)
    with places.slot(cancel), places.slot(cancel):
        cancel.set()
        with pytest.raises(Cancelled), places.slot(cancel):
            pytest.fail("three at once")


def take_some(url, key, count, queue):
    shared = budget(key, url, rate=50, burst=2)
    for _ in range(count):
        shared.take(threading.Event())
        queue.put(time.time())


def test_processes_together_keep_the_rate(url, key):
    context = get_context("fork")
    queue = context.Queue()
    budget(key, url).take(threading.Event())  # the parent's connection must not be the child's
    began = time.time()
    processes = [
        context.Process(target=take_some, args=(url, key, 10, queue), daemon=True) for _ in range(3)
    ]
    for process in processes:
        process.start()
    went = sorted(queue.get(timeout=30) for _ in range(30))
    for process in processes:
        process.join()
    assert all(count <= (at - began) * 50 + 2 for count, at in enumerate(went, start=1))


def test_a_record_is_read_back_by_another(url, key):
    token_store(url).write(key, {"access": "T1", "expires_at": 1.5})
    token_store(url).write(key, {"access": "T2", "expires_at": None})
    assert token_store(url).read(key) == {"access": "T2", "expires_at": None}
    assert token_store(url).read("nobody") is None


def test_one_at_a_time_renews(url, key, cancel):
    store, inside, order = token_store(url), threading.Event(), []

    def other():
        inside.wait()
        with store.lock(key, cancel):
            order.append("other")

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    with store.lock(key, cancel):
        inside.set()
        time.sleep(0.15)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_waiting_for_a_renewal_is_cancellable(url, key, cancel):
    store = token_store(url)
    with store.lock(key, threading.Event()):
        cancel.set()
        with pytest.raises(Cancelled), store.lock(key, cancel):
            pytest.fail("two at once")


def hold(url, key, held):
    with token_store(url).lock(key, threading.Event()):
        held.set()
        time.sleep(60)


def test_a_killed_renewer_on_postgres_holds_nobody_up(postgres_url, key, cancel):  # noqa: F811
    context = get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(postgres_url, key, held), daemon=True)
    process.start()
    assert held.wait(30)
    process.kill()
    process.join()
    with token_store(postgres_url).lock(key, cancel):
        pass


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@127.0.0.1:1/0", "postgresql://joe:hunter2@127.0.0.1:1/x"]
)
def test_a_server_that_does_not_answer_is_an_error_without_its_password(url):
    with pytest.raises(ConnectorError, match="CONNECTOR_ASSETS_STATE") as caught:
        token_store(url).read("k")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_kind_of_server_is_refused():
    with pytest.raises(ConfigError, match="redis://"):
        token_store("mongodb://x")


def stored(url, kind, key, text):
    """Put `text` where a budget or a token is, as whoever may write to the server can."""
    if url.startswith("redis"):
        redis = pytest.importorskip("redis")
        redis.Redis.from_url(url).set(f"connector_assets:{kind}:{key}", text)
        return
    import psycopg

    table, column = {"budget": ("budgets", "bucket"), "token": ("tokens", "record")}[kind]
    statement = (
        f"insert into _connector_assets.{table} (key, {column}) values (%s, %s) "
        f"on conflict (key) do update set {column} = excluded.{column}"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode(), (key, text))


DAMAGED = ["[" * 100_000, '{"a":' * 100_000, "[NaN,0,0,0,[]]", '["secret","x"]', "[0,0,0,0,{"]


@pytest.mark.parametrize(
    "text", [*DAMAGED, f"[0,0,0,0,[{'0,' * MAX_BYTES}0]]"], ids=lambda t: t[:9]
)
def test_a_damaged_budget_counts_as_none(url, key, cancel, text):
    own = budget(key, url, rate=1000)
    stored(url, "budget", hashlib.sha256(key.encode()).hexdigest()[:32], text)
    assert own.take(cancel) < 60


@pytest.mark.parametrize("text", ["[0,0,1e300,0,[]]", "[0,0,1e12,0,[]]", "[0,1e308,-1e308,0,[]]"])
def test_a_wait_that_no_clock_can_count_is_cancellable(url, key, cancel, text):
    own = budget(key, url, rate=1000)
    stored(url, "budget", hashlib.sha256(key.encode()).hexdigest()[:32], text)
    threading.Timer(0.05, cancel.set).start()
    with pytest.raises(Cancelled):
        own.take(cancel)


TOKENS = [
    {"access": "a\r\nX-Evil: 1"},
    {"access": ""},
    {"access": "a" * MAX_RECORD_BYTES},
    {"access": ["secret", "x"]},
    {"access": "a", "refresh": "b\nc"},
    {"access": "a", "expires_at": float("inf")},
]


@pytest.mark.parametrize("text", [*DAMAGED, *map(json.dumps, TOKENS)], ids=lambda t: t[:20])
def test_a_damaged_token_counts_as_none(url, key, text):
    store = token_store(url)
    key = hashlib.sha256(key.encode()).hexdigest()
    stored(url, "token", key, text)
    assert Tokens.of(store.read(key)) is None
