"""The hostile server, read through the runtime's front door: rows exactly, or a clear error."""

from __future__ import annotations

import itertools
import json
import threading
import tracemalloc
import uuid

import pytest

from connector_assets.errors import ConnectorError
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.chaos import running

SPEC = """
kind: connector
version: "1.0"
id: chaos
displayName: Chaos
auth: [{auth}]
endpoints:
  - id: rows
    method: {method}
    url: "{{{{base}}}}{path}"
    params: {{run: "{{{{run}}}}"}}
    responseRowsPath: rows
    connectTimeoutSeconds: 2
    readTimeoutSeconds: {read}
    timeoutSeconds: {total}
    maxResponseBytes: 67108864
    retry: {{maxAttempts: 3, maxDelaySeconds: 5}}
    pagination: {pagination}
read: {{primary: rows}}
"""
PAGINATIONS = {
    "offset": "{type: offset, pageSize: 10}",
    "page pag": "{type: page, pageSize: 10, pageSizeParam: limit}",
    "next-URL": "{type: next_url, urlField: next}",
    "Link": "{type: link_header}",
}
CURSOR = "{type: cursor, cursorField: next}"
SLOW = {"/body/slow-drip", "/proto/header-stall"}
# The other paths need set-up of their own (token endpoints, 200 MB of rows) and have own tests.
GROUPS = (
    "/inf/",
    "/page/",
    "/body/",
    "/header/",
    "/proto/",
    "/retry/",
    "/redir/",
    "/next/",
    "/cookie/",
)
ELSEWHERE = {"/page/big"}
# The format makes such a row `{"value": …}`, which the corpus allows as "a documented column".
DOCUMENTED = {"/body/row-not-object": 6}


class Hurried(Clock):
    """The real clock, but waits are over at once: they only move it on."""

    def __init__(self):
        self.waits = []

    def monotonic(self):
        return super().monotonic() + sum(self.waits)

    def time(self):
        return super().time() + sum(self.waits)

    def wait(self, seconds, cancel):
        self.waits.append(seconds)


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        with running() as server:
            cases = [c for c in server.cases() if c["path"].startswith(GROUPS)]
        cases = [c for c in cases if c["path"] not in ELSEWHERE]
        metafunc.parametrize("case", cases, ids=[c["path"] for c in cases])


def spec_for(case, slow_s=3):
    setup = case.get("setup", "")
    kind = next((p for word, p in PAGINATIONS.items() if word in setup), CURSOR)
    limits = {"read": 0.4, "total": 0.8} if case["path"] in SLOW else {"read": 3, "total": 10}
    method = "POST" if "POST" in setup else "GET"
    auth = "{type: none}"
    return parse_connector(
        SPEC.format(path=case["path"], pagination=kind, method=method, auth=auth, **limits)
    )


def read(case, chaos, run, clock=None):
    """Distinct rows, or the error's text."""
    with HttpRuntime([chaos.allowed], clock=clock) as runtime:
        result = runtime.execute_endpoint(
            spec_for(case), "rows", params={"base": chaos.origin, "run": run}
        )
        try:
            return {json.dumps(row, sort_keys=True) for row in result.rows}
        except ConnectorError as error:
            return str(error)


def test_a_hostile_server_gives_exact_rows_or_a_clear_error(case, chaos):
    run, clock = uuid.uuid4().hex, Hurried()
    found = read(case, chaos, run, clock)
    if isinstance(found, str):
        assert case["expect"] in ("error", "either"), found
        assert case["path"] in found or "/redir" in case["path"] or "/next" in case["path"]
        assert "run=" not in found
        assert "S3CRET" not in found
    elif case["path"] in DOCUMENTED:
        assert len(found) == DOCUMENTED[case["path"]]
    else:
        assert case["expect"] in ("rows", "either"), found
        if case.get("rows") and case["path"] != "/page/drift":
            assert len(found) == case["rows"]
    requests = chaos.log(run)
    if case.get("max_requests"):
        assert len(requests) <= case["max_requests"]
    assert not [r for r in requests for name, _ in r["headers"] if name.lower() == "x-evil"]
    assert all(0 < wait <= 5 for wait in clock.waits)


@pytest.mark.parametrize(
    ("path", "least"), [("/retry/429-seconds", 2.0), ("/retry/503-retry-after", 1.0)]
)
def test_retry_after_is_waited_for(path, least, chaos):
    clock = Hurried()
    assert len(read({"path": path}, chaos, uuid.uuid4().hex, clock)) == 10
    assert clock.waits == [pytest.approx(least, abs=0.01)]


def test_a_long_list_is_read_in_bounded_memory(chaos):
    spec = spec_for({"path": "/page/big"})
    with HttpRuntime([chaos.allowed]) as runtime:
        params = {"base": chaos.origin, "run": "big"}
        peaks = []
        for pages in (5, 40):
            url = spec.endpoints[0].url.source.split("?")[0]
            bigger = spec_for({"path": f"/page/big?pages={pages}&size=1000"})
            assert url in bigger.endpoints[0].url.source
            tracemalloc.start()
            rows = runtime.execute_endpoint(bigger, "rows", params=params).rows
            assert sum(1 for _ in rows) == pages * 1000
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_a_cancelled_read_stops(chaos):
    cancel = threading.Event()
    spec = spec_for({"path": "/page/big?pages=1000&size=10"})
    with HttpRuntime([chaos.allowed]) as runtime:
        params = {"base": chaos.origin, "run": "cancel"}
        rows = runtime.execute_endpoint(spec, "rows", params=params, cancel=cancel).rows
        assert len(list(itertools.islice(rows, 15))) == 15
        cancel.set()
        with pytest.raises(ConnectorError, match="cancelled"):
            list(rows)
