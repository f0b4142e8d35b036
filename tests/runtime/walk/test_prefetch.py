"""Pages read ahead: the rows of a walk done one by one, for few requests more."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_assets.errors import Cancelled, ConnectorError
from connector_assets.redact import Secrets
from connector_assets.runtime.clock import Clock, Either
from connector_assets.runtime.runtime import HttpRuntime, Walk
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.values import Values
from connector_assets.runtime.walk.pace import Pace
from connector_assets.spec.document import parse_connector
from tests.loopback import serving

SPEC = """
kind: connector
version: "1.0"
id: many
displayName: Many
rateLimit: {{concurrency: {concurrency}{limit}}}
endpoints:
  - id: rows
    url: https://api.example.com/rows
    responseRowsPath: rows
    retry: {{maxAttempts: 2, maxDelaySeconds: 60}}
    errors: {errors}
    pagination: {pagination}
read: {{primary: rows}}
"""
RULES = {
    "none": "[]",
    "end": "[{status: [404, 400], action: end}]",
    "again": "[{status: [404], action: reset_pagination}]",
}


class Hurried(Clock):
    """Waits are over at once: they only move it on."""

    def __init__(self):
        self.waited = []

    def monotonic(self):
        return super().monotonic() + sum(self.waited)

    def time(self):
        return super().time() + sum(self.waited)

    def wait(self, seconds, cancel):
        self.waited.append(seconds)
        if cancel.is_set():
            raise Cancelled("cancelled while waiting")


class Standing(Hurried):
    """As `Hurried`, and between waits it stands still."""

    def monotonic(self):
        return sum(self.waited)

    def time(self):
        return 1e9 + sum(self.waited)


@dataclass
class Server:
    """A list of `rows` rows behind pages, told honestly or not."""

    rows: int
    cap: int | None = None
    past_end: str = "empty"
    total: Any = None
    lies_at: int | None = None
    counts: str = "offset"
    size: int = 10
    flaky: frozenset[int] = frozenset()
    asked: list[int] = field(default_factory=list)
    _failed: set[int] = field(default_factory=set)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        size = min(self.size, self.cap or self.size)
        by_page = self.counts == "page"
        start = (int(query["page"]) - 1) * size if by_page else int(query["offset"])
        self.asked.append(start)
        if start in self.flaky and start not in self._failed:
            self._failed.add(start)
            return httpx.Response(503)
        if start >= self.rows and start:
            return self._beyond(start, size)
        short = self.lies_at is not None and start >= self.lies_at
        return self._page(start, max(1, size - 1) if short else size)

    def _page(self, start, size):
        rows = [{"id": n} for n in range(start, min(start + size, self.rows))]
        told = {} if self.total is None else {"total": self.rows + self.total}
        return httpx.Response(200, json={"rows": rows, "at": start, **told})

    def _beyond(self, start, size):
        if self.past_end == "empty":
            return httpx.Response(200, json={"rows": [], "at": start})
        if self.past_end == "repeat":
            last = max(0, (self.rows - 1) // size * size)
            return self._page(last, size)
        if self.past_end == "garbage":
            return httpx.Response(200, content=b"<html>")
        if self.past_end == "away":
            raise httpx.ConnectError("away")
        headers = {"retry-after": "7"} if self.past_end == "429" else {}
        return httpx.Response(int(self.past_end), headers=headers)


def spec_of(pagination, concurrency=4, errors="none", limit=""):
    return parse_connector(
        SPEC.format(
            pagination=pagination, concurrency=concurrency, errors=RULES[errors], limit=limit
        )
    )


def read(spec, server, *, cancel=None, start=None, clock=None):
    """The rows and checkpoints of a walk, and the error that ended it; the counters beside."""
    stats, got, error = Stats(), [], None
    runtime = HttpRuntime(
        resolver=lambda _host: ["93.184.216.34"],
        transport=httpx.MockTransport(server),
        clock=clock or Hurried(),
    )
    values = Values("many", {}, Secrets())
    with runtime:
        steps = runtime.steps(
            spec, spec.streams[0], values, stats=stats, how=Walk(start), cancel=cancel
        )
        try:
            got.extend(
                (one.page.records(), one.following and one.following.dumps()) for one in steps
            )
        except ConnectorError as raised:
            error = (type(raised), str(raised))
    return (got, error), stats


PAST_END = ["empty", "repeat", "404", "400", "410", "429", "500", "503", "garbage", "away"]


@st.composite
def servers(draw):
    size = draw(st.integers(1, 6))
    return {
        "rows": draw(st.integers(0, 60)),
        "cap": draw(st.none() | st.integers(1, 6)),
        "past_end": draw(st.sampled_from(PAST_END)),
        "total": draw(st.sampled_from([None, None, 0, 0, -3, 5, 40])),
        "lies_at": draw(st.none() | st.integers(0, 30)),
        "counts": draw(st.sampled_from(["offset", "page"])),
        "size": size,
        "flaky": draw(st.frozensets(st.integers(0, 40), max_size=6)),
    }


def pagination_of(server, declared, max_pages):
    size = f"pageSize: {server['size']}, " if declared else ""
    total = "totalField: total, " if server["total"] is not None else ""
    return f"{{type: {server['counts']}, {size}{total}maxPages: {max_pages}}}"


@settings(max_examples=100, deadline=None)
@given(
    server=servers(),
    declared=st.booleans(),
    max_pages=st.sampled_from([3, 7, 100]),
    errors=st.sampled_from(sorted(RULES)),
    concurrency=st.integers(2, 9),
)
def test_what_is_read_ahead_is_what_is_read_one_by_one(
    server, declared, max_pages, errors, concurrency
):
    pagination = pagination_of(server, declared, max_pages)
    alone, alone_stats = read(spec_of(pagination, 1, errors), Server(**server))
    many = Server(**server)
    together, stats = read(spec_of(pagination, concurrency, errors), many)
    assert together == alone
    assert (stats.pages, stats.rows) == (alone_stats.pages, alone_stats.rows)
    assert len(many.asked) <= 2 * alone_stats.calls + 2 * concurrency


def test_pages_are_under_way_together_as_full_ones_come():
    """Pages wait for each other: were they asked one by one, this would never end."""
    barrier = {}
    served = Server(rows=1000, size=10)

    def answer(request):
        start = int(request.url.params["offset"])
        # After four pages four are asked for together, and then as many as may be.
        for group, pages in enumerate((range(5, 9), range(12, 20), range(20, 28))):
            if start // 10 + 1 in pages:
                barrier.setdefault(group, threading.Barrier(len(pages))).wait(10)
        return served(request)

    got, _ = read(spec_of("{type: offset, pageSize: 10, maxPages: unlimited}", 8), answer)
    assert got[1] is None
    assert sum(len(rows) for rows, _ in got[0]) == 1000


@pytest.mark.parametrize("pages", range(1, 9))
@pytest.mark.parametrize("counts", ["offset", "page"])
def test_the_end_costs_few_requests_more(pages, counts):
    server = Server(rows=10 * pages - 5, counts=counts)
    read(spec_of(f"{{type: {counts}, pageSize: 10}}", 4), server)
    one_by_one = pages + 1  # the short one is verified
    assert len(server.asked) <= one_by_one + (3 if pages > 4 else 0)


@pytest.mark.parametrize("rows", [0, 7, 10, 30, 39])
def test_a_short_list_costs_no_request_more(rows):
    alone, server = Server(rows=rows), Server(rows=rows)
    read(spec_of("{type: offset, pageSize: 10}", 1), alone)
    read(spec_of("{type: offset, pageSize: 10}", 8), server)
    assert server.asked == alone.asked


def test_pages_past_the_end_are_not_waited_for():
    never = threading.Event()

    def answer(request):
        start = int(request.query["offset"])
        if start >= 100:
            never.wait(60)
        return {"rows": [{"id": n} for n in range(start, min(start + 10, 95))]}

    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        text = SPEC.format(
            concurrency=8, limit="", errors="[]", pagination="{type: offset, pageSize: 10}"
        )
        spec = parse_connector(text.replace("https://api.example.com", api.origin))
        rows = list(runtime.execute_endpoint(spec, "rows").rows)
        waiting = not never.is_set()
        never.set()
    assert len(rows) == 95
    assert waiting
    assert max(int(request.query["offset"]) for request in api.seen) >= 100


def test_a_page_past_the_end_that_the_walk_reaches_fails_it():
    server = Server(rows=70, past_end="404")
    (got, error), _ = read(spec_of("{type: offset, pageSize: 10}", 4), server)
    assert len(got) == 7
    assert "404" in error[1]


def test_a_server_that_wants_to_wait_is_heeded_even_for_a_page_ahead(monkeypatch):
    """The third page is asked for beside the second, refused, and asked for once more."""
    monkeypatch.setattr(Pace, "turn", lambda self: None)  # as where answers take their time
    server, clock, refused = Server(rows=79, total=0), Standing(), []

    def answer(request):
        if request.url.params["offset"] == "20" and not refused:
            refused.append(request)
            return httpx.Response(429, headers={"retry-after": "7"})
        return server(request)

    spec = spec_of("{type: offset, pageSize: 10, totalField: total}", 4)
    (_, error), stats = read(spec, answer, clock=clock)
    assert error is None
    assert (stats.rows, stats.retries, len(refused)) == (79, 0, 1)
    assert 7 in clock.waited


def test_a_server_that_refuses_what_is_asked_ahead_is_soon_asked_one_by_one():
    server, expected = Server(rows=1000), itertools.count(0, 10)
    state = {"next": next(expected)}

    def answer(request):
        if int(request.url.params["offset"]) != state["next"]:
            return httpx.Response(503)
        state["next"] = next(expected)
        return server(request)

    spec = spec_of("{type: offset, pageSize: 10, maxPages: unlimited}", 4)
    (_, error), stats = read(spec, answer)
    assert error is None, error
    assert stats.rows == 1000
    assert stats.calls <= 101 + 2 * (4 + 100 // 8)


def test_a_walk_goes_on_from_any_checkpoint_with_the_same_rows():
    from connector_assets.spec.request.call import Call

    pagination = "{type: offset, pageSize: 10}"
    (got, _), _ = read(spec_of(pagination, 4), Server(rows=95))
    for position, (_, following) in enumerate(got[:-1]):
        (rest, error), _ = read(
            spec_of(pagination, 4), Server(rows=95), start=Call.loads(following)
        )
        assert error is None
        assert rest == got[position + 1 :]


def test_cancelling_ends_what_is_under_way():
    cancel = threading.Event()
    server = Server(rows=1000)

    def answer(request):
        if int(request.url.params["offset"]) >= 100:
            cancel.set()
        return server(request)

    (got, error), _ = read(spec_of("{type: offset, pageSize: 10}", 4), answer, cancel=cancel)
    assert error[0] is Cancelled
    assert len(got) <= 13


def test_of_two_events_either_is_enough():
    first, second = threading.Event(), threading.Event()
    either = Either(first, second)
    assert not either.wait(0.01)
    second.set()
    assert either.is_set()
    assert either.wait(60)
