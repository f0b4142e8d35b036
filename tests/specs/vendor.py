"""A loopback server that imitates one vendor, and the wire that leads to it.

A vendor is a function from `Request` to `Answer`, written from the vendor's documentation and
strict: it refuses what the vendor refuses. The spec under test is the real file, with the vendor's
real host in it; `Wire` dials the loopback server instead, over a real socket.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx


@dataclass(frozen=True)
class Request:
    """What came; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    def param(self, name: str) -> str | None:
        """The value of a parameter given once, None without it."""
        values = self.query.get(name, [])
        assert len(values) < 2, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    def unknown(self, *known: str) -> list[str]:
        return sorted(set(self.query) - set(known))


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Vendor = Callable[[Request], Answer]


@dataclass
class Loopback:
    """A running vendor: where it listens, and every request it got."""

    origin: str
    requests: list[Request]


@contextmanager
def running(vendor: Vendor) -> Iterator[Loopback]:
    """Serve `vendor` on a free loopback port until the block ends."""
    requests: list[Request] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(vendor, requests))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Loopback(f"http://127.0.0.1:{server.server_address[1]}", requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Wire(httpx.BaseTransport):
    """Leads requests for `host` to a loopback server; any other host has no wire."""

    def __init__(self, host: str, loopback: Loopback) -> None:
        self._host, self._origin = host, httpx.URL(loopback.origin)
        self._dial = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.scheme == "https", request.url
        named = request.headers["host"]
        assert named == self._host, f"{named} is not {self._host}"
        request.url = request.url.copy_with(
            scheme="http", host=self._origin.host, port=self._origin.port
        )
        return self._dial.handle_request(request)

    def close(self) -> None:
        self._dial.close()


def bearer(request: Request, token: str) -> bool:
    return request.headers.get("authorization") == f"Bearer {token}"


def rows_named(prefix: str, count: int, **more: Any) -> list[dict[str, Any]]:
    """`count` rows with ids `prefix_001`, `prefix_002` and so on."""
    return [{"id": f"{prefix}_{number:03}", **more} for number in range(1, count + 1)]


def _handler(vendor: Vendor, requests: list[Request]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            request = Request(
                self.command,
                url.path,
                parse_qs(url.query, keep_blank_values=True),
                {name.lower(): value for name, value in self.headers.items()},
            )
            requests.append(request)
            self._send(vendor(request))

        def _send(self, answer: Answer) -> None:
            body = b"" if answer.status == 204 else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silence: pytest shows what matters."""

    return Handler
