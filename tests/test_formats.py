"""Answers in every format, packed or not, from a loopback API into a DuckDB file."""

from __future__ import annotations

import gzip
import io
import zipfile

import duckdb
import pytest

from connector_assets.errors import ConnectorError, SpecError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.loopback import serving
from tests.shop import shop_spec
from tests.syncing import sync

SPEC = shop_spec("""
endpoints:
  - id: items
    url: "{base}/items"
    retry: {maxAttempts: 2, maxDelaySeconds: 1}
    ENDPOINT
read: {streams: [{name: items, primaryKey: [id]}]}
""")
CSV = "responseFormat: csv\n    pagination: {type: page, pageSize: 2}"
XML = "responseFormat: xml\n    responseRowsPath: shop.item\n    pagination: {type: cursor, cursorField: shop.next}"
JSONL = "responseFormat: jsonl\n    pagination: {type: link_header}"


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("items", data)
    return file.getvalue()


def csv_pages(request):
    rows = [[1, "a"], [2, ""], [3, "c, d"]][2 * int(request.query["page"]) - 2 :][:2]
    text = "id,name\r\n" + "".join(f'{number},"{name}"\r\n' for number, name in rows)
    return 200, text.encode(), {"Content-Type": "text/csv"}


def xml_pages(request):
    first = "<item><id>1</id><name>a</name></item><item><id>2</id><name/></item><next>c2</next>"
    last = "<item><id>3</id><name>c, d</name></item>"
    body = f"<shop>{last if 'cursor' in request.query else first}</shop>"
    return 200, body.encode(), {"Content-Type": "text/xml"}


def jsonl_pages(request):
    first = b'{"id":"1","name":"a"}\n{"id":"2","name":null}\n'
    last = b'{"id":"3","name":"c, d"}'
    headers = {} if "page" in request.query else {"Link": '</items?page=2>; rel="next"'}
    return 200, last if "page" in request.query else first, headers


@pytest.fixture
def load(tmp_path):
    with serving(csv_pages) as api, HttpRuntime([api.host]) as runtime:
        destination = DuckDBDestination(tmp_path / "d.duckdb")

        def run(endpoint):
            text = SPEC.replace("{base}", api.origin).replace("ENDPOINT", endpoint)
            connection = Connection("shop", YamlConnector(parse_connector(text), runtime))
            sync(connection, "items", destination, staging=tmp_path / "staging")
            with duckdb.connect(str(tmp_path / "d.duckdb"), read_only=True) as db:
                return db.sql("select id, name from shop.items order by id").fetchall()

        run.api = api
        yield run


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped])
@pytest.mark.parametrize(
    ("endpoint", "pages", "accept"),
    [
        (CSV, csv_pages, "text/csv"),
        (XML, xml_pages, "application/xml, text/xml"),
        (JSONL, jsonl_pages, "application/x-ndjson, application/jsonl"),
    ],
)
def test_all_pages_of_every_format_are_loaded(load, endpoint, pages, accept, pack):
    def answer(request):
        status, body, headers = pages(request)
        return status, pack(body), {**headers, "Content-Type": "application/octet-stream"}

    load.api.answer = answer
    assert load(endpoint) == [("1", "a"), ("2", None), ("3", "c, d")]
    assert {request.headers["accept"] for request in load.api.seen} == {accept}


def test_an_accept_header_of_the_spec_is_sent_instead(load):
    load(f"{CSV}\n    headers: {{Accept: application/vnd.shop+csv}}")
    assert load.api.seen[0].headers["accept"] == "application/vnd.shop+csv"


def test_a_packed_answer_that_breaks_off_is_asked_for_again(load):
    whole = gzip.compress(b"id,name\n1,a\n")
    bodies = iter([whole[:-9], whole])
    load.api.answer = lambda _: (200, next(bodies), {"Content-Type": "application/gzip"})
    assert load("responseFormat: csv") == [("1", "a")]


def test_an_error_body_within_a_200_is_matched_by_rules_in_xml(load):
    load.api.answer = lambda _: (200, b"<shop><error>closed on sundays</error></shop>", {})
    rule = 'errors: [{when: "{{response.shop.error}}", action: fail, message: "{{response.shop.error}}"}]'
    with pytest.raises(ConnectorError, match="200: closed on sundays"):
        load(f"{XML}\n    {rule}")


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("csv: {delimiter: ';'}", "csv: is for responseFormat: csv"),
        (
            "responseFormat: csv\n    responseRowsPath: a",
            "responseRowsPath: is for json and xml; in csv every line is a row",
        ),
        ("responseFormat: xml", "responseRowsPath: is required with responseFormat: xml"),
        (
            "responseFormat: jsonl\n    pagination: {type: cursor, cursorField: next}",
            "pagination.cursorField: cannot be read: jsonl has rows only; use a header",
        ),
        (
            "responseFormat: csv\n    csv: {delimiter: ';;'}",
            "csv.delimiter: must be one character, and no line end",
        ),
        ("responseFormat: csv\n    csv: {quote: ','}", "csv.quote: must not be the delimiter"),
        ("responseFormat: csv\n    csv: {header: [a, a]}", "csv.header: names a column twice"),
        (
            "responseFormat: csv\n    csv: {charset: latin-99}",
            "csv.charset: is not a charset, as utf-8 or windows-1252",
        ),
        (
            "responseFormat: tsv",
            'responseFormat: "tsv" is not known; did you mean "csv"? Or use one of json, jsonl, csv, xml, text',
        ),
    ],
)
def test_what_a_format_cannot_do_is_a_fault_of_the_document(endpoint, fault):
    with pytest.raises(SpecError) as raised:
        parse_connector(SPEC.replace("{base}", "https://x.example").replace("ENDPOINT", endpoint))
    assert [str(one) for one in raised.value.faults] == [f"endpoints.0.{fault}"]
