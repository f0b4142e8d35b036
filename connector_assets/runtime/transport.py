"""The place where sockets are opened: every address judged, every wait bounded and cancellable.

httpx offers no way to hand its pool a network backend, so `GuardedTransport` sets the pool's one
private attribute (a test watches that it still exists). httpcore passes the timeouts of a request
through to the stream untouched; ours is a `Watch`, which knows the whole request's deadline, so a
server that drips bytes, stalls in the headers or floods them meets the same limit.
"""

from __future__ import annotations

import math
import os
import select
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import certifi
import httpcore
import httpx

from connector_assets.errors import BlockedError, Cancelled, ConfigError, RequestError
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.guard import Guard

T = TypeVar("T")

_RESOLVING, _SHAKING_HANDS = "resolving the host name", "in the TLS handshake"
_PARTS = {_RESOLVING: "dns", _SHAKING_HANDS: "tls"}
# The request extension under which the client hands its watch to the transport.
WATCH = "connector_assets.watch"
# How long a blocked call goes on before it looks at the cancel event and the deadline again.
_SLICE_S = 0.2
# What a token request under way is still given when the caller cancels, in seconds.
_GRACE_S = 10.0
# Of a name with many addresses, the first few: each try costs a share of the connect timeout.
_MOST_ADDRESSES = 4


class Watch:
    """One request's limits, as the socket sees them; times in seconds of `clock.monotonic()`."""

    __slots__ = (
        "_cancel",
        "_clock",
        "_connect_s",
        "_ends",
        "_grace_ends",
        "_head_bytes",
        "_hurried",
        "_read_s",
        "_started",
        "_total_s",
        "in_head",
        "received",
        "where",
    )

    def __init__(
        self,
        *,
        clock: Clock,
        cancel: threading.Event,
        connect_s: float,
        read_s: float,
        total_s: float,
        head_bytes: int,
    ) -> None:
        self._clock, self._cancel = clock, cancel
        self._connect_s, self._read_s, self._total_s = connect_s, read_s, total_s
        self._started = clock.monotonic()
        self._ends = self._started + total_s
        self._head_bytes = head_bytes
        self.where, self.received, self.in_head = "", 0, True
        self._hurried, self._grace_ends = False, math.inf

    @property
    def elapsed_s(self) -> float:
        return self.now() - self._started

    def begin_exchange(self, where: str, *, hurried: bool = False) -> None:
        """Another exchange on the same deadline: a redirect, or a token request.

        One that is `hurried` is not cancelled in its midst, only given less time.
        """
        self._hurried = False
        self.check()
        self.where, self.received, self.in_head, self._hurried = where, 0, True, hurried

    def stand_still(self, seconds: float) -> None:
        """Time that does not count: the request waited for its turn."""
        self._started += seconds
        self._ends += seconds

    def now(self) -> float:
        return self._clock.monotonic()

    def connect_by(self) -> float:
        return min(self._ends, self.now() + self._connect_s)

    def silent_until(self) -> float:
        return self.now() + self._read_s

    def slice_until(self, until: float) -> float:
        """How long to block before the next `check`."""
        return min(_SLICE_S, max(0.0, until - self.now()))

    def check(self, until: float | None = None, waiting_for: str = "") -> None:
        """Raise if the caller cancelled, or `until` or the whole request's deadline has passed."""
        now = self.now()
        if self._cancel.is_set():
            self._grace_ends = min(self._grace_ends, now + _GRACE_S)
            if not self._hurried or now >= self._grace_ends:
                raise Cancelled("cancelled", where=self.where)
        if now >= self._ends:
            what = f"not finished within {self._total_s:g} s"
            raise RequestError(what, where=self.where, fix="raise timeoutSeconds", retryable=True)
        if until is not None and now >= until:
            part = _PARTS.get(waiting_for, "")
            what = f"timed out {waiting_for}"
            raise RequestError(what, where=self.where, retryable=True, part=part)

    def took(self, count: int) -> None:
        """Count bytes off the wire; interim answers and headers together may not exceed a limit."""
        if self.in_head and self.received > self._head_bytes:
            what = f"more than {self._head_bytes} bytes of headers"
            raise RequestError(what, where=self.where)
        self.received += count


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport, dialling only what the guard allows: no proxy, HTTP/1.1, TLS by name."""

    def __init__(self, guard: Guard) -> None:
        limits = httpx.Limits(
            max_connections=None, max_keepalive_connections=32, keepalive_expiry=15.0
        )
        super().__init__(verify=tls_context(), trust_env=False, limits=limits)
        self._pool._network_backend = GuardedBackend(guard)  # noqa: SLF001  # no public seam

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        watch = request.extensions[WATCH]
        request.extensions = {"timeout": {"connect": watch, "read": watch, "write": watch}}
        return super().handle_request(request)


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves once, has every address judged, dials the judged ones in order."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        del local_address, socket_options
        watch: Watch = timeout
        until = watch.connect_by()
        addresses = bounded(lambda: self._guard.addresses(host, port), watch, until)
        return GuardedStream(_dial(addresses[:_MOST_ADDRESSES], port, watch, until))

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise BlockedError("a unix socket is not a host")


class GuardedStream(httpcore.NetworkStream):
    """A connected socket that looks at its request's watch between slices of waiting.

    `answered`: bytes came since the request was written. `cut_off`: TLS ended without its alert, so
    an answer that ends with the connection may have been cut by anyone on the way (RFC 9112, 9.8).
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.answered = True
        self.cut_off = False
        sock.settimeout(_SLICE_S)  # a TLS socket wrapped around it inherits this

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        watch: Watch = timeout
        watch.check()
        until: float | None = None
        while True:
            try:
                data = self._sock.recv(max_bytes)
            except TimeoutError:
                until = watch.silent_until() - _SLICE_S if until is None else until
                watch.check(until, "waiting for the answer")
            except ssl.SSLEOFError:
                self.cut_off = True
                return b""
            except OSError as error:
                raise _lost(error, watch) from None
            else:
                watch.took(len(data))
                self.answered = True
                return data

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        watch: Watch = timeout
        self.answered = False
        until = watch.silent_until()
        while buffer:
            watch.check(until, "sending the request")
            try:
                sent = self._sock.send(buffer)
                until = watch.silent_until()
            except TimeoutError:
                continue
            except OSError as error:
                # httpcore swallows this one to read an answer the server may have sent early.
                raise httpcore.WriteError(type(error).__name__) from None
            buffer = buffer[sent:]

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: Any = None,
    ) -> httpcore.NetworkStream:
        watch: Watch = timeout
        until = watch.connect_by()
        try:
            # The wrapped socket takes the descriptor over, so it is the one to close from here on.
            self._sock = wrapped = ssl_context.wrap_socket(
                self._sock,
                server_hostname=server_hostname,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
            _shake_hands(wrapped, watch, until)
        except BaseException as error:
            self.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise _untrusted(error, watch) from None
            if isinstance(error, OSError | ValueError):
                raise _lost(error, watch, "the TLS handshake failed", part="tls") from None
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "is_readable":
            return _is_readable(self._sock)
        names = {"client_addr": "getsockname", "server_addr": "getpeername"}
        return getattr(self._sock, names[info])() if info in names else None


def tls_context() -> ssl.SSLContext:
    """Verifies against certifi's roots, or those of SSL_CERT_FILE or SSL_CERT_DIR when set.

    The operator owns the environment, and a company's own root is often the only one that works.
    SSLKEYLOGFILE is not obeyed: no session key is ever written.
    """
    return _tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _tls_context(file: str | None, directory: str | None) -> ssl.SSLContext:
    # Not create_default_context: that one obeys SSLKEYLOGFILE. This type verifies by default.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    try:
        if file or directory:
            context.load_verify_locations(file or None, directory or None)
        else:
            context.load_verify_locations(certifi.where())
    except OSError:
        fix = "point it to a readable PEM file or directory, or unset it"
        name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
        raise ConfigError("holds no certificates that can be read", where=name, fix=fix) from None
    return context


def bounded(work: Callable[[], T], watch: Watch, until: float) -> T:
    """`work` in its own thread, left behind when time is up: getaddrinfo has no timeout."""
    done, outcome = threading.Event(), list[Any]()

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001  # re-raised by the waiting thread
            outcome.append(error)
        done.set()

    threading.Thread(target=run, name="resolve", daemon=True).start()
    while not done.wait(watch.slice_until(until)):
        watch.check(until, _RESOLVING)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]  # type: ignore[no-any-return]  # a list holds one kind of thing


def _dial(addresses: tuple[str, ...], port: int, watch: Watch, until: float) -> socket.socket:
    failure = RequestError("no address to connect to", where=watch.where)
    for position, address in enumerate(addresses):
        now = watch.now()
        share = (until - now) / (len(addresses) - position)
        try:
            return _connect(address, port, watch, now + share)
        except RequestError as error:
            watch.check()
            failure = error
    raise failure


def _connect(address: str, port: int, watch: Watch, until: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sock.connect_ex((address, port)) != 0:
            _await_connection(sock, watch, until)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise _lost(error, watch, "could not connect") from None
        raise
    return sock


def _await_connection(sock: socket.socket, watch: Watch, until: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        while not selector.select(watch.slice_until(until)):
            watch.check(until, "connecting")
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))


def _shake_hands(sock: ssl.SSLSocket, watch: Watch, until: float) -> None:
    while True:
        try:
            sock.do_handshake()
        except TimeoutError:
            watch.check(until, _SHAKING_HANDS)
        else:
            return


def _is_readable(sock: socket.socket) -> bool:
    if sock.fileno() < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _lost(
    error: Exception, watch: Watch, what: str = "the connection was lost", *, part: str = ""
) -> RequestError:
    # strerror comes from the system, not from the server, so it may be shown.
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    reason = reason or getattr(error, "strerror", None) or type(error).__name__
    return RequestError(f"{what} ({reason})".lower(), where=watch.where, retryable=True, part=part)


def _untrusted(error: ssl.SSLCertVerificationError, watch: Watch) -> RequestError:
    what = f"the certificate is not trusted ({error.verify_message})"
    fix = "check the host name; for a company's own root set SSL_CERT_FILE"
    return RequestError(what, where=watch.where, fix=fix, part="tls")
