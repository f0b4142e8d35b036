"""Where the credentials of a spec may go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector_assets.errors import ConnectorError
from connector_assets.spec.auth import Auth
from connector_assets.spec.call import Call
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.template import Template
from connector_assets.spec.url import origin_of


def declared_origins(
    spec: ConnectorSpec, endpoint: Endpoint, scope: Mapping[str, Any], call: Call, auth: Auth
) -> frozenset[str]:
    """The origins that credentials may go to: those of the spec, its endpoints and its tokens."""
    origins = {origin_of(call.url), *spec.origins, *auth.origins(scope)}
    for other in spec.endpoints:
        head = _origin_part(other.url.source)
        if other.id != endpoint.id and head:
            try:
                origins.add(origin_of(Template(head).url(scope)))
            except ConnectorError:
                continue  # an endpoint whose host has no value yet is not read now
    return frozenset(origins)


def _origin_part(source: str) -> str:
    found = re.match(r"https?://[^/?#]+|\{\{.*?\}\}", source)
    return found[0] if found else ""
