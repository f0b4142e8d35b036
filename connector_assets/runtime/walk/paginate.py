"""The driver of every pagination: it asks, proves progress, and never stops short in silence.

The rules of how lists end are in `spec.request.ends`, and in the order of `walk`: ADR 17.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from connector_assets.errors import PageLimit, PaginationLoop, RequestError, StartOver
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.walk.prefetch import Begin, Foreseen, Prefetch, Try
from connector_assets.spec.names.url import query_names
from connector_assets.spec.request.call import Call, Seen
from connector_assets.spec.request.ends import End
from connector_assets.spec.request.followed import CursorPagination
from connector_assets.spec.request.paginates import Counts, Follows, Paginates

_SAME_ROWS = 3


class Step(Struct, frozen=True):
    """A page and the call that follows it; None: the list is at its end.

    `truncated` says that the list goes on, but a cap that may cut it was reached. `restarted` says
    that the server had the list begun anew: all steps before this one are void. `partial` says
    that no run can go on after this step: what it is a part of is begun again. `lacks` is why the
    list may not be all there is, `ignored` how many of its answers a rule ignored, and `notes` what
    else is to be told once; all three come with a list's last step.
    """

    page: Page
    following: Call | None
    truncated: bool = False
    restarted: bool = False
    partial: bool = False
    lacks: str = ""
    ignored: int = 0
    notes: tuple[str, ...] = ()


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
    proof = _Proof(call.seen)
    call = pagination.first(call)
    foresee: Callable[[], Foreseen | None] = lambda: None  # noqa: E731 - nothing is known yet
    with Prefetch(fetch, ahead, width, begin=begin) as pages:
        while True:
            proof.of_call(call)
            page = pages(call, foresee)
            if page.unchanged:
                yield Step(page, None)
                return
            page = proof.of_page(page, call)
            if page.count:
                _refuse_beyond(max_pages, call)
            moved = _moved(pagination, call, page, again=proof.came_again)
            following = _next(pagination, moved, page)
            if isinstance(following, End):
                yield from in_parts(_last(moved, page, following), call)
                return
            cut = truncate and _is_beyond(max_pages, following)
            step = Step(page, following, notes=_left_out(pagination, call, following))
            yield from in_parts(_cut(step, call) if cut else step, call)
            if cut:
                return
            if not following.probe:  # which is no page, until it has rows
                _refuse_beyond(max_pages, following)
            foresee = partial(_foreseen, pagination, page, following, max_pages)
            call = following


def in_parts(step: Step, call: Call) -> Iterator[Step]:
    """The steps of one page, which answered `call`; in parts only the last one leads on."""
    parts = step.page.parts()
    held = next(parts)
    for part in parts:
        yield Step(held, call, partial=True)
        held = part
    yield step if held is step.page else replace(step, page=held)


def _moved(pagination: Paginates, call: Call, page: Page, *, again: bool) -> Call:
    """The bookkeeping of `page` passed: what its server told, and what came."""
    moved, seen = call.after(page.count), call.seen
    told = pagination.total(page) if isinstance(pagination, Counts) else None
    # Beyond its end a list may tell of none.
    if told is None or (told < moved.rows_before and not page.count):
        told = seen.told
    bare = 0 if page.count else seen.bare + 1
    ignored = seen.ignored + (page.outcome == "ignored")
    first = seen.first
    if call.page == 1 and isinstance(pagination, Counts):
        first = _digest(page)
    seen = replace(seen, told=told, bare=bare, ignored=ignored, first=first, again=again)
    return replace(moved, seen=seen)


def _next(pagination: Paginates, moved: Call, page: Page) -> Call | End:
    if page.outcome in ("end", "past"):
        return End(proven=True)
    following = pagination.after(moved, page)
    if isinstance(following, Call) and following.probe and page.count:
        seen = replace(following.seen, last=_digest(page))
        return replace(following, seen=seen)
    return following


def _last(moved: Call, page: Page, end: End) -> Step:
    """The last step of a list, with why it may not be all."""
    told, came = moved.seen.told, moved.rows_before
    lacks = end.lacks
    if told is not None and came < told:
        lacks = f"the server told of {told} rows and gave {came}"
    elif told is not None and moved.seen.again:
        lacks = "the server sent the rows of a page twice, and counts them as others"
    elif page.outcome == "ignored" and not end.proven:
        lacks = "the list ends at an ignored answer, which does not say where it goes on"
    notes = (end.note,) if end.note else ()
    return Step(page, None, lacks=lacks, ignored=moved.seen.ignored, notes=notes)


def _left_out(pagination: Paginates, call: Call, following: Call) -> tuple[str, ...]:
    """What to say of parameters that are not sent any more, unless the spec says it is right."""
    keep = pagination.keep_params if isinstance(pagination, Follows) else None
    if call.followed or not following.followed or keep is not None:
        return ()
    if isinstance(pagination, CursorPagination) and not _is_beside(call, following):
        return ()  # a list of its own, such as Salesforce's: the query is kept there
    names = [name for name in call.params if name not in query_names(str(following.url))]
    if not names:
        return ()
    shown = ", ".join(f'"{name}"' for name in names)
    return (f"the next URL leaves out {shown}; set pagination.keepParams to true or false",)


def _is_beside(call: Call, following: Call) -> bool:
    """Whether a followed URL has the path of the request before it."""
    paths = [urlsplit(str(one.url)).path for one in (call, following)]
    return paths[0] == paths[1]


def _is_beyond(max_pages: int | None, call: Call) -> bool:
    return max_pages is not None and call.page > max_pages


def _refuse_beyond(max_pages: int | None, call: Call) -> None:
    if _is_beyond(max_pages, call):
        raise PageLimit(
            f"{max_pages} pages were read and there are more",
            fix="raise pagination.maxPages, or set it to unlimited",
        )


def _cut(step: Step, call: Call) -> Step:
    lacks = f"{call.page} pages were read and there may be more"
    return replace(step, truncated=True, lacks=lacks)


def restarting(
    begin: Callable[[Call], Iterator[Step]],
    start: Call,
    first: Call,
    *,
    may_restart: bool,
    may_be_gone: bool = False,
) -> Iterator[Step]:
    """The steps from `start`; where the server asks to start over, once more, from `first`.

    With `may_be_gone` a 410 asks for that, too: the token of an earlier run is not known any more.
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
    except RequestError as error:
        if not may_be_gone or error.status != 410 or (given and not may_restart):  # noqa: PLR2004 - Gone
            raise
    else:
        return
    restarted = True
    for step in begin(first):
        yield replace(step, restarted=restarted)
        restarted = False


def _foreseen(
    pagination: Paginates, page: Page, following: Call, max_pages: int | None
) -> Foreseen | None:
    """The calls from `following` on, where `pagination` can tell or guess them."""
    if not isinstance(pagination, Counts):
        return None
    calls = pagination.ahead(following, page)
    certain = calls is not None
    calls = calls or pagination.guess(following)
    if calls is None:
        return None
    if max_pages is not None:
        calls = itertools.takewhile(lambda one: one.page <= max_pages, calls)
    return Foreseen(calls, certain)


class _Proof:
    """Remembers every request and the body and rows of every page as eight bytes each."""

    def __init__(self, seen: Seen) -> None:
        self._calls: set[int] = set()
        self._bodies: set[int] = set()
        self._rows: set[int] = set()
        self._before = {seen.first, seen.last} - {""}
        self._content: Hashable = None
        self._times = 1
        self.came_again = seen.again

    def of_call(self, call: Call) -> None:
        # All that a call holds is plain data, which `repr` tells apart and is quicker to write.
        key = hash(repr(call.identity))
        if key in self._calls:
            raise PaginationLoop(
                "the server gives a cursor it gave before",
                fix="check the pagination's cursor path and parameter",
            )
        self._calls.add(key)

    def of_page(self, page: Page, call: Call) -> Page:
        """`page`; without its rows where it only shows that the one before was the last."""
        if not page.count:
            return page
        digest, rows = page.digest, hash(page.content)
        is_end = call.probe and self._is_known(page)
        if is_end and not self.came_again:
            return page.past_the_end()
        if is_end or digest in self._bodies:
            raise PaginationLoop(
                "the server sends a page it sent before",
                fix="check that the API knows the pagination's parameters",
            )
        # Rows may be alike without being the same: this alone proves nothing.
        self.came_again |= self._is_known(page)
        self._bodies.add(digest)
        self._rows.add(rows)
        self._of_rows(page)
        return page

    def _is_known(self, page: Page) -> bool:
        """Whether its rows came before: in this run, or first or last of one that it goes on."""
        if hash(page.content) in self._rows or page.digest in self._bodies:
            return True
        return bool(self._before) and _digest(page) in self._before

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


def _digest(page: Page) -> str:
    """Stands for the rows of a page, also in another process."""
    content = page.content
    text = content if isinstance(content, bytes) else repr(content).encode()
    return hashlib.blake2b(text, digest_size=8).hexdigest() if page.count else ""
