"""`read --dry-run`: every stream's first request, with nothing sent."""

from __future__ import annotations

from tests.cli.conftest import SECRET, SHOP

STREAMS = """\
    - {name: items, primaryKey: [id]}
    - name: changes
      endpoint: search
      primaryKey: [id]
      incremental: {cursorField: at, startParam: q.since, in: body, start: "2024-01-01", format: date}
    - {name: lines, endpoint: of_order, primaryKey: [id], forEach: [{parent: {stream: items, field: id, as: order}}]}
    - {name: stock, endpoint: of_order, primaryKey: [id], forEach: [{values: [a b], as: order}]}
    - {name: odd, endpoint: needs, primaryKey: [id]}
"""
ENDPOINTS = """\
  - {id: of_order, url: "{{base_url}}/orders/{{item.order}}/lines", pagination: {type: page, pageSize: 5, pageSizeParam: n}}
  - {id: search, method: POST, url: "{{base_url}}/search", body: {json: {q: {}, key: "{{secrets.token}}"}}}
  - {id: needs, url: "{{base_url}}/{{region}}"}
"""


def spec():
    text = SHOP.replace("endpoints:\n", f"endpoints:\n{ENDPOINTS}")
    return text[: text.index("    - {name: items")] + STREAMS


def test_every_streams_first_request_is_shown_and_none_is_sent(cli, shop_project, api, monkeypatch):
    (shop_project / "specs" / "shop.yaml").write_text(spec())
    for is_set in (True, False):
        if not is_set:
            monkeypatch.delenv("SHOP__TOKEN")
        done = cli("read", "shop", "--dry-run")
        assert done.code == 1
        assert done.out.splitlines() == [
            f"shop.items: GET {api.origin}/items",
            "  auth: bearer",
            f"shop.changes: POST {api.origin}/search",
            '  body: {"q":{"since":"2024-01-01"},"key":"[secret:token]"}',
            "  auth: bearer",
            f"shop.lines: GET {api.origin}/orders/items.id/lines?page=1&n=5",
            "  auth: bearer",
            f"shop.stock: GET {api.origin}/orders/a%20b/lines?page=1&n=5",
            "  auth: bearer",
        ]
        assert done.err == "shop.odd: values are missing; set SHOP__REGION\n"
    assert api.seen == []
    assert SECRET not in done.out


def test_one_stream_and_an_auth_that_asks_first(cli, shop_project, api):
    text = spec().replace(
        '[{type: bearer, tokenRef: "{{secrets.token}}"}]',
        '[{type: oauth2, grant: client_credentials, tokenUrl: "https://a.example.com/token", '
        'clientIdRef: "{{secrets.token}}", clientSecretRef: "{{secrets.token}}"}]',
    )
    (shop_project / "specs" / "shop.yaml").write_text(text)
    done = cli("read", "shop", "items", "--dry-run")
    assert (done.code, done.out.splitlines()) == (
        0,
        [
            f"shop.items: GET {api.origin}/items",
            "  auth: oauth2, which first asks https://a.example.com/token",
        ],
    )
    assert api.seen == []
