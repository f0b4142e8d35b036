"""`mcp`: the server for assistants."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.settings import DEFAULTS, variable

SpecsOption = Annotated[
    str,
    typer.Option(
        "--specs",
        metavar="FOLDER",
        envvar=variable("SPECS"),
        help="Where connectors are written; made if it is not there.",
    ),
]


def mcp(*, specs: SpecsOption = DEFAULTS["SPECS"]) -> None:
    """Serve the Model Context Protocol on stdin and stdout, for an assistant's client.

    Its tools create, validate and list connectors. They send no request to any API.
    """
    try:
        from connector_assets.authoring.mcp_server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise ConfigError(
            'the package "mcp" is not installed',
            where="connector-assets mcp",
            fix="pip install 'connector-assets[mcp]'",
        ) from None
    _load_plugins()
    serve(specs)


def _load_plugins() -> None:
    """So that their ids are known to be taken; a broken one is told, and stops nothing."""
    from connector_assets.cli.project import load_plugins

    try:
        with redirect_stdout(sys.stderr):  # stdout belongs to the protocol
            load_plugins(os.environ)
    except ConnectorError as error:
        output.failure(error)
