"""Every pagination against a table: what the server answers, what must be asked next."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from connector_assets.errors import ResponseError
from connector_assets.spec.call import Call, Deferred
from connector_assets.spec.links import find_link
from connector_assets.spec.pagination import Pagination
from connector_assets.spec.paths import Path

START = Call("GET", "https://api.example.com/v1/items", {"q": "all"})
PAGINATION = TypeAdapter(Pagination)


@dataclass
class Answer:
    """A page as a pagination sees it."""

    rows: list[Any] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = START.url

    @property
    def count(self):
        return len(self.rows)

    def field(self, path):
        return Path(path).get(self.body)

    def header(self, name):
        return self.headers.get(name)

    def last(self, path):
        return Path(path).get(self.rows[-1]) if self.rows else None


def rows(count, start=1):
    return [{"id": n} for n in range(start, start + count)]


def walk(spec, answers, start=START):
    """The calls that `spec` makes while `answers` come back."""
    walker = PAGINATION.validate_python(spec).pages(start)
    calls = [next(walker)]
    for answer in answers:
        try:
            calls.append(walker.send(answer))
        except StopIteration:
            return calls
    walker.close()
    return [*calls, "goes on"]


def asked(call):
    return call if isinstance(call, str) else dict(call.params)


CURSOR = {"type": "cursor", "cursor_field": "next"}
TABLE = [
    ("none", {"type": "none"}, [Answer(rows(3))], [{}]),
    ("cursor", CURSOR, [Answer(body={"next": "c2"}), Answer()], [{}, {"cursor": "c2"}]),
    ("cursor null", CURSOR, [Answer(body={"next": None})], [{}]),
    ("cursor empty", CURSOR, [Answer(body={"next": ""})], [{}]),
    ("cursor false", CURSOR, [Answer(body={"next": False})], [{}]),
    ("cursor zero", CURSOR, [Answer(body={"next": 0}), Answer()], [{}, {"cursor": 0}]),
    (
        "cursor goes on after an empty page",
        CURSOR,
        [Answer(rows(2), {"next": "b"}), Answer([], {"next": "c"}), Answer(rows(1))],
        [{}, {"cursor": "b"}, {"cursor": "c"}],
    ),
    (
        "cursor sends its page size",
        {**CURSOR, "page_size": 50, "page_size_param": "limit", "cursor_param": "after"},
        [Answer(body={"next": "c2"}), Answer()],
        [{"limit": 50}, {"limit": 50, "after": "c2"}],
    ),
    (
        "cursor ends when hasMoreField is false",
        {
            "type": "cursor",
            "last_record_field": "id",
            "has_more_field": "has_more",
            "cursor_param": "starting_after",
        },
        [Answer(rows(2), {"has_more": True}), Answer(rows(2, 3), {"has_more": False})],
        [{}, {"starting_after": 2}],
    ),
    (
        "cursor stops short only if told",
        {**CURSOR, "page_size": 3, "stop_on": "short"},
        [Answer(rows(3), {"next": "b"}), Answer(rows(2), {"next": "c"})],
        [{}, {"cursor": "b"}],
    ),
    (
        "offset stops after a short page",
        {"type": "offset", "page_size": 2},
        [Answer(rows(2)), Answer(rows(1))],
        [{"offset": 0, "limit": 2}, {"offset": 2, "limit": 2}],
    ),
    (
        "offset verifies a short first page",
        {"type": "offset", "page_size": 100},
        [Answer(rows(3)), Answer()],
        [{"offset": 0, "limit": 100}, {"offset": 3, "limit": 100}],
    ),
    (
        "offset takes a capped page size as the size",
        {"type": "offset", "page_size": 100},
        [Answer(rows(3)), Answer(rows(3, 4)), Answer(rows(1, 7))],
        [{"offset": n, "limit": 100} for n in (0, 3, 6)],
    ),
    (
        "offset stops at the total",
        {"type": "offset", "page_size": 2, "total_field": "meta.total"},
        [Answer(rows(2), {"meta": {"total": 4}}), Answer(rows(2), {"meta": {"total": 4}})],
        [{"offset": 0, "limit": 2}, {"offset": 2, "limit": 2}],
    ),
    (
        "offset does not stop short of the total",
        {"type": "offset", "page_size": 2, "total_field": "total"},
        [
            Answer(rows(2), {"total": 5}),
            Answer(rows(1), {"total": 5}),
            Answer(rows(2), {"total": 5}),
        ],
        [{"offset": n, "limit": 2} for n in (0, 2, 3)],
    ),
    (
        "offset starts where it is told",
        {"type": "offset", "page_size": 2, "start_at": 1, "offset_param": "startIndex"},
        [Answer(rows(2)), Answer()],
        [{"startIndex": 1, "limit": 2}, {"startIndex": 3, "limit": 2}],
    ),
    (
        "page counts from one",
        {"type": "page", "page_size": 2, "page_size_param": "per_page"},
        [Answer(rows(2)), Answer(rows(2)), Answer()],
        [{"page": n, "per_page": 2} for n in (1, 2, 3)],
    ),
    (
        "page stops at the last page number",
        {"type": "page", "total_pages_field": "pages"},
        [Answer(rows(2), {"pages": 2}), Answer(rows(2), {"pages": 2})],
        [{"page": 1}, {"page": 2}],
    ),
    (
        "page reads the number of pages from a header",
        {"type": "page", "total_pages_header": "x-pages", "start_at": 0},
        [Answer(rows(2), headers={"x-pages": "1"})],
        [{"page": 0}],
    ),
]


@pytest.mark.parametrize(("name", "spec", "answers", "calls"), TABLE, ids=[t[0] for t in TABLE])
def test_a_pagination_asks_what_the_table_says(name, spec, answers, calls):
    spec = {_camel(key): value for key, value in spec.items()}
    expected = [call if call == "goes on" else {"q": "all", **call} for call in calls]
    assert [asked(call) for call in walk(spec, answers)] == expected


def _camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


@pytest.mark.parametrize(
    ("cursor", "url"),
    [
        ("/v1/items?cursor=2", "https://api.example.com/v1/items?cursor=2"),
        ("https://api.example.com/p2", "https://api.example.com/p2"),
        ("//evil.example/v1", "https://evil.example/v1"),
    ],
)
def test_a_cursor_that_is_a_url_or_a_path_is_followed(cursor, url):
    calls = walk({"type": "cursor", "cursorField": "next"}, [Answer(body={"next": cursor})])
    assert calls[1].url == url
    assert calls[1].followed
    assert calls[1].params == {}


@pytest.mark.parametrize("cursor", [{"a": 1}, [1]])
def test_a_structured_cursor_cannot_go_into_a_query(cursor):
    with pytest.raises(ResponseError, match="cannot go into a query"):
        walk({"type": "cursor", "cursorField": "next"}, [Answer(body={"next": cursor})])


def test_a_structured_cursor_goes_into_a_body_as_it_is():
    spec = {
        "type": "cursor",
        "cursorField": "LastEvaluatedKey",
        "cursorIn": "body",
        "cursorParam": "page.start",
    }
    key = {"id": {"S": "a"}}
    start = Call("POST", START.url, body={"table": "t"})
    calls = walk(spec, [Answer(body={"LastEvaluatedKey": key})], start)
    assert calls[1].body == {"table": "t", "page": {"start": key}}


def test_next_url_is_resolved_against_the_page_and_used_as_it_is():
    spec = {"type": "next_url", "urlField": "links.next"}
    calls = walk(spec, [Answer(body={"links": {"next": "items?page=2"}}), Answer()])
    assert calls[1].url == "https://api.example.com/v1/items?page=2"
    assert calls[1].params == {}


def test_link_header_is_read_as_rfc_8288_says():
    header = '</p1>; rel="prev", </p2?a=b,c>; title="a, b; rel=\\"next\\""; REL="next foo"'
    calls = walk({"type": "link_header"}, [Answer(headers={"link": header}), Answer()])
    assert [call.url for call in calls[1:]] == ["https://api.example.com/p2?a=b,c"]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("<https://h/2>; rel=next", "https://h/2"),
        ('<https://h/1>; rel="prev next"', "https://h/1"),
        ('<a>; rel="prev", <b>;rel=next;title="x, <c>; rel=next"', "b"),
        ('<a>; title="rel=next"', None),
        ("<a>; rel=prev; rel=next", None),  # section 3.3: only the first rel counts
        ("nonsense", None),
        ("", None),
        ("<unclosed; rel=next", None),
    ],
)
def test_links_are_found_by_relation(header, found):
    assert find_link(header, "next") == found


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "offset", "pageSize": 10, "totalField": "total"},
        {"type": "page", "pageSize": 10, "totalField": "total"},
        {"type": "page", "totalPagesField": "pages"},
    ],
)
def test_the_calls_ahead_are_those_of_the_walk(spec):
    answer = Answer(rows(10), {"total": 35, "pages": 4})
    last = Answer(rows(5), {"total": 35, "pages": 4})
    pagination = PAGINATION.validate_python(spec)
    one_by_one = walk(spec, [answer, answer, answer, last])
    first = one_by_one[0]
    ahead = [first, *pagination.ahead(first, answer)]
    assert [call.place for call in ahead] == [call.place for call in one_by_one]


def test_a_walk_goes_on_from_any_call_it_made():
    spec = {"type": "offset", "pageSize": 100}
    answers = [Answer(rows(3)), Answer(rows(3)), Answer(rows(1))]
    calls = walk(spec, answers)
    for position in range(1, len(calls)):
        revived = Call.loads(calls[position].dumps())
        assert walk(spec, answers[position:], revived) == calls[position:]


def test_a_call_is_stored_as_it_always_was():
    call = Call(
        "POST",
        "https://h/a",
        {"n": Decimal("1.10")},
        {"X-Key": Deferred("{{secrets.k}}")},
        {"a": [1]},
    ).after(5, 10, probe=True)
    text = (
        '{"method":"POST","url":"https://h/a","params":{"n":{"$decimal":"1.10"}},'
        '"headers":{"X-Key":{"$deferred":"{{secrets.k}}"}},"body":{"a":[1]},"encoding":"json",'
        '"page":2,"rows_before":5,"page_size":10,"followed":false,"probe":true,"job":null}'
    )
    assert call.dumps() == text
    assert Call.loads(text) == call


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "cursor"},
        {"type": "cursor", "cursorField": "a", "cursorHeader": "b"},
        {"type": "cursor", "cursorField": "a", "pageSizeParam": "limit"},
        {"type": "next_url"},
        {"type": "page", "pageSizeParam": "limit"},
        {"type": "offset", "pageSize": 0},
        {"type": "cursor", "cursorField": "a b"},
    ],
)
def test_a_pagination_that_cannot_walk_is_refused(spec):
    with pytest.raises(ValidationError):
        PAGINATION.validate_python(spec)
