"""`read --requests`: all that goes out and what comes, masked; and the server's own words where asked for."""

from __future__ import annotations

from connector_assets.assets.resources import HttpRuntimeResource
from tests.cli.conftest import SECRET
from tests.shop import shop_spec

LOGIN = shop_spec("""
secrets: {token: {description: A password}}
auth:
  - type: session
    login: {url: "{{base_url}}/login", body: {json: {user: ann, password: "{{secrets.token}}"}}}
    tokenPath: token
    in: query
    name: t
defaults: {responseRowsPath: rows, retry: {maxAttempts: 2}}
endpoints:
  - {id: items, method: POST, url: "{{base_url}}/items", body: {json: {page: 1, key: "{{secrets.token}}"}}}
read: {primary: items}
""")


def test_bodies_logins_tokens_status_and_rows_are_shown(cli, shop_project, api):
    (shop_project / "specs" / "shop.yaml").write_text(LOGIN)
    failed = []

    def answer(request):
        if request.path == "/login":
            return {"token": "t0ken-of-the-day"}
        if not failed:
            failed.append(1)
            return 503, {}
        return {"rows": [{"id": 1}, {"id": 2}]}

    api.answer = answer
    done = cli("read", "shop", "items", "--requests")
    assert done.code == 0
    assert "t0ken-of-the-day" not in done.out + done.err
    items = f"POST {api.origin}/items"
    body = '  body: {"page":1,"key":"[secret:token]"}'
    lines = [line for line in done.err.splitlines() if not line.startswith("note")]
    assert lines == [
        items,
        body,
        f"POST {api.origin}/login",
        '  body: {"user":"ann","password":"[secret:token]"}',
        f"200 POST {api.origin}/login: 29 bytes",
        f"503 {items}?t=[secret:accessToken]: 2 bytes",
        items,
        body,
        f"200 {items}?t=[secret:accessToken]: 32 bytes",
        f"2 rows of {items}",
    ]
    assert cli("read", "shop", "items").err == ""


def test_the_servers_words_are_quoted_where_a_setting_asks(cli, shop_project, api, monkeypatch):
    api.answer = lambda _: (400, {"error": f"no such region {SECRET}"})
    assert "no such region" not in cli("load", "shop", "items").err
    assert not HttpRuntimeResource().runtime().verbose
    monkeypatch.setenv("CONNECTOR_ASSETS_VERBOSE", "1")
    assert "no such region [secret:token]" in cli("load", "shop", "items").err
    assert HttpRuntimeResource().runtime().verbose
