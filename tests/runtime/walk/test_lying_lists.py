"""Servers that lie about a list: totals, page numbers, bodies that change around the same rows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import httpx
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from connector_assets.errors import PaginationLoop
from connector_assets.spec.request.call import Call
from tests.runtime.walk.test_prefetch import read, spec_of


def rows_of(got):
    return [row["id"] for rows, _ in got for row in rows]


def listing(size=10, rows=35, **told):
    """An honest list, except for what it tells beside its rows."""

    def answer(request):
        query = request.url.params
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * size
        page = [{"id": n} for n in range(start, min(start + size, rows))]
        return httpx.Response(200, json={"rows": page, **told})

    return answer


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("kind", ["offset", "page"])
@pytest.mark.parametrize("total", [0, 1, 9, 25])
def test_a_total_below_what_came_is_no_total(kind, total, concurrency):
    pagination = f"{{type: {kind}, pageSize: 10, totalField: total}}"
    (got, error), stats = read(spec_of(pagination, concurrency), listing(total=total))
    assert error is None
    assert rows_of(got) == list(range(35))
    assert stats.notes == []


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_number_of_pages_below_the_page_is_no_number(pages, concurrency):
    pagination = "{type: page, pageSize: 10, startAt: 1, totalPagesField: pages}"
    (got, error), _ = read(spec_of(pagination, concurrency), listing(pages=pages))
    assert error is None
    # One page of one is believed; page 3 of 2 and page 1 of 0 are not.
    assert rows_of(got) == list(range({0: 35, 1: 10, 2: 20}[pages]))


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("total", [36, 1000])
def test_fewer_rows_than_told_are_noted(total, concurrency):
    pagination = "{type: offset, pageSize: 10, totalField: total}"
    (got, error), stats = read(spec_of(pagination, concurrency), listing(total=total))
    assert error is None
    assert rows_of(got) == list(range(35))
    assert stats.lacks == [f"the server told of {total} rows and gave 35"]
    assert not stats.complete


def test_as_many_rows_as_told_need_no_note():
    pagination = "{type: offset, pageSize: 10, totalField: total}"
    stats = read(spec_of(pagination, 1), listing(total=35))[1]
    assert (stats.lacks, stats.complete) == ([], True)


@pytest.mark.parametrize("more", ["maxPages: unlimited", "maxPages: 100"])
@pytest.mark.parametrize(
    "pagination",
    ["type: offset, pageSize: 2", "type: page, pageSize: 2", "type: cursor, cursorField: next"],
)
def test_the_same_rows_with_a_fresh_time_and_cursor_are_a_loop(pagination, more):
    numbers = itertools.count()

    def answer(_request):
        body = {"rows": [{"id": 1}, {"id": 2}], "at": next(numbers), "next": f"c{next(numbers)}"}
        return httpx.Response(200, json=body)

    (got, error), stats = read(spec_of(f"{{{pagination}, {more}}}", 1), answer)
    assert error[0] is PaginationLoop
    assert "the same rows 3 times" in error[1]
    assert (len(got), stats.calls) == (2, 3)


def test_pages_of_rows_that_are_alike_are_no_loop():
    def answer(request):
        start = int(request.url.params["offset"])
        rows = [{"up": True}] * 2 if start < 20 else []
        return httpx.Response(200, json={"rows": rows, "at": start})

    (got, error), _ = read(spec_of("{type: offset, pageSize: 2}", 4), answer)
    assert error is None
    assert sum(len(rows) for rows, _ in got) == 20


def test_rows_that_come_again_later_are_no_loop():
    def answer(request):
        number = int(request.url.params["offset"]) // 2
        rows = [{"up": number % 3 > 0}, {"up": number % 3 == 0}] if number < 30 else []
        return httpx.Response(200, json={"rows": rows, "at": number})

    (got, error), _ = read(spec_of("{type: offset, pageSize: 2}", 4), answer)
    assert error is None
    assert sum(len(rows) for rows, _ in got) == 60


@dataclass(frozen=True)
class Liar:
    """A list in pages of its own making, and what its server says of them.

    `pages` are how many rows each holds. By offset a page is what is given at the place where the
    one before ended; an empty one hides all of its places.
    """

    kind: str
    size: int
    pages: tuple[int, ...]
    told: str
    past_end: str

    @property
    def rows(self):
        return list(range(sum(self.pages)))

    @property
    def starts(self):
        return list(itertools.accumulate(self.pages, initial=0))

    def __call__(self, request):
        query = request.url.params
        at = int(query["page"]) - 1 if self.kind == "page" else self._at(int(query["offset"]))
        if at < len(self.pages):
            return httpx.Response(200, json=self.page(at))
        if self.past_end == "repeat" and self.pages:
            return httpx.Response(200, json=self.page(len(self.pages) - 1) | {"asked": str(query)})
        if self.past_end == "first" and self.pages:
            return httpx.Response(200, json=self.page(0) | {"asked": str(query)})
        if self.past_end.isdigit():
            return httpx.Response(int(self.past_end))
        return httpx.Response(200, json={"rows": [], **self.beside(0)})

    def _at(self, offset):
        places = itertools.accumulate((count or self.size for count in self.pages), initial=0)
        return next((n for n, place in enumerate(places) if place >= offset), len(self.pages))

    def page(self, at):
        ids = range(self.starts[at], self.starts[at + 1])
        return {"rows": [{"id": n} for n in ids], **self.beside(len(ids))}

    def beside(self, count):
        told = {
            "rows": {"total": len(self.rows)},
            "more": {"total": len(self.rows) + 3},
            "page": {"total": count},
            "cap": {"total": min(len(self.rows), 2 * self.size)},
            "pages": {"pages": len(self.pages)},
        }
        return told.get(self.told, {})

    @property
    def pagination(self):
        told = ", totalPagesField: pages" if self.kind == "page" else ""
        return f"{{type: {self.kind}, pageSize: {self.size}, totalField: total{told}}}"

    @property
    def is_found_out(self):
        """Whether its lies can be told from what an honest server says."""
        received = 0
        for at, count in enumerate(self.pages):
            received += count
            rest = self.pages[at + 1 :]
            total = self.beside(count).get("total")
            if not count and not (total and total > received) and any(rest):
                return False  # an end like any other, unless its number is told
            if total == received and count < self.size and any(rest):
                return False  # an honest list ends so
        return True


liars = st.builds(
    Liar,
    kind=st.sampled_from(["offset", "page"]),
    size=st.just(4),
    pages=st.lists(st.sampled_from([4, 4, 4, 3, 1, 0]), max_size=8).map(tuple),
    told=st.sampled_from(["", "", "rows", "more", "page", "cap", "pages"]),
    past_end=st.sampled_from(["empty", "404", "400", "416", "repeat", "first"]),
)


def outcome(liar, concurrency, start=None):
    (got, error), stats = read(spec_of(liar.pagination, concurrency), liar, start=start)
    return got, error, stats.complete


@settings(max_examples=120)
@given(liars)
def test_a_list_comes_whole_and_once_or_with_a_red_sign(liar):
    if liar.told == "pages":
        assume(liar.kind == "page")
    else:
        assume(liar.is_found_out)
    got, error, complete = outcome(liar, 1)
    found = rows_of(got)
    assert error or not complete or found == liar.rows
    # What is honest is not called a liar, unless it refuses a page that it must be asked for.
    if liar.told in ("", "rows", "pages") and liar.past_end == "empty":
        assert (error, complete, found) == (None, True, liar.rows)


# Rows of the first page once more, which a run that goes on has not seen itself.
@example(Liar("offset", 4, (3, 4), "more", "first"), 0)
@example(Liar("offset", 4, (3, 4), "more", "first"), 1)
@settings(max_examples=150)
@given(liars, st.integers(0, 8))
def test_in_parallel_or_gone_on_with_a_list_is_the_same(liar, cut):
    alone = outcome(liar, 1)
    assert outcome(liar, 4) == alone
    got, error, complete = alone
    if cut < len(got) and (following := got[cut][1]):
        rest = outcome(liar, 4, Call.loads(following))
        if error is None:
            assert rest == (got[cut + 1 :], None, complete)
