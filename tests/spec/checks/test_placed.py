"""Where a pagination or a window puts its values: what cannot take them is a fault."""

from __future__ import annotations

import json

import pytest

from connector_assets.errors import ConfigError
from connector_assets.spec.request.call import Call
from tests.spec.documents import lines


def document(body, pagination, stream=None, **more):
    return json.dumps(
        {
            "kind": "connector",
            "version": "1.0",
            "id": "shop",
            "displayName": "Shop",
            "endpoints": [
                {
                    "id": "items",
                    "method": "POST",
                    "url": "https://api.example.com/items",
                    **({"body": body} if body else {}),
                    "pagination": pagination,
                    **more,
                }
            ],
            "read": {"streams": [{"name": "items", "primaryKey": ["id"], **(stream or {})}]},
        }
    )


OFFSET = {"type": "offset", "in": "body", "pageSize": 2}
PARAMS = {"json": {"params": ["tok", 0, {"size": 1}]}}
FITS = [
    (None, OFFSET),
    ({"json": {"a": None}}, {**OFFSET, "offsetParam": "a.b"}),
    (PARAMS, {**OFFSET, "offsetParam": "params[1]", "limitParam": "params[2].size"}),
    ({"json": [{"from": 0}]}, {**OFFSET, "offsetParam": "[0].from", "limitParam": "[0].size"}),
    ({"json": {"a": "{{config_a}}"}}, {**OFFSET, "offsetParam": "a.b"}),
    ({"form": {"a": "b"}}, {**OFFSET, "offsetParam": "page[offset]", "limitParam": "page.limit"}),
    (
        {"graphql": {"query": "{a}"}},
        {**OFFSET, "offsetParam": "variables.o", "limitParam": "variables.l"},
    ),
    ({"text": "<q/>"}, {"type": "offset"}),
    (
        {"graphql": {"query": "{a}", "variables": {"n": "{{page.number}}"}}},
        {"type": "page", "in": "template"},
    ),
    ({"text": "<q n='{{page.offset}}'/>"}, {"type": "offset", "in": "template"}),
]


@pytest.mark.parametrize(("body", "pagination"), FITS, ids=str)
def test_a_place_that_can_take_the_value_is_no_fault(body, pagination):
    assert lines(document(body, pagination)) == []


TEXT = "cannot be set in a text body; use a template that reads it"
WRONG = [
    ({"text": "<q/>"}, {"type": "page", "in": "body"}, f"pagination.pageParam: {TEXT}"),
    (PARAMS, {**OFFSET, "offsetParam": "params.start"},
     'pagination.offsetParam: does not fit the body: "start" stands in a list; write an index, as [0]'),
    (PARAMS, {**OFFSET, "offsetParam": "params[3]"},
     "pagination.offsetParam: does not fit the body: [3] is beyond the list's 3 elements"),
    (PARAMS, {**OFFSET, "offsetParam": "params[0].x"},
     'pagination.offsetParam: does not fit the body: "x" stands in a value that is no object'),
    ({"json": [1, 2]}, {"type": "cursor", "cursorField": "next", "cursorIn": "body"},
     'pagination.cursorParam: does not fit the body: "cursor" stands in a list; write an index, as [0]'),
    ({"json": {"a": {}}}, {"type": "offset", "in": "body", "offsetParam": "a[0]"},
     "pagination.offsetParam: does not fit the body: [0] needs a list"),
    ({"json": {}}, {"type": "offset", "in": "body", "offsetParam": "a..b"},
     "pagination.offsetParam: must be keys with dots between them, and [1] for an element of a list"),
    ({"text": "q"}, {"type": "page", "pageSize": 5, "pageSizeParam": "n", "pageSizeIn": "body"},
     f"pagination.pageSizeParam: {TEXT}"),
    (None, {"type": "page", "in": "template"},
     'pagination.in: leaves it to a template, but none reads "page.number"'),
    ({"graphql": {"query": "{a(page: {{page.number}})}"}}, {"type": "page", "in": "template"},
     'pagination.in: leaves it to a template, but none reads "page.number"'),
    ({"graphql": {"query": "{a}"}}, {**OFFSET, "offsetParam": "query.x", "limitParam": "variables.n"},
     'pagination.offsetParam: does not fit the body: "x" stands in a value that is no object'),
    ({"text": "{{page.cursor | default('')}}"},
     {"type": "cursor", "cursorField": "next", "cursorIn": "template", "cursorParam": "c"},
     "pagination.cursorParam: is sent by no one with cursorIn: template; remove it"),
    ({"text": "{{page.cursor}}"}, {"type": "cursor", "cursorField": "next", "cursorIn": "template"},
     'pagination: "page.cursor" has no value in the first request; write page.cursor | default(none)'),
    ({"text": "{{page.number}}"}, {"type": "page", "in": "template", "omitFirst": True},
     'pagination: "page.number" has no value in the first request; write page.number | default(none)'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "pagination", "line"), WRONG, ids=str)
def test_a_place_that_cannot_is_a_fault(body, pagination, line):
    assert lines(document(body, pagination)) == [f"endpoints.0.{line}"]


def test_a_window_fits_the_body_too():
    stream = {"incremental": {"cursorField": "at", "startParam": "params.at", "in": "body"}}
    where = "read.streams.0.incremental.startParam"
    line = f'{where}: does not fit the body: "at" stands in a list; write an index, as [0]'
    assert lines(document(PARAMS, {"type": "none"}, stream)) == [line]


def test_a_window_of_a_dynamic_stream_fits_the_body_too():
    made = json.loads(document(PARAMS, {"type": "none"}))
    incremental = {"cursorField": "at", "startParam": "params.at", "in": "body"}
    made["read"]["dynamic"] = [
        {"from": "items", "endpoint": "items", "primaryKey": ["id"], "incremental": incremental}
    ]
    assert lines(json.dumps(made))[0].startswith(
        "read.dynamic.0.incremental.startParam: does not fit"
    )


@pytest.mark.parametrize(
    ("pagination", "name", "line"),
    [
        ({"type": "offset"}, "page.number", "use page.offset"),
        ({"type": "page"}, "page.size", "use page.number"),
        (
            {"type": "none"},
            "page.number",
            "it comes with a pagination of type page, offset or cursor",
        ),
    ],
)
def test_a_pagination_has_its_own_names_only(pagination, name, line):
    found = lines(document(None, pagination, params={"q": "{{" + name + "}}"}))
    assert found == [f'endpoints.0.params.q: nothing gives "{name}" a value here; {line}']


@pytest.mark.parametrize("part", [{"url": "https://{{page.number}}.example.com/a"},
                                  {"url": "{{secrets.url}}/a"}])  # fmt: skip
def test_neither_a_page_nor_a_secret_is_part_of_the_origin(part):
    found = lines(document(None, {"type": "page"}, **part))
    assert len(found) == 1
    assert "must not be in the origin, only in the path" in found[0]


def test_what_only_the_value_shows_is_an_error_when_it_is_sent():
    call = Call("POST", "https://h/a", body={"a": "text"})
    with pytest.raises(ConfigError, match="a body path is wrong"):
        call.put("a.b", 1, "body")
