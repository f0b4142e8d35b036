"""Bodies become rows exactly, or a clear error; a changed value never."""

from __future__ import annotations

import json

import httpx
import pytest

from connector_assets.errors import ResponseError
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.names.paths import Path


def answer(body, status=200, **headers):
    body = body if isinstance(body, bytes) else body.encode()
    return Answer(status, httpx.Headers(headers), body, "https://api.example.com/v1")


def page(body, path=None, status=200, **headers):
    return Page(answer(body, status, **headers), Path(path) if path else None)


@pytest.mark.parametrize(
    ("body", "path", "lines"),
    [
        ('[{"a":1},{"a":2}]', None, ['{"a":1}', '{"a":2}']),
        ('{"total":2,"items":[{"a":1}]}', None, ['{"a":1}']),
        ('{"a":1,"b":[1,2]}', None, ['{"a":1,"b":[1,2]}']),
        ('{"data":[{"a":1}],"errors":[]}', None, ['{"a":1}']),
        ('{"x":[{"a":1}],"y":[{"a":2}]}', None, ['{"x":[{"a":1}],"y":[{"a":2}]}']),
        ('{"total":0,"items":[]}', None, []),
        ("[]", None, []),
        ('{"data":{"items":[{"a":1}]}}', "data.items", ['{"a":1}']),
        ('{"rows":null}', "rows", []),
        ('{"rows":{"a":1}}', "rows", ['{"a":1}']),
        ('{"@odata.value":[{"a":1}]}', '"@odata.value"', ['{"a":1}']),
        ('{"rows":["x",7,null,[1]]}', "rows", ['{"value":"x"}', '{"value":7}', '{"value":null}', '{"value":[1]}']),
        ('{"g":[{"i":[{"a":1}]},{"i":[{"a":2.50}]}]}', "g[].i[]", ['{"a":1}', '{"a":2.50}']),
        ('\ufeff[{"a":1}]', None, ['{"a":1}']),
        ('[{"v":1' + "0" * 70 + "}]", None, ['{"v":1' + "0" * 70 + "}"]),
        ('[{"v":1.10},{"v":1e400}]', None, ['{"v":1.10}', '{"v":1e400}']),
        ('[{"a":"x\\ny"}]', None, ['{"a":"x\\ny"}']),
    ],
)  # fmt: skip
def test_rows_are_found_and_keep_their_bytes(body, path, lines):
    found = page(body, path)
    assert found.ndjson().decode().splitlines() == lines
    assert found.count == len(lines)


def test_pretty_printed_rows_become_one_line_each():
    body = json.dumps([{"a": "line\nend", "b": [1]}, {"a": 2}], indent=2)
    lines = page(body).ndjson().splitlines()
    assert [json.loads(line) for line in lines] == json.loads(body)


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ("<html>", None, "markup page"),
        ('{"rows":[{"a":1},', "rows", "ends in the middle"),
        (r'{"rows":[{"a":"\ud83d\u', "rows", "ends in the middle"),
        (r'[{"a":"\ud83d\ude00"},{"a":"\ud800"}]', None, "the body has, at byte 28, half a character"),
        (r'{"rows":[{"a":"x\udc00y"}]}', "rows", "at byte 16, half a character .* tell the vendor"),
        (r'[{"a":"\\ud800"},', None, "ends in the middle"),
        ("", None, "the body is empty"),
        ('{"items":[]}', "rows", '"rows" is absent; the keys there are "items"'),
        ('{"data":{"itemz":[]}}', "data.items", '"data.items" is absent; the keys there are "itemz"'),
        ("[]", "rows", '"rows" is absent; there is a list instead'),
        ('{"rows":5}', "rows", "neither a list nor an object"),
        ('{"rows":[NaN]}', "rows", "not JSON"),
        (b'{"rows":[{"a":"\xff"}]}', "rows", "not UTF-8"),
        ("[" * 100_000, None, "nested too deeply"),
        ('{"g":1}', "g[].i[]", "finds nothing"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_what_the_spec_says_is_an_error(body, path, message):
    with pytest.raises(ResponseError, match=message.replace("[", r"\[")):
        page(body, path)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('[{"a":"café"}]'.encode("latin-1"), "application/json; charset=iso-8859-1"),
        ('[{"a":"café"}]'.encode(), "application/json; charset=iso-8859-1"),
        ('[{"a":"café"}]'.encode("utf-16"), "application/json"),
    ],
)
def test_a_charset_is_believed_only_where_the_body_is_not_utf_8(body, content_type):
    assert page(body, **{"content-type": content_type}).records() == [{"a": "café"}]


def test_204_has_no_rows_and_202_is_no_answer_yet():
    assert page("", status=204).count == 0
    with pytest.raises(ResponseError, match="no rows yet"):
        page('{"status":"pending"}', status=202)


def test_the_root_list_of_the_first_page_is_kept_for_the_next():
    first = page('{"data":[{"a":1}],"errors":[]}')
    last = Page(answer('{"data":[],"errors":[]}'), None, first.root_key)
    assert last.count == 0


def test_cursors_are_read_without_decoding_the_rest():
    found = page('{"rows":[{"id":"r1"},{"id":9}],"meta":{"next":12345678901234567890123}}', "rows")
    assert found.field("meta.next") == 12345678901234567890123
    assert found.field("meta.absent") is None
    assert found.last("id") == 9


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"rows":[{"a":1}],"rows":[{"a":2}]}', "rows"),
        ('{"rows" : [{"a":1}], "rows" : []}', None),
        ('{"d":{"rows":[{"a":1}]},"d":{"rows":[{"a":2}]}}', "d.rows"),
        ('{"d":{"rows":[{"a":1}],"rows":null}}', "d.rows"),
    ],
)
def test_rows_under_a_key_that_comes_twice_are_not_dropped_in_silence(body, path):
    with pytest.raises(ResponseError, match="comes twice in one object"):
        page(body, path)


def test_a_key_may_come_again_within_rows_and_beside_them():
    body = '{"kind":"rows","rows":[{"rows":[{"rows":1}],"a":"rows"}],"more":{"rows":2}}'
    assert page(body, "rows").count == 1
    assert page(body).count == 1


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "UTF-32BE"])
def test_a_declared_charset_of_several_bytes_is_believed(charset):
    body = '[{"a":"caf\u00e9"}]'.encode(charset.lower())
    answered = answer(body, **{"content-type": f"application/json; charset={charset}"})
    assert Page(answered, None).records() == [{"a": "caf\u00e9"}]


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "idna", "zlib", "none"])
def test_what_is_no_charset_of_texts_changes_no_text(charset):
    answered = answer(b'[{"a":"\\u00e9 \xe9"}]', **{"content-type": f"x; charset={charset}"})
    with pytest.raises(ResponseError, match="declared charset"):
        Page(answered, None)
