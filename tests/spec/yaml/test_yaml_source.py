"""YAML: what plain data becomes of it, what is refused, and where."""

from __future__ import annotations

import pytest

from connector_assets.errors import SpecError
from connector_assets.spec.yaml.yaml_source import MAX_DEPTH, MAX_VALUES, read_yaml
from tests.spec.documents import faults, with_


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("0", 0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("NO", "NO"),
        ("on", "on"),
        ("y", "y"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("017", "017"),
        ("+5", "+5"),
        ("-0", "-0"),
        ("1_000", "1_000"),
        ("3:20", "3:20"),
        (".inf", ".inf"),
        ("-.inf", "-.inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("5.", "5."),
        (".", "."),
        ("e5", "e5"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("=", "="),
        ('"1"', "1"),
        ("'true'", "true"),
        ("1.0.0", "1.0.0"),
        ("9" * 5000, "9" * 5000),
        ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_a_plain_scalar_becomes(written, value):
    found = read_yaml(f"a: {written}\n").data["a"]
    assert (found, type(found)) == (value, type(value))


def test_keys_are_text_always():
    assert read_yaml("{1: a, true: b, 1.50: c, no: d}").data == {
        "1": "a",
        "true": "b",
        "1.50": "c",
        "no": "d",
    }


def test_an_alias_shares_its_value():
    data = read_yaml("a: &x [1, 2]\nb: *x\n").data
    assert data["a"] is data["b"]


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: !!str b", "must not have a tag", (1, 4)),
        ("a: !x {b: c}", "must not have a tag", (1, 4)),
        ("a: 1\nb: 2\na: 3", "is set twice, first on line 1", (3, 1)),
        ('a: 1\n"a": 3', "is set twice, first on line 1", (2, 1)),
        ("a: {b: &x 1, b: *x}", "is set twice", (1, 14)),
        ("x: &b {c: d}\ny:\n  <<: *b", "merge keys are not supported", (3, 3)),
        ("a: 1\n---\nb: 2", "holds a second document", (2, 1)),
        ("a: *b", "is an alias of no anchor", (1, 4)),
        ("a: &x [*x]", "contains itself", (1, 8)),
        ("a: &x {b: {c: *x}}", "contains itself", (1, 15)),
        ("url: {{x}}", 'must be quoted, as it begins with "{{"', (1, 7)),
        ("url: {{x}}/y\nb: c", 'quote text that begins with "{{"', (1, 11)),
        ("? [a]\n: b", "must have keys that are text", (1, 3)),
        ("~: b", "must have keys that are text", (1, 1)),
        ("a: *.csv", 'quote text that begins with "*"', (1, 5)),
        ("a:\n\tb: c", "found a tab; indent with spaces", (2, 1)),
        ("a: b: c", 'found a second ":"', (1, 5)),
        ("a: @b", 'quote text that begins with "@"', (1, 4)),
        ("a: [b, c\n\n", "what opens here is never closed", (1, 4)),
        ('a: "b\n', "what opens here is never closed", (1, 4)),
        ("%YAML 9.9\n---\na: b", "asks for another YAML version", (1, 1)),
        ("a: b\x07", "has the control character U+0007", (1, 5)),
        ("a: b\ud800", "has the control character U+D800", (1, 5)),
        ('a: "\\0"', "must be text without NUL characters", (1, 4)),
        ('"\\0": a', "must be a key without NUL characters", (1, 1)),
        (b"a: \xff", "is not UTF-8 text", (1, 4)),
        (b"\xff\xfea\x00", "is not UTF-8 text", (1, 1)),
        ("", "is empty", (1, 1)),
        ("---\n", "is empty", (1, 1)),
        ("# only a comment\n", "is empty", (1, 1)),
    ],
)
def test_yaml_that_is_refused_says_why_and_where(text, message, place):
    found = faults(text, lambda text: _raise_faults(read_yaml(text)))
    matching = [fault for fault in found if message in fault.message]
    assert matching, found
    assert (matching[0].line, matching[0].column) == place


def _raise_faults(source):
    if source.faults:
        raise SpecError(source.faults)


def test_depth_is_limited_and_said():
    deepest = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert not read_yaml(deepest).faults
    with pytest.raises(SpecError, match=f"nested more than {MAX_DEPTH} deep"):
        read_yaml("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_the_number_of_values_is_limited_and_said():
    with pytest.raises(SpecError, match=f"more than {MAX_VALUES:,} values"):
        read_yaml("[" + "a," * (MAX_VALUES + 1) + "]")


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
def test_lines_are_counted_whatever_ends_them(ends):
    text = with_("cursorField", "cursorfield").replace("\n", ends)
    assert [fault.line for fault in faults(text) if "known key" in fault.message] == [16]


def test_a_byte_order_mark_shifts_nothing():
    [fault] = faults("\ufeff" + with_("kind: connector", "kind: thing"))
    assert (fault.path, fault.line, fault.column) == ("kind", 1, 7)
