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
from connector_assets.spec.formats import Csv, Format
from connector_assets.spec.incremental import Incremental
from connector_assets.spec.job import Job
from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.pagination import NonePagination, Pagination
from connector_assets.spec.paths import Path
from connector_assets.spec.template import Template

FORMAT_VERSION = "1.0"
WriteMode = Literal["append", "replace", "merge", "scd2"]
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
    """What the value must be. Text from the environment or a command line is converted:
    `true` and `false` to a boolean, text with commas to a list. A date or datetime stays ISO
    8601 text.
    """
    description: Prose = ""
    """What the value means and where to find it, for whoever sets it."""
    default: Any = None
    """Used where a connection gives no value; null: there is no default."""
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


class SecretField(Model):
    """A secret a connection gives, by name."""

    description: Prose = ""
    """What the secret is and where a user gets it. Never the secret itself."""


class RateLimit(Model):
    """A token bucket, one per connection, shared by every process that uses it."""

    requests_per_second: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = (
        None
    )
    """Requests that may begin in a second, retries included; 0.5 is one every two seconds.
    Default: no limit.
    """
    burst_size: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Requests that may begin at once after a pause; default 1, an even pace."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    """Requests under way at once, default 4; also how many pages or items are read ahead."""
    remaining_header: str | None = None
    """Response header with the requests left in the vendor's window."""
    reset_header: str | None = None
    """Response header that says when the window ends: seconds from now, or an epoch."""


class Retry(Model):
    """Exponential back-off with full jitter; `Retry-After` wins up to `maxDelaySeconds`."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Tries of one request in all, the first one included; 1 never tries again."""
    max_delay_seconds: Seconds = 300.0
    """Longest pause before another try. A `Retry-After` that asks for longer fails at once
    and says when to come back; in Dagster the step is then retried at that time.
    """


Status = Annotated[int, Field(ge=100, le=599)]
StatusClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx"]


class ErrorRule(Model):
    """What an answer means; the first rule that matches decides."""

    status: Many[Status | StatusClass] | Status | StatusClass | None = None
    """Status codes or classes, as 404, "5xx" or [404, 410]. Where several of status,
    contains and when are given, all must match.
    """
    contains: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """Text that the body must contain, letter for letter."""
    when: Condition | None = None
    """Expression over `response` (the body as JSON), `headers` (names in lower case) and
    `status`, as "{{ response.error == 'x' }}"; a name that an answer lacks does not match.
    Also tested on answers with status 200.
    """
    action: Literal[
        "fail", "retry", "ignore", "end", "rate_limited", "refresh_auth", "reset_pagination"
    ]
    """fail: stop with an error. retry: try again, as `retry` says. rate_limited: the same,
    and everyone who shares the budget waits. ignore: this request has no rows. end: no rows,
    and the list is complete. refresh_auth: ask once more with a new token, where the auth
    can renew it, else fail. reset_pagination: begin the list anew, once.
    """
    message: Template | None = None
    """What the user is told; may quote `response`. Without it an error shows the status
    alone, and the server's own words only with -v.
    """

    @property
    def statuses(self) -> tuple[int | str, ...]:
        if self.status is None:
            return ()
        return self.status if isinstance(self.status, tuple) else (self.status,)

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if not self.statuses and self.contains is None and self.when is None:
            raise fault("status", "is required; give at least one of status, contains, when")
        return self


class EndpointDefaults(Model):
    """What every endpoint takes unless it says otherwise."""

    base_url: Template | None = None
    """Put before endpoint URLs that begin with `/`, as https://api.example.com/v1."""
    method: str = "GET"
    """HTTP method, in any case. Only GET and HEAD follow redirects."""
    params: dict[str, Value] = {}
    """Query parameters by name. A list repeats the name; a value that renders to null is
    left out. Those of `defaults` and of the endpoint are merged, the endpoint's win.
    """
    headers: dict[str, Template] = {}
    """Request headers by name, merged like `params`. `Host` and those that follow from the
    request cannot be set. Default: `Accept` for the format that is expected.
    """
    body: Body | None = None
    """What is sent in the request's body; default nothing."""
    pagination: Pagination = NonePagination()
    """How the list goes on after the first answer; default none, one request is all."""
    rate_limit: RateLimit | None = None
    """Budget of this endpoint alone, beside the connector's own."""
    response_rows_path: Path | None = None
    """Where the rows are in the body, as `data.items`. Default: the root; a list is the
    rows, an object with exactly one list of objects gives that list, any other object is one
    row. A path that is absent from an answer is an error, null or an empty list are no rows.
    """
    response_format: Format = "json"
    """What the body is written in; gzip and zip files are unpacked whatever this says."""
    csv: Csv = Csv()
    """How a CSV body is written."""
    errors: Many[ErrorRule] = ()
    """What answers mean; the first rule that matches decides. An endpoint's rules replace
    those of `defaults`. Without one: 429 waits, 408, 425 and 5xx but 501 are tried again,
    other 4xx fail.
    """
    retry: Retry = Retry()
    """How often a request is tried again, and how long it waits in between."""
    timeout_seconds: Seconds = 300.0
    """Wall clock for one request from its beginning to the last byte, redirects and token
    requests included. A retry has the same time anew.
    """
    connect_timeout_seconds: Seconds = 10.0
    """For resolving the name, connecting and the TLS handshake, each."""
    read_timeout_seconds: Seconds = 60.0
    """Longest silence while the answer comes."""
    max_response_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = 64 << 20
    """Largest body of one answer, on the wire and unpacked; default 64 MiB. More is an error."""

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
    """Name that streams and `read.primary` use; unique in the connector."""
    url: Template
    """Absolute, or a path below `defaults.baseUrl`. Values are percent-encoded: one can add
    no `/`, `..` or `?`. A URL that begins with a template, as "{{instance_url}}/query",
    takes its origin from it. No query: that is what `params` are for.
    """
    description: Prose = ""
    """What the endpoint gives, for readers of the spec."""
    job: Job | None = None
    """The request creates an export, whose rows are downloaded once it is done."""
    auth: Many[Auth] | None = None
    """Used instead of the connector's `auth`; `[{type: none}]` sends no credentials."""

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
    """Fewest rows the whole table may hold after a load. With fewer the asset check is red;
    the load is not undone.
    """
    not_null: Many[str] = ()
    """Fields that must have a value in every row of the table, by the table's names; one
    that lacks makes the asset check red, the load is not undone.
    """


class Stream(Model):
    """One list of records: one table and one asset."""

    name: StreamName
    """Name of the table and last part of the asset's key; unique in the connector."""
    endpoint: EndpointId | None = None
    """Default: the endpoint of the same name, else `read.primary`."""
    description: Prose = ""
    """Shown with the asset."""
    vars: dict[VariableName, Value] = {}
    """Bound for this stream's templates."""
    primary_key: Many[str] = ()
    """Dotted paths of what identifies a row, by the table's names. Merge writes one row per
    key, the last one wins; a null or absent key is an error.
    """
    write_mode: WriteMode | None = None
    """What a load does to the table: replace it, append to it, merge by `primaryKey`, or keep
    every version of a row with its times (`scd2`). Default: merge with `primaryKey` and
    `incremental`, else replace.
    """
    incremental: Incremental | None = None
    """Reads only what changed since the last run; default: everything, each time."""
    for_each: Many[ForEach] = ()
    """Read once for each item of a list or of a parent's rows; several make a product."""
    on_item_error: Literal["fail", "skip"] = "fail"
    """What an item of `forEach` that cannot be read does: fail the stream, or be skipped and
    reported in the run's notes. A request that the guard refuses always fails.
    """
    expand: OneField | Expand | Many[OneField | Expand] | None = None
    """Path of a list in each row: one row per element, in the list's place; several in turn."""
    where: Condition | None = None
    """Which rows to keep, as "{{ record.status != 'draft' }}"; after `expand`."""
    fields: Fields = Fields()
    """Fields added, removed, renamed, cast, masked."""
    columns: dict[str, str] = {}
    """Declared column types; the rest is inferred."""
    deleted_when: Condition | None = None
    """Which rows say that their key is gone, as "{{ record.deleted }}"; merge deletes those."""
    schema_policy: Literal["evolve", "freeze", "quarantine"] = "evolve"
    """What a new or changed column does: change the table, be an error that names the first row,
    or set the row aside in `<table>__rejected`.
    """
    checks: Checks = Checks()
    """What must hold of the table after each load."""

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
    def mode(self) -> WriteMode:
        """The write mode, spelled out."""
        if self.write_mode:
            return self.write_mode
        return "merge" if self.primary_key and self.incremental else "replace"

    @property
    def parents(self) -> tuple[str, ...]:
        """The streams whose rows this one is read for."""
        return tuple(each.parent.stream for each in self.for_each if each.parent)

    @model_validator(mode="after")
    def _modes_fit(self) -> Self:
        if self.deleted_when is not None and self.mode != "merge":
            raise fault(
                "deletedWhen", "deletes rows of a table that is merged; set writeMode: merge"
            )
        return self

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


class DynamicStream(Stream):
    """Streams that an endpoint lists: one for each of its rows, named once by `discover`.

    `{from: tables, name: "{{record.name}}", endpoint: records, vars: {id: "{{record.id}}"}}`
    """

    from_: EndpointId = Field(alias="from")
    """Id of the endpoint that lists the streams, with its rows path and its pagination."""
    name: Template = Template("{{record.name}}")  # type: ignore[assignment] # a name per record
    """Name of each stream; `record` is the listed row. What a name cannot hold becomes `_`."""
    only: Condition | None = None
    """Which listed rows become streams, as "{{ record.queryable }}"; default all. In `vars` too,
    `record` is the listed row; what they give is kept in the lock file.
    """


class Read(Model):
    """Which lists to read."""

    primary: EndpointId | None = None
    """Id of the endpoint of streams that name none. Without `resourceTypes` and `streams` it
    is the only stream, under its own name.
    """
    resource_types: Many[StreamName] = ()
    """Sugar: one stream of the primary endpoint per name, with `resourceType` bound."""
    streams: Many[Stream] = ()
    """The lists that this connector offers, each one table and one asset."""
    dynamic: Many[DynamicStream] = ()
    """Streams that an endpoint lists, such as the tables of a base; `connector-assets discover`
    writes them into a lock file beside the spec, and only what is there is read.
    """

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
    tags: dict[str, str] = {}
    """Tags of all assets; a connection may add its own."""
    owners: Many[str] = ()
    """Owners of all assets, e-mail addresses or as "team:data"; a connection may name others."""
    config: dict[VariableName, ConfigField] = {}
    """Values that a connection must or may give, by the name templates use: bare, or as
    `config.<name>`. A bare name need not be declared; it is then text, and required unless
    the template has a `default(…)`.
    """
    secrets: dict[VariableName, SecretField] = {}
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
        if not streams and self.read.primary and not self.read.dynamic:
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
