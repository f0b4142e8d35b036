"""Keys that are valid each by itself and change nothing together are faults, where they stand."""

from __future__ import annotations

import json

import pytest

from tests.spec.documents import lines

OFFSET, PAGE = {"type": "offset"}, {"type": "page"}
CURSOR = {"type": "cursor", "cursorField": "next"}
SIZED = {**PAGE, "pageSize": 5}
PLACED = {"params": {"at": "{{page.number}}"}}


def document(pagination=None, stream=None, defaults=None, **more):
    endpoint = {"id": "items", "url": "https://api.example.com/items", **more}
    streams = [{"name": "items", "primaryKey": ["id"], **(stream or {})}]
    return json.dumps(
        {
            "kind": "connector",
            "version": "1.0",
            "id": "shop",
            "displayName": "Shop",
            "endpoints": [{**endpoint, **({"pagination": pagination} if pagination else {})}],
            "read": {"streams": streams, **({"defaults": defaults} if defaults else {})},
        }
    )


IDLE = [
    ({**PAGE, "pageSizeParam": "n"}, {}, "pageSize: is required where pageSizeParam is given"),
    ({**OFFSET, "totalField": "n", "totalHeader": "N"}, {}, "totalHeader: says what totalField says"),
    ({**PAGE, "totalPagesField": "n", "totalPagesHeader": "N"}, {}, "totalPagesHeader: says what totalPagesField"),
    ({**SIZED, "in": "template", "pageSizeParam": "n"}, PLACED, "pageSizeParam: is sent by no one with in: template"),
]  # fmt: skip


@pytest.mark.parametrize(("pagination", "more", "line"), IDLE, ids=str)
def test_a_key_of_a_pagination_that_changes_nothing_is_a_fault(pagination, more, line):
    (told,) = lines(document(pagination, **more))
    assert told.startswith(f"endpoints.0.pagination.{line}")


FINE = [
    ({**CURSOR, "keepParams": True}, {}),
    ({**OFFSET, "limitParam": "n", "pageSize": 5, "pageSizeIn": "header"}, {}),
    ({**SIZED, "pageSizeParam": "n", "pageSizeIn": "header"}, {}),
    ({**SIZED, "in": "template", "pageSizeParam": "n", "pageSizeIn": "query"}, PLACED),
]


@pytest.mark.parametrize(("pagination", "more"), FINE, ids=str)
def test_a_key_of_a_pagination_that_is_used_is_none(pagination, more):
    assert lines(document(pagination, **more)) == []


STREAMS = [
    ({"incremental": {"start": "2024-01-01", "format": "iso"}}, {},
     "incremental.startParam: is required: else no request asks for the time; or read window.start"),
    ({"incremental": {"tokenField": "sync"}}, {"responseFormat": "csv"},
     "incremental.tokenField: cannot be read: csv has rows only"),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "more", "line"), STREAMS, ids=str)
def test_a_key_of_a_stream_that_changes_nothing_is_a_fault(stream, more, line):
    assert lines(document(None, stream, **more)) == [f"read.streams.0.{line}"]


def test_a_default_stands_for_the_streams_that_it_fits():
    assert lines(document(None, defaults={"onItemError": "skip"})) == []
    assert lines(document(None, {"onItemError": "skip"})) != []


def test_a_time_that_a_template_asks_for_needs_no_name():
    stream = {"incremental": {"start": "2024-01-01", "format": "iso"}}
    assert lines(document(None, stream, params={"q": "{{window.start}}"})) == []


@pytest.mark.parametrize("field", [[], {}, 1, None])
def test_a_parent_whose_field_is_no_text_is_a_fault_as_others(field):
    parent = {"stream": "items", "field": field, "include": [field, "id"]}
    told = lines(
        document(None, {"name": "of", "endpoint": "items", "forEach": [{"parent": parent}]})
    )
    assert any(line.startswith("read.streams.0.forEach.0.parent") for line in told)
