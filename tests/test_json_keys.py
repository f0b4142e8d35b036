"""Keys that stand twice: found at any depth, however the JSON is written, and never where none is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.json_keys import have_keys_once, key_twice, key_twice_within


@pytest.mark.parametrize(
    ("line", "twice", "within"),
    [
        ('{"a":1,"b":{"a":1}}', None, None),
        ('{"a":1,"a":1}', "a", "a"),
        ('{"a":{"b":1,"b":2}}', None, "a.b"),
        ('{"x":1,"a":[{"b":1},[{"c":{"d":1,"d":1}}]]}', None, "a.c.d"),
        ('{ "a" : { "b" : 1.50 , "b" : 1.50 } }\n', None, "a.b"),
        ('{"a":{"\\u0062":1,"b":2}}', None, "a.b"),
        ('{"a":{"b":1e2,"c":12345678901234567890123,"b":0.10}}', None, "a.b"),
        ('{"a":{"b":1e2,"c":12345678901234567890123,"d":"\\u00e9\\/"}}', None, None),
        ('{"a":{"text":"\\"b\\":1,\\"b\\":2"}}', None, None),
        # As long as without the key: a number grows by what is dropped.
        ('{"a":{"b":1,"b":2,"c":1e5}}', None, "a.b"),
        ('{"a":{"":1,"":2}}', None, "a."),
    ],
)
def test_a_key_that_stands_twice(line: str, twice: str | None, within: str | None) -> None:
    assert (key_twice(line.encode()), key_twice_within(line.encode())) == (twice, within)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=2), VALUES), min_size=1, max_size=4),
    spaced=st.booleans(),
    plain=st.booleans(),
)
def test_where_no_key_stands_twice_none_is_found(
    rows: list[dict], spaced: bool, plain: bool
) -> None:
    separators = None if spaced else (",", ":")
    texts = [json.dumps(row, separators=separators, ensure_ascii=plain) for row in rows]
    try:
        lines = [text.encode() for text in texts]
    except UnicodeEncodeError:
        return
    assert [key_twice_within(line) for line in lines] == [None] * len(lines)


def test_lines_with_a_key_twice_are_never_sure() -> None:
    good, bad = b'{"a":{"b":1}}\n', b'{"a":{"b":1,"b":1}}\n'
    assert have_keys_once(good * 3)
    assert have_keys_once(b'{"a": {"b": 1}}\n' * 3)
    assert not have_keys_once(good + bad + good)
    assert not have_keys_once(b'{"a": {"b": 1, "b": 1}}\n')
