"""A stranger's JSON and YAML: JSON's types only, bounded, and every fault with its place."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from connector_assets.authoring.imports import read_data as module
from connector_assets.authoring.imports.read_data import read_data, read_mapping
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError


def read(text):
    return read_data(Source("doc", text if isinstance(text, bytes) else text.encode()))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\ufeff{"a": [1.5, null]}', {"a": [1.5, None]}),
        ("when: 2024-04-31\nno: yes\n", {"when": "2024-04-31", "no": "yes"}),
        ("200: {x: 090}\n", {"200": {"x": "090"}}),
        ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}\n", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: !!python/object:os.system x\n", {"a": "x"}),
        ("{a: b}", {"a": "b"}),
        ("a: -1\nb: 1.5\nc: 1e3\nd: '1'\n", {"a": -1, "b": 1.5, "c": 1000.0, "d": "1"}),
    ],
)
def test_it_reads_what_is_written_and_no_more(text, data):
    assert read(text) == data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n "b"]: 1}', "doc:2:"),
        ("a: [1,\nb: }\n", "doc:2:"),
        (b"\xff\xfea", "doc:1:1: is not UTF-8 text"),
        (b"a: b\nc: \xff\n", "doc:2:1: is not UTF-8 text"),
        ("", "doc: is empty"),
        ("  \n", "doc: is empty"),
        ("a: 1\n---\nb: 2\n", "doc:2:1: holds a second document"),
        ("a: *b\n", "is an alias of nothing"),
        ("? [a]\n: b\n", "a key that is no text"),
        ("[" * 100_000, "nested"),
        ("a: " + "[" * 900 + "]" * 900, "nested more than 200 deep"),
        ('{"a":' * 100_000, "doc:1:"),
    ],
    ids=str,
)
def test_what_it_cannot_read_is_an_error_with_its_place(text, said):
    with pytest.raises(ConfigError) as error:
        read(text)
    assert said in str(error.value)


def test_aliases_multiply_nothing(monkeypatch):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    names = "abcdefghij"
    lines += [f"{n}: &{n} [{', '.join([f'*{m}'] * 10)}]" for m, n in pairwise(names)]
    assert len(read("\n".join(lines))) == 10
    monkeypatch.setattr(module, "MAX_VALUES", 50)
    with pytest.raises(ConfigError, match="more than 50 values"):
        read("\n".join(lines))


def test_a_list_is_no_mapping():
    with pytest.raises(ConfigError, match="doc: is not a thing: it is no mapping"):
        read_mapping(Source("doc", json.dumps([1]).encode()), "a thing")
