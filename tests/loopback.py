"""A small JSON API on loopback for tests: routes in, a log of requests out."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Seen:
    """One request as it came: `query` holds the last value of each name, `target` all of it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    target: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


# A route answers a body for status 200, or (status, body) or (status, body, headers).
Route = Callable[[Seen], Any]


@dataclass
class Api:
    """The server; `answer` may be replaced while it runs."""

    answer: Route
    origin: str = ""
    seen: list[Seen] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.origin.removeprefix("http://")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the request's own thread: a handshake that never comes holds no other up.
        if not self.tls:
            super().finish_request(request, client_address)
            return
        request = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        with request:
            request.do_handshake()
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client may leave before it has read all, as one that read ahead: that is no fault, and
        # its traceback would stand in the standard error of whichever test runs then.
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


@contextmanager
def serving(answer: Route, *, tls: ssl.SSLContext | None = None) -> Iterator[Api]:
    """`answer` behind a port of its own, for as long as the block lasts; `tls` wraps it."""
    api = Api(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {k.lower(): v for k, v in self.headers.items()}
            request = Seen(self.command, parts.path, query, headers, body, self.path)
            api.seen.append(request)
            self._send(*_spread(api.answer(request)))

        do_GET = do_POST = _serve  # noqa: N815 - the base class's names

        def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    server.tls = tls
    api.origin = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _spread(answer: Any) -> tuple[int, Any, dict[str, str]]:
    if not isinstance(answer, tuple):
        return 200, answer, {}
    status, body, *headers = answer
    return status, body, headers[0] if headers else {}
