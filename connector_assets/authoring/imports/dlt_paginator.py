"""dlt's paginators by name → ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connector_assets.authoring.imports.spec_parts import less

Made = tuple[dict[str, Any], str]
"""A pagination, and a question about it or an empty text."""


def pagination_of(said: Any, params: dict[str, Any]) -> Made:
    """What a `paginator` says; a size that stands in `params` moves into the pagination."""
    if said is None or said == "auto":
        question = "dlt finds the pagination out while it runs; say how this list goes on"
        return {"type": "none"}, question
    given = {"type": said} if isinstance(said, str) else said
    if not isinstance(given, Mapping) or str(given.get("type")) not in _PAGINATORS:
        kind = given.get("type", "a paginator") if isinstance(given, Mapping) else "a paginator"
        return {"type": "none"}, f"{kind} is Python; say how this list goes on"
    made, question = _PAGINATORS[str(given["type"])](given, params)
    return less(made) | {"maxPages": "unlimited"} if made["type"] != "none" else made, question


def _single(_: Mapping[str, Any], __: dict[str, Any]) -> Made:
    return {"type": "none"}, ""


def _json_link(said: Mapping[str, Any], _: dict[str, Any]) -> Made:
    return {"type": "next_url", "urlField": _path(said.get("next_url_path", "next"))}, ""


def _header_link(said: Mapping[str, Any], _: dict[str, Any]) -> Made:
    rel = said.get("links_next_key", "next")
    return {"type": "link_header", "rel": None if rel == "next" else rel}, ""


def _cursor(said: Mapping[str, Any], _: dict[str, Any]) -> Made:
    made = {"type": "cursor", "cursorField": _path(said.get("cursor_path", "cursors.next"))}
    return made | _sent_cursor(said), ""


def _header_cursor(said: Mapping[str, Any], _: dict[str, Any]) -> Made:
    made = {"type": "cursor", "cursorHeader": said.get("cursor_key", "next")}
    return made | _sent_cursor(said), ""


def _sent_cursor(said: Mapping[str, Any]) -> dict[str, Any]:
    if said.get("cursor_body_path"):
        return {"cursorParam": said["cursor_body_path"], "cursorIn": "body"}
    return {"cursorParam": said.get("cursor_param", "after")}


def _offset(said: Mapping[str, Any], params: dict[str, Any]) -> Made:
    limit = said.get("limit_body_path") or said.get("limit_param", "limit")
    size = said.get("limit", params.pop(str(limit), None))
    made = {
        "type": "offset",
        "offsetParam": said.get("offset_body_path") or said.get("offset_param", "offset"),
        "limitParam": limit,
        "pageSize": size,
        "startAt": said.get("offset") or None,
        "totalField": _path(said.get("total_path", "total")) if _has_total(said) else None,
        "in": "body" if said.get("offset_body_path") else None,
    }
    question = "dlt stops at maximum_offset; here the list is read to its end"
    return made, question if said.get("maximum_offset") else ""


def _page(said: Mapping[str, Any], params: dict[str, Any]) -> Made:
    first = said.get("base_page", said.get("page", 0))
    made = {
        "type": "page",
        "pageParam": said.get("page_body_path") or said.get("page_param", "page"),
        "totalPagesField": _path(said.get("total_path", "total")) if _has_total(said) else None,
        "in": "body" if said.get("page_body_path") else None,
    }
    for name in ("per_page", "page_size", "pageSize", "limit", "perPage"):
        if isinstance(params.get(name), int) and not made["in"]:
            made |= {"pageSizeParam": name, "pageSize": params.pop(name)}
            break
    made["startAt"] = first
    question = "dlt stops at maximum_page; here the list is read to its end"
    return made, question if said.get("maximum_page") else ""


def _has_total(said: Mapping[str, Any]) -> bool:
    """Dlt's default is a path called total; null turns it off."""
    return said.get("total_path", "total") is not None


def _path(path: Any) -> str:
    return re.sub(r"^\$\.?", "", str(path))


_PAGINATORS: dict[str, Callable[[Mapping[str, Any], dict[str, Any]], Made]] = {
    "single_page": _single,
    "json_link": _json_link,
    "json_response": _json_link,
    "header_link": _header_link,
    "cursor": _cursor,
    "json_response_cursor": _cursor,
    "header_cursor": _header_cursor,
    "offset": _offset,
    "page_number": _page,
}
