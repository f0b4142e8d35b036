"""The driver of every pagination: it asks, proves progress, and never stops short in silence."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from connector_assets.errors import PageLimit, PaginationLoop, StartOver
from connector_assets.runtime.page import Page
from connector_assets.runtime.prefetch import Begin, Foreseen, Prefetch, Try
from connector_assets.spec.call import Call
from connector_assets.spec.pagination import Foresees, Paginates

_SAME_ROWS = 3


class Step(Struct, frozen=True):
    """A page and the call that follows it; None: the list is complete.

    `truncated` says that the list goes on, but a cap that may cut it was reached. `restarted` says
    that the server had the list begun anew: all steps before this one are void. `partial` says
    that no run can go on after this step: what it is a part of is begun again.
    """

    page: Page
    following: Call | None
    truncated: bool = False
    restarted: bool = False
    partial: bool = False


def walk(
    pagination: Paginates,
    call: Call,
    fetch: Callable[[Call], Page],
    *,
    ahead: Try | None = None,
    begin: Begin | None = None,
    max_pages: int | None = None,
    truncate: bool = False,
    width: int = 1,
) -> Iterator[Step]:
    """Fetch from `call` to the end of the list.

    With `ahead` up to `width` pages are under way at a time, where a later call can be told before
    the answers that lead there. Raises PaginationLoop when a call or a non-empty body comes a
    second time, and PageLimit after `max_pages` pages with more to come, unless `truncate`.
    """
    proof = _Proof()
    walker = pagination.pages(call)
    call = next(walker)
    foresee: Callable[[], Foreseen | None] = lambda: None  # noqa: E731 - nothing is known yet
    with Prefetch(fetch, ahead, width, begin=begin) as pages:
        while True:
            proof.of_call(call)
            page = pages(call, foresee)
            if page.unchanged:
                yield Step(page, None)
                return
            proof.of_page(page)
            try:
                following = walker.send(page)
            except StopIteration:
                yield from in_parts(page, call, None)
                return
            at_cap = max_pages is not None and following.page > max_pages
            yield from in_parts(page, call, following, truncated=at_cap and truncate)
            if at_cap and truncate:
                return
            if at_cap:
                raise PageLimit(
                    f"{max_pages} pages were read and there are more",
                    fix="raise pagination.maxPages, or set it to unlimited",
                )
            foresee = partial(_foreseen, pagination, call, page, following, max_pages)
            call = following


def in_parts(
    page: Page, call: Call, following: Call | None, *, truncated: bool = False
) -> Iterator[Step]:
    """The steps of one page: where it comes in parts, only the last one leads on."""
    parts = page.parts()
    held = next(parts)
    for part in parts:
        yield Step(held, call, partial=True)
        held = part
    yield Step(held, following, truncated)


def restarting(
    begin: Callable[[Call], Iterator[Step]], start: Call, first: Call, *, may_restart: bool
) -> Iterator[Step]:
    """The steps from `start`; where the server asks to start over, once more, from `first`.

    Raises StartOver the second time, and where steps were given that only `may_restart` makes void.
    """
    given = False
    try:
        for step in begin(start):
            yield step
            given = True
    except StartOver:
        if given and not may_restart:
            raise
    else:
        return
    restarted = True
    for step in begin(first):
        yield replace(step, restarted=restarted)
        restarted = False


def _foreseen(
    pagination: Paginates, call: Call, page: Page, following: Call, max_pages: int | None
) -> Foreseen | None:
    """The calls from `following` on, where `pagination` can tell or guess them."""
    if not isinstance(pagination, Foresees):
        return None
    calls = pagination.ahead(call, page)
    certain = calls is not None
    calls = calls or pagination.guess(following)
    if calls is None:
        return None
    if max_pages is not None:
        calls = itertools.takewhile(lambda one: one.page <= max_pages, calls)
    return Foreseen(calls, certain)


class Told:
    """Compares the rows that came with the number the server told."""

    def __init__(self, pagination: Paginates, start: Call) -> None:
        self._total = getattr(pagination, "total", None)
        self._rows = start.rows_before
        self._last: Page | None = None

    def after(self, step: Step) -> str:
        """What to say after the last step, if fewer came."""
        if self._total is None:
            return ""
        self._rows = step.page.count if step.restarted else self._rows + step.page.count
        self._last = step.page if step.page.count or not self._last else self._last
        told = None if step.following else self._total(self._last)
        fewer = told is not None and self._rows < told
        return f"the server told of {told} rows and gave {self._rows}" if fewer else ""


class _Proof:
    """Remembers every request and every non-empty body as eight bytes each, and the last rows."""

    def __init__(self) -> None:
        self._calls: set[int] = set()
        self._bodies: set[int] = set()
        self._content: Hashable = None
        self._times = 1

    def of_call(self, call: Call) -> None:
        # All that a call holds is plain data, which `repr` tells apart and is quicker to write.
        key = hash(repr(call.place))
        if key in self._calls:
            raise PaginationLoop(
                "the server gives a cursor it gave before",
                fix="check the pagination's cursor path and parameter",
            )
        self._calls.add(key)

    def of_page(self, page: Page) -> None:
        if not page.count:
            return
        digest = page.digest
        if digest in self._bodies:
            raise PaginationLoop(
                "the server sends a page it sent before",
                fix="check that the API knows the pagination's parameters",
            )
        self._bodies.add(digest)
        self._of_rows(page)

    def _of_rows(self, page: Page) -> None:
        """A body may hold the time, or a fresh cursor, beside rows that are always the same."""
        before, self._content = self._content, page.content
        self._times = self._times + 1 if page.content == before else 1
        first, last = page.ends
        # Rows may be alike, and a page of them too; not three pages in a row whose rows differ.
        if self._times >= _SAME_ROWS and first != last:
            raise PaginationLoop(
                f"the server sends the same rows {_SAME_ROWS} times",
                fix="check that the API knows the pagination's parameters",
            )
