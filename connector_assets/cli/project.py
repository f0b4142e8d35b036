"""SPEC on the command line: a file, or the id of a connector in the project's folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from connector_assets.cli.output import Misused
from connector_assets.connection import Connection
from connector_assets.plugins.registry import PLUGINS_VARIABLE, connector_registry, import_plugins
from connector_assets.project import SUFFIXES, Project, connection_from_file, discover
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.settings import setting


def folders(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """Where specs and connections are."""
    return Path(setting("SPECS", environ)), Path(setting("CONNECTIONS", environ))


def project(*, runtime: HttpRuntime, environ: Mapping[str, str]) -> Project:
    """Everything in the project's folders, and the plugins the environment names."""
    load_plugins(environ)
    specs, connections = folders(environ)
    plugins = connector_registry.connectors(runtime)
    return discover(specs, connections, runtime=runtime, environ=environ, plugins=plugins)


def find(spec: str, *, runtime: HttpRuntime, environ: Mapping[str, str]) -> Connection:
    """The connection SPEC stands for; raises SpecError, or BadParameter where there is none."""
    path = Path(spec)
    if path.is_file():
        load_plugins(environ)
        plugins = connector_registry.connectors(runtime)
        return connection_from_file(
            path, runtime=runtime, environ=environ, specs=folders(environ)[0], plugins=plugins
        )
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        raise Misused(f"{spec}: no such file")
    return _by_id(spec, project(runtime=runtime, environ=environ), folders(environ)[0])


def _by_id(spec: str, found: Project, specs: Path) -> Connection:
    connection = found.connection(spec)
    if connection is not None:
        return connection
    for broken in found.broken:
        if broken.path.stem == spec:
            raise broken.error
    of_connector = [one for one in found.connections if one.connector.id == spec]
    if len(of_connector) == 1:
        return of_connector[0]
    if of_connector:
        ids = ", ".join(one.id for one in of_connector)
        raise Misused(f"{spec}: several connections use it; name one of {ids}")
    known = ", ".join(one.id for one in found.connections) or f"none in {specs}/"
    raise Misused(f"{spec}: is neither a file nor an id; known ids are: {known}")


def load_plugins(environ: Mapping[str, str]) -> None:
    """Import what CONNECTOR_ASSETS_PLUGINS names; raises ConfigError or SpecError.

    The modules are looked for in the working directory too, as `python -m` does.
    """
    if environ.get(PLUGINS_VARIABLE) and os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as above
    import_plugins(environ)
