"""The studio as a server on loopback, until it is interrupted."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping

import uvicorn
from starlette.types import ASGIApp

from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.authoring.workbench import Workbench
from connector_assets.errors import ConfigError
from connector_assets.project.settings import folders
from connector_assets.studio.gate import Gate
from connector_assets.studio.routes import application

HOST = "127.0.0.1"
_PATIENCE_S = 2
"""How long requests that are under way may go on when the studio ends."""


def serve(environ: Mapping[str, str], port: int, told: Callable[[str], None]) -> None:
    """Serve the project of `environ`; `told` is given the link. ConfigError if it cannot listen."""
    listening = _listening(port)
    number = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    bench = Workbench(SpecsFolder(folders(environ)[0]), environ)
    app = guarded(bench, number, token)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_PATIENCE_S,
    )
    told(f"http://{HOST}:{number}/?token={token}")
    uvicorn.Server(config).run(sockets=[listening])


def guarded(bench: Workbench, port: int, token: str) -> ASGIApp:
    """The studio of a project behind its gate."""
    return Gate(application(bench), port, token)


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno or 0).lower() if isinstance(error, OSError) else "no port"
        fix = "choose another port, or 0 for a free one"
        raise ConfigError(f"cannot listen: {reason}", where=f"{HOST}:{port}", fix=fix) from None
