"""Exports through the front door: killed, expired, told to wait, in many files, and large."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from dataclasses import replace
from threading import get_ident

import duckdb
import pytest

from connector_assets.errors import ConnectorError, RequestError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.large import FORMS, PATHS, bodies, format_of, peak
from tests.loopback import serving
from tests.runtime.walk.test_export_job import Ticking
from tests.shop import shop_spec
from tests.syncing import sync

SPEC = shop_spec("""
auth: [{type: none}]
endpoints:
  - id: orders
    method: POST
    url: "{{base_url}}/exports"
    responseFormat: jsonl
    retry: {maxAttempts: 1}
    job:
      poll: {url: "{{base_url}}/exports/{{response.id}}", statusPath: state, done: [ready], failed: [dead], everySeconds: 0.01}
      download: {urlPath: files}
read:
  streams: [{name: orders}]
""")


class Exports:
    """Jobs that are ready at the third question, each in three files of two rows."""

    def __init__(self, files=3):
        self.files, self.jobs, self.polls, self.downloads = files, 0, 0, []
        self.polls_needed, self.on = 3, lambda _what: None

    def __call__(self, request):
        what = request.path.split("/")[1]
        number = request.path.split("/")[-1]
        if request.method == "POST":
            self.jobs, self.polls = self.jobs + 1, 0
            return 202, {"id": self.jobs, "state": "queued", "noise": "x"}
        if what == "exports":
            self.polls += 1
            if (answer := self.on(f"poll {self.polls}")) is not None:
                return answer
            ready = self.polls >= self.polls_needed
            files = [f"/files/{number}/{n}?sig={self.polls}" for n in range(self.files)]
            return {"state": "ready" if ready else "running", "files": files if ready else None}
        self.downloads.append(number)
        if (answer := self.on(f"file {number}")) is not None:
            return answer
        return 200, self.content(int(number))

    def content(self, number):
        return b"".join(b'{"id":%d}\n' % (number * 2 + n) for n in range(2))


@pytest.fixture
def exports():
    with serving(Exports()) as server:
        yield server


class Shop:
    def __init__(self, api, folder, clock=None):
        self.api, self.folder, self.clock = api, folder, clock
        self.destination = DuckDBDestination(folder / "data.duckdb")

    def load(self, text=SPEC, **given):
        with HttpRuntime([self.api.host], clock=self.clock) as runtime:
            connector = YamlConnector(parse_connector(text), runtime)
            connection = Connection("shop", connector, environ={"SHOP__BASE_URL": self.api.origin})
            return sync(
                connection, "orders", self.destination, staging=self.folder / "staging", **given
            )

    def ids(self):
        with duckdb.connect(str(self.folder / "data.duckdb"), read_only=True) as db:
            return [row[0] for row in db.sql("select id from shop.orders order by id").fetchall()]


@pytest.fixture
def shop(exports, tmp_path):
    return Shop(exports, tmp_path)


def command(api, folder, *more):
    (folder / "shop.yaml").write_text(SPEC)
    return [
        *(sys.executable, "-m", "connector_assets.cli", "load", "shop.yaml"),
        *("--config", f"base_url={api.origin}", "--allow-private", api.host, *more),
    ]


@pytest.mark.parametrize("killed_at", ["poll 1", "poll 2", "file 0", "file 1", "file 2"])
def test_a_killed_load_goes_on_with_the_same_export(exports, tmp_path, killed_at):
    shelf, started = exports.answer, threading.Event()

    def kill(what):
        if what == killed_at and process.poll() is None:
            started.wait(10)
            process.kill()
            process.wait()
            shelf.on = lambda _what: None

    shelf.on = kill
    process = subprocess.Popen(
        command(exports, tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    started.set()
    process.communicate(timeout=60)
    assert process.returncode == -9
    subprocess.run(command(exports, tmp_path), cwd=tmp_path, check=True, capture_output=True)
    assert shelf.jobs == 1
    with duckdb.connect(str(tmp_path / "data.duckdb")) as db:
        assert db.sql("select id from shop.orders order by id").fetchall() == [
            (n,) for n in range(6)
        ]


def interrupted(shop, at):
    """A load that breaks off there."""
    shop.api.answer.on = lambda what: (404, {}) if what == at else None
    with pytest.raises(ConnectorError):
        shop.load()
    shop.api.answer.on = lambda _what: None


def test_no_request_of_an_export_is_ahead_of_what_is_staged(shop, exports):
    """A run that is killed in any of them has staged the job that they ask for."""
    asked = []
    with HttpRuntime([exports.host]) as runtime:
        connector = YamlConnector(parse_connector(SPEC), runtime)
        connection = Connection("shop", connector, environ={"SHOP__BASE_URL": exports.origin})
        reading = connection.open("orders")
        told = replace(reading, on_request=lambda line: asked.append((line, get_ident())))
        before = [len(asked) for _ in connector.read(told)]
    assert before == [1, 5, 6, 7]  # the creation; three questions and a file; two more files
    assert {thread for _, thread in asked} == {get_ident()}


EACH = SPEC.replace("{name: orders}", "{name: orders, forEach: [{values: [a, b, c], as: shop}]}")


@pytest.mark.parametrize(("concurrency", "most_jobs"), [(1, 3), (4, 5)])
@pytest.mark.parametrize("fails_at", [2, 5, 8])
def test_of_several_exports_only_those_ahead_are_created_again(
    shop, exports, concurrency, most_jobs, fails_at
):
    shelf = exports.answer
    shelf.answered = 0

    def fail(_what):
        shelf.answered += 1
        return (404, {}) if shelf.answered >= fails_at else None

    text = EACH.replace("retry:", f"rateLimit: {{concurrency: {concurrency}}}\n    retry:")
    shelf.on = fail
    with pytest.raises(ConnectorError):
        shop.load(text)
    shelf.on = lambda _what: None
    shop.load(text)
    assert shelf.jobs <= most_jobs
    assert shop.ids() == sorted(3 * list(range(6)))


def test_files_that_are_staged_are_not_downloaded_again(shop, exports):
    interrupted(shop, "file 1")
    shop.load()
    assert (exports.answer.jobs, exports.answer.downloads) == (1, ["0", "1", "1", "2"])
    assert shop.ids() == list(range(6))


@pytest.mark.parametrize("gone", [(404, {}), (410, {}), {"state": "dead"}])
def test_an_export_that_is_gone_is_created_anew(shop, exports, gone):
    interrupted(shop, "file 1")
    asked = []
    exports.answer.on = lambda what: (
        asked.append(what) if asked or "poll" not in what else gone_once()
    )

    def gone_once():
        asked.append("gone")
        return gone

    result = shop.load()
    assert exports.answer.jobs == 2
    assert (shop.ids(), result.loaded.received) == (list(range(6)), 6)
    assert "begun anew" in " ".join(result.stats.notes)


def test_an_export_whose_files_are_others_by_now_is_created_anew(shop, exports):
    interrupted(shop, "file 1")
    exports.answer.files = 2
    shop.load()
    assert (exports.answer.jobs, shop.ids()) == (2, [0, 1, 2, 3])


def test_a_failed_export_is_an_error_and_the_next_run_creates_another(shop, exports):
    exports.answer.on = lambda what: {"state": "dead"} if "poll" in what else None
    with pytest.raises(RequestError, match="the export failed"):
        shop.load()
    exports.answer.on = lambda _what: None
    exports.answer.polls = 0
    shop.load()
    assert shop.ids() == list(range(6))


def test_what_is_kept_on_disk_of_an_export_is_what_is_asked_with(shop, exports):
    interrupted(shop, "file 1")
    kept = b"".join(p.read_bytes() for p in (shop.folder / "staging").rglob("*") if p.is_file())
    assert b"noise" not in kept
    assert b"sig=" not in kept


@pytest.mark.parametrize("status", [200, 202])
def test_a_wait_that_the_server_asks_for_is_kept(exports, tmp_path, status):
    clock = Ticking()
    answers = iter([(status, {"state": "running"}, {"Retry-After": "17"}), None, None, None, None])
    exports.answer.on = lambda what: next(answers) if "poll" in what else None
    shop = Shop(exports, tmp_path, clock)
    shop.load(SPEC.replace("everySeconds: 0.01", "everySeconds: 4"))
    assert clock.waits == [4, 17, 6]


def test_a_wait_may_be_asked_for_with_the_answer_that_creates(exports, tmp_path):
    clock, shelf = Ticking(), exports.answer
    shelf.polls_needed = 1

    def answer(request):
        found = shelf(request)
        return (*found, {"Retry-After": "33"}) if request.method == "POST" else found

    exports.answer = answer
    Shop(exports, tmp_path, clock).load()
    assert clock.waits == [33]


def test_a_wait_beyond_the_jobs_time_ends_with_it(exports, tmp_path):
    clock = Ticking()
    exports.answer.on = lambda _what: (200, {"state": "running"}, {"Retry-After": "90000"})
    with pytest.raises(RequestError, match="not done after 3600 s"):
        Shop(exports, tmp_path, clock).load()
    assert clock.now == 3600


@pytest.mark.parametrize("cut", ["gzip", "length"])
def test_nothing_is_loaded_of_a_file_that_breaks_off(shop, exports, cut, monkeypatch):
    monkeypatch.setattr("connector_assets.runtime.body.stored_rows.BLOCK", 1_000)
    good = b"".join(b'{"id":%d}\n' % n for n in range(20_000))
    body = gzip.compress(good)[:-4_000] if cut == "gzip" else good + b'{"id":'
    exports.answer.files = 1
    exports.answer.content = lambda _number: body
    with pytest.raises(ConnectorError, match=r"breaks off|line 20001 is not one JSON value"):
        shop.load()
    with pytest.raises(duckdb.Error):
        shop.ids()
    exports.answer.content = lambda _number: good
    assert shop.load().resumed_rows == 0
    assert exports.answer.jobs == 1
    assert shop.ids() == list(range(20_000))


def test_a_file_larger_than_it_may_be_is_an_error(shop, exports):
    with pytest.raises(ConnectorError, match="more than 10 bytes"):
        shop.load(SPEC.replace("{urlPath: files}", "{urlPath: files, maxBytes: 10}"))


def test_a_preview_stops_where_it_has_enough(exports, tmp_path):
    told = subprocess.run(
        [*command(exports, tmp_path, "--limit", "3", "--format", "jsonl")[:3], "read", *command(exports, tmp_path)[4:], "--limit", "3", "--format", "jsonl"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [json.loads(line) for line in told.stdout.splitlines()] == [{"id": n} for n in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_the_file(exports, tmp_path, form):
    exports.answer.files, took = 1, {}
    text = SPEC.replace("responseFormat: jsonl", f"responseFormat: {format_of(form)}")
    if form in PATHS:
        text = text.replace("    retry:", f"    responseRowsPath: {PATHS[form]}\n    retry:")
    for megabytes in (30, 300):
        body = bodies(form, megabytes)(1)
        exports.answer.content = lambda _number, body=body: body
        took[megabytes] = peak(exports, tmp_path / "run", text)
    print(form, took)
    assert took[300][0] < took[30][0] + 64, took
