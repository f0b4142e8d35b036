"""Paginations that count: by rows or by pages."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import takewhile
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec.structs import replace
from pydantic import Field, model_validator

from connector_assets.spec.names.model import fault
from connector_assets.spec.names.paths import Path
from connector_assets.spec.request.call import Call, PageView, Where
from connector_assets.spec.request.ends import End, Told, following
from connector_assets.spec.request.paginates import Name, PaginationModel, Positive

_DIGITS = 16
# Pages at the beginning of a list that are asked for one by one, unless their number is known.
_NEVER_GUESSED = 4


class _Counted(PaginationModel):
    """What offset and page numbers share: position, size, total, and which page is the last."""

    start_key: ClassVar[str] = "startAt"
    body_keys: ClassVar[tuple[str, ...]] = ("totalField",)

    page_size: Positive | None = None
    """Rows asked for per page; a number or a template, as "{{config.pageSize}}". A page with fewer
    may be the last: one more is asked for to make sure, as servers cap the size in silence and
    hide rows.
    """
    stop_on: Literal["short"] | None = None
    """`short`: a page with fewer rows than `pageSize` is the last, without a further request. Only
    for a server whose pages are full up to the last.
    """
    total_field: Path | None = None
    """Path of the number of rows in all. Pages without rows are passed over while fewer came; a
    full page that just reaches the number is not believed to be the last. Fewer at the end are
    loaded with a warning, and the list is not complete.
    """
    total_header: Name | None = None
    """Response header with the number of rows in all."""
    where: Where = Field("query", alias="in")
    """Where position and size are sent. template: where a template of the request reads
    `page.number` or `page.offset`, and `page.size`: in the path, or within another value.
    """
    page_size_in: Where | None = None
    """Where the page size is sent; default as `in`."""
    omit_first: bool = False
    """The first request is sent without its position in the list, for servers that refuse it."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.stop_on and not self.page_size:
            raise fault("pageSize", "is required where stopOn is short")
        if self.total_field and self.total_header:
            raise fault("totalHeader", "says what totalField says; give one of them")
        return self

    @property
    def rows_a_page(self) -> int | None:
        return self.page_size if isinstance(self.page_size, int) else None

    @property
    def tells_total(self) -> bool:
        return bool(self.total_field or self.total_header)

    def first(self, call: Call) -> Call:
        return self._at(call)

    def after(self, call: Call, page: PageView) -> Call | End:
        told = Told(self.page_size, self.pages(page), self.stop_on == "short")
        next_ = following(call, page, told)
        if isinstance(next_, End):
            return next_
        return self._past(replace(call, probe=next_ == "verify"), page)

    def total(self, page: PageView) -> int | None:
        return _number(self.total_field, self.total_header, page)

    def pages(self, page: PageView) -> int | None:  # noqa: ARG002 - those that are numbered tell it
        """The number of pages, where `page` tells it."""
        return None

    def ahead(self, call: Call, page: PageView) -> Iterator[Call] | None:
        pages, rows, size = self.pages(page), call.seen.told, call.page_size
        if pages is not None and pages >= call.page:
            return takewhile(lambda one: one.page <= pages, self._onward(call))
        if rows is None or not size or not page.count or rows <= call.rows_before:
            return None
        return takewhile(lambda one: one.rows_before < rows, self._onward(call))

    def guess(self, call: Call) -> Iterator[Call] | None:
        # Most lists are short, and of those each guess would be in vain.
        # Nor is it worth it after a page that looks like the last.
        likely = call.page > _NEVER_GUESSED and call.page_size and not call.probe
        return self._onward(call) if likely else None

    def _onward(self, call: Call) -> Iterator[Call]:
        """`call` and all that follow it if each page brings as many rows."""
        while True:
            yield call
            call = self._at(call.after(call.page_size or 0))

    def _past(self, call: Call, page: PageView) -> Call | End:  # noqa: ARG002 - offsets need it
        """`call` at its own position after `page`."""
        return self._at(call)

    def _at(self, call: Call) -> Call:
        """`call` with its own position in the list; each kind says it its own way."""
        raise NotImplementedError

    def _placed(
        self, call: Call, name: str, param: str, value: int, size_param: str | None
    ) -> Call:
        """`call` asking for what is at `value`, which templates read as `page.<name>`."""
        if not (self.omit_first and call.page == 1):
            call = call.naming(**{name: value}).put(param, value, self.where)
        if self.page_size is None:
            return call
        call = call.naming(size=self.page_size)
        where = self.page_size_in or self.where
        return call.put(size_param, self.page_size, where) if size_param else call


class OffsetPagination(_Counted):
    """`?offset=200&limit=100`: the next page begins after the rows received."""

    param_key: ClassVar[str] = "offsetParam"
    size_key: ClassVar[str] = "limitParam"
    read_as: ClassVar[str] = "page.offset"

    type: Literal["offset"]
    """The next page begins after the rows received."""
    offset_param: Name = "offset"
    """Name the number of rows to pass over is sent under; in a JSON body, a path such as
    `params[1]`.
    """
    limit_param: Name = "limit"
    """Name `pageSize` is sent under; without a `pageSize` nothing is."""
    start_at: Annotated[int, Field(ge=0)] = 0
    """The first offset: 1 where the server counts rows from 1."""
    advance_by: Literal["rows", "pageSize"] = "rows"
    """What the next offset is further by: the rows that came (default), or always `pageSize`, for
    a server that counts positions of which it hides some.
    """

    @model_validator(mode="after")
    def _advance_known(self) -> Self:
        if self.advance_by == "pageSize" and not self.page_size:
            raise fault("pageSize", "is required where advanceBy is pageSize")
        return self

    def _past(self, call: Call, page: PageView) -> Call | End:
        if page.count or self.advance_by == "pageSize":
            return self._at(call)
        size = self.page_size or call.page_size
        if not size:
            return End(lacks="an empty page cannot be passed over without a pageSize")
        seen = replace(call.seen, passed=call.seen.passed + size)
        return self._at(replace(call, seen=seen))

    def _at(self, call: Call) -> Call:
        passed = call.rows_before + call.seen.passed
        if self.advance_by == "pageSize":
            passed = (call.page - 1) * (self.page_size or 0)
        offset = self.start_at + passed
        return self._placed(call, "offset", self.offset_param, offset, self.limit_param)


class PagePagination(_Counted):
    """`?page=2`: pages are numbered."""

    param_key: ClassVar[str] = "pageParam"
    size_key: ClassVar[str] = "pageSizeParam"
    read_as: ClassVar[str] = "page.number"
    body_keys: ClassVar[tuple[str, ...]] = ("totalField", "totalPagesField")

    type: Literal["page"]
    """Pages are numbered."""
    page_param: Name = "page"
    """Name the page's number is sent under; in a JSON body, a path such as `params[1]`."""
    page_size_param: Name | None = None
    """Name the page size is sent under; without it, `pageSize` only says what the server gives."""
    start_at: Annotated[int, Field(ge=0)] = 1
    """Number of the first page: 0 where the server counts from 0."""
    total_pages_field: Path | None = None
    """Path of the number of pages."""
    total_pages_header: Name | None = None
    """Response header with the number of pages."""

    @model_validator(mode="after")
    def _size_and_pages(self) -> Self:
        if self.page_size_param and not self.page_size:
            raise fault("pageSize", "is required where pageSizeParam is given")
        if self.total_pages_field and self.total_pages_header:
            raise fault("totalPagesHeader", "says what totalPagesField says; give one of them")
        return self

    @property
    def tells_total(self) -> bool:
        return super().tells_total or bool(self.total_pages_field or self.total_pages_header)

    def _at(self, call: Call) -> Call:
        number = self.start_at + call.page - 1
        return self._placed(call, "number", self.page_param, number, self.page_size_param)

    def pages(self, page: PageView) -> int | None:
        return _number(self.total_pages_field, self.total_pages_header, page)


def _number(field: Path | None, header: str | None, page: PageView) -> int | None:
    """A count the server gives, in the body or a header; None where it gives none."""
    value: Any = page.field(field.source) if field else page.header(header) if header else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _DIGITS:
        value = int(value)
    # 6.0 is 6; a Decimal may stand for more digits than fit into memory.
    if isinstance(value, float | Decimal) and 0 <= value < 10**_DIGITS and value == int(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    return value
