"""What a spec can say of requests and answers, where an example of the reference does not show it."""

from __future__ import annotations

import json

import pytest

from connector_assets.errors import (
    AuthError,
    BlockedError,
    ConfigError,
    ConnectorError,
    ResponseError,
)
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.docs.test_examples_page import document
from tests.loopback import serving
from tests.shop import shop_spec
from tests.spec.documents import lines
from tests.syncing import sync
from tests.timeline import START, Now, Project


class Talk:
    """A server that gives its answers in turn, and what a spec made of them."""

    def __init__(self, answers):
        self.answers, self.clock, self.seen = iter(answers), Now(), []

    def rows(self, piece, *, given=None, **secrets):
        with serving(lambda _: next(self.answers)) as api:
            spec = parse_connector(document(json.dumps(piece), api.origin))
            self.seen = api.seen
            with HttpRuntime([api.host], clock=self.clock) as runtime:
                done = runtime.execute_endpoint(spec, "items", params=given, secrets=secrets)
                return list(done.rows)


def endpoint(**more):
    return {"endpoints": [{"id": "items", "url": "/items", **more}]}


def test_what_is_empty_is_left_out_of_a_request_at_any_depth():
    body = {"json": {"filter": {"name": "", "tags": []}, "ids": ["", 0], "n": 0, "no": False}}
    more = {"params": {"a": "", "b": "x"}, "headers": {"X-A": "{{none}}", "X-B": "{{ '' }}"}}
    talk = Talk([[{"id": 1}]])
    talk.rows(endpoint(method="POST", body=body, omitEmpty=True, **more))
    (seen,) = talk.seen
    assert (seen.query, seen.json) == ({"b": "x"}, {"ids": ["", 0], "n": 0, "no": False})
    assert not {"x-a", "x-b"} & seen.headers.keys()


@pytest.mark.parametrize("kind", ["string", "integer", "date", "list", "object"])
def test_a_value_that_is_null_is_null_whatever_type_is_declared(kind):
    declared = {"v": {"type": kind}}
    more = {"params": {"a": "{{v}}", "b": "{{ v | default('x') }}"}, "headers": {"X-V": "{{v}}"}}
    body = {"json": {"v": "{{v}}", "of": ["{{config.v}}"]}}
    talk = Talk([[{"id": 1}]])
    piece = {**endpoint(method="POST", body=body, **more), "config": declared}
    talk.rows(piece, given={"v": None})
    (seen,) = talk.seen
    assert (seen.query, seen.json) == ({"b": "x"}, {"v": None, "of": [None]})
    assert "x-v" not in seen.headers
    with pytest.raises(ConfigError, match="null is not text"):
        talk.rows({**endpoint(url="/{{v}}/items"), "config": declared}, given={"v": None})


EPOCH = int(START.timestamp())
WAITS = [
    ({}, {"Retry-After": str(EPOCH + 30)}, {}, 30),
    ({}, {"Retry-After": str((EPOCH + 30) * 1000)}, {}, 30),
    ({}, {"Retry-After": "1500ms"}, {}, 1.5),
    ({"after": "{{response.wait}}"}, {}, {"wait": 7}, 7),
    ({"after": "{{response.wait_ms / 1000}}"}, {}, {"wait_ms": 2500}, 2.5),
    ({"after": "{{headers['x-retry-ms']}}ms"}, {"X-Retry-Ms": "2500"}, {}, 2.5),
    (
        {"after": "{{response.said | regex_search('in (\\d+) s')}}"},
        {},
        {"said": "again in 12 s"},
        12,
    ),
    ({"after": "{{response.wait}}"}, {"Retry-After": "4"}, {}, 4),  # it is not there
]


@pytest.mark.parametrize(("retry", "headers", "body", "seconds"), WAITS, ids=str)
def test_a_wait_is_what_the_server_asks_for(retry, headers, body, seconds):
    talk = Talk([(429, body, headers), [{"id": 1}]])
    assert talk.rows(endpoint(retry=retry)) == [{"id": 1}]
    assert (talk.clock.now - START).total_seconds() == pytest.approx(seconds, abs=0.01)


JOB = {"poll": {"done": ["ready"], "urlPath": "status_url"}, "download": {"urlHeader": "X-File"}}


def test_a_job_may_say_in_its_answers_where_it_is_and_where_its_file_is():
    done = (200, {"status": "ready"}, {"X-File": "/files/1"})
    talk = Talk([{"status_url": "/status/1"}, {"status": "queued"}, done, [{"id": 1}]])
    assert talk.rows(endpoint(method="POST", job=JOB)) == [{"id": 1}]
    assert [(one.method, one.path) for one in talk.seen] == [
        ("POST", "/items"), ("GET", "/status/1"), ("GET", "/status/1"), ("GET", "/files/1"),
    ]  # fmt: skip


def test_an_answer_without_a_body_may_have_the_address_in_a_header():
    job = {"poll": {"done": ["ready"], "urlHeader": "Location"}, "download": {"url": "/files/1"}}
    talk = Talk([(202, b"", {"Location": "status/1"}), {"status": "ready"}, [{"id": 1}]])
    assert talk.rows(endpoint(method="POST", job=job)) == [{"id": 1}]
    assert [one.path for one in talk.seen] == ["/items", "/status/1", "/files/1"]


@pytest.mark.parametrize(
    ("created", "error", "message"),
    [
        ({"status_url": "https://other.example.com/1"}, BlockedError, "leaves the API's origin"),
        ({"status_url": None}, ResponseError, 'the answer has no address at "status_url"'),
    ],
)
def test_a_job_whose_address_is_elsewhere_or_nowhere_is_an_error(created, error, message):
    with pytest.raises(error, match=message):
        Talk([created]).rows(endpoint(method="POST", job=JOB))


def test_a_run_that_dies_asks_for_the_same_job_at_the_address_it_was_told(tmp_path):
    job = {"poll": {"done": ["ready"], "urlPath": "at"}, "download": {"urlPath": "file"}}
    piece = endpoint(method="POST", job=job, retry={"maxAttempts": 1})
    up = []

    def answer(path, _query):
        if path == "/items":
            return {"at": "/status/7"}
        if path == "/status/7":
            return {"status": "ready", "file": "/file"} if up else (500, {})
        return [{"id": 1}]

    project = Project(tmp_path, document(json.dumps(piece), "https://api.example.com"), answer)
    with pytest.raises(ConnectorError, match="500"):
        project.load("items")
    project.asked.clear()
    up.append(True)
    assert project.load("items").loaded.rows == 1
    assert [one["path"] for one in project.asked] == ["/status/7", "/file"]


def read(piece, body, **more):
    """The rows of a stream of one page, with what it computes."""
    with serving(lambda _: body) as api:
        spec = parse_connector(document(json.dumps(piece), api.origin))
        with HttpRuntime([api.host], clock=Now(), **more) as runtime:
            return list(runtime.rows(spec, spec.streams[0].name))


KEPT = {"primaryKey": ["id"], "incremental": {"cursorField": "at"}}
UNASKED = {"cursorField": "at", "window": "P1D", "start": "2024-01-01", "format": "iso"}


def reading(defaults, *streams):
    each = [{"name": f"s{n}", "endpoint": "items", **one} for n, one in enumerate(streams)]
    return {**endpoint(), "read": {"defaults": defaults, "streams": each}}


def stream(**more):
    return {**endpoint(), "read": {"streams": [{"name": "items", **more}]}}


LOGIN = {"url": "{{config.base}}/login"}


def signed_in(login, answers, **auth):
    """What a session with `auth` sends with the request after its login."""
    given = iter([login, *answers])
    with serving(lambda _: next(given)) as api:
        piece = {
            **endpoint(),
            "config": {"base": {"default": api.origin}},
            "auth": [{"type": "session", "login": LOGIN, **auth}],
        }
        spec = parse_connector(document(json.dumps(piece), api.origin))
        with HttpRuntime([api.host], clock=Now()) as runtime:
            assert list(runtime.execute_endpoint(spec, "items").rows) == [{"id": 1}]
        return api.seen[-1].headers


def test_a_session_may_be_a_cookie():
    sid = (200, b"welcome", {"Set-Cookie": "sid=s1; Path=/; HttpOnly"})
    headers = signed_in(sid, [[{"id": 1}]], tokenCookie="sid", name="sid", **{"in": "cookie"})
    assert headers["cookie"] == "sid=s1"


def test_a_session_whose_header_is_not_there_is_an_error():
    with pytest.raises(AuthError, match='answered without a token at "X-Session"'):
        signed_in({}, [], tokenHeader="X-Session")


def test_a_form_cannot_hold_a_structure():
    oauth = {
        "type": "oauth2",
        "grant": "client_credentials",
        "tokenUrl": "https://api.example.com/token",
        "clientIdRef": "{{secrets.id}}",
        "clientSecretRef": "{{secrets.key}}",
        "extraParams": {"a": {"b": 1}},
    }
    piece = {**endpoint(), "auth": [oauth]}
    spec = parse_connector(document(json.dumps(piece), "https://api.example.com"))
    runtime = HttpRuntime(resolver=lambda _: ["93.184.216.34"])
    with runtime, pytest.raises(ConfigError, match="use tokenBody: json"):
        list(runtime.execute_endpoint(spec, "items", secrets={"id": "i", "key": "k"}).rows)


FEED = shop_spec("""
auth: [{type: none}]
endpoints:
  - {id: export, url: https://api.example.com/export, pagination: {type: page, pageSize: 1}}
  - {id: items, url: https://api.example.com/changes, params: {since: "{{cursor}}"}}
read:
  defaults: {primaryKey: [id], writeMode: append, incremental: {cursorField: at}}
  streams:
    - name: items
      writeMode: merge
      initial: {endpoint: export, vars: {a: "1"}, fields: {add: {via: export}}}
""")


class Feed:
    """An export of two pages of one row, and a feed of what came after."""

    def __init__(self):
        self.down = False

    def __call__(self, path, query):
        if path == "/export":
            page = int(query["page"])
            if page == 2 and self.down:
                return 404, {}
            return [{"id": page, "at": page}] if page <= 2 else []
        return [{"id": 3, "at": int(query["since"]) + 1}]


def test_a_stream_is_read_as_it_begins_until_it_has_a_position(tmp_path):
    shop = Project(tmp_path, FEED, Feed())
    shop.answer.down = True
    with pytest.raises(ConnectorError, match="404"):
        shop.load("items")
    shop.answer.down = False
    shop.load("items")  # goes on with the export it had begun
    shop.load("items")
    assert [(one["path"], one.get("since")) for one in shop.asked][-1] == ("/changes", "2")
    assert shop.table("select id, via from shop.items order by 1") == [
        (1, "export"), (2, "export"), (3, None),
    ]  # fmt: skip
    shop.asked.clear()
    shop.load("items", full=True)
    assert {one["path"] for one in shop.asked} == {"/export"}


def test_a_stream_needs_what_both_of_its_definitions_read():
    text = FEED.replace("/export,", '/export, params: {k: "{{secrets.key}}", n: "{{size}}"},')
    spec = parse_connector(text)
    with HttpRuntime() as runtime:
        needs = YamlConnector(spec, runtime).needs(spec.streams[0])
    assert (needs.config, needs.secrets) == ({"size"}, (frozenset({"key"}),))


def test_defaults_of_streams_give_way_to_a_streams_own_and_reach_those_in_short():
    text = """
    kind: connector
    version: "1.0"
    id: shop
    displayName: Shop
    endpoints: [{id: items, url: https://api.example.com/a}]
    read:
      primary: items
      resourceTypes: [One]
      defaults: {primaryKey: [id], columns: {id: bigint}, vars: {a: "1", b: "2"}}
      streams:
        - {name: two, endpoint: items, primaryKey: [key], columns: {key: bigint}, vars: {b: "3"}}
    """
    one, two = parse_connector(text).streams
    assert (one.primary_key, one.columns, sorted(one.vars)) == (
        ("id",), {"id": "bigint"}, ["a", "b", "resourceType"],
    )  # fmt: skip
    assert (two.primary_key, two.columns) == (("key",), {"id": "bigint", "key": "bigint"})
    assert {name: value.source for name, value in two.vars.items()} == {"a": "1", "b": "3"}


KEYED = [
    ({"a": {"n": 1}, "b": {}}, [{"id": "a", "n": 1}, {"id": "b"}]),
    ({"a": 5, "b": None, "c": [1]}, [{"id": "a", "value": 5}, {"id": "b", "value": None}, {"id": "c", "value": [1]}]),
    ({}, []),
    ([], []),
    (None, []),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "found"), KEYED, ids=str)
@pytest.mark.parametrize("path", ["data", "data | @", None])
def test_rows_in_an_object_keep_their_keys(rows, found, path):
    piece = endpoint(rowsKeyAs="id", **({"responseRowsPath": path} if path else {}))
    if path == "data | @" and rows is None:
        return  # an expression that finds null finds nothing
    assert read(piece, {"data": rows} if path else rows) == found


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"a": {"id": 1}}, 'a row has a field "id" already; choose another rowsKeyAs'),
        ([{"id": 1}], "the rows are in no object; leave out rowsKeyAs"),
    ],
)
def test_rows_in_an_object_are_never_taken_for_others(body, message):
    with pytest.raises(ResponseError, match=message):
        read(endpoint(rowsKeyAs="id"), body)


@pytest.mark.parametrize("count", [3, 400_000])
def test_lines_of_text_are_rows_however_many(count):
    text = "".join(f"line {n} é\r\n\r\n" for n in range(count)).encode()
    found = read(endpoint(responseFormat="text"), text)
    assert len(found) == count
    assert (found[0], found[-1]) == ({"value": "line 0 é"}, {"value": f"line {count - 1} é"})


def test_no_lines_are_no_rows_and_a_page_of_markup_is_an_error():
    assert read(endpoint(responseFormat="text"), b"") == []
    with pytest.raises(ResponseError, match="a markup page"):
        read(endpoint(responseFormat="text"), b"<!DOCTYPE html><p>log in</p>")


CHANGED = [
    ({"remove": ["_*"]}, {"_a": 1, "b_": 2, "c": 3}, {"b_": 2, "c": 3}),
    ({"remove": ["*.secret_*"]}, {"a": {"secret_x": 1, "y": 2}, "b": 3}, {"a": {"y": 2}, "b": 3}),
    ({"remove": ['"a*"']}, {"a*": 1, "ab": 2}, {"ab": 2}),
    ({"rename": {"x_*": "*_y"}}, {"x_1": 1, "x": 2}, {"1_y": 1, "x": 2}),
    ({"rename": {"x_*": "*", "x_a": "first"}}, {"x_a": 1, "x_b": 2}, {"first": 1, "b": 2}),
    ({"rename": {"a.x_*": "a.*"}}, {"a": {"x_b": 1}}, {"a": {"b": 1}}),
    ({"rename": {"*_id": "id_*"}, "keys": "lower"}, {"User_id": 1, "Name": 2}, {"id_User": 1, "name": 2}),
    ({"cast": {"*_at": "integer"}}, {"a_at": "5"}, {"a_at": 5}),
    ({"flatten": True}, {"a": {"b": {"c": 1}, "d": [{"e": 1}]}, "f": {}, "g": None},
     {"a_b_c": 1, "a_d": [{"e": 1}], "g": None}),
    ({"flatten": ["a.b"]}, {"a": {"b": {"c": 1}, "d": 2}}, {"a": {"d": 2}, "a_b_c": 1}),
    ({"flatten": ["a"]}, {"a": None, "b": 1}, {"a": None, "b": 1}),
    ({"flatten": ["a"], "rename": {"a_b": "b"}}, {"a": {"b": 1}}, {"b": 1}),
    ({"flatten": ["a"], "rename": {"a.b": "b"}}, {"a": {"b": 1, "c": 2}}, {"a_c": 2, "b": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "row", "made"), CHANGED, ids=str)
def test_fields_change_by_pattern_and_flat(fields, row, made):
    assert read(stream(fields=fields), [row]) == [made]


@pytest.mark.parametrize(
    ("fields", "row", "message"),
    [
        ({"flatten": True}, {"a": {"b": 1}, "a_b": 2}, 'there is a "a_b" already'),
        ({"rename": {"x_*": "*"}}, {"x_a": 1, "a": 2}, 'two fields come to the name "a"'),
    ],
)
def test_two_fields_never_come_to_one_name(fields, row, message):
    with pytest.raises(ResponseError, match=message):
        read(stream(fields=fields), [row])


def test_a_pattern_never_takes_the_mark_of_a_deletion(tmp_path):
    piece = stream(
        primaryKey=["id"],
        writeMode="merge",
        deletedWhen="{{record.gone | default(false)}}",
        fields={"remove": ["_*"]},
    )
    rows = [{"id": 1}, {"id": 2}]
    text = document(json.dumps(piece), "https://api.example.com")
    project = Project(tmp_path, text, lambda *_: rows)
    project.load("items")
    rows[0] = {"id": 1, "gone": True}
    project.load("items")
    assert project.table("select id from shop.items") == [(2,)]


FAULTS = [
    (endpoint(responseFormat="csv", rowsKeyAs="id"), "endpoints.0.rowsKeyAs: is for responseFormat: json"),
    (endpoint(responseFormat="text", responseRowsPath="a"),
     "endpoints.0.responseRowsPath: is for json and xml; in text every line is a row"),
    (stream(fields={"add": {"a*": 1}}), "read.streams.0.fields.add.a*: must name one field, without * and [*]"),
    (stream(fields={"rename": {"a_*": "b"}}),
     "read.streams.0.fields.rename.a_*: must have one * on both sides, or none"),
    (stream(fields={"rename": {"a.b_*": "c.*"}}),
     "read.streams.0.fields.rename.a.b_*: must stay in its object, as * and [*] name many of them"),
    (stream(primaryKey=["_id"], fields={"remove": ["_*"]}),
     "read.streams.0.primaryKey.0: is removed by fields.remove"),
    ({**endpoint(), "auth": [{"type": "session", "login": {"url": "https://a.example/l"}}]},
     "auth.0.tokenPath: is required; give one of tokenPath, tokenHeader, tokenCookie"),
    ({**endpoint(), "auth": [{"type": "oauth2", "tokenUrl": "https://a.example", "name": "Host"}]},
     "auth.0.name: cannot be set; it follows from the request"),
    ({**endpoint(), "auth": [{"type": "oauth2", "tokenUrl": "https://a.example", "extraParams": {"a": "{{ 1 +"}}]},
     "auth.0.extraParams.a: "),
    (reading({"writeMode": "mergge"}, {}, {}), 'read.defaults.writeMode: "mergge" is not known'),
    (reading({"fields": {"add": {"a": "{{item.x}}"}}}, {}, {}),
     'read.defaults.fields.add.a: nothing gives "item.x" a value here; it comes with forEach'),
    (reading({"name": "x"}, {}), "read.defaults.name: is not a known key"),
    (reading({"writeMode": "merge"}, {}), "read.streams.0.primaryKey: is required with writeMode: merge"),
    (reading({}, {"initial": {"endpoint": "items"}}),
     "read.streams.0.initial: is for a stream with incremental, which has positions"),
    (reading({}, {**KEPT, "initial": {"endpoint": "nothing"}}),
     'read.streams.0.initial.endpoint: "nothing" is not an endpoint; use one of items'),
    (reading({}, {**KEPT, "initial": {"where": "{{item.x}}"}}),
     'read.streams.0.initial.where: nothing gives "item.x" a value here; it comes with forEach'),
    (reading({}, {**KEPT, "initial": {"incremental": UNASKED}}),
     "read.streams.0.initial.incremental.startParam: is required with window"),
    (stream(fields={"flatten": False}), "read.streams.0.fields.flatten: must be"),
    (endpoint(job={**JOB, "poll": {"done": ["a"]}}),
     "endpoints.0.job.poll.url: is required; give one of url, urlPath, urlHeader"),
    (endpoint(job={**JOB, "poll": {"done": ["a"], "url": "/a", "body": {"json": {}}}}),
     "endpoints.0.job.poll.body: is sent with method: POST only"),
    (endpoint(job={**JOB, "download": {}}),
     "endpoints.0.job.download.url: is required; give one of url, urlPath, urlHeader"),
    (endpoint(retry={"after": "{{record.x}}"}),
     'endpoints.0.retry.after: nothing gives "record.x" a value here; it exists in where and fields'),
]  # fmt: skip


@pytest.mark.parametrize(("piece", "line"), FAULTS, ids=str)
def test_what_can_never_work_is_a_fault(piece, line):
    found = lines(document(json.dumps(piece), "https://api.example.com"))
    assert len(found) == 1
    assert found[0].startswith(line)


def test_a_literal_var_of_the_spec_keeps_its_slashes_and_no_other_value_does(tmp_path):
    text = """
config: {area: {}, base: {}}
endpoints: [{id: items, url: "{{base}}/v1/{{path}}/{{area}}"}]
read:
  streams: [{name: items, vars: {path: all/items}, primaryKey: [id], fields: {add: {of: "{{path}}"}}}]
"""

    def load(text, area):
        config = {"area": area, "base": server.origin}
        with HttpRuntime(allow_private=(server.host,)) as runtime:
            connector = YamlConnector(parse_connector(text), runtime)
            connection = Connection("shop", connector, environ={})
            sync(connection, "items", destination, staging=tmp_path / "staging", config=config)

    destination = DuckDBDestination(tmp_path / "data.duckdb")
    with serving(lambda _: [{"id": 1}]) as server:
        load(shop_spec(text), "a/../b")
        assert server.seen[0].path == "/v1/all/items/a%2F..%2Fb"
        assert destination.query("select of from shop.items")[1] == [("all/items",)]
        with pytest.raises(ConnectorError, match="path segment"):
            load(shop_spec(text.replace("all/items", "all/../x")), "a")
