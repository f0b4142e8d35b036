"""The simulated API on loopback: a port for each origin of the spec, and an address to steer it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from connector_assets.authoring.simulator.api import SimulatedApi
from connector_assets.authoring.simulator.wire import ApiReply, ApiRequest, CannotSimulate, refused

HOST = "127.0.0.1"
CONTROL = "/_simulator"


class Answering(Protocol):
    """What answers requests."""

    def answer(self, asked: ApiRequest) -> ApiReply: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[ApiRequest], ApiReply]
    origin: int = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that is killed, or reads no further, is what is tried here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _any(self) -> None:
        split = urlsplit(self.path)
        length = self.headers.get("content-length", "0")
        asked = ApiRequest(
            self.command,
            split.path or "/",
            tuple(parse_qsl(split.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(length)) if length.isdigit() else b"",
            self.server.origin,
            time.monotonic(),
        )
        self._send(self.server.answer(asked))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - names of the base class
    do_HEAD = do_OPTIONS = do_QUERY = do_REPORT = do_SEARCH = _any  # noqa: N815 - as above

    def _send(self, reply: ApiReply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        try:
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body)
        except OSError:
            return
        if reply.is_cut:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Write nothing: the log is in memory."""


@contextmanager
def ports(count: int, first: int = 0) -> Iterator[list[_Server]]:
    """So many servers on loopback, from port `first` on, or on free ones."""
    with ExitStack() as stack:
        made = []
        for number in range(count):
            server = _Server((HOST, first + number if first else 0), _Handler)
            server.origin = number
            stack.callback(server.server_close)
            made.append(server)
        yield made


@contextmanager
def serving(servers: list[_Server], api: Answering) -> Iterator[None]:
    """Answers come from `api` as long as the block lasts."""
    for server in servers:
        server.answer = lambda asked: answer(api, asked)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()


def address_of(server: _Server) -> str:
    """The server's address, as http://127.0.0.1:8001."""
    return f"http://{HOST}:{server.server_address[1]}"


def answer(api: Answering, asked: ApiRequest) -> ApiReply:
    """The API's answer, or that of the address by which a simulated one is steered."""
    try:
        if isinstance(api, SimulatedApi) and asked.path.startswith(f"{CONTROL}/"):
            return _steered(api, asked)
        return api.answer(asked)
    except CannotSimulate as error:
        return refused(501, f"cannot be simulated: {error}")


def _steered(api: SimulatedApi, asked: ApiRequest) -> ApiReply:
    given = asked.json if isinstance(asked.json, dict) else {}
    what = asked.path.removeprefix(f"{CONTROL}/")
    if (asked.method, what) == ("GET", "log"):
        return _json([_shown(one) for one in api.log])
    if (asked.method, what) == ("POST", "fault"):
        try:
            api.faults.plan(str(given.get("fault", "")))
        except ValueError as error:
            return refused(400, str(error))
        return _json({"ok": True})
    if (asked.method, what) == ("POST", "grow"):
        api.grow(int(given.get("rows", 2)))
        return _json({"ok": True})
    if (asked.method, what) == ("POST", "revoke"):
        api.revoke()
        return _json({"ok": True})
    return refused(404, "use GET log, POST fault, POST grow, POST revoke")


def _shown(served: Any) -> dict[str, Any]:
    """An entry of the log without headers and bodies, where credentials may be."""
    return {
        "method": served.asked.method,
        "path": served.asked.path,
        "params": sorted({name for name, _ in served.asked.query}),
        "status": served.status,
        "stream": served.stream,
        "rows": served.rows,
        "fault": served.fault,
    }


def _json(value: Any) -> ApiReply:
    return ApiReply(200, json.dumps(value).encode(), {"content-type": "application/json"})
