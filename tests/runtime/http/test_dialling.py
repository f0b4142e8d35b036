"""The place where sockets are opened: addresses, TLS, deadlines, cancelling."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

from connector_assets.errors import (
    BlockedError,
    Cancelled,
    ConfigError,
    ConnectorError,
    RequestError,
)
from connector_assets.redact import Secrets
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http import network
from connector_assets.runtime.http.client import Client, Limits
from tests.runtime.sending import base, opening, refused, send
from tests.runtime.wire import answer, saying, serving


def test_cancelling_ends_a_blocked_read():
    cancel = threading.Event()

    def silent(sock, wire):
        wire.read(sock)
        cancel.set()
        sock.recv(1)

    with serving(silent) as wire, opening(wire) as client:
        refused(client, base(wire), Cancelled, limits=Limits(), cancel=cancel)


def test_cancelling_ends_a_stalled_tls_handshake():
    cancel = threading.Event()

    def silent(sock, _wire):
        sock.recv(1)
        cancel.set()
        sock.recv(100_000)
        sock.recv(1)

    with serving(silent) as wire, opening(wire) as client:
        refused(
            client, f"https://{wire.host}:{wire.port}", Cancelled, limits=Limits(), cancel=cancel
        )


def test_nothing_is_sent_once_cancelled():
    cancel = threading.Event()
    cancel.set()
    with serving(saying(answer())) as wire, opening(wire) as client:
        refused(client, base(wire), Cancelled, cancel=cancel)
        assert wire.connections == 0


def test_a_stalled_handshake_ends_at_the_connect_timeout():
    def silent(sock, _wire):
        sock.recv(1)
        threading.Event().wait(30)

    with serving(silent) as wire, opening(wire) as client:
        refused(
            client,
            f"https://{wire.host}:{wire.port}",
            RequestError,
            "TLS handshake",
            limits=Limits(connect_s=0.3),
        )


def test_a_hanging_resolver_ends_at_the_connect_timeout():
    release = threading.Event()

    def hanging(host):
        release.wait(60)
        return ["127.0.0.1"]

    client = Client(guard=Guard(["api.example.com"], hanging))
    with client:
        error = refused(
            client,
            "http://api.example.com/",
            RequestError,
            "resolving the host name",
            limits=Limits(connect_s=0.2),
        )
    assert error.retryable
    release.set()


@pytest.mark.parametrize("error", [UnicodeError("x"), socket.gaierror(-2, "x"), OSError("x")])
def test_a_resolver_that_raises_gives_one_clear_error(error):
    def raising(host):
        raise error

    with Client(guard=Guard([], raising)) as client:
        error = refused(client, "https://api.example.com/v1?key=k", ConnectorError)
    assert str(error).startswith("GET api.example.com/v1: ")
    assert "key" not in str(error)


# --- addresses


def test_only_the_judged_address_is_ever_dialled():
    flip = iter(["127.0.0.1", "127.0.0.2"] * 200)
    closing = answer("200 OK", b"{}", "Connection: close")
    with serving(saying(closing), host="0.0.0.0") as wire:
        guard = Guard(["127.0.0.1/32"], lambda host: [next(flip)])
        seen = {"127.0.0.1": 0, "blocked": 0}
        with Client(guard=guard) as client:
            for _ in range(100):
                try:
                    send(client, f"http://api.example.com:{wire.port}/")
                    seen["127.0.0.1"] += 1
                except BlockedError as error:
                    assert "127.0.0.2 is loopback" in str(error)  # noqa: PT017
                    seen["blocked"] += 1
    assert seen == {"127.0.0.1": 50, "blocked": 50}
    assert wire.connections == 50


@pytest.mark.parametrize("bad", [["10.0.0.5"], ["169.254.169.254"], ["::1"], ["127.0.0.2"] * 1000])
def test_one_bad_address_blocks_all_before_any_connection(bad):
    with serving(saying(answer())) as wire:
        guard = Guard(["127.0.0.1/32"], lambda host: ["127.0.0.1", *bad])
        with Client(guard=guard) as client:
            refused(client, f"http://api.example.com:{wire.port}/", BlockedError)
        assert wire.connections == 0


def test_the_next_judged_address_is_tried_when_one_refuses():
    with serving(saying(answer())) as wire:
        guard = Guard(["api.example.com"], lambda host: ["127.0.0.3", "127.0.0.1"])
        with Client(guard=guard) as client:
            assert send(client, f"http://api.example.com:{wire.port}/").status == 200


def test_an_open_connection_is_kept_though_the_name_moves():
    flip = iter(["127.0.0.1", *["10.0.0.1"] * 9])
    with serving(saying(answer())) as wire:
        guard = Guard(["127.0.0.1/32"], lambda host: [next(flip)])
        with Client(guard=guard) as client:
            for _ in range(3):
                assert send(client, f"http://api.example.com:{wire.port}/").status == 200
        assert wire.connections == 1


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(saying(answer())) as wire, opening(wire) as client:
        assert send(client, base(wire)).status == 200


def test_a_transport_of_the_callers_is_judged_before_each_try():
    flip = iter([["93.184.216.34"], ["10.0.0.1"]])
    seen = []

    def handle(request):
        seen.append(request.url.host)
        return httpx.Response(503)

    guard = Guard([], lambda host: next(flip))
    with Client(guard=guard, transport=httpx.MockTransport(handle)) as client:
        assert send(client, "https://api.example.com/").status == 503
        refused(client, "https://api.example.com/", BlockedError, "private")
    assert seen == ["api.example.com"]


def test_without_a_resolver_a_transport_of_the_callers_needs_no_dns():
    replies = httpx.MockTransport(lambda request: httpx.Response(200, json={"rows": []}))
    with Client(guard=Guard(), transport=replies) as client:
        assert send(client, "https://api.example.com/").body == b'{"rows":[]}'
        for host in ("10.0.0.1", "localhost", "intranet"):
            refused(client, f"https://{host}/", BlockedError)


# --- TLS and plain text


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    import trustme

    authority = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return authority, file


def tls_server(authority, *names):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert(*names).configure_cert(context)
    return context


def test_the_certificate_is_checked_against_the_name_not_the_address(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))
    tls = tls_server(authority, "api.example.com")
    with serving(saying(answer()), tls=tls) as wire:
        names = ["api.example.com", "other.example.com", "127.0.0.1"]
        guard = Guard(names, lambda host: ["127.0.0.1"])
        with Client(guard=guard) as client:
            assert send(client, f"https://api.example.com:{wire.port}/").status == 200
            for name in names[1:]:
                error = refused(client, f"https://{name}:{wire.port}/", RequestError, "not trusted")
                assert not error.retryable
        assert wire.names[:2] == ["api.example.com", "other.example.com"]
        assert len(wire.requests) == 1


def test_two_names_on_one_address_share_no_connection(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))
    tls = tls_server(authority, "a.example.com", "b.example.com")
    with serving(saying(answer()), tls=tls) as wire:
        guard = Guard(["a.example.com", "b.example.com"], lambda host: ["127.0.0.1"])
        with Client(guard=guard) as client:
            for name in ("a.example.com", "b.example.com") * 2:
                send(client, f"https://{name}:{wire.port}/")
        assert wire.connections == 2
        assert wire.names == ["a.example.com", "b.example.com"]


def test_a_redirect_from_https_to_http_is_refused(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))
    with serving(saying(answer())) as plain:
        moved = answer("302 Found", b"", f"Location: {base(plain)}/")
        with serving(saying(moved), tls=tls_server(authority, "127.0.0.1")) as wire:
            secure = f"https://127.0.0.1:{wire.port}"
            with opening(wire, plain) as client:
                refused(client, secure, BlockedError, "leaves TLS", origins=[secure, base(plain)])
        assert plain.connections == 0


def test_an_unknown_authority_is_not_trusted(authority):
    tls = tls_server(authority, "127.0.0.1")
    with serving(saying(answer()), tls=tls) as wire, opening(wire) as client:
        refused(client, f"https://127.0.0.1:{wire.port}/", RequestError, "SSL_CERT_FILE")


def test_the_environment_may_name_roots_but_no_key_log(tmp_path, monkeypatch):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    network._context.cache_clear()
    assert network.Network().tls().keylog_filename is None
    assert not (tmp_path / "keys").exists()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nonexistent"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        Client(guard=Guard())


def test_credentials_do_not_go_over_plain_http_to_a_public_host():
    secrets = Secrets({"apiKey": "k-9f3a-77"})
    tries = [
        {"auth": httpx.BasicAuth("u", "p")},
        {"headers": {"Authorization": "Bearer t"}},
        {"headers": {"Cookie": "sid=1"}},
        {"headers": {"X-Key": "k-9f3a-77"}},
        {"method": "POST", "content": b'{"key":"k-9f3a-77"}'},
    ]
    replies = httpx.MockTransport(lambda request: httpx.Response(200))
    with Client(guard=Guard(), transport=replies) as client:
        for given in tries:
            refused(
                client,
                "http://api.example.com/v1",
                BlockedError,
                "plain http",
                mask=secrets.mask,
                **given,
            )
        refused(
            client,
            "http://api.example.com/v1?key=k-9f3a-77",
            BlockedError,
            "plain http",
            mask=secrets.mask,
        )
        assert send(client, "http://api.example.com/v1", mask=secrets.mask).status == 200


@pytest.mark.parametrize(
    ("head", "whole"),
    [("HTTP/1.0 200 OK\r\n", False), ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", True)],
)
def test_an_answer_that_anyone_on_the_way_could_have_cut_is_not_whole(
    authority, monkeypatch, head, whole
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))

    def cut(sock, wire):
        wire.read(sock)
        sock.sendall(head.encode() + b"\r\n{}")
        sock.close()  # TCP ends, TLS does not say goodbye

    with serving(cut, tls=tls_server(authority, "127.0.0.1")) as wire, opening(wire) as client:
        url = f"https://127.0.0.1:{wire.port}/"
        if whole:
            assert send(client, url).body == b"{}"
        else:
            assert refused(client, url, RequestError, "broke off").retryable


def test_tls_that_ends_properly_ends_the_answer(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))

    def goodbye(sock, wire):
        wire.read(sock)
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")
        sock.unwrap()

    with serving(goodbye, tls=tls_server(authority, "127.0.0.1")) as wire, opening(wire) as client:
        assert send(client, f"https://127.0.0.1:{wire.port}/").body == b"{}"
