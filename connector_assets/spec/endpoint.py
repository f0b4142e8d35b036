"""Endpoints as frozen models: one request that an API offers, and how it is asked."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from connector_assets.spec.auth.auth import Auth
from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.names.names import EndpointId, Prose, Seconds
from connector_assets.spec.names.paths import Path
from connector_assets.spec.request.body import Body, Value
from connector_assets.spec.request.formats import Csv, Format
from connector_assets.spec.request.job import Job
from connector_assets.spec.request.pagination import NonePagination, Pagination
from connector_assets.spec.stream.fields import Condition
from connector_assets.spec.templates.template import Template, without_expressions

_METHOD = re.compile(r"[A-Za-z]{1,20}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_LINK_LOCAL = re.compile(r"https?://(169\.254\.|\[fe80:|0\.0\.0\.0|\[::\])", re.IGNORECASE)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "REPORT", "SEARCH")
_RESERVED_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}


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
    after: Template | None = None
    """How long to wait, where the server says it elsewhere than in `Retry-After`: a template over
    `response`, `headers` and `status` that gives seconds, a date, an epoch (s or ms) or a span,
    as "{{response.error.retryAfterMs}}ms". Where it gives nothing the header counts.
    """


Validator = Literal["etag", "last_modified"]
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
        "fail",
        "retry",
        "accept",
        "ignore",
        "end",
        "rate_limited",
        "refresh_auth",
        "reset_pagination",
    ]
    """fail: stop with an error. retry: try again, as `retry` says. rate_limited: the same,
    and everyone who shares the budget waits. accept: the answer is good, whatever its status.
    ignore: this answer has no rows, and the list goes on: to the next page, or to the cursor in
    this answer; without one the list ends, not complete. end: no rows, and the list is complete.
    refresh_auth: ask once more with a new token, where the auth
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
    """HTTP method, in any case. GET and HEAD follow redirects, others only a 307 or 308 within
    the origin, which says to send the same there.
    """
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
    omit_empty: bool = False
    """Leaves out what is empty of params, headers, and of the objects in a body: null, an empty
    text, list or object. Without it only null is left out, and that not of a JSON body.
    """
    pagination: Pagination = NonePagination()
    """How the list goes on after the first answer; default none, one request is all."""
    rate_limit: RateLimit | None = None
    """Budget of this endpoint alone, beside the connector's own."""
    response_rows_path: Path | None = None
    """Where the rows are in the body, as `data.items`. Default: the root; a list is the
    rows, an object with exactly one list of objects gives that list, any other object is one
    row. A path that is absent from an answer is an error, null or an empty list are no rows.
    """
    rows_key_as: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Where the rows are the values of an object, as {"BTC": {…}, "ETH": {…}}: the field that each
    row has its key in. Default: an object is one row.
    """
    response_format: Format = "json"
    """What the body is written in; gzip and zip files are unpacked whatever this says. text: each
    line that is not empty is a row, {"value": line}.
    """
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
    min_bytes_per_second: Annotated[float, Field(ge=0, le=1 << 30, allow_inf_nan=False)] = 100.0
    """Slowest that a body may come, over a minute (or `readTimeoutSeconds`, if that is longer);
    slower is an error. 0 allows any drip that the timeouts allow.
    """
    max_response_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = 64 << 20
    """Largest body of one answer, on the wire and unpacked; default 64 MiB. More is an error.
    Over 4 MiB it is kept in temporary files, and only parts of its rows are in memory.
    """

    @field_validator("url", "base_url", check_fields=False)
    @classmethod
    def _origin_is_known(cls, value: Template | None) -> Template | None:
        for name in sorted(value.origin_names) if value else ():
            if name.startswith(("secrets.", "page.")):
                raise ValueError(f'"{name}" must not be in the origin, only in the path')
        return value

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


class Endpoint(EndpointDefaults):
    """One request the API offers."""

    id: EndpointId
    """Name that streams and `read.primary` use; unique in the connector."""
    url: Template
    """Absolute, or a path below `defaults.baseUrl`. Values are percent-encoded: one can add
    no `/`, `..` or `?`; only a literal text in the stream's own `vars` may hold a `/`. A URL that
    begins with a template, as "{{instance_url}}/query", takes its origin from it. A segment of the
    path may hold a secret or the page's place, as "/items/{{page.number}}". No query: that is what
    `params` are for.
    """
    description: Prose = ""
    """What the endpoint gives, for readers of the spec."""
    job: Job | None = None
    """The request creates an export, whose rows are downloaded once it is done."""
    conditional: Validator | None = None
    """Asks for the list only if it changed since the last load, by the `ETag` or the
    `Last-Modified` of the last answer; a 304 then keeps the table as it is. Only where one
    answer held the whole list; without it a 304 is an error.
    """
    auth: Many[Auth] | None = None
    """Used instead of the connector's `auth`; `[{type: none}]` sends no credentials."""

    @field_validator("url")
    @classmethod
    def _absolute_or_path(cls, value: Template) -> Template:
        head = value.source
        if not head or _UNPRINTABLE.search(without_expressions(head)):
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
