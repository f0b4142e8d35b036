"""A project's files: every spec and connection of its folders, the broken ones beside the good."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.catalogue.shelf import file_of
from connector_assets.errors import ConfigError, SpecError
from connector_assets.project.connection import Connection
from connector_assets.project.known import Connectors
from connector_assets.project.misfits import misfits, placed
from connector_assets.project.spec_files import (
    SUFFIXES,
    Broken,
    SpecFiles,
    claims_of,
    documents,
    listed,
    others,
    read_specs,
    readable,
    refuse_id_of_connection,
    refuse_shared_id,
    streams_of,
    taken,
    written_ids,
)
from connector_assets.reading.connector import Connector
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.checks.model_faults import Finding, in_order
from connector_assets.spec.component import (
    attributes_of,
    is_component,
    project_of,
    read_component,
)
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import (
    is_connection,
    parse_connector,
    read_connection,
    read_connector,
)
from connector_assets.spec.dynamic import LOCK_SUFFIX, Locked, discovered, lock_path
from connector_assets.spec.yaml.yaml_source import YamlSource, read_yaml
from connector_assets.spec.yaml.yaml_text import read_file

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument

ReadsLock = Callable[[Path, str], Sequence[Locked]]
"""Gives the streams that a lock file has of a connection."""

__all__ = [
    "SUFFIXES",
    "Broken",
    "Project",
    "connection_from_document",
    "connection_from_file",
    "discover",
    "documents",
    "locks",
    "with_locked_streams",
]


@dataclass(frozen=True)
class Project:
    """What `discover` found; `connections` have unique ids, in order of their files."""

    connections: tuple[Connection, ...] = ()
    broken: tuple[Broken, ...] = ()

    def connection(self, connection_id: str) -> Connection | None:
        return next((one for one in self.connections if one.id == connection_id), None)


@dataclass
class _Finder:
    runtime: HttpRuntime
    environ: Mapping[str, str]
    plugins: Connectors
    files: SpecFiles
    locked: ReadsLock = discovered
    connections: dict[str, Connection] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    """Ids that no connection may be made for: one names them, be it broken."""
    broken: list[Broken] = field(default_factory=list)

    def add_connections(self, paths: Sequence[Path]) -> None:
        read, broken = readable(paths, read_connection)
        self.broken += [self._made_out(one) for one in broken]
        self.used.update(name for one in broken for name in _salvaged(one.path))
        claims = claims_of(read)
        for path, document in read:
            name = document.spec.id
            self.used.add(name)
            try:
                connection = self.bind(document.spec, path, document.yaml)
                if len(claims[name]) > 1:
                    raise taken(document, others(claims[name], path))
            except SpecError as error:
                self.broken.append(self._made_out(Broken(path, error, name)))
            else:
                self.connections[name] = connection

    def _made_out(self, broken: Broken) -> Broken:
        """With the streams that its connector has."""
        data = _data(broken.path)
        return replace(broken, data=data, streams=streams_of(data, broken.path, self.files))

    def bind(
        self, document: ConnectionDocument, path: Path, yaml: YamlSource | None = None
    ) -> Connection:
        """A connection document with its connector; SpecError where they do not fit.

        `yaml` is its text, for the places of faults.
        """
        try:
            found = self._connector(document.connector, path)
            wrong = "" if found else self._unknown(document.connector)
        except ConfigError as error:
            found, wrong = None, str(error)
        if found is None:
            raise SpecError([placed(Finding(("connector",), wrong), yaml)], source=str(path))
        connector, spec_path = found
        self.used.add(connector.id)
        try:
            connector = connector.with_config(document.model_dump(include={"config"})["config"])
        except SpecError as error:
            faults = [placed(Finding(("config",), str(one)), yaml) for one in error.faults]
            raise SpecError(faults, source=str(path)) from None
        # A plugin has no file of its own: what it lists is kept beside the connection.
        beside = spec_path or path.with_name(connector.id)
        connector, lock = with_locked_streams(connector, beside, document.id, self.locked)
        connection = Connection(
            document.id, connector, document, path, self.environ, lock, spec_path
        )
        faults = [placed(one, yaml) for one in misfits(connection, document)]
        if faults:
            raise SpecError(in_order(faults), source=str(path))
        return connection

    def _unknown(self, name: str) -> str:
        if name in self.files.shared:
            return f'"{name}" is the id of {listed(self.files.shared[name])}; give each its own'
        known = ", ".join([*self.files.specs, *self.plugins]) or "none"
        unusable = "".join(f"; {one}" for one in self.plugins.broken.values())
        return f'"{name}" is not a connector; known are: {known}{unusable}'

    def _connector(self, name: str, path: Path) -> tuple[Connector[Any], Path | None] | None:
        """The connector called `name`, and the file of its spec if it has one."""
        if name in self.plugins:
            return self.plugins[name], None
        if name in self.files.specs:
            spec, spec_path = self.files.specs[name]
            return YamlConnector(spec, self.runtime), spec_path
        target = path.parent / name
        if name.endswith(SUFFIXES) and target.is_file():
            self._refuse_shared(target)
            spec = parse_connector(read_file(target), source=str(target))
            return YamlConnector(spec, self.runtime), target
        more = self.plugins.more(name)
        return (more, None) if more else self._of_catalogue(name)

    def _of_catalogue(self, name: str) -> tuple[Connector[Any], Path] | None:
        """A connector that comes with this package, where the project has no file of that name.

        A file of the project's own that is broken is not stood in for: it may say other things.
        """
        own = name.partition("@")[0]
        if own in self.files.shared or any(one.stands_for(own) for one in self.files.broken):
            return None
        found = file_of(name)
        if found is None:
            return None
        return YamlConnector(
            parse_connector(read_file(found), source=str(found)), self.runtime
        ), found

    def _refuse_shared(self, target: Path) -> None:
        """Raise the error of a file whose id another file has, too, be it named by its path."""
        for broken in self.files.broken:
            if broken.id and broken.path.resolve() == target.resolve():
                raise broken.error

    def add_defaults(self) -> None:
        """A connection for each connector that none names."""
        named = {*self.used, *self.connections}
        for spec, path in self.files.specs.values():
            if spec.id in named:
                continue
            try:
                made = _default(spec, path, self.runtime, self.environ, self.locked)
            except SpecError as error:
                self.broken.append(Broken(path, error))
            else:
                self.connections[spec.id] = made
        for plugin in self.plugins.values():
            if plugin.id not in named:
                self.connections[plugin.id] = self._default_of(plugin)

    def _default_of(self, plugin: Connector[Any]) -> Connection:
        """The connection of a plugin that no document names."""
        beside = self.files.folder / plugin.id if self.files.folder else None
        found, lock = with_locked_streams(plugin, beside, plugin.id, self.locked)
        return Connection(plugin.id, found, None, None, self.environ, lock)


def _salvaged(path: Path) -> Iterator[str]:
    """The ids that a broken connection speaks of, as far as it can be read."""
    yield path.stem
    data = _data(path) or {}
    for key in ("id", "connector"):
        if isinstance(data.get(key), str):
            yield data[key]


def _data(path: Path) -> dict[str, Any] | None:
    try:
        data = read_yaml(read_file(path)).data
    except SpecError:
        return None
    return data if isinstance(data, dict) else None


def discover(
    specs: Path,
    connections: Path | None = None,
    *,
    runtime: HttpRuntime | None = None,
    environ: Mapping[str, str] | None = None,
    plugins: Connectors | None = None,
    locked: ReadsLock | None = None,
) -> Project:
    """Every connection of a project; a folder that does not exist is an empty one.

    A spec or plugin that no connection document names gets a default connection with its own id.
    `locked` reads the streams of a connection from its lock file.
    """
    finder = _Finder(
        runtime or HttpRuntime(),
        os.environ if environ is None else environ,
        Connectors() if plugins is None else plugins,
        read_specs(specs, plugins or {}) if specs else SpecFiles(),
        locked or discovered,
    )
    finder.add_connections(documents(connections) if connections else ())
    finder.add_defaults()
    broken = sorted([*finder.files.broken, *finder.broken], key=lambda one: one.path)
    return Project(tuple(finder.connections.values()), tuple(broken))


def connection_from_file(
    path: Path,
    *,
    runtime: HttpRuntime | None = None,
    environ: Mapping[str, str] | None = None,
    specs: Path | None = None,
    plugins: Connectors | None = None,
    locked: ReadsLock | None = None,
    connections: Path | None = None,
) -> Connection:
    """The connection of a spec, a connection document or a component; raises SpecError.

    A spec whose id is that of another file of `specs` or `connections`, or of a plugin, is refused,
    wherever it lies: it would read what was given to that one.
    """
    text = read_file(path)
    if is_component(text):
        attributes = attributes_of(text, source=str(path))
        return connection_from_document(
            read_component(attributes.data, attributes, source=str(path)),
            path,
            yaml=attributes,
            runtime=runtime,
            environ=environ,
            specs=_specs_of(attributes, path, specs),
            plugins=plugins,
            locked=locked,
        )
    if b"connection" in text and is_connection(text):
        document = read_connection(text, source=str(path))
        return connection_from_document(
            document.spec,
            path,
            yaml=document.yaml,
            runtime=runtime,
            environ=environ,
            specs=specs,
            plugins=plugins,
            locked=locked,
        )
    connector = read_connector(text, source=str(path))
    if specs is not None:
        refuse_shared_id(connector, path, written_ids(specs), plugins or {})
    if connections is not None:
        refuse_id_of_connection(connector, connections)
    environ = os.environ if environ is None else environ
    return _default(connector.spec, path, runtime or HttpRuntime(), environ, locked or discovered)


def _specs_of(attributes: YamlSource, path: Path, specs: Path | None) -> Path | None:
    """The folder that a component means: relative to its project, wherever a command is begun."""
    root, named = project_of(path), attributes.data.get("specs")
    if not isinstance(named, str):
        return root / "specs" if root else specs
    return root / named if root else Path(named)


def _default(
    spec: ConnectorSpec,
    path: Path,
    runtime: HttpRuntime,
    environ: Mapping[str, str],
    locked: ReadsLock,
) -> Connection:
    """The connection of a spec that no document names."""
    connector, lock = with_locked_streams(YamlConnector(spec, runtime), path, spec.id, locked)
    return Connection(spec.id, connector, None, path, environ, lock, path)


def with_locked_streams(
    connector: Connector[Any],
    path: Path | None,
    connection_id: str,
    locked: ReadsLock = discovered,
) -> tuple[Connector[Any], Path | None]:
    """The connector with the streams that its lock file lists, and where that is or would be.

    Raises SpecError where the lock file cannot be read.
    """
    if path is None or not connector.discovers:
        return connector, None
    lock = lock_path(path)
    return connector.with_streams(locked(lock, connection_id)), lock


def connection_from_document(
    document: ConnectionDocument,
    path: Path,
    *,
    yaml: YamlSource | None = None,
    runtime: HttpRuntime | None = None,
    environ: Mapping[str, str] | None = None,
    specs: Path | SpecFiles | None = None,
    plugins: Connectors | None = None,
    locked: ReadsLock | None = None,
) -> Connection:
    """The connection that `document`, written in `path`, stands for; raises SpecError.

    `yaml` is the document's text, for the places of faults.
    """
    finder = _Finder(
        runtime or HttpRuntime(),
        os.environ if environ is None else environ,
        Connectors() if plugins is None else plugins,
        read_specs(specs, plugins or {}) if isinstance(specs, Path) else specs or SpecFiles(),
        locked or discovered,
    )
    return finder.bind(document, path, yaml)


def locks(folder: Path) -> list[Path]:
    """The lock files of a folder's specs; definitions change with them, too."""
    return sorted(folder.glob(f"*{LOCK_SUFFIX}"))
