"""The place where sockets are opened: every address judged, every wait bounded and cancellable.

A `SocketStream` looks at its `Watch` between slices of waiting: a server that drips bytes,
stalls in the headers or floods them meets the same deadline.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import ssl
from typing import Protocol

from connector_assets.errors import RequestError
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.watch import SHAKING_HANDS, SLICE_S, Watch, bounded

# Of a name with many addresses, the first few: each try costs a share of the connect timeout.
_MOST_ADDRESSES = 4
_RECEIVED_AT_ONCE = 128 << 10


class Channel(Protocol):
    """A socket as far as a stream needs one: plain, in TLS, or in TLS within TLS."""

    def recv(self, most: int, /) -> bytes: ...
    def send(self, data: memoryview, /) -> int: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class SocketStream:
    """A connected socket, used by one request at a time.

    `cut_off`: TLS ended without its alert, so an answer that ends with the connection may have been
    cut by anyone on the way (RFC 9112, 9.8).
    """

    def __init__(self, sock: Channel) -> None:
        self._sock = sock
        self.cut_off = False
        self._poll: select.poll | None = None
        sock.settimeout(SLICE_S)

    def receive(self, watch: Watch) -> bytes:
        """Some bytes, none when the connection has ended; RequestError when it broke."""
        watch.check()
        until: float | None = None
        while True:
            try:
                data = self._sock.recv(_RECEIVED_AT_ONCE)
            except TimeoutError:
                until = watch.silent_until() - SLICE_S if until is None else until
                watch.check(until, "waiting for the answer")
            except ssl.SSLEOFError:
                self.cut_off = True
                return b""
            except OSError as error:
                raise lost(error, watch) from None
            else:
                return data

    def send(self, data: bytes, watch: Watch) -> None:
        """Send all of `data`, or as much as the server takes before it ends the connection.

        It may have answered early, and refused the rest: the answer tells.
        """
        until, left = watch.silent_until(), memoryview(data)
        while left:
            watch.check(until, "sending the request")
            try:
                left = left[self._sock.send(left) :]
                until = watch.silent_until()
            except TimeoutError:
                continue
            except OSError:
                return

    def close(self) -> None:
        self._sock.close()

    @property
    def is_quiet(self) -> bool:
        """Whether the server has neither sent anything nor ended the connection."""
        if self._sock.fileno() < 0:
            return False
        if not hasattr(select, "poll"):  # Windows
            return not select.select([self._sock], [], [], 0)[0]
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._sock, select.POLLIN)
        return not self._poll.poll(0)


def open_stream(guard: Guard, host: str, port: int, watch: Watch) -> SocketStream:
    """A connection to `host`, which is resolved once: the judged addresses are dialled in order."""
    return SocketStream(_opened(guard, host, port, watch))


def open_tls_stream(
    guard: Guard, host: str, port: int, watch: Watch, context: ssl.SSLContext
) -> SocketStream:
    """As `open_stream`, in TLS with the host that the certificate is for."""
    sock = _opened(guard, host, port, watch)
    return SocketStream(in_tls(sock, context, host, watch))


def lost(
    error: Exception, watch: Watch, what: str = "the connection was lost", *, part: str = ""
) -> RequestError:
    """What to say of a connection that broke."""
    # strerror comes from the system, not from the server, so it may be shown.
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    reason = reason or getattr(error, "strerror", None) or type(error).__name__
    if "CERTIFICATE_REQUIRED" in reason or "ALERT_UNKNOWN_CA" in reason:
        what, part = "the server refuses the client certificate, or wants one", "tls"
        fix = "check clientCertificate and clientKey of the connection's network"
        reason = reason.replace("_", " ").lower()
        return RequestError(f"{what} ({reason})", where=watch.where, fix=fix, part=part)
    return RequestError(f"{what} ({reason})".lower(), where=watch.where, retryable=True, part=part)


def _opened(guard: Guard, host: str, port: int, watch: Watch) -> socket.socket:
    until = watch.connect_by()
    addresses = bounded(lambda: guard.addresses(host, port), watch, until)
    return dial(addresses, port, watch, until)


def dial(addresses: tuple[str, ...], port: int, watch: Watch, until: float) -> socket.socket:
    """A socket to the first of `addresses` that answers; each has its share of the time."""
    addresses = addresses[:_MOST_ADDRESSES]
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
            raise lost(error, watch, "could not connect") from None
        raise
    return sock


def _await_connection(sock: socket.socket, watch: Watch, until: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        while not selector.select(watch.slice_until(until)):
            watch.check(until, "connecting")
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))


def in_tls(sock: socket.socket, context: ssl.SSLContext, host: str, watch: Watch) -> ssl.SSLSocket:
    """The socket in TLS with `host`; it is closed where that fails."""
    until = watch.connect_by()
    sock.settimeout(SLICE_S)  # the TLS socket wrapped around it inherits this
    try:
        # The wrapped socket takes the descriptor over, so it is the one to close from here on.
        sock = wrapped = context.wrap_socket(
            sock,
            server_hostname=host,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        shake_hands(wrapped, watch, until)
    except BaseException as error:
        sock.close()
        if refusal := no_tls(error, watch):
            raise refusal from None
        raise
    return wrapped


def no_tls(error: BaseException, watch: Watch) -> RequestError | None:
    """What to say of a handshake that failed; None where it was something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, watch)
    if isinstance(error, OSError | ValueError):
        return lost(error, watch, "the TLS handshake failed", part="tls")
    return None


class Shakes(Protocol):
    """What has a handshake to do."""

    def do_handshake(self) -> None: ...


def shake_hands(sock: Shakes, watch: Watch, until: float) -> None:
    while True:
        try:
            sock.do_handshake()
        except TimeoutError:
            watch.check(until, SHAKING_HANDS)
        else:
            return


def _untrusted(error: ssl.SSLCertVerificationError, watch: Watch) -> RequestError:
    what = f"the certificate is not trusted ({error.verify_message})"
    fix = "check the host name; for a company's own root give caBundle, or SSL_CERT_FILE"
    return RequestError(what, where=watch.where, fix=fix, part="tls")
