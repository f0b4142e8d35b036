"""A dlt REST configuration: the same requests, and what is Python becomes a question."""

from __future__ import annotations

import json

import pytest
import yaml

from connector_assets.authoring.imports.importers import import_spec
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError
from connector_assets.spec.document import parse_connector
from tests.authoring.imports.loaded import loaded
from tests.loopback import serving

TOKEN = "tok-very-secret-1"


def drafted(config, name="shop.json"):
    raw = config if isinstance(config, str) else json.dumps(config)
    return import_spec("dlt", Source(name, raw.encode()))


def shop(base="https://api.example.com", **resource):
    endpoint = {"path": "items", "paginator": "single_page"} | resource.pop("endpoint", {})
    return {
        "client": {"base_url": base},
        "resources": [{"name": "items", "endpoint": endpoint, **resource}],
    }


@pytest.mark.parametrize(
    ("paginator", "ours"),
    [
        ("single_page", {"type": "none"}),
        ({"type": "json_link", "next_url_path": "a.next"}, {"type": "next_url", "urlField": "a.next"}),
        ("header_link", {"type": "link_header"}),
        (
            {"type": "cursor", "cursor_path": "next", "cursor_param": "c"},
            {"type": "cursor", "cursorField": "next", "cursorParam": "c"},
        ),
        (
            {"type": "cursor", "cursor_path": "next", "cursor_body_path": "page.c"},
            {"type": "cursor", "cursorParam": "page.c", "cursorIn": "body"},
        ),
        (
            {"type": "header_cursor", "cursor_key": "X-Next"},
            {"type": "cursor", "cursorHeader": "X-Next"},
        ),
        (
            {"type": "offset", "limit": 50, "total_path": "meta.total"},
            {"type": "offset", "pageSize": 50, "limitParam": "limit", "totalField": "meta.total"},
        ),
        (
            {"type": "page_number", "base_page": 1, "page_param": "p", "total_path": "pages"},
            {"type": "page", "pageParam": "p", "startAt": 1, "totalPagesField": "pages"},
        ),
        ({"type": "page_number", "total_path": None}, {"type": "page", "startAt": 0}),
    ],
    ids=str,
)  # fmt: skip
def test_each_paginator_has_its_own(paginator, ours):
    params = {} if "page" in str(paginator) else {"q": "x"}
    text = drafted(shop(endpoint={"paginator": paginator, "params": params})).text
    made = yaml.safe_load(text)["endpoints"][0]["pagination"]
    assert made.items() >= ours.items()


@pytest.mark.parametrize(
    ("auth", "ours"),
    [
        ({"type": "bearer", "token": TOKEN}, {"type": "bearer", "tokenRef": "{{secrets.token}}"}),
        (
            {"type": "api_key", "name": "X-Key", "api_key": TOKEN, "location": "query"},
            {"type": "api_key", "name": "X-Key", "valueRef": "{{secrets.apiKey}}"},
        ),
        (
            {"type": "http_basic", "username": "u", "password": TOKEN},
            {"type": "basic", "passwordRef": "{{secrets.password}}"},
        ),
        (
            {
                "type": "oauth2_client_credentials",
                "access_token_url": "https://api.example.com/t",
                "client_id": "c",
                "client_secret": TOKEN,
                "access_token_request_data": {"audience": "a"},
            },
            {"type": "oauth2", "grant": "client_credentials"},
        ),
    ],
    ids=str,
)
def test_auth_is_mapped_and_its_values_are_taken_out(auth, ours):
    config = shop()
    config["client"]["auth"] = auth
    draft = drafted(config)
    (made,) = yaml.safe_load(draft.text)["auth"]
    assert made.items() >= ours.items()
    assert TOKEN not in draft.text + str(draft.plain()) + repr(draft)


def test_parents_increments_and_defaults_ask_what_dlt_asks(tmp_path):
    items = [{"id": n, "updated": f"2024-01-0{n}"} for n in (1, 2)]

    def answer(request):
        if request.path == "/items":
            assert request.query == {"since": "2024-01-01", "kind": "a"}
            return {"rows": items}
        return {"rows": [{"id": f"{request.path}-{request.query['size']}"}]}

    with serving(answer) as server:
        config = {
            "client": {"base_url": server.origin, "paginator": "single_page"},
            "resource_defaults": {"primary_key": "id", "endpoint": {"data_selector": "rows"}},
            "resources": [
                {
                    "name": "items",
                    "endpoint": {
                        "path": "items",
                        "params": {
                            "kind": "a",
                            "since": {
                                "type": "incremental",
                                "cursor_path": "updated",
                                "initial_value": "2024-01-01",
                            },
                        },
                    },
                },
                {
                    "name": "parts",
                    "include_from_parent": ["updated"],
                    "endpoint": {"path": "items/{resources.items.id}/parts", "params": {"size": 5}},
                },
            ],
        }
        tables = loaded(drafted(config).text, tmp_path, server.origin)
    assert [one["id"] for one in tables["items"]] == [1, 2]
    assert [one["id"] for one in tables["parts"]] == ["/items/1/parts-5", "/items/2/parts-5"]


@pytest.mark.parametrize(
    "resource",
    [
        {"endpoint": {"paginator": "auto"}},
        {"endpoint": {"paginator": {"type": "mine"}}},
        {"write_disposition": "merge"},
        {"processing_steps": [{"map": "f"}]},
        {"endpoint": {"params": {"x": {"type": "resolve", "resource": "gone", "field": "id"}}}},
    ],
    ids=str,
)
def test_what_it_cannot_know_is_a_question_in_the_draft_and_in_the_report(resource):
    draft = drafted(shop(**resource))
    assert "# TODO: " in draft.text
    assert [one.state for one in draft.outcomes] == ["question"]
    assert any(one.kind == "question" for one in draft.remarks)


def test_a_python_file_is_read_and_not_run(tmp_path):
    code = f"""
import dlt
open({str(tmp_path / "ran")!r}, "w")
def source():
    config: RESTAPIConfig = {{
        "client": {{"base_url": "https://api.example.com",
                   "auth": {{"type": "bearer", "token": dlt.secrets["github.token"]}}}},
        "resources": [{{"name": "items", "endpoint": {{"path": "items", "paginator": Mine()}}}}, other()],
    }}
"""
    draft = drafted(code, "source.py")
    assert parse_connector(draft.text).auth[0].type == "bearer"
    assert draft.summary() == "2 lists: 1 question, 1 refused"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[]", "x.json"),
        ('{"client": {}}', "x.json"),
        ('{"client": {}, "resources": {}}', "x.json"),
        ("x = {", "x.py"),
        ("x = 1", "x.py"),
        ('{"client": {}, "resources": []}', "x.json"),
    ],
)
def test_what_is_no_configuration_is_an_error(text, name):
    with pytest.raises(ConfigError, match=r"^x\."):
        drafted(text, name)


@pytest.mark.parametrize("value", [{"type": "odd"}, [1], 7, True, None, "x"])
def test_an_odd_value_of_a_path_or_of_a_parent_is_left_open(value):
    one = {"name": "lines", "include_from_parent": value}
    one["endpoint"] = {"path": "orders/{order}/lines", "params": {"order": value}}
    config = {"client": {"base_url": "https://api.example.com"}, "resources": [one]}
    draft = drafted(json.dumps(config), "x.json")
    default = (
        {7: "7", "x": "x"}.get(value)
        if isinstance(value, int | str) and value is not True
        else None
    )
    assert parse_connector(draft.text).config["order"].default == default
