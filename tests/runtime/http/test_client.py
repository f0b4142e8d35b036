"""The guarded client against hostile and honest servers: what it makes of their answers."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from connector_assets.errors import (
    ConnectorError,
    RequestError,
    ResponseError,
)
from connector_assets.redact import Secrets
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.client import Client, Limits
from connector_assets.runtime.http.dial import SocketStream
from connector_assets.runtime.http.render import request_of
from connector_assets.runtime.http.watch import Watch
from connector_assets.spec.request.call import Call
from tests.chaos import new_run
from tests.runtime.sending import base, opening, refused, send
from tests.runtime.wire import answer, saying, serving


class Ticking(Clock):
    """A clock that a test moves."""

    now = 0.0

    def monotonic(self):
        return self.now


WHOLE = "204 no-content-type latin1 gzip-multi-member chunked close-delimited floats wide".split()  # noqa: SIM905
BROKEN = {
    "/body/unknown-encoding": "zzz",
    "/body/gzip-bomb": "200 times",
    "/body/gzip-bomb-nested": "more than once",
    "/body/endless": "more than",
    "/body/slow-drip": "not finished within 2.4 s",
    "/body/short-of-length": "broke off",
    "/body/chunked-abort": "broke off",
    "/body/chunked-bad-size": "not valid HTTP",
    "/header/no-colon": "not valid HTTP",
    "/header/two-lengths": "not valid HTTP",
    "/proto/status-abc": "not valid HTTP",
    "/proto/tls-bytes": "not valid HTTP",
    "/proto/1xx-flood": "bytes of headers",
    "/proto/header-stall": "timed out waiting for the answer",
    "/retry/reset-then-ok": "lost",
    "/redir/loop": "more than 5 times",
    "/redir/chain?n=50": "more than 5 times",
    "/redir/cross-port": "not a declared origin",
    "/redir/cross-host": "not a declared origin",
    "/redir/decimal": "odd spelling",
    "/redir/backslash": "backslash",
    "/redir/userinfo": "user name",
}


@pytest.mark.parametrize("name", WHOLE)
def test_odd_but_whole_bodies_arrive(chaos, name):
    with Client(guard=Guard([chaos.allowed])) as client:
        reply = send(client, chaos.url(f"/body/{name}", new_run()))
    assert reply.status in (200, 204)
    assert reply.body.startswith(b'{"rows"') or reply.status == 204


@pytest.mark.parametrize("path", BROKEN)
def test_broken_exchanges_are_errors_of_ours_after_few_requests(chaos, path):
    run = new_run()
    with Client(guard=Guard([chaos.allowed])) as client:
        error = refused(
            client,
            chaos.url(path, run),
            ConnectorError,
            # A second between drips is no silence, and a silence is told before the whole is over.
            limits=Limits(connect_s=2, read_s=1.7, total_s=2.4),
        )
    assert BROKEN[path] in str(error)
    assert str(error).startswith("GET 127.0.0.1:")
    assert run not in str(error)
    assert len(chaos.log(run)) <= 6
    assert {request["port"] for request in chaos.log(run)} == {chaos.port}


@pytest.mark.parametrize(
    "path",
    ["/body/short-of-length", "/body/chunked-abort", "/body/slow-drip", "/proto/header-stall"],
)
def test_what_the_network_broke_may_be_tried_again(chaos, path):
    with Client(guard=Guard([chaos.allowed])) as client:
        error = refused(client, chaos.url(path, new_run()), RequestError)
    assert error.retryable


def test_an_answer_nobody_asked_for_is_not_taken_for_the_next_one():
    first, smuggled = answer(body=b'"first"'), answer(body=b'"smuggled"')
    for extra in (smuggled, smuggled[:9], b"rubbish"):
        with (
            serving(saying(first + extra, answer(body=b'"second"'))) as wire,
            opening(wire) as client,
        ):
            assert send(client, base(wire)).body == b'"first"'
            assert send(client, base(wire)).body == b'"second"'
            assert wire.connections == 2


def test_what_comes_on_an_idle_connection_is_no_answer():
    told, said = threading.Event(), iter([b'"first"', b'"second"'])

    def speaking_up(sock, wire):
        wire.read(sock)
        sock.sendall(answer(body=next(said)))
        told.wait(10)
        sock.sendall(answer(body=b'"smuggled"'))
        wire.read(sock)

    with serving(speaking_up) as wire, opening(wire) as client:
        assert send(client, base(wire)).body == b'"first"'
        told.set()
        select.select([client._transport._idle._waiting[0].stream._sock], [], [], 10)
        assert send(client, base(wire)).body == b'"second"'
        assert wire.connections == 2


def test_idle_connections_are_used_again_for_seconds_and_few_are_kept():
    clock = Ticking()
    with serving(saying(answer())) as wire:
        client = Client(guard=Guard([f"{wire.host}:{wire.port}"]), clock=clock)
        with client:
            send(client, base(wire))
            clock.now = 14.0
            send(client, base(wire))
            assert wire.connections == 1
            clock.now = 29.0
            send(client, base(wire))
            assert wire.connections == 2
            idle = client._transport._idle
            origin = idle._waiting[0].origin
            streams = [SocketStream(socket.socket()) for _ in range(40)]
            for stream in streams:
                idle.keep(origin, stream, 29.0)
            assert [stream._sock.fileno() < 0 for stream in streams] == [True] * 8 + [False] * 32
        assert all(stream._sock.fileno() < 0 for stream in streams)
        idle.keep(origin, late := SocketStream(socket.socket()), 29.0)
        assert late._sock.fileno() < 0


def test_any_status_but_a_redirect_comes_back_as_an_answer(chaos):
    with Client(guard=Guard([chaos.allowed])) as client:
        for code in (400, 401, 403, 404, 405, 410, 422, 501):
            assert send(client, chaos.url(f"/retry/{code}-forever", new_run())).status == code
        assert send(client, chaos.url("/retry/304", new_run())).status == 304


@pytest.mark.parametrize("head", ["", "Location: ", "Location:"])
def test_a_redirect_without_a_location_is_an_error(head):
    bare = answer("302 Found", b'{"rows":[]}', *filter(None, [head]))
    with serving(saying(bare)) as wire, opening(wire) as client:
        refused(client, base(wire), RequestError, "redirect without Location")


def test_headers_of_any_size_meet_a_limit():
    huge = answer("200 OK", b"{}", "X: " + "x" * 90_000, "Y: " + "y" * 90_000)
    with serving(saying(huge)) as wire, opening(wire) as client:
        refused(client, base(wire), RequestError)


@pytest.mark.parametrize("beside", [b"2\r\n{}\r\n0\r\nX: ", b"2\r\n{}\r\n0;", b"2\r\n{}\r\n0\r\n"])
def test_what_stands_beside_a_body_meets_the_same_limit(beside):
    """Trailers without an end, in one field or in many, and blanks behind a chunk's size."""
    more = b"x" * 65_536 if not beside.endswith(b"0\r\n") else b"X: y\r\n" * 10_000

    def endless(sock, wire):
        wire.read(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + beside)
        while True:
            sock.sendall(more)

    with serving(endless) as wire, opening(wire) as client:
        refused(client, base(wire), RequestError, "bytes of headers", limits=Limits())


def test_switching_protocols_is_refused():
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    with serving(saying(switch)) as wire, opening(wire) as client:
        refused(client, base(wire), RequestError)


# --- the rest


def test_each_request_stands_alone_without_cookies():
    setting = answer("200 OK", b"{}", "Set-Cookie: sid=abc; Path=/")
    with serving(saying(setting)) as wire, opening(wire) as client:
        send(client, base(wire))
        send(client, base(wire))
        assert "cookie" not in wire.requests[1].lower()


def test_requests_say_what_they_accept_unless_told_otherwise():
    with serving(saying(answer())) as wire, opening(wire) as client:
        for headers in ({}, {"Accept": "text/csv", "User-Agent": "me"}):
            request = request_of(Call("GET", base(wire), headers=headers), {})
            send(client, base(wire), request=request)
    assert "\r\naccept: application/json\r\n" in wire.requests[0]
    assert "\r\naccept-encoding: gzip, deflate\r\n" in wire.requests[0]
    assert "\r\naccept: text/csv\r\n" in wire.requests[1]
    assert "application/json" not in wire.requests[1]


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\r\nX-Evil: 1"}, {"X": "a\0b"}, {"Content-Length": "5"}, {"a b": "c"}],
)
def test_a_request_that_is_not_http_is_our_error_and_no_retry(headers):
    with serving(saying(answer())) as wire, opening(wire) as client:
        error = refused(client, base(wire), RequestError, "not valid HTTP", headers=headers)
        assert not error.retryable
        assert not any("X-Evil" in request for request in wire.requests)


def test_a_connection_that_is_refused_says_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Client(guard=Guard([f"127.0.0.1:{port}"])) as client:
        error = refused(
            client,
            f"http://127.0.0.1:{port}/v1?key=k",
            RequestError,
            r"could not connect \(connection refused\)",
        )
    assert error.retryable
    assert "key" not in str(error)


def test_threads_share_one_client_and_get_their_own_answers():
    def echo(sock, wire):
        while head := wire.read(sock):
            sock.sendall(answer(body=head.split(" ")[1].encode()))

    with serving(echo) as wire, opening(wire) as client, ThreadPoolExecutor(8) as pool:
        urls = [f"{base(wire)}/{n}" for n in range(200)]
        assert [a.body for a in pool.map(lambda url: send(client, url), urls)] == [
            f"/{n}".encode() for n in range(200)
        ]
        assert wire.connections <= 8


def test_an_answer_says_what_it_cost():
    import gzip

    packed = gzip.compress(b"[" + b"1," * 5000 + b"1]")
    zipped = answer("200 OK", packed, "Content-Encoding: gzip")
    with serving(saying(zipped)) as wire, opening(wire) as client:
        reply = send(client, base(wire))
    assert reply.wire_bytes == len(packed) < len(reply.body)
    assert reply.elapsed_s > 0


def test_an_encoding_in_two_headers_is_one_on_top_of_another():
    twice = answer("200 OK", b"{}", "Content-Encoding: gzip", "Content-Encoding: gzip")
    with serving(saying(twice)) as wire, opening(wire) as client:
        refused(client, base(wire), ResponseError, "more than once")


@pytest.mark.parametrize("limit", [{"max_bytes": 100}, {"max_wire_bytes": 100}])
def test_a_body_over_its_limit_is_an_error_that_no_retry_mends(limit):
    with serving(saying(answer(body=b" " * 101))) as wire, opening(wire) as client:
        refused(client, base(wire), ResponseError, "more than 100 bytes", limits=Limits(**limit))


def test_no_secret_or_query_reaches_a_log_line_at_debug(caplog):
    secrets = Secrets({"apiKey": "canary-5f1e", "pass": "canary p&ss"})
    echo = answer(
        "200 OK",
        b"{}",
        "Set-Cookie: sid=unknown-token",
        "X-Echo: canary-5f1e",
        "Link: </x?key=canary-5f1e>",
    )
    with caplog.at_level(logging.DEBUG), serving(saying(echo)) as wire, opening(wire) as client:
        auth = httpx.BasicAuth("u", "canary p&ss")
        send(client, f"{base(wire)}/v1?key=canary-5f1e&q=private", auth=auth, mask=secrets.mask)
        logging.getLogger("httpx").info("HTTP Request: GET %s", "https://h/v1?key=canary-5f1e")
    text = caplog.text
    assert "connector_assets.http" in text
    assert "https://h/v1?" in text
    for hidden in ("canary", "unknown-token", "private", "dTpjYW5"):
        assert hidden not in text


def chunk_by_chunk(chunk):
    """A server whose body never ends: `chunk` again and again, as long as anyone listens."""

    def handle(sock, wire):
        wire.read(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(chunk)

    return handle


class Dripping(httpx.BaseTransport):
    """A body without an end, of a byte each second."""

    def __init__(self, clock):
        self.clock = clock

    def handle_request(self, request):
        return httpx.Response(200, stream=self.drops())

    def drops(self):
        transport = self

        class Drops(httpx.SyncByteStream):
            def __iter__(self):
                while True:
                    transport.clock.now += 1
                    yield b"x"

        return Drops()


@pytest.mark.parametrize(
    ("min_rate", "read_s", "said", "after_s"),
    [
        (100.0, 30, "fewer than 100 bytes a second came for 60 s; lower minBytesPerSecond", 60),
        (1.5, 90, "fewer than 1.5 bytes a second came for 90 s; lower minBytesPerSecond", 90),
        (1.0, 60, "not finished within 3600 s", 3_600),
        (0.0, 60, "not finished within 3600 s", 3_600),
    ],
)
def test_a_body_that_comes_slower_than_its_floor_is_an_error(min_rate, read_s, said, after_s):
    clock = Ticking()
    limits = Limits(read_s=read_s, total_s=3_600, min_rate=min_rate)
    with Client(guard=Guard(), transport=Dripping(clock), clock=clock) as client:
        error = refused(client, "https://api.example.com/", RequestError, said, limits=limits)
    assert error.retryable
    assert clock.now == after_s


def test_a_slow_beginning_is_made_up_for_within_the_window():
    watch = Watch(
        clock=(clock := Ticking()),
        cancel=threading.Event(),
        connect_s=1,
        read_s=90,
        total_s=9_000,
        head_bytes=1,
        min_rate=100,
    )
    watch.begin_body()
    for passed_s, size in ((89, 1), (90, 9_000), (179, 0), (181, 9_100), (400, 30_000)):
        clock.now = passed_s
        watch.check_body(size)
    clock.now = 600
    with pytest.raises(RequestError, match="for 200 s"):
        watch.check_body(19_999)


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"2;extension=long\r\nxy\r\n"])
def test_chunks_that_are_hardly_more_than_their_frames_are_refused(chunk):
    with serving(chunk_by_chunk(chunk * 1_000)) as wire, opening(wire) as client:
        refused(client, base(wire), RequestError, "a byte or two", limits=Limits())


def test_small_chunks_are_read():
    body = b"1\r\nx\r\n" * 20_000 + b"3\r\nabc\r\n" * 200_000 + b"0\r\n\r\n"
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    with serving(saying(said)) as wire, opening(wire) as client:
        assert len(send(client, base(wire), limits=Limits()).body) == 620_000
