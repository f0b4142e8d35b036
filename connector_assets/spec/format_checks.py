"""Parts of an endpoint that its response format makes meaningless, or needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.bindings import at, items, text
from connector_assets.spec.faults import Finding
from connector_assets.spec.yaml_source import Path

_IN_BODY = ("cursorField", "hasMoreField", "urlField", "totalField", "totalPagesField")
_WITHOUT_FIELDS = ("jsonl", "csv")


def format_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """A body of lines has no place for a cursor, and rows of XML are never at the root."""
    defaults = data.get("defaults")
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        path: Path = ("endpoints", number)
        kind = text(at(endpoint, "responseFormat")) or text(at(defaults, "responseFormat"))
        if kind != "csv" and at(endpoint, "csv") is not None:
            yield Finding((*path, "csv"), "is for responseFormat: csv", on_key=True)
        if kind in _WITHOUT_FIELDS:
            yield from _fields_of_lines(path, endpoint, defaults, kind)
        rows = at(endpoint, "responseRowsPath") or at(defaults, "responseRowsPath")
        if kind == "xml" and rows is None:
            yield Finding((*path, "responseRowsPath"), "is required with responseFormat: xml")


def _fields_of_lines(path: Path, endpoint: Any, defaults: Any, kind: str) -> Iterator[Finding]:
    if at(endpoint, "responseRowsPath") is not None:
        message = f"is for json and xml; in {kind} every line is a row"
        yield Finding((*path, "responseRowsPath"), message, on_key=True)
    for where, part in ((path, endpoint), (("defaults",), defaults)):
        pagination = at(part, "pagination")
        if pagination is not None:
            for key in _IN_BODY:
                if at(pagination, key) is not None:
                    message = f"cannot be read: {kind} has rows only; use a header"
                    yield Finding((*where, "pagination", key), message, on_key=True)
            return
