"""Rows found in one pass are those that a look at the whole body finds, or none are."""

from __future__ import annotations

import json
from contextlib import suppress
from unittest import mock

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector_assets.errors import ResponseError
from connector_assets.runtime.body import page as module
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.body.row_span import find_rows, in_last_row, may_see_rows
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.names.paths import Path

FIELDS = [
    "next", "rows", "data", "data.rows", "data.next", "rows.id", "id", '"é"', "rows[-1].id", "rows[-1].id.rows",
    "data.rows[-1].id", "rows[0]", "rows[].id", "*.id", "data.*", "next || id", "next || rows", "[-1].id", "[0].id",
    "[?id]", "data.rows[-1].id || next", "length(@)", '"ro\\u0077s"[0].id', "rows[-1]", "{a: next, b: data.next}",
]  # fmt: skip


def answer(body: bytes, status: int = 200) -> Answer:
    return Answer(status, httpx.Headers(), body, "https://api.example.com/v1")


def value_at(page: Page, path: str):
    try:
        return page.field(path)
    except ValueError as error:  # a function of JMESPath that does not take what is there
        return str(error)


def seen(body: bytes, path: str | None, root_key: str | None):
    """All that a walk sees of a page, or the error."""
    try:
        page = Page(answer(body), Path(path) if path else None, root_key)
    except ResponseError as error:
        return str(error)
    return {
        "count": page.count,
        "lines": page.ndjson(),
        "ends": page.ends,
        "fields": {name: value_at(page, name) for name in FIELDS},
        "last": [page.last(name) for name in ("id", "id.rows", "value", "rows[0].id")],
        "root": page.root_key,
    }


def same(text: str, path: str | None, root_key: str | None = None) -> None:
    body = text.encode()
    with mock.patch.object(module, "find_rows", return_value=None):
        whole = seen(body, path, root_key)
    assert seen(body, path, root_key) == whole
    assert digest_of(body, path, root_key) == digest_of(body, path, root_key)
    other = text.replace("1", "2").encode()
    is_other = digest_of(other, path, root_key) != digest_of(body, path, root_key)
    assert is_other or other == body or isinstance(whole, str)


def digest_of(body: bytes, path: str | None, root_key: str | None):
    """That of a page, None where it is none."""
    with suppress(ResponseError):
        return Page(answer(body), Path(path) if path else None, root_key).digest
    return None


spaces = st.sampled_from(["", "", "", " ", "\n", "\r\n\t", " \t\t\t "])
keys = st.sampled_from(["rows", "rows", "data", "next", "id", "é", "ro\\u0077s", 'a\\"rows'])
scalars = st.sampled_from(
    ["null", "true", "7", "-1.50", "1e400", "1" * 30, '"x"', '"é"', '""', '"\\\\"', '"\\ud83d\\ude00"',
     '"\\"rows\\":[{"', '"]"', '"}]"', '"},{\\"id\\":"', '"[]"', "[]", "{}"]
)  # fmt: skip


@st.composite
def lists(draw, values):
    space = draw(spaces)
    inner = f"{space},{draw(spaces)}".join(draw(st.lists(values, max_size=4)))
    return f"[{draw(spaces)}{inner}{space}]"


@st.composite
def objects(draw, values):
    """With keys that may come twice."""
    space, pairs = draw(spaces), draw(st.lists(st.tuples(keys, values), max_size=4))
    return "{" + f"{space},".join(f'{space}"{key}"{space}:{value}' for key, value in pairs) + "}"


values = st.recursive(scalars, lambda inner: lists(inner) | objects(inner), max_leaves=8)


@st.composite
def rows(draw):
    wide = '{"id":1,"text":"%s"}' % ("x" * draw(st.sampled_from([0, 40, 300])))
    row = st.just(wide) | objects(values) | values
    space = draw(spaces)
    return f"[{space}" + f",{space}".join(draw(st.lists(row, max_size=6))) + f"{space}]"


@st.composite
def documents(draw):
    text = draw(rows())
    for key in draw(st.sampled_from([["rows"], ["rows", "data"], ["data"], ["rows", "rows"], []])):
        others = st.lists(st.tuples(keys, values), max_size=2)
        pairs = [*draw(others), (key, text), *draw(others)]
        text = ",".join(f'"{name}"{draw(spaces)}:{value}' for name, value in pairs).join("{}")
    return draw(spaces) + text + draw(spaces)


FRAGMENTS = ["", ",", "[", "]", "{", "}", '"', "\\", "\t", "\n", ":", " ", '"rows":[', "],", '{"id":', "x", "\\ud800"]  # fmt: skip


@st.composite
def damaged(draw):
    """Mostly no JSON any more."""
    text = draw(documents())
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from(FRAGMENTS)) + text[at + draw(st.integers(0, 2)) :]


paths = st.sampled_from(
    [("rows", None), ("data.rows", None), ("rows.rows", None), (None, "rows"), (None, "data"), (None, None),
     ('"a\\"rows"', None)]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(documents(), paths)
@example('{"x":"\\"rows\\":[","rows":[{"id":1},{"id":2},{"id":3}]}', ("rows", None))
@example('{"data":{"rows":[{"id":1},{"id":2}]},"rows":[{"id":3}]}', ("rows", None))
@example('{"rows":[{"id":1},{"id":2}],"ro\\u0077s":[{"id":3}]}', ("rows", None))
@example('{"rows":[{"id":1}],"rows":[{"id":2},{"id":3}]}', ("rows", None))
@example('{"rows":[{"id":"1"},{"id":2}],"next":[{"id":3}]}', ("rows", None))
@example('{"data":{"rows":[{"id":1}]},"rows":[{"id":1}]}', ("rows", None))
@example('{"rows":[{"id":1},          {"id":2},{"id":3}],"data":[]}', ("rows", None))
def test_one_pass_finds_what_a_look_at_the_whole_body_finds(text: str, at) -> None:
    same(text, *at)


@settings(max_examples=200, deadline=None)
@given(damaged(), paths)
@example('{"rows":[{"id":1} {"id":2}],"next":1}', ("rows", None))
@example('{"rows":[{"id":1},,{"id":2}],"next":1}', ("rows", None))
@example('{"rows":[{"id":1},{"id":2},],"next":1}', ("rows", None))
@example('{"rows":[{"id":"a\tb"},{"id":2}],"next":1}', ("rows", None))
@example('{"rows":[{"id":1},{"id":2}],"next":1}}', ("rows", None))
@example('{"rows":[{"id":1},{"id":2}],"next":1', ("rows", None))
def test_one_pass_hides_no_fault(text: str, at) -> None:
    same(text, *at)


MANY = [{"id": n, "rows": [{"id": n}, {"id": "]}"}], "text": "x" * 20} for n in range(20)]
SHAPES = [
    ({"rows": MANY, "total": 5}, "rows"),
    ({"next": '"rows":', "rows": MANY}, "rows"),
    ({"meta": {"rows": 20}, "rows": MANY, "links": [], "warnings": [{"a": [1]}]}, "rows"),
    ({"data": {"rows": MANY}, "rows": 1}, "data.rows"),
    ({"x": {"rows": [1]}, "rows": MANY, "included": MANY}, "rows"),
    ({"rows": [1, None, *MANY]}, "rows"),
    ({"a b": MANY}, '"a b"'),
    ({"é": MANY}, '"é"'),
]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\r\n", " :\t")])
@pytest.mark.parametrize(("document", "path"), SHAPES)
def test_common_shapes_are_found_in_one_pass(document, path: str, separators) -> None:
    text = json.dumps(document, separators=separators, ensure_ascii=False)
    keys = Path(path).keys
    assert keys
    span = find_rows(text.encode(), keys)
    assert span
    assert [json.loads(bytes(row)) for row in span.rows] == Path(path).get(document)
    same(text, path)
    same(json.dumps(document, indent=2, ensure_ascii=False), path)


@pytest.mark.parametrize(
    ("path", "keys", "sees"),
    [
        ("total", ("data",), False),
        ("data", ("data",), True),
        ("data", ("data", "rows"), True),
        ("data.total", ("data", "rows"), False),
        ("data.rows.id", ("data", "rows"), False),  # a list has no keys
        ("meta.next || cursor", ("data",), False),
        ("data[-1].id", ("data",), True),
        ("*.id", ("data",), True),
        ("keys(@)", ("data",), True),
        ('"d\\u0061ta"[0]', ("data",), True),
        ("[0].id", (), True),
        ("id", (), False),
    ],
)
def test_a_path_sees_rows_only_where_it_may_lead_to_them(path: str, keys, sees: bool) -> None:
    assert may_see_rows(path, keys) is sees


@pytest.mark.parametrize(
    ("path", "keys", "within"),
    [
        ("data[-1].id", ("data",), "id"),
        ("data.rows[-1].a.b", ("data", "rows"), "a.b"),
        ("[-1].id", (), "id"),
        ("data[-1].id || x", ("data",), None),
        ("data[-1]", ("data",), None),
        ("data[-2].id", ("data",), None),
        ("data.rows[-1].id", ("data.rows",), None),
    ],
)
def test_what_is_asked_of_the_last_row_needs_no_other(path: str, keys, within) -> None:
    assert in_last_row(path, keys) == within
