"""The connector document as frozen models: what an API is, without accounts or secrets."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from connector_assets.spec.auth import Auth
from connector_assets.spec.body import Body, Value
from connector_assets.spec.fields import Condition, Expand, Fields, OneField
from connector_assets.spec.for_each import ForEach
from connector_assets.spec.incremental import Incremental
from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.pagination import NonePagination, Pagination
from connector_assets.spec.paths import Path
from connector_assets.spec.template import Template

FORMAT_VERSION = "1.0"
_METHOD = re.compile(r"[A-Za-z]{1,20}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_LINK_LOCAL = re.compile(r"https?://(169\.254\.|\[fe80:|0\.0\.0\.0|\[::\])", re.IGNORECASE)


def _matching(pattern: str, hint: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must be {hint}")
        return value

    return AfterValidator(check)


def _printable(value: str) -> str:
    if not value.strip() or _CONTROL.search(value):
        raise ValueError("must be one line of text, and not empty")
    return value


ConnectorId = Annotated[
    str,
    _matching(
        r"[a-z][a-z0-9_]{0,62}",
        "a lower-case letter, then up to 62 lower-case letters, digits and underscores",
    ),
]
EndpointId = Annotated[
    str,
    _matching(
        r"[A-Za-z][A-Za-z0-9_-]{0,62}",
        "a letter, then up to 62 letters, digits, underscores and hyphens",
    ),
]
StreamName = Annotated[
    str, _matching(r"[A-Za-z0-9_.-]{1,120}", "1 to 120 letters, digits, '_', '.' and '-'")
]
VariableName = Annotated[
    str, _matching(r"[A-Za-z_][A-Za-z0-9_]{0,62}", "a name of letters, digits and underscores")
]
Text = Annotated[str, AfterValidator(_printable), Field(max_length=200)]
Prose = Annotated[str, Field(max_length=10_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class ConfigField(Model):
    """A value a connection must or may give."""

    type: Literal["string", "integer", "number", "boolean", "date", "datetime", "list"] = "string"
    description: Prose = ""
    default: Any = None
    enum: Many[Any] = ()
    pattern: str | None = None
    required: bool | None = None
    """Default: required where there is no default."""

    @property
    def needed(self) -> bool:
        return self.default is None if self.required is None else self.required


class SecretField(Model):
    """A secret a connection gives, by name."""

    description: Prose = ""


class RateLimit(Model):
    """A token bucket, one per connection, shared by every process that uses it."""

    requests_per_second: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = (
        None
    )
    burst_size: Annotated[int, Field(ge=1, le=100_000)] = 1
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    remaining_header: str | None = None
    """Response header with the requests left in the vendor's window."""
    reset_header: str | None = None
    """Response header that says when the window ends: seconds from now, or an epoch."""


class Retry(Model):
    """Exponential back-off with full jitter; `Retry-After` wins up to `maxDelaySeconds`."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    max_delay_seconds: Seconds = 300.0


Status = Annotated[int, Field(ge=100, le=599)]
StatusClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx"]


class ErrorRule(Model):
    """What an answer means; the first rule that matches decides."""

    status: Many[Status | StatusClass] | Status | StatusClass | None = None
    contains: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """Text in the body."""
    when: Condition | None = None
    """Expression over `response`, `headers` and `status`, as "{{ response.error == 'x' }}"."""
    action: Literal[
        "fail", "retry", "ignore", "end", "rate_limited", "refresh_auth", "reset_pagination"
    ]
    message: Template | None = None
    """What the user is told; may quote `response`."""

    @property
    def statuses(self) -> tuple[int | str, ...]:
        if self.status is None:
            return ()
        return self.status if isinstance(self.status, tuple) else (self.status,)

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if self.status is None and self.contains is None and self.when is None:
            raise fault("status", "is required; give at least one of status, contains, when")
        return self


class EndpointDefaults(Model):
    """What every endpoint takes unless it says otherwise."""

    base_url: Template | None = None
    """Put before endpoint URLs that begin with `/`."""
    method: str = "GET"
    params: dict[str, Value] = {}
    headers: dict[str, Template] = {}
    body: Body | None = None
    pagination: Pagination = NonePagination()
    rate_limit: RateLimit | None = None
    response_rows_path: Path | None = None
    """Where the rows are; default: the root."""
    errors: Many[ErrorRule] = ()
    retry: Retry = Retry()
    timeout_seconds: Seconds = 300.0
    """Wall clock for the whole request."""
    connect_timeout_seconds: Seconds = 10.0
    read_timeout_seconds: Seconds = 60.0
    max_response_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = 64 << 20

    @field_validator("method")
    @classmethod
    def _a_verb(cls, value: str) -> str:
        if not _METHOD.fullmatch(value) or value.upper() not in _METHODS:
            raise ValueError(f"must be one of {', '.join(_METHODS)}")
        return value.upper()

    @field_validator("headers")
    @classmethod
    def _no_host(cls, value: dict[str, Template]) -> dict[str, Template]:
        for name in value:
            if not _HEADER.fullmatch(name):
                raise fault(name, "is not a header name")
            if name.lower() in _RESERVED_HEADERS:
                raise fault(name, "cannot be set; it follows from the request")
        return value


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "REPORT", "SEARCH")
_RESERVED_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}


class Endpoint(EndpointDefaults):
    """One request the API offers."""

    id: EndpointId
    url: Template
    description: Prose = ""
    auth: Many[Auth] | None = None
    """Instead of the connector's."""

    @field_validator("url")
    @classmethod
    def _absolute_or_path(cls, value: Template) -> Template:
        head = value.source
        if not head or _UNPRINTABLE.search(re.sub(r"\{\{.*?\}\}", "", head)):
            raise ValueError("must be a URL without spaces and control characters")
        if not re.match(r"https?://[^/?#\s]|/(?!/)|\{\{", head, re.IGNORECASE):
            raise ValueError(
                "must begin with https://, with a template, or with / below defaults.baseUrl"
            )
        if _LINK_LOCAL.match(head):
            raise ValueError(
                "is an address of the machine's own network, which no connector may read"
            )
        return value


class Checks(Model):
    """What must hold of a table; each becomes an asset check."""

    min_rows: Annotated[int, Field(ge=0)] | None = None
    not_null: Many[str] = ()


class Stream(Model):
    """One list of records: one table and one asset."""

    name: StreamName
    endpoint: EndpointId | None = None
    """Default: the endpoint of the same name, else `read.primary`."""
    description: Prose = ""
    vars: dict[VariableName, Value] = {}
    """Bound for this stream's templates."""
    primary_key: Many[str] = ()
    """Dotted paths of what identifies a row."""
    write_mode: Literal["append", "replace", "merge"] | None = None
    """Default: merge with `primaryKey` and `incremental`, else replace."""
    incremental: Incremental | None = None
    for_each: Many[ForEach] = ()
    """Read once for each item of a list or of a parent's rows; several make a product."""
    on_item_error: Literal["fail", "skip"] = "fail"
    """An item that cannot be read fails the stream, or is skipped and reported."""
    expand: OneField | Expand | Many[OneField | Expand] | None = None
    """Path of a list in each row: one row per element, in the list's place; several in turn."""
    where: Condition | None = None
    """Which rows to keep, as "{{ record.status != 'draft' }}"; after `expand`."""
    fields: Fields = Fields()
    """Fields added, removed, renamed, cast, masked."""
    columns: dict[str, str] = {}
    """Declared column types; the rest is inferred."""
    checks: Checks = Checks()

    @property
    def expansions(self) -> tuple[Expand, ...]:
        """What `expand` says, spelled out."""
        given = self.expand if isinstance(self.expand, tuple) else (self.expand,)
        return tuple(
            Expand.model_construct(path=one) if isinstance(one, str) else one
            for one in given
            if one is not None
        )

    @property
    def mode(self) -> Literal["append", "replace", "merge"]:
        """The write mode, spelled out."""
        if self.write_mode:
            return self.write_mode
        return "merge" if self.primary_key and self.incremental else "replace"

    @property
    def parents(self) -> tuple[str, ...]:
        """The streams whose rows this one is read for."""
        return tuple(each.parent.stream for each in self.for_each if each.parent)

    @model_validator(mode="after")
    def _incremental_fits(self) -> Self:
        if self.incremental is None:
            return self
        if self.mode == "replace":
            raise fault(
                "primaryKey", "is required with incremental; a table of only new rows is not"
            )
        if self.mode == "append" and not self.primary_key:
            raise fault("primaryKey", "is required to append incrementally; servers repeat rows")
        if self.mode == "append" and self.incremental.lookback:
            raise fault("writeMode", "append would double the rows of lookback; use merge")
        return self


class Read(Model):
    """Which lists to read."""

    primary: EndpointId | None = None
    resource_types: Many[StreamName] = ()
    """Sugar: one stream of the primary endpoint per name, with `resourceType` bound."""
    streams: Many[Stream] = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.resource_types or self.streams or self.primary):
            raise fault("", "must name streams, or a primary endpoint")
        return self


class ConnectorSpec(Model):
    """What an API is: validated, frozen, shareable; it holds no accounts and no secrets."""

    kind: Literal["connector"]
    version: Literal["1.0"]
    id: ConnectorId
    display_name: Text
    category: Text = "other"
    description: Prose = ""
    docs_url: Text | None = None
    tags: dict[str, str] = {}
    owners: Many[str] = ()
    config: dict[VariableName, ConfigField] = {}
    secrets: dict[VariableName, SecretField] = {}
    origins: Many[str] = ()
    """Further origins that credentials may be sent to, as `https://files.example.com`."""
    auth: Many[Auth] = ()
    defaults: EndpointDefaults = EndpointDefaults()
    rate_limit: RateLimit | None = None
    """One budget for the connector, shared by its endpoints."""
    endpoints: Annotated[Many[Endpoint], Field(min_length=1, max_length=5000)]
    read: Read

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """All streams, `resourceTypes` and a lone `primary` spelled out."""
        typed = tuple(
            Stream.model_construct(
                name=name, endpoint=self.read.primary, vars={"resourceType": Template(name)}
            )
            for name in self.read.resource_types
        )
        streams = (*typed, *self.read.streams)
        if not streams and self.read.primary:
            return (Stream.model_construct(name=self.read.primary, endpoint=self.read.primary),)
        return streams

    def stream(self, name: str) -> Stream:
        """The stream called `name`; KeyError where there is none."""
        return next(s for s in self.streams if s.name == name)

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """The endpoint with the connector's defaults merged under it; KeyError if unknown."""
        endpoint = next((e for e in self.endpoints if e.id == endpoint_id), None)
        if endpoint is None:
            raise KeyError(endpoint_id)
        given, under = endpoint.model_fields_set, self.defaults
        update = {name: getattr(under, name) for name in under.model_fields_set - given}
        update["params"] = {**under.params, **endpoint.params}
        update["headers"] = {**under.headers, **endpoint.headers}
        return endpoint.model_copy(update=update)

    def endpoint_of(self, stream: Stream) -> Endpoint:
        """The endpoint a stream reads: named, of the same name, or the primary."""
        ids = {endpoint.id for endpoint in self.endpoints}
        wanted = stream.endpoint or (stream.name if stream.name in ids else self.read.primary)
        return self.endpoint(wanted or stream.name)
