"""Pages asked for before the one before is worked on, by the thread that works on it."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import time

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_assets.errors import ConnectorError
from connector_assets.redact import Secrets
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.client import Client, Limits
from connector_assets.runtime.http.request import Request
from connector_assets.runtime.runtime import HttpRuntime, Walk
from connector_assets.runtime.shared.budget import budget_for
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.values import Values
from connector_assets.runtime.walk.pace import Pace
from connector_assets.spec.document import parse_connector
from connector_assets.spec.endpoint import RateLimit
from tests.loopback import serving

SPEC = """
kind: connector
version: "1.0"
id: many
displayName: Many
rateLimit: {{concurrency: {concurrency}}}
config: {{base: {{type: string}}}}
secrets: {{key: {{}}}}
auth: [{auth}]
origins: ["{origin}"]
endpoints:
  - id: rows
    url: {origin}/rows
    responseRowsPath: rows
    retry: {{maxAttempts: 2}}
    pagination: {{type: offset, pageSize: 10, maxPages: unlimited}}
read: {{primary: rows}}
"""
AUTHS = {
    "none": "{type: none}",
    "bearer": '{type: bearer, tokenRef: "{{secrets.key}}"}',
    "query": '{type: api_key, in: query, name: key, valueRef: "{{secrets.key}}"}',
    "digest": '{type: digest, usernameRef: "{{secrets.key}}", passwordRef: "{{secrets.key}}"}',
    "oauth2": '{type: oauth2, grant: client_credentials, tokenUrl: "{{base}}/token", '
    'clientIdRef: "{{secrets.key}}", clientSecretRef: "{{secrets.key}}"}',
}


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """A read in which answers come at once, from its first page on."""
    monkeypatch.setattr(Pace, "turn", lambda self: setattr(self, "width", 0))


def page(start, stop):
    return {"rows": [{"id": n} for n in range(start, min(start + 10, stop))]}


def walk(api, runtime, auth="none", concurrency=4, *, stats=None, on_request=None, ask_ahead=True):
    text = SPEC.format(concurrency=concurrency, auth=AUTHS[auth], origin=api.origin)
    spec = parse_connector(text)
    values = Values("many", {"base": api.origin}, Secrets({"key": "k-1"}))
    return runtime.steps(
        spec,
        spec.streams[0],
        values,
        stats=stats or Stats(),
        how=Walk(ask_ahead=ask_ahead),
        on_request=on_request,
    )


def ids(steps):
    return [row["id"] for step in steps for row in step.page.records()]


def test_the_next_request_is_sent_before_a_page_is_handed_on():
    came = {start: threading.Event() for start in range(0, 400, 10)}

    def answer(request):
        start = int(request.query["offset"])
        came[start].set()
        return page(start, 300)

    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        threads = set()
        for number, _ in enumerate(walk(api, runtime)):
            threads.update(thread.name for thread in threading.enumerate())
            # After four pages the rest can be guessed; this one is not worked on any further.
            if 5 <= number < 29:
                assert came[10 * number + 10].wait(10)
        assert not any(name.startswith("pages") for name in threads)


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(0, 120),
    auth=st.sampled_from(sorted(AUTHS)),
    concurrency=st.integers(2, 5),
    broken=st.frozensets(st.integers(0, 13), max_size=4),
)
def test_the_rows_are_those_of_a_walk_one_by_one(rows, auth, concurrency, broken):
    failed = set()

    def answer(request):
        if request.path == "/token":
            return {"access_token": "t", "expires_in": 3600}
        start = int(request.query["offset"])
        if auth == "digest" and "authorization" not in request.headers:
            return 401, {}, {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
        if start // 10 in broken - failed:
            failed.add(start // 10)
            return 503, {}, {"Retry-After": "0"}
        return page(start, rows)

    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        stats = Stats()
        runtime.clock.wait = lambda seconds, cancel: None
        assert ids(walk(api, runtime, auth, concurrency, stats=stats)) == list(range(rows))
        assert stats.rows == rows
        # Each took one turn; of the last, which nobody wanted, the server may not have heard.
        assert 0 <= stats.calls - len(api.seen) <= 1
        assert sum(request.path == "/token" for request in api.seen) <= 1
        asked = [request for request in api.seen if request.path == "/rows"]
        assert len(asked) <= 2 * (rows // 10 + 2 + len(broken)) + concurrency + 14


def test_places_are_free_again_however_a_walk_ends():
    def answer(request):
        start = int(request.query["offset"])
        return (500, {}) if start >= 200 else page(start, 300)

    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        for _ in range(3):
            steps = walk(api, runtime, concurrency=2)
            for _ in range(8):
                next(steps)
            steps.close()
        runtime.clock.wait = lambda seconds, cancel: None
        for _ in range(3):
            with pytest.raises(ConnectorError, match="500"):
                ids(walk(api, runtime, concurrency=2))


def test_walks_that_share_few_places_never_wait_for_each_other():
    count, lock, failed = itertools.count(1), threading.Lock(), set()

    def answer(request):
        start = int(request.query["offset"])
        with lock:
            # Each page once at most: it is asked for twice only.
            fails = next(count) % 3 == 0 and start not in failed
            failed.update([start] if fails else [])
        return (503, {}, {"Retry-After": "0"}) if fails else page(start, 1000)

    found = []
    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        runtime.clock.wait = lambda seconds, cancel: time.sleep(0.001)

        def read():
            found.append(ids(walk(api, runtime, concurrency=2)))

        threads = [threading.Thread(target=read, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == [list(range(1000))] * 3


@pytest.mark.parametrize(("ask_ahead", "free"), [(True, 1), (False, 2)])
def test_only_a_reader_that_keeps_no_page_waiting_holds_a_place_meanwhile(ask_ahead, free):
    budget = budget_for("many", RateLimit(concurrency=2), clock=Clock())
    with (
        serving(lambda request: page(int(request.query["offset"]), 300)) as api,
        HttpRuntime([api.host]) as runtime,
    ):
        steps = walk(api, runtime, concurrency=2, ask_ahead=ask_ahead)
        for _ in range(9):
            next(steps)
        held = [place for place in (budget.try_slot(), budget.try_slot()) if place]
        assert len(held) == free
        for give_back in held:
            give_back()
        steps.close()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_no_place_is_lost_where_someone_who_is_told_of_requests_fails(error):
    def failing(line):
        told.append(line)
        if len(told) == 9:
            raise error

    with (
        serving(lambda request: page(int(request.query["offset"]), 300)) as api,
        HttpRuntime([api.host]) as runtime,
    ):
        for _ in range(3):
            told = []
            with pytest.raises(error):
                ids(walk(api, runtime, concurrency=2, on_request=failing))
        assert ids(walk(api, runtime, concurrency=2)) == list(range(300))


def test_with_one_place_nothing_is_asked_for_ahead():
    under_way, most = set(), []

    def answer(request):
        start = int(request.query["offset"])
        under_way.add(start)
        most.append(len(under_way))
        under_way.discard(start)
        return page(start, 100)

    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        assert ids(walk(api, runtime, concurrency=1)) == list(range(100))
        assert [int(one.query["offset"]) for one in api.seen] == list(range(0, 110, 10))
        assert max(most) == 1


@pytest.mark.parametrize("is_ours", [True, False])
def test_each_request_is_told_of_once(is_ours):
    told = []
    with serving(lambda request: page(int(request.query["offset"]), 200)) as api:
        transport = None if is_ours else httpx.HTTPTransport()
        with HttpRuntime([api.host], transport=transport) as runtime:
            assert ids(walk(api, runtime, "query", on_request=told.append)) == list(range(200))
        asked = {f"GET {api.origin}/rows?offset={at}&limit=10" for at in range(0, 210, 10)}
        assert asked <= set(told)
        assert len(told) == len(set(told)) <= len(asked) + is_ours


class Asking(httpx.Auth):
    """Asks for something else before each request."""

    def sync_auth_flow(self, request):
        yield httpx.Request("GET", request.url.join("/ticket"))
        request.headers["Authorization"] = "Ticket 1"
        yield request


def exchange_of(client, origin, auth=None, mask=str, turn=lambda: 0.0):
    return client.exchange(
        auth=auth,
        origins=[origin],
        limits=Limits(),
        cancel=threading.Event(),
        mask=mask,
        turn=turn,
    )


def test_no_secret_is_logged_of_a_request_that_is_sent_ahead(caplog):
    mask = Secrets({"key": "canary-5f1e"}).mask
    with serving(lambda _: {"rows": []}) as api, Client(guard=Guard([api.host])) as client:
        exchange = exchange_of(client, api.origin, mask=mask)
        request = Request.get(f"{api.origin}/canary-5f1e/rows?q=private", {})
        with caplog.at_level(logging.DEBUG):
            assert exchange.begin(request)
            assert exchange.answer(request).status == 200
    assert "connecting" in caplog.text
    assert "answered 200" in caplog.text
    assert not {"canary", "private"} & set(re.split(r"\W", caplog.text))


def test_what_the_auth_has_to_ask_for_before_is_not_sent_ahead():
    with serving(lambda _: {"rows": []}) as api, Client(guard=Guard([api.host])) as client:
        exchange = exchange_of(client, api.origin, Asking())
        request = Request.get(f"{api.origin}/rows", {})
        assert not exchange.begin(request)
        assert not api.seen
        assert exchange.answer(request).status == 200
        assert [(one.path, one.headers.get("authorization")) for one in api.seen] == [
            ("/ticket", None),
            ("/rows", "Ticket 1"),
        ]


def test_a_transport_of_the_callers_is_never_asked_ahead():
    replies = httpx.MockTransport(lambda _: httpx.Response(200, content=b"{}"))
    with Client(guard=Guard(), transport=replies) as client:
        turns = []
        exchange = exchange_of(
            client, "https://api.example.com", turn=lambda: turns.append(1) or 0.0
        )
        request = Request.get("https://api.example.com/rows", {})
        assert not exchange.begin(request)
        assert not turns
        assert exchange.answer(request).body == b"{}"
