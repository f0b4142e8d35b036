"""Sends requests under a guard: the seam through which every byte of every spec goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from typing import Self

import httpx

from connector_assets.runtime.clock import Clock
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http import logs
from connector_assets.runtime.http.exchange import Answer, Exchange, Limits, Opened
from connector_assets.runtime.http.network import Network
from connector_assets.runtime.http.request import Request
from connector_assets.runtime.http.transport import GuardedTransport, StreamedReply
from connector_assets.runtime.http.watch import Watch, bounded
from connector_assets.spec.auth.credentials import Flow
from connector_assets.spec.names.url import Target


class _Theirs:
    """What a transport of the caller's gives."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status, self.headers = response.status_code, response.headers

    def field(self, name: str) -> str:
        value: str = self.headers.get(name, "")
        return value

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response.stream)  # type: ignore[arg-type]  # a sync transport's

    def close(self) -> None:
        self._response.close()


def _at_once() -> float:
    return 0.0


class Client:
    """Sends requests under a guard; keeps connections open; threads may share one.

    A `transport` given here opens its own sockets: URLs are still judged, and their hosts resolved
    and judged if the guard has a resolver of its own, but the address cannot be pinned.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        network: Network | None = None,
    ) -> None:
        logs.install()
        self._guard, self._clock = guard, clock or Clock()
        self._transport = transport or GuardedTransport(guard, network)

    def exchange(
        self,
        *,
        auth: Flow | httpx.Auth | None,
        origins: Collection[str],
        limits: Limits,
        cancel: threading.Event,
        mask: Callable[[str], str],
        turn: Callable[[], float] = _at_once,
        label: str = "",
        tell: Callable[[Request, Answer | None], None] | None = None,
        stays_home: bool = False,
    ) -> Exchange:
        """What sends one request and waits for its answer, of any status but a redirect.

        `origins` (as `origin_of` writes them) are where it may go. `turn` waits
        before each request that is sent, a redirect's and the auth's own too, and tells for how
        long: that is no part of the deadline, which runs from now. `label` begins log lines. `tell`
        is told a token's request, and every answer. `stays_home`: no redirect takes the auth or the
        headers to another origin. The answer raises BlockedError, RequestError
        (`retryable` where another try may do), ResponseError for a body over a limit, Cancelled.
        """
        watch = Watch(
            clock=self._clock,
            cancel=cancel,
            connect_s=limits.connect_s,
            read_s=limits.read_s,
            total_s=limits.total_s,
            head_bytes=limits.max_header_bytes,
            min_rate=limits.min_rate,
        )
        return Exchange(self, auth, origins, limits, watch, mask, turn, label, tell, stays_home)

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def admit(self, target: Target, watch: Watch) -> None:
        """Judge what can be judged before the transport is called; pinning happens in there."""
        if self.is_guarded or self._guard.resolver is None:
            self._guard.admit(target)
        else:
            host, port = target.host, target.port
            bounded(lambda: self._guard.addresses(host, port), watch, watch.connect_by())

    @property
    def is_guarded(self) -> bool:
        """Whether the connections are our own, and not a caller's transport's."""
        return isinstance(self._transport, GuardedTransport)

    def trusts(self, target: Target) -> bool:
        return self._guard.trusts(target.host, target.port)

    def send(self, request: Request, watch: Watch) -> StreamedReply:
        """Have the request sent, by a transport that `is_guarded`."""
        assert isinstance(self._transport, GuardedTransport)
        return self._transport.send(request, watch)

    def open(self, request: Request, watch: Watch, limits: Limits) -> Opened:
        """Send the request and wait for the head of its answer."""
        if isinstance(self._transport, httpx.BaseTransport):
            given = request.to_httpx({"timeout": _timeouts(limits)})
            return _Theirs(self._transport.handle_request(given))
        reply = self._transport.send(request, watch)
        reply.await_head()
        return reply


def _timeouts(limits: Limits) -> dict[str, float]:
    return {
        "connect": min(limits.connect_s, limits.total_s),
        "read": min(limits.read_s, limits.total_s),
        "write": min(limits.read_s, limits.total_s),
        "pool": limits.total_s,
    }
