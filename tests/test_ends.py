"""How lists end, through a load: whole, or with a red sign that outlives the process."""

from __future__ import annotations

import httpx
import pytest

from connector_assets import HttpRuntime, parse_connector
from connector_assets.errors import ConnectorError
from tests.shop import shop_spec
from tests.timeline import Project

HEAD = shop_spec("""
config: {v: {type: string}}
defaults: {retry: {maxAttempts: 3, maxDelaySeconds: 1}}
""")


def spec(endpoint, stream="", url="https://api.example.com/items"):
    return f"""{HEAD}
endpoints:
  - {{id: items, url: "{url}"{endpoint}}}
read: {{streams: [{{name: items{stream}}}]}}
"""


def ids(project, table="items"):
    return sorted(row[0] for row in project.table(f"select id from shop.{table}"))


def rows(*numbers, **more):
    return {"rows": [{"id": n} for n in numbers], **more}


CURSOR = ", responseRowsPath: rows, pagination: {type: cursor, cursorField: next}"
PAGE = ", responseRowsPath: rows, pagination: {type: page, pageSize: 2%s}"


def test_an_ignored_answer_with_a_cursor_leads_on(tmp_path):
    def answer(_path, query):
        if query.get("cursor") == "b":
            return 403, {"next": "c"}
        return rows(3) if query.get("cursor") == "c" else rows(1, next="b")

    text = spec(CURSOR + ", errors: [{status: 403, action: ignore, message: closed}]")
    done = Project(tmp_path, text, answer)
    loaded = done.load("items")
    assert (ids(done), loaded.complete) == ([1, 3], True)
    assert "1 answer was ignored, as an errors rule says" in loaded.stats.notes
    assert any("closed" in note for note in loaded.stats.notes)


@pytest.mark.parametrize(("status", "body"), [(206, rows(1)), (422, rows(1)), (202, rows(1))])
def test_rows_of_an_answer_that_is_accepted(tmp_path, status, body):
    text = spec(f", responseRowsPath: rows, errors: [{{status: {status}, action: accept}}]")
    project = Project(tmp_path, text, lambda *_: (status, body))
    assert project.load("items").complete
    assert ids(project) == [1]


def test_graphql_data_beside_errors_is_accepted(tmp_path):
    endpoint = (
        ', method: POST, body: {graphql: {query: "{a}", variables: {at: 0}}}, responseRowsPath: data.a, '
        "pagination: {type: offset, in: body, offsetParam: variables.at, pageSize: 2}, "
        'errors: [{when: "{{response.errors}}", action: accept}]'
    )
    answers = iter([[1, 2], [3], []])
    project = Project(
        tmp_path,
        spec(endpoint),
        lambda *_: {"data": {"a": [{"id": n} for n in next(answers)]}, "errors": [{"m": 1}]},
    )
    project.load("items")
    assert ids(project) == [1, 2, 3]


EACH = ", forEach: [{values: [a, b, c], as: one}]"


def test_one_list_of_many_that_is_not_complete_is_named_also_after_an_interruption(tmp_path):
    broken = [True]

    def answer(path, query):
        if path == "/c" and broken[0]:
            return 400, {}
        found = {"a": [[1, 2]], "b": [[3, 4], [5]], "c": [[6]]}[path[1:]]
        at = int(query["page"]) - 1
        return rows(*(found[at] if at < len(found) else []), total=6 if path == "/b" else None)

    endpoint = PAGE % ", totalField: total"
    project = Project(tmp_path, spec(endpoint, EACH, "https://api.example.com/{{one}}"), answer)
    with pytest.raises(ConnectorError):
        project.load("items")
    broken[0] = False
    asked = len(project.asked)
    done = project.load("items")
    assert {query["path"] for query in project.asked[asked:]} == {"/c"}
    assert ids(project) == [1, 2, 3, 4, 5, 6]
    assert done.stats.lacks == ["one=b: the server told of 6 rows and gave 3"]
    assert not done.complete


def test_a_short_list_moves_no_cursor_past_what_it_lacks(tmp_path):
    cut = [True]

    def answer(_path, query):
        found = [{"id": 2, "at": 2}] if cut[0] else [{"id": 1, "at": 1}, {"id": 2, "at": 2}]
        since = float(query.get("since", 0))
        at = int(query["page"]) - 1
        return {"rows": [] if at else [r for r in found if r["at"] >= since], "total": 2}

    stream = ", primaryKey: [id], incremental: {cursorField: at, startParam: since}"
    project = Project(tmp_path, spec(PAGE % ", totalField: total", stream), answer)
    assert not project.load("items").complete
    cut[0] = False
    project.load("items")
    assert ids(project) == [1, 2]


@pytest.mark.parametrize("body", [b"", b"   ", b'{"rows": [{"id": 1}, {"i', b'{"rows"'])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_that_is_cut_off_is_asked_for_again(tmp_path, body, method):
    answers = iter([body, body, b'{"rows": [{"id": 1}]}'])
    project = Project(
        tmp_path,
        spec(f", responseRowsPath: rows, method: {method}"),
        lambda *_: httpx.Response(200, content=next(answers)),
    )
    done = project.load("items")
    assert (ids(project), done.stats.retries) == ([1], 2)


def test_an_empty_body_of_lines_is_an_empty_list(tmp_path):
    text = spec(", responseFormat: jsonl")
    project = Project(tmp_path, text, lambda *_: httpx.Response(200, content=b""))
    done = project.load("items")
    assert (done.loaded.rows, len(project.asked)) == (0, 1)
    assert project.table("select count(*) from shop.items") == [(0,)]


def test_a_table_made_of_no_rows_is_as_any_later(tmp_path):
    found = []
    project = Project(tmp_path, spec(""), lambda *_: list(found))
    project.load("items")
    found.append({"id": 1})
    project.load("items")
    assert project.table("select * from shop.items") == [(1,)]


JOB = (
    ", method: POST, body: {json: {}}, responseRowsPath: rows, %s, job: {poll: {url: "
    "'/jobs/{{response.id}}', done: [done], everySeconds: 0.1}, download: {urlPath: urls}}"
)


@pytest.mark.parametrize(
    "pagination",
    [
        "pagination: {type: page, pageSize: 2}",
        "pagination: {type: cursor, cursorField: next, cursorParam: page}",
        "pagination: {type: next_url, urlField: url}",
    ],
)
def test_files_of_an_export_come_in_pages(tmp_path, pagination):
    failing = [True]

    def answer(path, query):
        if path == "/items":
            return {"id": 1}
        if path == "/jobs/1":
            urls = ["https://api.example.com/files/1?sig=x", "https://api.example.com/files/2"]
            return {"status": "done", "urls": urls}
        at, file = int(query.get("page") or 1), int(path[-1])
        if (file, at) == (2, 2) and failing[0]:
            return 400, {}
        found = [file * 10 + n for n in range(5)][2 * at - 2 : 2 * at]
        more = {"next": str(at + 1), "url": f"{path}?page={at + 1}"} if at < 3 else {}
        return rows(*found, **more)

    text = spec(JOB % pagination).replace(
        "defaults: {", 'defaults: {baseUrl: "https://api.example.com", '
    )
    project = Project(tmp_path, text, answer)
    with pytest.raises(ConnectorError):
        project.load("items")
    failing[0] = False
    asked = len(project.asked)
    project.load("items")
    assert ids(project) == [10, 11, 12, 13, 14, 20, 21, 22, 23, 24]
    assert {query["path"] for query in project.asked[asked:]} == {"/jobs/1", "/files/2"}


NULL = (
    HEAD
    + """
endpoints:
  - id: q
    url: https://api.example.com/q
    method: POST
    params: {q: "{{v}}", keep: 1}
    headers: {X-A: "{{v}}"}
    body: {json: {a: "{{v}}", b: ["{{config.v}}"]}}
  - {id: p, url: "https://api.example.com/p/{{v}}/x"}
  - {id: t, url: "https://api.example.com/t", params: {q: "a{{v}}"}}
read: {primary: q}
"""
)


def test_a_null_value_is_never_the_word_none():
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200, json=[])

    runtime = HttpRuntime(
        resolver=lambda _: ["93.184.216.34"], transport=httpx.MockTransport(answer)
    )
    with runtime:
        result = runtime.execute_endpoint(parse_connector(NULL), "q", params={"v": None})
        assert list(result.rows) == []
        for endpoint in "pt":
            with pytest.raises(ConnectorError, match="null"):
                runtime.execute_endpoint(parse_connector(NULL), endpoint, params={"v": None})
    (request,) = seen
    assert request.url.query == b"keep=1"
    assert request.content == b'{"a":null,"b":[null]}'
    assert "x-a" not in request.headers


def test_python_is_told_what_is_not_complete():
    def answer(request):
        at = int(request.url.params["page"])
        return httpx.Response(200, json=rows(*([1, 2] if at == 1 else []), total=5))

    runtime = HttpRuntime(
        resolver=lambda _: ["93.184.216.34"], transport=httpx.MockTransport(answer)
    )
    with runtime:
        text = spec(PAGE % ", totalField: total")
        result = runtime.execute_endpoint(parse_connector(text), "items")
        assert len(list(result.rows)) == 2
    assert not result.stats.complete
    assert result.stats.lacks == ["the server told of 5 rows and gave 2"]


def test_a_cap_that_the_last_page_just_reaches_is_none(tmp_path):
    def answer(_path, query):
        return rows(*{1: [1, 2], 2: [3]}.get(int(query["page"]), []))

    project = Project(tmp_path, spec(PAGE % ", maxPages: 2"), answer)
    assert project.load("items").complete
    project.use(spec(PAGE % ", maxPages: 1"))
    with pytest.raises(ConnectorError, match="1 pages were read and there are more"):
        project.load("items")


def test_the_check_is_red(tmp_path):
    import dagster as dg

    from connector_assets.assets.checks import completeness

    project = Project(
        tmp_path,
        spec(PAGE % ", totalField: total"),
        lambda _path, query: rows(*([1, 2] if query["page"] == "1" else []), total=5),
    )
    check = completeness(dg.AssetKey("items"), [project.load("items")])
    assert not check.passed
    assert "told of 5 rows and gave 2" in (check.description or "")
