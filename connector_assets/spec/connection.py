"""The connection document as frozen models: how one project uses a connector.

kind: connection
version: "1.0"
id: crm                                   # asset key prefix and table schema
connector: salesforce_rest                # an id, or the path of a spec beside this file
secrets: {accessToken: {env: CRM_TOKEN}}
vars: {soql: "SELECT FIELDS(ALL) FROM {{resourceType}} LIMIT 200"}
streams: [Account, Contact]
schedule: "0 6 * * *"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector_assets.errors import BlockedError
from connector_assets.passwords import may_hold_password
from connector_assets.spec.names.cron import check_cron
from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.names.names import (
    ConnectorId,
    Prose,
    StreamName,
    Text,
    ValueName,
    VariableName,
)
from connector_assets.spec.names.url import origin_of
from connector_assets.spec.network import NetworkSettings, SecretSource
from connector_assets.spec.request.body import Setting, Value
from connector_assets.spec.stream.asset_settings import (
    AssetSettings,
    Key,
    TablePattern,
    filled_table,
)
from connector_assets.spec.stream.partitions import Partitions
from connector_assets.spec.stream.stream import Stream, WriteMode
from connector_assets.spec.stream.table_checks import ConnectionChecks
from connector_assets.spec.templates.template import Template

_FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")
_DESTINATION = re.compile(r"[a-z][a-z0-9+.-]*:[^\s]+")


def _destination(value: str) -> str:
    if not _DESTINATION.fullmatch(value):
        raise ValueError("must be a URL such as duckdb:///data.duckdb")
    if may_hold_password(value):
        raise ValueError("must not hold a password; give it through the environment")
    return value


def _origin(value: str) -> str:
    try:
        origin = origin_of(value)
    except BlockedError:
        origin = ""
    if value.lower().rstrip("/") != origin:
        raise ValueError("must be an origin without a path, such as https://api.example.com")
    return origin


Origin = Annotated[str, AfterValidator(_origin)]
Cron = Annotated[str, AfterValidator(check_cron)]
DestinationUrl = Annotated[str, AfterValidator(_destination)]


class IncrementalSettings(Model):
    """What a connection changes in `incremental`."""

    start: Template | int | float | None = None
    """Where the first run of this connection begins, instead of the connector's `start`. Moved
    back it reads from there once more; moved forward it changes nothing.
    """


def _function(value: str) -> str:
    if not _FUNCTION.fullmatch(value):
        raise ValueError("must be module:name, such as shop:prices")
    return value


Function = Annotated[str, AfterValidator(_function)]


class PythonParts(Model):
    """What Python of yours does for one stream, in place of the spec; each as module:name."""

    read: Function | None = None
    """`read(ctx)` yields the rows as dicts; `ctx.http` sends requests within the connection's
    guard, budget, auth and retries, `ctx.spec_rows()` are the rows as the spec says.
    """
    pagination: Function | None = None
    """`after(call, page)` gives the call that follows a page, as `call.put("page", 2)`, or None at
    the end of the list.
    """
    auth: Function | None = None
    """`auth(ctx)` gives an `httpx.Auth` that signs each request; `ctx.secrets` has the secrets."""
    transform: Function | None = None
    """`transform(row)` gives the row to keep, several, or None to leave it out."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.read is not None and (self.pagination or self.transform):
            raise fault("read", "gives the rows by itself; leave pagination and transform out")
        return self


class StreamSettings(AssetSettings):
    """What a connection changes in one stream; what it leaves out is as for the others."""

    description: Prose | None = None
    """Shown with the asset instead of the connector's text."""
    table: TablePattern | None = None
    """Name of the table, instead of the connection's `table` and what the connector says."""
    write_mode: WriteMode | None = None
    """What a load does to the table, instead of what the connector says."""
    vars: dict[VariableName, Value] = {}
    """Bound over the connection's and the stream's own."""
    schedule: Cron | None = None
    """When this stream is materialized, instead of the connection's schedule."""
    incremental: IncrementalSettings = IncrementalSettings()
    """What changes in how the stream continues where the last run ended."""
    checks: ConnectionChecks | None = None
    """What must hold of the table after each load, beside what the connector demands."""
    python: PythonParts | Function | None = None
    """Python of yours for what this stream cannot say in YAML, as `shop:prices`: `prices(ctx)` in
    shop.py beside this file yields the rows. Or a part of it: {transform: "shop:in_euros"}. Only a
    connection can name code, never a spec.
    """
    partitions: Partitions | None = None
    """Parts of the stream that Dagster shows, reads and replaces alone: `{type: daily, start:
    "2024-01-01"}`, or `{type: each, of: region}`. Default: none.
    """


class _Head(Model):
    comes_first: ClassVar[bool] = True

    kind: Literal["connection"]
    """Says that this document is a connection."""
    version: Literal["1.0"]
    """Version of the format, in quotes."""
    id: ConnectorId
    """Prefix of asset keys and of environment variables, and the schema of the tables."""
    connector: Text
    """Id of a connector, or the path of its spec relative to this file."""
    description: Prose = ""
    """What this account is for; for people, it changes nothing."""


class ConnectionDocument(AssetSettings, _Head):
    """How one project uses a connector: values, places of secrets, streams, schedule."""

    config: dict[ValueName, Setting] = {}
    """Values; a text may be a template, rendered once for each stream. Plugins may take objects,
    whose texts stand as they are.
    """
    secrets: dict[ValueName, SecretSource] = {}
    """Where each secret is found, by its name in the connector. Default: the environment
    variable `<ID>__<NAME>`, as SHOP__API_KEY for `apiKey` of the connection `shop`.
    """
    origins: Annotated[Many[Origin], Field(min_length=1)] | None = None
    """The only origins (scheme, host and port) that the connector may send to, as
    [https://api.example.com]. Where its spec names another, nothing is sent. Default: those of
    the spec.
    """
    table: TablePattern | None = None
    """Name of each stream's table, as `eu_{{stream}}`; it may read `stream`, which is what the
    connector calls the table, and `connection`. Asset keys stay as they are.
    """
    adopt: bool = False
    """Take over tables that somebody else made, or that another connection loads, instead of
    refusing to.
    """
    network: NetworkSettings = NetworkSettings()
    """How all requests of this connection leave, those for tokens too: proxy, certificates."""
    auth: Text | Annotated[int, Field(ge=0)] | None = None
    """Type or position of the connector's auth; default the first whose secrets are all given."""
    streams: Many[StreamName] | dict[StreamName, StreamSettings | None] | None = None
    """The streams to read, with what changes in them; default all."""
    vars: dict[VariableName, Value] = {}
    """Bound for every stream's templates; a text may be a template itself."""
    destination: DestinationUrl | None = None
    """Where tables go; default the project's destination."""
    schedule: Cron | None = None
    """When the streams are materialized, in the time zone of the deployment."""
    execution: Literal["perStream", "perConnector"] = "perStream"
    """Whether each stream is a step of its own, or all are one after the other in one, which
    suits many tiny streams. Streams with partitions stay steps of their own.
    """
    key_prefix: Key | None = None
    """Parts put before the key of every asset that has none of its own, as `raw/eu`; schema,
    tables and variables stay as they are.
    """

    @model_validator(mode="after")
    def _some_stream(self) -> Self:
        if self.streams is not None and not self.streams:
            raise fault("streams", "must not be empty; leave it out to read all")
        return self

    @property
    def stream_names(self) -> Sequence[str]:
        """The streams that are named; empty where all are read."""
        return tuple(self.streams or ())

    def settings(self, stream: str) -> StreamSettings:
        """What this connection changes in `stream`."""
        found = self.streams.get(stream) if isinstance(self.streams, dict) else None
        return found or StreamSettings()

    def overridden(self, stream: Stream) -> Stream:
        """The connector's stream as this connection reads it."""
        settings = self.settings(stream.name)
        pattern = settings.table or self.table
        changed: dict[str, Any] = {
            "description": settings.description,
            "table": pattern
            and filled_table(pattern, connection=self.id, stream=stream.table_name),
            "write_mode": settings.write_mode,
        }
        if stream.incremental and settings.incremental.start is not None:
            start = {"start": settings.incremental.start}
            changed["incremental"] = stream.incremental.model_copy(update=start)
        if settings.checks:
            said = {
                name: getattr(settings.checks, name) for name in settings.checks.model_fields_set
            }
            under = {
                name: getattr(stream.checks, name) for name in type(stream.checks).model_fields
            }
            changed["checks"] = ConnectionChecks.model_construct(**{**under, **said})
        if within := self.asset_settings(stream.name).fresh_within:
            checks = changed.get("checks", stream.checks)
            changed["checks"] = checks.model_copy(update={"fresh_within": within})
        given = {name: value for name, value in changed.items() if value is not None}
        return stream.model_copy(update=given)

    def misfits(self, stream: Stream) -> Iterator[tuple[str, str]]:
        """What `stream` cannot be under this connection: dotted key below it, and why."""
        settings = self.settings(stream.name)
        if settings.incremental.start is not None and stream.incremental is None:
            yield "incremental", "needs a stream with incremental"
        elif settings.incremental.start is not None and settings.partitions:
            yield "incremental.start", "is for a stream without partitions; they have a start"
        checks = self.overridden(stream).checks
        if checks.key and not stream.primary_key:
            yield "checks.key", "needs a stream with primaryKey"
        if unknown := checks.unknown_blocking():
            yield "checks.blocking", unknown
        reason = settings.partitions.fits(stream) if settings.partitions else None
        if reason:
            yield "partitions", reason

    def vars_of(self, stream: str) -> dict[str, Any]:
        """Names bound for the templates of `stream`: the connection's, then the stream's own."""
        return {**self.vars, **self.settings(stream).vars}

    def schedule_of(self, stream: str) -> str | None:
        """When `stream` is materialized."""
        return self.settings(stream).schedule or self.schedule

    def asset_settings(self, stream: str) -> AssetSettings:
        """What is said of the asset of `stream`: its own, then the connection's."""
        return self.settings(stream).over(self)
