"""How a list goes on: the family of paginations; the model that validates also walks.

`pages(call)` is a generator: it yields a `Call` and is sent the `Page` that answered. It keeps no
state of its own beside the Call, so a walk can start from any Call that an earlier one yielded.
Caps, loops and origins are the driver's (`runtime.paginate`): a pagination cannot forget them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import takewhile
from typing import Annotated, Any, Literal, Protocol, Self, runtime_checkable

from pydantic import Field, model_validator

from connector_assets.errors import ResponseError
from connector_assets.spec.call import Call, Page, Place
from connector_assets.spec.links import find_link
from connector_assets.spec.model import Model, fault
from connector_assets.spec.paths import Path
from connector_assets.spec.url import join

Positive = Annotated[int, Field(ge=1, le=1_000_000)]
_DIGITS = 16
# Pages at the beginning of a list that are asked for one by one, unless their number is known.
_NEVER_GUESSED = 4
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Paginates(Protocol):
    """What the driver asks of a pagination; Python callers may pass their own."""

    def pages(self, call: Call) -> Generator[Call, Page, None]: ...


@runtime_checkable
class Foresees(Protocol):
    """What a pagination has beside `pages` whose calls can be told before the answers."""

    def ahead(self, call: Call, page: Page) -> Iterator[Call] | None:
        """The calls after `call` to the last, where its `page` tells how many; else None."""
        ...

    def guess(self, call: Call) -> Iterator[Call] | None:
        """`call` and those that follow as long as pages are full; None where nothing says so."""
        ...


class _Pagination(Model):
    max_pages: Positive | Literal["unlimited"] = 100
    """Requests at most; reaching it with more to come is never silent."""
    on_max_pages: Literal["fail", "truncate"] | None = None
    """At `maxPages`: fail (default when loading) or truncate (default in previews)."""


class NonePagination(_Pagination):
    """One request holds everything."""

    type: Literal["none"] = "none"
    """One request holds everything."""

    def pages(self, call: Call) -> Generator[Call, Page, None]:
        yield call


class CursorPagination(_Pagination):
    """Each answer names where the next begins.

    `{"rows": […], "next": "c2"}` with `cursorField: next` asks again with `?cursor=c2`. A cursor
    that is a URL or an absolute path is followed instead of sent.
    """

    type: Literal["cursor"]
    """Each answer names where the next begins."""
    cursor_field: Path | None = None
    """Path of the cursor in the body, as `paging.next.after`. Exactly one of cursorField,
    cursorHeader and lastRecordField is given. Absent, null, empty or false ends the list; 0
    is a cursor.
    """
    cursor_header: Name | None = None
    """Response header that holds the cursor."""
    last_record_field: Path | None = None
    """Path of the cursor in the last row, as Stripe's `id`."""
    cursor_param: Name = "cursor"
    """Name the cursor is sent under; in a body, a dotted path."""
    cursor_in: Place = "query"
    """Where the cursor is sent. An object or a list goes into a JSON body only."""
    page_size: Positive | None = None
    """Rows the server gives per page."""
    page_size_param: Name | None = None
    """Name the page size is sent under; without it, `pageSize` only says what the server gives."""
    page_size_in: Place | None = None
    """Where the page size is sent; default where the cursor is."""
    has_more_field: Path | None = None
    """Path of a flag in the body; false ends the list."""
    stop_on: Literal["short"] | None = None
    """`short`: a page with fewer rows than `pageSize` is the last."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.cursor_field, self.cursor_header, self.last_record_field]
        if sum(source is not None for source in given) != 1:
            raise fault(
                "cursorField", "is required; give one of cursorField, cursorHeader, lastRecordField"
            )
        if self.page_size_param and not self.page_size:
            raise fault("pageSize", "is required where pageSizeParam is given")
        if self.stop_on and not self.page_size:
            raise fault("pageSize", "is required where stopOn is short")
        return self

    def pages(self, call: Call) -> Generator[Call, Page, None]:
        if self.page_size_param and not call.followed:
            call = call.put(
                self.page_size_param, self.page_size, self.page_size_in or self.cursor_in
            )
        while True:
            page = yield call
            cursor = self._cursor(page)
            if is_end(cursor) or self._says_last(page):
                return
            call = self._next(call.after(page.count), page.url, cursor)

    def _cursor(self, page: Page) -> Any:
        if self.cursor_header:
            return page.header(self.cursor_header)
        if self.last_record_field:
            return page.last(self.last_record_field.source)
        assert self.cursor_field
        return page.field(self.cursor_field.source)

    def _says_last(self, page: Page) -> bool:
        if self.has_more_field and page.field(self.has_more_field.source) is False:
            return True
        return self.stop_on == "short" and page.count < (self.page_size or 0)

    def _next(self, call: Call, base: str, cursor: Any) -> Call:
        if is_url(cursor):
            return call.follow(join(base, cursor))
        if isinstance(cursor, dict | list) and self.cursor_in != "body":
            kind = "an object" if isinstance(cursor, dict) else "a list"
            raise ResponseError(
                f"the cursor is {kind} and cannot go into a {self.cursor_in}",
                fix="point the cursor path at a text or number, or use cursorIn: body",
            )
        return call.put(self.cursor_param, cursor, self.cursor_in)


class NextUrlPagination(_Pagination):
    """Each answer holds the whole URL of the next: `{"next": "https://…?page=2"}`."""

    type: Literal["next_url"]
    """Each answer holds the whole URL of the next."""
    url_field: Path | None = None
    """Path of the URL in the body, as `links.next`. Absent, null or empty ends the list. A
    relative URL is resolved; another origin than those declared is an error.
    """
    url_header: Name | None = None
    """Response header that holds the URL."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.url_field is None) == (self.url_header is None):
            raise fault("urlField", "is required; give one of urlField, urlHeader")
        return self

    def pages(self, call: Call) -> Generator[Call, Page, None]:
        while True:
            page = yield call
            url = page.field(self.url_field.source) if self.url_field else None
            url = page.header(self.url_header) if self.url_header else url
            if is_end(url):
                return
            if not isinstance(url, str):
                raise ResponseError(
                    "the next URL is not a text", fix="point urlField at the URL itself"
                )
            call = call.after(page.count).follow(join(page.url, url))


class LinkHeaderPagination(_Pagination):
    """The answer's `Link` header names the next page (RFC 8288), as GitHub does."""

    type: Literal["link_header"]
    """The answer's `Link` header names the next page."""
    rel: Name = "next"
    """The link to follow; an answer without it is the last."""

    def pages(self, call: Call) -> Generator[Call, Page, None]:
        while True:
            page = yield call
            url = find_link(page.header("link") or "", self.rel)
            if not url:
                return
            call = call.after(page.count).follow(join(page.url, url))


class _Counted(_Pagination):
    """What offset and page numbers share: a place, a size, a total, and when a page is the last."""

    page_size: Positive | None = None
    """Rows asked for per page. A page with fewer is the last, unless it is the first: then
    one more is asked for, as servers cap the size in silence.
    """
    total_field: Path | None = None
    """Path of the number of rows in all."""
    total_header: Name | None = None
    """Response header with the number of rows in all."""
    place: Literal["query", "body"] = Field("query", alias="in")
    """Whether place and size are sent in the query or in the body."""

    def total(self, page: Page) -> int | None:
        """The number of rows in all, where `page` tells it."""
        return _number(self.total_field, self.total_header, page)

    def _after(self, call: Call, page: Page) -> Call | None:
        """The bookkeeping for the next page, or None when `page` is the last one.

        A total that the server gives decides, unless more came already. Else a short page is the
        last, but for the first: servers cap the page size in silence, so one more is asked for, and
        if that brings rows, what the first page held is the page size from then on.
        """
        received = call.rows_before + page.count
        total = self.total(page)
        if total is not None and total < received:
            total = None
        if page.count == 0 or (total is not None and received >= total):
            return None
        size = call.page_size or self.page_size or page.count
        first = call.page_size is None
        if total is None and page.count < size and not first:
            return None
        probe = total is None and first and page.count < size
        size = page.count if first else size
        return call.after(page.count, size, probe=probe)

    def guess(self, call: Call) -> Iterator[Call] | None:
        # Most lists are short, and of those each guess would be in vain.
        return self._onward(call) if call.page > _NEVER_GUESSED else None

    def _onward(self, call: Call) -> Iterator[Call]:
        """`call` and all that follow it if each page brings as many rows."""
        while True:
            yield call
            call = self._at(call.after(call.page_size or 0))

    def _at(self, call: Call) -> Call:
        """`call` with its own place in the list; offsets and page numbers say it each their way."""
        raise NotImplementedError


class OffsetPagination(_Counted):
    """`?offset=200&limit=100`: the next page begins after the rows received."""

    type: Literal["offset"]
    """The next page begins after the rows received."""
    offset_param: Name = "offset"
    """Name the number of rows to pass over is sent under; in a body, a dotted path."""
    limit_param: Name = "limit"
    """Name `pageSize` is sent under; without a `pageSize` nothing is."""
    start_at: Annotated[int, Field(ge=0)] = 0
    """The first offset: 1 where the server counts rows from 1."""

    def pages(self, call: Call) -> Generator[Call, Page, None]:
        following: Call | None = self._at(call)
        while following:
            call = following
            page = yield call
            following = self._after(call, page)
            following = following and self._at(following)

    def _at(self, call: Call) -> Call:
        call = call.put(self.offset_param, self.start_at + call.rows_before, self.place)
        return call.put(self.limit_param, self.page_size, self.place) if self.page_size else call

    def ahead(self, call: Call, page: Page) -> Iterator[Call] | None:
        total = self.total(page)
        if total is None or page.count == 0:
            return None
        following = self._at(call.after(page.count, page.count))
        return takewhile(lambda one: one.rows_before < total, self._onward(following))


class PagePagination(_Counted):
    """`?page=2`: pages are numbered."""

    type: Literal["page"]
    """Pages are numbered."""
    page_param: Name = "page"
    """Name the page's number is sent under; in a body, a dotted path."""
    page_size_param: Name | None = None
    """Name the page size is sent under; without it, `pageSize` only says what the server gives."""
    start_at: Annotated[int, Field(ge=0)] = 1
    """Number of the first page: 0 where the server counts from 0."""
    total_pages_field: Path | None = None
    """Path of the number of pages."""
    total_pages_header: Name | None = None
    """Response header with the number of pages."""

    @model_validator(mode="after")
    def _size_known(self) -> Self:
        if self.page_size_param and not self.page_size:
            raise fault("pageSize", "is required where pageSizeParam is given")
        return self

    def pages(self, call: Call) -> Generator[Call, Page, None]:
        following: Call | None = self._at(call)
        while following:
            call = following
            page = yield call
            pages = self._pages(page)
            if pages is None or pages < call.page:
                following = self._after(call, page)
            else:
                following = call.after(page.count) if page.count and call.page < pages else None
            following = following and self._at(following)

    def _at(self, call: Call) -> Call:
        call = call.put(self.page_param, self.start_at + call.page - 1, self.place)
        if self.page_size_param:
            call = call.put(self.page_size_param, self.page_size, self.place)
        return call

    def _pages(self, page: Page) -> int | None:
        return _number(self.total_pages_field, self.total_pages_header, page)

    def ahead(self, call: Call, page: Page) -> Iterator[Call] | None:
        pages, total = self._pages(page), self.total(page)
        if page.count == 0:
            return None
        if pages is None and total is not None:
            pages = -(-total // page.count)
        if pages is None:
            return None
        following = self._at(call.after(page.count, page.count))
        return takewhile(lambda one: one.page <= pages, self._onward(following))


Pagination = Annotated[
    NonePagination
    | CursorPagination
    | NextUrlPagination
    | LinkHeaderPagination
    | OffsetPagination
    | PagePagination,
    Field(discriminator="type"),
]


def is_end(cursor: Any) -> bool:
    """Absent, null, empty or false; zero is a cursor like any other."""
    return cursor is None or cursor is False or cursor in ("", [], {})


def is_url(cursor: Any) -> bool:
    """Whether a cursor is to be followed: a URL or an absolute path."""
    return isinstance(cursor, str) and cursor.lower().startswith(("https://", "http://", "/"))


def _number(field: Path | None, header: str | None, page: Page) -> int | None:
    """A count the server gives, in the body or a header; None where it gives none."""
    value: Any = page.field(field.source) if field else page.header(header) if header else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _DIGITS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    return value
