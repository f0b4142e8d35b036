"""Where the credentials of a spec may go."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from connector_assets.errors import BlockedError, ConnectorError
from connector_assets.spec.auth.auth import Auth
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.names.url import origin_of
from connector_assets.spec.request.call import Call
from connector_assets.spec.request.stored import Deferred
from connector_assets.spec.templates.template import Template


def declared_origins(
    spec: ConnectorSpec, endpoint: Endpoint, scope: Mapping[str, Any], call: Call, auth: Auth
) -> frozenset[str]:
    """The origins that credentials may go to: those of the spec, its endpoints and its tokens."""
    origins = {origin_of_call(call, scope), *spec.origins, *auth.origins(scope)}
    for other in spec.endpoints:
        if other.id != endpoint.id and not other.url.source.startswith("/"):
            try:
                origins.add(origin_of(other.url.origin(scope)))
            except ConnectorError:
                continue  # an endpoint whose host has no value yet is not read now
    return frozenset(origins)


def origin_of_call(call: Call, scope: Mapping[str, Any]) -> str:
    """The origin a call goes to; no part of it waits for the request."""
    if isinstance(call.url, Deferred):
        return origin_of(Template(call.url.source).origin(scope))
    return origin_of(call.url)


def spec_origins(spec: ConnectorSpec) -> list[str]:
    """The origins that a spec may send to, as far as its text tells; a template stays one."""
    found = dict.fromkeys(_written(source) for source in _urls(spec))
    return [one for one in found if one]


def _urls(spec: ConnectorSpec) -> Iterator[str]:
    yield from spec.origins
    auths = [spec.auth]
    for one in spec.endpoints:
        auths.append(one.auth or ())
        base = one.base_url or spec.defaults.base_url
        yield base.source if base and one.url.source.startswith("/") else one.url.source
    for auth in (auth for some in auths for auth in some):
        yield from (url.source for url in auth.urls())


def _written(source: str) -> str:
    """The origin in a URL's text: `https://api.example.com`, or `{{instance_url}}`."""
    head = _origin_part(source)
    try:
        return head if "{{" in head else origin_of(head)
    except BlockedError:
        return head


def unpinned(origins: Collection[str], pinned: Collection[str]) -> list[str]:
    """The `origins` that are known and not among `pinned`."""
    return sorted({one for one in origins if "{{" not in one}.difference(pinned))


def refuse_unpinned(origins: Collection[str], pinned: Collection[str] | None, where: str) -> None:
    """Raise BlockedError where a spec may send to another origin than its connection allows."""
    extra = [] if pinned is None else unpinned(origins, pinned)
    if extra:
        raise BlockedError(
            f"the connector may send to {', '.join(extra)}, which the connection does not allow",
            where=where,
            fix="nothing was sent; add it to the connection's origins if its secrets may go there",
        )


def _origin_part(source: str) -> str:
    found = re.match(r"https?://[^/?#]+|\{\{.*?\}\}", source)
    return found[0] if found else ""
