"""Incremental streams over made-up timelines: nothing lost, nothing doubled."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_assets.errors import ConnectorError, SpecError
from connector_assets.spec.document import parse_connector
from tests.shop import shop_spec
from tests.timeline import START, Project

SPEC = shop_spec("""
auth: [{type: none}]
endpoints:
  - id: orders
    url: https://api.example.com/orders
    responseRowsPath: rows
    pagination: {type: cursor, cursorField: next, maxPages: unlimited}
    retry: {maxAttempts: 1}
read:
  streams:
    - name: orders
      primaryKey: [id]
      %s
""")


def spec(stream):
    return SPEC % stream


class Feed:
    """An API whose rows have a time of change; `since` is inclusive, `until` is not."""

    def __init__(self, encode=lambda when: when.strftime("%Y-%m-%dT%H:%M:%SZ"), decode=None):
        self.rows: dict[int, tuple[dt.datetime, int]] = {}
        self.encode = encode
        self.decode = decode or (dt.datetime.fromisoformat)
        self.inclusive_end = False
        self.size = 3

    def change(self, key, when, version):
        self.rows[key] = (when, version)

    def __call__(self, path, query):
        low = self._bound(query.get("since"), dt.datetime.min.replace(tzinfo=dt.UTC))
        high = self._bound(query.get("until"), dt.datetime.max.replace(tzinfo=dt.UTC))
        found = sorted(
            (when, key, version)
            for key, (when, version) in self.rows.items()
            if low <= when and (when <= high if self.inclusive_end else when < high)
        )
        at = int(query.get("cursor", 0))
        page = found[at : at + self.size]
        following = str(at + self.size) if at + self.size < len(found) else None
        rows = [{"id": k, "version": v, "updated": self.encode(w)} for w, k, v in page]
        return {"rows": rows, "next": following}

    def _bound(self, text, default):
        return default if text is None else self.decode(text).astimezone(dt.UTC)


def at(**shift):
    return START + dt.timedelta(**shift)


@pytest.fixture
def feed():
    return Feed()


def test_the_first_run_begins_at_start_and_the_next_at_the_highest_cursor(tmp_path, feed):
    for n in range(7):
        feed.change(n, at(days=n), 1)
    project = Project(
        tmp_path,
        spec('incremental: {cursorField: updated, startParam: since, start: "2024-01-02"}'),
        feed,
    )
    project.clock.now = at(days=30)
    first = project.load("orders")
    assert project.asked[0]["since"] == "2024-01-02"
    assert first.loaded.rows == 6
    feed.change(2, at(days=9), 2)
    feed.change(9, at(days=9), 1)
    second = project.load("orders")
    assert project.asked[-1]["since"] == "2024-01-07T00:00:00Z"
    assert (second.cursor_before, second.cursor_after) == (
        "2024-01-07T00:00:00Z",
        "2024-01-10T00:00:00Z",
    )
    assert project.table("select id, version from shop.orders order by id") == [
        (1, 1), (2, 2), (3, 1), (4, 1), (5, 1), (6, 1), (9, 1),
    ]  # fmt: skip


FORMATS = {
    "iso": (
        lambda when: when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        dt.datetime.fromisoformat,
        "2024-01-01",
    ),
    "epoch": (
        lambda when: int(when.timestamp()),
        lambda text: dt.datetime.fromtimestamp(int(text), dt.UTC),
        "2024-01-01",
    ),
    "epoch_ms": (
        lambda when: int(when.timestamp() * 1000),
        lambda text: dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC),
        "2024-01-01",
    ),
    '"%Y/%m/%d %H:%M:%S"': (
        lambda when: when.strftime("%Y/%m/%d %H:%M:%S"),
        lambda text: dt.datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=dt.UTC),
        "2024/01/01 00:00:00",
    ),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("window", ["", "window: P1D, endParam: until,"])
def test_every_format_is_sent_as_the_server_reads_it(tmp_path, form, window):
    encode, decode, start = FORMATS[form]
    feed = Feed(encode, decode)
    for n in range(10):
        feed.change(n, at(hours=7 * n), 1)
    project = Project(
        tmp_path,
        spec(
            f'incremental: {{cursorField: updated, startParam: since, start: "{start}", '
            f"{window} format: {form}}}"
        ),
        feed,
    )
    project.clock.now = at(days=4)
    assert project.load("orders").loaded.rows == 10
    feed.change(3, at(days=3, hours=1), 2)
    project.load("orders")
    assert project.table("select count(*), max(version) from shop.orders") == [(10, 2)]


def test_windows_with_an_inclusive_end_neither_overlap_nor_leave_a_gap(tmp_path):
    feed = Feed(
        lambda w: w.strftime("%Y-%m-%d"), lambda t: dt.datetime.fromisoformat(t + "T00:00:00+00:00")
    )
    feed.inclusive_end = True
    for n in range(40):
        feed.change(n, at(days=n), 1)
    text = spec(
        "incremental: {cursorField: updated, startParam: since, endParam: until, format: date, "
        'window: P1M, granularity: P1D, start: "2024-01-01"}'
    )
    project = Project(tmp_path, text, feed)
    project.clock.now = at(days=39, hours=5)
    assert project.load("orders").loaded.received == 40
    windows = sorted((a["since"], a["until"]) for a in project.asked if "cursor" not in a)
    assert windows == [("2024-01-01", "2024-01-31"), ("2024-02-01", "2024-02-09")]


def test_an_inclusive_server_does_not_double_appended_rows(tmp_path, feed):
    text = spec(
        "writeMode: append\n"
        "      incremental: {cursorField: updated, startParam: since, endParam: until, "
        'window: P1D, format: iso, start: "2024-01-01"}'
    )
    feed.inclusive_end = True
    for n in range(8):
        feed.change(n, at(hours=12 * (n // 2)), 1)
    project = Project(tmp_path, text, feed)
    project.clock.now = at(days=3)
    assert project.load("orders").loaded.rows == 8
    feed.change(8, at(hours=36), 1)
    project.clock.now = at(days=4)
    assert project.load("orders").loaded.rows == 9
    assert project.table("select count(distinct id) from shop.orders") == [(9,)]


def test_lookback_finds_rows_that_came_late(tmp_path, feed):
    text = spec(
        "incremental: {cursorField: updated, startParam: since, format: iso, lookback: PT6H}"
    )
    feed.change(1, at(hours=10), 1)
    project = Project(tmp_path, text, feed)
    project.clock.now = at(days=30)
    project.load("orders")
    feed.change(2, at(hours=5), 1)
    project.load("orders")
    assert project.asked[-1]["since"] == "2024-01-01T04:00:00Z"
    assert project.table("select count(*) from shop.orders") == [(2,)]


def test_a_start_that_moves_back_reads_the_earlier_part(tmp_path, feed):
    declared = 'incremental: {cursorField: updated, startParam: since, start: "%s"}'
    for n in range(6):
        feed.change(n, at(days=n), 1)
    project = Project(tmp_path, spec(declared % "2024-01-04"), feed)
    project.clock.now = at(days=30)
    assert project.load("orders").loaded.rows == 3
    project.use(spec(declared % "2024-01-01"))
    assert project.load("orders").loaded.rows == 6
    project.use(spec(declared % "2024-01-05"))
    project.load("orders")
    assert project.asked[-1]["since"] == "2024-01-06T00:00:00Z"


def test_a_client_filter_drops_old_rows_of_a_server_that_cannot(tmp_path):
    rows = [{"id": n, "updated": n} for n in (5, 1, 4, 2, 3)]
    project = Project(
        tmp_path,
        spec("incremental: {cursorField: updated, clientFilter: true}"),
        lambda path, query: {"rows": rows, "next": None},
    )
    assert project.load("orders").loaded.received == 5
    rows.append({"id": 6, "updated": 6})
    assert project.load("orders").loaded.received == 2
    assert project.table("select count(*) from shop.orders") == [(6,)]


def test_a_feed_sorted_newest_first_stops_at_what_is_known(tmp_path):
    rows = [{"id": n, "updated": n} for n in range(30, 0, -1)]

    def answer(path, query):
        start = int(query.get("cursor", 0))
        return {
            "rows": rows[start : start + 5],
            "next": str(start + 5) if start + 5 < len(rows) else None,
        }

    text = spec("incremental: {cursorField: updated, clientFilter: true, order: descending}")
    project = Project(tmp_path, text, answer)
    project.load("orders")
    project.asked.clear()
    rows[:0] = [{"id": n, "updated": n} for n in (33, 32, 31)]
    assert project.load("orders").loaded.rows == 33
    assert len(project.asked) == 1


def test_full_starts_over_and_replaces_the_table(tmp_path, feed):
    for n in range(4):
        feed.change(n, at(days=n), 1)
    project = Project(
        tmp_path, spec("incremental: {cursorField: updated, startParam: since}"), feed
    )
    project.clock.now = at(days=30)
    project.load("orders")
    del feed.rows[0]
    project.load("orders", full=True)
    assert "since" not in project.asked[-1]
    assert project.table("select count(*) from shop.orders") == [(3,)]
    assert project.cursor("orders")[""]["value"] == "2024-01-04T00:00:00Z"


def test_a_run_that_dies_between_windows_loses_and_doubles_nothing(tmp_path, feed):
    text = spec(
        "incremental: {cursorField: updated, startParam: since, endParam: until, format: iso, "
        'window: P1D, start: "2024-01-01"}'
    )
    for n in range(20):
        feed.change(n, at(hours=6 * n), 1)
    # One window after the other, so that it is known which of them are staged.
    text = text.replace("retry:", "rateLimit: {concurrency: 1}\n    retry:")
    project = Project(tmp_path, text, feed)
    project.clock.now = at(days=5)
    calls = []

    def fragile(path, query):
        calls.append(query)
        return (500, {}) if len(calls) == 5 else feed(path, query)

    project.answer = fragile
    with pytest.raises(ConnectorError, match="500"):
        project.load("orders")
    assert project.cursor("orders") is None
    project.clock.now = at(days=9)
    again = project.load("orders")
    assert again.resumed_rows > 0
    assert again.loaded.rows == 20


QUIET = (
    "incremental: {cursorField: updated, startParam: since, endParam: until, format: iso, "
    'window: P1D, start: "2024-01-01"%s}'
)


@pytest.mark.parametrize(("lookback", "asked"), [(", lookback: PT6H", 2), ("", 31)])
def test_windows_that_are_over_are_asked_again_only_where_rows_may_be_late(
    tmp_path, feed, lookback, asked
):
    project = Project(tmp_path, spec(QUIET % lookback), feed)
    project.clock.now = at(days=30)
    project.load("orders")
    project.clock.now = at(days=30, hours=12)
    project.asked.clear()
    project.load("orders")
    assert len(project.asked) == asked
    feed.change(1, at(days=30, hours=9), 1)  # within what lookback allows, or later than anything
    project.clock.now = at(days=30, hours=14)
    assert project.load("orders").loaded.rows == 1
    assert project.cursor("orders")[""]["value"] >= "2024-01-31T09:00:00Z"


def test_a_window_that_fails_moves_no_cursor(tmp_path, feed):
    project = Project(tmp_path, spec(QUIET % ", lookback: PT6H"), lambda *_: (500, {}))
    project.clock.now = at(days=3)
    with pytest.raises(ConnectorError, match="500"):
        project.load("orders")
    project.answer = feed
    feed.change(1, at(hours=1), 1)
    assert project.load("orders").loaded.rows == 1


def test_rows_without_the_cursor_are_loaded_with_a_note(tmp_path):
    project = Project(
        tmp_path,
        spec("incremental: {cursorField: changed, startParam: since}"),
        lambda path, query: {"rows": [{"id": 1, "updated": "x"}], "next": None},
    )
    done = project.load("orders")
    assert done.loaded.rows == 1
    assert any('no row has the cursor "changed"' in note for note in done.stats.notes)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ("writeMode: replace\n      incremental: {cursorField: u}", "primaryKey"),
        ("incremental: {cursorField: u, lookback: P1D}", "format: is required with lookback"),
        ("incremental: {cursorField: u, window: P1D, format: iso, startParam: s}", "start: is required"),
        ("incremental: {cursorField: u, lookback: 1 day, format: iso}", "lookback"),
        ("incremental: {cursorField: u, format: rfc822}", "format: must be one of as_is"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_when_it_is_read(stream, message):
    with pytest.raises(SpecError) as raised:
        parse_connector(spec(stream))
    assert message in str(raised.value)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 12),  # which row
        st.integers(0, 90),  # minutes until it changes
        st.integers(0, 50),  # minutes until the change becomes visible
        st.booleans(),  # whether a run comes next
    ),
    min_size=1,
    max_size=25,
)
MODES = [
    "incremental: {cursorField: updated, startParam: since, format: iso, lookback: PT1H}",
    (
        "incremental: {cursorField: updated, startParam: since, endParam: until, format: epoch, "
        'lookback: PT1H, window: PT2H, start: "2024-01-01"}'
    ),
    "incremental: {cursorField: updated, clientFilter: true, format: iso, lookback: PT1H}",
]


@pytest.mark.parametrize("mode", MODES, ids=["cursor", "windows", "client filter"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=EVENTS)
def test_over_any_timeline_the_table_ends_as_the_server(mode, events):
    """Changes become visible up to an hour late, which is what `lookback` allows for."""
    epoch = "epoch" in mode
    feed = (
        Feed(lambda w: int(w.timestamp()), lambda t: dt.datetime.fromtimestamp(int(t), dt.UTC))
        if epoch
        else Feed()
    )
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), spec(mode), feed)
        pending = []
        for version, (key, wait, delay, runs) in enumerate(events):
            project.clock.now += dt.timedelta(minutes=wait)
            pending.append(
                (project.clock.now + dt.timedelta(minutes=delay), key, project.clock.now, version)
            )
            pending = _publish(feed, pending, project.clock.now)
            if runs:
                project.load("orders")
        project.clock.now += dt.timedelta(hours=1)
        _publish(feed, pending, project.clock.now)
        project.load("orders")
        found = dict(project.table("select id, version from shop.orders")) if feed.rows else {}
        assert found == {key: version for key, (_, version) in feed.rows.items()}


def _publish(feed, pending, now):
    for visible, key, changed, version in sorted(pending):
        known = feed.rows.get(key)
        if visible <= now and (known is None or known[1] < version):
            feed.change(key, changed, version)
    return [event for event in pending if event[0] > now]
