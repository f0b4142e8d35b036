"""Manifests of our own, one for each kind of component, and servers that answer what they ask.

Each is read by this package, and beside it by Airbyte's CDK where that is installed: both must send
the same requests and give the same rows.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.loopback import Seen

Route = Callable[[Seen], Any]


@dataclass(frozen=True)
class Case:
    """A manifest, what its user gives, and the server; `near` where the report says so."""

    name: str
    manifest: dict[str, Any]
    route: Route
    config: dict[str, Any] = field(default_factory=dict)
    near: bool = False
    unordered: bool = False
    ignore: tuple[str, ...] = ()
    """Fields of rows that differ on purpose, as the report says."""


def field_(type_: str = "string", *, secret: bool = False, **more: Any) -> dict[str, Any]:
    return {"type": type_, **({"airbyte_secret": True} if secret else {}), **more}


def asks(**properties: Any) -> dict[str, Any]:
    properties = {"base": field_(), **properties}
    return {
        "type": "Spec",
        "connection_specification": {
            "type": "object",
            "required": ["base", *(k for k, v in properties.items() if v.pop("needed", False))],
            "properties": properties,
        },
    }


def stream(
    name: str = "items",
    path: str = "/items",
    *,
    rows: Any = ("items",),
    requester: dict[str, Any] | None = None,
    paginator: dict[str, Any] | None = None,
    selector: dict[str, Any] | None = None,
    router: Any = None,
    retriever: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester",
            "url_base": "{{ config['base'] }}",
            "path": path,
            "http_method": "GET",
            **(requester or {}),
        },
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": list(rows)},
            **(selector or {}),
        },
    }
    if paginator:
        made["paginator"] = paginator
    if router:
        made["partition_router"] = router
    asked = made["requester"].items()
    made["requester"] = {key: value for key, value in asked if value is not None}
    made = {**made, **(retriever or {})}
    whole = {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": ["id"],
        "retriever": {key: value for key, value in made.items() if value is not None},
        "schema_loader": {
            "type": "InlineSchemaLoader",
            "schema": {
                "type": "object",
                "properties": {"id": {"type": "integer", "description": "Its number"}},
            },
        },
        **more,
    }
    return {key: value for key, value in whole.items() if value is not None}


def manifest(*streams: Any, spec: Any = None, **more: Any) -> dict[str, Any]:
    named = [one["name"] for one in streams if "name" in one][:1]
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": named},
        "streams": list(streams),
        "spec": spec or asks(),
        **more,
    }


def option(name: str, where: str = "request_parameter") -> dict[str, Any]:
    return {"type": "RequestOption", "inject_into": where, "field_name": name}


def paged(strategy: dict[str, Any], token: Any, size: Any = None) -> dict[str, Any]:
    made = {"type": "DefaultPaginator", "pagination_strategy": strategy}
    if token:
        made["page_token_option"] = token
    return {**made, **({"page_size_option": size} if size else {})}


def listed(count: int, start: int = 0, size: int = 2) -> list[dict[str, Any]]:
    return [{"id": n, "name": f"n{n}"} for n in range(start, min(start + size, count))]


def by_page(first: int = 1, count: int = 5, size: int = 2) -> Route:
    def answer(seen: Seen) -> Any:
        page = int(seen.query.get("page", first)) - first
        return {"items": listed(count, page * size, size)}

    return answer


def by_offset(count: int = 5, size: int = 2) -> Route:
    def answer(seen: Seen) -> Any:
        return {"items": listed(count, int(seen.query.get("offset", 0)), size)}

    return answer


def by_cursor(seen: Seen) -> Any:
    at = int(seen.query.get("cursor", "c0")[1:])
    more = at + 2 < 5
    return {
        "items": listed(5, at),
        "has_more": more,
        "paging": {"next": {"after": f"c{at + 2}"}} if more else {},
        "page": at // 2,
        "pages": 3,
        "next_url": f"{BASE}/items?cursor=c{at + 2}" if more else None,
    }


BASE = "http://BASE"
"""What a server writes for its own address, which a test puts in its place."""

PAGE = {"type": "PageIncrement", "page_size": 2, "start_from_page": 1}
OFFSET = {"type": "OffsetIncrement", "page_size": 2}


def cursor(value: str, stop: str | None = None, **more: Any) -> dict[str, Any]:
    made = {"type": "CursorPagination", "cursor_value": value, **more}
    return {**made, "stop_condition": stop} if stop is not None else made


def gzipped(lines: list[dict[str, Any]]) -> bytes:
    return gzip.compress("".join(f"{json.dumps(one)}\n" for one in lines).encode())


def zipped(body: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.json", body)
    return file.getvalue()


NEXT = "{{ response.get('paging', {}).get('next', {}).get('after') }}"
PAGINATIONS = (
    Case(
        "path_in_the_place_of_a_query",
        manifest(
            stream(
                path="/index.php?/api/v2/{{ config['list'] }}&sort=id",
                paginator=paged(OFFSET, option("offset"), option("limit")),
            ),
            spec=asks(list=field_()),
        ),
        by_offset(),
        {"list": "items"},
    ),
    Case(
        "page",
        manifest(stream(paginator=paged(PAGE, option("page"), option("limit")))),
        by_page(),
    ),
    Case(
        "page_from_zero_on_first",
        manifest(
            stream(
                paginator=paged(
                    {
                        "type": "PageIncrement",
                        "page_size": "{{ config['size'] }}",
                        "inject_on_first_request": True,
                    },
                    option("page"),
                    option("limit"),
                )
            ),
            spec=asks(size=field_("integer")),
        ),
        by_page(first=0),
        {"size": 2},
    ),
    Case(
        "page_without_size",
        manifest(stream(paginator=paged({"type": "PageIncrement"}, option("page")))),
        by_page(first=0),
    ),
    Case(
        "page_with_a_last_full_page",
        manifest(stream(paginator=paged(PAGE, option("page"), option("limit")))),
        by_page(count=4),
    ),
    Case(
        "page_in_the_path",
        manifest(
            stream(
                path="/items/{{ next_page_token['next_page_token'] or 1 }}",
                paginator=paged({**PAGE, "inject_on_first_request": True}, None),
            )
        ),
        lambda seen: {"items": listed(5, 2 * (int(seen.path.rpartition("/")[2]) - 1))},
    ),
    Case(
        "offset",
        manifest(stream(paginator=paged(OFFSET, option("offset"), option("limit")))),
        by_offset(),
    ),
    Case(
        "offset_with_a_plain_limit",
        manifest(
            stream(
                requester={"request_parameters": {"limit": "2"}},
                paginator=paged(OFFSET, option("offset")),
            )
        ),
        by_offset(),
    ),
    Case(
        "offset_without_size",
        manifest(stream(paginator=paged({"type": "OffsetIncrement"}, option("offset")))),
        by_offset(),
    ),
    Case(
        "offset_in_a_body",
        manifest(
            stream(
                requester={"http_method": "POST", "request_body_json": {"kind": "all"}},
                paginator=paged(
                    {**OFFSET, "inject_on_first_request": True},
                    option("offset", "body_json"),
                    option("limit", "body_json"),
                ),
            )
        ),
        lambda seen: {"items": listed(5, seen.json.get("offset", 0))},
    ),
    Case(
        "cursor",
        manifest(stream(paginator=paged(cursor(NEXT), option("cursor")))),
        by_cursor,
    ),
    Case(
        "cursor_with_stop",
        manifest(
            stream(
                paginator=paged(
                    cursor(NEXT, "{{ not response.get('has_more', False) }}", page_size=2),
                    option("cursor"),
                    option("limit"),
                )
            )
        ),
        by_cursor,
    ),
    Case(
        "cursor_of_the_last_record",
        manifest(
            stream(
                paginator=paged(
                    cursor("{{ last_record['id'] }}", "{{ response.has_more is false }}"),
                    option("after"),
                )
            )
        ),
        lambda seen: {
            "items": listed(5, int(seen.query.get("after", -1)) + 1),
            "has_more": int(seen.query.get("after", -1)) < 3,
        },
    ),
    Case(
        "cursor_of_the_last_record_without_stop",
        manifest(stream(paginator=paged(cursor("{{ last_record['name'] }}"), option("after")))),
        lambda seen: {"items": listed(5, int(seen.query.get("after", "n-1")[1:]) + 1)},
    ),
    Case(
        "cursor_computed",
        manifest(
            stream(
                paginator=paged(
                    cursor("{{ response.page + 1 }}", "{{ response.page + 1 >= response.pages }}"),
                    option("page"),
                )
            )
        ),
        lambda seen: {
            "items": listed(5, 2 * int(seen.query.get("page", 0))),
            "page": int(seen.query.get("page", 0)),
            "pages": 3,
        },
    ),
    Case(
        "cursor_cut_out_of_a_url",
        manifest(
            stream(
                paginator=paged(
                    cursor(
                        "{{ response.next_url | regex_search('cursor=([^&]+)') }}",
                        "{{ response.next_url is none }}",
                    ),
                    option("cursor"),
                )
            )
        ),
        by_cursor,
    ),
    Case(
        "cursor_in_a_body_path",
        manifest(
            stream(
                requester={"http_method": "POST", "request_body_json": {"filter": {"a": "1"}}},
                paginator=paged(
                    cursor(NEXT),
                    {
                        "type": "RequestOption",
                        "inject_into": "body_json",
                        "field_path": ["page", "after"],
                    },
                ),
            )
        ),
        lambda seen: by_cursor(
            Seen("POST", "", {"cursor": seen.json.get("page", {}).get("after", "c0")}, {})
        ),
    ),
    Case(
        "cursor_in_a_template",
        manifest(
            stream(
                requester={
                    "request_parameters": {
                        "cursor": "{{ next_page_token['next_page_token'] }}",
                        "sort": "{{ 'id' if not next_page_token else 'all' }}",
                    }
                },
                paginator=paged(cursor(NEXT), None),
            )
        ),
        by_cursor,
    ),
    Case(
        "next_url",
        manifest(
            stream(
                requester={"request_parameters": {"kind": "all"}},
                paginator=paged(cursor("{{ response['next_url'] }}"), {"type": "RequestPath"}),
            )
        ),
        by_cursor,
    ),
    Case(
        "link_header",
        manifest(
            stream(
                rows=(),
                requester={"request_parameters": {"per_page": "2"}},
                paginator=paged(
                    cursor(
                        "{{ headers['link']['next']['url'] }}",
                        "{{ 'next' not in headers['link'] }}",
                    ),
                    {"type": "RequestPath"},
                ),
            )
        ),
        lambda seen: (
            200,
            listed(5, int(seen.query.get("at", 0))),
            {"Link": f'<{BASE}/items?at={int(seen.query.get("at", 0)) + 2}>; rel="next"'}
            if int(seen.query.get("at", 0)) < 4
            else {},
        ),
    ),
    Case(
        "cursor_in_a_header",
        manifest(
            stream(paginator=paged(cursor("{{ headers['X-Next'] }}"), option("cursor", "header")))
        ),
        lambda seen: (
            200,
            {"items": listed(5, int(seen.headers.get("cursor", "0")))},
            {"X-Next": str(int(seen.headers.get("cursor", "0")) + 2)}
            if int(seen.headers.get("cursor", "0")) < 4
            else {},
        ),
    ),
)

EVENTS = [
    {"id": "e1", "type": "x.made", "created": 5, "data": {"object": {"id": 1, "name": "a"}}},
    {"id": "e2", "type": "x.deleted", "created": 6, "data": {"object": {"id": 2, "updated": 3}}},
    {"id": "e3", "type": "x.made", "created": 7},
]

ROWS = (
    Case(
        "object_in_the_place_of_its_row",
        manifest(
            stream(
                transformations=[
                    {
                        "type": "AddFields",
                        "fields": [{"path": ["data", "object", "gone"], "value": "{{ True }}"}],
                        "condition": "{{ record.get('data', {}).get('object', False) and record.get('type', '').endswith('.deleted') }}",
                    },
                    {
                        "type": "AddFields",
                        "fields": [
                            {
                                "path": ["data", "object", "at"],
                                "value": "{{ record.get('updated', record.get('created')) | int }}",
                                "value_type": "integer",
                            }
                        ],
                        "condition": "{{ record.get('data', {}).get('object', False) }}",
                    },
                    {
                        "type": "DpathFlattenFields",
                        "field_path": ["data", "object"],
                        "replace_record": True,
                    },
                ],
            )
        ),
        lambda seen: {"items": EVENTS},
    ),
    Case(
        "object_that_is_the_row",
        manifest(
            stream(
                transformations=[
                    {
                        "type": "DpathFlattenFields",
                        "field_path": ["data", "object"],
                        "replace_record": True,
                    },
                    {
                        "type": "AddFields",
                        "fields": [{"path": ["kept"], "value": "{{ record['name'] }}"}],
                    },
                ],
            )
        ),
        lambda seen: {"items": EVENTS},
    ),
    Case(
        "absent_rows",
        manifest(stream(rows=("data", "items"))),
        lambda seen: {"data": {}},
    ),
    Case(
        "one_object_is_one_row",
        manifest(stream(rows=())),
        lambda seen: {"id": 7, "items": [{"id": 1}]},
    ),
    Case(
        "rows_in_every_value",
        manifest(stream(rows=("groups", "*"))),
        lambda seen: {"groups": {"a": {"id": 1}, "b": {"id": 2}}},
    ),
    Case(
        "rows_in_every_element",
        manifest(stream(rows=("groups", "*", "item"))),
        lambda seen: {"groups": [{"item": {"id": 1}}, {"item": {"id": 2}}]},
    ),
    Case(
        "filtered_and_transformed",
        manifest(
            stream(
                selector={
                    "record_filter": {
                        "type": "RecordFilter",
                        "condition": "{{ record['kind'] == 'a' and record.get('n', 0) > config['least'] }}",
                    }
                },
                transformations=[
                    {
                        "type": "AddFields",
                        "fields": [
                            {"path": ["account"], "value": "{{ config['account'] }}"},
                            {"path": ["nested", "n"], "value": "{{ record['n'] }}"},
                            {"path": ["gone"], "value": "{{ record['gone'] }}"},
                            {"path": ["label"], "value": "n-{{ record['n'] }}"},
                            {"path": ["deep"], "value": "{{ record.get('meta', {}).get('x') }}"},
                            {"path": ["four"], "value": "4"},
                            {"path": ["four_text"], "value": "4", "value_type": "string"},
                            {
                                "path": ["day"],
                                "value": "{{ format_datetime(record['at'], '%Y-%m-%d') }}",
                            },
                        ],
                    },
                    {"type": "RemoveFields", "field_pointers": [["secret"], ["meta", "y"]]},
                ],
            ),
            spec=asks(account=field_(), least=field_("integer")),
        ),
        lambda seen: {
            "items": [
                {
                    "id": 1,
                    "kind": "a",
                    "n": 5,
                    "secret": "s",
                    "meta": {"x": 1, "y": 2},
                    "at": "2024-01-02T03:04:05Z",
                },
                {"id": 2, "kind": "b", "n": 5, "at": "2024-01-02T03:04:05Z"},
                {"id": 3, "kind": "a", "n": 1, "at": "2024-01-02T03:04:05Z"},
                {"id": 4, "kind": "a", "n": 6, "meta": {"y": 1}, "at": "2024-02-02T23:04:05Z"},
            ]
        },
        {"account": "acme", "least": 2},
    ),
    Case(
        "keys_in_lower_case",
        manifest(stream(transformations=[{"type": "KeysToLower"}])),
        lambda seen: {"items": [{"ID": 1, "Name": "x"}]},
    ),
    Case(
        "keys_in_snake_case",
        manifest(stream(transformations=[{"type": "KeysToSnakeCase"}])),
        lambda seen: {"items": [{"id": 1, "FirstName": "x", "two words": 3}]},
        near=True,
    ),
    Case(
        "jsonl",
        manifest(stream(rows=(), retriever={"decoder": {"type": "JsonlDecoder"}})),
        lambda seen: b'{"id": 1}\n{"id": 2}\n',
    ),
    Case(
        "csv",
        manifest(
            stream(
                rows=(),
                retriever={"decoder": {"type": "CsvDecoder", "delimiter": ";"}},
            )
        ),
        lambda seen: b"id;name\n1;a\n2;b\n",
    ),
    Case(
        "xml",
        manifest(stream(rows=("root", "item"), retriever={"decoder": {"type": "XmlDecoder"}})),
        lambda seen: b'<root><item n="5"><id>1</id></item><item><id>2</id></item></root>',
    ),
    Case(
        "gzip",
        manifest(
            stream(
                rows=(),
                retriever={"decoder": {"type": "GzipDecoder", "decoder": {"type": "JsonlDecoder"}}},
            )
        ),
        lambda seen: (200, gzipped([{"id": 1}, {"id": 2}]), {"Content-Type": "application/gzip"}),
    ),
    Case(
        "zip",
        manifest(
            stream(
                rows=("items",),
                retriever={
                    "decoder": {"type": "ZipfileDecoder", "decoder": {"type": "JsonDecoder"}}
                },
            )
        ),
        lambda seen: (200, zipped(b'{"items": [{"id": 1}]}'), {"Content-Type": "application/zip"}),
    ),
    Case(
        "rows_within_rows",
        manifest(
            stream(
                selector={
                    "extractor": {
                        "type": "DpathExtractor",
                        "field_path": ["items"],
                        "record_expander": {
                            "type": "RecordExpander",
                            "expand_records_from_field": ["lines", "data"],
                        },
                    }
                }
            )
        ),
        lambda seen: {
            "items": [
                {"id": 1, "lines": {"data": [{"id": 11}, {"id": 12}]}},
                {"id": 2},
                {"id": 3, "lines": {"data": [{"id": 31}]}},
            ]
        },
    ),
    Case(
        "filtered_after_fields_are_added",
        manifest(
            stream(
                selector={
                    "record_filter": {
                        "type": "RecordFilter",
                        "condition": "{{ record['double'] > 2 }}",
                    },
                    "transform_before_filtering": True,
                },
                transformations=[
                    {
                        "type": "AddFields",
                        "fields": [{"path": ["double"], "value": "{{ record['id'] * 2 }}"}],
                    }
                ],
            )
        ),
        lambda seen: {"items": [{"id": 1}, {"id": 2}]},
    ),
    Case(
        "lines",
        manifest(stream(rows=(), retriever={"decoder": {"type": "IterableDecoder"}})),
        lambda seen: b"one\ntwo\n",
    ),
)


def since(seen: Seen) -> Any:
    start, end = seen.query.get("since", ""), seen.query.get("until", "9")
    all_ = [{"id": n, "updated": f"2024-01-{n:02d}T00:00:00Z"} for n in range(1, 29)]
    return {"items": [one for one in all_ if start <= one["updated"] <= end]}


def by_time(**more: Any) -> dict[str, Any]:
    made = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "updated",
        "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
        "start_datetime": {"type": "MinMaxDatetime", "datetime": "{{ config['start'] }}"},
        "end_datetime": "2024-01-25T00:00:00Z",
        "start_time_option": option("since"),
        "end_time_option": option("until"),
        **more,
    }
    return {key: value for key, value in made.items() if value is not None}


START = {"start": "2024-01-05T00:00:00Z"}
INCREMENTS = (
    Case(
        "since",
        manifest(stream(incremental_sync=by_time()), spec=asks(start=field_())),
        since,
        START,
    ),
    Case(
        "windows",
        manifest(
            stream(incremental_sync=by_time(step="P7D", cursor_granularity="PT1S")),
            spec=asks(start=field_()),
        ),
        since,
        START,
        unordered=True,
    ),
    Case(
        "windows_in_templates",
        manifest(
            stream(
                requester={
                    "request_parameters": {
                        "since": "{{ stream_interval['start_time'] }}",
                        "until": "{{ stream_interval.get('end_time') }}",
                        "day": "{{ format_datetime(stream_interval.start_time, '%d.%m.%Y') }}",
                    }
                },
                incremental_sync=by_time(
                    step="P1M",
                    cursor_granularity="PT1S",
                    start_time_option=None,
                    end_time_option=None,
                    lookback_window="P1D",
                ),
            ),
            spec=asks(start=field_()),
        ),
        since,
        START,
        unordered=True,
    ),
    Case(
        "epochs",
        manifest(
            stream(
                incremental_sync=by_time(
                    datetime_format="%s",
                    cursor_datetime_formats=["%Y-%m-%dT%H:%M:%SZ"],
                    start_datetime={
                        "type": "MinMaxDatetime",
                        "datetime": "{{ config['start'] }}",
                        "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
                    },
                    end_datetime={
                        "type": "MinMaxDatetime",
                        "datetime": "2024-01-25T00:00:00Z",
                        "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
                    },
                )
            ),
            spec=asks(start=field_()),
        ),
        lambda seen: {"items": [{"id": 1, "updated": "2024-01-06T00:00:00Z"}]},
        START,
    ),
    Case(
        "milliseconds",
        manifest(
            stream(
                incremental_sync=by_time(
                    datetime_format="%Y-%m-%dT%H:%M:%S.%_msZ",
                    cursor_datetime_formats=["%Y-%m-%dT%H:%M:%S.%_msZ"],
                    start_datetime="2024-01-05T00:00:00.000Z",
                    end_datetime="2024-01-25T00:00:00.000Z",
                )
            )
        ),
        lambda seen: {"items": [{"id": 1, "updated": "2024-01-06T00:00:00.000Z"}]},
    ),
    Case(
        "filtered_here",
        manifest(
            stream(
                incremental_sync=by_time(
                    is_client_side_incremental=True, start_time_option=None, end_time_option=None
                )
            ),
            spec=asks(start=field_()),
        ),
        lambda seen: {
            "items": [
                {"id": 1, "updated": "2024-01-01T00:00:00Z"},
                {"id": 2, "updated": "2024-01-07T00:00:00Z"},
            ]
        },
        START,
        near=True,
    ),
    Case(
        "data_feed",
        manifest(
            stream(
                incremental_sync=by_time(
                    is_data_feed=True, start_time_option=None, end_time_option=None
                ),
                paginator=paged(PAGE, option("page"), option("limit")),
            ),
            spec=asks(start=field_()),
        ),
        lambda seen: {
            "items": [
                {"id": n, "updated": f"2024-01-{n:02d}T00:00:00Z"}
                for n in range(11 - 2 * int(seen.query.get("page", 1)), 0, -1)[:2]
            ]
        },
        START,
        near=True,
    ),
    Case(
        "rows_without_a_key",
        manifest(stream(incremental_sync=by_time(), primary_key=None), spec=asks(start=field_())),
        since,
        START,
        near=True,
        ignore=("row_hash",),
    ),
    Case(
        "counting",
        manifest(
            stream(
                incremental_sync={
                    "type": "IncrementingCountCursor",
                    "cursor_field": "id",
                    "start_value": 0,
                    "start_value_option": option("after"),
                }
            )
        ),
        lambda seen: {"items": listed(5, int(seen.query.get("after", 0)), 5)},
    ),
)


def parent_config(parent: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [
            {
                "type": "ParentStreamConfig",
                "stream": parent,
                "parent_key": "id",
                "partition_field": "account",
                **more,
            }
        ],
    }


def accounts(seen: Seen) -> Any:
    if seen.path.endswith("/accounts"):
        return {"accounts": [{"id": n, "label": f"a{n}", "meta": {"key": f"k{n}"}} for n in (1, 2)]}
    account = seen.query.get("account") or seen.path.split("/")[-2]
    return {"items": [{"id": f"{account}-{n}"} for n in (1, 2)]}


ACCOUNTS = stream("accounts", "/accounts", rows=("accounts",))
ADD_ACCOUNT = {
    "type": "AddFields",
    "fields": [{"path": ["account"], "value": "{{ stream_partition['account'] }}"}],
}
REGIONS = {
    "type": "ListPartitionRouter",
    "cursor_field": "region",
    "values": ["eu", "us"],
    "request_option": option("region"),
}
TEAMS = stream("teams", "/teams", rows=("teams",))
BOARDS = stream(
    "boards",
    "/teams/{{ stream_slice.team }}/boards",
    rows=("boards",),
    router={
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [
            {
                "type": "ParentStreamConfig",
                "stream": TEAMS,
                "parent_key": "id",
                "partition_field": "team",
            }
        ],
    },
)


def boards(seen: Seen) -> Any:
    if seen.path.endswith("/teams"):
        return {"teams": [{"id": 1}, {"id": 2}]}
    if seen.path.endswith("/boards"):
        team = int(seen.path.split("/")[-2])
        return {"boards": [{"id": team * 10}, {"id": team * 10 + 1}]}
    return {"items": [{"id": seen.path}]}


ROUTERS = (
    Case(
        "what_the_parent_was_read_for",
        manifest(
            TEAMS,
            BOARDS,
            stream(
                path="/{{ stream_slice.parent_slice.team }}/boards/{{ stream_slice.board }}/pins",
                router={
                    "type": "SubstreamPartitionRouter",
                    "parent_stream_configs": [
                        {
                            "type": "ParentStreamConfig",
                            "stream": BOARDS,
                            "parent_key": "id",
                            "partition_field": "board",
                        }
                    ],
                },
            ),
        ),
        boards,
        unordered=True,
    ),
    Case(
        "list",
        manifest(stream(router=REGIONS)),
        lambda seen: {"items": [{"id": seen.query["region"]}]},
        unordered=True,
    ),
    Case(
        "list_of_config",
        manifest(
            stream(
                path="/{{ stream_partition.region }}/items",
                router={
                    "type": "ListPartitionRouter",
                    "cursor_field": "region",
                    "values": "{{ config['regions'] }}",
                },
            ),
            spec=asks(regions=field_("array")),
        ),
        lambda seen: {"items": [{"id": seen.path.split("/")[-2]}]},
        {"regions": ["eu", "us"]},
        unordered=True,
    ),
    Case(
        "children",
        manifest(
            ACCOUNTS,
            stream(
                path="/accounts/{{ stream_partition['account'] }}/items",
                router=parent_config(ACCOUNTS),
                transformations=[ADD_ACCOUNT],
            ),
        ),
        accounts,
        unordered=True,
    ),
    Case(
        "children_of_a_parent_that_is_not_listed",
        manifest(
            stream(
                router=parent_config(
                    ACCOUNTS,
                    parent_key="meta/key",
                    request_option=option("account"),
                    extra_fields=[["label"]],
                ),
                transformations=[
                    {
                        "type": "AddFields",
                        "fields": [
                            {"path": ["label"], "value": "{{ stream_slice.extra_fields['label'] }}"}
                        ],
                    }
                ],
            )
        ),
        accounts,
        unordered=True,
    ),
    Case(
        "product",
        manifest(
            stream(
                path="/accounts/{{ stream_partition.account }}/items",
                router=[parent_config(ACCOUNTS), REGIONS],
            )
        ),
        accounts,
        unordered=True,
    ),
    Case(
        "groups",
        manifest(
            stream(
                requester={
                    "request_parameters": {
                        "account": "{{ stream_partition['account'] | join(',') }}"
                    }
                },
                router={
                    "type": "GroupingPartitionRouter",
                    "group_size": 2,
                    "underlying_partition_router": parent_config(ACCOUNTS),
                },
            )
        ),
        accounts,
    ),
    Case(
        "children_by_time",
        manifest(
            stream(
                path="/accounts/{{ stream_partition.account }}/items",
                router=parent_config(ACCOUNTS),
                incremental_sync=by_time(),
            ),
            spec=asks(start=field_()),
        ),
        accounts,
        START,
        unordered=True,
    ),
)


def failing(*answers: Any) -> Callable[[], Route]:
    def made() -> Route:
        left = list(answers)

        def answer(seen: Seen) -> Any:
            return left.pop(0) if left else {"items": [{"id": 1}]}

        return answer

    return made


def handler(*filters: dict[str, Any], **more: Any) -> dict[str, Any]:
    wait = {"type": "ConstantBackoffStrategy", "backoff_time_in_seconds": 0.01}
    return {
        "error_handler": {
            "type": "DefaultErrorHandler",
            "backoff_strategies": [wait],
            "response_filters": [{"type": "HttpResponseFilter", **one} for one in filters],
            **more,
        }
    }


class Fresh:
    """A server that begins anew for each reader."""

    def __init__(self, make: Callable[[], Route]) -> None:
        self.make = make


ERRORS = (
    Case(
        "ignored_status",
        manifest(
            stream(
                requester=handler({"action": "IGNORE", "http_codes": [404]}),
                paginator=paged(PAGE, option("page"), option("limit")),
            )
        ),
        lambda seen: by_page(count=9)(seen) if int(seen.query.get("page", 1)) < 3 else (404, {}),
    ),
    Case(
        "ignored_by_predicate",
        manifest(
            stream(
                requester=handler(
                    {"action": "IGNORE", "predicate": "{{ response.get('code') == 'none' }}"}
                )
            )
        ),
        lambda seen: (400, {"code": "none"}),
    ),
    Case(
        "retried",
        manifest(stream(requester=handler({"action": "RETRY", "http_codes": [409]}))),
        Fresh(failing((409, {}), (409, {}))),
    ),
    Case(
        "retried_by_predicate",
        manifest(
            stream(requester=handler({"action": "RETRY", "predicate": "{{ 'wait' in response }}"}))
        ),
        Fresh(failing({"wait": True})),
    ),
    Case(
        "limited_by_message",
        manifest(
            stream(
                requester=handler({"action": "RATE_LIMITED", "error_message_contains": "too many"})
            )
        ),
        Fresh(failing((400, {"error": "too many calls"}))),
    ),
    Case(
        "composite",
        manifest(
            stream(
                requester={
                    "error_handler": {
                        "type": "CompositeErrorHandler",
                        "error_handlers": [
                            handler({"action": "IGNORE", "http_codes": [403]})["error_handler"],
                            handler({"action": "RETRY", "http_codes": [404]})["error_handler"],
                        ],
                    }
                }
            )
        ),
        Fresh(failing((404, {}), (403, {}))),
    ),
)

TOKEN = {"token": field_(secret=True), "user": field_(), "word": field_(secret=True)}
GIVEN = {"token": "t0ken", "user": "me", "word": "w0rd"}


def authenticated(authenticator: dict[str, Any], **more: Any) -> dict[str, Any]:
    return manifest(
        stream(requester={"authenticator": authenticator}), spec=asks(**{**TOKEN, **more})
    )


def granting(seen: Seen) -> Any:
    if seen.path.endswith(("/token", "/login")):
        return {"access_token": "fresh", "expires_in": 3600, "session": {"id": "s1"}}
    return {"items": [{"id": 1}]}


AUTHS = (
    Case(
        "key_in_a_header",
        authenticated(
            {
                "type": "ApiKeyAuthenticator",
                "api_token": "Token {{ config['token'] }}",
                "inject_into": option("X-Key", "header"),
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "key_in_the_query",
        authenticated(
            {
                "type": "ApiKeyAuthenticator",
                "api_token": "{{ config['token'] }}",
                "inject_into": option("key"),
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "key_of_old",
        authenticated(
            {
                "type": "ApiKeyAuthenticator",
                "api_token": "{{ config['token'] }}",
                "header": "Authorization",
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "bearer",
        authenticated({"type": "BearerAuthenticator", "api_token": "{{ config['token'] }}"}),
        granting,
        GIVEN,
    ),
    Case(
        "basic",
        authenticated(
            {
                "type": "BasicHttpAuthenticator",
                "username": "{{ config['user'] }}",
                "password": "{{ config['word'] }}",
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "basic_with_a_fixed_word",
        authenticated(
            {
                "type": "BasicHttpAuthenticator",
                "username": "{{ config['token'] }}",
                "password": "x",
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "oauth_refresh",
        authenticated(
            {
                "type": "OAuthAuthenticator",
                "token_refresh_endpoint": "{{ config['base'] }}/token",
                "client_id": "{{ config['user'] }}",
                "client_secret": "{{ config['word'] }}",
                "refresh_token": "{{ config['token'] }}",
                "scopes": ["read", "write"],
                "refresh_request_body": {"audience": "all"},
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "oauth_client",
        authenticated(
            {
                "type": "OAuthAuthenticator",
                "token_refresh_endpoint": "{{ config['base'] }}/token",
                "client_id": "{{ config['user'] }}",
                "client_secret": "{{ config['word'] }}",
                "grant_type": "client_credentials",
                "client_id_name": "id",
                "client_secret_name": "secret",
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "session",
        authenticated(
            {
                "type": "SessionTokenAuthenticator",
                "login_requester": {
                    "type": "HttpRequester",
                    "url_base": "{{ config['base'] }}",
                    "path": "/login",
                    "http_method": "POST",
                    "request_body_json": {
                        "name": "{{ config['user'] }}",
                        "word": "{{ config['word'] }}",
                    },
                },
                "session_token_path": ["session", "id"],
                "expiration_duration": "PT1H",
                "request_authentication": {
                    "type": "ApiKey",
                    "inject_into": option("X-Session", "header"),
                },
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "session_of_old",
        authenticated(
            {
                "type": "LegacySessionTokenAuthenticator",
                "header": "X-Session",
                "login_url": "/login",
                "validate_session_url": "/me",
                "session_token_response_key": "access_token",
                "username": "{{ config['user'] }}",
                "password": "{{ config['word'] }}",
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "session_as_bearer",
        authenticated(
            {
                "type": "SessionTokenAuthenticator",
                "login_requester": {
                    "type": "HttpRequester",
                    "url_base": "{{ config['base'] }}",
                    "path": "/login",
                    "http_method": "POST",
                    "authenticator": {
                        "type": "BasicHttpAuthenticator",
                        "username": "{{ config['user'] }}",
                        "password": "{{ config['word'] }}",
                    },
                },
                "session_token_path": ["access_token"],
                "expiration_duration": "P1D",
                "request_authentication": {"type": "Bearer"},
            }
        ),
        granting,
        GIVEN,
    ),
    Case(
        "selective",
        manifest(
            stream(
                requester={
                    "authenticator": {
                        "type": "SelectiveAuthenticator",
                        "authenticator_selection_path": ["credentials", "kind"],
                        "authenticators": {
                            "token": {
                                "type": "BearerAuthenticator",
                                "api_token": "{{ config['credentials']['token'] }}",
                            },
                            "key": {
                                "type": "ApiKeyAuthenticator",
                                "api_token": "{{ config['credentials']['key'] }}",
                                "inject_into": option("X-Key", "header"),
                            },
                        },
                    }
                }
            ),
            spec=asks(
                credentials={
                    "type": "object",
                    "oneOf": [
                        {
                            "type": "object",
                            "required": ["kind", "token"],
                            "properties": {
                                "kind": {"type": "string", "const": "token"},
                                "token": field_(secret=True),
                            },
                        },
                        {
                            "type": "object",
                            "required": ["kind", "key"],
                            "properties": {
                                "kind": {"type": "string", "const": "key"},
                                "key": field_(secret=True),
                            },
                        },
                    ],
                }
            ),
        ),
        granting,
        {"credentials": {"kind": "key", "key": "k3y"}},
    ),
)

REQUESTS = (
    Case(
        "empty_parameters",
        manifest(
            stream(
                requester={
                    "request_parameters": {
                        "q": "{{ config.get('q', '') }}",
                        "zero": "0",
                        "flag": "{{ config['flag'] }}",
                        "list": "['a', 'b']",
                        "mode": "{{ 'x' if config['flag'] else 'y' }}",
                        "from": "{{ config['start'] | replace('-', '') }}",
                        "fixed": "{% if config['flag'] %}yes{% else %}no{% endif %}",
                    },
                    "request_headers": {"X-Empty": "{{ config.get('q') }}", "X-One": "1"},
                }
            ),
            spec=asks(q=field_(), flag=field_("boolean"), start=field_()),
        ),
        granting,
        {"flag": True, "start": "2024-01-02"},
    ),
    Case(
        "json_body",
        manifest(
            stream(
                requester={
                    "http_method": "POST",
                    "request_body_json": {
                        "limit": "100",
                        "n": "{{ config['n'] }}",
                        "empty": "{{ config.get('q') }}",
                        "deep": {"list": ["{{ config['word'] }}", 2], "on": True},
                        "filter": "{'after': '{{ config['word'] }}'}",
                    },
                }
            ),
            spec=asks(n=field_("integer"), word=field_(), q=field_()),
        ),
        granting,
        {"n": 5, "word": "w"},
    ),
    Case(
        "form_body",
        manifest(
            stream(
                requester={
                    "http_method": "POST",
                    "request_body_data": {"a": "{{ config['word'] }}", "b": "x y"},
                }
            ),
            spec=asks(word=field_()),
        ),
        granting,
        {"word": "w&w"},
    ),
    Case(
        "options_in_a_form_and_a_header",
        manifest(
            stream(
                requester={"http_method": "POST", "request_body_data": {"a": "1"}},
                paginator=paged(OFFSET, option("offset", "body_data"), option("X-Limit", "header")),
            )
        ),
        lambda seen: {
            "items": listed(5, int(dict(parse_qsl(seen.body.decode())).get("offset", 0)))
        },
    ),
    Case(
        "whole_url",
        manifest(
            stream(requester={"url_base": None, "path": None, "url": "{{ config['base'] }}/v1/x"})
        ),
        granting,
    ),
    Case(
        "graphql_body",
        manifest(
            stream(
                requester={
                    "http_method": "POST",
                    "request_body": {
                        "type": "RequestBodyGraphQL",
                        "value": {"query": "query { items { id } }"},
                    },
                }
            )
        ),
        granting,
    ),
    Case(
        "query_in_the_path",
        manifest(stream(path="items?kind=a&n={{ config['n'] }}"), spec=asks(n=field_("integer"))),
        granting,
        {"n": 5},
    ),
    Case(
        "parameters_handed_down",
        {
            **manifest(),
            "definitions": {
                "requester": {
                    "type": "HttpRequester",
                    "url_base": "{{ config['base'] }}",
                    "path": "/{{ parameters['version'] }}/{{ parameters.path }}",
                    "request_parameters": {"kind": "{{ parameters.get('kind', 'all') }}"},
                },
                "base": {
                    "type": "DeclarativeStream",
                    "retriever": {
                        "type": "SimpleRetriever",
                        "requester": {"$ref": "#/definitions/requester"},
                        "record_selector": {
                            "type": "RecordSelector",
                            "extractor": {
                                "type": "DpathExtractor",
                                "field_path": ["{{ parameters['name'] }}"],
                            },
                        },
                    },
                    "schema_loader": {
                        "type": "InlineSchemaLoader",
                        "schema": {"type": "object", "properties": {}},
                    },
                    "$parameters": {"version": "v1", "name": "other"},
                },
            },
            "check": {"type": "CheckStream", "stream_names": ["items"]},
            "streams": [
                {
                    "$ref": "#/definitions/base",
                    "$parameters": {
                        "name": "items",
                        "primary_key": "id",
                        "path": "items",
                        "version": "v2",
                    },
                }
            ],
        },
        granting,
    ),
)


def exporting(seen: Seen) -> Any:
    if seen.method == "POST":
        return {"export": "e1"}
    if seen.path.endswith("/e1"):
        return {"state": "done", "files": [f"{BASE}/file/1", f"{BASE}/file/2"]}
    return b'{"id": 1}\n' if seen.path.endswith("1") else b'{"id": 2}\n'


def _job(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {
        "type": "HttpRequester",
        "url_base": "{{ config['base'] }}",
        "path": path,
        "http_method": method,
        **more,
    }


JOBS = (
    Case(
        "export",
        manifest(
            stream(
                retriever={
                    "type": "AsyncRetriever",
                    "requester": None,
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": []},
                    },
                    "creation_requester": _job("/exports", "POST"),
                    "polling_requester": _job("/exports/{{ creation_response['export'] }}"),
                    "download_requester": {
                        "type": "HttpRequester",
                        "url_base": "{{ download_target }}",
                        "path": "",
                        "http_method": "GET",
                    },
                    "status_extractor": {"type": "DpathExtractor", "field_path": ["state"]},
                    "download_target_extractor": {
                        "type": "DpathExtractor",
                        "field_path": ["files"],
                    },
                    "status_mapping": {
                        "running": ["wait"],
                        "completed": ["done"],
                        "failed": ["bad"],
                        "timeout": [],
                    },
                    "decoder": {"type": "JsonDecoder"},
                    "download_decoder": {"type": "JsonlDecoder"},
                }
            )
        ),
        exporting,
        unordered=True,
    ),
)

CASES: tuple[Case, ...] = (
    *PAGINATIONS,
    *ROWS,
    *INCREMENTS,
    *ROUTERS,
    *ERRORS,
    *AUTHS,
    *REQUESTS,
    *JOBS,
)
