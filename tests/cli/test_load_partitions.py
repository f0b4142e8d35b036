"""`connector-assets load --partition`, and a connection's own start."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.assets.test_partitions import DAILY, SPEC, Shop
from tests.loopback import serving


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def api(shop):
    with serving(shop) as server:
        yield server


@pytest.fixture
def connected(project, api, monkeypatch):
    """Writes the connection `eu` with these streams."""

    def write(streams):
        head = 'kind: connection\nversion: "1.0"\nid: eu\nconnector: shop\n'
        for path, text in (("specs/shop.yaml", SPEC), ("connections/eu.yaml", head + streams)):
            (project / path).parent.mkdir(exist_ok=True)
            (project / path).write_text(text)

    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    return write


def ids(table):
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        return [row[0] for row in tables.sql(f"select id from {table} order by id").fetchall()]


def test_one_partition_is_loaded(cli, connected, api):
    connected(f"streams: {{orders: {{partitions: {DAILY}}}, stock: }}\n")
    done = cli("load", "eu", "--partition", "2024-01-02")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("eu.orders [2024-01-02]: served 1 row")
    assert [r.path for r in api.seen] == ["/orders"]
    assert ids("eu.orders") == [2]


def test_a_range_is_a_load_for_each(cli, connected):
    connected(f"streams: {{orders: {{partitions: {DAILY}}}}}\n")
    done = cli("load", "eu", "--partition", "2024-01-02...2024-01-04", "--json")
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["stream"], one["partition"], one["rows"]) for one in told] == [
        ("orders", "2024-01-02", 1),
        ("orders", "2024-01-03", 2),
        ("orders", "2024-01-04", 3),
    ]


def test_without_a_partition_the_other_streams_are_loaded_and_the_exit_code_tells(cli, connected):
    connected(f"streams: {{orders: {{partitions: {DAILY}}}, stock: }}\n")
    done = cli("load", "eu")
    assert done.code == 1
    assert done.err == "eu.orders: has partitions; choose one: --partition 2024-01-04\n"
    assert done.out.startswith("eu.stock: served 4 rows")


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (
            "2024-01-05",
            'eu.orders [2024-01-05]: "2024-01-05" is not a daily partition; use one from 2024-01-01 to 2024-01-04',
        ),
        (
            "2024-01-01...2024-02-01",
            'eu.orders: "2024-02-01" is not a partition; use one from 2024-01-01 to 2024-01-04',
        ),
        (
            "2024-01-03...2024-01-02",
            "eu.orders: the range ends before it begins; name the first partition first",
        ),
    ],
)  # fmt: skip - a table
def test_a_partition_that_is_not_there_is_one_line(cli, connected, key, error):
    connected(f"streams: {{orders: {{partitions: {DAILY}}}}}\n")
    done = cli("load", "eu", "--partition", key)
    assert (done.code, done.err.strip()) == (1, error)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["stock"], "eu.stock [2024-01-01]: has no partitions; leave the partition out"),
        ([], "eu: has no partitions; leave --partition out"),
    ],
)
def test_a_partition_of_a_stream_without_is_one_line(cli, connected, args, error):
    connected("streams: [stock]\n")
    done = cli("load", "eu", *args, "--partition", "2024-01-01")
    assert (done.code, done.err.strip()) == (1, error)


def test_a_connection_may_start_elsewhere_and_moving_back_reads_again(cli, connected, api):
    def asked(start):
        api.seen.clear()
        connected(f'streams: {{orders: {{incremental: {{start: "{start}"}}}}}}\n')
        assert cli("load", "eu").code == 0
        return api.seen[0].query["since"]

    assert asked("2024-01-03") == "2024-01-03T00:00:00Z"
    assert ids("eu.orders") == [3, 4]
    assert asked("2024-01-04") == "2024-01-04T10:00:00Z"  # forward: the cursor is beyond it
    assert asked("2024-01-02") == "2024-01-02T00:00:00Z"
    assert ids("eu.orders") == [2, 3, 4]


@pytest.mark.parametrize(
    ("streams", "fault"),
    [
        (
            'stock: {incremental: {start: "2024-01-01"}}',
            "5:32: streams.stock.incremental: needs a stream with incremental",
        ),
        (
            f'orders: {{incremental: {{start: "2024-01-01"}}, partitions: {DAILY}}}',
            "5:41: streams.orders.incremental.start: is for a stream without partitions; they have a start",
        ),
    ],
)  # fmt: skip - a table
def test_settings_that_do_not_fit_the_stream_are_faults_at_their_place(
    cli, connected, streams, fault
):
    connected(f"streams: {{{streams}}}\n")
    done = cli("validate", "connections")
    assert done.code == 1
    assert f"connections/eu.yaml:{fault}" in done.err


PAGED = SPEC.replace(
    '{id: orders, url: "{{base_url}}/orders"}',
    '{id: orders, url: "{{base_url}}/orders", pagination: {type: cursor, cursorField: next, maxPages: 9}}',
)


def test_an_interrupted_partition_goes_on_and_no_other_begins_where_it_was(cli, connected, api):
    answers = {"broken": True}

    def pages(request):
        page, day = int(request.query.get("cursor", 0)), request.query["since"][8:10]
        if answers["broken"] and page == 1 and day == "02":
            return 500, {}
        row = {"id": int(day) * 10 + page, "updated": request.query["since"]}
        return {"rows": [row], "next": str(page + 1) if page < 2 else None}

    connected(f"streams: {{orders: {{partitions: {DAILY}}}}}\n")
    Path("specs/shop.yaml").write_text(PAGED)
    api.answer = pages
    assert cli("load", "eu", "--partition", "2024-01-02").code == 1
    answers["broken"] = False
    told = json.loads(cli("load", "eu", "--partition", "2024-01-03", "--json").out)
    assert (told["resumedRows"], told["pages"]) == (0, 3)
    told = json.loads(cli("load", "eu", "--partition", "2024-01-02", "--json").out)
    assert (told["resumedRows"], told["pages"]) == (1, 2)
    assert ids("eu.orders") == [20, 21, 22, 30, 31, 32]


def test_full_replaces_a_partition_alone(cli, connected, shop):
    connected(f"streams: {{orders: {{partitions: {DAILY}}}}}\n")
    assert cli("load", "eu", "--partition", "2024-01-01...2024-01-04").code == 0
    shop.orders[9] = shop.orders.pop(2)
    assert cli("load", "eu", "--partition", "2024-01-02", "--full").code == 0
    assert ids("eu.orders") == [1, 3, 4, 9]


def test_a_value_of_a_list_has_a_cursor_of_its_own(cli, connected, api):
    connected("streams: {stock: {partitions: {type: each, of: region}}}\n")
    more = "      primaryKey: [region, n]\n      incremental: {cursorField: n, startParam: after}\n"
    stock = "    - name: stock\n"
    Path("specs/shop.yaml").write_text(SPEC.replace(stock, stock + more))
    for region in ("eu", "eu", "us"):
        assert cli("load", "eu", "--partition", region).code == 0
    asked = [(r.path, r.query.get("after")) for r in api.seen]
    assert asked == [("/stock/eu", None), ("/stock/eu", "1"), ("/stock/us", None)]


def test_the_rows_of_a_parent_are_partitions_also_by_range(cli, connected, project, api):
    connected("streams: {orders: , lines: {partitions: {type: each, of: order}}}\n")
    lines = "    - {name: lines, endpoint: line, forEach: [{parent: {stream: orders, field: id, as: order}}]}\n"
    endpoint = '  - {id: line, url: "{{base_url}}/stock/{{order}}"}\nread:'
    spec = SPEC.replace("read:", endpoint, 1).rstrip() + f"\n{lines}"
    (project / "specs/shop.yaml").write_text(spec)
    assert cli("load", "eu", "lines", "--partition", "2").code == 1  # its parent has no table yet
    assert cli("load", "eu", "orders").code == 0
    assert cli("load", "eu", "lines", "--partition", "2").code == 0
    assert cli("load", "eu", "lines", "--partition", "1...3").code == 0
    assert [r.path for r in api.seen[1:]] == [f"/stock/{n}" for n in (2, 1, 2, 3)]
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        rows = tables.sql("select region, n from eu.lines order by all").fetchall()
    assert rows == [(str(one), n) for one in (1, 2, 3) for n in (0, 1)]
