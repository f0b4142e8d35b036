"""Keys that are valid each by itself and would do nothing together are faults."""

from __future__ import annotations

import pytest

from connector_assets.errors import ConnectorError
from connector_assets.spec.document import parse_connector

SPEC = """
kind: connector
version: "1.0"
id: t
displayName: T
endpoints:
  - {{id: items, url: "https://api.example.com/items/{{{{page.number}}}}"{endpoint}}}
read: {{streams: [{{name: items, primaryKey: [id]{stream}}}]}}
"""
JOB = (
    ", job: {poll: {url: /a, done: [x]}, download: {urlPath: u}}"
    ", pagination: {type: page, in: body}"
)
PAGE = ", pagination: {type: page, in: template, %s}"
IDLE = [
    (PAGE % "totalField: a, totalHeader: b", "", "pagination.totalHeader"),
    (PAGE % "totalPagesField: a, totalPagesHeader: b", "", "pagination.totalPagesHeader"),
    (PAGE % "maxPages: unlimited, onMaxPages: fail", "", "pagination.onMaxPages"),
    (PAGE % "pageParam: p", "", "pagination.pageParam"),
    (PAGE % "pageSize: 2, pageSizeIn: header", "", "pagination.pageSizeIn"),
    (", pagination: {type: none, maxPages: 3}", "", "pagination.maxPages"),
    (", pagination: {type: offset, limitParam: n}", "", "pagination.limitParam"),
    (
        ", pagination: {type: cursor, cursorField: c, cursorParam: c, keepParams: true}",
        "",
        "pagination.keepParams",
    ),
    ("", ", onItemError: skip", "onItemError"),
    ("", ", incremental: {cursorField: a, in: header}", "incremental.in"),
    ("", ", incremental: {cursorField: a, order: descending}", "incremental.order"),
    ("", ", incremental: {cursorField: a, startParam: s, end: '2024-01-01'}", "incremental.end"),
    (
        JOB,
        "",
        "pagination.in",
    ),
]


@pytest.mark.parametrize(("endpoint", "stream", "at"), IDLE, ids=[at for *_, at in IDLE])
def test_a_key_that_would_do_nothing_is_a_fault(endpoint, stream, at):
    with pytest.raises(ConnectorError, match=at):
        parse_connector(SPEC.format(endpoint=endpoint, stream=stream))
