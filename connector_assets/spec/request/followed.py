"""Paginations whose answers say where the next page is: a cursor, a URL, a Link header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from msgspec.structs import replace
from pydantic import model_validator

from connector_assets.errors import ResponseError
from connector_assets.spec.names.links import find_link
from connector_assets.spec.names.model import fault
from connector_assets.spec.names.paths import Path
from connector_assets.spec.names.url import next_url
from connector_assets.spec.request.call import Call, PageView, Where
from connector_assets.spec.request.ends import End, flag, is_end
from connector_assets.spec.request.paginates import Name, PaginationModel, Positive, header_of


class _Following(PaginationModel):
    """What paginations share that follow URLs which the server gives."""

    keep_params: bool | None = None
    """Sends the endpoint's `params` with a next URL too, where that leaves them out. Default: a
    next URL is asked as it is, and a note names what it left out; false: without the note.
    """

    def first(self, call: Call) -> Call:
        return call

    def follow(self, call: Call, page: PageView, url: str) -> Call:
        """`call` at a URL that `page` gave."""
        return call.follow(next_url(page.url, url), keep=bool(self.keep_params))


class CursorPagination(_Following):
    """Each answer names where the next begins.

    `{"rows": […], "next": "c2"}` with `cursorField: next` asks again with `?cursor=c2`. A cursor
    that is a URL or an absolute path is followed where neither `cursorParam` nor `cursorIn` is
    given, and it is not a field of a row.
    """

    where_key: ClassVar[str] = "cursorIn"
    param_key: ClassVar[str] = "cursorParam"
    size_key: ClassVar[str] = "pageSizeParam"
    read_as: ClassVar[str] = "page.cursor"
    body_keys: ClassVar[tuple[str, ...]] = ("cursorField", "hasMoreField")

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
    """Name the cursor is sent under; in a JSON body, a path such as `variables.after` or
    `params[1]`.
    """
    cursor_in: Where = "query"
    """Where the cursor is sent. template: where a template of the request reads `page.cursor`,
    which the first request does not have. A list goes into a JSON body only. So does an object,
    but where `query` is written without a `cursorParam`: each of its keys is a parameter then.
    """
    page_size: Positive | None = None
    """Rows the server gives per page; a number or a template, as "{{config.pageSize}}"."""
    page_size_param: Name | None = None
    """Name the page size is sent under; without it, `pageSize` only says what the server gives."""
    page_size_in: Where | None = None
    """Where the page size is sent; default where the cursor is."""
    has_more_field: Path | None = None
    """Path of a flag in the body. false, 0, null, and "false", "no", "n" or "0" in any case end the
    list; where it is absent the list ends too, with a note.
    """
    stop_on: Literal["short"] | None = None
    """`short`: a page with fewer rows than `pageSize` is the last."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.cursor_field, self.cursor_header, self.last_record_field]
        if sum(source is not None for source in given) != 1:
            raise fault(
                "cursorField", "is required; give one of cursorField, cursorHeader, lastRecordField"
            )
        if self.stop_on and not self.page_size:
            raise fault("pageSize", "is required where stopOn is short")
        if self.page_size_param and not self.page_size:
            raise fault("pageSize", "is required where pageSizeParam is given")
        return self

    @property
    def rows_a_page(self) -> int | None:
        return self.page_size if isinstance(self.page_size, int) else None

    def first(self, call: Call) -> Call:
        call = call.naming(size=self.page_size)
        if self.page_size_param and not call.followed:
            where = self.page_size_in or self.cursor_in
            return call.put(self.page_size_param, self.page_size, where)
        return call

    def after(self, call: Call, page: PageView) -> Call | End:
        if end := self._said(page):
            return end
        cursor = self._cursor(page)
        if not is_end(cursor):
            return self._next(call, page, cursor)
        promised = self.has_more_field and flag(page.field(self.has_more_field.source))
        return End(lacks="the server says that there is more, and not where" if promised else "")

    def _cursor(self, page: PageView) -> Any:
        if self.cursor_header:
            return header_of(page, self.cursor_header)
        if self.last_record_field:
            return page.last(self.last_record_field.source)
        assert self.cursor_field
        return page.field(self.cursor_field.source)

    def _said(self, page: PageView) -> End | None:
        """The end, where the flag or the size of the page says so."""
        is_short = page.outcome == "rows" and page.count < (self.page_size or 0)
        if self.stop_on == "short" and is_short:
            return End()
        if self.has_more_field is None:
            return None
        path = self.has_more_field.source
        if not page.has(path):
            return End(note=f'there is no "{path}" in the last answer: taken for the end')
        return End(proven=True) if flag(page.field(path)) is False else None

    def _next(self, call: Call, page: PageView, cursor: Any) -> Call:
        before = call.names.get("cursor")
        call = call.naming(cursor=cursor)
        if self.cursor_in == "template":
            return call
        if self._follows and is_url(cursor):
            return self.follow(call, page, cursor)
        if isinstance(cursor, dict) and self._spreads:
            return _spread(call, before, cursor)
        if isinstance(cursor, dict | list) and self.cursor_in != "body":
            kind = "an object" if isinstance(cursor, dict) else "a list"
            raise ResponseError(
                f"the cursor is {kind} and cannot go into a {self.cursor_in}",
                fix="point the cursor path at a text or number, or use cursorIn: body or template",
            )
        return call.put(self.cursor_param, cursor, self.cursor_in)

    @property
    def _spreads(self) -> bool:
        given = self.model_fields_set
        return self.cursor_in == "query" and "cursor_in" in given and "cursor_param" not in given

    @property
    def _follows(self) -> bool:
        """Whether a cursor may be a URL: a value of the answer, for which the spec has no place."""
        placed = {"cursor_param", "cursor_in"} & self.model_fields_set
        return self.last_record_field is None and not placed


class NextUrlPagination(_Following):
    """Each answer holds the whole URL of the next: `{"next": "https://…?page=2"}`."""

    body_keys: ClassVar[tuple[str, ...]] = ("urlField",)

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

    def after(self, call: Call, page: PageView) -> Call | End:
        url = page.field(self.url_field.source) if self.url_field else None
        url = header_of(page, self.url_header) if self.url_header else url
        if is_end(url):
            return End()
        if not isinstance(url, str):
            fix = "point urlField at the URL itself"
            raise ResponseError("the next URL is not a text", fix=fix)
        return self.follow(call, page, url)


class LinkHeaderPagination(_Following):
    """The answer's `Link` header names the next page (RFC 8288), as GitHub does."""

    type: Literal["link_header"]
    """The answer's `Link` header names the next page."""
    rel: Name = "next"
    """The link to follow; an answer without it is the last."""

    def after(self, call: Call, page: PageView) -> Call | End:
        url = find_link(page.header("link") or "", self.rel)
        return self.follow(call, page, url) if url else End()


def _spread(call: Call, before: Any, cursor: Mapping[str, Any]) -> Call:
    """`call` with a parameter for each key of `cursor`, and without those of the one before."""
    old = before if isinstance(before, Mapping) else {}
    params = {name: value for name, value in call.params.items() if name not in old}
    return replace(call, params={**params, **cursor})


def is_url(cursor: Any) -> bool:
    """Whether a cursor is to be followed: a URL or an absolute path."""
    return isinstance(cursor, str) and cursor.lower().startswith(("https://", "http://", "/"))
