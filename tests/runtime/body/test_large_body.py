"""A large body is read as a small one would be: the same rows, fields and errors."""

from __future__ import annotations

import io
import json

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector_assets.errors import ResponseError
from connector_assets.runtime.body import json_blocks, large_body, large_text, stored_rows
from connector_assets.runtime.body.large_body import page_of
from connector_assets.runtime.body.large_page import LargePage
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.endpoint import EndpointDefaults

FIELDS = ["next", "a", "a.b", "a.b.c", "a[-1].b", "a.b[-1].c", "[-1].a", "b[0]", "a[].b | [0]", "a[1].b", "*.a", "x", "a[-1].zz || next", 'x."#text"']  # fmt: skip


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(stored_rows, "BLOCK", 7)
    monkeypatch.setattr(json_blocks, "_READ", 3)
    monkeypatch.setattr(large_body, "_STEP", 3)
    monkeypatch.setattr(large_text, "_STEP", 3)


def answered(body, content_type, *, large):
    headers = httpx.Headers({"content-type": content_type})
    file = io.BytesIO(body) if large else None
    return Answer(200, headers, body, "https://a/", file=file)


def seen(body, form="json", path=None, content_type="", root_key=None, *, large, **more):
    """All that a walk sees of a page, or the error."""
    given = {"responseFormat": form, **more}
    given |= {"responseRowsPath": path} if path else {}
    endpoint = EndpointDefaults.model_validate(given)
    try:
        page = page_of(answered(body, content_type, large=large), endpoint, root_key)
    except ResponseError as error:
        return str(error)
    parts = list(page.parts())
    return {
        "ends": page.ends,
        "lines": b"".join(part.ndjson() for part in parts),
        "counts": (page.count, sum(part.count for part in parts)),
        "fields": {name: page.field(name) for name in FIELDS},
        "parts' fields": [part.field("next") for part in parts[:1]],
        "last": [page.last(name) for name in ("a", "b.c")],
        "root": page.root_key,
    }


def same(body, *given, **more):
    small = seen(body, *given, large=False, **more)
    # Some hold a row at most, some are leapt to over rows, some hold all of them.
    for size in (7, 30, 60, 1_000):
        stored_rows.BLOCK = size
        assert seen(body, *given, large=True, **more) == small


ROWS = [{"a": n, "b": {"c": "x]}" * n}} for n in range(9)]
BODIES = [
    (ROWS, None),
    ({"a": ROWS, "next": 2}, "a"),
    ({"next": ']}\\"', "a": {"x": [[1], {"b": 1}], "b": ROWS, "z": []}, "y": {"a": 1}}, "a.b"),
    ({"a": {"b": {"c": ROWS}}}, "a.b.c"),
    ({"a": ROWS, "next": 2}, None),
    ({"x": [1, 2], "a": ROWS, "y": []}, None),
    ({"a": ROWS, "b": ROWS}, None),
    ({"a": [*ROWS, 1]}, None),
    ({"a": [1, *ROWS]}, None),
    ({"a": [], "next": "n" * 40}, None),
    ({"a": [], "b": [], "next": "n" * 40}, None),
    ({"a": ROWS}, "b"),
    ({"a": ROWS}, "a.b"),
    ({"a": {"b": 1}}, "a"),
    ({"a": None}, "a"),
    ({"a": "x"}, "a"),
    ({"a": [1, None, "x", [], {}, -1.50, [[]]]}, "a"),
    ({"a": ROWS}, "a[*].b"),
    ([], None),
    ({}, None),
    ({}, "a"),
    ("text", None),
    (None, None),
    ([[], [1]], None),
    ({"a b": ROWS, "next": 1}, '"a b"'),
    ({"a.b": ROWS, "a": {"b": [{"c": 1}]}}, '"a.b"'),
    ({"é": ROWS}, '"é"'),
]


@pytest.mark.parametrize("space", ["", " ", "\r\n\t "])
@pytest.mark.parametrize(("document", "path"), BODIES)
def test_a_json_document_is_cut_into_the_rows_of_the_whole(document, path, space):
    text = json.dumps(document, separators=(f"{space},{space}", f"{space}:{space}"))
    same(f"{space}{text}{space}".encode(), "json", path)


def test_most_documents_are_read_in_parts():
    parts = 0
    for document, path in BODIES:
        body = json.dumps(document).encode()
        more = {"responseRowsPath": path} if path else {}
        try:
            page = page_of(
                answered(body, "", large=True), EndpointDefaults.model_validate(more), None
            )
        except ResponseError:
            continue
        parts += isinstance(page, LargePage) and len(list(page.parts())) > 5
    assert parts >= 9


GOOD = b'{"a": [{"b": 1}, {"b": "x,y"}, 3], "next": 1}'
BROKEN = [
    *(GOOD[:at] for at in range(len(GOOD))),
    GOOD.replace(b"3]", b"3,]"),
    GOOD.replace(b", 3]", b",]"),
    GOOD.replace(b", 3]", b" , ]"),
    GOOD.replace(b"[{", b"[,{"),
    GOOD.replace(b"}, {", b"},, {"),
    GOOD.replace(b"}, {", b"} {"),
    GOOD.replace(b"3]", b"3}"),
    GOOD.replace(b'y"}', b'y"]'),
    GOOD.replace(b'y"}', b"y}"),
    GOOD.replace(b"1}, ", b"1}x, "),
    GOOD.replace(b"x,y", b"\\q"),
    GOOD.replace(b"x,y", b"a\x01b"),
    GOOD.replace(b"x,y", b"\xff"),
    GOOD.replace(b"x,y", "é€😀".encode()),
    GOOD.replace(b"x,y", b"\\ud83d and more"),
    GOOD.replace(b'"next": 1', b'"next": {"a": 1}'),
    GOOD.replace(b'"next": 1', b'"next": 01'),
    GOOD.replace(b'"next": 1', b'"next" 1'),
    GOOD.replace(b"3]", b"NaN]"),
    GOOD.replace(b"3]", b"1e999999]"),
    GOOD.replace(b"3]", b"1.]"),
    GOOD.replace(b"3]", b"tru]"),
    GOOD.replace(b'{"a"', b"{a"),
    GOOD.replace(b'{"a"', b'{,"a"'),
    GOOD.replace(b'{"a"', b'{"x": 1,, "a"'),
    GOOD.replace(b'{"a"', b'{"x": [1], "\\u0061"'),
    GOOD + b"x",
    GOOD + b"]",
    GOOD + GOOD,
    b"<html>" + GOOD,
    b"   ",
    b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"a": [' + b"[" * 5000 + b"]" * 5000 + b"]}",
    b'{"a": [' + b'{"b":' * 5000,
]  # fmt: skip


@pytest.mark.parametrize("path", ["a", None])
@pytest.mark.parametrize("body", BROKEN)
def test_what_is_wrong_is_told_as_of_a_small_body(body, path):
    same(body, "json", path)
    if path is None:
        same(b"[%b]" % body, "json")


@pytest.mark.parametrize("again", ['"a": 1', '"a": []', '"a": [{}]', '"\\u0061": [{}]'])
def test_rows_that_come_twice_are_an_error(again):
    body = GOOD.replace(b'"next": 1', again.encode())
    for path in ("a", None):
        assert "comes twice in one object" in seen(body, "json", path, large=True)


@pytest.mark.parametrize(
    ("charset", "content_type"),
    [
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16", "application/json; charset=latin-1"),
        ("utf-16-le", "application/json; charset=utf-16-le"),
        ("utf-16-le", ""),
        ("utf-32", "application/json; charset=utf-32"),
        ("latin-1", "application/json; charset=ISO-8859-1"),
        ("latin-1", ""),
        ("latin-1", "application/json; charset=utf-8"),
        ("latin-1", "application/json; charset=unicode_escape"),
        ("latin-1", "application/json; charset=hex"),
        ("latin-1", "application/json; charset=x-none"),
        ("latin-1", "application/json; charset=ascii"),
        ("utf-8", "application/json; charset=latin-1"),
        ("cp1252", "application/json; charset=windows-1252"),
        ("shift_jis", "application/json; charset=shift_jis"),
    ],
)
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "xml"])
def test_charsets_are_undone_as_for_a_small_body(form, charset, content_type):
    odd = "ソ表" if charset == "shift_jis" else "é£"
    bodies = {
        "json": (json.dumps([{"a": odd * n} for n in range(9)], ensure_ascii=False), None),
        "jsonl": ("".join(f'{{"a": "{odd * n}"}}\n' for n in range(9)), None),
        "csv": ("a,b\n" + "".join(f"{odd},{n}\r\n" for n in range(9)), None),
        "xml": (f"<a>{''.join(f'<b>{odd * n}</b>' for n in range(9))}</a>", "a.b"),
    }
    text, path = bodies[form]
    same(text.encode(charset), form, path, content_type)


def test_a_root_key_of_an_earlier_page_is_kept():
    same(json.dumps({"a": ROWS, "b": ROWS}).encode(), "json", None, "", "b")
    same(json.dumps({"a": ROWS}).encode(), "json", None, "", "b")
    same(json.dumps(ROWS).encode(), "json", None, "", "b")


keys = st.sampled_from(["a", "b", "c", "next", "é", 'q"\\'])
scalars = st.none() | st.booleans() | st.integers() | st.text(']},:"\\ {[aé\n', max_size=8)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=30,
)
paths = st.sampled_from([None, "a", "b", "a.b", "a.b.c", "c.a", "a[*].b"])


@settings(max_examples=150, deadline=None)
@given(documents, paths, st.sampled_from([None, 1]), st.booleans())
@example({"a": [{"a": 1}]}, None, None, False)
def test_any_document_is_read_as_a_small_one(document, path, indent, ascii_only):
    same(json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode(), "json", path)


@settings(max_examples=150, deadline=None)
@given(documents, paths, st.data())
def test_any_damage_is_told_as_of_a_small_body(document, path, data):
    body = bytearray(json.dumps({"a": [document, document], "b": document}).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 3))] = data.draw(
        st.sampled_from([b"", b",", b'"', b"]", b"}", b"[", b"\\", b"x", b"\xff"])
    )
    same(bytes(body), "json", path)


XML = [
    "<a><b>1</b><b>2</b></a>",
    "<a><b>1</b></a>",
    "<a><b/></a>",
    "<a><b/><b/></a>",
    "<a/>",
    "<a> </a>",
    "<a>text</a>",
    "<a x='1'/>",
    "<a x='1'>text<b y='2'>3<c/></b></a>",
    "<a><next>n</next><b><a>1</a><b><c>1</c></b></b>\n<b><a>2</a></b>\n</a>",
    "<a><x>1</x></a>",
    "<b><a/></b>",
    "<a><b><c>1</c><c>2</c></b></a>",
    "<a><b><c>1</c></b><b><c>2</c></b></a>",
    "<a><b/><b><c>2</c></b></a>",
    "<a><b><c><b><c>1</c></b></c></b></a>",
    "<?xml version='1.0' encoding='utf-8'?><a><b>é</b></a>",
    "<!DOCTYPE a><a><b>1</b></a>",
    "<a><b>1</b></a><a/>",
    "<a><b>1</b>",
    "<a><b>1</a>",
    "<a><b>&amp;&#10;</b><b>&x;</b></a>",
    "<a><b><![CDATA[<b>1</b>]]></b></a>",
    "",
    "{}",
    "<a>" + "<b>" * 101 + "</b>" * 101 + "</a>",
]


@pytest.mark.parametrize("path", [None, "a", "a.b", "a.b.c", 'a."@x"', "a.b[*].c"])
@pytest.mark.parametrize("body", XML)
def test_elements_are_the_rows_of_the_whole(body, path):
    same(body.encode(), "xml", path)


def test_elements_that_are_held_are_counted(monkeypatch):
    monkeypatch.setattr("connector_assets.runtime.body.xml_tree.MAX_ELEMENTS", 10)
    body = b"<a>" + b"<b><c>1</c></b>" * 50 + b"</a>"
    assert seen(body, "xml", "a.b", large=True)["counts"] == (50, 50)
    assert "more than 10 elements" in seen(body, "xml", "a", large=True)


LINES = [
    ("jsonl", b'{"a": 1}\n\n{"a": 2}\r\n  3  \nnull'),
    ("jsonl", b'{"a": 1}\n{"a"\n'),
    ("jsonl", b'{"a": 1} {"a": 2}\n'),
    ("jsonl", b'{"a": 1},\n{"a": 2}\n'),
    ("jsonl", b"[1,2]\n[\n]\n"),
    ("jsonl", b""),
    ("jsonl", b"\n\n"),
    ("csv", b'a,b\n1,"x\r\ny"\n2,"q""q"\n\n3,\n'),
    ("csv", b"a,b\n1\n"),
    ("csv", b'a,b\n1,"x'),
    ("csv", b"a,a\n1,2\n"),
    ("csv", b""),
    ("csv", b"<!doctype html>"),
]


@pytest.mark.parametrize("path", [None, "a", "[*].a"])
@pytest.mark.parametrize(("form", "body"), LINES)
def test_lines_are_the_rows_of_the_whole(form, body, path):
    same(body, form, path)
