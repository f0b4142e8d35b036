"""The sensor of a connection: asks by small requests, and loads only what has changed."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from connector_assets.assets.resources import ResourceKeys
from connector_assets.assets.settings import settings
from connector_assets.runtime.clock import Clock
from tests.assets.test_component import component, dg_project, load  # noqa: F401 - a fixture
from tests.assets.test_definitions import connection, specs_of
from tests.loopback import serving
from tests.shop import shop_spec

SPEC = shop_spec("""
auth: [{type: none}]
defaults: {responseRowsPath: rows, retry: {maxAttempts: 3}}
endpoints:
  - {id: tagged, url: "{{base_url}}/tagged", conditional: etag}
  - {id: whole, url: "{{base_url}}/whole"}
  - {id: counted, url: "{{base_url}}/counted", pagination: {type: page, pageSize: 2, totalField: total, maxPages: 9}}
  - {id: events, url: "{{base_url}}/events", pagination: {type: cursor, cursorField: next, maxPages: 9}}
  - {id: blind, url: "{{base_url}}/blind", pagination: {type: cursor, cursorField: next, maxPages: 9}}
read:
  streams:
    - {name: tagged, primaryKey: [id]}
    - {name: whole}
    - {name: counted}
    - {name: events, primaryKey: [id], incremental: {cursorField: at, startParam: since, format: iso, lookback: P1D}}
    - {name: blind}
    - {name: lines, endpoint: whole, forEach: [{parent: {stream: tagged, field: id}}]}
""")


class Vendor:
    """Lists of numbers; `events` are sorted by the day on which they came."""

    def __init__(self):
        self.rows = {name: [1, 2, 3] for name in ("tagged", "whole", "counted", "blind")}
        self.events = [(1, "2024-01-01T00:00:00Z"), (2, "2024-01-02T00:00:00Z")]
        self.answer = None

    def __call__(self, request):
        if self.answer:
            return self.answer
        name = request.path.strip("/")
        if name == "events":
            since = request.query.get("since", "")
            found = [{"id": id_, "at": at} for id_, at in self.events if at >= since]
            at = int(request.query.get("cursor", 0))
            return {
                "rows": found[at : at + 2],
                "next": str(at + 2) if at + 2 < len(found) else None,
            }
        rows = [{"id": one} for one in self.rows[name]]
        if name == "tagged":
            etag = f'"{len(rows)}"'
            if request.headers.get("if-none-match") == etag:
                return 304, b""
            return 200, {"rows": rows}, {"ETag": etag}
        if name == "counted":
            page = int(request.query["page"])
            return {"rows": rows[page * 2 - 2 : page * 2], "total": len(rows)}
        return {"rows": rows, "next": None if name == "whole" else "y"}


@pytest.fixture
def vendor():
    return Vendor()


@pytest.fixture
def api(vendor):
    with serving(vendor) as server:
        yield server


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


class At(Clock):
    """The sensor's own time; the run's clocks are as they are."""

    now = 1_800_000_000.0

    def time(self):
        return At.now


@pytest.fixture
def watched(project, api, monkeypatch, instance):
    """A project that watches some streams; ticks of its sensor, five minutes apart."""

    def write(streams, more=""):
        project.write("specs/shop.yaml", SPEC)
        text = f"id: eu\nconnector: shop\nstreams: {streams}\n{more}"
        project.write("connections/eu.yaml", connection(text))
        return project.definitions()

    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    return write


class Sensor:
    """A connection's sensor, with the cursor that Dagster keeps for it."""

    def __init__(self, definitions, instance, monkeypatch):
        self.definitions, self.instance, self.cursor = definitions, instance, None
        (self.sensor,) = definitions.sensors
        monkeypatch.setattr("connector_assets.assets.changes.Clock", At)

    def tick(self):
        At.now += 300
        key = ResourceKeys.of(settings()).http
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={key: self.definitions.resources[key]},
            definitions=self.definitions,
        ) as context:
            told = self.sensor.evaluate_tick(context)
        self.cursor = told.cursor
        if told.run_requests:
            (request,) = told.run_requests
            return sorted(key.path[-1] for key in request.asset_selection)
        return told.skip_message

    def load(self, *names):
        job = self.definitions.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey(["eu", name]) for name in names]
        return job.execute_in_process(asset_selection=keys, instance=self.instance).success


@pytest.fixture
def sensor(instance, monkeypatch):
    return lambda definitions: Sensor(definitions, instance, monkeypatch)


def more(vendor, name):
    """A row more at the vendor."""
    if name == "events":
        vendor.events.append((9, "2024-01-03T00:00:00Z"))
    else:
        vendor.rows[name].append(9)


@pytest.mark.parametrize(
    ("name", "quiet"),
    [
        ("tagged", "tagged: 304: it is as it was"),
        ("whole", "whole: as it was"),
        ("counted", "counted: as it was"),
        ("events", "events: nothing beyond 2024-01-02T00:00:00Z"),
    ],
)
def test_a_stream_is_asked_for_once_it_changes_and_by_one_request(
    watched, sensor, vendor, api, *, name, quiet
):
    one = sensor(watched(f"{{{name}: {{watch: PT5M}}}}"))
    assert one.tick() == [name]  # never loaded
    one.load(name)
    api.seen.clear()
    assert one.tick() == quiet
    assert len(api.seen) == 1
    more(vendor, name)
    assert one.tick() == [name]
    assert one.tick() == [name]  # the run that was asked for did not load it
    one.load(name)
    assert one.tick().startswith(f"{name}: ")


def test_an_event_is_asked_for_from_where_the_load_got_to(watched, sensor, vendor, api):
    one = sensor(watched("{events: {watch: PT5M}}"))
    one.load("events")
    api.seen.clear()
    one.tick()
    assert [r.query["since"] for r in api.seen] == ["2024-01-02T00:00:00Z"]
    assert one.tick() == "events: nothing new since 2024-01-02T00:00:00Z"
    vendor.events.append((3, "2024-01-02T00:00:00Z"))  # on the very moment of the last
    assert one.tick() == ["events"]


def test_rows_that_are_dated_later_do_not_change_for_ever(watched, sensor, vendor):
    vendor.events.append((3, "2999-01-01T00:00:00Z"))
    one = sensor(watched("{events: {watch: PT5M}}"))
    for _ in range(2):
        one.load("events")
        one.tick()
    one.load("events")
    assert one.tick().startswith("events: nothing new since 20")


def test_a_load_by_hand_counts(watched, sensor, vendor):
    one = sensor(watched("{whole: {watch: PT5M}}"))
    one.load("whole")
    more(vendor, "whole")
    one.load("whole")
    assert one.tick() == "whole: as it was"


def test_a_total_tells_of_rows_on_later_pages(watched, sensor, vendor):
    one = sensor(watched("{counted: {watch: PT5M}}"))
    one.load("counted")
    vendor.rows["counted"].append(4)
    assert one.tick() == ["counted"]


def test_a_connection_watches_what_can_be_and_children_follow(watched, sensor, vendor):
    one = sensor(watched("[tagged, lines, counted, blind]", "watch: PT5M\n"))
    one.load("tagged", "lines", "counted")
    assert "tagged: 304" in one.tick()
    more(vendor, "tagged")
    assert one.tick() == ["lines", "tagged"]


def test_each_stream_is_asked_as_often_as_it_says(watched, sensor, api):
    one = sensor(watched("{whole: {watch: PT5M}, counted: {watch: PT10M}}"))
    one.load("whole", "counted")
    api.seen.clear()
    for _ in range(4):
        one.tick()
    assert [r.path for r in api.seen].count("/whole") == 4
    assert [r.path for r in api.seen].count("/counted") == 2


def test_nothing_is_asked_while_the_run_that_was_asked_for_goes_on(watched, sensor, instance, api):
    one = sensor(watched("{whole: {watch: PT5M}}"))
    run = instance.create_run_for_job(
        one.definitions.resolve_implicit_global_asset_job_def(),
        tags={"connector_assets/changes": "eu"},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert one.tick() == f"the run {run.run_id} that was asked for is not over"
    assert api.seen == []


def test_a_busy_api_is_a_reason_and_a_faulty_one_a_failed_tick(watched, sensor, vendor, api):
    one = sensor(watched("{whole: {watch: PT5M}}"))
    one.load("whole")
    api.seen.clear()
    vendor.answer = 429, {}, {"Retry-After": "3000"}
    assert one.tick().startswith("whole: not asked yet, as it would have to wait (")
    vendor.answer = 500, {}
    with pytest.raises(dg.Failure, match=r"whole: eu\.whole: .*500"):
        one.tick()
    assert len(api.seen) == 2  # none is tried again within a tick
    vendor.answer = None
    assert one.tick() == "whole: as it was"


def test_a_cursor_that_is_not_ours_counts_as_none(watched, sensor):
    one = sensor(watched("{whole: {watch: PT5M}}"))
    one.load("whole")
    for cursor in ("[1]", "{", '{"whole": 3}', json.dumps({"whole": {"state": None}})):
        one.cursor = cursor
        assert one.tick() == "whole: as it was"


def test_a_component_has_its_sensor(dg_project):  # noqa: F811 - a fixture
    dg_project.write("specs/shop.yaml", SPEC)
    component(dg_project, "us", "  {id: us, connector: shop, streams: [whole], watch: PT5M}\n")
    assert [one.name for one in load(dg_project).sensors] == ["us_changes"]


def test_without_watch_there_is_no_sensor(watched):
    assert not watched("{whole: }").sensors
    (sensor,) = watched("{whole: {watch: PT90M}}").sensors
    assert (sensor.name, sensor.minimum_interval_seconds) == ("eu_changes", 5400)


@pytest.mark.parametrize(
    ("streams", "more_", "fault"),
    [
        ("{blind: {watch: PT5M}}", "", "streams.blind.watch: tells no change by its first answer"),
        ("{tagged: , lines: {watch: PT5M}}", "", "streams.lines.watch: is read for each of many"),
        ("[blind]", "watch: PT5M\n", "watch: is for none of the streams"),
        ("{whole: {watch: PT5S}}", "", "streams.whole.watch: must be at least a minute"),
        (
            "{events: {watch: PT5M, partitions: {type: daily, start: '2024-01-01'}}}",
            "",
            "streams.events.watch: has partitions",
        ),
    ],
)
def test_what_cannot_be_watched_is_a_fault(watched, streams, more_, fault):
    broken = [one for one in specs_of(watched(streams, more_)).values() if "invalid" in one.kinds]
    assert fault in broken[0].description
