"""`studio`: the catalogue and the builder as a web page of this machine."""

from __future__ import annotations

import os
import webbrowser
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.errors import ConfigError

_PORT = 8770
_PACKAGES = ("starlette", "uvicorn")

PortOption = Annotated[
    int, typer.Option("--port", metavar="N", min=0, max=65_535, help="0 takes a free one.")
]
NoOpenOption = Annotated[
    bool, typer.Option("--no-open", help="Open no browser; only print the link.")
]


def studio(*, port: PortOption = _PORT, no_open: NoOpenOption = False) -> None:
    """Serve the studio, a web page for this machine alone: the catalogue, and a builder of specs.

    Prints a link that lets one browser in, once. It works on the project of this folder, with the
    variables of this environment; values of secrets are never sent to the browser.
    """
    try:
        from connector_assets.studio import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        raise ConfigError(
            f'the package "{error.name}" is not installed',
            where="connector-assets studio",
            fix="pip install 'connector-assets[studio]'",
        ) from None
    from connector_assets.plugins.found import import_plugins

    for one in import_plugins(os.environ):
        output.failure(one.error)

    def told(link: str) -> None:
        output.write(f"{link}\n")
        output.flush()
        if not no_open:
            webbrowser.open(link)

    server.serve(os.environ, port, told)
