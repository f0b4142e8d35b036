"""The connection of a connector of the catalogue, with what its user has to give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap

from connector_assets.catalogue.entries import entries
from connector_assets.catalogue.shelf import file_of
from connector_assets.errors import ConfigError
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import load_connector, read_connection
from connector_assets.spec.names.names import variable_names
from connector_assets.spec.stream.stream import Stream

_WIDTH = 96
_NEAREST = 5


@dataclass(frozen=True)
class Wanted:
    """A value to give: the environment variable, and what it is."""

    variable: str
    description: str
    is_secret: bool


@dataclass(frozen=True)
class AddedConnection:
    """A connection document, and the values that it needs in `ways`, any one of which will do."""

    id: str
    text: str
    ways: Sequence[Sequence[Wanted]] = field(default_factory=tuple)
    config: Sequence[Wanted] = ()


def added(name: str, *, connection_id: str = "", streams: Sequence[str] = ()) -> AddedConnection:
    """The connection that uses the connector `name` of the catalogue, as `stripe` or `stripe@1`.

    It names the release, so that a later build changes nothing by itself. Raises ConfigError where
    there is no such connector or stream.
    """
    file = file_of(name)
    if file is None:
        raise _unknown(name)
    spec = load_connector(file)
    known = [stream.name for stream in spec.streams]
    for stream in streams:
        if stream not in known and not spec.read.dynamic:
            raise ConfigError(f'"{stream}" is no stream of {name}', fix=f"use {', '.join(known)}")
    return _Draft(spec, connection_id or spec.id, tuple(streams), file).made()


def _unknown(name: str) -> ConfigError:
    known = list(entries())
    ranked = sorted(known, key=lambda one: (-one.says(name), one.id))
    near = [one.id for one in ranked[:_NEAREST] if one.says(name)]
    fix = f"there are {', '.join(near)}" if near else f"search all {len(known)} by a word of theirs"
    return ConfigError(f'"{name}" is no connector of the catalogue', fix=fix)


@dataclass(frozen=True)
class _Draft:
    spec: ConnectorSpec
    id: str
    streams: tuple[str, ...]
    file: Path

    def made(self) -> AddedConnection:
        text = "\n".join([*self._head(), *self._body(), ""])
        said = read_connection(text, source="the connection").spec
        if said.id != self.id or tuple(said.streams or ()) != self.streams:
            what = "an id or a stream would say something else in YAML"
            raise ConfigError(what, where=self.spec.id, fix="give plain names")
        return AddedConnection(self.id, text, self._ways(), self._config())

    def _head(self) -> Iterator[str]:
        about = f"{self.spec.display_name}: {self.spec.description}".rstrip(": ")
        yield from _comment(about)
        if self.spec.docs_url:
            yield f"# {self.spec.docs_url}"
        for number, way in enumerate(self._ways()):
            yield "# Or, in their place, set:" if number else "# Set before the first load:"
            yield from _values(way)
        config = self._config()
        if config:
            yield "# And, here under config or as variables:"
            yield from _values(config)

    def _body(self) -> Iterator[str]:
        yield "kind: connection"
        yield 'version: "1.0"'
        yield f"id: {self.id}"
        yield f"connector: {self.spec.id}@{self.spec.release}"
        if self.streams:
            yield f"streams: [{', '.join(self.streams)}]"

    def _connection(self) -> Connection:
        return Connection(self.id, YamlConnector(self.spec, HttpRuntime()), environ={})

    def _ways(self) -> list[list[Wanted]]:
        """What any one of its auths takes, the first one first."""
        needs = [self._connection().connector.needs(stream) for stream in self._read()]
        ways = dict.fromkeys(way for one in needs for way in one.secrets if way)
        return [[self._secret(name) for name in sorted(way)] for way in ways]

    def _config(self) -> list[Wanted]:
        needs = [self._connection().connector.needs(stream) for stream in self._read()]
        names: set[str] = set().union(*(one.config for one in needs))
        given = {name for name, one in self.spec.config.items() if not one.needed}
        return [self._value(name) for name in sorted(names - given)]

    def _read(self) -> list[Stream]:
        return [one for one in self.spec.streams if not self.streams or one.name in self.streams]

    def _secret(self, name: str) -> Wanted:
        said = self.spec.secrets.get(name)
        return Wanted(variable_names(self.id, name)[0], said.description if said else "", True)

    def _value(self, name: str) -> Wanted:
        said = self.spec.config.get(name)
        return Wanted(variable_names(self.id, name)[0], said.about if said else "", False)


def _values(wanted: Sequence[Wanted]) -> Iterator[str]:
    for one in wanted:
        yield from _comment(f"{one.variable}: {one.description}".rstrip(": "), indent="  ")


def _comment(text: str, *, indent: str = "") -> list[str]:
    plain = " ".join(text.split())
    lines = wrap(plain, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"# {indent}{'  ' if number else ''}{line}" for number, line in enumerate(lines)]
