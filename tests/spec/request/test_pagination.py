"""Every pagination against a table: what the server answers, what must be asked next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace as replace_field
from pydantic import TypeAdapter, ValidationError

from connector_assets.errors import PaginationLoop, ResponseError
from connector_assets.runtime.walk import paginate
from connector_assets.spec.names.links import find_link
from connector_assets.spec.names.paths import MISSING, Path
from connector_assets.spec.request.call import Call, Seen
from connector_assets.spec.request.pagination import Pagination
from connector_assets.spec.request.stored import Deferred

START = Call("GET", "https://api.example.com/v1/items", {"q": "all"})
PAGINATION = TypeAdapter(Pagination)


@dataclass
class Answer:
    """A page as a pagination sees it."""

    rows: list[Any] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = START.url
    outcome: str = "rows"
    number: int = 0
    unchanged = False

    @property
    def content(self):
        return b"%d" % self.number

    @property
    def digest(self):
        return self.number

    @property
    def ends(self):
        return b"", b""

    def parts(self):
        yield self

    def past_the_end(self):
        return replace(self, rows=[], outcome="past")

    def has(self, path):
        return Path(path).find(self.body) is not MISSING

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


class NoAnswerLeft(Exception):
    pass


def read(spec, answers, start=START):
    """The calls that the driver makes of `spec` while `answers` come back, and its last step."""
    calls, left, step = [], enumerate(answers, 1), None

    def fetch(call):
        calls.append(call)
        number, answer = next(left, (0, None))
        if answer is None:
            raise NoAnswerLeft
        return replace(answer, number=answer.number or number)

    with suppress(NoAnswerLeft):
        step = list(paginate.walk(PAGINATION.validate_python(spec), start, fetch))[-1]
    assert next(left, None) is None, "the list ended before its last answer"
    return calls, step


def walk(spec, answers, start=START):
    return read(spec, answers, start)[0]


def asked(call):
    return dict(call.params)


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
        "offset verifies a short page",
        {"type": "offset", "page_size": 2},
        [Answer(rows(2)), Answer(rows(1)), Answer()],
        [{"offset": n, "limit": 2} for n in (0, 2, 3)],
    ),
    (
        "offset stops at a short page if told so",
        {"type": "offset", "page_size": 2, "stop_on": "short"},
        [Answer(rows(2)), Answer(rows(1))],
        [{"offset": 0, "limit": 2}, {"offset": 2, "limit": 2}],
    ),
    (
        "page stops at a short first page if told so",
        {"type": "page", "page_size": 2, "stop_on": "short"},
        [Answer(rows(1))],
        [{"page": 1}],
    ),
    (
        "offset goes on by positions",
        {"type": "offset", "page_size": 3, "advance_by": "pageSize"},
        [Answer(rows(3)), Answer(rows(2)), Answer()],
        [{"offset": n, "limit": 3} for n in (0, 3, 6)],
    ),
    (
        "offset passes over empty pages, three in a row at most",
        {"type": "offset", "page_size": 2, "total_field": "t"},
        [Answer(rows(2), {"t": 9}), *[Answer()] * 3, Answer(rows(2)), *[Answer()] * 4],
        [{"offset": n, "limit": 2} for n in (0, 2, 4, 6, 8, 10, 12, 14, 16)],
    ),
    (
        "page passes over an ignored answer",
        {"type": "page", "page_size": 2},
        [Answer(rows(2)), Answer(outcome="ignored"), Answer(rows(2)), Answer()],
        [{"page": n} for n in (1, 2, 3, 4)],
    ),
    (
        "page ends at a request that only makes sure, where there is no such page",
        {"type": "page", "page_size": 2},
        [Answer(rows(1)), Answer(outcome="past")],
        [{"page": 1}, {"page": 2}],
    ),
    (
        "page ends at a request that only makes sure, where it brings rows seen before",
        {"type": "page", "page_size": 2},
        [Answer(rows(2)), Answer(rows(1), number=7), Answer(rows(1), number=7)],
        [{"page": 1}, {"page": 2}, {"page": 3}],
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
        [Answer(rows(3)), Answer(rows(3, 4)), Answer(rows(1, 7)), Answer()],
        [{"offset": n, "limit": 100} for n in (0, 3, 6, 7)],
    ),
    (
        "offset stops at the total",
        {"type": "offset", "page_size": 2, "total_field": "meta.total"},
        [Answer(rows(2), {"meta": {"total": 3}}), Answer(rows(1), {"meta": {"total": 3}})],
        [{"offset": 0, "limit": 2}, {"offset": 2, "limit": 2}],
    ),
    (
        "offset verifies a total that a full page reaches",
        {"type": "offset", "page_size": 2, "total_field": "total"},
        [Answer(rows(2), {"total": 2}), Answer()],
        [{"offset": 0, "limit": 2}, {"offset": 2, "limit": 2}],
    ),
    (
        "offset does not stop short of the total",
        {"type": "offset", "page_size": 2, "total_field": "total"},
        [
            Answer(rows(2), {"total": 5}),
            Answer(rows(1), {"total": 5}),
            Answer(rows(2), {"total": 5}),
            Answer(),
        ],
        [{"offset": n, "limit": 2} for n in (0, 2, 3, 5)],
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
    expected = [{"q": "all", **call} for call in calls]
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


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "cursor", "cursorField": "next", "cursorParam": "cursor"},
        {"type": "cursor", "cursorField": "next", "cursorIn": "query"},
        {"type": "cursor", "lastRecordField": "id"},
    ],
)
def test_a_cursor_that_looks_like_a_path_is_sent_where_the_spec_places_it(spec):
    answer = Answer([{"id": "/9j/4AA="}], {"next": "/9j/4AA="})
    assert asked(walk(spec, [answer, Answer()])[1])["cursor"] == "/9j/4AA="


FLAGGED = {"type": "cursor", "cursorField": "next", "hasMoreField": "more"}


@pytest.mark.parametrize("more", [False, 0, 0.0, "false", "False", "NO", "n", "0", None])
def test_a_flag_that_says_no_ends_the_list(more):
    calls, last = read(FLAGGED, [Answer(rows(1), {"next": "b", "more": more})])
    assert (len(calls), last.lacks, last.notes) == (1, "", ())


@pytest.mark.parametrize("told", [6.0, Decimal("6.0"), "6"])
def test_a_total_may_be_written_as_a_decimal(told):
    given = {"type": "offset", "pageSize": 2, "totalField": "n"}
    answers = [Answer(rows(2), {"n": told}), *[Answer([], {"n": told})] * 4]
    calls, last = read(given, answers)
    assert len(calls) == 1 + len(answers[1:])
    assert last.lacks == "the server told of 6 rows and gave 2"


def test_a_total_beyond_all_sense_is_none():
    answers = [Answer(rows(2), {"n": Decimal("1e400000000")}), Answer()]
    calls, last = read({"type": "offset", "pageSize": 2, "totalField": "n"}, answers)
    assert (len(calls), last.lacks) == (2, "")


@pytest.mark.parametrize("more", [True, 1, "true", "yes", "whatever"])
def test_a_flag_that_says_more_goes_on(more):
    answers = [Answer(rows(1), {"next": "b", "more": more}), Answer(body={"more": False})]
    assert len(walk(FLAGGED, answers)) == 2


def test_a_flag_that_is_absent_ends_the_list_with_a_note():
    _, last = read(FLAGGED, [Answer(rows(1), {"next": "b"})])
    assert (last.following, last.lacks) == (None, "")
    assert '"more"' in last.notes[0]


def test_more_that_is_promised_without_a_cursor_is_lacking():
    _, last = read(FLAGGED, [Answer(rows(1), {"more": True})])
    assert "there is more" in last.lacks


@pytest.mark.parametrize(
    ("spec", "answers", "lacks"),
    [
        ({"type": "cursor", "cursorField": "next"}, [Answer(outcome="ignored")], "ignored answer"),
        ({"type": "none"}, [Answer(outcome="ignored")], ""),
        ({"type": "page"}, [Answer(outcome="ignored")] * 4, "ignored answer"),
        ({"type": "page"}, [Answer(rows(1)), Answer(outcome="ignored"), Answer()], ""),
        (
            {"type": "page", "totalField": "t"},
            [Answer(rows(1), {"t": 2}), Answer(outcome="end")],
            "2 ",
        ),
        (
            {"type": "page", "totalField": "t"},
            [Answer([], {"t": 1})] * 4,
            "told of 1 rows and gave 0",
        ),
        (
            {"type": "page", "totalField": "t"},
            [Answer(rows(3), {"t": 9}), Answer(rows(1), {"t": 4})],
            "",
        ),
    ],
)
def test_a_list_that_may_not_be_all_says_why(spec, answers, lacks):
    last = read(spec, answers)[1]
    assert lacks in last.lacks
    assert bool(last.lacks) == bool(lacks)


@pytest.mark.parametrize(
    ("base", "link", "asked_for"),
    [
        ("https://h/a", "http://h/a?page=2", "https://h/a?page=2"),
        ("https://h/a", "http://H:80/a", "https://h/a"),
        ("https://h:8443/a", "http://h:8443/b", "https://h:8443/b"),
        ("https://h:8443/a", "http://h/b", "http://h/b"),
        ("https://h/a", "http://other/b", "http://other/b"),
        ("http://h/a", "http://h/b", "http://h/b"),
    ],
)
def test_a_next_link_leaves_tls_on_no_account(base, link, asked_for):
    spec = {"type": "next_url", "urlField": "next"}
    calls = walk(spec, [Answer(rows(1), {"next": link}, url=base), Answer()])
    assert calls[1].url == asked_for


@pytest.mark.parametrize("keep", [None, True, False])
def test_parameters_that_a_next_url_leaves_out(keep):
    spec = {"type": "next_url", "urlField": "next"} | ({} if keep is None else {"keepParams": keep})
    urls = ["https://h/a?c=1", "https://h/a?q=other&c=2", "https://h/a?c=3"]
    answers = [Answer(rows(1), {"next": url}) for url in urls]
    calls = walk(spec, [*answers, Answer()])
    assert [dict(call.params) for call in calls[1:]] == (
        [{"q": "all"}, {}, {"q": "all"}] if keep else [{}, {}, {}]
    )
    left = iter([answers[0], Answer()])
    pagination = PAGINATION.validate_python(spec)
    steps = list(paginate.walk(pagination, START, lambda _: next(left)))
    notes = [note for step in steps for note in step.notes]
    assert len(notes) == (keep is None)
    assert all('"q"' in note for note in notes)


@pytest.mark.parametrize("cursor", [{"a": 1}, [1]])
def test_a_structured_cursor_cannot_go_into_a_query(cursor):
    with pytest.raises(ResponseError, match="cannot go into a query"):
        walk(
            {"type": "cursor", "cursorField": "next", "cursorParam": "c"},
            [Answer(body={"next": cursor})],
        )


def test_a_cursor_without_a_parameter_gives_one_for_each_of_its_keys():
    spec = {"type": "cursor", "cursorField": "next", "cursorIn": "query"}
    cursors = [{"after": 1, "shard": "a"}, {"after": 2}, None]
    calls = walk(spec, [Answer(body={"next": cursor}) for cursor in cursors])
    assert [call.params for call in calls] == [
        {"q": "all"},
        {"q": "all", "after": 1, "shard": "a"},
        {"q": "all", "after": 2},
    ]


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
        ("<a>;rel='next'", "a"),
        ("<a>; rel = 'prev NEXT'; title='b, c'", "a"),
        ("<a> rel=next", "a"),
        ("<a>; title=it's; rel=next, <b>; rel=prev", "a"),
    ],
)
def test_links_are_found_by_relation(header, found):
    assert find_link(header, "next") == found


@pytest.mark.parametrize(
    "header",
    ["<unclosed; rel=next", 'https://h/2; rel="next"', '<a>, rel="next"', "\"/2\"; rel='next'"],
)
def test_a_next_link_without_brackets_is_an_error(header):
    with pytest.raises(ResponseError, match="Link header"):
        find_link(header, "next")


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
    ahead = [first, *pagination.ahead(one_by_one[1], answer)]
    assert [call.identity for call in ahead] == [call.identity for call in one_by_one]


def test_a_walk_goes_on_from_any_call_it_made():
    spec = {"type": "offset", "pageSize": 100}
    answers = [Answer(rows(count), number=n) for n, count in enumerate((3, 3, 1, 0), 1)]
    calls = walk(spec, answers)
    for position in range(1, len(calls)):
        revived = Call.loads(calls[position].dumps())
        assert walk(spec, answers[position:], revived) == calls[position:]


def test_a_request_that_only_makes_sure_knows_the_rows_of_an_earlier_run():
    spec = {"type": "page", "pageSize": 100}
    answers = [Answer(rows(3), number=1), Answer(rows(2), number=2)]
    third = Call.loads(walk(spec, answers)[2].dumps())
    for number in (1, 2):
        calls, last = read(spec, [Answer(rows(2), number=number)], third)
        assert (len(calls), last.page.count) == (1, 0)
    assert len(walk(spec, [Answer(rows(2), number=3), Answer()], third)) == 2


def test_a_call_is_stored_so_that_what_came_is_told_from_what_is_ours():
    call = Call(
        "POST",
        "https://h/a",
        {"n": Decimal("1.10")},
        {"X-Key": Deferred("{{secrets.k}}")},
        {"a": [1]},
    ).after(5)
    text = (
        '{"method":"POST","url":"https://h/a","params":{"n":["decimal","1.10"]},'
        '"headers":{"X-Key":["template","{{secrets.k}}"]},"body":{"a":["list",1]},"encoding":"json",'
        '"page":2,"rows_before":5,"page_size":5,"followed":false,"probe":false,"job":null'
    )
    unseen = '{"told":null,"bare":0,"ignored":0,"passed":0,"first":"","last":"","again":false}'
    assert call.dumps() == text + f',"names":{{}},"kept":{{}},"seen":{unseen}}}'
    assert Call.loads(text + "}") == call  # as one was stored that had no names yet
    seen = Seen(told=7, bare=1, first="ab")
    assert Call.loads(replace_field(call, seen=seen).dumps()).seen == seen


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
        {"type": "offset", "advanceBy": "pageSize"},
        {"type": "page", "stopOn": "short"},
    ],
)
def test_a_pagination_that_cannot_walk_is_refused(spec):
    with pytest.raises(ValidationError):
        PAGINATION.validate_python(spec)


class Again(Answer):
    """Rows that came before, in a body that differs: it holds the time, say."""

    @property
    def digest(self):
        return -1


def test_a_total_that_is_reached_by_a_page_sent_twice_is_not_all():
    told = {"total": 4}
    answers = [Answer(rows(2), told, number=1), Again(rows(2), told, number=1), Answer()]
    spec = {"type": "offset", "pageSize": 2, "totalField": "total"}
    assert "the rows of a page twice" in read(spec, answers)[1].lacks
    assert read(spec, [Answer(rows(2), told), Answer(rows(2, 3), told), Answer()])[1].lacks == ""


def test_a_body_that_came_before_is_a_loop_whatever_cursor_it_was_asked_by():
    answers = [Answer(rows(2), {"next": cursor}, number=1) for cursor in ("b", "c")]
    with pytest.raises(PaginationLoop, match="sends a page it sent before"):
        read({"type": "cursor", "cursorField": "next"}, answers)
