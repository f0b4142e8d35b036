"""Parts of an endpoint that its response format makes meaningless, or needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.bindings import at, items, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.checks.placed_checks import endpoint_read_by
from connector_assets.spec.request.formats import OF_LINES
from connector_assets.spec.request.pagination import member_of
from connector_assets.spec.yaml.yaml_source import Path


def format_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """A body of lines has no place for a cursor, and rows of XML are never at the root."""
    defaults = data.get("defaults")
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        path: Path = ("endpoints", number)
        kind = text(at(endpoint, "responseFormat")) or text(at(defaults, "responseFormat"))
        if kind != "csv" and at(endpoint, "csv") is not None:
            yield Finding((*path, "csv"), "is for responseFormat: csv", on_key=True)
        if kind in OF_LINES:
            yield from _fields_of_lines(path, endpoint, defaults, kind)
        if kind not in ("", "json") and at(endpoint, "rowsKeyAs") is not None:
            yield Finding((*path, "rowsKeyAs"), "is for responseFormat: json", on_key=True)
        rows = at(endpoint, "responseRowsPath") or at(defaults, "responseRowsPath")
        if kind == "xml" and rows is None:
            yield Finding((*path, "responseRowsPath"), "is required with responseFormat: xml")
    yield from _tokens_of_lines(data)


def _tokens_of_lines(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Tokens of answers that have rows only: no run would ever find one."""
    endpoints = {text(at(one, "id")): one for one in items(data.get("endpoints"))}
    for kind in ("streams", "dynamic"):
        for number, stream in enumerate(items(at(data, "read", kind))):
            endpoint = endpoints.get(endpoint_read_by(stream, endpoints, data))
            shape = text(at(endpoint, "responseFormat"))
            shape = shape or text(at(data, "defaults", "responseFormat"))
            if shape in OF_LINES and at(stream, "incremental", "tokenField") is not None:
                path: Path = ("read", kind, number, "incremental", "tokenField")
                yield Finding(path, f"cannot be read: {shape} has rows only", on_key=True)


def _fields_of_lines(path: Path, endpoint: Any, defaults: Any, kind: str) -> Iterator[Finding]:
    if at(endpoint, "responseRowsPath") is not None:
        message = f"is for json and xml; in {kind} every line is a row"
        yield Finding((*path, "responseRowsPath"), message, on_key=True)
    for where, part in ((path, endpoint), (("defaults",), defaults)):
        pagination = at(part, "pagination")
        if pagination is not None:
            member = member_of(pagination)
            for key in member.body_keys if member else ():
                if at(pagination, key) is not None:
                    message = f"cannot be read: {kind} has rows only; use a header"
                    yield Finding((*where, "pagination", key), message, on_key=True)
            return
