"""How a server pages: which rows of a list a request gets, and what it is told beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from connector_assets.authoring.simulator.documents import get, steps_of
from connector_assets.authoring.simulator.patterns import as_text, leading_name
from connector_assets.authoring.simulator.rows import Row
from connector_assets.authoring.simulator.wire import ApiRequest
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.request.counted import OffsetPagination, PagePagination
from connector_assets.spec.request.followed import (
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
)
from connector_assets.spec.templates.template import Template

TOKEN = "simulated_page"  # noqa: S105 - the parameter of a next URL
_SIZES = (
    "per_page",
    "perPage",
    "limit",
    "page_size",
    "pageSize",
    "page[size]",
    "_size",
    "size",
    "count",
    "maxResults",
    "max_results",
    "first",
    "$top",
    "top",
    "pageLength",
    "results_per_page",
)  # fmt: skip - names
_MOST = 50
_LARGEST = 1_000_000
_ADDRESS = re.compile(r"(?i)url|link|href|uri")


class WrongPlace(ValueError):
    """A position that no page of the list has."""


@dataclass(frozen=True)
class ServedPage:
    """The rows from `start` on, with what the answer says of the list in body and headers."""

    rows: Sequence[Row]
    start: int
    total: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_last(self) -> bool:
        return self.start + len(self.rows) >= self.total


def size_of(endpoint: Endpoint) -> int:
    """How many rows a page of this endpoint has: as the spec says, but no more than a few."""
    pagination = endpoint.pagination
    told = getattr(pagination, "page_size", None)
    sizes = [told, *(endpoint.params.get(name) for name in _SIZES)]
    size = next((one for one in map(_number, sizes) if one), 5)
    counts_on_it = (
        getattr(pagination, "stop_on", None) == "short"
        or getattr(pagination, "advance_by", "") == "pageSize"
        or (told is not None and not _sends_size(pagination))
    )
    return size if counts_on_it else min(size, _MOST)


def _sends_size(pagination: Any) -> bool:
    if isinstance(pagination, OffsetPagination):
        return True
    return getattr(pagination, "page_size_param", None) is not None


def _number(value: Any) -> int | None:
    source = value.source if isinstance(value, Template) else value
    text = as_text(source) if source is not None else ""
    return int(text) if text.isdigit() and 0 < int(text) < _LARGEST else None


@dataclass(frozen=True)
class AskedList:
    """A list and the request for a part of it.

    `read` is what the request's templates had for values, `url` the request's own address, `size`
    how many rows a page has. `onward` says where the list is said to go on; None: where it does.
    """

    asked: ApiRequest
    read: Mapping[str, str]
    rows: Sequence[Row]
    url: str
    size: int
    onward: int | None = None

    def page(self, start: int) -> ServedPage:
        """The rows from `start` on."""
        return ServedPage(self.rows[start : start + self.size], start, len(self.rows))

    def after(self, start: int) -> int:
        """Where the page after that at `start` is said to begin."""
        return start + self.size if self.onward is None else self.onward


def page_of(endpoint: Endpoint, listing: AskedList) -> ServedPage:
    """The page that is asked for; WrongPlace where there is none such."""
    pagination = endpoint.pagination
    if isinstance(pagination, OffsetPagination | PagePagination):
        return _counted(pagination, listing)
    if isinstance(pagination, CursorPagination):
        return _by_cursor(pagination, listing)
    if isinstance(pagination, NextUrlPagination | LinkHeaderPagination):
        return _by_url(pagination, listing)
    return ServedPage(listing.rows, 0, len(listing.rows))


def value_at(asked: ApiRequest, where: str, name: str, read: Mapping[str, str], as_: str) -> Any:
    """What a request has at a place; `as_` is the name by which templates read it."""
    if where == "template":
        named = (value for one, value in read.items() if leading_name(one) == as_)
        return next(named, None)
    if where == "query":
        return asked.param(name)
    if where == "header":
        return asked.headers.get(name.lower())
    if asked.json is None:
        return next((value for one, value in asked.form if one == name), None)
    return get(asked.json, steps_of(name))


def _counted(pagination: OffsetPagination | PagePagination, listing: AskedList) -> ServedPage:
    if isinstance(pagination, OffsetPagination):
        is_offset, param, size_param = True, pagination.offset_param, pagination.limit_param
    else:
        is_offset, param, size_param = (
            False,
            pagination.page_param,
            pagination.page_size_param or "",
        )
    asked, read, where = listing.asked, listing.read, pagination.where
    size_where = pagination.page_size_in or where
    wanted = value_at(asked, size_where, size_param, read, "page.size") if size_param else None
    size = min(_whole(wanted, listing.size), listing.size)
    place = value_at(asked, where, param, read, "page.offset" if is_offset else "page.number")
    first = _whole(place, pagination.start_at) - pagination.start_at
    if first < 0:
        raise WrongPlace(f"{param} begins at {pagination.start_at}")
    start = first if is_offset else first * max(size, 1)
    fields, headers = _totals(pagination, len(listing.rows), max(size, 1))
    return ServedPage(listing.rows[start : start + size], start, len(listing.rows), fields, headers)


def _totals(
    pagination: OffsetPagination | PagePagination, total: int, size: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """The counts that the server tells, in the body and in headers."""
    told = [(pagination.total_field, pagination.total_header, total)]
    if isinstance(pagination, PagePagination):
        pages = -(-total // size)
        told.append((pagination.total_pages_field, pagination.total_pages_header, pages))
    fields = {path.source: count for path, _, count in told if path is not None}
    return fields, {name: str(count) for _, name, count in told if name}


def _whole(value: Any, otherwise: int) -> int:
    text = as_text(value)
    if value is None or text == "":
        return otherwise
    if not text.isdigit():
        raise WrongPlace(f'"{text}" is not a number')
    return int(text)


def _by_cursor(pagination: CursorPagination, listing: AskedList) -> ServedPage:
    sent = _cursor_sent(pagination, listing.asked, listing.read)
    last = pagination.last_record_field
    start = 0
    if sent is not None:
        start = _token_start(sent) if last is None else _after(listing.rows, last.source, sent)
    page = listing.page(start)
    following = listing.after(start)
    token = None if page.is_last else f"c{following}=="
    fields: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if pagination.has_more_field is not None:
        fields[pagination.has_more_field.source] = not page.is_last
    if pagination.cursor_header:
        headers = {pagination.cursor_header: token} if token else {}
    elif pagination.cursor_field is not None:
        path = pagination.cursor_field.source
        # Where the spec has no place for it, a field of that name holds an address to follow.
        is_address = not _is_placed(pagination) and _ADDRESS.search(path)
        fields[path] = _next_url(listing, following) if token and is_address else token
    return ServedPage(page.rows, start, page.total, fields, headers)


def _cursor_sent(
    pagination: CursorPagination, asked: ApiRequest, read: Mapping[str, str]
) -> str | None:
    if asked.param(TOKEN) is not None:
        return asked.param(TOKEN)
    where, name = pagination.cursor_in, pagination.cursor_param
    value = value_at(asked, where, name, read, "page.cursor")
    return None if value in (None, "", "*") else as_text(value)  # "*" asks for the first page


def _is_placed(pagination: CursorPagination) -> bool:
    return bool({"cursor_param", "cursor_in"} & pagination.model_fields_set)


def _next_url(listing: AskedList, start: int) -> str:
    """The request's own address with the place of the page in it."""
    pairs = ((n, v) for n, v in listing.asked.query if n != TOKEN)
    query = "".join(f"{quote(name)}={quote(value)}&" for name, value in pairs)
    return f"{listing.url}?{query}{TOKEN}=c{start}%3D%3D"


def _token_start(token: str) -> int:
    digits = token.removeprefix("c").removesuffix("==")
    if not (token.startswith("c") and digits.isdigit()):
        raise WrongPlace(f'"{token[:40]}" is no cursor that this server gave')
    return int(digits)


def _after(rows: Sequence[Row], path: str, value: str) -> int:
    steps = steps_of(path)
    for number, row in enumerate(rows):
        if as_text(get(row.data, steps)) == value:
            return number + 1
    raise WrongPlace(f'no row has "{value[:40]}" at {path}')


def _by_url(pagination: NextUrlPagination | LinkHeaderPagination, listing: AskedList) -> ServedPage:
    token = listing.asked.param(TOKEN)
    start = 0 if token is None else _token_start(token)
    page = listing.page(start)
    following = None if page.is_last else _next_url(listing, listing.after(start))
    if isinstance(pagination, LinkHeaderPagination):
        link = f'<{_next_url(listing, 0)}>; rel="first"'
        link += f', <{following}>; rel="{pagination.rel}"' if following else ""
        return ServedPage(page.rows, start, page.total, {}, {"link": link})
    if pagination.url_header:
        return ServedPage(
            page.rows, start, page.total, {}, {pagination.url_header: following or ""}
        )
    assert pagination.url_field is not None
    return ServedPage(page.rows, start, page.total, {pagination.url_field.source: following})
