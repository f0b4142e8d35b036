"""Links that a server chooses, through the runtime's front door: followed safely, or refused."""

from __future__ import annotations

import json

import pytest

from connector_assets import HttpRuntime, parse_connector
from connector_assets.errors import ConnectorError
from tests.runtime.wire import answer, serving

SPEC = """
kind: connector
version: "1.0"
id: linked
displayName: Linked
secrets: {{token: {{}}}}
auth: [{{type: bearer, tokenRef: "{{{{secrets.token}}}}"}}]
endpoints:
  - id: rows
    url: "{{{{base}}}}/p1"
    responseRowsPath: rows
    retry: {{maxAttempts: 1}}
    pagination: {pagination}
read: {{primary: rows}}
"""
PAGINATIONS = {
    "next_url": "{type: next_url, urlField: next}",
    "cursor": "{type: cursor, cursorField: next}",
    "link_header": "{type: link_header}",
}
LINKS = [
    "http://10.0.0.1/page2",
    "http://127.0.0.1:1/",
    "//127.0.0.1:1/x",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "http://localhost:{port}/p2",
    "http://[::1]:{port}/p2",
    "http://2130706433:{port}/p2",
    "http://0x7f.1:{port}/p2",
    "https://127.0.0.1:{port}/p2",
    "http://x:y@127.0.0.1:{port}/p2",
    "http://127.0.0.1:{port}@evil.example.com/p2",
    "http://evil.example.com#@127.0.0.1:{port}/p2",
    "http://evil.example.com\\@127.0.0.1:{port}/p2",
    "http://127.0.0.1:{port}\\@evil.example.com/p2",
    "http://127.0.0.1:99999/",
    "http://evil.example.com%00.127.0.0.1/",
    "https://%41.example.com/",
]

# Spellings that a lenient reading of links lets through to a library that then raises.
UNREADABLE = [
    "http://127.0.0.1:{port}x/",
    "http://[/",
    "http://[::1",
    "http://\ud800.example.com/",
    "http://\uff11\uff12\uff17.0.0.1:{port}/",
    "http:///p2",
    "http://",
]


def served(link, how):
    def handle(sock, wire):
        while wire.read(sock):
            text = link.replace("{port}", str(wire.port))
            body = {"rows": [{"id": len(wire.requests)}], "next": None}
            headers = []
            if len(wire.requests) == 1:
                body["next"] = text if how != "link_header" else None
                headers = [f'Link: <{text}>; rel="next"'] if how == "link_header" else []
            head = [line.encode("utf-8", "surrogatepass").decode("latin-1") for line in headers]
            sock.sendall(answer("200 OK", json.dumps(body).encode(), *head))

    return handle


def rows(link, how):
    with serving(served(link, how)) as wire, HttpRuntime([f"127.0.0.1:{wire.port}"]) as runtime:
        spec = parse_connector(SPEC.format(pagination=PAGINATIONS[how]))
        given = {"base": f"http://127.0.0.1:{wire.port}"}
        result = runtime.execute_endpoint(
            spec, "rows", params=given, secrets={"token": "canary-5f1e"}
        )
        try:
            return list(result.rows), wire, None
        except ConnectorError as error:
            return None, wire, error


@pytest.mark.parametrize("how", ["next_url", "link_header", "cursor"])
@pytest.mark.parametrize("link", [*LINKS, *UNREADABLE])
def test_a_link_that_leads_elsewhere_is_one_clear_error_and_no_request(link, how):
    if how == "cursor" and "://" not in link:
        return  # not a URL: sent as a cursor, in the query
    got, wire, error = rows(link, how)
    assert got is None, got
    assert len(wire.requests) == 1
    assert "canary" not in str(error)
    assert "Traceback" not in str(error)


@pytest.mark.parametrize("how", ["next_url", "link_header"])
@pytest.mark.parametrize("link", ["/p2?a=b", "p2", "?page=2", "//127.0.0.1:{port}/p2", "/p2#top"])
def test_a_link_within_the_origin_is_followed_with_the_token(link, how):
    got, wire, error = rows(link, how)
    assert got == [{"id": 1}, {"id": 2}], error
    assert "Bearer canary-5f1e" in wire.requests[1]
