"""`connector-assets plan`: requests and time before a load, without asking the vendor."""

from __future__ import annotations

import json

import pytest

from tests.loopback import serving
from tests.shop import shop_spec

SPEC = shop_spec("""
auth: [{type: none}]
config: {regions: {type: list, default: [eu, us]}}
rateLimit: {requestsPerSecond: 2, burstSize: 2, concurrency: 4}
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: list, url: "{{base_url}}/list"}
  - {id: paged, url: "{{base_url}}/paged", pagination: {type: offset, pageSize: 10, totalField: total, maxPages: 99}}
  - {id: slow, url: "{{base_url}}/slow", rateLimit: {requestsPerSecond: 0.1, concurrency: 1}}
  - {id: export, url: "{{base_url}}/export", method: POST, job: {poll: {url: "{{base_url}}/job", statusPath: state, done: [done]}, download: {urlPath: url}}}
read:
  streams:
    - {name: list, primaryKey: [id]}
    - {name: paged}
    - {name: slow, forEach: [{values: "{{config.regions}}", as: region}]}
    - {name: lines, endpoint: slow, forEach: [{parent: {stream: list, field: id, as: item}}]}
    - name: events
      endpoint: paged
      primaryKey: [id]
      incremental: {cursorField: at, startParam: since, endParam: until, format: iso, start: "2024-01-01", end: "2024-01-31", window: P10D}
    - {name: export}
""")


def answer(request):
    if request.path == "/paged":
        offset, total = int(request.query.get("offset", 0)), 25
        rows = [
            {"id": n, "at": "2024-01-05T00:00:00Z"} for n in range(offset, min(offset + 10, 25))
        ]
        return {"rows": rows, "total": total}
    return {"rows": [{"id": n} for n in range(3)]}


@pytest.fixture
def api():
    with serving(answer) as server:
        yield server


@pytest.fixture
def planned(cli, project, api, monkeypatch):
    """Plans streams of a connection; what is printed as JSON, by stream."""
    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    for path in ("specs", "connections"):
        (project / path).mkdir(exist_ok=True)
    (project / "specs/shop.yaml").write_text(SPEC)

    def write(streams="[list, paged, slow, lines, events, export]"):
        head = 'kind: connection\nversion: "1.0"\nid: eu\nconnector: shop\n'
        (project / "connections/eu.yaml").write_text(f"{head}streams: {streams}\n")

    def run(*args):
        done = cli("plan", "eu", *args, "--json")
        assert done.code == 0, done.err
        told = json.loads(done.out)
        return told, {one["stream"]: one for one in told["streams"]}

    run.write = write
    write()
    return run


def asks(one):
    return one["certainty"], one["requests"], one["lists"]


def test_nothing_is_asked_and_what_is_not_known_is_said(planned, api):
    told, streams = planned()
    assert api.seen == []
    assert asks(streams["list"]) == ("exactly", 1, 1)
    assert asks(streams["paged"]) == ("at least", 1, 1)
    assert "how many rows there are; each list is at least one page" in streams["paged"]["unknown"]
    assert asks(streams["slow"]) == ("exactly", 2, 2)
    assert streams["slow"]["seconds"] == 10.0  # (2 - 1) / 0.1
    assert streams["lines"]["requests"] is None
    assert "load list first" in streams["lines"]["unknown"][0]
    assert asks(streams["events"]) == ("at least", 3, 3)  # windows of ten days
    assert asks(streams["export"]) == ("at least", 3, 1)
    assert told["certainty"] == "at least"
    assert any("an answer takes 0.5 s" in text for text in streams["list"]["assumed"])


def test_the_table_tells_pages_and_items(planned, cli, api):
    for name in ("list", "paged", "events"):
        assert cli("load", "eu", name).code == 0
    api.seen.clear()
    _, streams = planned("paged", "lines", "events")
    assert api.seen == []
    assert asks(streams["paged"]) == ("about", 3, 1)
    assert streams["paged"]["assumed"][0] == "the lists have as many rows as the table, 25"
    assert streams["paged"]["known"] == ["10 rows a page"]
    assert asks(streams["lines"]) == ("exactly", 3, 3)
    assert asks(streams["events"])[0] == "at least"
    assert "how many rows are new since the last load" in streams["events"]["unknown"]
    _, full = planned("events", "--full")
    assert asks(full["events"]) == ("about", 3, 3)


def test_a_backfill_is_planned_from_the_partitions_that_were_loaded(planned, cli, api):
    planned.write(
        '{list: , events: {partitions: {type: daily, start: "2024-01-01", end: "2024-01-31"}},'
        " lines: {partitions: {type: each, of: item}}}"
    )
    _, streams = planned("events", "--partitions", "2024-01-01...2024-01-10")
    assert (streams["events"]["partitions"], asks(streams["events"])) == (10, ("at least", 10, 10))
    assert cli("load", "eu", "events", "--partition", "2024-01-05").code == 0
    assert cli("load", "eu", "list").code == 0
    api.seen.clear()
    _, streams = planned("events", "lines")
    assert asks(streams["events"]) == ("about", 75, 30)  # 25 rows a day, in pages of 10
    assert streams["events"]["seconds"] == 36.5  # (75 - 2) / 2
    assert (
        "each partition has as many rows as those in the table, 25" in streams["events"]["assumed"]
    )
    assert (streams["lines"]["partitions"], streams["lines"]["requests"]) == (3, 3)
    assert api.seen == []


def test_a_probe_asks_for_one_page_of_each(planned, api):
    _, streams = planned("paged", "list", "--probe")
    assert [r.path for r in api.seen] == ["/paged", "/list"]
    assert asks(streams["paged"]) == ("about", 3, 1)
    assert "the API tells of 25 rows" in streams["paged"]["known"]
    assert any("the first answer took" in text for text in streams["paged"]["known"])
    assert streams["paged"]["assumed"] == []


def test_lines_for_people(planned, cli):
    done = cli("plan", "eu", "list", "slow", "--latency", "3")
    assert done.out.splitlines() == [
        "eu.list: 1 request, at least 3 s, at 2 a second",
        "  known: each list is one answer",
        "eu.slow: 2 requests, at least 10 s, at 0.1 a second",
        "  known: each list is one answer",
        "in all: 3 requests, at least 13 s",
    ]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["nothing"], '"nothing" is not a stream'),
        (["events", "--partitions", "2031-01-01"], "is not a daily partition"),
        (["export", "--probe"], "is an export, which a look would create"),
    ],
)
def test_what_cannot_be_planned_is_one_line(planned, cli, args, error):
    planned.write('{list: , events: {partitions: {type: daily, start: "2024-01-01"}}, export: }')
    done = cli("plan", "eu", *args)
    assert done.code == 1
    assert error in done.err
