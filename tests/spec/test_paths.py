"""Paths: what can never work is a fault when they are read, the rest an error of the answer."""

from __future__ import annotations

import re

import pytest

from connector_assets.errors import ResponseError
from connector_assets.spec.names.paths import MISSING, Path


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "lengthh(rows)",
            r"calls lengthh\(\), which is no function of JMESPath; did you mean length",
        ),
        ("zzz(rows)", r"zzz\(\), which is no function of JMESPath; there are abs, avg"),
        ("rows[?zzz(a)]", "zzz"),
        ("rows[*].{a: zzz(@)}", "zzz"),
        ("rows[*].[a, zzz(@)]", "zzz"),
        ("rows || zzz(@)", "zzz"),
        ("rows | zzz(@) | [0]", "zzz"),
        ("sort_by(rows, &zzz(a))", "zzz"),
        ("length(zzz(@))", "zzz"),
        ("!zzz(@)", "zzz"),
        ("length()", r"calls length\(\) with 0, and it takes 1 argument"),
        ("length(a, b)", "with 2, and it takes 1 argument"),
        ("join(a)", "with 1, and it takes 2 arguments"),
        ("merge()", "with 0, and it takes at least 1 argument"),
        ("sort_by(rows, a)", "argument 2 of another kind; it takes an expression with &"),
        ("length(&a)", "argument 1 of another kind; it takes no &"),
        ("&a", "an expression with & that is no argument"),
        ("rows[::0]", "a step of 0"),
    ],
)
def test_what_can_never_work_is_a_fault(source, says):
    with pytest.raises(ValueError, match=says):
        Path(source)


@pytest.mark.parametrize(
    "source",
    ["not_null(a, b, c)", "merge(a, b)", "sort_by(rows, &a)[0]", "map(&a, rows)", "rows[::-1]"],
)
def test_what_may_work_is_none(source):
    assert Path(source).source == source


@pytest.mark.parametrize(
    ("source", "answer", "says"),
    [
        ("values(none)", {}, r"values\(\) takes object, and here is null"),
        ("length(a)", {"a": 5}, r"length\(\) takes string or array or object, and here is number"),
        ("sum(a)", {"a": ["s3cret"]}, r"sum\(\) takes array-number, and here is str"),
        ("sort_by(a, &b)", {"a": [{"b": 1}, {"b": "s3cret"}]}, r"sort_by\(\) takes .*string"),
        ("max_by(a, &b)", {"a": [{"b": None}, {"b": 1}]}, "max_by"),
    ],
)
def test_a_value_of_another_type_is_an_error_of_the_answer(source, answer, says):
    with pytest.raises(ResponseError, match=f"path {re.escape(source)}: {says}") as caught:
        Path(source).find(answer)
    assert "s3cret" not in str(caught.value)


def test_a_default_stands_in_for_null():
    assert Path("values(a || `{}`)").find({}) == []
    assert Path("a[?b].c | [0]").find({"a": []}) is MISSING
