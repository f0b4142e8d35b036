"""`mcp`: the server for assistants."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.errors import ConfigError
from connector_assets.project.settings import DEFAULTS, setting, variable

_PORT = 8765

SpecsOption = Annotated[
    str,
    typer.Option(
        "--specs",
        metavar="FOLDER",
        envvar=variable("SPECS"),
        help="Where connectors are written; made if it is not there.",
    ),
]


HttpOption = Annotated[
    bool, typer.Option("--http", help="Serve over streamable HTTP instead of stdin and stdout.")
]
HostOption = Annotated[
    str,
    typer.Option("--host", metavar="ADDRESS", help="With --http, where to listen."),
]
PortOption = Annotated[
    int, typer.Option("--port", metavar="N", min=0, max=65_535, help="With --http; 0 takes any.")
]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST[:PORT]",
        help="With --http, a further name under which clients reach it; may be repeated.",
    ),
]


def mcp(
    *,
    specs: SpecsOption = DEFAULTS["SPECS"],
    http: HttpOption = False,
    host: HostOption = "127.0.0.1",
    port: PortOption = _PORT,
    allow_host: AllowHostOption = None,
) -> None:
    """Serve the Model Context Protocol for an assistant's client, on stdin and stdout.

    Its tools draft, check, preview and create connectors; their requests go through the guard, and
    secrets are named, never shown. Over HTTP each request needs the token of
    CONNECTOR_ASSETS_MCP_TOKEN, or else the one that is made and kept in a private file.
    """
    if not http and (allow_host or host != "127.0.0.1" or port != _PORT):
        raise output.Misused("--host, --port and --allow-host: need --http")
    try:
        from connector_assets.authoring import mcp_http, mcp_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "starlette", "uvicorn"):
            raise
        raise ConfigError(
            'the package "mcp" is not installed',
            where="connector-assets mcp",
            fix="pip install 'connector-assets[mcp]'",
        ) from None
    _load_plugins()
    if not http:
        mcp_server.serve(specs, os.environ)
        return
    token = setting("MCP_TOKEN")
    if not token:
        token, file = mcp_http.kept_token()
        output.say(f"the token is in {file}")
    address = mcp_http.Address(host, port, tuple(allow_host or ()))
    mcp_http.serve_http(specs, os.environ, address, token, lambda url: output.say(f"serving {url}"))


def _load_plugins() -> None:
    """So that their ids are known to be taken; a broken one is told, and stops nothing."""
    from connector_assets.plugins.found import import_plugins

    with redirect_stdout(sys.stderr):  # stdout belongs to the protocol
        broken = import_plugins(os.environ)
    for one in broken:
        output.failure(one.error)
