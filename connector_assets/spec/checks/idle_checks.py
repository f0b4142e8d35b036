"""Keys that are valid each by itself and do nothing beside another: what is accepted is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.bindings import at, items, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.yaml.yaml_source import Path

_PAIRS = (("totalField", "totalHeader"), ("totalPagesField", "totalPagesHeader"))


def idle_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys of endpoints and streams that have no effect where they stand."""
    defaults = data.get("defaults")
    yield from _of_pagination(("defaults", "pagination"), at(defaults, "pagination"))
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        path: Path = ("endpoints", number)
        pagination = at(endpoint, "pagination")
        yield from _of_pagination((*path, "pagination"), pagination)
        if at(endpoint, "job") is not None:
            where = (*path, "pagination") if pagination is not None else path
            yield from _of_job(where, pagination or at(defaults, "pagination"))
    for kind in ("streams", "dynamic"):
        for number, stream in enumerate(items(at(data, "read", kind))):
            yield from _of_stream(("read", kind, number), stream, at(data, "read", "defaults"))


def _of_pagination(path: Path, pagination: Any) -> Iterator[Finding]:
    kind = text(at(pagination, "type"))
    idle = {**_told_twice(pagination, kind), **_not_sent(pagination, kind)}
    for key, message in idle.items():
        if key and at(pagination, key) is not None:
            yield Finding((*path, key), message, on_key=True)


def _told_twice(pagination: Any, kind: str) -> dict[str, str]:
    """Keys that something else in the pagination makes void."""
    idle = {
        header: f"is not read beside {field}; give one of them"
        for field, header in _PAIRS
        if at(pagination, field) is not None
    }
    if at(pagination, "maxPages") == "unlimited":
        idle["onMaxPages"] = "has no maxPages to speak of; remove it"
    if kind == "none":
        idle |= dict.fromkeys(("maxPages", "onMaxPages"), "is for lists of several pages")
    placed = ("lastRecordField", "cursorParam", "cursorIn")
    if kind == "cursor" and any(at(pagination, key) is not None for key in placed):
        idle["keepParams"] = "is for cursors that are followed as URLs, and this one is sent"
    return idle


def _not_sent(pagination: Any, kind: str) -> dict[str, str]:
    """Keys that say how something is sent which is not."""
    idle: dict[str, str] = {}
    sized = at(pagination, "pageSize") is not None
    if kind == "offset" and not sized:
        idle["limitParam"] = "sends pageSize, which is not given"
    if not sized or (kind != "offset" and at(pagination, "pageSizeParam") is None):
        idle["pageSizeIn"] = "says where a page size goes, and none is sent"
    return idle


def _of_job(path: Path, pagination: Any) -> Iterator[Finding]:
    """The pagination beside a job is that of its download, which is a GET without a body."""
    for key in ("in", "cursorIn", "pageSizeIn"):
        if at(pagination, key) == "body":
            message = "cannot be body: the pagination beside job is that of its download, a GET"
            yield Finding((*path, key) if path[-1] == "pagination" else path, message)


def _of_stream(path: Path, stream: Any, defaults: Any) -> Iterator[Finding]:
    each = at(stream, "forEach") or at(defaults, "forEach")
    # A default is for those of the streams that it fits.
    own = at(defaults, "onItemError") is None and at(stream, "onItemError") is not None
    if own and not each:
        yield Finding((*path, "onItemError"), "is for streams with forEach", on_key=True)
    incremental = at(stream, "incremental")
    sent = at(incremental, "startParam") or at(incremental, "endParam")
    if at(incremental, "in") is not None and not sent:
        message = "says where startParam and endParam go, and there is none"
        yield Finding((*path, "incremental", "in"), message, on_key=True)
    if at(incremental, "order") == "descending" and not at(incremental, "clientFilter"):
        message = "stops at known rows with clientFilter: true only; remove it, or add that"
        yield Finding((*path, "incremental", "order"), message)
