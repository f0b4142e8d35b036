"""The lists that a read goes through, counted without a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connector_assets.reading.connector import Lists, ReadContext
from connector_assets.reading.tasks import Tasks, values_of
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint, RateLimit
from connector_assets.spec.request.paginates import Counts
from connector_assets.spec.request.pagination import NonePagination
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.templated import rendered

_OF_AN_EXPORT = 2
"""An export is created, and asked for at least once, before it is downloaded."""


def limits_of(spec: ConnectorSpec, stream: Stream, pagination: Any = None) -> Lists:
    """How one list of `stream` may be asked for, in the limits of its endpoint.

    Of the connection's limit and the endpoint's own the tighter one counts. `pagination` is the
    endpoint's, once its templates are rendered.
    """
    endpoint = spec.endpoint_of(stream)
    pagination = pagination or endpoint.pagination
    limit = _tightest(spec, endpoint)
    return Lists(
        1,
        is_one_answer=isinstance(pagination, NonePagination),
        is_counted=isinstance(pagination, Counts),
        page_size=pagination.rows_a_page,
        at_once=(endpoint.rate_limit or spec.rate_limit or RateLimit()).concurrency,
        per_second=limit.requests_per_second,
        burst=limit.burst_size,
        extra=_OF_AN_EXPORT if endpoint.job else 0,
        may_be_more=endpoint.job is not None,
    )


def lists_of(
    spec: ConnectorSpec, runtime: HttpRuntime, ctx: ReadContext[Any], tasks: Tasks
) -> Lists:
    """What a read goes through from where `ctx` says."""
    scope = runtime.scope(spec, ctx.stream, values_of(ctx))
    pagination: Any = rendered(spec.endpoint_of(ctx.stream).pagination, scope, "pagination")
    count = sum(1 for _ in tasks.slices())
    limits = limits_of(spec, ctx.stream, pagination)
    return replace(limits, count=count, goes_on=_goes_on(ctx.cursor))


def _goes_on(cursor: Mapping[str, Any] | None) -> bool:
    entries = [one for one in (cursor or {}).values() if isinstance(one, Mapping)]
    return any({"value", "token"} & one.keys() for one in entries)


def _tightest(spec: ConnectorSpec, endpoint: Endpoint) -> RateLimit:
    limits = [one for one in (spec.rate_limit, endpoint.rate_limit) if one]
    said = [one for one in limits if one.requests_per_second]
    return min(said, key=lambda one: one.requests_per_second or 0.0, default=RateLimit())
