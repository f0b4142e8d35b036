"""A request of the runtime's as it is kept."""

from __future__ import annotations

from urllib.parse import parse_qsl

from connector_assets.authoring.recording.kept_requests import KeptRequest, Mask
from connector_assets.authoring.simulator.wire import ApiRequest
from connector_assets.runtime.http.request import Request
from connector_assets.spec.endpoint import Endpoint


def kept_request(endpoint: Endpoint, request: Request, mask: Mask) -> KeptRequest:
    """What of a request of `endpoint` decides its answer, secrets masked; NoText as KeptBody."""
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers
    }
    query = tuple(parse_qsl(request.query or "", keep_blank_values=True))
    sent = ApiRequest(request.method, request.resource.path, query, headers, request.content)
    origin = f"{request.resource.origin.scheme}://{request.resource.authority}"
    return KeptRequest.of(sent, origin, endpoint.headers, mask)
