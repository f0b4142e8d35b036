"""Local names, batches, several parents, lists and objects: what can never work is a fault."""

from __future__ import annotations

import pytest

from connector_assets.spec.connector import ConfigField
from connector_assets.spec.values import typed
from tests.spec.checks.test_placed import document
from tests.spec.documents import lines


def stream(**more):
    params = {"params": {"q": "{{a}}"}}
    return lines(document(None, {"type": "none"}, more, **params))


EACH = [{"values": [1], "as": "x"}]
WRONG = [
    ({"let": {"a": "{{b}}", "b": "1"}}, 'let.a: reads "b", which stands after it'),
    ({"let": {"a": "{{a}}"}}, "let.a: reads itself"),
    ({"let": {"b": "{{record.id}}", "a": "{{b}}"}},
     "let.a: reads record, and a request reads it; no row is there yet"),
    ({"let": {"a": "{{secrets.k}}"}},
     'let.a: "secrets.k" must not stand here; secrets go in auth, url, headers, params and body'),
    ({"let": {"a": "{{item.y}}"}, "forEach": EACH},
     'let.a: nothing gives "item.y" a value here; use item.x'),
    ({"let": {"a": "1"}, "vars": {"a": "2"}}, "let.a: is a name of vars or forEach already; choose another"),
    ({"let": {"a": "1", "x": "2"}, "forEach": EACH},
     "let.x: is a name of vars or forEach already; choose another"),
    ({"let": {"a": "1", "page": "2"}}, "let.page: is a name that templates have already; choose another"),
    ({"vars": {"a": "{{item.x}}"}, "forEach": EACH},
     'vars.a: nothing gives "item.x" a value here; it comes with forEach'),
    ({"forEach": [{"values": [1], "as": "values", "batch": 2}]},
     "forEach.0.batch: needs another name than values, which is that of the batch"),
    ({"forEach": [{"values": [1], "as": "x", "batch": 0}]},
     "forEach.0.batch: must be a whole number of at least 1"),
    ({"forEach": [{"values": [1], "as": "x", "batch": 2}, {"values": [1], "as": "y", "batch": 2}]},
     "forEach: can read one of its lists in batches, not more"),
    ({"forEach": [{"parent": {"stream": "p", "field": "id", "include": ["n"]}, "batch": 2}]},
     "forEach.0.batch: is not for parents with include or changed: these are of one row"),
    ({"forEach": [{"parent": [{"stream": "p", "field": "id"}, {"stream": "p", "field": "key"}]}]},
     "forEach.0.parent: must bind one name; give each the same as"),
    ({"forEach": [{"parent": []}]}, "forEach.0: must hold exactly one of parent, values"),
    ({"forEach": [{"values": [[1]], "as": "x"}]},
     "forEach.0.values.0: must be text, a number, true or false, or an object"),
    ({"forEach": [{"values": [{"k": "{{ 1 +"}], "as": "x"}]}, "forEach.0.values.0.k: "),
]  # fmt: skip


@pytest.mark.parametrize(("more", "line"), WRONG, ids=str)
def test_what_cannot_be_meant_is_a_fault(more, line):
    found = [one for one in stream(**more) if "is not a stream" not in one]
    assert len(found) == 1
    assert found[0].startswith(f"read.streams.0.{line}")


def test_a_parent_of_several_that_is_no_stream_is_named_where_it_stands():
    parents = [{"stream": "items", "field": "id"}, {"stream": "nobody", "field": "id"}]
    assert [one.partition(":")[0] for one in stream(forEach=[{"parent": parents}])] == [
        "read.streams.0.forEach.0.parent.0.stream",
        "read.streams.0.forEach.0.parent.1.stream",
    ]


FINE = [
    {"let": {"b": "{{item.x.id}}{{x.id}}", "a": "{{b}}"}, "forEach": [{"values": [{"id": 1}], "as": "x"}]},
    {"let": {"r": "{{record.id}}"}, "where": "{{ r > 1 }}", "writeMode": "merge", "deletedWhen": "{{r == 2}}"},
]  # fmt: skip


@pytest.mark.parametrize("more", FINE, ids=str)
def test_what_can_be_meant_is_none(more):
    assert stream(**more) == []


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("object", {"a": 1}, {"a": 1}),
        ("object", '{"a": [1]}', {"a": [1]}),
        ("list", '[{"a": 1}]', [{"a": 1}]),
        ("list", "a, b", ["a", "b"]),
        ("list", [{"a": 1}], [{"a": 1}]),
    ],
)
def test_a_config_value_may_be_a_list_or_an_object(kind, given, value):
    assert typed("x", given, ConfigField.model_validate({"type": kind})) == value


@pytest.mark.parametrize(
    ("kind", "given"), [("object", "[1]"), ("object", "no"), ("object", [1]), ("list", "[1")]
)
def test_text_that_is_neither_is_refused(kind, given):
    with pytest.raises(ValueError, match=r'"x" must be an? (object|list)'):
        typed("x", given, ConfigField.model_validate({"type": kind}))
