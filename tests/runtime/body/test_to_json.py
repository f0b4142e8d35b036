"""Bodies in CSV, XML and lines of JSON become rows exactly, or a clear error."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import ResponseError
from connector_assets.runtime.body import xml_tree
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.body.to_json import json_of, response_of
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.endpoint import Endpoint


def endpoint(kind, **given):
    url = "https://api.example.com/v1"
    return Endpoint.model_validate({"id": "e", "url": url, "responseFormat": kind, **given})


def answer(body, content_type=""):
    body = body if isinstance(body, bytes) else body.encode()
    headers = {"content-type": content_type} if content_type else {}
    return Answer(200, httpx.Headers(headers), body, "https://api.example.com/v1")


def rows(kind, body, content_type="", path=None, **given):
    one = endpoint(kind, **({"responseRowsPath": path} if path else {}), **given)
    got = answer(body, content_type)
    page = Page(got, one.response_rows_path, None, json_of(got, one))
    lines = page.ndjson().decode().split("\n")[:-1]
    assert page.count == len(lines)
    return lines


def refused(kind, body, content_type="", **given):
    with pytest.raises(ResponseError) as raised:
        rows(kind, body, content_type, **given)
    return str(raised.value)


@pytest.mark.parametrize(
    ("body", "options", "lines"),
    [
        ("a,b\n1,2\n", {}, ['{"a":"1","b":"2"}']),
        ("a,b\r\n1,2", {}, ['{"a":"1","b":"2"}']),
        ("a,b\r1,2\r", {}, ['{"a":"1","b":"2"}']),
        ("a,b\n007,1.10\n", {}, ['{"a":"007","b":"1.10"}']),
        ('a,b\n,""\n', {}, ['{"a":null,"b":null}']),
        ("a,b\n x , \n", {}, ['{"a":" x ","b":" "}']),
        ('a,b\n"x ""y"", z","l1\r\nl2"\n', {}, ['{"a":"x \\"y\\", z","b":"l1\\r\\nl2"}']),
        ("a\n\n1\n\n", {}, ['{"a":"1"}']),
        ("a,b\n", {}, []),
        ("\ufeffa,b\n1,2\n", {}, ['{"a":"1","b":"2"}']),
        ("é\nü\n", {}, ['{"é":"ü"}']),
        ("a;b\n1,5;2\n", {"delimiter": ";"}, ['{"a":"1,5","b":"2"}']),
        ("a\tb\n1\t'2\t3'\n", {"delimiter": "\t", "quote": "'"}, ['{"a":"1","b":"2\\t3"}']),
        ("1,2\n", {"header": ["x", "y"]}, ['{"x":"1","y":"2"}']),
        ("Report\nof May\na,b\n1,2\n", {"skipLines": 2}, ['{"a":"1","b":"2"}']),
        ("", {"header": ["x"]}, []),
        ("a\n" + "x" * 200_000 + "\n", {}, ['{"a":"' + "x" * 200_000 + '"}']),
    ],
)  # fmt: skip
def test_csv_becomes_rows_of_text(body, options, lines):
    assert rows("csv", body, csv=options) == lines


@pytest.mark.parametrize(
    ("body", "content_type", "options"),
    [
        ("é\n1\n".encode("latin-1"), "text/csv; charset=iso-8859-1", {}),
        ("é\n1\n".encode("utf-16"), "text/csv", {}),
        ("é\n1\n".encode("cp1252"), "text/csv", {"charset": "windows-1252"}),
        ("é\n1\n".encode("utf-8-sig"), "text/csv", {"charset": "utf-8"}),
        ("é\n1\n".encode("utf-16-le"), "text/csv", {"charset": "utf-16-le"}),
    ],
)
def test_csv_in_another_charset(body, content_type, options):
    assert rows("csv", body, content_type, csv=options) == ['{"é":"1"}']


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 values, the header 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 values, the header 2"),
        ('a,b\n1,"2\n', "line 2 is not CSV: unexpected end of data"),
        ('a,b\n1,"2"x\n', "line 2 is not CSV"),
        ("a,a\n1,2\n", "names a column twice"),
        ("a,\n1,2\n", "names a column twice, or not at all"),
        ("", "the body is empty"),
        ("\n\n", "the body is empty"),
        ("<!DOCTYPE html><html>", "a markup page (HTML or XML), not CSV"),
        (b"a\n\xff\n", "not UTF-8"),
    ],
)
def test_csv_that_is_not_what_it_says_is_an_error(body, said):
    assert said in refused("csv", body)


def test_an_error_in_json_is_not_taken_for_csv():
    assert "the body is JSON, not CSV" in refused("csv", '{"error":"no"}', "application/json")


names = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1)
                 .filter(str.strip), min_size=2, max_size=4, unique=True)  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(names, st.lists(st.lists(texts, min_size=4, max_size=4), max_size=4))
def test_what_a_csv_writer_writes_comes_back(header, values):
    if header[0].startswith(("\ufeff", "<")):
        return
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows(one[: len(header)] for one in values)
    expected = [dict(zip(header, (v or None for v in one), strict=False)) for one in values]
    assert [json.loads(line) for line in rows("csv", file.getvalue())] == expected


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('{"a":1.10}\n{"a":2}\n', ['{"a":1.10}', '{"a":2}']),
        ('{"a":1}\r\n\r\n  \n{"a":2}', ['{"a":1}', '{"a":2}']),
        ("", []),
        ("[1,2]\n3\n", ['{"value":[1,2]}', '{"value":3}']),
        ('{"a":"x\u2028y"}\n', ['{"a":"x\u2028y"}']),
    ],
)
def test_lines_of_json_are_rows(body, lines):
    one = endpoint("jsonl")
    page = Page(answer(body), None, None, json_of(answer(body), one))
    assert page.ndjson().decode().split("\n")[:-1] == lines


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ('{"a":1}\n{"a":', 2),
        ('{"a":1}\n\n{"a":1} {"a":2}\n', 3),
        ('{"a":1},{"a":2}\n', 1),
        ('{"a":1}],[\n', 1),
        ('{\n"a":1}\n', 1),
        ("<html>\n", 1),
    ],
)
def test_a_broken_line_is_an_error(body, number):
    assert refused("jsonl", body).startswith(f"line {number} is not one JSON value")


def test_half_a_character_in_a_line_is_said_to_be_that():
    said = refused("jsonl", '{"a":"\\ud83d\\ude00"}\n{"a":"\\ud800"}\n')
    assert said.startswith(r"line 2 has half a character (one of \ud800 to \udfff alone); tell")


@pytest.mark.parametrize(
    ("inner", "value"),
    [
        ("", None),
        ("  \n ", None),
        ("x", "x"),
        (" x ", " x "),
        ("<a>1</a>", {"a": "1"}),
        ("<a>1</a><a>2</a>", {"a": ["1", "2"]}),
        ("<a>1</a><b/><a>2</a>", {"a": ["1", "2"], "b": None}),
        ("<a/><a/>", {"a": [None, None]}),
        ("\n <a> 1 </a>\n", {"a": " 1 "}),
        ('<a x="1"/>', {"a": {"@x": "1"}}),
        ('<a x="1">t</a>', {"a": {"@x": "1", "#text": "t"}}),
        ("one<a/>two", {"a": None, "#text": "onetwo"}),
        ("<![CDATA[<x> & ]]>", "<x> & "),
        ("&lt;&amp;&#233;&#x1F600;", "<&é😀"),
        ("<!-- c --><?pi x?>x", "x"),
        ("<n:a xmlns:n='u:1'/>", {"n:a": {"@xmlns:n": "u:1"}}),
    ],
)
def test_an_element_becomes(inner, value):
    assert xml_tree.xml_tree(f"<r>{inner}</r>".encode()) == {"r": value}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("<r><i><a>1</a></i><i><a>2</a></i></r>", ['{"a":"1"}', '{"a":"2"}']),
        ("<r><i><a>1</a></i></r>", ['{"a":"1"}']),
        ("<r><i>5</i></r>", ['{"value":"5"}']),
        ("<r/>", []),
        ("<r>\n</r>", []),
        ('<r count="0"/>', []),
        ("<r><i/></r>", []),
    ],
)
def test_rows_of_xml_are_found(body, lines):
    assert rows("xml", body, path="r.i") == lines


def test_rows_of_xml_below_prefixes_and_cursors_beside_them():
    body = '<s:E xmlns:s="u"><s:B><i><a>1</a></i><next>c2</next></s:B></s:E>'
    one = endpoint("xml", responseRowsPath='"s:E"."s:B".i')
    page = Page(answer(body), one.response_rows_path, None, json_of(answer(body), one))
    assert page.records() == [{"a": "1"}]
    assert page.field('"s:E"."s:B".next') == "c2"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<r><total>0</total></r>", '"r.i" is absent; the keys there are "total"'),
        ("<x/>", '"r.i" is absent; the keys there are "x"'),
        ("<r><i></r>", "not XML (line 1: mismatched tag)"),
        ("", "not XML"),
        ('{"a":1}', "not XML"),
        ("<r>&nope;</r>", "not XML"),
        ("<r/><r/>", "not XML"),
        ("<a>" * 200 + "</a>" * 200, "nests deeper than 100"),
        ("<!DOCTYPE r [<!ENTITY a 'x'>]><r>&a;</r>", "DOCTYPE"),
        ("<!DOCTYPE r SYSTEM 'file:///etc/passwd'><r/>", "DOCTYPE"),
        ("<!DOCTYPE r><r/>", "DOCTYPE"),
    ],
)
def test_xml_that_is_not_what_it_says_is_an_error(body, said):
    assert said in refused("xml", body, path="r.i")


def test_entities_that_multiply_are_never_read():
    lols = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    body = f'<!DOCTYPE l [<!ENTITY l0 "lol">{lols}]><l>&l9;</l>'
    assert "DOCTYPE" in refused("xml", body, path="l")


def test_xml_cannot_hold_elements_without_bound(monkeypatch):
    monkeypatch.setattr(xml_tree, "MAX_ELEMENTS", 100)
    for items in ("<i/>" * 100, '<i a=""/>' * 50):
        assert "more than 100 elements" in refused("xml", f"<r>{items}</r>", path="r.i")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<?xml version='1.0' encoding='iso-8859-1'?><r><i>é</i></r>".encode("latin-1"), ""),
        ("<?xml version='1.0' encoding='windows-1252'?><r><i>é</i></r>".encode("cp1252"), ""),
        ("<?xml version='1.0' encoding='utf-8'?><r><i>é</i></r>".encode("latin-1"), "text/xml; charset=iso-8859-1"),
        ("<r><i>é</i></r>".encode("utf-16"), ""),
        ("<r><i>é</i></r>".encode("utf-16"), "text/xml; charset=utf-8"),
        ("\ufeff<r><i>é</i></r>".encode(), ""),
    ],
)  # fmt: skip
def test_xml_in_another_charset(body, content_type):
    assert rows("xml", body, content_type, path="r.i") == ['{"value":"é"}']


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        ("json", '{"error":{"code":7}}', {"error": {"code": 7}}),
        ("json", "[1]", [1]),
        ("json", "<html>", {}),
        ("json", "", {}),
        ("csv", '{"error":"x"}', {"error": "x"}),
        ("csv", "a,b", {}),
        ("xml", "<e><c>7</c></e>", {"e": {"c": "7"}}),
        ("xml", '{"error":"x"}', {"error": "x"}),
        ("xml", "<e>", {}),
    ],
)
def test_rules_see_the_body_as_data(kind, body, found):
    assert response_of(answer(body), endpoint(kind, responseRowsPath="a")) == found
