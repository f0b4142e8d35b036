"""The HTTP runtime: connector specs become pages and rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Self

import httpx
import msgspec

from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.redact import Secrets
from connector_assets.runtime.answers.patience import Patience
from connector_assets.runtime.answers.refusal import Refusal
from connector_assets.runtime.answers.renewal import Renewal
from connector_assets.runtime.body.mended import AS_JSON_HAS_IT, mending_of, set_aside
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.by_hand import (
    PaginatedByHand,
    SignedByHand,
    StreamHttp,
    blamed,
)
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.guard.guard import Guard, Resolve
from connector_assets.runtime.guard.origins import declared_origins, refuse_unpinned
from connector_assets.runtime.http.client import Client
from connector_assets.runtime.http.network import Network
from connector_assets.runtime.http.render import first_call, request_of
from connector_assets.runtime.list_walk import Walk, steps_of
from connector_assets.runtime.rows.records import transform_of
from connector_assets.runtime.session import Observe, Session, limits_of
from connector_assets.runtime.shared.budget import Budget, budget_for
from connector_assets.runtime.shared.tokens import token_store
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.values import Values, scope_of
from connector_assets.runtime.walk.paginate import Step
from connector_assets.spec.auth.auth import Auth, AuthContext, choose
from connector_assets.spec.auth.credentials import Flow
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint, RateLimit
from connector_assets.spec.request.call import Call
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.templated import rendered


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
    `max_attempts` tries a request fewer times than its spec says. `network` says how requests leave
    (proxy, certificates) where a connection does not; a `transport` knows nothing of it.
    `observe(endpoint, request, answer)` is told each exchange as it was, with its secrets, but none
    that asks for a token.

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
        network: Network | None = None,
        observe: Observe | None = None,
    ) -> None:
        self.allow_private = tuple(allow_private)
        self.observe = observe
        self.max_attempts = max_attempts
        self.clock = clock or Clock()
        self.state = state
        self.verbose = verbose
        self.network = network or Network()
        self._resolver, self._transport = resolver, transport
        self._clients: dict[Network, Client] = {}
        self._making = threading.Lock()

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
        steps = steps_of(session, call, Walk(), _concurrency(spec, endpoint))
        return EndpointResult((row for step in steps for row in step.page.records()), stats)

    def steps(
        self,
        spec: ConnectorSpec,
        stream: Stream,
        values: Values,
        *,
        stats: Stats,
        how: Walk | None = None,
        cancel: threading.Event | None = None,
        on_request: Callable[[str], None] | None = None,
    ) -> Iterator[Step]:
        """The pages of `stream`, each with the call that follows it, gone through as `how` says.

        `stats` are counted meanwhile, and `on_request` is told each request's line.
        """
        how, endpoint = how or Walk(), spec.endpoint_of(stream)
        session, call = self._begin(
            spec,
            endpoint,
            stream,
            values,
            stats,
            cancel=cancel or threading.Event(),
            on_request=on_request,
            bindings=how.bindings,
        )
        anew = call
        call = how.adjust(call) if how.adjust else call
        if how.may_be_gone:
            anew = first_call(session.endpoint, {**session.scope, "cursor": None})
            how = replace(how, start=how.start or call)
        if how.conditional:
            session = replace(session, conditional=how.conditional.headers(call))
        first = anew if how.may_be_gone else call
        return steps_of(session, first, how, _concurrency(spec, endpoint))

    def unsent(
        self, spec: ConnectorSpec, stream: Stream, values: Values, how: Walk, stats: Stats
    ) -> list[str]:
        """The first request of `stream` as lines, masked; nothing is sent.

        Its auth is told by name, with the URLs it would ask first.
        """
        endpoint = spec.endpoint_of(stream)
        session, call = self._begin(
            spec,
            endpoint,
            stream,
            values,
            stats,
            cancel=threading.Event(),
            bindings=how.bindings,
        )
        call = session.endpoint.pagination.first(how.adjust(call) if how.adjust else call)
        auth = choose(endpoint.auth or spec.auth, values.auth, values.secrets)
        first = [f", which first asks {url.text(session.scope)}" for url in auth.urls()]
        told = [f"  auth: {auth.type}{''.join(first)}"] if auth.type != "none" else []
        return [values.secrets.mask(line) for line in (*session.unsent(call), *told)]

    def http(
        self,
        spec: ConnectorSpec,
        stream: Stream,
        values: Values,
        *,
        stats: Stats,
        cancel: threading.Event,
        on_request: Callable[[str], None] | None = None,
    ) -> StreamHttp:
        """Return what sends requests of `stream` for Python that the connection names."""
        endpoint = spec.endpoint_of(stream)
        session, call = self._begin(
            spec, endpoint, stream, values, stats, cancel=cancel, on_request=on_request
        )
        return StreamHttp(session, call)

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
            lines = b"".join(kept for kept, _, _ in set_aside(page.ndjson(), page.count))
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
        with self._making:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _guard(self) -> Guard:
        return Guard(self.allow_private, self._resolver)

    def _client(self, network: Network) -> Client:
        """The client of a network, whose connections are kept for its next request."""
        with self._making:
            if network not in self._clients:
                self._clients[network] = Client(
                    guard=self._guard,
                    transport=self._transport,
                    clock=self.clock,
                    network=network,
                )
            return self._clients[network]

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
            endpoint = _paginated(endpoint, scope, values)
            call = first_call(endpoint, scope)
            auth = choose(endpoint.auth or spec.auth, values.auth, values.secrets)
            origins = declared_origins(spec, endpoint, scope, call, auth)
            refuse_unpinned(origins, values.origins, values.id)
        except ConnectorError as error:
            raise error.at(f"endpoint {endpoint.id}").masked(values.secrets.mask) from None
        flow = _flow(auth, values, self._auth_context(values, scope, cancel))
        session = Session(
            client=self._client(values.network or self.network),
            endpoint=endpoint,
            scope=scope,
            secrets=values.secrets,
            origins=origins,
            limits=limits_of(endpoint),
            patience=self._patience(spec, endpoint, values, stats, cancel=cancel),
            renewal=Renewal(flow, stats),
            refusal=self._refusal(auth, values),
            cancel=cancel,
            stats=stats,
            on_request=on_request,
            max_attempts=self.max_attempts,
            label=f"{values.id}.{stream.name}" if stream else f"{values.id}: {endpoint.id}",
            mending=mending_of(stream) if stream else AS_JSON_HAS_IT,
            observe=self.observe,
        )
        return session, call

    def _patience(
        self,
        spec: ConnectorSpec,
        endpoint: Endpoint,
        values: Values,
        stats: Stats,
        *,
        cancel: threading.Event,
    ) -> Patience:
        return Patience(
            policy=endpoint.retry,
            quotas=_quotas(spec, endpoint),
            budgets=self._budgets(spec, endpoint, values.id),
            clock=self.clock,
            cancel=cancel,
            stats=stats,
        )

    def _refusal(self, auth: Auth, values: Values) -> Refusal:
        return Refusal(
            mask=values.secrets.mask,
            secret_names=sorted(auth.way(values.secrets) or auth.required_secrets()),
            scopes=auth.asks(),
            verbose=self.verbose,
        )

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
            budgets.append(shared(f"{key}/{endpoint.id}", endpoint.rate_limit, is_second=True))
        return budgets


def _paginated(endpoint: Endpoint, scope: Mapping[str, Any], values: Values) -> Endpoint:
    """The endpoint with its pagination's templates rendered, or with the pagination by hand."""
    pagination: Any = rendered(endpoint.pagination, scope, "pagination")
    if pages := values.by_hand.pagination:
        pagination = PaginatedByHand(pages, pagination.max_pages, pagination.on_max_pages)
    if pagination is endpoint.pagination:
        return endpoint
    return endpoint.model_copy(update={"pagination": pagination})


def _flow(auth: Auth, values: Values, context: AuthContext) -> Flow | None:
    """What writes the credentials: Python of the operator's, else the auth of the spec."""
    if sign := values.by_hand.auth:
        with blamed("auth", values.secrets.mask):
            return SignedByHand(sign(context))
    return auth.flow(context)


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
