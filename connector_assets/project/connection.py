"""A connection: a connector with its values, ready to be read.

Values come from the connection document, the environment (`<ID>__<NAME>`) and the caller, in
rising order. They are looked up when a stream is opened, never before: a connection whose values
are missing still lists its streams.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import ConfigError
from connector_assets.load.files.store_names import table_name
from connector_assets.load.items import ItemPositions
from connector_assets.project import secret_stores
from connector_assets.project.network_settings import network_of
from connector_assets.project.python_parts import by_hand
from connector_assets.reading.connector import Connector, Needs, Probe, ReadContext
from connector_assets.redact import Secrets
from connector_assets.runtime.by_hand import ByHand
from connector_assets.runtime.http.network import Network
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.dynamic import locked
from connector_assets.spec.names.names import variable_names
from connector_assets.spec.stream.asset_settings import AssetSettings, filled_key
from connector_assets.spec.stream.partitions import Partitions
from connector_assets.spec.stream.stream import Stream

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument
    from connector_assets.spec.network import SecretSource


_NOTHING_SAID = AssetSettings()


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
    network: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Settings of the network by name, as PROXY, that go before the document's."""
    sources: Mapping[str, SecretSource] = field(default_factory=dict)
    """Where secrets are found that code names; they go before the document's."""

    def streams(self) -> Sequence[Stream]:
        """The streams this connection reads, with its overrides; needs no values."""
        known, document = self.connector.streams(), self.document
        if document is None or not (document.streams or document.fresh_within):
            return known
        if not document.streams:
            return [document.overridden(stream) for stream in known]
        by_name = {stream.name: stream for stream in known}
        return [self._override(by_name[name]) for name in document.streams if name in by_name]

    def stream(self, name: str) -> Stream:
        """The stream called `name`; ConfigError lists those there are."""
        streams = {stream.name: stream for stream in self.streams()}
        if name not in streams and self.awaits_discovery:
            raise self.not_discovered()
        if name not in streams:
            known = ", ".join(streams)
            raise ConfigError(f'"{name}" is not a stream', where=self.id, fix=f"use one of {known}")
        return streams[name]

    def asset_settings(self, stream: str) -> AssetSettings:
        """What is said of the asset of `stream`; nothing without a document."""
        return self.document.asset_settings(stream) if self.document else _NOTHING_SAID

    def key_of(self, stream: str) -> list[str]:
        """The parts of the key of a stream's asset.

        By default they are the table's schema and name.
        """
        own, name = self.asset_settings(stream).key, table_name(stream)
        given = {"connection": self.id, "connector": self.connector.id, "stream": name}
        if own:
            return filled_key(own, {**given, "stream": name})
        prefix = self.document.key_prefix if self.document else None
        return [*(filled_key(prefix, given) if prefix else ()), self.id, name]

    def partitions(self, stream: str) -> Partitions | None:
        """How `stream` is partitioned, if it is."""
        return self.document.settings(stream).partitions if self.document else None

    def may_delete(self, stream: Stream) -> bool:
        """Whether rows of `stream` may say that their key is gone."""
        if stream.deleted_when is not None:
            return True
        own = self.document.settings(stream.name).python if self.document else None
        reads = own if isinstance(own, str) else own.read if own else None
        return stream.mode == "merge" and bool(reads or self.connector.may_delete)

    def unwatchable(self, stream: Stream) -> str:
        """Why `stream` cannot be watched for changes; empty where it can."""
        if self.partitions(stream.name) is not None:
            return "has partitions, and no request tells which of them changed"
        if self.document and self.document.settings(stream.name).python:
            return "has Python of yours in its place"
        return self.connector.unwatchable(stream)

    def probe(
        self,
        stream: str,
        before: Mapping[str, Any],
        position: Any = None,
        *,
        cancel: threading.Event | None = None,
    ) -> Probe:
        """Ask the source by one request whether `stream` has changed; raises a ConnectorError."""
        reading = self.open(stream, cancel=cancel)
        reading = replace(reading, fingerprint=self.fingerprint(reading))
        return self.connector.probe(reading, before, position)

    @property
    def awaits_discovery(self) -> bool:
        """Whether the API lists streams that `connector-assets discover` has not looked up yet."""
        if self.lock is None:
            return False
        return locked(self.lock, self.id) is None

    def not_discovered(self) -> ConfigError:
        """Return the error that says how the streams of the API are discovered."""
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
        given = {**self._secrets(needs, found.name), **(secrets or {})}
        own = self._vars(found.name)
        if not partial:
            self._refuse_missing(needs, {*values, *own}, given)
        known = Secrets(given)
        return ReadContext(
            connection=self.id,
            config=values,
            stream=found,
            secrets=known,
            vars=own,
            auth=auth,
            origins=self.document.origins if self.document else None,
            network=None if partial else self._network(known),
            by_hand=ByHand() if partial else self._by_hand(found.name),
            cancel=cancel or threading.Event(),
            preview=preview,
        )

    def open_unsent(self, stream: str, **given: Any) -> ReadContext[Any]:
        """Open `stream` where nothing will be sent: a missing secret is replaced by its name."""
        found = self.stream(stream)
        auth = self._auth() if given.get("auth") is None else given["auth"]
        known = self.connector.needs(found, auth).known_secrets
        real = {**self._secrets(Needs(known_secrets=known)), **(given.pop("secrets", None) or {})}
        missing = {name: f"missing-secret-{name}" for name in known if not real.get(name)}
        return self.open(stream, secrets={**missing, **real}, preview=True, **given)

    def _by_hand(self, stream: str) -> ByHand:
        """The operator's Python for `stream`."""
        if self.document is None:
            return ByHand()
        folder = self.source.parent if self.source else None
        where = f"{self.id}: streams.{stream}"
        return by_hand(self.document.settings(stream).python, folder, where)

    def _network(self, secrets: Secrets) -> Network:
        """How its requests leave; what is secret of that is masked, too."""
        network = network_of(
            self.document.network if self.document else None,
            self.environ,
            self._secret,
            self.source.parent if self.source else None,
            self.network,
        )
        for proxy in filter(None, (network.http, network.https)):
            secrets.learn("proxyPassword", proxy.password)
        secrets.learn("clientKeyPassword", network.key_password)
        return network

    def _secret(self, source: SecretSource, name: str) -> str:
        """The value at `source`; ConfigError where it has none."""
        value = self._found(source, name)
        if value is None:
            raise MissingValues(self.id, [source.env or source.file or name])
        return value

    def missing(self, stream: str | Stream) -> list[str]:
        """The environment variables that reading `stream` still needs, in order of name."""
        try:
            self.open(stream)
        except MissingValues as error:
            return error.variables
        return []

    def known(self, stream: Stream, name: str) -> Any:
        """The value that templates of `stream` read as `name`, None where it is not known yet.

        Secrets are not looked up, and what is computed for each request is not known before.
        """
        bare = name.removeprefix("config.")
        given = {"stream": stream.name, **stream.vars, **self._vars(stream.name)}
        document = dict(self.document.config) if self.document else {}
        for value in (
            given.get(name),
            self._from_environment(bare),
            document.get(bare),
            self.connector.default(bare),
        ):
            if value is not None:
                text = getattr(value, "source", value)
                return None if isinstance(text, str) and "{{" in text else text
        return None

    def reads(self) -> list[str]:
        """The variables and files that reading looks at, given or not; needs no values."""
        streams = [*self.streams(), *self._listing()]
        all_needs = [self.connector.needs(one, self._auth()) for one in streams]
        return sorted(map(self.variable, names_of(all_needs)))

    def lacks(self) -> list[str]:
        """The variables that reading all streams still needs, each once."""
        streams = self.streams()
        all_needs = [self.connector.needs(one, self._auth()) for one in streams]
        wanted: set[str] = set()
        for stream, needs in zip(streams, all_needs, strict=True):
            wanted |= needs.config.difference(self._vars(stream.name))
        config = self._config(Needs(config=frozenset(wanted)))
        known: set[str] = set().union(*(needs.known_secrets for needs in all_needs))
        secrets = self._secrets(Needs(known_secrets=frozenset(known)))
        found = self._missing(Needs(config=frozenset(wanted), secrets=(frozenset(),)), config, {})
        for ways in dict.fromkeys(needs.secrets for needs in all_needs):
            found += self._missing(Needs(secrets=ways), (), secrets)
        return list(dict.fromkeys(found))

    def sends_to(self) -> list[str]:
        """The origins that its spec may send to, as far as its text tells; none of a plugin."""
        return list(self.connector.sends_to() or ())

    def _listing(self) -> Iterator[Stream]:
        """What `discover` reads, and streams such as it may find."""
        for block in self.connector.dynamic:
            yield Stream.model_construct(name=block.from_, endpoint=block.from_)
            yield block.stream(block.from_)

    def with_runtime(self, runtime: HttpRuntime) -> Connection:
        """This connection, its requests made by `runtime`; a plugin's stays as it is."""
        return replace(self, connector=self.connector.with_runtime(runtime))

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
        if reading.by_hand.digest:
            values.append(reading.by_hand.digest)
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

    def _secrets(self, needs: Needs, stream: str = "") -> dict[str, str]:
        values = {}
        has_code = self.document and self.document.settings(stream).python
        own = self._sources if has_code else {}
        for name in needs.known_secrets.union(own):
            value = self._from_document(name)
            value = self._from_environment(name) if value is None else value
            if value is not None:
                values[name] = value
        return values

    def _from_document(self, name: str) -> str | None:
        source = self._sources.get(name)
        return self._found(source, name) if source else None

    @property
    def _sources(self) -> Mapping[str, SecretSource]:
        """Where secrets are found, as far as anybody says."""
        return {**(self.document.secrets if self.document else {}), **self.sources}

    def _found(self, source: SecretSource, name: str) -> str | None:
        if source.env is not None:
            return self.environ.get(source.env)
        if source.store:
            return secret_stores.read(*source.store, source.key)
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
        missing = self._missing(needs, config, secrets)
        if missing:
            raise MissingValues(self.id, missing)

    def _missing(
        self, needs: Needs, config: Collection[str], secrets: Mapping[str, str]
    ) -> list[str]:
        """The variables to set, config values first."""
        missing = [self.variable(name) for name in sorted(needs.config.difference(config))]
        # One of several may be empty, as in basic auth; all of them may not.
        given = {name for name, value in secrets.items() if value}
        if not any(one <= secrets.keys() and (not one or one & given) for one in needs.secrets):
            nearest = min(needs.secrets, key=lambda one: len(one - given), default=frozenset())
            missing += [self.variable(name) for name in sorted(nearest - given)]
        return missing

    def variable(self, name: str) -> str:
        """Where the value called `name` is looked up: a variable, or a file."""
        source = self._sources.get(name)
        stored = source.store if source else None
        if stored:
            return ":".join(stored)
        return (source and (source.env or source.file)) or variable_names(self.id, name)[0]


def names_of(all_needs: Iterable[Needs]) -> set[str]:
    """Every name that is looked up; thousands of streams share most of theirs."""
    sets = (
        one for needs in all_needs for one in (needs.config, needs.optional, needs.known_secrets)
    )
    return set().union(*sets)


class MissingValues(ConfigError):
    """Values are missing; `variables` are the environment variables to set."""

    def __init__(self, where: str, variables: list[str]) -> None:
        self.variables = variables
        super().__init__("values are missing", where=where, fix=f"set {', '.join(variables)}")


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "source", value) for name, value in values.items()}
