"""A Sling API spec: the same requests, queues as parents, sync values as increments."""

from __future__ import annotations

import pytest
import yaml

from connector_assets.authoring.imports.importers import import_spec
from connector_assets.authoring.imports.sling_expression import answer_path, scoped, split, step
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError
from tests.authoring.imports.loaded import loaded
from tests.loopback import serving

SPEC = """
name: Shop API
description: Orders of a shop
queues: [order_ids]
defaults:
  state: {{base_url: "{base}", limit: 2}}
  request:
    headers: {{Accept: application/json, Authorization: "Bearer {{secrets.api_token}}", X-Version: "7"}}
    rate: 50
  response: {{records: {{jmespath: "data[]", primary_key: [id]}}}}
endpoints:
  orders:
    description: All orders
    state:
      updated_since: '{{coalesce(sync.last_updated, "2024-01-01")}}'
    sync: [last_updated]
    request:
      url: "{{state.base_url}}/orders"
      parameters:
        limit: "{{state.limit}}"
        since: "{{state.updated_since}}"
        starting_after: "{{state.starting_after}}"
    pagination:
      next_state: {{starting_after: '{{response.records[-1].id}}'}}
      stop_condition: response.json.has_more == false
    response:
      processors:
        - {{expression: record.id, output: queue.order_ids}}
        - {{expression: record.updated, output: state.last_updated, aggregation: maximum}}
  lines:
    iterate: {{over: queue.order_ids, into: state.order_id}}
    request: {{url: "{{state.base_url}}/orders/{{state.order_id}}/lines"}}
  off: {{disabled: true, request: {{url: "{{state.base_url}}/off"}}}}
"""


def drafted(text):
    return import_spec("sling", Source("shop.yaml", text.encode()))


def test_a_draft_reads_what_its_server_has(tmp_path):
    orders = [{"id": f"o{n}", "updated": f"2024-01-0{n}"} for n in range(1, 6)]

    def answer(request):
        assert request.headers["authorization"] == "Bearer tok-123456789"
        assert request.headers["x-version"] == "7"
        if request.path == "/orders":
            assert (request.query["limit"], request.query["since"]) == ("2", "2024-01-01")
            ids = [one["id"] for one in orders]
            at = (
                ids.index(request.query["starting_after"]) + 1
                if "starting_after" in request.query
                else 0
            )
            return {"data": orders[at : at + 2], "has_more": at + 2 < len(orders)}
        return {"data": [{"id": f"{request.path.split('/')[2]}-1"}]}

    with serving(answer) as server:
        draft = drafted(SPEC.format(base=server.origin))
        tables = loaded(draft.text, tmp_path, server.origin, apiToken="tok-123456789")
    assert [one["id"] for one in tables["orders"]] == [one["id"] for one in orders]
    assert [one["id"] for one in tables["lines"]] == [f"o{n}-1" for n in range(1, 6)]
    assert draft.summary() == "3 lists: 2 drafted, 1 skipped"


PAGES = [
    ('{page: "{state.page + 1}"}', "response.json.page >= response.json.total_pages",
     {"type": "page", "pageParam": "page", "totalPagesField": "total_pages"}),
    ('{offset: "{state.offset + state.limit}"}', "length(response.records) < state.limit",
     {"type": "offset", "offsetParam": "offset"}),
    ('{cursor: "{response.json.meta.next}"}', "is_null(response.json.meta.next)",
     {"type": "cursor", "cursorField": "meta.next", "cursorParam": "cursor"}),
    ("""{cursor: '{jmespath(response.json, "meta.next")}'}""", "",
     {"type": "cursor", "cursorField": "meta.next", "cursorParam": "cursor"}),
    ("""{cursor: '{jmespath(response.records, "[-1].id")}'}""", 'jmespath(response.json, "has_more") == false',
     {"type": "cursor", "lastRecordField": "id", "cursorParam": "cursor", "hasMoreField": "has_more"}),
]  # fmt: skip


@pytest.mark.parametrize(("following", "stop", "wanted"), PAGES)
def test_each_way_to_page_has_ours(following, stop, wanted):
    text = f"""
name: Shop
endpoints:
  things:
    request:
      url: https://a.example/things
      parameters: {{page: "{{state.page}}", offset: "{{state.offset}}", cursor: "{{state.cursor}}"}}
    pagination:
      next_state: {following}
      stop_condition: '{stop.replace("'", "''")}'
"""
    (endpoint,) = yaml.safe_load(drafted(text).text)["endpoints"]
    assert {k: v for k, v in endpoint["pagination"].items() if k != "maxPages"} == wanted


def test_what_has_no_equal_is_a_question():
    text = """
name: Shop
authentication: {type: hmac, secret: "{secrets.api_secret}"}
endpoints:
  things:
    setup: [{request: {url: "https://a.example/job"}}]
    iterate: {over: "{range(1, 9)}", into: state.day}
    request:
      url: https://a.example/things
      parameters: {a: "{upper(state.day)}", p: "{state.p}"}
    pagination: {next_state: {p: "{hash(state.p)}"}}
"""
    draft = drafted(text)
    assert draft.text.count("# TODO: ") >= 4
    assert {r.field for r in draft.remarks if r.kind == "question"} >= {
        "auth",
        "job",
        "forEach",
        "pagination",
        "a",
    }


def test_literal_secrets_are_taken_out():
    text = """
name: Shop
defaults: {request: {headers: {X-Api-Key: k-7f3a9b2c1d}}}
authentication: {type: basic, username: u, password: pw-7f3a9b2c1d}
endpoints: {things: {request: {url: "https://a.example/things?token=t-7f3a9b2c1d"}}}
"""
    draft = drafted(text)
    assert "7f3a9b2c1d" not in draft.text + str(draft.plain()) + repr(draft)


def test_expressions_are_read_by_their_shape():
    assert scoped('require(secrets.a, "b, c")') == ("secrets", "a")
    assert scoped("coalesce(sync.x, state.y, 1)") == ("state", "y")
    assert scoped("upper(state.x)") is None
    assert split('a, f(b, "c,d"), [1, 2]') == ["a", 'f(b, "c,d")', "[1, 2]"]
    assert answer_path("response.json.a.b") == ("a.b", False)
    assert answer_path("response.records[-1].id") == ("id", True)
    assert step("state.page + 1") == ("page", "1")
    assert step("state.page * 2") is None


@pytest.mark.parametrize(
    "text", ["[]", "name: x", "endpoints: 1", "name: x\nendpoints: {}", "endpoints: {a: [}"]
)
def test_what_is_no_spec_is_an_error(text):
    with pytest.raises(ConfigError, match=r"^shop\.yaml"):
        drafted(text)
