"""HTTP/1.1 as bytes: what is sent, and what is made of answers, however they are cut into pieces."""

from __future__ import annotations

import re
from dataclasses import dataclass

import h11
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_assets.errors import RequestError
from connector_assets.runtime.http.http1 import Incoming, request_bytes
from connector_assets.runtime.http.request import Request

OK = b"HTTP/1.1 200 OK\r\n"
TWO = OK + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n"


@dataclass
class Read:
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    reusable: bool


def read(*pieces, ends=False, **kind):
    """The answer in `pieces`; `ends`: the connection ends behind them."""
    incoming, body = Incoming(**kind), b""
    for piece in pieces:
        if incoming.is_whole:
            break
        incoming.feed(piece)
        body += b"".join(incoming.take())
    if not incoming.is_whole:
        assert ends, "not whole"
        incoming.end()
    headers = {name.lower(): value for name, value in incoming.headers}
    return Read(incoming.status, headers, body, incoming.is_reusable)


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))]


WHOLE = {
    "with a length": (TWO, b"{}", True),
    "of an older version": (TWO.replace(b"1.1", b"1.0"), b"{}", False),
    "of an older version that keeps alive": (
        TWO.replace(b"1.1", b"1.0").replace(b"OK\r\n", b"OK\r\nConnection: keep-alive\r\n"),
        b"{}",
        True,
    ),
    "that closes": (TWO.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), b"{}", False),
    "in chunks": (CHUNKED + b"\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", b"{}", True),
    "in chunks with blanks behind their sizes": (CHUNKED + b"\r\n2  \r\n{}\r\n0 \r\n\r\n", b"{}", True),
    "in chunks with trailers": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\nX: trailer\r\n\r\n", b"{}", True),
    "in chunks, whatever its length says": (
        CHUNKED + b"Content-Length: 9\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"{}",
        False,
    ),
    "without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", True),
    "after interim ones": (b"HTTP/1.1 103 Early Hints\r\nX: interim\r\n\r\n" * 3 + TWO, b"{}", True),
    "without a reason": (TWO.replace(b" OK", b""), b"{}", True),
    "with lines without CR": (TWO.replace(b"\r\n", b"\n"), b"{}", True),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_read_in_one_piece_or_in_many(name):
    data, body, reusable = WHOLE[name]
    for pieces in ([data], bytewise(data)):
        found = read(*pieces)
        assert (found.body, found.reusable) == (body, reusable)
        assert b"x" not in found.headers, "trailers and interim headers are not the answer's"


def test_an_answer_may_end_with_the_connection():
    found = read(OK + b"\r\n{", b"}", ends=True)
    assert (found.body, found.reusable) == (b"{}", False)


def test_a_header_may_hold_any_octet_over_127():
    head = OK + b"Y: \t caf\xe9 \xff \t\r\nZ:\r\nContent-Length: 0\r\n\r\n"
    for pieces in ([head], bytewise(head)):
        headers = read(*pieces).headers
        assert (headers[b"y"], headers[b"z"]) == (b"caf\xe9 \xff", b"")


def test_an_answer_to_head_has_no_body_whatever_it_says():
    found = read(OK + b"Content-Length: 9\r\n\r\n", is_bare=True)
    assert (found.status, found.body, found.reusable) == (200, b"", False)


INVALID = [
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"ICY 200 OK\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01",
    b"<html>",
    OK + b"Nonsense\r\n\r\n",
    OK + b": none\r\n\r\n",
    OK + b"X : 1\r\nContent-Length: 0\r\n\r\n",
    OK + b"Content-Length : 2\r\n\r\n{}",
    OK + b"Content-Length\t: 2\r\n\r\n{}",
    OK + b"Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + b"Connection : close\r\nContent-Length: 2\r\n\r\n{}",
    OK + b" Content-Length: 2\r\n\r\n{}",
    OK + b"\tX: 1\r\nContent-Length: 2\r\n\r\n{}",
    OK + b"X: 1\r\n Content-Length: 2\r\n\r\n{}",
    OK + b"X: 1\r\n\tfolded\r\nContent-Length: 2\r\n\r\n{}",
    OK + b"Content-Length:\r\n 2\r\n\r\n{}",
    OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n x\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + b"X(a): 1\r\nContent-Length: 2\r\n\r\n{}",
    OK + b"X\xe9: 1\r\nContent-Length: 2\r\n\r\n{}",
    OK + b"X: \x01\r\nContent-Length: 2\r\n\r\n{}",
    TWO.replace(b"HTTP/1.1", b"RTSP/1.0"),
    TWO.replace(b"HTTP/1.1", b"ICE/1.0"),
    TWO.replace(b"HTTP/1.1", b"HTTP/2.0"),
    TWO.replace(b"HTTP/1.1", b"HTTP/0.9"),
    TWO.replace(b"HTTP/1.1", b"HTTP/1.2"),
    TWO.replace(b"200", b"000"),
    TWO.replace(b"200", b"099"),
    b"\r\n" + TWO,
    b" " + TWO,
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + TWO.replace(b"HTTP/1.1", b"RTSP/1.0"),
    b"RTSP/1.0 103 Early Hints\r\n\r\n" + TWO,
    OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    OK + b"Content-Length: -2\r\n\r\n{}",
    OK + b"Content-Length: +2\r\n\r\n{}",
    OK + b"Content-Length: 0x2\r\n\r\n{}",
    OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: gzip\r\n\r\n{}",
    OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\n2\r\n{}rubbish\r\n",
    CHUNKED + b"\r\n3\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"\r\n2\r\n{}\n0\r\n\r\n",
    CHUNKED + b"\r\n2\n{}\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("data", INVALID)
def test_what_is_no_http_is_an_error_that_may_be_tried_again(data):
    for pieces in ([data], bytewise(data)):
        with pytest.raises(RequestError, match="not valid HTTP") as caught:
            read(*pieces)
        assert caught.value.retryable


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "without an answer"),
        (OK + b"Content-Le", "without an answer"),
        (OK + b"Content-Length: 3\r\n\r\n{}", "broke off"),
        (CHUNKED + b"\r\n", "broke off"),
        (CHUNKED + b"\r\n2\r\n{}\r\n", "broke off"),
        (CHUNKED + b"\r\n2\r\n{}\r\n0\r\n", "broke off"),
    ],
)
def test_a_connection_that_ends_in_the_midst_is_no_answer(data, said):
    with pytest.raises(RequestError, match=said) as caught:
        read(data, ends=True)
    assert caught.value.retryable


def test_an_end_that_anyone_may_have_made_ends_no_answer():
    incoming = Incoming()
    incoming.feed(OK + b"\r\n{}")
    with pytest.raises(RequestError, match="broke off"):
        incoming.end(cut_off=True)


@pytest.mark.parametrize(
    "extra",
    [TWO, TWO[:9], b"rubbish", b"\0", b"\r\n", b"\n", b"\r", b" ", OK + b"Content-Length: x"],
)
def test_more_than_was_asked_for_spoils_the_connection_and_not_the_answer(extra):
    for data in (TWO, WHOLE["in chunks"][0], WHOLE["without a body"][0]):
        found = read(data + extra)
        assert (found.body, found.reusable) == (read(data).body, False)
        assert found.headers == read(data).headers
        for cut in (len(data) - 1, len(data) - 3):
            assert not read(data[:cut], data[cut:] + extra).reusable


def test_switching_protocols_ends_it():
    data = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz"
    found = read(data)
    assert (found.status, found.reusable) == (101, False)


TOKENS = st.text("abcXYZ-_019", min_size=1, max_size=12).map(lambda name: f"x-{name}".encode())
VALUES = st.binary(max_size=20).map(lambda value: bytes(b for b in value if b > 32 and b != 127))


@st.composite
def answers(draw):
    """An answer in one of the three framings, cut anywhere."""
    body = draw(st.binary(max_size=60))
    headers = draw(st.lists(st.tuples(TOKENS, VALUES), max_size=4))
    framing = draw(st.sampled_from(["length", "chunks", "end"]))
    if framing == "length":
        headers.append((b"Content-Length", b"%d" % len(body)))
    elif framing == "chunks":
        headers.append((b"Transfer-Encoding", b"chunked"))
        cuts = sorted(draw(st.sets(st.integers(1, len(body)), max_size=4))) if body else []
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
        body += b"0\r\n\r\n"
    head = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    data = b"HTTP/1.1 %d OK\r\n%b\r\n%b" % (draw(st.integers(200, 299)), head, body)
    cuts = sorted(draw(st.sets(st.integers(1, len(data) - 1), max_size=5)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def by_h11(pieces):
    """What another library reads; None for what it refuses or finds no end of."""
    theirs = h11.Connection(h11.CLIENT)
    theirs.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    theirs.send(h11.EndOfMessage())
    body, head = b"", None
    try:
        for piece in (*pieces, b""):
            theirs.receive_data(piece)
            while (event := theirs.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Response):
                    head = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.InformationalResponse):
                    continue
                else:
                    fields = [tuple(map(bytes, h)) for h in head.headers]
                    return head.status_code, fields, body
    except h11.RemoteProtocolError:
        pass
    return None


def by_ours(pieces):
    """The same of ours."""
    incoming, body = Incoming(), b""
    try:
        for piece in pieces:
            if not incoming.is_whole:
                incoming.feed(piece)
                body += b"".join(incoming.take())
        if not incoming.is_whole:
            incoming.end()
    except RequestError:
        return None
    return incoming.status, [(name.lower(), value) for name, value in incoming.headers], body


@given(answers())
def test_it_reads_what_another_library_reads(pieces):
    assert by_ours(pieces) == by_h11(pieces) is not None


MARKS = [
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n ",
    b":",
    b"\0",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b",",
    b";",
    b"0",
    b"-",
]
LINES = [
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\r\n\r\n",
    b"x: y\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
]
WORDS = [
    b"HTTP/1.1 ",
    b"RTSP/1.0 ",
    b"HTTP/1.0 ",
    b"Content-Length",
    b"Transfer-Encoding",
    b"chunked",
    b"+",
]
SPOILED = st.sampled_from([*MARKS, *LINES, *WORDS])


@st.composite
def spoiled(draw):
    """An answer with something put in, left out or said otherwise, anywhere but mostly in its head."""
    data = b"".join(draw(answers()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, min(len(data), 90)))
        gone = draw(st.integers(0, 3))
        data = data[:at] + draw(SPOILED | st.just(b"")) + data[at + gone :]
    return data


# What h11 reads and we refuse on purpose: a pattern, and an answer with it.
STRICTER = {
    "a folded header": (rb"\n[ \t]", OK + b"X: 1\r\n b\r\nContent-Length: 2\r\n\r\n{}"),
    "a control character": (
        rb"[\x00-\x08\x0b-\x1f\x7f](?<!\r(?=\n))",
        OK + b"X: \x01\r\nContent-Length: 2\r\n\r\n{}",
    ),
    "a version before 1": (rb"^HTTP/0", TWO.replace(b"1.1", b"0.9")),
    "a tab behind a transfer coding": (
        rb"(?i)transfer-encoding:[^\n]*\t",
        OK + b"Transfer-Encoding: chunked\t\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    "an extension of a chunk without a name": (
        rb"\n[0-9a-fA-F]+;\r?\n",
        CHUNKED + b"\r\n2;\r\n{}\r\n0\r\n\r\n",
    ),
    "a bare line feed after the last chunk": (
        rb"\n0+[^\n]*\n(?s:.)*?(?<!\r)\n",
        CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\n",
    ),
}


@pytest.mark.parametrize("name", STRICTER)
def test_it_is_stricter_than_another_library_on_purpose(name):
    pattern, data = STRICTER[name]
    assert re.search(pattern, data)
    assert by_ours([data]) is None
    assert by_h11([data]) is not None


@settings(max_examples=500, deadline=None)
@given(spoiled())
def test_what_it_refuses_another_library_refuses_and_the_other_way_round(data):
    """Where both read, they read the same; what only we refuse is listed above."""
    ours, theirs = by_ours([data]), by_h11([data])
    if ours is None:
        assert theirs is None or any(re.search(one, data) for one, _ in STRICTER.values())
    else:
        assert ours == theirs
    assert by_ours(bytewise(data)) == ours


# --- requests


def test_a_request_is_written_as_it_is():
    given = httpx.Request(
        "POST", "https://h.example/a%20b?q=%2F", headers={"X-Key": "k"}, content=b"{}"
    )
    head, _, body = request_bytes(Request.of(given)).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a%20b?q=%2F HTTP/1.1"
    assert {b"Host: h.example", b"X-Key: k", b"Content-Length: 2"} <= set(lines[1:])
    assert body == b"{}"


def test_octets_over_127_go_out_as_they_are():
    given = Request.get("https://h.example/", {b"X": "é".encode("latin-1")})
    assert b"\r\nX: \xe9\r\n" in request_bytes(given)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"X", b"a\r\nX-Evil: 1")],
        [(b"X", b"a\n")],
        [(b"X", b"a\0b")],
        [(b"X", b" a")],
        [(b"X", b"a\x7f")],
        [(b"a b", b"c")],
        [(b"", b"c")],
        [(b"a:", b"c")],
        [(b"X\r\nY", b"c")],
        [(b"Content-Length", b"5")],
        [(b"Transfer-Encoding", b"chunked")],
    ],
)
def test_a_request_that_is_not_http_is_never_written(headers):
    with pytest.raises(RequestError, match="not valid HTTP") as caught:
        request_bytes(Request.get("https://h.example/", dict(headers)))
    assert not caught.value.retryable


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nX:", "G T", "GÉT"])
def test_a_method_is_a_token(method):
    with pytest.raises(RequestError, match="not valid HTTP"):
        request_bytes(Request.of(httpx.Request(method, "https://h.example/")))
