"""Exports: created, asked for until they are done, and downloaded; time is the test's."""

from __future__ import annotations

import json
import threading

import pytest

from connector_assets import HttpRuntime, parse_connector
from connector_assets.errors import BlockedError, Cancelled, RequestError, SpecError
from connector_assets.runtime.clock import Clock
from tests.loopback import serving
from tests.shop import shop_spec

SPEC = shop_spec("""
secrets: {token: {}}
auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]
ORIGINS
endpoints:
  - id: export
    method: POST
    url: "{{base_url}}/exports"
    body: {json: {table: orders}}
    headers: {X-Tenant: "{{secrets.token}}"}
    responseFormat: FORMAT
    retry: {maxAttempts: 2}
    job:
      poll: {url: "{{base_url}}/exports/{{response.id}}", statusPath: state, done: [ready], failed: [dead]}
      download: {urlPath: files}
      timeoutSeconds: 100
read: {primary: export}
""")
ROWS = [{"id": 1}, {"id": 2}]


class Ticking(Clock):
    """Time that passes only while somebody waits."""

    def __init__(self, stop_after=None):
        self.now, self.waits, self.stop_after = 0.0, [], stop_after

    def monotonic(self):
        return self.now

    def time(self):
        return 1e9 + self.now

    def wait(self, seconds, cancel):
        self.waits.append(seconds)
        self.now += seconds
        if len(self.waits) == self.stop_after:
            cancel.set()
        if cancel.is_set():
            raise Cancelled("cancelled while waiting")


class Exports:
    """A server whose export is ready after some questions."""

    def __init__(self, files, states=("queued", "running", "ready")):
        self.files, self.states, self.asked = files, list(states), 0

    def __call__(self, request):
        if request.path == "/exports":
            return 202, {"id": "e 1", "state": "queued"}
        if request.path == "/exports/e%201":
            self.asked += 1
            state = self.states[min(self.asked, len(self.states)) - 1]
            return 202 if state != "ready" else 200, {"state": state, "files": self.files}
        return (200, b"".join(json.dumps(row).encode() + b"\n" for row in ROWS))


def rows(
    api, *, clock=None, spec=SPEC, origins="", form="jsonl", allow=(), cancel=None, resolver=None
):
    text = spec.replace("ORIGINS", origins).replace("FORMAT", form)
    with HttpRuntime((api.host, *allow), resolver=resolver, clock=clock or Ticking()) as runtime:
        result = runtime.execute_endpoint(
            parse_connector(text),
            "export",
            params={"base_url": api.origin},
            secrets={"token": "s3cret-77"},
            cancel=cancel,
        )
        return list(result.rows)


def test_rows_come_from_the_file_of_the_finished_export():
    clock = Ticking()
    with serving(Exports("/files/1")) as api:
        assert rows(api, clock=clock) == ROWS
    assert [one.path for one in api.seen] == ["/exports", *["/exports/e%201"] * 3, "/files/1"]
    assert [one.method for one in api.seen] == ["POST", "GET", "GET", "GET", "GET"]
    assert clock.waits == [2, 3, 4.5]
    assert all(one.headers["authorization"] == "Bearer s3cret-77" for one in api.seen)
    assert api.seen[1].body == b""


@pytest.mark.parametrize("first", [["93.184.216.34"], ["93.184.216.34", "127.0.0.1"]])
def test_a_name_that_changes_its_mind_leads_no_download_inside(first):
    """The first answer of DNS is a public address, the next one is of this machine."""
    asked = []

    def resolver(host):
        asked.append(host)
        return first if len(asked) == 1 else ["127.0.0.1"]

    with serving(lambda _: b'{"id": 9}\n') as files:
        port = files.host.partition(":")[2]
        away = f"http://files.example.com:{port}"
        spec = SPEC.replace("retry:", "connectTimeoutSeconds: 0.2\n    retry:")
        with (
            serving(Exports(f"{away}/f")) as api,
            pytest.raises((BlockedError, RequestError), match=r"files\.example\.com"),
        ):
            rows(api, spec=spec, origins=f"origins: ['{away}']", resolver=resolver)
    assert asked
    assert set(asked) == {"files.example.com"}
    assert files.seen == []


def test_several_files_are_one_table_and_none_is_no_rows():
    with serving(Exports(["/files/1", "/files/2"])) as api:
        assert rows(api) == ROWS + ROWS
    with serving(Exports([])) as api:
        assert rows(api) == []


def test_the_download_may_be_a_template_over_both_answers():
    spec = SPEC.replace("{urlPath: files}", '{url: "{{base_url}}/files/{{response.id}}"}')
    with serving(Exports(None)) as api:
        assert rows(api, spec=spec) == ROWS
    assert api.seen[-1].path == "/files/e%201"


def test_a_csv_is_read_as_one():
    def answer(request):
        return Exports("/f")(request) if request.path != "/f" else (200, b"id,name\n1,a\n")

    states = Exports("/f", ["ready"])
    with serving(lambda r: (200, b"id,name\n1,a\n") if r.path == "/f" else states(r)) as api:
        assert rows(api, form="csv") == [{"id": "1", "name": "a"}]


def test_another_origin_must_be_declared_and_gets_no_credentials():
    with (
        serving(lambda _: b'{"id": 9}\n') as files,
        serving(Exports(f"{files.origin}/f?sig=x")) as api,
    ):
        with pytest.raises(BlockedError, match="which is not declared; add it to origins"):
            rows(api, allow=(files.host,))
        assert files.seen == []
        found = rows(api, origins=f"origins: ['{files.origin}']", allow=(files.host,))
    assert found == [{"id": 9}]
    [download] = files.seen
    assert download.query == {"sig": "x"}
    assert "s3cret-77" not in str(download)


@pytest.mark.parametrize("asked", ["/exports/e%201", "/files/1"])
def test_a_redirect_takes_no_credentials_to_another_origin(asked):
    there = Exports("/files/1", ["ready"])

    def answer(request):
        if request.path == asked:
            return 302, b"", {"Location": f"{other.origin}{asked}"}
        return Exports("/files/1", ["ready"])(request)

    with serving(there) as other, serving(answer) as api:
        found = rows(api, origins=f"origins: ['{other.origin}']", allow=(other.host,))
    assert found == ROWS
    assert other.seen
    assert "s3cret-77" not in str([one.headers for one in other.seen])


def test_a_template_of_the_download_takes_no_headers_to_another_origin():
    spec = SPEC.replace("{urlPath: files}", '{url: "{{response.files}}"}')
    with (
        serving(lambda _: (200, b'{"id": 1}')) as other,
        serving(Exports(f"{other.origin}/files/1", ["ready"])) as api,
    ):
        found = rows(api, spec=spec, origins=f"origins: ['{other.origin}']", allow=(other.host,))
    assert found == [{"id": 1}]
    assert "s3cret-77" not in str(other.seen[0].headers)


def test_a_failed_export_is_an_error():
    with (
        serving(Exports("/f", ["running", "dead"])) as api,
        pytest.raises(RequestError, match="the export failed"),
    ):
        rows(api)


def test_an_export_that_is_never_done_ends_in_time():
    clock = Ticking()
    done = pytest.raises(RequestError, match=r"not done after 100 s; raise job\.timeoutSeconds")
    with serving(Exports("/f", ["running"])) as api, done:
        rows(api, clock=clock)
    assert clock.now == 100
    assert max(clock.waits) <= 60


def test_waiting_can_be_cancelled():
    with serving(Exports("/f", ["running"])) as api, pytest.raises(Cancelled):
        rows(api, clock=Ticking(stop_after=2), cancel=threading.Event())
    assert len(api.seen) == 2


def test_a_poll_that_fails_once_is_asked_again():
    export, refused = Exports("/f"), []

    def answer(request):
        if request.path.startswith("/exports/") and not refused:
            refused.append(1)
            return 503, {}
        return export(request)

    with serving(answer) as api:
        assert rows(api) == ROWS


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("{urlPath: files}", "{}", "endpoints.0.job.download.url: is required"),
        ("done: [ready]", "done: []", "endpoints.0.job.poll.done: must not be empty"),
        ("{{response.id}}", "{{item.id}}", "endpoints.0.job.poll.url: nothing gives"),
        ("{{response.id}}", "{{secrets.id}}", 'endpoints.0.job.poll.url: "secrets.id" must not'),
    ],
)
def test_faults_have_their_place(old, new, fault):
    text = SPEC.replace("ORIGINS", "").replace("FORMAT", "json").replace(old, new)
    with pytest.raises(SpecError) as caught:
        parse_connector(text)
    assert fault in str(caught.value)
