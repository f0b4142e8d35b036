"""A project's files as Dagster definitions, built once per process however often Dagster asks.

Dagster calls a definitions function several times in each of its processes (six times for one
`asset materialize`). So the build is memoised on the settings and the state of the files.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import dagster as dg

from connector_assets.assets.broken import broken_assets
from connector_assets.assets.connection import connection_definitions, shared_resources
from connector_assets.assets.schedules import too_many
from connector_assets.assets.settings import Settings, settings
from connector_assets.connection import Connection
from connector_assets.errors import ConnectorError, Fault, SpecError
from connector_assets.plugins.registry import connector_registry, import_plugins
from connector_assets.project import Broken, Project, discover


def build_definitions(
    specs: str | Path | None = None,
    connections: str | Path | None = None,
    destination: str | None = None,
    *,
    staging: str | Path | None = None,
    allow_private: Sequence[str] | None = None,
    executor: dg.ExecutorDefinition | None = None,
) -> dg.Definitions:
    """Every stream of a project as an asset, with resources and schedules.

    What is not given comes from the environment (CONNECTOR_ASSETS_SPECS, _CONNECTIONS,
    _DESTINATION, _STAGING, _ALLOW_PRIVATE), else it is `specs`, `connections`,
    `duckdb:///data.duckdb`, `.connector_assets/staging` and no private host. A file with faults
    becomes an asset that shows them, and stops no other. Equal arguments give the same object until
    a file changes.

    >>> defs = dg.Definitions.merge(build_definitions(), dg.Definitions(assets=[my_asset]))
    """
    problem = ""
    try:
        import_plugins()
    except ConnectorError as error:
        problem = str(error)
    given = settings(specs, connections, destination, staging, allow_private)
    return _built(given, connector_registry.ids(), problem, executor)


@cache
def _built(
    given: Settings,
    registered: tuple[str, ...],  # noqa: ARG001 - part of the key
    problem: str,
    executor: dg.ExecutorDefinition | None,
) -> dg.Definitions:
    project = discover(given.specs, given.connections, plugins=connector_registry.connectors())
    if problem:
        plugins = Broken(Path("plugins"), SpecError([Fault("", problem)]))
        project = replace(project, broken=(*project.broken, plugins))
    return definitions_of(project, given, executor)


def definitions_of(
    project: Project, given: Settings, executor: dg.ExecutorDefinition | None = None
) -> dg.Definitions:
    """The definitions of what was found, good and broken."""
    broken = list(project.broken)
    with _uncollected(), warnings.catch_warnings():
        # Code references are beta, and warn once for every asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        good = list(_good(project.connections, given, broken))
        taken = {key for one in good for key in _keys(one)}
        bad = [asset for one in broken for asset in broken_assets(one, taken)]
    shared = dg.Definitions(bad, resources=shared_resources(given), executor=executor)
    return dg.Definitions.merge(shared, *good)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector out: all that is built stays.

    At 10,000 assets it would look through them again and again, for half of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _good(
    connections: Sequence[Connection], given: Settings, broken: list[Broken]
) -> Iterator[dg.Definitions]:
    """The definitions of each connection; one that cannot be built goes to `broken`."""
    by_condition = too_many(connections)
    for connection in connections:
        try:
            yield connection_definitions(connection, given, by_condition=by_condition)
        except Exception as error:  # noqa: BLE001 - a plugin's code may raise anything, and must not take the others down
            path = connection.source or Path(connection.id)
            faults = error.faults if isinstance(error, SpecError) else [Fault("", str(error))]
            broken.append(Broken(path, SpecError(faults, source=str(path))))


def _keys(definitions: dg.Definitions) -> Iterator[dg.AssetKey]:
    for asset in definitions.assets or ():
        if isinstance(asset, dg.AssetsDefinition):
            yield from asset.keys
