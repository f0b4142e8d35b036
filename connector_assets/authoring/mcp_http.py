"""The MCP server over streamable HTTP: for this machine by default, and for nobody without a token.

A page in a browser can send requests to loopback, and a name can be made to lead there: so Host and
Origin are checked too, and a request without the token learns nothing but that.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from connector_assets.authoring.mcp_server import server
from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.authoring.workbench import Workbench
from connector_assets.errors import ConfigError
from connector_assets.private import open_private, private_root, state_folder

PATH = "/mcp"
SHORTEST_TOKEN = 16
_HERE = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Address:
    """Where the server listens; `names` are further hosts under which clients reach it."""

    host: str = "127.0.0.1"
    port: int = 0
    names: Sequence[str] = ()


def serve_http(
    specs: str | Path,
    environ: Mapping[str, str],
    address: Address,
    token: str,
    told: Callable[[str], None],
) -> None:
    """Serve until interrupted; `told` is given the URL.

    Raises ConfigError where it cannot listen, and for a token that is too short.
    """
    if len(token) < SHORTEST_TOKEN:
        what = f"the token has fewer than {SHORTEST_TOKEN} characters"
        raise ConfigError(what, where="mcp", fix="give a longer one, or none to have one made")
    listening = _listening(address)
    port = listening.getsockname()[1]
    app = application(server(Workbench(SpecsFolder(Path(specs)), environ)), address, port, token)
    host = f"[{address.host}]" if ":" in address.host else address.host
    told(f"http://{host}:{port}{PATH}")
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def application(made: MCPServer[Any], address: Address, port: int, token: str) -> ASGIApp:
    """The server as an ASGI application behind its checks."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    hosts = dict.fromkeys([*_HERE, host, *address.names])
    allowed = [one if one in address.names and ":" in one else f"{one}:{port}" for one in hosts]
    security = TransportSecuritySettings(
        allowed_hosts=allowed, allowed_origins=[f"http://{one}" for one in allowed]
    )
    app = made.streamable_http_app(
        streamable_http_path=PATH, transport_security=security, host=address.host
    )
    return _WithToken(app, token)


def kept_token() -> tuple[str, Path]:
    """The token of this project and the private file that keeps it; made at the first time."""
    path = private_root(state_folder()) / "mcp-token"
    with os.fdopen(open_private(path), "r+b") as file:
        token = file.read(1024).decode("ascii", "replace").strip()
        if not token:
            token = secrets.token_urlsafe(32)
            file.write(f"{token}\n".encode())
    return token, path


@dataclass(frozen=True)
class _WithToken:
    """Lets requests with the bearer token through, and nothing else."""

    app: ASGIApp
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and not self._is_given(scope):
            said = {"error": "unauthorized", "fix": "send Authorization: Bearer and the token"}
            refusal = JSONResponse(said, 401, {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_given(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        return scheme.lower() == b"bearer" and compare_digest(token.strip(), self.token.encode())


def _listening(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except (OSError, OverflowError) as error:
        reason = (getattr(error, "strerror", None) or "no such port").lower()
        where = f"{address.host}:{address.port}"
        raise ConfigError(f"cannot listen: {reason}", where=where) from None
