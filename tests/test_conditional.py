"""Lists that are asked for only if they changed: a 304 keeps the table, and nothing else does."""

from __future__ import annotations

import json
import subprocess
import sys
from email.utils import formatdate

import duckdb
import pytest

from connector_assets.errors import RequestError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from connector_assets.sync import table_of
from tests.loopback import serving
from tests.shop import shop_spec
from tests.spec.documents import SEED, lines, with_
from tests.syncing import sync

SPEC = shop_spec("""
auth: [{type: none}]
endpoints:
  - id: items
    url: "{{base_url}}/items"
    params: {state: all}
    responseRowsPath: rows
    pagination: {type: cursor, cursorField: next}
    conditional: etag
    retry: {maxAttempts: 1}
read:
  streams:
    - {name: items, primaryKey: [id]}
""")
FEED = "{name: items, primaryKey: [id], incremental: {cursorField: id%s}, writeMode: %s}"


class Shelf:
    """A list with an ETag and a date; `pages` parts it."""

    def __init__(self, rows=3):
        self.rows = [{"id": n} for n in range(1, rows + 1)]
        self.pages, self.changed, self.now, self.plain = 1, 1000, 2000, False

    def put(self, *ids):
        self.rows += [{"id": n} for n in ids]
        self.changed = self.now
        self.now += 1000

    def __call__(self, request):
        page, since = int(request.query.get("cursor", 0)), int(request.query.get("since", 0))
        rows = [row for row in self.rows if row["id"] >= since]
        etag = f'"{len(rows)}-{page}"'
        headers = {"ETag": etag, "Last-Modified": formatdate(self.changed, usegmt=True)}
        asked = request.headers
        same = asked.get("if-none-match") == etag or (
            asked.get("if-modified-since") == headers["Last-Modified"]
        )
        if same:
            return 304, b"", headers
        step = -(-len(rows) // self.pages) or 1
        body = {
            "rows": rows[page * step : (page + 1) * step],
            "next": str(page + 1) if page + 1 < self.pages else None,
        }
        return 200, body, {} if self.plain else headers


@pytest.fixture
def api():
    with serving(Shelf()) as server:
        yield server


class Shop:
    def __init__(self, api, tmp_path):
        self.api, self.folder = api, tmp_path
        self.destination = DuckDBDestination(tmp_path / "data.duckdb")
        self.runtime = HttpRuntime([api.host])

    def load(self, text=SPEC, **given):
        environ = {"SHOP__BASE_URL": self.api.origin}
        connector = YamlConnector(parse_connector(text), self.runtime)
        self.connection = Connection("shop", connector, environ=environ)
        return sync(
            self.connection, "items", self.destination, staging=self.folder / "staging", **given
        )

    def ids(self):
        return [row[0] for row in self.sql("select id from shop.items order by id")]

    def sql(self, text):
        with duckdb.connect(str(self.folder / "data.duckdb")) as db:
            return db.sql(text).fetchall() if text.startswith("select") else db.execute(text)

    @property
    def state(self):
        return self.destination.read_cursor(
            table_of(self.connection, self.connection.stream("items"))
        )

    @property
    def asked(self):
        """The validators of the requests so far, None for each without."""
        names = ("if-none-match", "if-modified-since")
        return [
            next((r.headers[name] for name in names if name in r.headers), None)
            for r in self.api.seen
        ]


@pytest.fixture
def shop(api, tmp_path):
    made = Shop(api, tmp_path)
    yield made
    made.runtime.close()


def test_a_304_keeps_the_table_and_says_so(shop):
    assert not shop.load().unchanged
    again = shop.load()
    assert (again.unchanged, again.loaded.rows, again.loaded.received) == (True, 3, 0)
    assert [column.name for column in again.loaded.columns] == ["id"]
    assert (shop.asked, shop.ids()) == ([None, '"3-0"'], [1, 2, 3])


def test_a_list_that_changed_is_loaded_and_its_new_validator_kept(shop, api):
    shop.load()
    api.answer.put(4)
    assert not shop.load().unchanged
    assert shop.load().unchanged
    assert (shop.asked, shop.ids()) == ([None, '"3-0"', '"4-0"'], [1, 2, 3, 4])


def test_the_date_of_the_last_change_does_as_well(shop):
    text = SPEC.replace("etag", "last_modified")
    shop.load(text)
    assert shop.load(text).unchanged
    assert shop.asked[1] == formatdate(1000, usegmt=True)


def test_a_date_within_the_second_of_the_answer_is_not_trusted(shop, api):
    api.answer.changed = 2**33  # after the answer itself
    text = SPEC.replace("etag", "last_modified")
    shop.load(text)
    shop.load(text)
    assert shop.asked == [None, None]


def test_a_list_of_several_pages_is_read_in_full_each_time(shop, api):
    api.answer.pages = 2
    shop.load()
    api.answer.rows[2] = {"id": 9}
    shop.load()
    assert (shop.asked, shop.ids()) == ([None] * 4, [1, 2, 9])


def test_a_list_that_grows_to_several_pages_is_not_unchanged_later(shop, api):
    shop.load()
    api.answer.pages = 2
    api.answer.put(4)
    shop.load()
    api.answer.rows[3] = {"id": 9}
    shop.load()
    assert shop.ids() == [1, 2, 3, 9]


def test_a_list_that_may_lack_rows_is_asked_for_again(shop, api):
    """Its server tells of more rows than it gives: that it is unchanged says nothing of those."""
    shelf = api.answer

    def answer(request):
        status, body, headers = shelf(request)
        return status, {**body, "total": 5} if body else body, headers

    api.answer = answer
    paged = "{type: offset, pageSize: 10, stopOn: short, totalField: total}"
    text = SPEC.replace("{type: cursor, cursorField: next}", paged)
    assert not shop.load(text).complete
    assert not shop.load(text).unchanged
    assert shop.asked == [None, None]


def test_a_304_that_nobody_asked_for_is_an_error(shop, api):
    shop.load()
    api.answer = lambda _request: (304, b"")
    with pytest.raises(RequestError, match="304"):
        shop.load(SPEC.replace("conditional: etag", "method: GET"))
    assert shop.ids() == [1, 2, 3]


def test_full_reads_everything_whatever_is_known(shop):
    shop.load()
    assert not shop.load(full=True).unchanged
    assert shop.load().unchanged
    assert shop.asked == [None, None, '"3-0"']


@pytest.mark.parametrize(
    "change",
    [
        ("state: all", "state: open"),
        ("primaryKey: [id]", "primaryKey: [id], where: '{{record.id > 1}}'"),
        ("primaryKey: [id]", "primaryKey: [id], fields: {add: {n: 1}}"),
    ],
)
def test_another_spec_reads_everything(shop, change):
    shop.load()
    shop.load(SPEC.replace(*change))
    assert shop.asked == [None, None]


@pytest.mark.parametrize("sql", ["drop table shop.items", "delete from shop.items"])
def test_a_table_that_was_dropped_or_emptied_is_read_again(shop, sql):
    shop.load()
    shop.sql(sql)
    assert not shop.load().unchanged
    assert (shop.asked, shop.ids()) == ([None, None], [1, 2, 3])


def test_a_validator_of_an_earlier_table_is_not_used_again(shop, api):
    """It would be right about the list, and wrong about the table, which has another one by now."""
    shop.load()
    api.answer.put(4)
    shop.load(SPEC.replace("conditional: etag", "method: GET"))
    del api.answer.rows[3]
    assert not shop.load().unchanged
    assert shop.ids() == [1, 2, 3]


def test_a_server_that_stops_sending_validators_is_read_in_full(shop, api):
    shop.load()
    api.answer.plain = True
    api.answer.put(4)
    shop.load()
    api.answer.plain = False
    del api.answer.rows[3]
    assert not shop.load().unchanged
    assert shop.ids() == [1, 2, 3]


def test_rows_and_validator_are_one(shop, api):
    """A load that fails keeps neither, so that the next one does not take them for loaded."""

    def fence():
        raise RequestError("killed")

    with pytest.raises(RequestError, match="killed"):
        shop.load(fence=fence)
    assert shop.load().loaded.rows == 3
    assert shop.load().unchanged


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_a_304_leaves_the_cursor_where_it_is(shop, api, mode):
    text = SPEC.replace("{name: items, primaryKey: [id]}", FEED % (", clientFilter: true", mode))
    shop.load(text)
    before = shop.state
    assert before[""]["value"] == 3
    assert shop.load(text).unchanged
    assert shop.state == before
    api.answer.put(4)
    assert shop.load(text).cursor_after == 4
    assert shop.ids() == [1, 2, 3, 4]


def test_a_cursor_that_moved_makes_another_request(shop, api):
    text = SPEC.replace("{name: items, primaryKey: [id]}", FEED % (", startParam: since", "merge"))
    shop.load(text)
    shop.load(text)  # since=3: asked for the first time
    assert shop.load(text).unchanged
    api.answer.put(4)
    shop.load(text)
    assert (shop.asked, shop.ids()) == ([None, None, '"1-0"', '"1-0"'], [1, 2, 3, 4])


def test_scd2_still_sees_what_is_gone(shop, api):
    text = SPEC.replace("primaryKey: [id]", "primaryKey: [id], writeMode: scd2")
    shop.load(text)
    assert shop.load(text).unchanged
    del api.answer.rows[0]
    shop.load(text)
    current = shop.sql("select count(*) from shop.items where _valid_to is null")
    assert current == [(2,)]


def test_the_command_line_says_that_nothing_changed(api, tmp_path):
    (tmp_path / "shop.yaml").write_text(SPEC)
    command = [
        *(sys.executable, "-m", "connector_assets.cli", "load", "shop.yaml"),
        *("--config", f"base_url={api.origin}", "--allow-private", api.host),
    ]
    told = [
        subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, check=True)
        for more in ((), (), ("--json",))
    ]
    assert "items: unchanged; shop.items in duckdb:///" in told[1].stdout.replace(
        "shop.items:", "items:"
    )
    assert json.loads(told[2].stdout)["unchanged"] is True


def test_a_preview_asks_for_the_list(shop):
    shop.load()
    reading = shop.connection.open("items", preview=True)
    assert sum(batch.count for batch in shop.connection.connector.read(reading)) == 3


FOR_EACH = "makes many requests, and the endpoint's conditional remembers one"
MOVING = "asks for another time in each run, so conditional never applies; remove one"
WITH = with_("    method: GET\n", "    conditional: etag\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            with_("    method: GET\n", "    method: POST\n    conditional: etag\n"),
            "endpoints.0.conditional: is for GET; a POST always acts",
        ),
        (
            with_("    params:\n", "    headers: {If-None-Match: x}\n    params:\n", WITH),
            "endpoints.0.headers.If-None-Match: is set by conditional; remove it",
        ),
        (
            with_(
                "  resourceTypes: [Item]\n",
                "  streams: [{name: a, forEach: [{values: [1], as: x}]}]\n",
                WITH,
            ),
            "read.streams.0.forEach: " + FOR_EACH,
        ),
        (
            with_(
                "  resourceTypes: [Item]\n",
                "  streams: [{name: a, primaryKey: [id], incremental: {cursorField: at, "
                "endParam: until}}]\n",
                WITH,
            ),
            "read.streams.0.incremental.endParam: " + MOVING,
        ),
    ],
)
def test_where_it_means_nothing_it_is_a_fault(text, said):
    assert lines(text) == [said]


def test_it_is_valid_beside_a_cursor():
    assert lines(with_("    method: GET\n", "    conditional: last_modified\n", SEED)) == []
