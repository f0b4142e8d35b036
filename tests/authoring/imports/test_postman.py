"""A Postman collection: requests in folders, auth that they inherit, variables and examples."""

from __future__ import annotations

import json

import pytest
import yaml

from connector_assets.authoring.imports.commented import bare
from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError
from tests.authoring.imports.loaded import loaded
from tests.loopback import serving

KEY = "k-7f3a9b2c1d"


def pairs(**values):
    return [{"key": name, "value": value} for name, value in values.items()]


def request(name, url, answer=None, method="GET", **more):
    made = {"name": name, "request": {"method": method, "url": url, **more}}
    if answer is not None:
        made["response"] = [{"code": 400, "body": "{}"}, {"code": 200, "body": json.dumps(answer)}]
    return made


def drafted(*items, select=(), **more):
    data = {"info": {"name": "Shop", "schema": "v2.1.0"}, "item": list(items), **more}
    return import_spec(
        "postman", Source("shop.json", json.dumps(data).encode()), WantedDraft(select)
    )


ROWS = {"data": [{"id": 1, "name": "a"}], "meta": {"next_cursor": "c"}}


def test_folders_variables_and_examples_become_streams():
    orders = {
        "raw": "{{baseUrl}}/v1/orders?cursor=&limit=5&debug=1",
        "query": [*pairs(cursor="", limit="5"), {"key": "debug", "value": "1", "disabled": True}],
    }
    lines = {
        "raw": "{{baseUrl}}/v1/orders/:order_id/lines?shop={{shop}}",
        "query": pairs(shop="{{shop}}"),
    }
    draft = drafted(
        {"name": "Sales", "item": [{"name": "Deep", "item": [request("Orders", orders, ROWS)]}]},
        request("Lines", lines, [{"id": 1}]),
        request("Make", "{{baseUrl}}/v1/orders", method="POST", body={"mode": "raw", "raw": "{}"}),
        request("Drop", "{{baseUrl}}/v1/orders/1", method="DELETE"),
        variable=pairs(baseUrl="https://api.shop.example", shop="eu"),
        auth={"type": "bearer", "bearer": pairs(token=KEY)},
    )
    data = yaml.safe_load(draft.text)
    assert data["defaults"]["baseUrl"] == "https://api.shop.example"
    assert data["auth"] == [{"type": "bearer", "tokenRef": "{{secrets.token}}"}]
    first, second = data["endpoints"]
    assert (first["url"], first["responseRowsPath"]) == ("/v1/orders", "data")
    assert first["pagination"]["cursorField"] == "meta.next_cursor"
    assert "debug" not in first.get("params", {})
    assert second["url"] == "/v1/orders/{{order_id}}/lines"
    assert second["params"] == {"shop": "{{shop}}"}
    assert data["config"]["shop"]["default"] == "eu"
    assert data["read"]["streams"][1]["forEach"][0]["parent"]["stream"] == "orders"
    assert sorted(o.why for o in draft.outcomes if o.state == "skipped") == [
        "it is a POST that is not called like a search",
        "it writes",
    ]
    assert KEY not in draft.text + json.dumps(draft.plain()) + repr(draft)


AUTHS = [
    ({"type": "basic", "basic": pairs(username="u", password=KEY)}, {"type": "basic"}),
    ({"type": "basic", "basic": {"username": "u", "password": KEY}}, {"type": "basic"}),
    ({"type": "apikey", "apikey": pairs(key="X-Key", value=KEY)}, {"type": "api_key", "name": "X-Key"}),
    ({"type": "apikey", "apikey": [*pairs(key="k", value=KEY), {"key": "in", "value": "query"}]},
     {"type": "api_key", "in": "query", "name": "k"}),
    ({"type": "bearer", "bearer": pairs(token="{{apiToken}}")}, {"tokenRef": "{{secrets.apiToken}}"}),
    ({"type": "oauth2", "oauth2": pairs(accessTokenUrl="https://a.example/t", clientId="c",
      clientSecret=KEY, grant_type="client_credentials")},
     {"type": "oauth2", "grant": "client_credentials", "tokenUrl": "https://a.example/t"}),
    ({"type": "digest", "digest": pairs(username="u", password=KEY)}, {"type": "digest"}),
]  # fmt: skip


@pytest.mark.parametrize(("auth", "wanted"), AUTHS)
def test_each_auth_is_ours_without_its_values(auth, wanted):
    item = request("Things", "https://a.example/things", [{"id": 1}])
    draft = drafted({"name": "Folder", "auth": auth, "item": [item]}, variable=pairs(apiToken=KEY))
    assert yaml.safe_load(draft.text)["auth"][0].items() >= wanted.items()
    assert KEY not in draft.text + json.dumps(draft.plain()) + repr(draft)


def test_scripts_are_told_and_not_run_and_unknown_bases_are_values():
    event = [{"listen": "prerequest", "script": {"exec": ["pm.environment.set('x', 1)"]}}]
    item = request("Things", "{{host}}/things", [{"id": 1}]) | {"event": event}
    draft = drafted(item)
    assert yaml.safe_load(draft.text)["defaults"]["baseUrl"] == "{{host}}"
    assert any("1 scripts of Postman were not run" in r.says for r in draft.remarks)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "shop.json: is not a Postman collection"),
        ('{"info": {"name": "x"}, "item": []}', "has no request that is read"),
        ('{"info": {"name": "x"}, "item": [1, {"request": 7}, {"item": [[]]}]}', "has no request"),
        (
            '{"info": {}, "item": [{"request": {"url": "https://a.example/x"}, "response": [{"body": "{"}]}]}',
            None,
        ),
    ],
)
def test_what_is_no_collection_is_an_error(text, said):
    def read():
        return import_spec("postman", Source("shop.json", text.encode()))

    if said is None:
        assert "# TODO: no answer was seen" in read().text
        return
    with pytest.raises(ConfigError) as error:
        read()
    assert said in str(error.value)


@pytest.mark.parametrize("code", [200, "201", 404, "good", None, "", "{{code}}", [200]])
def test_odd_codes_and_urls_of_some_requests_are_no_reason_to_give_nothing(code):
    good = request("Good", "https://a.example/goods")
    good["response"] = [{"code": code, "body": '{"data": [{"id": 1}]}'}]
    odd = request("Odd", "https://[/things", {"data": [{"id": 1}]})
    draft = drafted(good, odd)
    assert [one["name"] for one in bare(draft.data)["read"]["streams"]] == ["goods"]
    assert [one.why for one in draft.outcomes if one.state == "skipped"] == ["its URL is not valid"]
    assert ("no answer was seen" in draft.text) == (code not in (200, "201", None))


def test_a_draft_of_a_collection_reads_what_its_server_has(tmp_path):
    rows = [{"id": n} for n in range(5)]

    def answer(request_):
        assert request_.headers["authorization"] == f"Bearer {KEY}"
        at = int(request_.query.get("cursor") or 0)
        return {"data": rows[at : at + 2], "next_cursor": str(at + 2) if at + 2 < 5 else None}

    with serving(answer) as server:
        url = {"raw": "{{base}}/things?cursor=", "query": pairs(cursor="")}
        draft = drafted(
            request("Things", url, {"data": rows[:2], "next_cursor": "2"}),
            variable=pairs(base=server.origin),
            auth={"type": "bearer", "bearer": pairs(token=KEY)},
        )
        assert loaded(draft.text, tmp_path, server.origin, token=KEY)["things"] == rows


def test_a_login_in_a_url_is_the_auth_and_in_no_report():
    draft = drafted(
        request("Things", {"raw": f"https://eve:{KEY}@a.example/things?limit=5&q=a%20b"}, ROWS),
        request("Other", f"https://eve:{KEY}@b.example/others"),
        request("Drop", f"https://eve:{KEY}@a.example/things", method="DELETE"),
    )
    data = yaml.safe_load(draft.text)
    assert [one["type"] for one in data["auth"]] == ["basic"]
    assert data["endpoints"][0]["params"] == {"limit": "5", "q": "a b"}
    assert KEY not in draft.text + json.dumps(draft.plain()) + repr(draft)


def test_oauth_asks_as_the_collection_does_and_another_auth_is_a_question():
    oauth = pairs(
        accessTokenUrl="https://a.example/t", clientId="c", clientSecret=KEY, scope="a b",
        grant_type="password_credentials", username="eve", password=f"{KEY}2",
        client_authentication="header",
    )  # fmt: skip
    other = request(
        "Other", "https://a.example/others", ROWS, auth={"type": "bearer", "bearer": []}
    )
    draft = drafted(
        request("Things", "https://a.example/things", ROWS),
        other,
        auth={"type": "oauth2", "oauth2": oauth},
    )
    (auth,) = yaml.safe_load(draft.text)["auth"]
    assert auth["grant"] == "password"
    assert auth["scopes"] == ["a", "b"]
    assert auth["clientAuth"] == "basic"
    assert auth["usernameRef"] == "{{secrets.username}}"
    said = [one.says for one in draft.remarks if one.kind == "question"]
    assert "some requests have the auth bearer, and oauth2 is taken for all" in said
    assert KEY not in draft.text + json.dumps(draft.plain())
