"""A project's files as Dagster definitions, built once per process however often Dagster asks.

Dagster calls a definitions function several times in each of its processes (six times for one
`asset materialize`). So the build is memoised on the settings and the state of the files.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from connector_assets.assets.broken import broken_definitions, refuse, validating
from connector_assets.assets.connection import connection_definitions, shared_resources
from connector_assets.assets.machines import relative_by, unshared_by
from connector_assets.assets.schedules import too_many
from connector_assets.assets.secrets import Sources, sources, with_sources
from connector_assets.assets.settings import Settings, settings
from connector_assets.assets.translator import ConnectorTranslator
from connector_assets.errors import ConfigError, ConnectorError, Fault, SpecError
from connector_assets.plugins.registry import connector_registry, import_plugins
from connector_assets.project.connection import Connection
from connector_assets.project.project import Broken, Project, discover
from connector_assets.project.settings import variable


def build_definitions(
    specs: str | Path | None = None,
    connections: str | Path | None = None,
    destination: str | None = None,
    *,
    staging: str | Path | None = None,
    allow_private: Sequence[str] | None = None,
    executor: dg.ExecutorDefinition | None = None,
    resources: Mapping[str, Any] | None = None,
    translator: ConnectorTranslator | None = None,
    secrets: Mapping[str, Mapping[str, dg.EnvVar | Mapping[str, str]]] | None = None,
) -> dg.Definitions:
    """Every stream of a project as an asset, with resources and schedules.

    What is not given comes from the environment (CONNECTOR_ASSETS_SPECS, _CONNECTIONS,
    _DESTINATION, _STAGING, _ALLOW_PRIVATE), else it is `specs`, `connections`,
    `duckdb:///data.duckdb`, `.connector_assets/staging` and no private host. A file with faults
    becomes an asset that shows them, and stops no other. `translator` changes what is shown of
    streams, `resources` are added as they are. `secrets` says where those of a connection are, as
    `{"shop": {"token": dg.EnvVar("SHOP_TOKEN")}}`; they are looked up in the step. Equal arguments
    (of `resources`, the same object) give the same object until a file changes.

    >>> defs = dg.Definitions.merge(build_definitions(), dg.Definitions(assets=[my_asset]))
    """
    problem = ""
    try:
        import_plugins()
    except ConnectorError as error:
        problem = str(error)
    given = settings(specs, connections, destination, staging, allow_private)
    also = (connector_registry.version, validating(), Path.cwd())
    named = sources(secrets)
    return _built(
        given.with_files(),
        problem,
        also,
        executor=executor,
        resources=_Same(resources),
        translator=translator,
        named=named,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Same:
    """Resources as the key of a memo: they need not be hashable, and are compared as objects."""

    of: Mapping[str, Any] | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.of is other.of

    def __hash__(self) -> int:
        return id(self.of)


@cache
def _built(
    given: Settings,
    problem: str,
    _also: object,
    *,
    executor: dg.ExecutorDefinition | None,
    resources: _Same,
    translator: ConnectorTranslator | None,
    named: Sources,
) -> dg.Definitions:
    """The definitions of a project; `_also` is what else they depend on."""
    project = discover(given.specs, given.connections, plugins=connector_registry.connectors())
    project = replace(project, connections=with_sources(project.connections, named))
    if not (project.connections or project.broken or problem):
        _refuse_nothing(given)
    if problem:
        plugins = Broken(Path("plugins"), SpecError([Fault("", problem)]))
        project = replace(project, broken=(*project.broken, plugins))
    lacks = unshared_by(executor, given.state, given.destination, given.staging)
    for lack in (*lacks, *relative_by(executor, given.specs)):
        warnings.warn(lack, stacklevel=3)
    own = dg.Definitions(resources=dict(resources.of or {}), executor=executor)
    return dg.Definitions.merge(own, definitions_of(project, given, translator))


def _refuse_nothing(given: Settings) -> None:
    """Say so where there is no project, as on a machine that runs a step in another folder.

    Dagster would only say that it cannot find a job, or a step.
    """
    if not given.specs.is_dir():
        raise ConfigError(
            f"there is no folder {given.specs.absolute()}",
            where="specs",
            fix=f"set {variable('SPECS')} to where it is on this machine, or start its processes "
            "in the project's folder",
        )


def definitions_of(
    project: Project, given: Settings, translator: ConnectorTranslator | None = None
) -> dg.Definitions:
    """The definitions of what was found, good and broken.

    Where Dagster only checks them, what is broken is an error.
    """
    broken = list(project.broken)
    with _uncollected(), warnings.catch_warnings():
        # Code references are beta, and warn once for every asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        good = list(_good(project.connections, given, translator, broken))
        taken = {key for one in good for key in _keys(one)}
        if validating():
            refuse(broken)
        bad = [broken_definitions(one, taken, given.timezone) for one in broken]
    shared = dg.Definitions(resources=shared_resources(given))
    return dg.Definitions.merge(shared, *good, *bad)


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
    connections: Sequence[Connection],
    given: Settings,
    translator: ConnectorTranslator | None,
    broken: list[Broken],
) -> Iterator[dg.Definitions]:
    """The definitions of each connection; one that cannot be built goes to `broken`."""
    by_condition = too_many(connections)
    for connection in connections:
        try:
            yield connection_definitions(connection, given, translator, by_condition=by_condition)
        except Exception as error:  # noqa: BLE001 - a plugin's code may raise anything, and must not take the others down
            path = connection.source or Path(connection.id)
            faults = error.faults if isinstance(error, SpecError) else [Fault("", str(error))]
            broken.append(Broken(path, SpecError(faults, source=str(path))))


def _keys(definitions: dg.Definitions) -> Iterator[dg.AssetKey]:
    for asset in definitions.assets or ():
        if isinstance(asset, dg.AssetsDefinition):
            yield from asset.keys
