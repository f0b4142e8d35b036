"""Connectors in Python, for what a YAML spec cannot say: other protocols, databases, files.

    class Config(BaseModel):
        topic: str
        password: SecretStr

    def read(ctx: PluginContext[Config]) -> Iterator[Row]:
        for message in consume(ctx.config.topic, ctx.config.password.get_secret_value()):
            yield {"key": message.key, "value": message.value}

    kafka = define_connector(id="kafka", display_name="Apache Kafka", category="streaming",
                             config_schema=Config, read=read)

A plugin is the operator's own code: it is trusted, and nothing guards what it connects to but the
requests of `ctx.http`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, overload

from pydantic import BaseModel, TypeAdapter, ValidationError

from connector_assets.errors import Fault, SpecError
from connector_assets.plugins.connector import PluginConnector, Tested
from connector_assets.plugins.http import http_spec
from connector_assets.plugins.streams import StreamLike, streams_of
from connector_assets.reading.connector import Probe
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.reading.yielded import Yielded
from connector_assets.redact import Secrets
from connector_assets.spec.names.names import ConnectorId, VariableName

Model = TypeVar("Model", bound=BaseModel)
Values = Mapping[str, Any]

Streams = (
    Iterable[StreamLike]
    | Callable[[], Iterable[StreamLike]]
    | Callable[[Values], Iterable[StreamLike]]
)
Read = Callable[[PluginContext[Model]], Iterable[Yielded]]
Discover = Callable[[PluginContext[Model]], Iterable[StreamLike]]
DiscoverValues = Callable[[PluginContext[Values]], Iterable[StreamLike]]
ReadValues = Callable[[PluginContext[Values]], Iterable[Yielded]]
Test = Callable[[Model], Tested] | Callable[[Model, Secrets], Tested]
TestValues = Callable[[Values], Tested] | Callable[[Values, Secrets], Tested]
Probes = Callable[[PluginContext[Model], Any], Probe]
ProbesValues = Callable[[PluginContext[Values], Any], Probe]
Assets = Callable[[Any], Any] | Callable[[Any, Any], Any]


class Reads(Protocol[Model]):
    """A class that `define_connector` decorates: `read`, and any of the other functions."""

    def read(self, ctx: PluginContext[Model]) -> Iterable[Yielded]:
        """Yield the rows of `ctx.stream`."""
        ...


class ReadsValues(Protocol):
    """As `Reads`, without a model."""

    def read(self, ctx: PluginContext[Values]) -> Iterable[Yielded]:
        """Yield the rows of `ctx.stream`."""
        ...


@overload
def define_connector(
    *,
    id: str,
    display_name: str,
    read: Read[Model],
    category: str = ...,
    description: str = ...,
    docs_url: str | None = ...,
    version: str = ...,
    config_schema: type[Model],
    secrets: Sequence[str] = ...,
    http: Mapping[str, Any] | None = ...,
    streams: Streams | None = ...,
    discover: Discover[Model] | None = ...,
    discovers: Callable[[Values], bool] | None = ...,
    test_connection: Test[Model] | None = ...,
    probe: Probes[Model] | None = ...,
    assets: Assets | None = ...,
) -> PluginConnector: ...


@overload
def define_connector(
    *,
    id: str,
    display_name: str,
    read: ReadValues,
    category: str = ...,
    description: str = ...,
    docs_url: str | None = ...,
    version: str = ...,
    secrets: Sequence[str] = ...,
    http: Mapping[str, Any] | None = ...,
    streams: Streams | None = ...,
    discover: DiscoverValues | None = ...,
    discovers: Callable[[Values], bool] | None = ...,
    test_connection: TestValues | None = ...,
    probe: ProbesValues | None = ...,
    assets: Assets | None = ...,
) -> PluginConnector: ...


@overload
def define_connector(
    *,
    id: str,
    display_name: str,
    category: str = ...,
    description: str = ...,
    docs_url: str | None = ...,
    version: str = ...,
    config_schema: type[Model],
    secrets: Sequence[str] = ...,
    http: Mapping[str, Any] | None = ...,
    streams: Streams | None = ...,
) -> Callable[[type[Reads[Model]]], PluginConnector]: ...


@overload
def define_connector(
    *,
    id: str,
    display_name: str,
    category: str = ...,
    description: str = ...,
    docs_url: str | None = ...,
    version: str = ...,
    secrets: Sequence[str] = ...,
    http: Mapping[str, Any] | None = ...,
    streams: Streams | None = ...,
) -> Callable[[type[ReadsValues]], PluginConnector]: ...


def define_connector(
    *,
    id: str,  # noqa: A002 - the field's name for it, in YAML too
    display_name: str,
    read: Callable[..., Iterable[Yielded]] | None = None,
    category: str = "other",
    description: str = "",
    docs_url: str | None = None,
    version: str = "1",
    config_schema: type[BaseModel] | None = None,
    secrets: Sequence[str] = (),
    http: Mapping[str, Any] | None = None,
    streams: Streams | None = None,
    discover: Callable[..., Iterable[StreamLike]] | None = None,
    discovers: Callable[[Values], bool] | None = None,
    test_connection: Callable[..., Tested] | None = None,
    probe: Callable[..., Probe] | None = None,
    assets: Callable[..., Any] | None = None,
) -> Any:
    """A connector whose rows come from `read(ctx)`, a generator; see `PluginContext` for `ctx`.

    It yields dicts, Arrow tables or record batches of any library, or NDJSON bytes.
    `config_schema` is a pydantic model; its values come from the connection, the environment
    (`<ID>__<NAME>`) and the command line, and a `SecretStr` field is a secret. `secrets` names
    further secrets, found in `ctx.secrets`. `http` says where `ctx.http` sends requests and how
    it is let in, as a spec does: `{"defaults": {"baseUrl": …}, "auth": […], "rateLimit": {…}}`.

    `streams` are names, or what YAML says of a stream (`{"name": "orders", "primaryKey": ["id"]}`),
    or a function that lists them, from nothing or from what a connection says in `config`;
    default: one stream named as the connector. A stream with
    `incremental` is one whose `read` keeps to `ctx.window`, so that it can be partitioned by time.
    `discover(ctx)` yields the streams that the source has, which `connector-assets discover` keeps
    in a lock file beside the connection; each may have `vars`, to be found in `ctx.vars`.
    `discovers(config)` says whether a connection with that `config` has any to discover.
    `test_connection(config)`, or `(config, secrets)`, returns a `Check`, a dict with `ok` and
    `message`, a bool or None (it worked), or raises. `probe(ctx, position)` tells by a small
    question whether there is anything new after the position of the last load, which is None where
    that is not known: with it a connection may `watch` the streams.
    `assets(connection)`, or `(connection, blocks)`, makes the Dagster definitions of a connection,
    instead of one asset per stream; see `AssetBlocks`. `version` says that rows changed: what was
    staged by another version is read anew.

    Without `read` it decorates a class that has it as a method, and may have `streams`, `discover`,
    `test_connection`, `probe` and `assets` besides. Raises SpecError with all that is wrong.

    >>> @define_connector(id="numbers", display_name="Numbers")
    ... class Numbers:
    ...     def read(self, ctx: PluginContext[Mapping[str, Any]]) -> Iterator[dict[str, int]]:
    ...         yield {"n": 1}
    """
    given: dict[str, Any] = {
        "streams": streams,
        "discover": discover,
        "test_connection": test_connection,
        "probe": probe,
        "assets": assets,
    }

    def made(read: Callable[..., Any], functions: Mapping[str, Any]) -> PluginConnector:
        _refuse_faults(id, config_schema, secrets, {"read": read, **functions})
        return PluginConnector(
            id=id,
            display_name=display_name,
            category=category,
            description=description,
            docs_url=docs_url,
            version=version,
            config_schema=config_schema,
            secret_names=tuple(secrets),
            http=http_spec(id, display_name, http) if http is not None else None,
            fixed=_lister(id, functions["streams"], discovers=functions["discover"] is not None),
            discoverer=functions["discover"],
            may_discover=discovers or (lambda _: True),
            reader=read,
            test=functions["test_connection"],
            prober=functions["probe"],
            assets=functions["assets"],
        )

    if read is not None:
        return made(read, given)
    return lambda decorated: made(*_methods(id, decorated, given))


def _methods(
    connector_id: str, decorated: Any, given: Mapping[str, Any]
) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    """The functions of a decorated class, of which one object is made."""
    source = f"plugin {connector_id}"
    if not isinstance(decorated, type):
        fault = Fault("read", "is not given, so that this decorates a class, and this is none")
        raise SpecError([fault], source=source)
    try:
        made = decorated()
    except TypeError as error:
        raise SpecError([Fault(decorated.__name__, f"{error}")], source=source) from None
    if not callable(getattr(made, "read", None)):
        raise SpecError([Fault(decorated.__name__, "has no method read(ctx)")], source=source)
    return made.read, {name: getattr(made, name, one) for name, one in given.items()}


def _refuse_faults(
    connector_id: Any,
    schema: Any,
    secrets: Any,
    functions: Mapping[str, Any],
) -> None:
    faults = [*_faults("id", ConnectorId, connector_id)]
    if isinstance(secrets, str):
        faults.append(Fault("secrets", "is a text; give a list of names"))
    else:
        for position, name in enumerate(secrets):
            faults += _faults(f"secrets.{position}", VariableName, name)
    if schema is not None and not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        faults.append(Fault("config_schema", "must be a class made of pydantic.BaseModel"))
    for name in ("read", "discover", "test_connection", "probe", "assets"):
        if functions[name] is not None and not callable(functions[name]):
            what = f"is a {type(functions[name]).__name__}; give a function"
            faults.append(Fault(name, what))
    if faults:
        raise SpecError(faults, source=f"plugin {connector_id}")


def _lister(
    connector_id: str, streams: Any, *, discovers: bool
) -> Callable[[Values], Iterable[StreamLike]]:
    if callable(streams):
        return streams if inspect.signature(streams).parameters else lambda _: streams()
    if streams is None:
        return lambda _: () if discovers else (connector_id,)
    # Once and for all: it may be an iterator.
    fixed = streams_of(connector_id, streams)
    return lambda _: fixed


def _faults(path: str, kind: Any, value: Any) -> Iterator[Fault]:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            yield Fault(path, one["msg"].removeprefix("Value error, "))
