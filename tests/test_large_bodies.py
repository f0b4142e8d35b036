"""Answers that are larger than what is held of them at a time: memory does not grow with them."""

from __future__ import annotations

import duckdb
import pytest

from connector_assets.errors import ConnectorError
from tests.large import FIRST, FORMS, PATHS, bodies, format_of, peak
from tests.loopback import serving
from tests.shop import shop_spec
from tests.test_exports import Shop

SPEC = shop_spec("""
auth: [{type: none}]
endpoints:
  - id: orders
    url: "{{base_url}}/orders"
    responseFormat: FORMAT
    maxResponseBytes: 1000000000
    retry: {maxAttempts: 1}
read: {primary: orders}
""")
PAGED = """pagination: {type: page, pageParam: page, totalPagesHeader: pages}
    rateLimit: {concurrency: 4}"""


@pytest.fixture
def shop(tmp_path):
    with serving(lambda _request: (200, b"")) as api:
        yield Shop(api, tmp_path)


def spec(form, *more):
    path = [f"responseRowsPath: {PATHS[form]}"] if form in PATHS else []
    text = SPEC.replace("FORMAT", format_of(form))
    return text.replace("retry:", "\n    ".join([*path, *more, "retry:"]))


def serve(shop, form, megabytes, count=1):
    body = bodies(form, megabytes)
    shop.api.answer = lambda request: (
        200,
        body(int(request.query.get("page", 1))),
        {"pages": str(count), "Content-Type": "text/plain"},
    )


@pytest.mark.parametrize("form", FORMS)
def test_all_parts_of_an_answer_are_its_rows(shop, form):
    serve(shop, form, 10)
    assert shop.load(spec(form)).stats.calls == 1
    with duckdb.connect(str(shop.folder / "data.duckdb"), read_only=True) as db:
        sql = "select count(*), count(distinct id), max(id::int), sum(length(n)) from shop.orders"
        assert db.sql(sql).fetchall() == [(10_000, 10_000, FIRST + 9_999, 9_780_000)]


@pytest.mark.parametrize("end", [b'{"id": 1', b'{"id": 1}\n[', b"\xff\n"])
def test_an_answer_that_is_wrong_at_its_end_leaves_the_table(shop, end):
    shop.api.answer = lambda _: (200, b'{"id": 0}\n')
    shop.load(spec("jsonl"))
    whole = bodies("jsonl", 5)(1)
    shop.api.answer = lambda _: (200, whole + end)
    with pytest.raises(ConnectorError):
        shop.load(spec("jsonl"))
    assert shop.ids() == [0]


@pytest.mark.parametrize("answer", [(200, b""), (204, b""), (200, b"\n\n")])
def test_an_answer_without_lines_has_no_rows(shop, answer):
    shop.api.answer = lambda _: answer
    assert shop.load(spec("jsonl")).loaded.rows == 0


def test_a_rule_decides_before_a_line_is_read(shop):
    shop.api.answer = lambda _: (404, b"no orders yet")
    text = spec("jsonl", "errors: [{status: 404, action: ignore}]")
    assert shop.load(text).loaded.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_the_answer(shop, form):
    grows_not(shop, form, 30, 300)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_pages_read_side_by_side(shop, form):
    grows_not(shop, form, 30, 100, count=6)


@pytest.mark.slow
def test_memory_does_not_grow_with_what_is_loaded(shop):
    # Below some 300 MB the destination itself takes more the more it is given, up to its limit.
    grows_not(shop, "rows.json", 300, 600, "load")


def grows_not(shop, form, few, many, *command, count=1):
    took, more = {}, [PAGED] if count > 1 else []
    for megabytes in (few, many):
        serve(shop, form, megabytes, count)
        took[megabytes] = peak(shop.api, shop.folder / "run", spec(form, *more), *command)
    print(form, took)
    assert took[many][0] < took[few][0] + 64, took
