"""Where credentials go: declared origins, redirects, token URLs, plain text."""

from __future__ import annotations

import httpx
import pytest

from connector_assets.errors import (
    BlockedError,
    ConnectorError,
    RequestError,
)
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.client import Client
from connector_assets.spec.auth.credentials import FixedFlow
from tests.runtime.sending import base, opening, refused, send
from tests.runtime.wire import answer, saying, serving


class Token(httpx.Auth):
    """Asks for a token first, as OAuth2 does, and writes it into each request."""

    def __init__(self, token_url):
        self.token_url = token_url

    def auth_flow(self, request):
        reply = yield httpx.Request("POST", self.token_url, data={"client_secret": "s3cret"})
        request.headers["Authorization"] = f"Bearer {reply.read().decode()}"
        yield request


def test_a_foreign_origin_is_refused_before_anything_is_sent():
    with serving(saying(answer())) as wire, opening(wire) as client:
        error = refused(
            client, f"{base(wire)}/p2?key=k", BlockedError, origins=["https://api.example.com"]
        )
        assert wire.connections == 0
    text = str(error)
    assert base(wire) in text
    assert "https://api.example.com" in text
    assert "key" not in text


def test_a_redirect_inside_the_declared_origins_keeps_headers_and_auth():
    with serving(saying(answer(body=b'"there"'))) as there:
        moved = answer("302 Found", b"", f"Location: {base(there)}/new?page=2")
        with serving(saying(moved)) as here, opening(here, there) as client:
            reply = send(
                client,
                f"{base(here)}/old",
                origins=[base(here), base(there)],
                auth=httpx.BasicAuth("u", "p"),
                headers={"X-Key": "k-1"},
            )
    assert (reply.body, reply.url) == (b'"there"', f"{base(there)}/new?page=2")
    for wire in (here, there):
        assert "\r\nx-key: k-1\r\n" in wire.requests[0].lower()
        assert "\r\nauthorization: basic " in wire.requests[0].lower()
        assert wire.requests[0].lower().count(f"\r\nhost: {wire.host}:{wire.port}\r\n") == 1


def test_a_credential_replaces_a_header_of_its_name_on_each_hop():
    auth = FixedFlow("header", "X-Key", "k-1")
    moved = answer("302 Found", b"", "Location: /b")
    with serving(saying(moved, answer())) as wire, opening(wire) as client:
        reply = send(client, f"{base(wire)}/a", auth=auth, headers={"x-key": "old"})
    assert reply.url == f"{base(wire)}/b"
    sent = [[line for line in one.split("\r\n") if "key" in line.lower()] for one in wire.requests]
    assert sent == [["X-Key: k-1"], ["X-Key: k-1"]]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_to_a_foreign_origin_names_both_and_sends_nothing(status, method):
    with serving(saying(answer())) as there:
        moved = answer(f"{status} Moved", b"", f"Location: {base(there)}/x?key=k")
        with serving(saying(moved)) as here, opening(here, there) as client:
            error = refused(client, f"{base(here)}/old", BlockedError, method=method)
        assert there.connections == 0
    assert base(here) in str(error)
    assert base(there) in str(error)
    assert "key" not in str(error)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/",
        "//127.0.0.1/x",
        "/\\127.0.0.1/x",
        "\\\\127.0.0.1\\x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "data:text/plain,x",
        "http://[::1]/",
        "http://x:y@127.0.0.1/",
    ],
)
def test_odd_redirects_are_blocked_by_name(location):
    with serving(saying(answer("302 Found", b"", f"Location: {location}"))) as wire:
        with opening(wire) as client:
            refused(client, base(wire), BlockedError, "302: redirect")
        assert wire.connections == 1


def test_two_locations_are_refused():
    moved = answer("302 Found", b"", "Location: /a", "Location: /b")
    with serving(saying(moved)) as wire, opening(wire) as client:
        refused(client, base(wire), BlockedError)


def test_a_post_that_would_become_a_get_is_not_sent_on_even_to_its_own_origin():
    moved = answer("302 Moved", b"", "Location: /new")
    post = {"method": "POST", "content": b"{}"}
    with serving(saying(moved)) as wire, opening(wire) as client:
        error = refused(client, base(wire), RequestError, "is not followed", **post)
    assert not error.retryable
    assert len(wire.requests) == 1


def test_a_token_url_is_never_redirected():
    with serving(saying(answer())) as there:
        moved = answer("307 Moved", b"", f"Location: {base(there)}/token")
        with serving(saying(moved)) as tokens, serving(saying(answer())) as api:
            origins = [base(wire) for wire in (there, tokens, api)]
            with opening(there, tokens, api) as client:
                auth = Token(f"{base(tokens)}/token")
                error = refused(client, f"{base(api)}/v1", BlockedError, origins=origins, auth=auth)
    assert there.connections == api.connections == 0
    assert base(tokens) in str(error)
    assert base(there) in str(error)


def test_a_token_url_outside_the_declared_origins_is_refused():
    with serving(saying(answer())) as tokens, serving(saying(answer())) as api:
        with opening(tokens, api) as client:
            refused(client, base(api), BlockedError, auth=Token(f"{base(tokens)}/token"))
        assert tokens.connections == api.connections == 0


def test_an_auth_that_asks_on_the_way_works_under_the_same_guard():
    token = answer(body=b"t-1")
    with serving(saying(token)) as tokens, serving(saying(answer())) as api:
        client, origins = opening(tokens, api), [base(tokens), base(api)]
        with client:
            send(client, f"{base(api)}/v1", origins=origins, auth=Token(f"{base(tokens)}/token"))
    assert "Bearer t-1" in api.requests[0]


def test_digest_is_answered_and_a_malformed_challenge_is_an_auth_error():
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
    odd = 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=nonsense'
    auth = httpx.DigestAuth("u", "p")
    with (
        serving(saying(answer("401 No", b"", challenge), answer())) as wire,
        opening(wire) as client,
    ):
        assert send(client, base(wire), auth=auth).status == 200
        assert 'username="u"' in wire.requests[1]
    with serving(saying(answer("401 No", b"", odd))) as wire, opening(wire) as client:
        refused(client, base(wire), ConnectorError, "challenge", auth=httpx.DigestAuth("u", "p"))


def test_user_names_in_urls_and_foreign_host_headers_are_refused():
    with serving(saying(answer())) as wire, opening(wire) as client:
        for url, headers in (
            (f"http://u:p@{wire.host}:{wire.port}/", {}),
            (base(wire), {"Host": "internal.example.com"}),
        ):
            refused(client, url, BlockedError, origins=[base(wire)], headers=headers)
        assert wire.connections == 0


def test_the_answer_tells_its_url_without_what_the_auth_put_there():
    class InQuery(httpx.Auth):
        def auth_flow(self, request):
            request.url = request.url.copy_merge_params({"key": "k-9f3a"})
            yield request

    with serving(saying(answer())) as wire, opening(wire) as client:
        reply = send(client, f"{base(wire)}/v1?page=1", auth=InQuery())
        assert "key=k-9f3a" in wire.requests[0]
    assert reply.url == f"{base(wire)}/v1?page=1"


def test_a_declared_origin_that_is_private_is_blocked_where_the_redirect_leads():
    inside = "http://10.0.0.1"
    moved = answer("302 Found", b"", f"Location: {inside}/x?key=k")
    with serving(saying(moved)) as wire, opening(wire) as client:
        error = refused(client, base(wire), BlockedError, origins=[base(wire), inside])
    assert str(error).startswith("GET 10.0.0.1/x: the address 10.0.0.1 is private")


def test_a_redirect_never_leaves_tls_also_where_both_origins_are_declared():
    origins = ["https://api.example.com", "http://api.example.com"]
    answers = httpx.MockTransport(
        lambda _: httpx.Response(302, headers={"location": "http://api.example.com/b"})
    )
    guard = Guard(["api.example.com"], lambda _: ["93.184.216.34"])
    with Client(guard=guard, transport=answers) as client:
        refused(client, f"{origins[0]}/a", BlockedError, "leaves TLS", origins=origins)
