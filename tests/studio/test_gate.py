"""Who is let in: the browser that came by the link, from the studio's own pages, and nobody else."""

from __future__ import annotations

import json
import socket

import pytest

from tests.studio.conftest import TOKEN

DOCUMENT = json.dumps({"yaml": "kind: ["})


def test_the_link_lets_one_browser_in_once(outside):
    assert outside.send("GET", "/")[0] == 401
    status, headers, text = outside.send("GET", f"/?token={TOKEN}")
    assert status == 200
    assert 'content="0; url=/"' in text
    cookie = headers["Set-Cookie"]
    assert cookie.startswith(f"studio_{outside.port}=")
    assert {"HttpOnly", "SameSite=strict"} <= {one.strip() for one in cookie.split(";")}
    assert TOKEN not in cookie
    again, headers, text = outside.send("GET", f"/?token={TOKEN}")
    assert (again, headers["Set-Cookie"]) == (401, None)
    assert "works once" in text
    outside.cookie = cookie.partition(";")[0]
    assert outside.send("GET", "/")[0] == 200
    assert outside.send("GET", f"/?token={TOKEN}")[0] == 200  # the page loaded again


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", "%00", "é"])
def test_a_wrong_token_lets_nobody_in_and_does_not_void_the_right_one(outside, token):
    assert (
        outside.send("GET", f"/?token={token.encode().hex() if token == 'é' else token}")[0] == 401
    )
    assert outside.send("GET", f"/?token={TOKEN}")[0] == 200


def test_the_token_is_for_the_first_page_alone(outside):
    for path in ("/builder", "/api/v1/schema", "/static/editor.js"):
        assert outside.send("GET", f"{path}?token={TOKEN}")[0] == 401
    assert outside.send("HEAD", f"/?token={TOKEN}")[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Cookie": None}, 401),
        ({"Cookie": "studio_1=x"}, 401),
        ({"Cookie": "a=b; ; =;"}, 401),
        ({"Cookie": "x" * 20_000}, 401),
        ({"Host": None}, 421),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Host": "0.0.0.0:80"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 401),
        ({"Sec_Fetch_Site": "same-site"}, 401),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Content_Type": "text/plain"}, 400),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 400),
    ],
    ids=str,
)
def test_only_its_own_page_may_ask(studio, headers, status):
    assert studio.send("POST", "/api/v1/documents/validate", DOCUMENT, **headers)[0] == status


@pytest.mark.parametrize("path", ["/", "/builder", "/api/v1/catalogue", "/static/editor.js"])
def test_a_page_of_another_origin_reads_nothing(studio, path):
    assert studio.send("GET", path)[0] == 200
    assert studio.send("GET", path, Origin="http://127.0.0.1:1")[0] == 403
    assert studio.send("GET", path, Host="rebound.example")[0] == 421
    assert studio.send("GET", path, Cookie=None)[0] == 401


def test_localhost_is_the_same_machine_and_an_origin_of_its_own(studio):
    host = f"localhost:{studio.port}"
    ask = ("POST", "/api/v1/documents/validate", DOCUMENT)
    assert studio.send(*ask, Host=host, Origin=f"http://{host}")[0] == 200
    assert studio.send(*ask, Host=host)[0] == 403


@pytest.mark.parametrize("path", ["/", "/builder", "/api/v1/schema", "/static/studio.css", "/nope"])
def test_every_answer_tells_the_browser_to_ask_and_run_nothing_else(studio, path):
    _, headers, _ = studio.send("GET", path)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Access-Control-Allow-Origin"] is None


def test_a_nonce_is_good_for_one_answer(studio):
    policies = {studio.send("GET", "/builder")[1]["Content-Security-Policy"] for _ in range(3)}
    assert len(policies) == 3


def test_a_body_that_is_too_large_is_refused_and_the_server_goes_on(studio):
    size = (16 << 20) + 1
    status, _, text = studio.send(
        "POST", "/api/v1/documents/validate", b"", Content_Length=str(size)
    )
    assert (status, json.loads(text)["ok"]) == (413, False)
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", studio.port), timeout=60) as sent:
        head = (
            f"POST /api/v1/documents/validate HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n"
            f"Origin: {studio.origin}\r\nCookie: {studio.cookie}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        sent.sendall(head.encode())
        for _ in range(257):
            sent.sendall(chunk)
        assert sent.recv(1_000).startswith(b"HTTP/1.1 413")
    assert studio.send("GET", "/")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../gate.py",
        "/static/%2e%2e/gate.py",
        "/static/..%2fgate.py",
        "/static/%2fetc/passwd",
        "/static//etc/passwd",
        "/static/%00",
        "/static/",
        "/catalogue/..%2f..%2fpyproject",
        "/catalogue/stripe%2f..%2fgithub",
        "/project/%2e%2e",
        "/api/v1/specs/..%2fsecrets",
        "/builder?spec=../../etc/passwd",
        "/builder?copy=..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_path_leads_out_of_what_is_served(studio, path):
    (studio.folder / "secrets.yaml").write_text("not to be read")
    status, _, text = studio.send("GET", path)
    assert status in (404, 422)
    assert "root:" not in text
    assert "not to be read" not in text
