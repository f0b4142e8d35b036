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
from connector_assets.assets.claims import Claims, circle
from connector_assets.assets.connection import connection_definitions, shared_resources
from connector_assets.assets.machines import (
    elsewhere,
    instance_here,
    relative_by,
    unshared_by,
)
from connector_assets.assets.schedules import too_many
from connector_assets.assets.secrets import Sources, sources, with_sources
from connector_assets.assets.settings import Settings, settings
from connector_assets.assets.translator import ConnectorTranslator
from connector_assets.errors import ConfigError, Fault, SpecError
from connector_assets.plugins.found import import_plugins
from connector_assets.plugins.registry import connector_registry
from connector_assets.project.connection import Connection
from connector_assets.project.project import Broken, Project, discover
from connector_assets.project.settings import variable

_MANY_OBJECTS = 100_000
"""Some thousand assets are made of so many."""


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
    unusable = tuple((one.path, str(one.error)) for one in import_plugins())
    given = settings(specs, connections, destination, staging, allow_private)
    also = (connector_registry.version, validating(), Path.cwd())
    named = sources(secrets)
    return _built(
        given.with_files(),
        unusable,
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


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector out: all that is built stays.

    At 10,000 assets it would look through them again and again, for half of the time. Where there
    is that much it is frozen, and the collector comes later: what Dagster makes of it stays, too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if enabled and gc.get_count()[0] > _MANY_OBJECTS:
            gc.freeze()
            gc.set_threshold(_MANY_OBJECTS, *gc.get_threshold()[1:])
    finally:
        if enabled:
            gc.enable()


@cache
@_uncollected()
def _built(
    given: Settings,
    unusable: tuple[tuple[Path, str], ...],
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
    more = [Broken(path, SpecError([Fault("", text)])) for path, text in unusable]
    project = replace(project, broken=(*project.broken, *more))
    if not (project.connections or project.broken):
        _refuse_nothing(given)
    by = elsewhere(executor, instance_here())
    lacks = unshared_by(by, given.state, given.destination, given.staging)
    for lack in (*lacks, *relative_by(by, given.specs)):
        warnings.warn(lack, stacklevel=4)
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
    broken, claims = list(project.broken), Claims()
    with _uncollected(), warnings.catch_warnings():
        # Code references are beta, and warn once for every asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        good = _straight(list(_good(project.connections, given, translator, broken)), broken)
        good = list(_apart(good, claims, broken))
        if validating():
            refuse(broken)
        bad = [broken_definitions(one, claims, given.timezone) for one in broken]
    shared = dg.Definitions(resources=shared_resources(given))
    return dg.Definitions.merge(shared, *(made for _, made in good), *bad)


Made = tuple[Connection, dg.Definitions]


def _good(
    connections: Sequence[Connection],
    given: Settings,
    translator: ConnectorTranslator | None,
    broken: list[Broken],
) -> Iterator[Made]:
    """Each connection with its definitions; one that cannot be built goes to `broken`."""
    by_condition = too_many(connections)
    for connection in connections:
        try:
            made = connection_definitions(connection, given, translator, by_condition=by_condition)
            yield connection, made
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's code may raise anything, and must not take the others down
            broken.append(_broken(connection, error))


def _apart(made: Sequence[Made], claims: Claims, broken: list[Broken]) -> Iterator[Made]:
    """Those whose names no other has; the others go to `broken`."""
    for connection, one in made:
        try:
            claims.take(connection.id, one)
        except SpecError as error:
            broken.append(_broken(connection, error))
        else:
            yield connection, one


def _straight(made: list[Made], broken: list[Broken]) -> list[Made]:
    """Those without assets that wait for each other in a circle; the others go to `broken`."""
    while keys := circle(one for _, one in made):
        way = " → ".join(key.to_user_string() for key in reversed(keys))
        at = next(n for n, (_, one) in enumerate(made) if not {*keys}.isdisjoint(_keys(one)))
        connection, _ = made.pop(at)
        fault = Fault("deps", f"assets wait for each other: {way}; leave one of them out")
        broken.append(_broken(connection, SpecError([fault])))
    return made


def _broken(connection: Connection, error: BaseException) -> Broken:
    path = connection.source or Path(connection.id)
    faults = error.faults if isinstance(error, SpecError) else [Fault("", str(error))]
    return Broken(path, SpecError(faults, source=str(path)))


def _keys(definitions: dg.Definitions) -> Iterator[dg.AssetKey]:
    for asset in definitions.assets or ():
        if isinstance(asset, dg.AssetsDefinition):
            yield from asset.keys
        elif isinstance(asset, dg.AssetSpec):
            yield asset.key
