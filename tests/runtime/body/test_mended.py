"""NaN, Infinity and half characters: the row and the column are named, or the row is set aside."""

from __future__ import annotations

import io

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import ResponseError
from connector_assets.runtime.body import json_blocks, mended, stored_rows
from connector_assets.runtime.body.large_body import page_of
from connector_assets.runtime.body.mended import Mending, set_aside
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.endpoint import EndpointDefaults
from connector_assets.spec.stream.odd_text import OddText

ASIDE = Mending(sets_aside=True)
LIST = rb"""[{"id":1,"v":"NaN, x\"\ud83d\ude00"},
 {"id":2,"v":{"w":[1,%b]}},{"id":3}, {"v":-Infinity}]"""
FORMS = [
    ("json", None, b"%b"),
    ("json", "data", b'{"n": "NaN", "data": %b, "next": 7}'),
    ("json", "a.b", b'{"a": {"b": %b, "c": [{}]}}'),
    ("json", "data[]", b'{"data": %b}'),
    ("json", None, b'{"data": %b, "next": 7}'),
]
TOKENS = [
    (b"NaN", "NaN, which is no JSON number", b'"NaN"', b"null"),
    (b"-Infinity", "-Infinity, which is no JSON number", b'"-Infinity"', b"null"),
    (rb'"a\\\ud800"', "half a character (\\ud800, a surrogate", rb'"a\\\\ud800"', rb'"a\\\ufffd"'),
    (rb'"\uDC00x"', "half a character (\\uDC00, a surrogate alone)", rb'"\\uDC00x"', rb'"\ufffdx"'),
]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(stored_rows, "BLOCK", 7)
    monkeypatch.setattr(json_blocks, "_READ", 3)
    monkeypatch.setattr(mended, "_READ", 3)


def page(body, how=ASIDE, form="json", path=None, *, large=False):
    found = {"responseFormat": form} | ({"responseRowsPath": path} if path else {})
    answer = Answer(
        200, httpx.Headers(), body, "https://a/", file=io.BytesIO(body) if large else None
    )
    return page_of(answer, EndpointDefaults.model_validate(found), None, how)


def parted(found):
    """The rows that are whole, and the others with the reasons, of all parts."""
    lines = b"".join(part.ndjson() for part in found.parts())
    runs = list(set_aside(lines, found.count))
    assert found.count == sum(count + bool(aside) for _, count, aside in runs)
    return b"".join(kept for kept, _, _ in runs), [aside for *_, aside in runs if aside]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("odd", TOKENS)
def test_the_row_is_set_aside_or_named(odd, written, large):
    (token, word, shown, instead), (form, path, around) = odd, written
    body = around % (LIST % token)
    kept, aside = parted(page(body, form=form, path=path, large=large))
    assert (kept.count(b"\n"), b'"id":3' in kept) == (2, True)
    assert shown in aside[0][0]
    assert aside[0][1].startswith(f'column "v" has {word}')
    assert aside[1] == (b'{"v":"-Infinity"}\n', 'column "v" has -Infinity, which is no JSON number')
    with pytest.raises(ResponseError) as refused:
        page(body, Mending(), form, path, large=large)
    assert refused.value.what.startswith(f'row 2: column "v" has {word}')
    assert "set schemaPolicy to quarantine" in refused.value.fix
    text = OddText(surrogates="replace", nan="nullify")
    lines, none = parted(page(body, Mending(text), form, path, large=large))
    lines = lines.replace("\ufffd".encode(), rb"\ufffd")
    assert (none, instead in lines, lines.count(b"\n")) == ([], True, 4)


@pytest.mark.parametrize("large", [False, True])
def test_lines_are_mended_as_well(large):
    body = b'{"id":1}\n\n{"id":NaN}\n{"id":2,"\\udfff":1}\n'
    kept, aside = parted(page(body, form="jsonl", large=large))
    reasons = [reason for _, reason in aside]
    assert kept == b'{"id":1}\n'
    assert reasons[0] == 'column "id" has NaN, which is no JSON number'
    assert reasons[1] == 'the key "\\udfff" has half a character'


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [{"id": 1}], "next": NaN}',
        rb'{"data": [{"id": 1}], "next": "\ud800"}',
        b'{"data": [{"id": NaN}], "next": NaN}',
        b'[{"id": NaN}, {"id": Nan}]',
        b'[{"id": NaN}, {"id": "a',
        b'[{"id": NaN}, {"id": "a\\',
    ],
)
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("how", [ASIDE, Mending(OddText(surrogates="strip"))])
def test_what_is_wrong_beside_the_rows_stays_an_error(body, how, large):
    if b"\\ud800" in body and not how.sets_aside:
        return
    with pytest.raises(ResponseError, match=r"not JSON|half a char|row 1"):
        page(body, how, path="data" if body[:1] == b"{" else None, large=large)


def test_a_server_cannot_set_the_mark():
    body = b'[{"id":NaN}]'
    shown = parted(page(body))[1][0][0]
    assert shown == b'{"id":"NaN"}\n'
    assert page(b'[{"id":"NaN"}]').ndjson() == shown
    assert list(set_aside(shown, 1)) == [(shown, 1, None)]


@given(st.text('ab"\\{}[],: ', max_size=30), st.integers(0, 3))
def test_texts_are_never_changed(text, number):
    import msgspec

    rows = [{"t": text}] * number + [{"t": text + "NaN"}]
    line = msgspec.json.encode(rows)[:-1] + b',{"n":NaN}]'
    for large in (False, True):
        kept, aside = parted(page(line, large=large))
        assert [msgspec.json.decode(one) for one in kept.splitlines()] == rows
        assert len(aside) == 1
