"""Connections through a proxy: to it for plain http, through it (CONNECT) for all else.

The proxy is the operator's, so its own address is not judged. The host that a request is for is
still judged by its name, and where the operator has us resolve, by its addresses too; else what
the proxy dials for that name is the proxy's matter.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from typing import Any

from connector_assets.errors import RequestError
from connector_assets.runtime.guard.guard import Guard, system_resolver
from connector_assets.runtime.http.dial import SocketStream, dial, in_tls, no_tls, shake_hands
from connector_assets.runtime.http.network import Network, Proxy
from connector_assets.runtime.http.request import Origin
from connector_assets.runtime.http.watch import Watch, bounded

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})\b")
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_WANTS_CREDENTIALS = 407
_AT_ONCE = 64 << 10


def is_forwarding(proxy: Proxy, origin: Origin) -> bool:
    """Whether the proxy itself is sent the request, with the whole URL in it."""
    return origin.scheme == "http" and proxy.resolves


def open_through(
    proxy: Proxy, network: Network, guard: Guard, origin: Origin, watch: Watch
) -> SocketStream:
    """A stream on which requests for `origin` may be sent; its host has been judged."""
    if proxy.resolves:
        guard.admit_unresolved(origin.host, origin.port)
        if is_forwarding(proxy, origin):
            return SocketStream(_to(proxy, network, watch))
        return _tunnel(proxy, network, origin, origin.host, watch)
    until, failure = watch.connect_by(), None
    for address in bounded(lambda: guard.addresses(origin.host, origin.port), watch, until):
        try:
            return _tunnel(proxy, network, origin, address, watch)
        except RequestError as error:
            watch.check()
            failure = error
            if not error.retryable:
                break
    raise failure or RequestError("no address to connect to", where=watch.where)


def refused(proxy: Proxy, status: int, where: str) -> RequestError:
    """What to say where the proxy answers instead of the server."""
    if status == _WANTS_CREDENTIALS:
        given = bool(proxy.headers)
        what = f"{status}: the proxy {proxy} {'refuses the credentials' if given else 'wants some'}"
        fix = "check username and password of the connection's network.proxy"
        return RequestError(what, where=where, fix=fix, status=status, part="proxy")
    return RequestError(
        f"the proxy {proxy} refused to connect ({status})",
        where=where,
        fix="ask whoever runs it to allow this host and port",
        retryable=status >= 500,  # noqa: PLR2004 - it failed, and may not the next time
        part="proxy",
    )


def _to(proxy: Proxy, network: Network, watch: Watch) -> socket.socket:
    until = watch.connect_by()
    try:
        found = bounded(lambda: system_resolver(proxy.host), watch, until)
        sock = dial(tuple(dict.fromkeys(found)), proxy.port, watch, until)
        if proxy.scheme == "https":
            return in_tls(sock, network.tls(as_client=False), proxy.host, watch)
    except (RequestError, OSError) as error:
        said = error.what if isinstance(error, RequestError) else "its name does not resolve"
        raise RequestError(
            f"the proxy {proxy} cannot be reached: {said}",
            where=watch.where,
            fix="check network.proxy",
            retryable=True,
            part="proxy",
        ) from None
    return sock


def _tunnel(
    proxy: Proxy, network: Network, origin: Origin, host: str, watch: Watch
) -> SocketStream:
    sock = _to(proxy, network, watch)
    try:
        _connect(sock, proxy, f"[{host}]" if ":" in host else host, origin.port, watch)
    except BaseException:
        sock.close()
        raise
    if origin.scheme == "http":
        return SocketStream(sock)
    if isinstance(sock, ssl.SSLSocket):
        return SocketStream(_Nested(sock, network.tls(), origin.host, watch))
    return SocketStream(in_tls(sock, network.tls(), origin.host, watch))


def _connect(sock: socket.socket, proxy: Proxy, host: str, port: int, watch: Watch) -> None:
    """Have the proxy connect; nothing that it says beside the status is looked at."""
    fields = [(b"Host", f"{host}:{port}".encode()), *proxy.headers]
    lines = b"".join(b"%b: %b\r\n" % one for one in fields)
    stream = SocketStream(sock)
    stream.send(f"CONNECT {host}:{port} HTTP/1.1\r\n".encode() + lines + b"\r\n", watch)
    head = b""
    while not (ends := _HEAD_ENDS.search(head)):
        more = stream.receive(watch)
        if not more:
            what = f"the proxy {proxy} closed the connection"
            raise RequestError(what, where=watch.where, retryable=True, part="proxy")
        head += more
        watch.check_head(len(head))
    found = _STATUS.match(head)
    if not found or (found[1][0:1] == b"2" and ends.end() != len(head)):
        fix = "check that network.proxy is an HTTP proxy"
        what = f"the proxy {proxy} does not speak HTTP"
        raise RequestError(what, where=watch.where, fix=fix, part="proxy")
    if found[1][0:1] != b"2":
        raise refused(proxy, int(found[1]), watch.where)


class _Nested:
    """TLS within the TLS of an https proxy, which a socket cannot do: bytes go by hand."""

    def __init__(
        self, outer: ssl.SSLSocket, context: ssl.SSLContext, host: str, watch: Watch
    ) -> None:
        self._outer, self._unsent = outer, b""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            shake_hands(self, watch, watch.connect_by())
        except BaseException as error:
            outer.close()
            if refusal := no_tls(error, watch):
                raise refusal from None
            raise

    def do_handshake(self) -> None:
        self._run(self._tls.do_handshake)
        self._flush()

    def recv(self, most: int, /) -> bytes:
        data: bytes = self._run(self._tls.read, most)
        return data

    def send(self, data: memoryview, /) -> int:
        self._flush()
        sent: int = self._run(self._tls.write, data)
        with suppress(TimeoutError):  # it was taken, and goes out before whatever is next
            self._flush()
        return sent

    def settimeout(self, seconds: float | None, /) -> None:
        self._outer.settimeout(seconds)

    def fileno(self) -> int:
        return self._outer.fileno()

    def close(self) -> None:
        self._outer.close()

    def _run(self, work: Any, *given: Any) -> Any:
        while True:
            self._flush()
            try:
                return work(*given)
            except ssl.SSLWantReadError:
                self._flush()
                if data := self._outer.recv(_AT_ONCE):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def _flush(self) -> None:
        self._unsent += self._outgoing.read()
        while self._unsent:
            self._unsent = self._unsent[self._outer.send(self._unsent) :]
