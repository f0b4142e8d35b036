"""A project's files: every spec and connection of its folders, the broken ones beside the good."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.connection import Connection
from connector_assets.connector import Connector
from connector_assets.errors import Fault, SpecError
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.component import attributes_of, is_component, read_component
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import (
    is_connection,
    parse_connector,
    read_connection,
    read_file,
)
from connector_assets.spec.dynamic import LOCK_SUFFIX, discovered, lock_path, with_streams
from connector_assets.spec.faults import Finding, in_order
from connector_assets.spec.yaml_source import YamlSource
from connector_assets.yaml_connector import YamlConnector

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Broken:
    """A file that cannot be used; `error` says why."""

    path: Path
    error: SpecError


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
    plugins: Mapping[str, Connector[Any]]
    specs: dict[str, tuple[ConnectorSpec, Path]] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    broken: list[Broken] = field(default_factory=list)

    def add_spec(self, path: Path) -> None:
        try:
            spec = parse_connector(read_file(path), source=str(path))
        except SpecError as error:
            self.broken.append(Broken(path, error))
            return
        if spec.id in self.specs or spec.id in self.plugins:
            other = str(self.specs[spec.id][1]) if spec.id in self.specs else "a plugin"
            self.broken.append(Broken(path, _taken(path, other)))
        else:
            self.specs[spec.id] = spec, path

    def add_connection(self, path: Path) -> None:
        try:
            document = read_connection(read_file(path), source=str(path))
            connection = self.bind(document.spec, path, document.yaml)
        except SpecError as error:
            self.broken.append(Broken(path, error))
            return
        if connection.id in self.connections:
            other = str(self.connections[connection.id].source)
            self.broken.append(Broken(path, _taken(path, other)))
        else:
            self.connections[connection.id] = connection

    def bind(
        self, document: ConnectionDocument, path: Path, yaml: YamlSource | None = None
    ) -> Connection:
        """A connection document with its connector; SpecError where they do not fit.

        `yaml` is its text, for the places of faults.
        """
        found = self._connector(document.connector, path)
        if found is None:
            known = ", ".join([*self.specs, *self.plugins]) or "none"
            message = f'"{document.connector}" is not a connector; known are: {known}'
            fault = _placed(Finding(("connector",), message), yaml)
            raise SpecError([fault], source=str(path))
        connector, spec_path = found
        self.used.add(connector.id)  # also by a connection with faults, which none may stand in for
        connector, lock = with_locked_streams(connector, spec_path, document.id)
        connection = Connection(
            document.id, connector, document, path, self.environ, lock, spec_path
        )
        faults = [_placed(one, yaml) for one in _misfits(connection, document)]
        if faults:
            raise SpecError(in_order(faults), source=str(path))
        return connection

    def _connector(self, name: str, path: Path) -> tuple[Connector[Any], Path | None] | None:
        """The connector called `name`, and the file of its spec if it has one."""
        if name in self.plugins:
            return self.plugins[name], None
        if name in self.specs:
            spec, spec_path = self.specs[name]
            return YamlConnector(spec, self.runtime), spec_path
        target = path.parent / name
        if name.endswith(SUFFIXES) and target.is_file():
            spec = parse_connector(read_file(target), source=str(target))
            return YamlConnector(spec, self.runtime), target
        return None

    def add_defaults(self) -> None:
        """A connection for each connector that none names."""
        named = {*self.used, *self.connections}
        for spec, path in self.specs.values():
            if spec.id in named:
                continue
            try:
                made = _default(spec, path, self.runtime, self.environ)
            except SpecError as error:
                self.broken.append(Broken(path, error))
            else:
                self.connections[spec.id] = made
        for plugin in self.plugins.values():
            if plugin.id not in named:
                made = Connection(plugin.id, plugin, None, None, self.environ)
                self.connections[plugin.id] = made


def _misfits(connection: Connection, document: ConnectionDocument) -> Iterator[Finding]:
    """What a connection says of streams that they are not."""
    streams = {stream.name: stream for stream in connection.connector.streams()}
    for name in document.streams or ():
        path = ("streams", name)
        if name in streams:
            for key, message in document.misfits(streams[name]):
                yield Finding((*path, *key.split(".")), message)
        elif not connection.awaits_discovery:
            known = ", ".join(streams)
            yield Finding(path, f"is not a stream; use one of {known}", on_key=True)


def _placed(one: Finding, yaml: YamlSource | None) -> Fault:
    """At its line; of a list of streams, the one that it names."""
    if yaml is None:
        return Fault(".".join(map(str, one.path)), one.message)
    names = yaml.at(("streams",))
    if one.path[0] != "streams" or not isinstance(names, list):
        return one.placed(yaml)
    line, column = yaml.position(("streams", names.index(one.path[1])))
    return Fault(".".join(map(str, one.path)), one.message, line, column)


def _taken(path: Path, other: str) -> SpecError:
    return SpecError([Fault("id", f"is the id of {other} too")], source=str(path))


def discover(
    specs: Path,
    connections: Path | None = None,
    *,
    runtime: HttpRuntime | None = None,
    environ: Mapping[str, str] | None = None,
    plugins: Mapping[str, Connector[Any]] | None = None,
) -> Project:
    """Every connection of a project; a folder that does not exist is an empty one.

    A spec or plugin that no connection document names gets a default connection with its own id.
    """
    finder = _Finder(
        runtime or HttpRuntime(), os.environ if environ is None else environ, plugins or {}
    )
    for path in documents(specs):
        finder.add_spec(path)
    for path in documents(connections) if connections else ():
        finder.add_connection(path)
    finder.add_defaults()
    return Project(tuple(finder.connections.values()), tuple(finder.broken))


def connection_from_file(
    path: Path,
    *,
    runtime: HttpRuntime | None = None,
    environ: Mapping[str, str] | None = None,
    specs: Path | None = None,
    plugins: Mapping[str, Connector[Any]] | None = None,
) -> Connection:
    """The connection of a spec, a connection document or a component; raises SpecError."""
    text = read_file(path)
    if is_component(text):
        attributes = attributes_of(text, source=str(path))
        return connection_from_document(
            read_component(attributes.data, attributes, source=str(path)),
            path,
            yaml=attributes,
            runtime=runtime,
            environ=environ,
            specs=Path(attributes.data["specs"]) if "specs" in attributes.data else specs,
            plugins=plugins,
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
        )
    spec = parse_connector(text, source=str(path))
    return _default(
        spec, path, runtime or HttpRuntime(), os.environ if environ is None else environ
    )


def _default(
    spec: ConnectorSpec, path: Path, runtime: HttpRuntime, environ: Mapping[str, str]
) -> Connection:
    """The connection of a spec that no document names."""
    connector, lock = with_locked_streams(YamlConnector(spec, runtime), path, spec.id)
    return Connection(spec.id, connector, None, path, environ, lock, path)


def with_locked_streams(
    connector: Connector[Any], path: Path | None, connection_id: str
) -> tuple[Connector[Any], Path | None]:
    """The connector with the streams that its lock file lists, and where that is or would be.

    Raises SpecError where the lock file cannot be read.
    """
    if path is None or not isinstance(connector, YamlConnector) or not connector.spec.read.dynamic:
        return connector, None
    lock = lock_path(path)
    spec = with_streams(connector.spec, discovered(lock, connection_id))
    return YamlConnector(spec, connector.runtime), lock


def connection_from_document(
    document: ConnectionDocument,
    path: Path,
    *,
    yaml: YamlSource | None = None,
    runtime: HttpRuntime | None = None,
    environ: Mapping[str, str] | None = None,
    specs: Path | None = None,
    plugins: Mapping[str, Connector[Any]] | None = None,
) -> Connection:
    """The connection that `document`, written in `path`, stands for; raises SpecError.

    `yaml` is the document's text, for the places of faults.
    """
    finder = _Finder(
        runtime or HttpRuntime(), os.environ if environ is None else environ, plugins or {}
    )
    for other in documents(specs) if specs else ():
        finder.add_spec(other)
    return finder.bind(document, path, yaml)


def locks(folder: Path) -> list[Path]:
    """The lock files of a folder's specs; definitions change with them, too."""
    return sorted(folder.glob(f"*{LOCK_SUFFIX}"))


def documents(folder: Path) -> list[Path]:
    """The YAML files of a folder, in order of name; hidden files are left out."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
        and not path.name.endswith(LOCK_SUFFIX)
    )
