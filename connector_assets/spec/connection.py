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
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector_assets.passwords import may_hold_password
from connector_assets.spec.body import Value
from connector_assets.spec.cron import check_cron
from connector_assets.spec.labels import Group, Owner, Tags
from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.names import ConnectorId, Prose, StreamName, Text, VariableName
from connector_assets.spec.partitions import Partitions
from connector_assets.spec.stream import Stream, WriteMode
from connector_assets.spec.template import Template

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")
_DESTINATION = re.compile(r"[a-z][a-z0-9+.-]*:[^\s]+")


def _destination(value: str) -> str:
    if not _DESTINATION.fullmatch(value):
        raise ValueError("must be a URL such as duckdb:///data.duckdb")
    if may_hold_password(value):
        raise ValueError("must not hold a password; give it through the environment")
    return value


def _unspaced(value: str) -> str:
    if re.search(r"\s", value):
        raise ValueError("must hold no space")
    return value


Pool = Annotated[Text, AfterValidator(_unspaced)]
Cron = Annotated[str, AfterValidator(check_cron)]
DestinationUrl = Annotated[str, AfterValidator(_destination)]


class SecretSource(Model):
    """Where a secret is found: in an environment variable, or in a file."""

    env: str | None = None
    """Name of the environment variable."""
    file: Text | None = None
    """Path of a file that holds the secret and nothing else; a last line break is dropped."""

    @model_validator(mode="before")
    @classmethod
    def _never_the_secret_itself(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise fault("", "must be {env: NAME} or {file: PATH}; a secret is never written here")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise fault("", "must be {env: NAME} or {file: PATH}")
        if self.env is not None and not _VARIABLE.fullmatch(self.env):
            raise fault("env", "must be the name of an environment variable")
        return self


class IncrementalSettings(Model):
    """What a connection changes in `incremental`."""

    start: Template | int | float | None = None
    """Where the first run of this connection begins, instead of the connector's `start`. Moved
    back it reads from there once more; moved forward it changes nothing.
    """


class StreamSettings(Model):
    """What a connection changes in one stream; what it leaves out is the connector's."""

    description: Prose | None = None
    """Shown with the asset instead of the connector's text."""
    write_mode: WriteMode | None = None
    """What a load does to the table, instead of what the connector says."""
    vars: dict[VariableName, Value] = {}
    """Bound over the connection's and the stream's own."""
    group: Group | None = None
    """Group of this asset, instead of the connection's."""
    owners: Many[Owner] = ()
    """Owners of this asset, instead of the connection's."""
    tags: Tags = {}
    """Tags of this asset, beside the connection's; of the same name, these win."""
    schedule: Cron | None = None
    """When this stream is materialized, instead of the connection's schedule."""
    incremental: IncrementalSettings = IncrementalSettings()
    """What changes in how the stream continues where the last run ended."""
    partitions: Partitions | None = None
    """Parts of the stream that Dagster shows, reads and replaces alone: `{type: daily, start:
    "2024-01-01"}`, or `{type: each, of: region}`. Default: none.
    """


class ConnectionDocument(Model):
    """How one project uses a connector: values, places of secrets, streams, schedule."""

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
    config: dict[VariableName, Value] = {}
    """Values; a text may be a template, rendered once for each stream."""
    secrets: dict[VariableName, SecretSource] = {}
    """Where each secret is found, by its name in the connector. Default: the environment
    variable `<ID>__<NAME>`, as SHOP__API_KEY for `apiKey` of the connection `shop`.
    """
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
    pool: Pool | None = None
    """Dagster pool that limits how many streams run at once."""
    group: Group | None = None
    """Group of the assets; letters, digits and underscores."""
    owners: Many[Owner] = ()
    """Owners of the assets, e-mail addresses or as "team:data", instead of the connector's."""
    tags: Tags = {}
    """Tags of the assets, beside the connector's; of the same name, these win."""

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
        changed: dict[str, Any] = {
            "description": settings.description,
            "write_mode": settings.write_mode,
        }
        if stream.incremental and settings.incremental.start is not None:
            start = {"start": settings.incremental.start}
            changed["incremental"] = stream.incremental.model_copy(update=start)
        given = {name: value for name, value in changed.items() if value is not None}
        return stream.model_copy(update=given)

    def misfits(self, stream: Stream) -> Iterator[tuple[str, str]]:
        """What `stream` cannot be under this connection: dotted key below it, and why."""
        settings = self.settings(stream.name)
        if settings.incremental.start is not None and stream.incremental is None:
            yield "incremental", "needs a stream with incremental"
        elif settings.incremental.start is not None and settings.partitions:
            yield "incremental.start", "is for a stream without partitions; they have a start"
        reason = settings.partitions.fits(stream) if settings.partitions else None
        if reason:
            yield "partitions", reason

    def vars_of(self, stream: str) -> dict[str, Any]:
        """Names bound for the templates of `stream`: the connection's, then the stream's own."""
        return {**self.vars, **self.settings(stream).vars}

    def schedule_of(self, stream: str) -> str | None:
        """When `stream` is materialized."""
        return self.settings(stream).schedule or self.schedule

    def group_of(self, stream: str) -> str | None:
        return self.settings(stream).group or self.group

    def owners_of(self, stream: str) -> tuple[str, ...]:
        return self.settings(stream).owners or self.owners

    def tags_of(self, stream: str) -> dict[str, str]:
        return {**self.tags, **self.settings(stream).tags}
