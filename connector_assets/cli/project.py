"""SPEC on the command line: a file, or the id of a connector of the project or the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from connector_assets.catalogue.shelf import file_of
from connector_assets.cli.output import Misused
from connector_assets.plugins.found import import_plugins
from connector_assets.plugins.registry import connector_registry
from connector_assets.project.connection import Connection
from connector_assets.project.project import (
    SUFFIXES,
    Project,
    ReadsLock,
    connection_from_file,
    discover,
)
from connector_assets.project.settings import folders
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.dynamic import discovered


def project(
    *, runtime: HttpRuntime, environ: Mapping[str, str], locked: ReadsLock = discovered
) -> Project:
    """Everything in the project's folders, and the plugins the environment names."""
    broken = import_plugins(environ)
    specs, connections = folders(environ)
    plugins = connector_registry.connectors(runtime)
    found = discover(
        specs, connections, runtime=runtime, environ=environ, plugins=plugins, locked=locked
    )
    return replace(found, broken=(*found.broken, *broken))


def find(
    spec: str, *, runtime: HttpRuntime, environ: Mapping[str, str], locked: ReadsLock = discovered
) -> Connection:
    """The connection SPEC stands for; raises SpecError, or BadParameter where there is none."""
    path = Path(spec)
    if path.is_file():
        import_plugins(environ)
        plugins = connector_registry.connectors(runtime)
        return connection_from_file(
            path,
            runtime=runtime,
            environ=environ,
            specs=folders(environ)[0],
            connections=folders(environ)[1],
            plugins=plugins,
            locked=locked,
        )
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        raise Misused(f"{spec}: no such file")
    found = project(runtime=runtime, environ=environ, locked=locked)
    shipped = None if _is_known(spec, found) else file_of(spec)
    if shipped is not None:
        return connection_from_file(shipped, runtime=runtime, environ=environ, locked=locked)
    return _by_id(spec, found, folders(environ)[0])


def _is_known(spec: str, found: Project) -> bool:
    """Whether the project means something by it, be it broken."""
    ids = [name for one in found.connections for name in (one.id, one.connector.id)]
    return spec in ids or any(one.stands_for(spec) for one in found.broken)


def _by_id(spec: str, found: Project, specs: Path) -> Connection:
    connection = found.connection(spec)
    if connection is not None:
        return connection
    for broken in sorted(found.broken, key=lambda one: one.id != spec):
        if broken.stands_for(spec):
            raise broken.error
    of_connector = [one for one in found.connections if one.connector.id == spec]
    if len(of_connector) == 1:
        return of_connector[0]
    if of_connector:
        ids = ", ".join(one.id for one in of_connector)
        raise Misused(f"{spec}: several connections use it; name one of {ids}")
    if unusable := "; ".join(connector_registry.broken.values()):
        raise Misused(f"{spec}: is neither a file nor an id; {unusable}")
    known = ", ".join(one.id for one in found.connections) or f"none in {specs}/"
    raise Misused(f"{spec}: is neither a file nor an id; known ids are: {known}")
