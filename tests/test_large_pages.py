"""Pages that come in parts, into a DuckDB file: the same rows and requests as of small ones."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from connector_assets.errors import ConnectorError
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.answers import rules
from connector_assets.runtime.body import json_blocks, stored_rows, unpack
from connector_assets.runtime.http import exchange, spill
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.loopback import serving
from tests.runtime import wire
from tests.runtime.walk.test_export_job import Ticking
from tests.shop import shop_spec
from tests.test_exports import Shop

SPEC = shop_spec("""
auth: [{type: none}]
endpoints:
  - id: orders
    url: "{{base_url}}/orders"
    retry: {maxAttempts: 2}
    ENDPOINT
read: {streams: [{name: orders}]}
""")
SIZE, PAGES = 40, 4
BODY = {"json": "responseRowsPath: data.rows", "xml": "responseFormat: xml\n    responseRowsPath: data.rows.row"}  # fmt: skip
BODY |= {form: f"responseFormat: {form}" for form in ("jsonl", "csv")}
WALKS = {
    "none": "{type: none}",
    "page": "{type: page, totalPagesHeader: pages}",
    "offset": f"{{type: offset, pageSize: {SIZE}, totalHeader: total}}",
    "header": "{type: cursor, cursorHeader: next}",
    "link": "{type: link_header}",
    "field": "{type: cursor, cursorField: data.next}",
    "last": "{type: cursor, lastRecordField: id}",
    "expression": "{type: cursor, cursorField: 'data.rows[-1].id'}",
    "reaching": "{type: cursor, cursorField: 'data.rows[?n].id | [-1]'}",
    "url": "{type: next_url, urlField: data.url}",
}
IN_BODY = {"field", "expression", "reaching", "url"}
CASES = [
    (form, walk)
    for form in BODY
    for walk in WALKS
    if form == "json" or walk not in (IN_BODY if form != "xml" else {"expression", "reaching"})
]


class Orders:
    """A list in pages; where it goes on is told in every way there is."""

    def __init__(self, form, pages=PAGES):
        self.form, self.pages = form, pages

    def __call__(self, request):
        asked = request.query
        at = asked.get("cursor") or ""
        page = int(asked.get("page", 1)) - 1
        page = int(asked.get("offset", 0)) // SIZE or page
        page = int(at[1:]) // SIZE + 1 if at.startswith("o") else int(at or page)
        more = str(page + 1) if page + 1 < self.pages else None
        headers = {"total": str(SIZE * self.pages), "pages": str(self.pages), "ETag": '"1"'}
        if more:
            headers |= {"next": more, "Link": f'</orders?cursor={more}>; rel="next"'}
        if request.headers.get("if-none-match") == '"1"':
            return 304, b"", headers
        ids = range(page * SIZE, min((page + 1) * SIZE, SIZE * self.pages))
        return 200, self.body([f"o{n:03}" for n in ids], more), headers

    def body(self, ids, more):
        url = more and f"/orders?cursor={more}"
        match self.form:
            case "json":
                rows = [{"id": one, "n": [{"a": 1}], "text": "é]},"} for one in ids]
                return json.dumps({"data": {"rows": rows, "next": more, "url": url}}).encode()
            case "xml":
                rows = "".join(f"<row><id>{one}</id><n>1</n></row>" for one in ids)
                told = f"<next>{more or ''}</next><url>{url or ''}</url>"
                return f"<data><rows>{rows}</rows>{told}</data>".encode()
            case "csv":
                return ("id,n\n" + "".join(f'{one},"a\nb"\n' for one in ids)).encode()
        return "".join(f'{{"id": "{one}"}}\n' for one in ids).encode()


@pytest.fixture
def small(monkeypatch):
    """What is held in memory is less than a page."""
    for module in (exchange, unpack):
        monkeypatch.setattr(module, "IN_MEMORY", 100)
    monkeypatch.setattr(stored_rows, "BLOCK", 200)
    monkeypatch.setattr(json_blocks, "_READ", 64)
    monkeypatch.setattr(rules, "_STEP", 3)
    monkeypatch.setattr(spill, "BEGINNING", 50)


@pytest.fixture
def shop(tmp_path):
    with serving(Orders("json")) as api:
        yield Shop(api, tmp_path)


def spec(form, walk="none", *more):
    parts = [BODY[form], f"pagination: {WALKS[walk]}", *more]
    return SPEC.replace("ENDPOINT", "\n    ".join(parts))


@pytest.mark.parametrize(("form", "walk"), CASES)
def test_pages_in_parts_are_the_same_walk(shop, small, form, walk, monkeypatch):
    shop.api.answer = Orders(form, 1 if walk == "none" else PAGES)
    found = shop.load(spec(form, walk))
    asked, rows = sorted(one.target for one in shop.api.seen), shop.ids()
    assert len(rows) == SIZE * shop.api.answer.pages
    monkeypatch.setattr(exchange, "IN_MEMORY", 1 << 20)
    shop.api.seen.clear()
    again = shop.load(spec(form, walk), full=True)
    assert (sorted(one.target for one in shop.api.seen), shop.ids()) == (asked, rows)
    assert (again.stats.pages, again.stats.rows) == (found.stats.pages, found.stats.rows)


@pytest.mark.parametrize("form", BODY)
def test_only_the_last_part_of_a_page_leads_on(shop, small, form):
    shop.api.answer = Orders(form)
    connector = parse_connector(spec(form, "page").replace("{{base_url}}", shop.api.origin))
    with HttpRuntime([shop.api.host]) as runtime:
        pages = list(runtime.pages(connector, "orders"))
    assert len(pages) > 2 * PAGES
    assert sum(page.count for page in pages) == SIZE * PAGES


@pytest.mark.parametrize("form", BODY)
@pytest.mark.parametrize("end", [b"]", b"<x>", b'"', b"\xff"])
def test_nothing_is_loaded_where_the_end_is_wrong(shop, small, form, end):
    orders = Orders(form)
    shop.api.answer = orders
    shop.load(spec(form, "header"))
    rows = shop.ids()

    def wrong(request):
        status, body, headers = orders(request)
        return status, body if "next" in headers else body + end, headers

    shop.api.answer = wrong
    if form == "csv" and end in (b"]", b"<x>", b'"'):
        end += b",1,2"
    with pytest.raises(ConnectorError):
        shop.load(spec(form, "header"), full=True)
    assert shop.ids() == rows


@pytest.mark.parametrize(
    ("rule", "loads"),
    [
        ("{contains: 'o159', action: ignore}", 0),
        ("{contains: 'o160', action: ignore}", 160),
        ("{when: \"{{response.data.rows[0].id == 'o000'}}\", action: end}", 0),
        ("{when: \"{{status == 200 and headers.total == '1'}}\", action: end}", 160),
    ],
)
def test_rules_look_into_the_whole_of_a_large_body(shop, small, rule, loads):
    body = shop.api.answer.body([f"o{n:03}" for n in range(160)], None)
    shop.api.answer = lambda _: (200, body, {"total": "160"})
    assert shop.load(spec("json", "none", f"errors: [{rule}]")).stats.rows == loads


def test_a_row_of_a_large_page_is_named_by_its_place_in_the_page(shop, small):
    shop.api.answer = lambda _: {"data": {"rows": [*({"id": n} for n in range(30)), {"id": "x"}]}}
    text = spec("json").replace(
        "[{name: orders}]", "[{name: orders, fields: {cast: {id: integer}}}]"
    )
    with pytest.raises(ConnectorError, match="row 31 of a page"):
        shop.load(text)


def test_the_same_large_rows_again_and_again_are_a_loop(shop, small):
    times = iter(range(100))

    def answer(_request):
        rows = [{"id": n} for n in range(SIZE)]
        return {"data": {"rows": rows, "next": str(next(times))}}

    shop.api.answer = answer
    with pytest.raises(ConnectorError, match="the same rows 3 times"):
        shop.load(spec("json", "field"))


def test_a_list_begun_anew_leaves_nothing_of_its_parts(shop, small):
    orders, refused = Orders("json"), []

    def answer(request):
        if request.query.get("cursor") == "2" and not refused:
            refused.append(request)
            return 410, {}
        return orders(request)

    shop.api.answer = answer
    rule = "errors: [{status: 410, action: reset_pagination}]"
    assert shop.load(spec("json", "field", rule)).loaded.received == SIZE * PAGES
    assert len(shop.ids()) == SIZE * PAGES


def test_a_large_list_that_has_not_changed_is_kept(shop, small):
    shop.api.answer = Orders("json", 1)
    text = spec("json", "none", "conditional: etag")
    assert not shop.load(text).unchanged
    again = shop.load(text)
    assert again.unchanged
    assert shop.api.seen[-1].headers["if-none-match"] == '"1"'


KILLED = """
import os
from connector_assets.runtime.http import exchange
from connector_assets.runtime.body import stored_rows
exchange.IN_MEMORY, stored_rows.BLOCK = 100, 200
lists = stored_rows.StoredRows.lists

def killing(rows):
    for one in lists(rows):
        if b'"o060"' in one:
            os.kill(os.getpid(), 9)
        yield one

stored_rows.StoredRows.lists = killing
from connector_assets.cli import main
main()
"""


def test_a_load_killed_within_a_page_goes_on_with_that_page(shop):
    (shop.folder / "shop.yaml").write_text(spec("json", "field"))
    options = ["--config", f"base_url={shop.api.origin}", "--allow-private", shop.api.host]
    killed, again = (
        subprocess.run(
            [sys.executable, *code, "load", "shop.yaml", *options], cwd=shop.folder, check=False
        )
        for code in (["-c", KILLED], ["-m", "connector_assets.cli"])
    )
    assert (killed.returncode, again.returncode) == (-9, 0)
    asked = [request.query.get("cursor") for request in shop.api.seen]
    assert asked == [None, "1", "1", "2", "3"]
    assert shop.ids() == [f"o{n:03}" for n in range(SIZE * PAGES)]


@pytest.mark.parametrize("form", BODY)
def test_a_preview_stops_within_a_page(shop, cli_of, form):
    shop.api.answer = Orders(form)
    (shop.folder / "shop.yaml").write_text(spec(form, "page"))
    done = cli_of("read", "shop.yaml", "--limit", "13", "--format", "jsonl")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [
        f"o{n:03}" for n in range(13)
    ]
    assert len(shop.api.seen) == 1


def test_a_page_in_parts_is_one_page(shop, cli_of, small):
    (shop.folder / "shop.yaml").write_text(spec("json", "field"))
    rows = cli_of("read", "shop.yaml", "--pages", "2", "--format", "jsonl").stdout.splitlines()
    assert len(rows) == 2 * SIZE
    with HttpRuntime([shop.api.host]) as runtime:
        connector = YamlConnector(parse_connector(spec("json", "field")), runtime)
        connection = Connection("shop", connector, environ={"SHOP__BASE_URL": shop.api.origin})
        check = connector.check(connection.open("orders"))
    assert check.message == f"{SIZE} rows on the first page"


@pytest.fixture
def cli_of(shop):
    code = KILLED.replace("o060", "never")
    given = ["--config", f"base_url={shop.api.origin}", "--allow-private", shop.api.host]
    return lambda *options: subprocess.run(
        [sys.executable, "-c", code, *options, *given],
        cwd=shop.folder, check=True, capture_output=True, text=True,
    )  # fmt: skip


def test_no_room_for_a_large_answer_is_an_error_that_says_so(shop):
    shop.api.answer = lambda _: (200, b"[%b]" % (b" " * (6 << 20)))
    (shop.folder / "shop.yaml").write_text(spec("json").replace(BODY["json"], "description: x"))
    command = f"ulimit -f 5000; {sys.executable} -m connector_assets.cli read shop.yaml"
    done = subprocess.run(
        ["bash", "-c", f"{command} --config base_url={shop.api.origin} --allow-private {shop.api.host}"],
        cwd=shop.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be kept in a temporary file (file too large)" in done.stderr
    assert len(shop.api.seen) == 1


def plain(body):
    return wire.answer("200 OK", body)


CUTS = {
    "length": lambda body: plain(body)[:-1_000],
    "chunked": lambda body: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body),
    "content encoding": lambda body: wire.answer("200 OK", gzip.compress(body)[:-20], "Content-Encoding: gzip"),
    "file": lambda body: plain(gzip.compress(body)[:-20]),
}  # fmt: skip


@pytest.mark.parametrize("cut", CUTS)
def test_a_large_body_that_breaks_off_is_asked_for_again(tmp_path, small, cut):
    body, asked = Orders("json").body([f"o{n:03}" for n in range(SIZE)], None), []

    def handle(sock, served):
        while served.read(sock):
            asked.append(1)
            sock.sendall(plain(body) if len(asked) > 1 else CUTS[cut](body))
            if len(asked) == 1 and cut in ("length", "chunked"):
                return

    with wire.serving(handle) as server:
        server.origin = f"http://{server.host}:{server.port}"
        server.host = f"{server.host}:{server.port}"
        shop = Shop(server, tmp_path, Ticking())
        assert shop.load(spec("json")).stats.retries == 1
    assert (len(asked), shop.ids()) == (2, [f"o{n:03}" for n in range(SIZE)])
