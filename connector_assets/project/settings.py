"""Where a project keeps its things: one truth for Dagster and the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from connector_assets.private import STATE

PREFIX = "CONNECTOR_ASSETS_"
DEFAULTS = {
    "SPECS": "specs",
    "CONNECTIONS": "connections",
    "DESTINATION": "duckdb:///data.duckdb",
    "STAGING": ".connector_assets/staging",
    "PLUGINS": "",
    "PLUGINS_FOLDER": "",
    "STATE": STATE,
    "MEMORY": "",
    "MAX_COLUMNS": "",
    "ALLOW_PRIVATE": "",
    "TIMEZONE": "UTC",
    "EXECUTOR": "",
    "EXECUTOR_CONFIG": "",
    "RESOURCES": "",
    "VERBOSE": "",
    "PROXY": "",
    "PROXY_USERNAME": "",
    "PROXY_PASSWORD": "",
    "NO_PROXY": "",
    "CA_BUNDLE": "",
    "CLIENT_CERTIFICATE": "",
    "CLIENT_KEY": "",
    "CLIENT_KEY_PASSWORD": "",
    "MCP_TOKEN": "",
    "AI_MODEL": "",
}
"""Each setting, and its value where no variable gives it; paths are relative to the project."""


def variable(name: str) -> str:
    """The environment variable of a setting.

    >>> variable("SPECS")
    'CONNECTOR_ASSETS_SPECS'
    """
    return PREFIX + name


def setting(name: str, environ: Mapping[str, str] | None = None) -> str:
    """A setting's value; an empty variable counts as none."""
    given = os.environ if environ is None else environ
    return given.get(variable(name)) or DEFAULTS[name]


def folders(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """Where specs and connections are."""
    return Path(setting("SPECS", environ)), Path(setting("CONNECTIONS", environ))


def private_hosts(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The private hosts that may be read: HOST, HOST:PORT or CIDR each."""
    listed = setting("ALLOW_PRIVATE", environ).split(",")
    return tuple(host.strip() for host in listed if host.strip())
