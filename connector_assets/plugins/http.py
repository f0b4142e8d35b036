"""Where a plugin sends its requests, in the words of a spec: so they go the same guarded way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connector_assets.errors import Fault, SpecError
from connector_assets.reading.connector import ReadContext
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import parse_connector
from connector_assets.spec.stream.stream import Stream

_ENDPOINT = "http"
_KEYS = ("auth", "config", "defaults", "origins", "rateLimit", "secrets")


def http_spec(connector_id: str, display_name: str, http: Mapping[str, Any]) -> ConnectorSpec:
    """The spec of one endpoint, which the plugin's requests are variations of.

    `http` is what a spec says at its top: `auth`, `rateLimit`, `origins`, and `defaults` with
    `baseUrl`. Raises SpecError.
    """
    source = f"plugin {connector_id}"
    if not isinstance(http, Mapping):
        raise SpecError([Fault("http", "must be an object, as a spec has it")], source=source)
    faults = [
        Fault(f"http.{key}", f"is not known; use one of {', '.join(_KEYS)}")
        for key in http
        if key not in _KEYS
    ]
    defaults = http.get("defaults")
    if not (isinstance(defaults, Mapping) and defaults.get("baseUrl")):
        faults.append(Fault("http.defaults.baseUrl", "is required: where requests go"))
    if faults:
        raise SpecError(faults, source=source)
    document = {
        "kind": "connector",
        "version": "1.0",
        "id": connector_id,
        "displayName": display_name,
        **http,
        "endpoints": [{"id": _ENDPOINT, "url": "/"}],
        "read": {"primary": _ENDPOINT},
    }
    try:
        return parse_connector(json.dumps(document, default=str))
    except SpecError as error:
        faults = [Fault(f"http.{one.path}", one.message) for one in error.faults]
        raise SpecError(faults, source=source) from None


def as_asked(ctx: ReadContext[Any]) -> Stream:
    """The stream as one of that spec."""
    return ctx.stream.model_copy(update={"endpoint": _ENDPOINT, "initial": None})
