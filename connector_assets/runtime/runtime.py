"""The HTTP runtime: connector specs become pages and rows."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.redact import Secrets
from connector_assets.runtime.budget import Budget, budget_for
from connector_assets.runtime.client import Client
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.conditional import Conditional
from connector_assets.runtime.guard import Guard, Resolve
from connector_assets.runtime.job import capped
from connector_assets.runtime.origins import declared_origins
from connector_assets.runtime.page import Page
from connector_assets.runtime.paginate import Step, Told, restarting, walk
from connector_assets.runtime.records import transform_of
from connector_assets.runtime.render import first_call, request_of
from connector_assets.runtime.session import Session
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.tokens import token_store
from connector_assets.runtime.wording import place_of
from connector_assets.spec.auth import AuthContext, choose
from connector_assets.spec.call import Call
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint, RateLimit
from connector_assets.spec.stream import Stream
from connector_assets.spec.template import CLOCK, Template
from connector_assets.spec.values import config_values


@dataclass(frozen=True)
class Values:
    """What a connection brings to a spec; `id` names its budget and its tokens."""

    id: str
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    vars: Mapping[str, Any] = field(default_factory=dict)
    auth: str | int | None = None


@dataclass(frozen=True)
class EndpointResult:
    """What `execute_endpoint` gives: rows as they come, and the counters that fill meanwhile."""

    rows: Iterable[dict[str, Any]]
    stats: Stats


class HttpRuntime:
    """Executes the endpoints of connector specs; one per process is enough, threads may share it.

    `allow_private` opens hosts the guard would refuse: `HOST`, `HOST:PORT` or a CIDR, as
    `127.0.0.1:8001`. `resolver(host)` replaces DNS and `transport` the sockets, both for tests.
    `state` is where tokens and rate budgets are shared: a folder, `redis://…` or `postgresql://…`;
    None keeps them in this process. `verbose` lets errors quote the server's own words.
    `max_attempts` tries a request fewer times than its spec says.

    >>> with HttpRuntime() as runtime:
    ...     result = runtime.execute_endpoint(spec, "query", params={"soql": "…"}, secrets={…})
    ...     for row in result.rows: ...
    """

    def __init__(
        self,
        allow_private: Sequence[str] = (),
        resolver: Resolve | None = None,
        transport: httpx.BaseTransport | None = None,
        *,
        clock: Clock | None = None,
        state: str | None = None,
        verbose: bool = False,
        max_attempts: int | None = None,
    ) -> None:
        self.allow_private = tuple(allow_private)
        self.max_attempts = max_attempts
        self.clock = clock or Clock()
        self.state = state
        self.verbose = verbose
        self._resolver, self._transport = resolver, transport

    def execute_endpoint(
        self,
        spec: ConnectorSpec,
        endpoint_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
    ) -> EndpointResult:
        """Every row of one endpoint, page by page as they are asked for.

        Raises ConfigError for an unknown endpoint or a missing value at once, every other
        ConnectorError while the rows are read.
        """
        stats = Stats()
        endpoint = find_endpoint(spec, endpoint_id)
        values = Values(spec.id, dict(params or {}), Secrets(secrets))
        session, call = self._begin(
            spec, endpoint, None, values, stats, cancel=cancel or threading.Event()
        )
        steps = self._walk(session, call)
        return EndpointResult((row for step in steps for row in step.page.records()), stats)

    def steps(
        self,
        spec: ConnectorSpec,
        stream: Stream,
        values: Values,
        *,
        stats: Stats,
        start: Call | None = None,
        bindings: Mapping[str, Any] | None = None,
        adjust: Callable[[Call], Call] | None = None,
        max_pages: int | None = None,
        truncate: bool = False,
        may_restart: bool = False,
        prompt: bool = False,
        conditional: Conditional | None = None,
        cancel: threading.Event | None = None,
        on_request: Callable[[str], None] | None = None,
    ) -> Iterator[Step]:
        """The pages of `stream`, each with the call that follows it; `start` resumes there.

        `bindings` are further names for templates, `adjust` changes the first call. `may_restart`
        says that the caller heeds `Step.restarted`, `conditional` that it heeds `Page.unchanged`,
        `prompt` that it does not keep a page waiting: the next request may be under way meanwhile.
        """
        endpoint = spec.endpoint_of(stream)
        session, call = self._begin(
            spec,
            endpoint,
            stream,
            values,
            stats,
            cancel=cancel or threading.Event(),
            on_request=on_request,
            bindings=bindings or {},
        )
        call = adjust(call) if adjust else call
        if conditional:
            session = replace(session, conditional=conditional.headers(call))
        return self._walk(
            session,
            start or call,
            first=call,
            may_restart=may_restart,
            prompt=prompt,
            max_pages=max_pages,
            truncate=truncate,
        )

    def pages(self, spec: ConnectorSpec, stream: str, **given: Any) -> Iterator[Page]:
        """The pages of the stream called `stream`; takes `params`, `secrets` and `cancel`."""
        values = Values(spec.id, dict(given.pop("params", {})), Secrets(given.pop("secrets", None)))
        for step in self.steps(spec, spec.stream(stream), values, stats=Stats(), **given):
            yield step.page

    def rows(self, spec: ConnectorSpec, stream: str, **given: Any) -> Iterator[dict[str, Any]]:
        """The rows of the stream called `stream`, with what it computes of them."""
        transform = transform_of(spec.stream(stream))
        values = Values(spec.id, given.get("params", {}), Secrets(given.get("secrets")))
        for page in self.pages(spec, stream, **given):
            lines = page.ndjson()
            if transform:
                lines, _ = transform(lines, self.scope(spec, spec.stream(stream), values))
            yield from map(msgspec.json.decode, lines.splitlines())

    def scope(self, spec: ConnectorSpec, stream: Stream, values: Values) -> dict[str, Any]:
        """What the templates of `stream` may name; see `scope_of`."""
        return scope_of(spec, stream, values, self.clock)

    def concurrency(self, spec: ConnectorSpec, stream: Stream) -> int:
        """How many requests of `stream` may be under way at once."""
        return _concurrency(spec, spec.endpoint_of(stream))

    def close(self) -> None:
        """Close the pooled connections; the runtime opens new ones if it is used again."""
        client = self.__dict__.pop("_client", None)
        if client:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def _guard(self) -> Guard:
        return Guard(self.allow_private, self._resolver)

    @cached_property
    def _client(self) -> Client:
        return Client(guard=self._guard, transport=self._transport, clock=self.clock)

    def _begin(
        self,
        spec: ConnectorSpec,
        endpoint: Endpoint,
        stream: Stream | None,
        values: Values,
        stats: Stats,
        *,
        cancel: threading.Event,
        on_request: Callable[[str], None] | None = None,
        bindings: Mapping[str, Any] | None = None,
    ) -> tuple[Session, Call]:
        scope = {**scope_of(spec, stream, values, self.clock), **(bindings or {})}
        try:
            call = first_call(endpoint, scope)
            auth = choose(endpoint.auth or spec.auth, values.auth, values.secrets)
            origins = declared_origins(spec, endpoint, scope, call, auth)
        except ConnectorError as error:
            raise error.at(f"endpoint {endpoint.id}").masked(values.secrets.mask) from None
        session = Session(
            client=self._client,
            endpoint=endpoint,
            scope=scope,
            secrets=values.secrets,
            auth=auth.flow(self._auth_context(values, scope, cancel)),
            origins=origins,
            budgets=self._budgets(spec, endpoint, values.id),
            concurrency=_concurrency(spec, endpoint),
            clock=self.clock,
            cancel=cancel,
            stats=stats,
            secret_names=sorted(auth.way(values.secrets) or auth.required_secrets()),
            scopes=getattr(auth, "scopes", ()),
            on_request=on_request,
            verbose=self.verbose,
            max_attempts=self.max_attempts,
            quotas=_quotas(spec, endpoint),
        )
        return session, call

    def _walk(
        self,
        session: Session,
        start: Call,
        *,
        first: Call | None = None,
        may_restart: bool = False,
        prompt: bool = False,
        max_pages: int | None = None,
        truncate: bool = False,
    ) -> Iterator[Step]:
        pagination = session.endpoint.pagination
        cap = None if pagination.max_pages == "unlimited" else pagination.max_pages
        if max_pages is not None:
            cap, truncate = max_pages, True
        elif pagination.on_max_pages:
            truncate = pagination.on_max_pages == "truncate"
        begin = partial(
            walk,
            pagination,
            fetch=session.fetch,
            ahead=session.ahead,
            begin=session.begin if prompt else None,
            max_pages=cap,
            truncate=truncate,
            width=1 if truncate else session.concurrency,
        )
        if session.endpoint.job:
            steps = capped(session.exported(start, first or start), max_pages)
        else:
            steps = restarting(begin, start, first or start, may_restart=may_restart)
        told = Told(pagination, start)
        try:
            for step in steps:
                if step.restarted:
                    session.stats.note("the server had the list begun anew")
                session.stats.truncated |= step.truncated
                session.stats.add(pages=not step.partial, rows=step.page.count)
                if note := told.after(step):
                    session.stats.note(note)
                yield step
        except ConnectorError as error:
            raise error.at(place_of(start)).masked(session.secrets.mask) from None

    def _auth_context(
        self, values: Values, scope: Mapping[str, Any], cancel: threading.Event
    ) -> AuthContext:
        return AuthContext(
            connection=values.id,
            secrets=values.secrets,
            scope=scope,
            tokens=token_store(self.state),
            clock=self.clock.time,
            cancel=cancel,
            learn=values.secrets.learn,
            plain_http=lambda url: self._guard.trusts(url.host, url.port or 80),
            request=lambda login: request_of(first_call(login, scope), scope).to_httpx(),
        )

    def _budgets(self, spec: ConnectorSpec, endpoint: Endpoint, key: str) -> list[Budget]:
        """The connection's budget, which also keeps everyone waiting, and the endpoint's own."""
        shared = partial(budget_for, clock=self.clock, store=self.state)
        budgets = [shared(key, spec.rate_limit)]
        if endpoint.rate_limit is not None:
            budgets.append(shared(f"{key}/{endpoint.id}", endpoint.rate_limit, beside=True))
        return budgets


def _concurrency(spec: ConnectorSpec, endpoint: Endpoint) -> int:
    return (endpoint.rate_limit or spec.rate_limit or RateLimit()).concurrency


def _quotas(spec: ConnectorSpec, endpoint: Endpoint) -> tuple[RateLimit, ...]:
    """The rate limits that name headers of the vendor's."""
    limits = (limit for limit in (endpoint.rate_limit, spec.rate_limit) if limit)
    return tuple(one for one in limits if one.remaining_header or one.reset_header)


def find_endpoint(spec: ConnectorSpec, endpoint_id: str) -> Endpoint:
    """The endpoint with the spec's defaults under it; ConfigError lists those there are."""
    try:
        return spec.endpoint(endpoint_id)
    except KeyError:
        known = ", ".join(endpoint.id for endpoint in spec.endpoints)
        raise ConfigError(
            f'"{endpoint_id}" is not an endpoint', where=spec.id, fix=f"use one of {known}"
        ) from None


def scope_of(
    spec: ConnectorSpec, stream: Stream | None, values: Values, clock: Clock
) -> dict[str, Any]:
    """What templates may name: config and vars bare, `config.x`, `secrets.x`, `stream`.

    A bare name never finds a secret. Vars win over config, a connection's over the spec's.
    """
    scope: dict[str, Any] = {
        CLOCK: lambda: dt.datetime.fromtimestamp(clock.time(), dt.UTC),
        "secrets": values.secrets,
    }
    own = stream.vars if stream else {}
    if stream is not None:
        # A connection's config may name the stream's literal vars, as {{resourceType}}.
        scope |= {n: v.source for n, v in own.items() if isinstance(v, Template) and v.is_literal}
        scope["stream"] = stream.name
    given = {name: _rendered(value, scope) for name, value in values.params.items()}
    try:
        config = config_values(spec, given)
    except ValueError as error:
        raise ConfigError(str(error), where=f"{values.id}: config") from None
    scope = {**config, **scope, "config": config}
    for bound in (own, values.vars):
        scope.update({name: _rendered(value, scope) for name, value in bound.items()})
    return scope


def _rendered(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, tuple):
        return [_rendered(item, scope) for item in value]
    return value.value(scope) if isinstance(value, Template) else value
