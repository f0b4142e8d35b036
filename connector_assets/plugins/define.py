"""Connectors in Python, for what a YAML spec cannot say: other protocols, databases, files.

    class Config(BaseModel):
        topic: str
        password: SecretStr

    def read(ctx):
        for message in consume(ctx.config.topic, ctx.config.password.get_secret_value()):
            yield {"key": message.key, "value": message.value}

    kafka = define_connector(id="kafka", display_name="Apache Kafka", category="streaming",
                             config_schema=Config, read=read)
    connector_registry.register_plugin(kafka)

A plugin is the operator's own code: it is trusted, and nothing guards what it connects to.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from connector_assets.errors import ConnectorError, Fault, ResponseError, SpecError
from connector_assets.plugins.config import config_names, read_config
from connector_assets.reading.connector import Batch, Check, CodeConnector, Needs, ReadContext
from connector_assets.reading.rows_in_batches import in_batches
from connector_assets.spec.checks.model_faults import findings_of
from connector_assets.spec.names.names import ConnectorId, VariableName
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.yaml.yaml_source import read_yaml, show_path

StreamLike = str | Stream | Mapping[str, Any]
Read = Callable[[ReadContext[Any]], Iterable[Mapping[str, Any] | Batch]]
Tested = Check | Mapping[str, Any] | bool | None


@dataclass(frozen=True)
class PluginConnector(CodeConnector):
    """What `define_connector` returns; it is a `Connector`, as a YAML spec is."""

    id: str
    display_name: str
    category: str
    description: str
    version: str
    config_schema: type[BaseModel] | None
    secret_names: tuple[str, ...]
    listed: Callable[[], Iterable[StreamLike]]
    reader: Read
    test: Callable[..., Tested] | None
    assets: Callable[..., Any] | None
    """Called with the connection, returns its Dagster assets; None: one asset per stream."""

    def streams(self) -> Sequence[Stream]:
        """The streams, checked as those of a spec are; raises SpecError."""
        streams = [_stream(self.id, item) for item in self.listed()]
        names = [stream.name for stream in streams]
        twice = {name for name, count in Counter(names).items() if count > 1}
        faults = [Fault(f"streams.{name}", "is there twice") for name in sorted(twice)]
        if not streams:
            faults.append(Fault("streams", "must not be empty"))
        if faults:
            raise SpecError(faults, source=f"plugin {self.id}")
        return streams

    def needs(self, stream: Stream, auth: str | int | None = None) -> Needs:  # noqa: ARG002 - the Protocol's shape: a plugin knows neither
        names = config_names(self.config_schema)
        needed = names.secrets | set(self.secret_names)
        return Needs(
            config=names.required,
            optional=names.optional,
            secrets=(needed,),
            known_secrets=needed | names.optional_secrets,
        )

    def known_secrets(self) -> frozenset[str]:
        names = config_names(self.config_schema)
        return names.secrets | names.optional_secrets | set(self.secret_names)

    def default(self, name: str) -> Any:  # noqa: ARG002 - the Protocol's shape
        """None: the plugin's own model has its defaults."""
        return None

    def fingerprint(self, stream: Stream) -> str:
        """Of the plugin's `version` and the stream: no code is looked at."""
        parts = (self.id, self.version, stream.model_dump_json())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def read(self, ctx: ReadContext[Any]) -> Iterator[Batch]:
        """What the plugin yields, as batches of which the last is marked complete."""
        where = f"{ctx.connection}.{ctx.stream.name}"
        own = self._typed(ctx)
        with _blaming_plugin(where, own):
            rows = self.reader(own)
            if rows is None or isinstance(rows, str | bytes | Mapping):
                raise ResponseError("read did not return rows", where=where, fix="yield dicts")
            for batch in in_batches(rows, own, where=where):
                own.stats.rows += batch.count
                own.stats.pages += 1
                yield batch

    def check(self, ctx: ReadContext[Any]) -> Check:
        """Call the plugin's `test_connection`; an exception is a failed test."""
        try:
            own = self._typed(ctx)
            if self.test is None:
                return Check(ok=True, message="its values are complete; it has no connection test")
            with _blaming_plugin(ctx.connection, own):
                given = (own.config, own.secrets) if _takes_secrets(self.test) else (own.config,)
                return _outcome(self.test(*given))
        except ConnectorError as error:
            return Check(ok=False, message=str(error))

    def _typed(self, ctx: ReadContext[Any]) -> ReadContext[Any]:
        config = read_config(
            self.config_schema,
            ctx.config,
            scope={**ctx.vars, "stream": ctx.stream.name},
            secrets=ctx.secrets,
            where=ctx.connection,
        )
        return replace(ctx, config=config)


def define_connector(
    *,
    id: str,  # noqa: A002 - the field's name for it, in YAML too
    display_name: str,
    read: Read,
    category: str = "other",
    description: str = "",
    version: str = "1",
    config_schema: type[BaseModel] | None = None,
    secrets: Sequence[str] = (),
    streams: Iterable[StreamLike] | Callable[[], Iterable[StreamLike]] | None = None,
    test_connection: Callable[..., Tested] | None = None,
    assets: Callable[..., Any] | None = None,
) -> PluginConnector:
    """A connector whose rows come from `read(ctx)`, a generator of dicts (or of `Batch`es).

    `config_schema` is a pydantic model; its values come from the connection, the environment
    (`<ID>__<NAME>`) and the command line, and a `SecretStr` field is a secret. `secrets` names
    further secrets, found in `ctx.secrets`. `streams` are names, or what YAML says of a stream
    (`{"name": "orders", "primaryKey": ["id"]}`), or a function that lists them; default: one
    stream named as the connector. `test_connection(config)`, or `(config, secrets)`, returns a
    `Check`, a dict with `ok` and `message`, a bool or None (it worked), or raises. `version` says
    that rows changed: what was staged by another version is read anew.
    Raises SpecError.
    """
    faults = [*_faults("id", ConnectorId, id)]
    for position, name in enumerate(secrets):
        faults += _faults(f"secrets.{position}", VariableName, name)
    if faults:
        raise SpecError(faults, source=f"plugin {id}")
    connector = PluginConnector(
        id=id,
        display_name=display_name,
        category=category,
        description=description,
        version=version,
        config_schema=config_schema,
        secret_names=tuple(secrets),
        listed=_lister(id, streams),
        reader=read,
        test=test_connection,
        assets=assets,
    )
    if not callable(streams):
        connector.streams()
    return connector


def _lister(
    connector_id: str, streams: Iterable[StreamLike] | Callable[[], Iterable[StreamLike]] | None
) -> Callable[[], Iterable[StreamLike]]:
    if callable(streams):
        return streams
    fixed = (connector_id,) if streams is None else tuple(streams)
    return lambda: fixed


def _stream(connector_id: str, item: StreamLike) -> Stream:
    if isinstance(item, Stream):
        return item
    document = {"name": item} if isinstance(item, str) else dict(item)
    try:
        return Stream.model_validate(document)
    except ValidationError as error:
        # As text again: what is wrong is told of a document.
        findings = findings_of(error, read_yaml(json.dumps(document, default=str)), Stream)
        path = ("streams", str(document.get("name", "?")))
        faults = [Fault(show_path((*path, *one.path)), one.message) for one in findings]
        raise SpecError(faults, source=f"plugin {connector_id}") from None


def _faults(path: str, kind: Any, value: Any) -> Iterator[Fault]:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            yield Fault(path, one["msg"].removeprefix("Value error, "))


def _takes_secrets(test: Callable[..., Tested]) -> bool:
    positional = [
        one
        for one in inspect.signature(test).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return len(positional) > 1


def _outcome(result: Tested) -> Check:
    if isinstance(result, Check):
        return result
    if isinstance(result, Mapping):
        return Check(ok=bool(result.get("ok")), message=str(result.get("message", "")))
    return Check(ok=result is None or bool(result))


@contextmanager
def _blaming_plugin(where: str, ctx: ReadContext[Any]) -> Iterator[None]:
    """An exception of the plugin's own as one line, without secrets, its frames kept."""
    try:
        yield
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        text = ctx.secrets.mask(str(error))
        blamed = ConnectorError(f"{type(error).__name__}: {text}", where=f"{where}: plugin")
        raise blamed.with_traceback(error.__traceback__) from None
