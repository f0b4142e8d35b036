"""What a stream's position is: read as declared, never beyond now, kept for rows that have none."""

from __future__ import annotations

import datetime as dt

import pytest

from connector_assets.errors import ConnectorError
from connector_assets.spec.document import parse_connector
from connector_assets.spec.stream.cursor import Unreadable, higher, read, written_like
from tests.shop import shop_spec
from tests.timeline import Project

NOW = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)


def spec(stream, endpoint="", more=""):
    return f"""
kind: connector
version: "1.0"
id: shop
displayName: Shop
endpoints:
  - {{id: items, url: "https://api.example.com/items"{endpoint}}}
  {more}
read:
  streams:
    - {{name: items, primaryKey: [id], {stream}}}
"""


def project_of(tmp_path, text, answer):
    made = Project(tmp_path, text, answer)
    made.clock.now = NOW
    return made


def ids(project):
    return sorted(row[0] for row in project.table("select id from shop.items"))


def asked(project):
    return [{k: v for k, v in query.items() if k != "path"} for query in project.asked]


@pytest.mark.parametrize(
    ("low", "high", "declared", "is_time"),
    [
        (9, 10, None, False),
        ("9", "10", None, False),
        ("9.5", "10.5", None, False),
        (9.5, "10", None, False),
        ("2024-01-02", "2024-01-02T00:00:01Z", None, False),
        ("2024-01-02T23:00:00-02:00", "2024-01-03T02:00:00Z", None, False),
        (1704189600, 1704189600001, None, True),
        ("1704189600", 1704189600000001, None, True),
        (1704189600000, 1704189601000000000, None, True),
        (20240102, "2024-01-03", None, True),
        ("12/31/2024", "01/05/2025", "%m/%d/%Y", False),
        ("01ARZ3NDEK", "01ARZ3NDEM", "text", False),
        ("10", "9", "text", False),
        (1_704_189_600, "1704189601", "epoch", False),
        (5, 6, "epoch_us", False),
        ("9", "10", "number", False),
        ("2024-01-02", "2024-01-03T00:00:00Z", "iso", False),
    ],
)
def test_positions_compare_as_what_they_are(low, high, declared, is_time):
    first, second = (read(raw, declared, is_time=is_time) for raw in (low, high))
    assert higher(second, first)
    assert not higher(first, second)


@pytest.mark.parametrize(
    ("raw", "declared", "is_time"),
    [
        ("n/a", None, False),
        ("12/31/2024", None, False),
        ("01ARZ3NDEK", None, False),
        (True, None, False),
        ([1], None, False),
        ({}, "text", False),
        ("x", "number", False),
        ("2024-01-02", "%m/%d/%Y", False),
        (10**30, None, True),
        (10**10, None, True),
        (10**18, "epoch", False),
        (1e300, None, True),
        (float("nan"), None, True),
    ],
)
def test_what_cannot_be_a_position_is_said(raw, declared, is_time):
    with pytest.raises(Unreadable):
        read(raw, declared, is_time=is_time)


@pytest.mark.parametrize(
    ("raw", "declared", "written"),
    [
        ("2099-12-31T00:00:00Z", None, "2024-06-01T12:00:00Z"),
        ("2099-12-31", None, "2024-06-01"),
        (4102444800, None, 1717243200),
        ("4102444800000", None, "1717243200000"),
        ("12/31/2099", "%m/%d/%Y", "06/01/2024"),
        (4102444800000000, "epoch_us", 1717243200000000),
        (4102444800000000000, None, 1717243200000000000),
        (20991231, None, 20240601),
    ],
)
def test_now_is_written_as_the_row_writes_its_time(raw, declared, written):
    assert written_like(raw, declared, NOW) == written


MODES = ["", "writeMode: append, "]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", ["T00:00:00Z", ""])
def test_a_row_of_the_future_keeps_no_later_row_out_and_comes_once(tmp_path, mode, form):
    rows = [{"id": 1, "at": f"2024-01-02{form}"}, {"id": 2, "at": f"2099-12-31{form}"}]

    def answer(_path, query):
        since = query.get("since", "")
        return [row for row in rows if row["at"] >= since]

    stream = f"{mode}incremental: {{cursorField: at, startParam: since}}"
    project = project_of(tmp_path, spec(stream), answer)
    done = project.load("items")
    assert any("later than now" in note for note in done.stats.notes)
    for day in (2, 3, 4):
        rows.append({"id": day + 1, "at": f"2024-06-0{day}{form}"})
        project.clock.now += dt.timedelta(days=1)
        project.load("items")
    assert ids(project) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("nothing", [{"at": None}, {"at": ""}, {}])
def test_rows_without_a_position_are_kept_once_and_leave_it_alone(tmp_path, mode, nothing):
    asked = []

    def answer(_path, query):
        asked.append(query.get("since"))
        return [{"id": 1, "at": "2024-01-02T00:00:00Z"}, {"id": 2, **nothing}]

    stream = f"{mode}incremental: {{cursorField: at, startParam: since}}"
    project = project_of(tmp_path, spec(stream), answer)
    for _ in range(3):
        project.load("items")
    assert ids(project) == [1, 2]
    assert asked == [None, "2024-01-02T00:00:00Z", "2024-01-02T00:00:00Z"]


@pytest.mark.parametrize("mode", MODES)
def test_a_value_that_is_no_position_names_its_row_or_is_set_aside(tmp_path, mode):
    rows = [
        {"id": 1, "at": "2024-01-02T00:00:00Z"},
        {"id": 2, "at": "n/a", "name": "Ada"},
        {"id": 3, "at": "2024-01-03T00:00:00Z"},
    ]
    stream = f"{mode}incremental: {{cursorField: at, startParam: since}}"
    project = project_of(tmp_path, spec(stream), lambda *_: rows)
    with pytest.raises(ConnectorError, match=r"row 2 of a page.*cursorFormat"):
        project.load("items")
    project.use(spec(f"{stream}, schemaPolicy: quarantine, fields: {{mask: {{name: redact}}}}"))
    done = project.load("items")
    assert (ids(project), done.loaded.rejected) == ([1, 3], 1)
    ((reason, row),) = project.table('select reason, row from shop."items__rejected"')
    assert "neither a number nor an ISO 8601" in reason
    assert "Ada" not in str(row)
    assert "_connector_assets" not in str(row)


def test_rows_on_the_stored_cursor_come_once_in_any_order(tmp_path):
    rows = [{"id": 1, "at": 5}, {"id": 2, "at": 5}]
    stream = "writeMode: append, incremental: {cursorField: at, startParam: since}"
    project = project_of(tmp_path, spec(stream), lambda *_: rows)
    project.load("items")
    rows.insert(0, {"id": 3, "at": 6})
    project.load("items")
    assert ids(project) == [1, 2, 3]


def test_ids_that_sort_as_texts_say_so(tmp_path):
    rows = [{"id": 1, "at": "01HA"}, {"id": 2, "at": "01HB"}]
    declared = "incremental: {cursorField: at, startParam: since%s}"
    project = project_of(tmp_path, spec(declared % ""), lambda *_: rows)
    with pytest.raises(ConnectorError, match="cursorFormat"):
        project.load("items")
    project.use(spec(declared % ", cursorFormat: text"))
    assert project.load("items").cursor_after == "01HB"


def test_the_cursor_may_be_a_field_that_is_made(tmp_path):
    def answer(_path, query):
        since = query.get("since", "")
        days = [day for day in ("2024-01-02", "2024-01-03") if day >= since]
        return [{"id": day, "day": day[8:], "month": "2024-01"} for day in days]

    stream = (
        'writeMode: append, fields: {add: {at: "{{record.month}}-{{record.day}}"}, '
        "rename: {at: seen_at}}, incremental: {cursorField: at, startParam: since}"
    )
    project = project_of(tmp_path, spec(stream), answer)
    project.load("items")
    project.load("items")
    assert project.asked[-1]["since"] == "2024-01-03"
    assert project.table("select seen_at::varchar from shop.items order by 1") == [
        ("2024-01-02",),
        ("2024-01-03",),
    ]


def test_the_window_is_the_position_where_rows_have_no_time(tmp_path):
    stream = (
        'incremental: {startParam: from, endParam: to, start: "2024-05-01", format: date, '
        "window: P30D}"
    )
    project = project_of(tmp_path, spec(stream), lambda _p, query: [{"id": query["from"]}])
    project.load("items")
    assert sorted((q["from"], q["to"]) for q in project.asked) == [  # windows are read side by side
        ("2024-05-01", "2024-05-31"),
        ("2024-05-31", "2024-06-01"),
    ]
    project.clock.now += dt.timedelta(days=2)
    assert project.load("items").cursor_before == "2024-06-01T12:00:00Z"
    assert (project.asked[-1]["from"], project.asked[-1]["to"]) == ("2024-06-01", "2024-06-03")


TOKEN = "incremental: {tokenField: sync, startParam: token}"


class Synced:
    """A list in two pages whose last answer has a token; `gone` are tokens it forgot."""

    def __init__(self):
        self.rows, self.gone, self.cut = {1: "a", 2: "b", 3: "c"}, set(), False

    def __call__(self, _path, query):
        if query.get("token") in self.gone:
            return 410, {}
        known = int(query.get("token", 0))
        found = [{"id": n, "v": v} for n, v in self.rows.items() if n > known]
        at = int(query.get("cursor", 0))
        page = found[at : at + 2]
        body = {"rows": page, "total": len(found) + self.cut}
        if at + 2 < len(found):
            return {**body, "next": str(at + 2)}
        return {**body, "sync": str(max(self.rows))}


PAGED = ", responseRowsPath: rows, pagination: {type: cursor, cursorField: next}"


def test_a_token_of_the_answer_is_sent_the_next_time(tmp_path):
    server = Synced()
    project = project_of(tmp_path, spec(TOKEN, PAGED), server)
    assert project.load("items").cursor_after == "a token"
    server.rows[4] = "d"
    project.load("items")
    assert asked(project)[-1] == {"token": "3"}
    assert ids(project) == [1, 2, 3, 4]
    assert project.cursor("items")[""] == {"token": "4"}


def test_a_token_that_is_gone_starts_anew(tmp_path):
    server = Synced()
    project = project_of(tmp_path, spec(TOKEN, PAGED), server)
    project.load("items")
    server.gone.add("3")
    server.rows[1] = "changed"
    done = project.load("items")
    assert asked(project)[-3:] == [{"token": "3"}, {}, {"cursor": "2"}]
    assert any("begun anew" in note for note in done.stats.notes)
    assert project.table("select v from shop.items where id = 1") == [("changed",)]


def test_a_token_is_not_kept_of_a_list_that_is_not_complete(tmp_path):
    server = Synced()
    server.cut = True
    counted = ", responseRowsPath: rows, pagination: {type: page, pageSize: 9, totalField: total}"
    project = project_of(tmp_path, spec(TOKEN, counted), server)
    done = project.load("items")
    assert not done.complete
    assert project.cursor("items") in (None, {}, {"": {}})


def test_a_delta_link_is_followed(tmp_path):
    def answer(path, query):
        if path == "/delta":
            return {
                "rows": [{"id": 2}],
                "link": f"https://api.example.com/delta?t={int(query['t']) + 1}",
            }
        return {"rows": [{"id": 1}], "link": "https://api.example.com/delta?t=1"}

    project = project_of(
        tmp_path,
        spec("incremental: {tokenField: link}", ", responseRowsPath: rows, params: {q: a}"),
        answer,
    )
    for _ in range(3):
        project.load("items")
    assert asked(project) == [{"q": "a"}, {"t": "1"}, {"t": "2"}]


PARENTS = shop_spec("""
endpoints:
  - {id: orders, url: "https://api.example.com/orders"}
  - {id: items, url: "https://api.example.com/items/{{customer}}"}
read:
  streams:
    - {name: orders, primaryKey: [id]}
    - {name: items, forEach: [{parent: {stream: orders, field: customer}}]%s}
""")


@pytest.mark.parametrize("from_table", [True, False])
def test_an_item_is_read_once_however_often_its_key_comes(tmp_path, from_table):
    paths = []

    def answer(path, _query):
        paths.append(path)
        if path == "/orders":
            return [{"id": n, "customer": c} for n, c in ((1, 7), (2, 7), (3, 9))]
        return [{"id": f"{path[-1]}{x}"} for x in "ab"]

    project = project_of(tmp_path, PARENTS % "", answer)
    project.load("orders")
    project.load("items")
    assert ids(project) == ["7a", "7b", "9a", "9b"]
    assert sorted(paths) == ["/items/7", "/items/9", "/orders"]


def test_parents_without_a_key_follow_on_item_error(tmp_path):
    def answer(path, _query):
        if path == "/orders":
            return [{"id": 1, "customer": None}, {"id": 2, "customer": 9}]
        return [{"id": path[-1]}]

    project = project_of(tmp_path, PARENTS % "", answer)
    project.load("orders")
    with pytest.raises(ConnectorError, match='no "customer"'):
        project.load("items")
    project.use(PARENTS % ", onItemError: skip")
    done = project.load("items")
    assert ids(project) == ["9"]
    assert done.stats.failed_items == 1
    assert any('no "customer"' in note for note in done.stats.notes)


@pytest.mark.parametrize(
    ("incremental", "at"),
    [
        ("{}", "cursorField"),
        ("{cursorField: a, tokenField: b}", "tokenField"),
        ("{tokenField: b, startParam: t, window: P1D}", "window"),
        ("{tokenField: b, startParam: t, clientFilter: true}", "clientFilter"),
        ("{startParam: f, start: '2024-01-01', format: date, cursorFormat: text}", "cursorFormat"),
        ("{cursorField: a, cursorFormat: nope}", "cursorFormat"),
        ("{cursorField: a, cursorFormat: '%Q'}", "cursorFormat"),
    ],
)
def test_what_does_not_fit_together_is_a_fault(incremental, at):
    with pytest.raises(ConnectorError, match=f"incremental.{at}"):
        parse_connector(spec(f"incremental: {incremental}"))
