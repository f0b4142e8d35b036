"""How lists page, by the conventions of many vendors, each as a small document in its style.

A wrong guess reads rows twice or loses them: so what the documents do not tell is a question.
"""

from __future__ import annotations

import pytest
import yaml

from tests.authoring.imports.apis import (
    FLAG,
    ROW,
    TEXT,
    TIME,
    URL,
    WHOLE,
    document,
    drafted,
    lists,
    query,
    rows,
    thing,
)

LIMIT = query("limit", {"type": "integer", "maximum": 100})
OPEN = "a question"

CASES = {
    "a Link header that is declared": (
        lists(rows(), query("page", WHOLE), LIMIT, headers={"Link": {"schema": TEXT}}),
        {"type": "link_header"},
        {"limit": 100},
    ),
    "a Link header that a text speaks of": (
        lists(rows(), query("after", TEXT, "Obtained from the `Link` response header."), LIMIT),
        {"type": "link_header"},
        {"limit": 100},
    ),
    "page_info in a Link header": (
        lists(
            thing(products=rows()),
            query("page_info", TEXT, "See the link relations of the answer."),
            query("limit", {"type": "integer", "maximum": 250}, "Use rel=next of the Link header."),
        ),
        {"type": "link_header"},
        {"limit": 250},
    ),
    "next_page as a URL": (
        lists(
            thing(things=rows(), next_page={"type": "string", "nullable": True,
                  "description": "the URL of the next page"}, previous_page=TEXT, count=WHOLE),
            query("per_page", WHOLE, "at most 100"), query("page", WHOLE),
        ),
        {"type": "next_url", "urlField": "next_page"},
        {"per_page": 100},
    ),
    "links.next of JSON:API": (
        lists(thing(data=rows(), links=thing(self=TEXT, next=TEXT)), query("page[cursor]"),
              query("page[size]", {"type": "integer", "maximum": 50})),
        {"type": "next_url", "urlField": "links.next"},
        {"page[size]": 50},
    ),
    "links.next.href": (
        lists(thing(data=rows(), links=thing(next=thing(href=TEXT)))),
        {"type": "next_url", "urlField": "links.next.href"},
        {},
    ),
    "_links.next.href of HAL": (
        lists(thing(_embedded=thing(things=rows()), _links=thing(next=thing(href=TEXT, type=TEXT)))),
        {"type": "next_url", "urlField": "_links.next.href"},
        {},
    ),
    "_links.next of Atlassian": (
        lists(thing(results=rows(), _links=thing(next=TEXT, base=TEXT)), query("start", WHOLE)),
        {"type": "next_url", "urlField": "_links.next"},
        {},
    ),
    "links.pages.next, in parts": (
        lists({"allOf": [thing(things=rows()), thing(links=thing(pages={"anyOf": [
            thing(next=URL), thing(prev=URL)]})), thing(meta=thing(total=WHOLE))]},
            query("page", WHOLE), query("per_page", {"type": "integer", "maximum": 200})),
        {"type": "next_url", "urlField": "links.pages.next"},
        {"per_page": 200},
    ),
    "@odata.nextLink": (
        lists(thing(value=rows(), **{"@odata.nextLink": TEXT}), query("$top", WHOLE),
              query("$skip", WHOLE)),
        {"type": "next_url", "urlField": '"@odata.nextLink"'},
        {},
    ),
    "nextRecordsUrl": (
        lists(thing(totalSize=WHOLE, done=FLAG, nextRecordsUrl=TEXT, records=rows())),
        {"type": "next_url", "urlField": "nextRecordsUrl"},
        {},
    ),
    "next and previous of Django": (
        lists(thing(count=WHOLE, next=URL, previous=URL, results=rows()), query("page", WHOLE)),
        {"type": "next_url", "urlField": "next"},
        {},
    ),
    "next_page_uri": (
        lists(thing(things=rows(), next_page_uri=TEXT, page=WHOLE),
              query("PageSize", {"type": "integer", "maximum": 1000}),
              query("Page", WHOLE, "This value is simply for client state.")),
        {"type": "next_url", "urlField": "next_page_uri"},
        {"PageSize": 1000},
    ),
    "paging.next.link beside a cursor": (
        lists(thing(results=rows(), paging=thing(next=thing(after=TEXT, link=TEXT))),
              query("after", TEXT), query("limit", WHOLE, "The maximum number of results.")),
        {"type": "next_url", "urlField": "paging.next.link"},
        {},
    ),
    "paging.next.after": (
        lists(thing(results=rows(), paging=thing(next=thing(after=TEXT))), query("after"), LIMIT),
        {"type": "cursor", "cursorField": "paging.next.after", "cursorParam": "after",
         "pageSizeParam": "limit", "pageSize": 100},
        {},
    ),
    "nextPageToken": (
        lists(thing(items=rows(), nextPageToken=TEXT), query("pageToken"),
              query("maxResults", WHOLE, "Maximum number of entries. Acceptable values are 1 to 250")),
        {"type": "cursor", "cursorField": "nextPageToken", "cursorParam": "pageToken",
         "pageSizeParam": "maxResults", "pageSize": 250},
        {},
    ),
    "cursor to cursor": (
        lists(thing(things=rows(), cursor=TEXT), query("cursor"), query("limit", WHOLE)),
        {"type": "cursor", "cursorField": "cursor", "cursorParam": "cursor"},
        {},
    ),
    "response_metadata.next_cursor": (
        lists(thing(ok=FLAG, members=rows(), response_metadata=thing(next_cursor=TEXT)),
              query("cursor"), query("limit", WHOLE)),
        {"type": "cursor", "cursorField": "response_metadata.next_cursor", "cursorParam": "cursor"},
        {},
    ),
    "next_marker to marker": (
        lists(thing(entries=rows(), next_marker=TEXT, limit=WHOLE), query("marker"), LIMIT),
        {"type": "cursor", "cursorField": "next_marker", "cursorParam": "marker",
         "pageSizeParam": "limit", "pageSize": 100},
        {},
    ),
    "a marker that a flag has to switch on": (
        lists(thing(entries=rows(), next_marker=TEXT), query("marker"), query("usemarker", FLAG),
              query("offset", WHOLE)),
        {"type": "cursor", "cursorField": "next_marker", "cursorParam": "marker"},
        {"usemarker": True},
    ),
    "relay": (
        lists(thing(edges=rows(thing(node=ROW, cursor=TEXT)),
                    pageInfo=thing(endCursor=TEXT, hasNextPage=FLAG)), query("after"),
              query("first", {"type": "integer", "maximum": 100})),
        {"type": "cursor", "cursorField": "pageInfo.endCursor", "cursorParam": "after",
         "hasMoreField": "pageInfo.hasNextPage", "pageSizeParam": "first", "pageSize": 100},
        {},
    ),
    "the id of the last row": (
        lists(thing(object=TEXT, data=rows(), has_more=FLAG, url=TEXT),
              query("starting_after", TEXT, "An object ID that defines your place in the list."),
              query("ending_before"), query("limit", WHOLE, "Limit can range between 1 and 100.")),
        {"type": "cursor", "lastRecordField": "id", "cursorParam": "starting_after",
         "hasMoreField": "has_more", "pageSizeParam": "limit", "pageSize": 100},
        {},
    ),
    "a page that is a token": (
        lists(thing(data=rows(), has_more=FLAG, next_page=TEXT),
              query("page", TEXT, "A cursor. Use the next_page value of the previous response.")),
        {"type": "cursor", "cursorField": "next_page", "cursorParam": "page",
         "hasMoreField": "has_more"},
        {},
    ),
    "an offset that is a token": (
        lists(thing(data=rows(), next_page=thing(offset=TEXT, path=TEXT)),
              query("offset", TEXT, "Offset token.")),
        {"type": "cursor", "cursorField": "next_page.offset", "cursorParam": "offset"},
        {},
    ),
    "page and per_page with a number of pages": (
        lists(thing(data=rows(), pagination=thing(page=WHOLE, pageCount=WHOLE, itemCount=WHOLE)),
              query("page", WHOLE), query("pageSize", {"type": "integer", "maximum": 1000})),
        {"type": "page", "pageParam": "page", "pageSizeParam": "pageSize", "pageSize": 1000,
         "totalPagesField": "pagination.pageCount"},
        {},
    ),
    "pages that begin at 0": (
        lists(thing(content=rows(), totalPages=WHOLE),
              query("page", {"type": "integer", "default": 0}, "Zero-based page index"),
              query("size", WHOLE)),
        {"type": "page", "pageParam": "page", "startAt": 0, "totalPagesField": "totalPages"},
        {},
    ),
    "page[number]": (
        lists(thing(data=rows()), query("page[number]", WHOLE), query("page[size]", WHOLE)),
        {"type": "page", "pageParam": "page[number]"},
        {},
    ),
    "totals in headers": (
        lists(rows(), query("page", WHOLE), query("per_page", WHOLE, "default 20, max: 100"),
              headers={"X-Total": {"schema": WHOLE}, "X-Total-Pages": {"schema": WHOLE}}),
        {"type": "page", "pageParam": "page", "pageSizeParam": "per_page", "pageSize": 100,
         "totalPagesHeader": "x-total-pages"},
        {},
    ),
    "startAt and maxResults": (
        lists(thing(startAt=WHOLE, maxResults=WHOLE, total=WHOLE, issues=rows()),
              query("startAt", {"type": "integer", "default": 0}),
              query("maxResults", {"type": "integer", "default": 50})),
        {"type": "offset", "offsetParam": "startAt", "totalField": "total"},
        {},
    ),
    "offset and limit": (
        lists(thing(entries=rows(), total_count=WHOLE), query("offset", WHOLE),
              query("limit", {"type": "integer", "maximum": 1000})),
        {"type": "offset", "offsetParam": "offset", "limitParam": "limit", "pageSize": 1000,
         "totalField": "total_count"},
        {},
    ),
    "startIndex of SCIM": (
        lists(thing(totalResults=WHOLE, Resources=rows()), query("startIndex", WHOLE),
              query("count", WHOLE)),
        {"type": "offset", "offsetParam": "startIndex", "startAt": 1, "totalField": "totalResults"},
        {},
    ),
    "a total that is only counted on request": (
        lists(thing(users=rows(), total={"type": "integer", "nullable": True}),
              query("offset", WHOLE), query("limit", WHOLE)),
        {"type": "offset", "offsetParam": "offset"},
        {},
    ),
    "nothing": (lists(thing(data=rows())), {"type": "none"}, {}),
    "only a size": (lists(rows(), LIMIT), {"type": "none"}, {"limit": 100}),
    # What is not told is asked.
    "a cursor and nowhere to take it from": (
        lists(rows(), query("cursor", TEXT, "A pointer to the last object fetched.")),
        OPEN, {},
    ),
    "a cursor and no parameter for it": (
        lists(thing(data=rows(), next_cursor=TEXT)), OPEN, {},
    ),
    "a page in a header": (
        lists(rows(), {"name": "X-Page", "in": "header", "schema": WHOLE}), OPEN, {},
    ),
    "a next page in a header": (
        lists(rows(), headers={"X-Next-Page": {"schema": WHOLE}}), OPEN, {},
    ),
    "a key to go on from": (lists(rows(), query("since_id", WHOLE), LIMIT), OPEN, {"limit": 100}),
    "more rows and no parameter": (lists(thing(data=rows(), has_more=FLAG)), OPEN, {}),
    # The same word with another meaning.
    "after and before as times": (
        lists(thing(data=rows()), query("after", TIME), query("before", TIME)), {"type": "none"}, {},
    ),
    "since as a number, start as a time": (
        lists(rows(), query("start", {"type": "integer"}, "Unix time to begin at"),
              query("since", WHOLE, "A user ID")), {"type": "none"}, {},
    ),
    "from as a telephone number": (
        lists(thing(messages=rows()), query("From", TEXT, "The sender's number")),
        {"type": "none"}, {},
    ),
    "count as a switch": (lists(thing(data=rows()), query("count", FLAG)), {"type": "none"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_list_pages_as_its_document_says(case):
    operation, wanted, params = CASES[case]
    draft = drafted(document({"/things": operation}))
    (made,) = yaml.safe_load(draft.text)["endpoints"]
    pagination = {k: v for k, v in made["pagination"].items() if k != "maxPages"}
    asked = [r for r in draft.remarks if r.field == "pagination" and r.kind == "question"]
    if wanted is OPEN:
        assert asked
        assert "# TODO: pagination: " in draft.text
        assert pagination == {"type": "none"}
    else:
        assert pagination == wanted
        assert not asked
        assert next(r.says for r in draft.remarks if r.field == "pagination")
    assert made.get("params", {}) == params


IN_BODY = {
    "offset and count in options": (
        thing(options=thing(offset=WHOLE, count={"type": "integer", "maximum": 500})),
        thing(transactions=rows(), total_transactions=WHOLE),
        {"type": "offset", "offsetParam": "options.offset", "limitParam": "options.count",
         "pageSize": 500, "in": "body"},
    ),
    "a cursor in the body": (
        thing(cursor=TEXT, limit={"type": "integer", "maximum": 100}),
        thing(orders=rows(), cursor=TEXT),
        {"type": "cursor", "cursorField": "cursor", "cursorParam": "cursor", "cursorIn": "body",
         "pageSizeParam": "limit", "pageSize": 100},
    ),
    "pagination.starting_after": (
        thing(pagination=thing(starting_after=TEXT, per_page=WHOLE)),
        thing(data=rows(), pages=thing(next=thing(starting_after=TEXT))),
        {"type": "cursor", "cursorField": "pages.next.starting_after", "cursorIn": "body",
         "cursorParam": "pagination.starting_after"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_BODY)
def test_a_post_that_reads_pages_in_its_body(case):
    body, answer, wanted = IN_BODY[case]
    item = {"post": lists(answer, body=body)}
    draft = drafted(
        document(
            {
                "/orders/search": item,
                "/orders": {"post": lists(answer, body=body)},
                "/x": lists(rows()),
            }
        )
    )
    made = {one["id"]: one for one in yaml.safe_load(draft.text)["endpoints"]}
    pagination = {k: v for k, v in made["orders_search"]["pagination"].items() if k != "maxPages"}
    assert pagination == wanted
    assert made["orders_search"]["method"] == "POST"
    assert "orders" not in made, "a POST that does not read is no list"


def test_what_other_lists_of_the_document_declare_is_taken_with_a_question():
    answer = thing(data=rows(), pages=thing(next=thing(starting_after=TEXT)))
    paths = {"/a": lists(answer, query("starting_after")), "/b": lists(answer)}
    draft = drafted(document(paths))
    made = {one["id"]: one["pagination"] for one in yaml.safe_load(draft.text)["endpoints"]}
    assert made["a"] == made["b"]
    asked = {
        r.stream: r.says for r in draft.remarks if r.kind == "question" and r.field == "pagination"
    }
    assert asked == {
        "b": "starting_after is not declared here, but is on other lists of the document"
    }


def test_a_cursor_that_other_lists_fill_from_a_field_or_a_link_header_is_taken_with_a_question():
    told = query("after", TEXT, "From the `Link` response header.")
    paths = {
        "/a": lists(rows(), told),
        "/b": lists(rows(), query("after")),
        "/c": lists(thing(data=rows(), next_cursor=TEXT), query("cursor")),
        "/d": lists(thing(data=rows()), query("cursor")),
    }
    draft = drafted(document(paths))
    made = {one["id"]: one["pagination"] for one in yaml.safe_load(draft.text)["endpoints"]}
    assert made["a"] == made["b"]
    assert made["c"] == made["d"]
    asked = [r.stream for r in draft.remarks if r.kind == "question" and r.field == "pagination"]
    assert asked == ["b", "d"]


def test_a_page_that_is_text_is_a_number_where_the_answer_counts():
    answer = thing(files=rows(), paging=thing(page=WHOLE, pages=WHOLE))
    (made,) = yaml.safe_load(drafted(document({"/files": lists(answer, query("page"))})).text)[
        "endpoints"
    ]
    assert made["pagination"] == {
        "type": "page", "pageParam": "page", "totalPagesField": "paging.pages", "maxPages": "unlimited",
    }  # fmt: skip


def test_an_offset_that_is_the_number_of_a_row_is_a_cursor_with_a_question():
    row = thing(id=TEXT, JournalNumber=WHOLE)
    offset = query("offset", WHOLE, "Those with a JournalNumber greater than the offset.")
    draft = drafted(document({"/journals": lists(thing(journals=rows(row)), offset)}))
    (made,) = yaml.safe_load(draft.text)["endpoints"]
    assert made["pagination"]["lastRecordField"] == "JournalNumber"
    assert any(r.field == "pagination" and r.kind == "question" for r in draft.remarks)
