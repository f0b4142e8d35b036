"""HTTP/1.1 over guarded connections, which are kept for the next request to the same origin.

httpx's own transport takes 0.3 ms for a request, as much as all that is done here besides (ADR 14).
There is no HTTP/2, no redirect and no retry: the client above decides those. A proxy is one that
the operator names for us, never one that merely stands in the environment.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from connector_assets.errors import RequestError
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.dial import SocketStream, open_stream, open_tls_stream
from connector_assets.runtime.http.http1 import Incoming, request_bytes
from connector_assets.runtime.http.network import Network, Proxy
from connector_assets.runtime.http.proxy import is_forwarding, open_through, refused
from connector_assets.runtime.http.request import Origin, Request
from connector_assets.runtime.http.watch import Watch

_MOST_IDLE, _IDLE_S = 32, 15.0
# What stands around chunks: once over so many bytes, at most so many times the body.
_FRAMING_FREE, _MOST_FRAMING = 1 << 20, 2
_log = logging.getLogger("connector_assets.http")


class GuardedTransport:
    """Dials only what the guard allows, or has the network's proxy dial; threads may share one."""

    def __init__(self, guard: Guard, network: Network | None = None) -> None:
        self._guard, self._network = guard, network or Network()
        self._tls = self._network.tls()
        self._idle = _Idle()

    def send(self, request: Request, watch: Watch) -> StreamedReply:
        """Send the request; the head of its reply is still to be awaited, or the reply closed.

        Raises RequestError for what breaks the exchange, BlockedError, Cancelled.
        """
        origin = request.resource.origin
        proxy = self._network.proxy_for(*origin)
        forwarding = proxy if proxy and is_forwarding(proxy, origin) else None
        data = request_bytes(request, forwarding.headers if forwarding else None)
        stream = self._idle.take(origin, watch.now()) or self._open(origin, proxy, watch)
        try:
            stream.send(data, watch)
        except BaseException:
            stream.close()
            raise
        return StreamedReply(
            self._idle, origin, stream, watch, forwarding, is_bare=request.method == "HEAD"
        )

    def close(self) -> None:
        self._idle.close()

    def _open(self, origin: Origin, proxy: Proxy | None, watch: Watch) -> SocketStream:
        if proxy:
            _log.debug("%s: connecting through %s", watch.where, proxy)
            return open_through(proxy, self._network, self._guard, origin, watch)
        _log.debug("%s: connecting", watch.where)
        if origin.scheme == "https":
            return open_tls_stream(self._guard, origin.host, origin.port, watch, self._tls)
        return open_stream(self._guard, origin.host, origin.port, watch)


class StreamedReply:
    """An answer whose body comes as it is asked for.

    Once that is whole, its connection may be used again.
    """

    def __init__(
        self,
        idle: _Idle,
        origin: Origin,
        stream: SocketStream,
        watch: Watch,
        proxy: Proxy | None,
        *,
        is_bare: bool,
    ) -> None:
        self._proxy = proxy
        self._idle, self._origin, self._stream, self._watch = idle, origin, stream, watch
        self._incoming = Incoming(is_bare=is_bare)

    @property
    def status(self) -> int:
        return self._incoming.status

    @property
    def headers(self) -> httpx.Headers:
        return httpx.Headers(self._incoming.headers)

    def field(self, name: str) -> str:
        """The value of a header named in lower case, empty if there is none."""
        return self._incoming.fields.get(name.encode(), b"").decode("latin-1")

    def await_head(self) -> None:
        """Wait for status and headers; the reply is closed where they do not come."""
        incoming, received = self._incoming, 0
        try:
            while not incoming.has_head:
                received += self._receive()
                self._watch.check_head(incoming.head_bytes if incoming.has_head else received)
        except BaseException:
            self.close()
            raise
        _log.debug("%s: answered %d", self._watch.where, self.status)
        if self._proxy and self.status == 407:  # noqa: PLR2004 - Proxy Authentication Required
            self.close()
            raise refused(self._proxy, self.status, self._watch.where)

    def __iter__(self) -> Iterator[bytes]:
        incoming, no_body, framing = self._incoming, 0, 0
        yield b"".join(incoming.take())
        size = 0
        while not incoming.is_whole:
            received = self._receive()
            body = b"".join(incoming.take())
            # Trailers and what stands behind a chunk's size count as headers do.
            no_body = 0 if body else no_body + received
            self._watch.check_head(no_body)
            size, framing = size + len(body), framing + received - len(body)
            if framing > _FRAMING_FREE and framing > _MOST_FRAMING * size:
                raise RequestError("the body comes in chunks of a byte or two; that is refused")
            yield body

    def close(self) -> None:
        if self._incoming.is_whole and self._incoming.is_reusable:
            self._idle.keep(self._origin, self._stream, self._watch.now())
        else:
            self._stream.close()

    def _receive(self) -> int:
        data = self._stream.receive(self._watch)
        if data:
            self._incoming.feed(data)
        else:
            self._incoming.end(cut_off=self._stream.cut_off)
        return len(data)


class _Waiting(NamedTuple):
    origin: Origin
    stream: SocketStream
    since: float


class _Idle:
    """Connections that wait for another request. Times in seconds of the watch's clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._is_closed = False

    def take(self, origin: Origin, now: float) -> SocketStream | None:
        """The one used last; what the server has ended, or spoken on unasked, is not used again."""
        while last := self._last(origin):
            _, stream, since = last
            if now - since < _IDLE_S and stream.is_quiet:
                return stream
            stream.close()
        return None

    def _last(self, origin: Origin) -> _Waiting | None:
        with self._lock:
            last = next((one for one in reversed(self._waiting) if one.origin == origin), None)
            if last:
                self._waiting.remove(last)
            return last

    def keep(self, origin: Origin, stream: SocketStream, now: float) -> None:
        with self._lock:
            self._waiting.append(_Waiting(origin, stream, now))
            most = 0 if self._is_closed else _MOST_IDLE
            gone = self._waiting[: max(0, len(self._waiting) - most)]
            del self._waiting[: len(gone)]
        for one in gone:
            one.stream.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            gone, self._waiting = self._waiting, []
        for one in gone:
            one.stream.close()
