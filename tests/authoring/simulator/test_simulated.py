"""A simulated API gives a reader all its rows, whatever the spec says of paging, doors and formats."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest
from msgspec.structs import replace

from connector_assets.authoring.simulator import positions
from connector_assets.authoring.simulator.patterns import as_text
from connector_assets.authoring.simulator.simulated import simulated
from connector_assets.errors import ConnectorError
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.auth.credentials import FixedFlow
from connector_assets.spec.auth.fixed import BearerAuth
from connector_assets.spec.document import read_connector
from connector_assets.spec.request.counted import OffsetPagination, PagePagination
from connector_assets.spec.request.ends import End
from connector_assets.spec.request.followed import CursorPagination, LinkHeaderPagination
from tests.shop import shop_spec

ENDPOINT = """
auth: [{auth}]
endpoints:
  - {{id: items, url: "https://api.example.com/v1/items", {endpoint}}}
read: {{streams: [{{name: items, primaryKey: [id]{stream}}}]}}
"""
NONE = "{type: none}"


def data_of(endpoint="", stream="", auth=NONE):
    text = shop_spec(ENDPOINT.format(endpoint=endpoint, stream=stream, auth=auth))
    return read_connector(text, source="shop.yaml").yaml.data


def keys_read(fake, stream="items"):
    """The keys that our own runtime reads, as text."""
    with HttpRuntime(allow_private=fake.allowed) as runtime:
        given = {"params": dict(fake.config), "secrets": dict(fake.secrets)}
        rows = list(runtime.rows(fake.spec, stream, **given))
    path = fake.spec.stream(stream).primary_key[0]
    return [as_text(row[path]) for row in rows]


def keys_there(fake, stream="items"):
    return [as_text(key[0]) for row in fake.api.truth(stream) for key in row.keys]


PAGINATIONS = [
    "pagination: {type: offset, pageSize: 4}",
    "pagination: {type: offset, pageSize: 4, totalField: meta.total}, responseRowsPath: data",
    "pagination: {type: offset, pageSize: 4, startAt: 1, offsetParam: from, limitParam: n}",
    "pagination: {type: offset, pageSize: 4, in: header, offsetParam: X-Skip, limitParam: X-Take}",
    "pagination: {type: offset, pageSize: 4, stopOn: short, advanceBy: pageSize}",
    "pagination: {type: page, pageSize: 4}",
    "pagination: {type: page, startAt: 0, totalPagesHeader: X-Pages, pageSize: 4, pageSizeParam: n}",
    "pagination: {type: page, totalPagesField: pages}, responseRowsPath: rows",
    (
        'method: POST, body: {json: {at: {page: "{{page.number}}"}}}, '
        "pagination: {type: page, in: template, pageSize: 4}"
    ),
    "method: POST, body: {form: {q: a}}, pagination: {type: page, in: body, pageSize: 4}",
    "responseRowsPath: data, pagination: {type: cursor, cursorField: meta.next}",
    "responseRowsPath: data, pagination: {type: cursor, cursorField: next_url}",
    "responseRowsPath: data, pagination: {type: cursor, cursorHeader: X-Next, cursorParam: after}",
    (
        "pagination: {type: cursor, lastRecordField: id, cursorParam: starting_after, hasMoreField: more}"
        ", responseRowsPath: data"
    ),
    (
        "method: POST, body: {json: {limit: 4}}, responseRowsPath: data, "
        "pagination: {type: cursor, cursorField: next, cursorParam: page.after, cursorIn: body}"
    ),
    'responseRowsPath: "data[*].node", pagination: {type: next_url, urlField: links.next}',
    "pagination: {type: next_url, urlHeader: X-Next-Page}",
    "pagination: {type: link_header}",
    "pagination: {type: link_header, rel: following}",
    "pagination: {type: none}",
]  # fmt: skip - one a line


@pytest.mark.parametrize("endpoint", PAGINATIONS)
def test_every_pagination_brings_every_row_once_and_in_order(endpoint):
    with simulated(data_of(endpoint)) as fake:
        assert keys_read(fake) == keys_there(fake)
        pages = [one for one in fake.api.log if one.stream == "items"]
        assert all(one.status == 200 for one in pages)
        assert len(pages) == 1 or "none" not in endpoint


AUTHS = [
    '{type: api_key, in: header, name: X-Key, valueRef: "{{secrets.k}}"}',
    '{type: api_key, in: query, name: key, valueRef: "{{secrets.k}}"}',
    '{type: api_key, in: cookie, name: key, valueRef: "{{secrets.k}}"}',
    '{type: bearer, tokenRef: "{{secrets.k}}"}',
    '{type: basic, usernameRef: "{{secrets.u}}", passwordRef: "{{secrets.p}}"}',
    '{type: digest, usernameRef: "{{secrets.u}}", passwordRef: "{{secrets.p}}"}',
    '{type: jwt, algorithm: HS256, keyRef: "{{secrets.k}}"}',
    '{type: jwt, algorithm: ES256, keyRef: "{{secrets.k}}"}',
    (
        '{type: aws_sigv4, accessKeyIdRef: "{{secrets.a}}", secretAccessKeyRef: "{{secrets.s}}", '
        "region: eu-west-1, service: execute-api}"
    ),
    (
        '{type: oauth2, grant: client_credentials, tokenUrl: "https://login.example.com/token", '
        'clientIdRef: "{{secrets.i}}", clientSecretRef: "{{secrets.s}}", clientAuth: basic}'
    ),
    (
        '{type: oauth2, grant: refresh_token, tokenUrl: "https://login.example.com/token", '
        'clientIdRef: "{{secrets.i}}", clientSecretRef: "{{secrets.s}}"}'
    ),
    (
        '{type: oauth2, grant: password, tokenUrl: "https://login.example.com/token", tokenBody: json, '
        'clientIdRef: "{{secrets.i}}", usernameRef: "{{secrets.u}}", passwordRef: "{{secrets.p}}"}'
    ),
    (
        '{type: oauth2, grant: jwt_bearer, tokenUrl: "https://login.example.com/token", '
        'keyRef: "{{secrets.k}}", claims: {iss: "{{secrets.e}}", scope: a}, tokenPath: a.token}'
    ),
    (
        '{type: session, login: {url: "https://api.example.com/login", body: {json: {u: "{{secrets.u}}"}}}, '
        "tokenPath: token, in: header, name: X-Session}"
    ),
    (
        '{type: session, login: {url: "https://api.example.com/login", body: {form: {u: "{{secrets.u}}"}}}, '
        "tokenCookie: sid, in: cookie, name: sid}"
    ),
]  # fmt: skip - one a line


@pytest.mark.parametrize("auth", AUTHS)
def test_every_auth_is_let_in_and_nobody_else(auth):
    with simulated(data_of("pagination: {type: page, pageSize: 4}", auth=auth)) as fake:
        assert keys_read(fake) == keys_there(fake)
        base = fake.bases[-1]
        for credential in ("Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", "Digest a=b"):
            answer = httpx.get(f"{base}/v1/items?page=1", headers={"Authorization": credential})
            assert answer.status_code == 401


FORMATS = [
    "responseFormat: jsonl",
    "responseFormat: csv",
    "responseFormat: csv, csv: {delimiter: ';', skipLines: 2, charset: latin-1}",
    "responseFormat: xml, responseRowsPath: list.item",
    "responseRowsPath: data, rowsKeyAs: id",
    (
        'method: POST, body: {graphql: {query: "query A { a }", variables: {first: 4}}}, '
        "responseRowsPath: 'data.items.edges[].node', pagination: {type: cursor, cursorIn: body, "
        "cursorField: data.items.pageInfo.endCursor, cursorParam: variables.after, "
        "hasMoreField: data.items.pageInfo.hasNextPage}"
    ),
    (
        'job: {poll: {url: "https://api.example.com/jobs/{{response.job.id}}", done: [ready]}, '
        "download: {urlPath: result.url}}, method: POST"
    ),
    (
        "job: {poll: {urlHeader: Location, statusPath: state, done: [1]}, "
        'download: {url: "https://api.example.com/files/{{response.file}}"}}, method: POST, responseFormat: csv'
    ),
]  # fmt: skip - one a line


@pytest.mark.parametrize("endpoint", FORMATS)
def test_every_format_is_written_as_it_is_read(endpoint):
    with simulated(data_of(endpoint)) as fake:
        assert keys_read(fake) == keys_there(fake)


def test_a_request_that_the_spec_does_not_describe_is_refused():
    endpoint = 'params: {kind: all}, headers: {X-V: "2"}, pagination: {type: page, pageSize: 4}'
    with simulated(data_of(endpoint)) as fake:
        url = f"{fake.bases[0]}/v1/items"
        asked = {"headers": {"X-V": "2"}}
        assert httpx.get(f"{url}?kind=all", **asked).status_code == 200
        for wrong in ("", "?kind=none", "?kind=all&more=1", "?kind=all&page=x", "?kind=all&page=0"):
            answer = httpx.get(url + wrong, **asked)
            assert answer.status_code == 400, wrong
            assert answer.json()["error"]
        assert httpx.get(f"{url}?kind=all").status_code == 400
        assert httpx.post(f"{url}?kind=all", **asked).status_code == 404
        assert httpx.get(f"{fake.bases[0]}/other").status_code == 404


WINDOWS = [
    ('startParam: since, format: iso, start: "2024-01-01"', {"since": "{iso}"}),
    ('startParam: since, format: epoch, start: "2024-01-01"', {"since": "{epoch}"}),
    ('startParam: since, format: "%d.%m.%Y", start: "2024-01-01"', {"since": "{day}"}),
]


@pytest.mark.parametrize(("incremental", "params"), WINDOWS)
def test_a_start_leaves_out_what_is_before_it(incremental, params):
    stream = f", incremental: {{cursorField: at, {incremental}}}"
    with simulated(data_of(stream=stream)) as fake:
        rows = fake.api.truth("items")
        at = rows[4].at.replace(hour=0, minute=0, second=0)
        texts = {
            "iso": at.isoformat(),
            "epoch": int(at.timestamp()),
            "day": at.strftime("%d.%m.%Y"),
        }
        sent = {name: value.format(**texts) for name, value in params.items()}
        got = httpx.get(f"{fake.bases[0]}/v1/items", params=sent).json()
        assert [one["id"] for one in got] == [row.data["id"] for row in rows if row.at >= at]
        assert 0 < len(got) < len(rows)
        wrong = httpx.get(f"{fake.bases[0]}/v1/items", params=dict.fromkeys(sent, "soon"))
        assert wrong.status_code == 400


@pytest.mark.parametrize("digits", [10, 13, 16, 19])
def test_a_number_is_a_time_in_the_unit_that_its_digits_tell(digits):
    assert positions.read("1709294400".ljust(digits, "0"), "time") == dt.datetime(
        2024, 3, 1, 12, tzinfo=dt.UTC
    )


def test_it_is_steered_over_http_and_shows_no_credential():
    auth = '{type: bearer, tokenRef: "{{secrets.k}}"}'
    with simulated(data_of("pagination: {type: page, pageSize: 4}", auth=auth)) as fake:
        steer = f"{fake.bases[0]}/_simulator"
        there = len(keys_there(fake))
        assert httpx.post(f"{steer}/grow", json={"rows": 3}).json() == {"ok": True}
        assert len(keys_there(fake)) == there + 3
        assert httpx.post(f"{steer}/fault", json={"fault": "nothing"}).status_code == 400
        assert httpx.post(f"{steer}/fault", json={"fault": "429@2"}).status_code == 200
        assert keys_read(fake) == keys_there(fake)
        log = httpx.get(f"{steer}/log").json()
        assert [one["fault"] for one in log if one["fault"]] == ["429"]
        assert fake.secrets["k"] not in str(log)


def test_rows_are_the_same_every_time():
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = []
    for _ in range(2):
        with simulated(
            data_of(stream=", incremental: {cursorField: at, startParam: s}"), now=now
        ) as one:
            made.append([row.data for row in one.api.truth("items")])
    assert made[0] == made[1]
    assert len(made[0]) > 4


def skipping_pages(self, call, at=PagePagination._at):
    return at(self, replace(call, page=call.page + (call.page > 1)))


def skipping_rows(self, call, at=OffsetPagination._at):
    return at(self, replace(call, rows_before=call.rows_before + (call.page > 1)))


def sending_another_cursor(self, call, page, cursor, after=CursorPagination._next):
    return after(self, call, page, f"{cursor}x")


def stopping_early(_self, _call, _page):
    return End()


WRONG = [
    ("pagination: {type: page, pageSize: 4}", PagePagination, "_at", skipping_pages),
    ("pagination: {type: offset, pageSize: 4}", OffsetPagination, "_at", skipping_rows),
    (
        "responseRowsPath: data, pagination: {type: cursor, cursorField: next}",
        CursorPagination,
        "_next",
        sending_another_cursor,
    ),
    ("pagination: {type: link_header}", LinkHeaderPagination, "after", stopping_early),
]


@pytest.mark.parametrize(("endpoint", "member", "name", "wrong"), WRONG)
def test_an_error_of_the_runtime_has_no_twin_in_the_fake(
    endpoint, member, name, wrong, monkeypatch
):
    with simulated(data_of(endpoint)) as fake:
        monkeypatch.setattr(member, name, wrong)
        try:
            read = keys_read(fake)
        except ConnectorError:
            return
        assert read != keys_there(fake)


def test_a_credential_that_is_written_wrong_is_not_let_in(monkeypatch):
    monkeypatch.setattr(
        BearerAuth, "flow", lambda *_: FixedFlow("header", "Authorization", "Bearer x")
    )
    auth = '{type: bearer, tokenRef: "{{secrets.k}}"}'
    with simulated(data_of(auth=auth)) as fake, pytest.raises(ConnectorError, match="401"):
        keys_read(fake)
