"""Where `conditional` means nothing: what it remembers is one answer to one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.bindings import at, items, keys, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.yaml.yaml_source import Path

_HEADERS = ("if-none-match", "if-modified-since")
_MOVING = ("window", "endParam")


def conditional_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Endpoints and streams that ask for something else each time, or for several things."""
    defaults, read = data.get("defaults"), data.get("read")
    conditional: dict[str, bool] = {}
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        conditional[text(at(endpoint, "id"))] = at(endpoint, "conditional") is not None
        if at(endpoint, "conditional") is not None:
            yield from _of_endpoint(("endpoints", number), endpoint, defaults)
    for key in ("streams", "dynamic"):
        for number, stream in enumerate(items(at(read, key))):
            name = text(at(stream, "name"))
            own = name if name in conditional else text(at(read, "primary"))
            if conditional.get(text(at(stream, "endpoint")) or own):
                yield from _of_stream(("read", key, number), stream)


def _of_endpoint(path: Path, endpoint: Any, defaults: Any) -> Iterator[Finding]:
    method = text(at(endpoint, "method")) or text(at(defaults, "method")) or "GET"
    if method.upper() != "GET":
        yield Finding((*path, "conditional"), f"is for GET; a {method.upper()} always acts", True)
    if at(endpoint, "job") is not None:
        yield Finding((*path, "conditional"), "is not for an export, which is made anew", True)
    for where, part in ((path, endpoint), (("defaults",), defaults)):
        for name in keys(at(part, "headers")):
            if name.lower() in _HEADERS:
                message = "is set by conditional; remove it"
                yield Finding((*where, "headers", name), message, on_key=True)


def _of_stream(path: Path, stream: Any) -> Iterator[Finding]:
    if at(stream, "forEach"):
        message = "makes many requests, and the endpoint's conditional remembers one"
        yield Finding((*path, "forEach"), message, on_key=True)
    for name in _MOVING:
        if at(stream, "incremental", name) is not None:
            message = "asks for another time in each run, so conditional never applies; remove one"
            yield Finding((*path, "incremental", name), message, on_key=True)
