"""What servers do wrong and mean well: lengths said twice, encodings that are none, POSTs sent on."""

from __future__ import annotations

import gzip
import json

import pytest

from connector_assets.errors import BlockedError, RequestError
from connector_assets.runtime.http.decode import DecodedBody
from connector_assets.runtime.http.http1 import Incoming
from tests.runtime.sending import base, opening, refused, send
from tests.runtime.wire import answer, saying, serving

OK = b"HTTP/1.1 200 OK\r\n"


def read(data, size):
    """The body of an answer that comes `size` bytes at a time."""
    incoming, body = Incoming(), b""
    for at in range(0, len(data), size):
        incoming.feed(data[at : at + size])
        body += b"".join(incoming.take())
    assert incoming.is_whole
    return body, incoming.fields[b"content-length"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 33, 1000])
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"content-length:2\r\nX: y\r\nCONTENT-LENGTH:  2 \r\nContent-Length: 2\r\n",
        b"Content-Length: 2, 2\r\n",
        b"Content-Length: 2,2\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\nContent-Length: 2\r\n",
        b"X: content-length: 9\r\nContent-Length: 2\r\n",
        b"X-Content-Length: 9\r\nContent-Length: 2\r\nContent-Lengthy: 7\r\nC: d\r\n",
    ],
)
def test_a_length_said_again_is_one_length(head, size):
    for before in (b"", b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n"):
        assert read(before + OK + head + b"\r\n{}", size) == (b"{}", b"2")


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2, 3\r\n",
        b"Content-Length: 2\r\nX: y\r\nContent-Length: 02\r\n",
        b"Content-Length: 2\r\nContent-Length: 2, 3\r\n",
        b"Content-Length: 2\r\nContent-Length:\r\n",
        b"Content-Length: 2, \r\n",
        b"Content-Length: +2, +2\r\n",
    ],
)
def test_lengths_that_differ_are_refused(head, size):
    with pytest.raises(RequestError, match="not valid HTTP"):
        read(OK + head + b"\r\n{}", size)


def test_what_a_body_says_is_no_length():
    body = b"\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n"
    data = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert read(data, 1000)[0] == read(data, 3)[0] == body


def decoded(encoding, wire):
    body = DecodedBody(encoding, max_bytes=1 << 20, max_wire_bytes=1 << 20, max_ratio=200.0)
    body.feed(wire)
    return body.finish()


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-8",
        "UTF-8",
        "utf8",
        "utf-16le",
        "ascii",
        "US-ASCII",
        "iso-8859-1",
        "ISO8859-15",
        "latin1",
        "latin-1",
        "windows-1252",
        "cp1252",
        "none",
        "None",
        "null",
        "identity",
        "binary",
        "8bit",
        "7bit",
        "raw",
        "plain",
        "text",
        "aws-chunked",
        "charset=utf-8",
        '"utf-8"',
        "identity,utf-8",
    ],
)
def test_a_name_that_encodes_nothing_is_passed_over(encoding):
    assert decoded(encoding, b"{}") == b"{}"
    assert decoded(f"{encoding}, gzip", gzip.compress(b"{}")) == b"{}"


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_that_is_sent_on_within_the_origin_keeps_method_and_body(status, method):
    moved = answer(status, b"", "Location: /v2/items?page=2")
    with serving(saying(moved, answer())) as wire, opening(wire) as client:
        found = send(
            client,
            f"{base(wire)}/v1/items",
            method=method,
            content=b'{"a":1}',
            headers={"Content-Type": "application/json"},
        )
        assert (found.status, json.loads(found.body)) == (200, {})
    first, second = wire.requests
    assert second.startswith(f"{method} /v2/items?page=2 HTTP/1.1\r\n")
    assert first.partition("\r\n")[2] == second.partition("\r\n")[2]
    assert second.endswith('{"a":1}')


@pytest.mark.parametrize("status", [301, 302, 303])
def test_other_redirects_of_a_post_are_errors_and_nothing_is_sent_again(status):
    with serving(saying(answer(f"{status} Moved", b"", "Location: /other"))) as wire:
        with opening(wire) as client:
            error = refused(client, base(wire), RequestError, method="POST", content=b"{}")
        assert "redirect of a POST" in str(error)
        assert len(wire.requests) == 1


def test_a_body_is_never_sent_on_to_another_origin():
    with serving(saying(answer())) as other:
        moved = answer("307 Temporary Redirect", b"", f"Location: {base(other)}/")
        with serving(saying(moved)) as wire, opening(wire, other) as client:
            declared = [base(wire), base(other)]
            given = {"method": "POST", "content": b"{}"}
            refused(client, base(wire), RequestError, "not followed", origins=declared, **given)
            refused(client, base(wire), BlockedError, "not a declared origin", **given)
        assert other.requests == []


def test_a_post_that_is_sent_on_for_ever_ends():
    with serving(saying(answer("307 Again", b"", "Location: /"))) as wire:
        with opening(wire) as client:
            refused(
                client,
                base(wire),
                RequestError,
                "redirected more than 5 times",
                method="POST",
                content=b"{}",
            )
        assert len(wire.requests) == 6
