"""A browser's recording: lists among its requests, proof of their paging, and nobody's data."""

from __future__ import annotations

import base64
import json

import pytest
import yaml

from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError
from tests.authoring.imports.loaded import loaded
from tests.loopback import serving

HOST = "https://app.shop.example"


def entry(url, answer, method="GET", headers=(), posted=None, **more):
    content = {"mimeType": "application/json; charset=utf-8", "text": json.dumps(answer)} | more
    request = {
        "method": method,
        "url": url,
        "headers": [{"name": n, "value": v} for n, v in headers],
    }
    if posted is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(posted)}
    return {"request": request, "response": {"status": 200, "headers": [], "content": content}}


def drafted(*entries, select=()):
    raw = json.dumps({"log": {"version": "1.2", "entries": list(entries)}})
    return import_spec("har", Source("shop.har", raw.encode()), WantedDraft(select))


def paged(*entries):
    (endpoint,) = yaml.safe_load(drafted(*entries).text)["endpoints"]
    return {k: v for k, v in endpoint["pagination"].items() if k != "maxPages"}, endpoint


ROWS = [{"id": f"r{n}", "n": n} for n in range(40)]


def page(at, size=10, **more):
    return {"items": ROWS[at : at + size], **more}


PROOFS = [
    ([("?page=1&size=10", page(0)), ("?page=2&size=10", page(10))],
     {"type": "page", "pageParam": "page", "pageSizeParam": "size", "pageSize": 10}),
    ([("?p=0", page(0)), ("?p=1", page(10))], {"type": "page", "pageParam": "p", "startAt": 0}),
    ([("", page(0)), ("?nr=2", page(10))], {"type": "page", "pageParam": "nr"}),
    ([("?from_row=0&limit=10", page(0)), ("?from_row=10&limit=10", page(10))],
     {"type": "offset", "offsetParam": "from_row", "limitParam": "limit", "pageSize": 10}),
    ([("", page(0)), ("?from_row=10", page(10))], {"type": "offset", "offsetParam": "from_row"}),
    ([("", page(0, paging={"more_at": "tok-1"})), ("?at=tok-1", page(10, paging={"more_at": "tok-2"}))],
     {"type": "cursor", "cursorField": "paging.more_at", "cursorParam": "at"}),
    ([("", page(0)), ("?later_than=r9", page(10))],
     {"type": "cursor", "lastRecordField": "id", "cursorParam": "later_than"}),
    ([("", page(0, more=f"{HOST}/api/things?k=9")), ("?k=9", page(10))],
     {"type": "next_url", "urlField": "more"}),
]  # fmt: skip


@pytest.mark.parametrize(("requests", "wanted"), PROOFS)
def test_two_requests_prove_how_a_list_pages(requests, wanted):
    made, endpoint = paged(*(entry(f"{HOST}/api/things{q}", answer) for q, answer in requests))
    assert made == wanted
    assert endpoint["responseRowsPath"] == "items"
    assert wanted.get("cursorParam", wanted.get("pageParam")) not in endpoint.get("params", {})


def test_ids_in_paths_are_parameters_and_lists_before_them_are_parents():
    draft = drafted(
        entry(f"{HOST}/api/orders", [{"id": 17}, {"id": 18}]),
        entry(f"{HOST}/api/orders/17/lines", [{"id": 1}]),
        entry(f"{HOST}/api/orders/18/lines", [{"id": 2}]),
        entry(f"{HOST}/api/me", {"id": 1, "mail": "eve@shop.example"}),
        entry("https://metrics.example/v1/events", [{"id": 1}]),
    )
    data = yaml.safe_load(draft.text)
    assert [one["url"] for one in data["endpoints"]] == [
        "/api/orders",
        "/api/orders/{{order_id}}/lines",
    ]
    assert data["read"]["streams"][1]["forEach"][0]["parent"]["stream"] == "orders"
    assert {o.state for o in draft.outcomes} == {"drafted", "skipped"}
    assert data["defaults"]["baseUrl"] == HOST


def test_nobodys_data_and_no_secret_is_in_the_draft():
    private = ["tok-5f1c9a42ff", "eve@shop.example", "Eve Doe", "sess-77aa88bb", "123-45-6789"]
    token, mail, name, session, number = private
    draft = drafted(
        entry(
            f"{HOST}/api/orders?customer={mail}&q=Eve%20Doe&status=open&csrf_token={token}",
            [{"id": 1, "mail": mail, "name": name, "ssn": number}],
            headers=[("Authorization", f"Bearer {token}"), ("Cookie", f"sid={session}"),
                     ("X-Csrf-Token", session), ("User-Agent", "Mozilla")],
        )
    )  # fmt: skip
    shown = draft.text + json.dumps(draft.plain()) + repr(draft)
    assert not [one for one in private if one in shown]
    (endpoint,) = yaml.safe_load(draft.text)["endpoints"]
    assert endpoint["params"]["status"] == "open"
    assert "Mozilla" not in shown


def test_a_post_that_reads_is_a_list_and_base64_and_other_answers_are_seen():
    good = entry(
        f"{HOST}/api/search", page(0, next_token="t-1"), "POST", posted={"q": "x", "token_page": "a"},
    )  # fmt: skip
    coded = entry(
        f"{HOST}/api/things", None, encoding="base64", text=base64.b64encode(b'[{"id":1}]').decode()
    )
    page_ = entry(f"{HOST}/index.html", None, mimeType="text/html", text="<html>")
    broken = entry(f"{HOST}/api/broken", None, text="{")
    gone = entry(f"{HOST}/api/gone", []) | {"response": {"status": 404}}
    data = yaml.safe_load(drafted(good, coded, page_, broken, gone).text)
    assert [(one["id"], one.get("method")) for one in data["endpoints"]] == [
        ("search", "POST"),
        ("things", None),
    ]


def test_a_selection_is_by_path_or_url():
    entries = [entry(f"{HOST}/api/{name}", [{"id": 1}]) for name in ("a", "b")]
    data = yaml.safe_load(drafted(*entries, select=["/api/b"]).text)
    assert [one["id"] for one in data["endpoints"]] == ["b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "shop.har: is not a HAR file: it has no log.entries"),
        ("[]", "is not a HAR file: it is no mapping"),
        (
            '{"log": {"entries": [1, {}, {"request": 1, "response": {}}]}}',
            "no request with a JSON answer",
        ),
        ('{"log": ', "shop.har:1:"),
    ],
)
def test_what_is_no_recording_is_an_error(text, said):
    with pytest.raises(ConfigError) as error:
        import_spec("har", Source("shop.har", text.encode()))
    assert said in str(error.value)


def test_a_draft_of_a_recording_reads_all_pages(tmp_path):
    def answer(request):
        at = int(request.query.get("skip", 0))
        return {"items": ROWS[at : at + 10], "count": 40}

    with serving(answer) as server:
        url = f"{server.origin}/api/things"
        draft = drafted(
            entry(f"{url}?skip=0&take=10", page(0)), entry(f"{url}?skip=10&take=10", page(10))
        )
        assert loaded(draft.text, tmp_path, server.origin)["things"] == sorted(ROWS, key=str)


def test_what_somebody_typed_is_a_value_and_the_request_asks_the_same():
    person, key = "eve@shop.example", "6f1d2c3e4b5a69788796a5b4c3d2e1f0"
    draft = drafted(
        entry(
            f"https://eve:Passw0rd-77@app.shop.example/api/users/{person}/orders?owner={person}&last_name=Doe&shop={key}"
            "&customer_id=4711&state=open",
            [{"id": 1}],
            headers=[("X-Customer", "Eve Doe"), ("X-App", "web-2"), ("Cookie", "sid=1")],
        ),
        entry(
            f"{HOST}/api/notes/search", {"items": [{"id": 1}]}, "POST",
            posted={"text": "Eve Doe is ill", "sort": "name", "account_id": key},
        ),
    )  # fmt: skip
    shown = draft.text + json.dumps(draft.plain()) + repr(draft)
    hidden = [person, "Eve", "Doe", key, "4711", "Passw0rd", "sid=1"]
    assert [one for one in hidden if one in shown] == []
    orders, notes = yaml.safe_load(draft.text)["endpoints"]
    assert orders["url"] == "/api/users/{{user_id}}/orders"
    assert orders["params"] == {
        "owner": "{{owner}}",
        "last_name": "{{last_name}}",
        "shop": "{{shop}}",
        "customer_id": "{{customer_id}}",
        "state": "open",
    }
    assert orders["headers"] == {"X-App": "web-2"}
    assert notes["body"]["json"] == {
        "text": "{{text}}",
        "sort": "name",
        "account_id": "{{accountId}}",
    }
    said = " ".join(one.says for one in draft.remarks)
    assert "X-Customer was sent" in said
    assert "the browser sent cookies" in said
