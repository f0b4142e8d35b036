"""Servers that lie about a list: totals, page numbers, bodies that change around the same rows."""

from __future__ import annotations

import itertools

import pytest

from connector_assets.errors import PaginationLoop
from tests.runtime.test_prefetch import read, spec_of


def rows_of(got):
    return [row["id"] for rows, _ in got for row in rows]


def listing(size=10, rows=35, **told):
    """An honest list, except for what it tells beside its rows."""

    def answer(request):
        import httpx

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
    assert stats.notes == [f"the server told of {total} rows and gave 35"]


def test_as_many_rows_as_told_need_no_note():
    pagination = "{type: offset, pageSize: 10, totalField: total}"
    assert read(spec_of(pagination, 1), listing(total=35))[1].notes == []


@pytest.mark.parametrize("more", ["maxPages: unlimited", "maxPages: 100"])
@pytest.mark.parametrize(
    "pagination",
    ["type: offset, pageSize: 2", "type: page, pageSize: 2", "type: cursor, cursorField: next"],
)
def test_the_same_rows_with_a_fresh_time_and_cursor_are_a_loop(pagination, more):
    import httpx

    numbers = itertools.count()

    def answer(_request):
        body = {"rows": [{"id": 1}, {"id": 2}], "at": next(numbers), "next": f"c{next(numbers)}"}
        return httpx.Response(200, json=body)

    (got, error), stats = read(spec_of(f"{{{pagination}, {more}}}", 1), answer)
    assert error[0] is PaginationLoop
    assert "the same rows 3 times" in error[1]
    assert (len(got), stats.calls) == (2, 3)


def test_pages_of_rows_that_are_alike_are_no_loop():
    import httpx

    def answer(request):
        start = int(request.url.params["offset"])
        rows = [{"up": True}] * 2 if start < 20 else []
        return httpx.Response(200, json={"rows": rows, "at": start})

    (got, error), _ = read(spec_of("{type: offset, pageSize: 2}", 4), answer)
    assert error is None
    assert sum(len(rows) for rows, _ in got) == 20


def test_rows_that_come_again_later_are_no_loop():
    import httpx

    def answer(request):
        number = int(request.url.params["offset"]) // 2
        rows = [{"up": number % 3 > 0}, {"up": number % 3 == 0}] if number < 30 else []
        return httpx.Response(200, json={"rows": rows, "at": number})

    (got, error), _ = read(spec_of("{type: offset, pageSize: 2}", 4), answer)
    assert error is None
    assert sum(len(rows) for rows, _ in got) == 60
