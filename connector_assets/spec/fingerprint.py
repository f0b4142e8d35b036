"""A digest of what decides a stream's rows: it changes when they may, and not when they cannot."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from pydantic import BaseModel

from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.template import Template

# How often and how patiently the rows are asked for changes none of them.
_NO_ROWS = {
    "description",
    "docs_url",
    "tags",
    "rate_limit",
    "retry",
    "max_pages",
    "on_max_pages",
    "timeout_seconds",
    "connect_timeout_seconds",
    "read_timeout_seconds",
    "min_bytes_per_second",
    "checks",
    "conditional",
    "id",
}
_HEX_DIGITS = 32


def fingerprint(spec: ConnectorSpec, stream: Stream) -> str:
    """32 hexadecimal digits of SHA-256 over the stream, its endpoint, auth and declared config.

    Names, prose, tags and limits are left out: they change no row.
    """
    return Fingerprints(spec).of(stream)


class Fingerprints:
    """The digests of one connector's streams; what several of them share is written out once."""

    def __init__(self, spec: ConnectorSpec) -> None:
        self._spec = spec
        config = {name: [field.type, field.default] for name, field in spec.config.items()}
        self._shared = {
            "version": _text(spec.version),
            "auth": _text([auth.type for auth in spec.auth]),
            "config": _text(config),
        }
        self._endpoints: dict[str, str] = {}

    def of(self, stream: Stream) -> str:
        """The digest of `stream`."""
        parts = {**self._shared, "stream": _text(stream), "endpoint": self._endpoint(stream)}
        if stream.initial is not None:
            parts["initial"] = self._endpoint(stream.at_first)
        text = ",".join(f'"{name}":{parts[name]}' for name in sorted(parts))
        digest = hashlib.sha256(f"{{{text}}}".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:_HEX_DIGITS]

    def _endpoint(self, stream: Stream) -> str:
        endpoint = self._spec.endpoint_of(stream)
        if endpoint.id not in self._endpoints:
            self._endpoints[endpoint.id] = _text(endpoint)
        return self._endpoints[endpoint.id]


def _text(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Template):
        return value.source
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@cache
def _names(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if name not in _NO_ROWS]
