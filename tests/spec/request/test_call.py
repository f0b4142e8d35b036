"""A call as the text of a checkpoint: two encoders, one text."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.spec.request import stored
from connector_assets.spec.request.call import Call
from connector_assets.spec.request.stored import Deferred, NoSecrets, dumps

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.decimals(allow_nan=False)
    | st.builds(Deferred, st.text(max_size=6))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
CALLS = st.builds(
    Call,
    method=st.just("GET"),
    url=st.text(max_size=12),
    params=st.dictionaries(st.text(max_size=4), VALUES, max_size=3),
    headers=st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.none(), max_size=2),
    body=VALUES,
    page=st.integers(1, 9),
    rows_before=st.integers(0, 2**70),
)


def slowly(value):
    return stored._encoder.encode(stored._stored(value, NoSecrets()))


@given(call=CALLS)
def test_a_call_comes_back_from_its_text(call):
    assert Call.loads(call.dumps()) == call


@given(call=CALLS, number=st.integers(), item=st.text(max_size=6), position=VALUES)
def test_the_text_is_the_same_whatever_writes_it(call, number, item, position):
    mark = {"now": "2026-01-01", "number": number, "item": item, "call": call, "at": position}
    assert dumps(mark) == slowly(mark)


@pytest.mark.parametrize(
    "value", [1, -(2**70), 1.5, float("inf"), "é", "\ud800", "a\x7f\n\x01/<", Decimal("1.10"), True]
)
def test_no_value_is_written_otherwise(value):
    for call in (Call("GET", "u", {"a": value}), Call("GET", "u", body={"a": [value]})):
        assert json.loads(call.dumps()) == json.loads(slowly(call))
        assert call.dumps() == slowly(call)
