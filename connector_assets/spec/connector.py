"""The connector document as frozen models: what an API is, without accounts or secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from connector_assets.spec.auth.auth import Auth
from connector_assets.spec.endpoint import Endpoint, EndpointDefaults, RateLimit
from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.names.names import (
    ConnectorId,
    EndpointId,
    Prose,
    StreamName,
    Text,
    ValueName,
)
from connector_assets.spec.stream.stream import DynamicStream, Stream, StreamDefaults
from connector_assets.spec.templates.plain_data import as_text
from connector_assets.spec.templates.template import Template

FORMAT_VERSION = "1.0"


class ConfigField(Model):
    """A value a connection must or may give."""

    type: Literal[
        "string", "integer", "number", "boolean", "date", "datetime", "list", "object"
    ] = "string"
    """What the value must be. Text from the environment or a command line is converted:
    `true` and `false` to a boolean, text with commas or JSON to a list, JSON to an object; lists
    and objects may hold others. A date or datetime stays ISO
    8601 text.
    """
    description: Prose = ""
    """What the value means and where to find it, for whoever sets it."""
    default: Any = None
    """Used where a connection gives no value; null: there is no default."""
    example: Any = None
    """A value that fits, as acme.example.com: shown to whoever sets it, and what the simulator
    uses where there is no default.
    """
    enum: Many[Any] = ()
    """The only values allowed, as [eu, us]; default: any."""
    pattern: str | None = None
    """Regular expression that the whole value must match, as "[a-z]+"."""
    required: bool | None = None
    """Whether reading needs a value. Default: true where there is no `default`. A value that
    is missing is named when a stream that uses it is read, not before.
    """

    @property
    def needed(self) -> bool:
        return self.default is None if self.required is None else self.required

    @property
    def about(self) -> str:
        """The description with the example, for whoever sets the value."""
        if self.example is None:
            return self.description
        is_structure = isinstance(self.example, list | dict)
        shown = json.dumps(self.example) if is_structure else as_text(self.example)
        return f"{self.description}, as {shown}" if self.description else f"as {shown}"


Release = Annotated[int, Field(ge=1, le=9999)]


class Change(Model):
    """What a release of a spec changed."""

    release: Release
    """Its number."""
    says: Prose
    """What is other than before: keys, rows, columns, streams."""


class SecretField(Model):
    """A secret a connection gives, by name."""

    description: Prose = ""
    """What the secret is and where a user gets it. Never the secret itself."""


_MERGED = ("vars", "let", "fields", "columns", "checks")


def merged_streams(read: Any) -> Any:
    """The data of `read` with its `defaults` under each stream; as it is where they are wrong."""
    defaults = read.get("defaults") if isinstance(read, dict) else None
    if not isinstance(defaults, dict) or not defaults:
        return read
    try:
        StreamDefaults.model_validate(defaults)
    except ValidationError:
        return read  # told once, where they stand
    kinds = {
        kind: read[kind] for kind in ("streams", "dynamic") if isinstance(read.get(kind), list)
    }
    return {
        **read,
        **{kind: [_under(defaults, one) for one in all_] for kind, all_ in kinds.items()},
    }


def _under(defaults: Mapping[str, Any], stream: Any) -> Any:
    if not isinstance(stream, dict):
        return stream
    both = {**defaults, **stream}
    for key in _MERGED:
        under, own = defaults.get(key), stream.get(key)
        if isinstance(under, dict) and isinstance(own, dict):
            both[key] = {**under, **own}
    return both


class Read(Model):
    """Which lists to read."""

    primary: EndpointId | None = None
    """Id of the endpoint of streams that name none. Without `resourceTypes` and `streams` it
    is the only stream, under its own name.
    """
    resource_types: Many[StreamName] = ()
    """Sugar: one stream of the primary endpoint per name, with `resourceType` bound."""
    defaults: StreamDefaults = StreamDefaults()
    """What streams have in common; each may say otherwise."""
    streams: Many[Stream] = ()
    """The lists that this connector offers, each one table and one asset."""
    dynamic: Many[DynamicStream] = ()
    """Streams that an endpoint lists, such as the tables of a base; `connector-assets discover`
    writes them into a lock file beside the spec, and only what is there is read.
    """

    @model_validator(mode="before")
    @classmethod
    def _merged(cls, data: Any) -> Any:
        return merged_streams(data)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.resource_types or self.streams or self.primary or self.dynamic):
            raise fault("", "must name streams, or a primary endpoint")
        return self


class ConnectorSpec(Model):
    """What an API is: validated, frozen, shareable; it holds no accounts and no secrets."""

    kind: Literal["connector"]
    """Says that this document is a connector."""
    version: Literal["1.0"]
    """Version of the format, in quotes."""
    id: ConnectorId
    """Name of the connector: what connections refer to and, where there is no connection,
    the prefix of asset keys, the schema of the tables and the beginning of environment
    variables.
    """
    display_name: Text
    """The vendor's or the API's name as people write it."""
    category: Text = "other"
    """Kind of system, as crm or payments; for people, it changes nothing."""
    description: Prose = ""
    """What the API holds, in a sentence or two."""
    docs_url: Text | None = None
    """Where the vendor documents the API; shown, never requested."""
    release: Release = 1
    """Number of this text, higher with every change of keys, rows or columns: a connection may
    name it, as `connector: stripe@1`, and stays with it.
    """
    changes: Many[Change] = ()
    """What releases changed for those who load them; for people."""
    tags: dict[str, str] = {}
    """Tags of all assets; a connection may add its own."""
    owners: Many[str] = ()
    """Owners of all assets, e-mail addresses or as "team:data"; a connection may name others."""
    config: dict[ValueName, ConfigField] = {}
    """Values that a connection must or may give, by the name templates use: bare, or as
    `config.<name>`. A bare name need not be declared; it is then text, and required unless
    the template has a `default(…)`.
    """
    secrets: dict[ValueName, SecretField] = {}
    """The secrets that templates read as `secrets.<name>`, with what they are. Their values
    come from the environment, a file or the command line.
    """
    origins: Many[str] = ()
    """Further origins (scheme, host and port) that credentials may be sent to, as
    `https://files.example.com`. Those of endpoints and token URLs need not be repeated; any
    other is refused.
    """
    auth: Many[Auth] = ()
    """Alternatives, the first whose secrets are all given is used unless the connection
    picks one. Default: none.
    """
    defaults: EndpointDefaults = EndpointDefaults()
    """What endpoints have in common; each may say otherwise."""
    rate_limit: RateLimit | None = None
    """One budget for each connection, shared by its endpoints and by every process and run."""
    endpoints: Annotated[Many[Endpoint], Field(min_length=1, max_length=5000)]
    """The requests that the API offers."""
    read: Read
    """Which lists are read from the endpoints."""

    @model_validator(mode="after")
    def _told_changes(self) -> Self:
        for at, change in enumerate(self.changes):
            if change.release > self.release:
                raise fault(f"changes.{at}.release", f"is later than release {self.release}")
        return self

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """All streams, `resourceTypes` and a lone `primary` spelled out."""
        typed = tuple(
            self._plain(name, {"resourceType": Template(name)}) for name in self.read.resource_types
        )
        streams = (*typed, *self.read.streams)
        if not streams and self.read.primary and not self.read.dynamic:
            return (self._plain(self.read.primary, {}),)
        return streams

    def _plain(self, name: str, variables: Mapping[str, Any]) -> Stream:
        """A stream of the primary endpoint, with nothing of its own but variables."""
        defaults = self.read.defaults
        given = {key: getattr(defaults, key) for key in defaults.model_fields_set}
        given["vars"] = {**defaults.vars, **variables}
        return Stream.model_construct(name=name, endpoint=self.read.primary, **given)

    @cached_property
    def _by_name(self) -> dict[str, Stream]:
        return {stream.name: stream for stream in reversed(self.streams)}

    @cached_property
    def _by_id(self) -> dict[str, Endpoint]:
        """The endpoints with the connector's defaults merged under them, once for all streams."""
        return {one.id: self._with_defaults(one) for one in reversed(self.endpoints)}

    def _with_defaults(self, endpoint: Endpoint) -> Endpoint:
        given, under = endpoint.model_fields_set, self.defaults
        update = {name: getattr(under, name) for name in under.model_fields_set - given}
        update["params"] = {**under.params, **endpoint.params}
        update["headers"] = {**under.headers, **endpoint.headers}
        return endpoint.model_copy(update=update)

    def stream(self, name: str) -> Stream:
        """The stream called `name`; KeyError where there is none."""
        return self._by_name[name]

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """The endpoint with the connector's defaults merged under it; KeyError if unknown."""
        return self._by_id[endpoint_id]

    def endpoint_of(self, stream: Stream) -> Endpoint:
        """The endpoint a stream reads: named, of the same name, or the primary."""
        own = stream.name if stream.name in self._by_id else self.read.primary
        wanted = stream.endpoint or own
        return self.endpoint(wanted or stream.name)
