"""A loopback server that says exactly the bytes a test gives it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Handler = Callable[[socket.socket, "Wire"], None]


@dataclass
class Wire:
    """Counts connections and keeps the heads of the requests it saw."""

    host: str
    port: int
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    def read(self, sock: socket.socket) -> str:
        """The head of the next request and its body, empty when the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            got = sock.recv(65536)
            if not got:
                return ""
            data += got
        self.requests.append(data.decode("latin-1"))
        return self.requests[-1]


def answer(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    """The bytes of an answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def saying(*answers: bytes) -> Handler:
    """A handler that gives one answer after the other, the last one for ever."""
    said = iter(range(10**9))

    def handle(sock: socket.socket, wire: Wire) -> None:
        while wire.read(sock):
            sock.sendall(answers[min(next(said), len(answers) - 1)])

    return handle


@contextmanager
def serving(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Wire]:
    """The server; each connection is handled in a thread of its own."""
    listener = socket.create_server((host, 0))
    wire = Wire(host, listener.getsockname()[1])
    if tls:
        tls.sni_callback = lambda _sock, name, _context: wire.names.append(name)

    def run(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            if tls:
                with tls.wrap_socket(sock, server_side=True) as wrapped:
                    handler(wrapped, wire)
            else:
                handler(sock, wire)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                wire.connections += 1
                threading.Thread(target=run, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
