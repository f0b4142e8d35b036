"""One stream from a loopback API into a DuckDB file: whole, or not at all."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import duckdb
import pytest

from connector_assets.errors import (
    Busy,
    Cancelled,
    ConfigError,
    ConnectorError,
    LoadError,
    PageLimit,
    RowsError,
)
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.project.project import connection_from_file, discover
from connector_assets.reading.connector import ReadContext
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from connector_assets.spec.names.names import variable_names
from tests.loopback import serving
from tests.shop import shop_spec
from tests.syncing import sync

SPEC = shop_spec("""
secrets: {token: {description: API token}}
auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]
endpoints:
  - id: items
    url: "{{base_url}}/items"
    params: {state: all}
    responseRowsPath: rows
    pagination: {type: cursor, cursorField: next, maxPages: 10}
    retry: {maxAttempts: 1}
read:
  streams:
    - {name: items, primaryKey: [id]}
""")
SECRET = "tok-5f1c9a"


def pages(count, size=3):
    def answer(request):
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return 401, {"error": "no"}
        page = int(request.query.get("cursor", 0))
        rows = [{"id": page * size + n, "page": page} for n in range(size)]
        return {"rows": rows, "next": str(page + 1) if page + 1 < count else None}

    return answer


@pytest.fixture
def api():
    with serving(pages(4)) as server:
        yield server


@pytest.fixture
def load(api, tmp_path):
    """Loads the stream with given changes; `load.table()` shows what the table holds."""
    environ = {"SHOP__BASE_URL": api.origin, "SHOP__TOKEN": SECRET}
    destination = DuckDBDestination(tmp_path / "data.duckdb")
    runtime = HttpRuntime([api.host])

    def run(text=SPEC, **given):
        connector = YamlConnector(parse_connector(text), runtime)
        connection = Connection("shop", connector, environ=environ)
        return sync(connection, "items", destination, staging=tmp_path / "staging", **given)

    def table():
        with duckdb.connect(str(tmp_path / "data.duckdb"), read_only=True) as db:
            return [row[0] for row in db.sql("select id from shop.items order by id").fetchall()]

    run.table, run.environ, run.tmp = table, environ, tmp_path
    yield run
    runtime.close()


def test_every_page_arrives_and_a_second_run_gives_the_same_table(load, api):
    first = load()
    assert load.table() == list(range(12))
    assert (first.loaded.rows, first.stats.pages, first.stats.calls) == (12, 4, 4)
    load()
    assert load.table() == list(range(12))
    assert len(api.seen) == 8


def test_a_run_that_fails_keeps_the_table_and_the_next_one_goes_on_from_its_last_page(load, api):
    load()
    good = pages(6)
    api.answer = lambda r: good(r) if r.query.get("cursor", "0") < "2" else (500, {})
    with pytest.raises(ConnectorError, match="500"):
        load()
    assert load.table() == list(range(12))
    api.answer, api.seen = good, []
    again = load()
    assert load.table() == list(range(18))
    assert again.resumed_rows == 6
    assert [request.query.get("cursor") for request in api.seen] == ["2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("rows", "stream"),
    [
        ('[{"id": null}]', "primaryKey: [id]"),
        ('[{"id": 1, "id": 2}]', "primaryKey: [id]"),
        ('[{"id": "x"}]', "columns: {id: bigint}"),
        ('[{"id": 0, "new": 1}]', "schemaPolicy: freeze"),
        ('[{"id": "x"}]', "schemaPolicy: freeze"),
    ],
)
def test_rows_that_cannot_be_loaded_are_fetched_anew_by_the_next_run(load, api, rows, stream):
    spec = SPEC.replace("primaryKey: [id]", stream)
    load(spec)
    api.answer = lambda r: (200, f'{{"rows": {rows}, "next": null}}'.encode())
    with pytest.raises(RowsError):
        load(spec)
    assert load.table() == list(range(12))
    api.answer = pages(1)
    assert load(spec).resumed_rows == 0
    assert load.table() == [0, 1, 2]


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("columns: {id: int65}", "'int65' is not a column type"),
        ("primaryKey: [id], columns: {a.b: 'numeric(50,2)'}", "is not a column type"),
    ],
)
def test_what_the_destination_cannot_do_is_said_before_the_first_request(load, api, stream, words):
    with pytest.raises(LoadError, match=words):
        load(SPEC.replace("primaryKey: [id]", stream))
    assert api.seen == []


def test_rows_that_another_failure_kept_out_are_loaded_and_not_fetched(load, api):
    def fence():
        raise Busy("the run is over")

    with pytest.raises(Busy):
        load(fence=fence)
    api.seen = []
    assert load().resumed_rows == 12
    assert not api.seen


def test_full_forgets_what_an_earlier_run_staged(load, api):
    api.answer = lambda r: pages(3)(r) if "cursor" not in r.query else (500, {})
    with pytest.raises(ConnectorError):
        load()
    api.answer, api.seen = pages(3), []
    assert load(full=True).resumed_rows == 0
    assert len(api.seen) == 3


def test_a_changed_spec_starts_over_and_says_so(load, api):
    api.answer = lambda r: pages(3)(r) if "cursor" not in r.query else (500, {})
    with pytest.raises(ConnectorError):
        load()
    api.answer, api.seen = pages(3), []
    result = load(SPEC.replace("state: all", "state: open"))
    assert len(api.seen) == 3
    assert result.stats.notes


def test_max_pages_never_stops_in_silence(load, api):
    api.answer = pages(11)
    with pytest.raises(PageLimit, match="10 pages were read and there are more"):
        load()
    # A raised cap changes no row, so the pages that were read are not asked for again.
    api.seen = []
    assert load(SPEC.replace("maxPages: 10", "maxPages: 20")).loaded.rows == 33
    assert len(api.seen) == 1


def test_a_cancelled_run_stops_and_goes_on_later(load, api):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        load(cancel=cancel, on_progress=lambda stats: stats.pages == 2 and cancel.set())
    assert load().resumed_rows == 6
    assert load.table() == list(range(12))


def test_missing_values_name_every_variable(load):
    load.environ.clear()
    with pytest.raises(ConfigError) as raised:
        load()
    assert str(raised.value) == "shop: values are missing; set SHOP__BASE_URL, SHOP__TOKEN"


def test_a_refused_secret_is_named_and_never_shown(load):
    load.environ["SHOP__TOKEN"] = "wrong-8812"
    with pytest.raises(ConnectorError, match='401; check secret "token"') as raised:
        load()
    assert "wrong-8812" not in repr(raised.value)


def test_an_unreachable_host_is_one_clear_error(load):
    load.environ["SHOP__BASE_URL"] = "http://127.0.0.1:1"
    with pytest.raises(ConnectorError, match=r"127\.0\.0\.1:1"):
        load()


def test_no_secret_reaches_the_staging_or_the_table(load, api):
    """Not even when the server puts it into the next URL and the rows' neighbours."""
    echo = SPEC.replace("cursorField: next, maxPages: 10", "cursorField: next")

    def answer(request):
        if "token" in request.query:
            return 500, {}
        return {"rows": [{"id": 1}], "next": f"/items?token={SECRET}"}

    api.answer = answer
    with pytest.raises(ConnectorError):
        load(echo)
    staged = [p for p in (load.tmp / "staging").rglob("*") if p.is_file()]
    assert staged
    assert all(SECRET.encode() not in path.read_bytes() for path in staged)
    api.answer = lambda r: {"rows": [{"id": 2}], "next": None}
    api.seen = []
    load(echo)
    assert api.seen[0].query == {"token": SECRET}
    assert load.table() == [1, 2]


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("accessToken", ("SHOP__ACCESS_TOKEN", "SHOP__ACCESSTOKEN")),
        ("instance_url", ("SHOP__INSTANCE_URL",)),
        ("apiKey", ("SHOP__API_KEY", "SHOP__APIKEY")),
    ],
)
def test_values_are_found_under_both_spellings(name, variables):
    assert variable_names("shop", name) == variables


def test_a_project_lists_good_and_broken_files(tmp_path):
    specs, connections = tmp_path / "specs", tmp_path / "connections"
    specs.mkdir()
    connections.mkdir()
    (specs / "shop.yaml").write_text(SPEC)
    (specs / "other.yaml").write_text(SPEC.replace("id: shop", "id: other"))
    (specs / "bad.yaml").write_text(SPEC.replace("displayName: Shop\n", ""))
    (specs / "twin.yaml").write_text(SPEC)
    document = {"kind": "connection", "version": "1.0", "id": "eu", "connector": "shop"}
    (connections / "eu.yaml").write_text(json.dumps(document))
    (connections / "lost.yaml").write_text(json.dumps({**document, "id": "x", "connector": "no"}))
    project = discover(specs, connections)
    both, nobody = (
        f"{specs / 'shop.yaml'} and {specs / 'twin.yaml'}",
        "none of them is used; give each its own",
    )
    assert sorted(c.id for c in project.connections) == ["other"]
    assert {b.path.name: str(b.error.faults[0]) for b in project.broken} == {
        "bad.yaml": "displayName: is required",
        "shop.yaml": f'id: "shop" is the id of {specs / "twin.yaml"} too, so {nobody}',
        "twin.yaml": f'id: "shop" is the id of {specs / "shop.yaml"} too, so {nobody}',
        "eu.yaml": f'connector: "shop" is the id of {both}; give each its own',
        "lost.yaml": 'connector: "no" is not a connector; known are: other',
    }
    (specs / "twin.yaml").unlink()
    assert connection_from_file(connections / "eu.yaml", specs=specs).id == "eu"


def test_a_connection_gives_each_stream_its_own_template(tmp_path, api):
    """The founding example: one `soql` for four resource types."""
    api.answer = lambda r: {"records": [{"q": r.query["q"]}]}
    spec = (
        'kind: connector\nversion: "1.0"\nid: crm\ndisplayName: CRM\nauth: [{type: none}]\n'
        'endpoints: [{id: query, url: "{{base}}/q", params: {q: "{{soql}}"}}]\n'
        "read: {primary: query, resourceTypes: [Account, Lead]}\n"
    )
    (tmp_path / "crm.yaml").write_text(spec)
    connection = (
        'kind: connection\nversion: "1.0"\nid: sales\nconnector: ./crm.yaml\n'
        f'config: {{base: "{api.origin}"}}\n'
        'vars: {soql: "SELECT FIELDS(ALL) FROM {{resourceType}}"}\n'
    )
    (tmp_path / "sales.yaml").write_text(connection)
    destination = DuckDBDestination(tmp_path / "d.duckdb")
    with HttpRuntime([api.host]) as runtime:
        bound = connection_from_file(tmp_path / "sales.yaml", runtime=runtime)
        for stream in bound.streams():
            sync(bound, stream.name, destination, staging=tmp_path / "staging")
    with duckdb.connect(str(tmp_path / "d.duckdb"), read_only=True) as db:
        found = db.sql("select q from sales.Account union all select q from sales.Lead").fetchall()
    assert sorted(found) == [
        ("SELECT FIELDS(ALL) FROM Account",),
        ("SELECT FIELDS(ALL) FROM Lead",),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"config": {"region": "us"}},
        {"vars": {"kind": "b"}},
        {"auth": "none"},
        {"cursor": {"": {"value": 2}}},
        {"cursor": None},
    ],
    ids=lambda other: "-".join(f"{name}={value}" for name, value in other.items()),
)
def test_what_was_staged_for_other_rows_is_not_gone_on_with(other):
    """Rows staged from one position must not be loaded over another's."""
    spec = parse_connector(SPEC)
    connection = Connection("shop", YamlConnector(spec, HttpRuntime()), environ={})
    reading = ReadContext("shop", {"region": "eu"}, spec.streams[0], vars={"kind": "a"})
    reading = replace(reading, cursor={"": {"value": 1}})
    assert connection.fingerprint(reading) == connection.fingerprint(replace(reading))
    assert connection.fingerprint(reading) != connection.fingerprint(replace(reading, **other))
