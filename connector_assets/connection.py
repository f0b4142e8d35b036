"""A connection: a connector with its values, ready to be read.

Values come from the connection document, the environment (`<ID>__<NAME>`) and the caller, in
rising order. They are looked up when a stream is opened, never before: a connection whose values
are missing still lists its streams.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.connector import Connector, Needs, ReadContext
from connector_assets.errors import ConfigError
from connector_assets.load.items import ItemPositions
from connector_assets.redact import Secrets
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.dynamic import read_lock
from connector_assets.spec.partitions import Partitions
from connector_assets.spec.stream import Stream
from connector_assets.yaml_connector import YamlConnector

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument


@dataclass(frozen=True)
class Connection:
    """One connector as one project uses it.

    `id` is the asset key's prefix, the table schema and the prefix of environment variables.
    `document` is the `connections/*.yaml` it came from, None for the default connection of a spec.
    """

    id: str
    connector: Connector[Any]
    document: ConnectionDocument | None = None
    source: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    lock: Path | None = None
    """Where the streams that the API lists are kept, if the connector has such."""
    spec: Path | None = None
    """The file of its connector, if it has one; of a default connection, `source` again."""

    def streams(self) -> Sequence[Stream]:
        """The streams this connection reads, with its overrides; needs no values."""
        known = self.connector.streams()
        if self.document is None or not self.document.streams:
            return known
        by_name = {stream.name: stream for stream in known}
        return [self._override(by_name[name]) for name in self.document.streams if name in by_name]

    def stream(self, name: str) -> Stream:
        """The stream called `name`; ConfigError lists those there are."""
        streams = {stream.name: stream for stream in self.streams()}
        if name not in streams and self.awaits_discovery:
            raise self.not_discovered()
        if name not in streams:
            known = ", ".join(streams)
            raise ConfigError(f'"{name}" is not a stream', where=self.id, fix=f"use one of {known}")
        return streams[name]

    def partitions(self, stream: str) -> Partitions | None:
        """How `stream` is partitioned, if it is."""
        return self.document.settings(stream).partitions if self.document else None

    @property
    def awaits_discovery(self) -> bool:
        """Whether the API lists streams that `connector-assets discover` has not looked up yet."""
        if self.lock is None:
            return False
        lock = read_lock(self.lock)
        return lock is None or self.id not in lock.connections

    def not_discovered(self) -> ConfigError:
        """What to tell someone who wants a stream then."""
        where = self.source or self.id
        return ConfigError(
            "its streams are not discovered yet",
            where=self.id,
            fix=f"run connector-assets discover {where}",
        )

    def open(
        self,
        stream: str | Stream,
        *,
        config: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        auth: str | int | None = None,
        cancel: threading.Event | None = None,
        preview: bool = False,
        partial: bool = False,
    ) -> ReadContext[Any]:
        """All that reading `stream` needs; ConfigError names every variable that is missing.

        With `partial`, what is missing is left out instead.
        """
        found = self.stream(stream) if isinstance(stream, str) else stream
        auth = self._auth() if auth is None else auth
        needs = self.connector.needs(found, auth)
        values = {**self._config(needs), **(config or {})}
        given = {**self._secrets(needs), **(secrets or {})}
        own = self._vars(found.name)
        if not partial:
            self._refuse_missing(needs, {*values, *own}, given)
        return ReadContext(
            connection=self.id,
            config=values,
            stream=found,
            secrets=Secrets(given),
            vars=own,
            auth=auth,
            cancel=cancel or threading.Event(),
            preview=preview,
        )

    def missing(self, stream: str) -> list[str]:
        """The environment variables that reading `stream` still needs, in order of name."""
        try:
            self.open(stream)
        except MissingValues as error:
            return error.variables
        return []

    def with_runtime(self, runtime: HttpRuntime) -> Connection:
        """This connection, its requests made by `runtime`; a plugin's stays as it is."""
        if not isinstance(self.connector, YamlConnector):
            return self
        return replace(self, connector=YamlConnector(self.connector.spec, runtime))

    def fingerprint(self, reading: ReadContext[Any]) -> str:
        """A digest of what decides the rows: staging of another fingerprint is not resumed."""
        cursor = reading.cursor
        values = [
            self.connector.fingerprint(reading.stream),
            reading.auth,
            _plain(reading.config),
            _plain(reading.vars),
            cursor.digest() if isinstance(cursor, ItemPositions) else cursor,
            reading.partition,
        ]
        return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()

    def _override(self, stream: Stream) -> Stream:
        return self.document.overridden(stream) if self.document else stream

    def _auth(self) -> str | int | None:
        return self.document.auth if self.document else None

    def _config(self, needs: Needs) -> dict[str, Any]:
        values: dict[str, Any] = dict(self.document.config) if self.document else {}
        for name in needs.config | needs.optional:
            value = self._from_environment(name)
            if value is not None:
                values[name] = value
        return values

    def _vars(self, stream: str) -> dict[str, Any]:
        return self.document.vars_of(stream) if self.document else {}

    def _secrets(self, needs: Needs) -> dict[str, str]:
        values = {}
        for name in needs.known_secrets:
            value = self._from_document(name)
            value = self._from_environment(name) if value is None else value
            if value is not None:
                values[name] = value
        return values

    def _from_document(self, name: str) -> str | None:
        source = self.document.secrets.get(name) if self.document else None
        if source is None:
            return None
        if source.env is not None:
            return self.environ.get(source.env)
        try:
            return Path(source.file or "").read_text().rstrip("\n")
        except OSError as error:
            raise ConfigError(
                f'the file of secret "{name}" cannot be read ({error.strerror})', where=self.id
            ) from None

    def _from_environment(self, name: str) -> str | None:
        given = (self.environ.get(variable) for variable in variable_names(self.id, name))
        return next((value for value in given if value is not None), None)

    def _refuse_missing(
        self, needs: Needs, config: Collection[str], secrets: Mapping[str, str]
    ) -> None:
        missing = [self.variable(name) for name in sorted(needs.config.difference(config))]
        # One of several may be empty, as in basic auth; all of them may not.
        given = {name for name, value in secrets.items() if value}
        if not any(one <= secrets.keys() and (not one or one & given) for one in needs.secrets):
            nearest = min(needs.secrets, key=lambda one: len(one - given), default=frozenset())
            missing += [self.variable(name) for name in sorted(nearest - given)]
        if missing:
            raise MissingValues(self.id, missing)

    def variable(self, name: str) -> str:
        """Where the value called `name` is looked up: a variable, or a file."""
        source = self.document.secrets.get(name) if self.document else None
        return (source and (source.env or source.file)) or variable_names(self.id, name)[0]


class MissingValues(ConfigError):
    """Values are missing; `variables` are the environment variables to set."""

    def __init__(self, where: str, variables: list[str]) -> None:
        self.variables = variables
        super().__init__("values are missing", where=where, fix=f"set {', '.join(variables)}")


def variable_names(connection_id: str, name: str) -> tuple[str, ...]:
    """The environment variables a value may stand in, the one to tell people first.

    >>> variable_names("salesforce_rest", "accessToken")
    ('SALESFORCE_REST__ACCESS_TOKEN', 'SALESFORCE_REST__ACCESSTOKEN')
    """
    prefix = connection_id.upper()
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    return tuple(dict.fromkeys(f"{prefix}__{form}" for form in (spaced, name.upper())))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "source", value) for name, value in values.items()}
