"""Templates by place: the corpus, the rules that hold for any value, and what a model sees."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from pydantic import TypeAdapter, ValidationError

from connector_assets.errors import ConfigError
from connector_assets.spec.names.model import Model
from connector_assets.spec.templates.template import (
    MAX_SOURCE,
    NoValue,
    Template,
    TemplateError,
    render,
)

CORPUS = Path(__file__).parents[2] / "corpus" / "template_cases.json"
# A cursor is the paginator's to send; 032 is an address, which the guard judges when it dials.
ELSEWHERE = {"cursor": "the paginator", "tpl-032": "the guard"}


def corpus():
    cases = json.loads(CORPUS.read_text("utf-8"))["cases"]
    return [
        pytest.param(case, id=case["id"])
        for case in cases
        if case["place"] not in ELSEWHERE and case["id"] not in ELSEWHERE
    ]


def sent(case):
    """What the case's place would hold: a request target, a header, a parameter, a JSON value."""
    template = Template(case["template"])
    scope = {**case["params"], "secrets": case["secrets"]}
    if case["place"].startswith("url"):
        parts = urlsplit(template.url(scope))
        return parts.path + (f"?{parts.query}" if parts.query else "")
    if case["place"] == "header":
        return template.header(scope)
    value = template.value(scope)
    if case["place"] == "query":
        text = template.text(scope)
        return "(parameter left out)" if text is None else "q=" + quote(text, safe="")
    return value


@pytest.mark.parametrize("case", corpus())
def test_the_corpus_case_is_sent_as_it_says_or_is_an_error(case):
    expect = case["expect"]
    if expect.get("error"):
        with pytest.raises(ConfigError) as caught:
            sent(case)
        assert any(name in str(caught.value) for name in Template(case["template"]).names)
        assert "S3CRET" not in str(caught.value)
        return
    got = sent(case)
    if "send" in expect or "either_error_or" in expect:
        # The corpus allows "=" raw or encoded in a path; values are encoded here without exception.
        assert got == expect.get("send", expect.get("either_error_or"))
    elif "send_decoded" in expect:
        assert unquote(got) == f"q={expect['send_decoded']}"
    elif "either" in expect:
        assert got in expect["either"]
    else:
        assert got in expect.get("body_value_either", [expect.get("body_value")])


@pytest.mark.parametrize(
    ("source", "scope", "url"),
    [
        ("https://h.example/v1/{{v}}", {"v": "a b"}, "https://h.example/v1/a%20b"),
        ("https://h.example/v1/a-{{v}}.json", {"v": "../x"}, "https://h.example/v1/a-..%2Fx.json"),
        ("https://h.example/v1/{{v}}", {"v": 7}, "https://h.example/v1/7"),
        ("https://h.example/v1/{{v}}", {"v": True}, "https://h.example/v1/true"),
        (
            "https://h.example/v1/{{v}}",
            {"v": "a;b\\c%2f\0"},
            "https://h.example/v1/a%3Bb%5Cc%252f%00",
        ),
        (
            "https://h.example/v1?a={{v}}&b=1",
            {"v": "x&b=2#"},
            "https://h.example/v1?a=x%26b%3D2%23&b=1",
        ),
        ("https://h.example?a={{v}}", {"v": "/.."}, "https://h.example?a=%2F.."),
        ("https://h.example:{{v}}/x", {"v": 8443}, "https://h.example:8443/x"),
        ("https://{{v}}/x", {"v": "h.example"}, "https://h.example/x"),
        ("https://{{v}}.h.example/x", {"v": "a-1.b"}, "https://a-1.b.h.example/x"),
        ("https://api-{{v}}.h.example/x", {"v": "eu"}, "https://api-eu.h.example/x"),
        ("{{v}}/v1", {"v": "https://h.example"}, "https://h.example/v1"),
        ("{{v}}/v1", {"v": "https://h.example/"}, "https://h.example/v1"),
        ("{{v}}/v1", {"v": "https://h.example/base/"}, "https://h.example/base/v1"),
        ("{{v}}/v1", {"v": "HTTP://localhost:8001"}, "HTTP://localhost:8001/v1"),
        ("{{v}}/v1", {"v": "http://[::1]:8001"}, "http://[::1]:8001/v1"),
        ("{{v}}?a=1", {"v": "https://h.example/x"}, "https://h.example/x?a=1"),
        ("{{v}}", {"v": "https://h.example/x"}, "https://h.example/x"),
        ("/v1/{{v}}/x", {"v": "a/b"}, "/v1/a%2Fb/x"),
        ("v1/{{v}}", {"v": "é"}, "v1/%C3%A9"),
        ("https://h.example/v1/it ems/é", {}, "https://h.example/v1/it%20ems/%C3%A9"),
        ("https://h.example/a%20b?c=[d]&e='f'", {}, "https://h.example/a%20b?c=[d]&e='f'"),
        ("https://h.example//v1", {}, "https://h.example//v1"),
    ],
)
def test_a_url_escapes_each_value_by_its_place(source, scope, url):
    assert Template(source).url(scope) == url


HOSTILE_LABELS = [
    "a/",
    "a#",
    "a?",
    "a@",
    "a:",
    "a\\",
    "a_",
    "-a",
    "a-",
    ".a",
    "a.",
    "a..b",
    "%61",
    "é",
]
HOST = "https://{{v}}.h.example/x"
ORIGIN = "{{v}}/v1"
SEGMENT = "https://h.example/{{v}}/x"


@pytest.mark.parametrize(
    ("source", "value"),
    [(HOST, bad) for bad in HOSTILE_LABELS]
    + [
        (HOST, bad)
        for bad in ("", " ", "a b", "a\n", "a。b", "a" * 64, "a.".join("b" * 200), None, ["a"])
    ]
    + [("https://h.example:{{v}}/", bad) for bad in ("", "80@x", "x", "٨٠", 65536, 123456, -1)]
    + [(SEGMENT, bad) for bad in ("", ".", "..", None, ["a"], {"a": 1}, "\ud800", float("nan"))]
    + [("https://h.example/.{{v}}/x", "."), ("https://h.example/%2e{{v}}", ".")]
    + [("https://h.example/{{v}}{{v}}/x", ".")]
    + [
        (ORIGIN, bad)
        for bad in (
            "",
            None,
            "h.example",
            "//h.example",
            "ftp://h.example",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "https://h.example?",
            "https://h.example/?a=1",
            "https://h.example#",
            "https://u@h.example",
            "https://u:p@h.example",
            "https://h.example\\@x",
            "https://h.example/a b",
            " https://h.example",
            "https://h.example\n",
            "https://h.example\t/x",
            "https://h.example//x",
            "https://h.example/../x",
            "https://h.example/%2e%2e",
            "https://h.example/%zz",
            "https://h。example",
            "https://h.example:99999",
            "https://h.example:",
            "https://-h.example",
            "\ud800",
        )
    ],
)
def test_a_url_refuses_a_value_that_would_leave_its_place(source, value):
    with pytest.raises(ConfigError, match='"v"') as caught:
        Template(source).url({"v": value})
    assert len(str(value)) < 9 or str(value) not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{a}}x/v1",
        "{{a}}{{b}}/v1",
        "{{a}}:8080/v1",
        "ftp://{{a}}/x",
        "https://u:{{a}}@h.example/",
        "https://u@{{a}}/",
        "https://h.example/{{a}}#x",
        "https://h.example\\{{a}}",
        "https://h.example/\n{{a}}",
        "//{{a}}/x",
        "https{{a}}://h.example",
        "https://{{a}}_.h.example/",
        "https:///{{a}}",
    ],
)
def test_a_template_that_no_value_makes_a_url_is_refused_when_it_is_read(source):
    with pytest.raises(TemplateError):
        Template(source).check_url()
    with pytest.raises(ConfigError):
        Template(source).url({"a": "https://h.example", "b": "x"})


@pytest.mark.parametrize(
    "source", ["{{a}}/v1/{{b}}?c={{d}}", "https://{{a}}.h.example:{{b}}/{{c}}", "/x"]
)
def test_a_template_that_can_be_a_url_is_accepted_when_it_is_read(source):
    Template(source).check_url()


@pytest.mark.parametrize(
    "bad", ["\0", "a\rb", "a\tb", "\x7f", "\x85", "日本", "\u2028", "a ", " a", "\ud800"]
)
def test_a_header_refuses_what_is_not_one_line_of_latin_1(bad):
    with pytest.raises(ConfigError, match=r'"secrets\.v"') as caught:
        Template("{{secrets.v}}").header({"secrets": {"v": bad}})
    assert bad.strip() in ("a", "") or bad not in str(caught.value)


def test_a_header_takes_latin_1_and_leaves_null_out():
    assert Template("{{v}}").header({"v": "café"}) == "café"
    assert Template("{{v}}").header({"v": None}) is None
    assert Template("{{v}}").header({"v": ""}) == ""


def test_a_header_made_of_a_secret_is_never_empty():
    with pytest.raises(ConfigError, match=r'"secrets\.v": is empty'):
        Template("{{secrets.v | trim}}").header({"secrets": {"v": " "}})


def test_an_empty_secret_is_text_only_where_the_caller_says_so():
    template = Template("{{secrets.v}}")
    assert template.text({"secrets": {"v": ""}}, allow_empty=True) == ""
    with pytest.raises(NoValue, match=r'"secrets\.v" is empty; set the secret "v"'):
        template.text({"secrets": {"v": ""}})
    with pytest.raises(NoValue, match=r'"secrets\.v" has no value; set the secret "v"'):
        template.text({"secrets": {}}, allow_empty=True)


def test_a_bare_name_is_never_a_secret():
    with pytest.raises(NoValue, match='"token" has no value'):
        Template("{{token}}").value({"secrets": {"token": "S3CRET"}})


def test_a_whole_expression_keeps_its_type_and_text_does_not():
    scope = {"n": 3, "f": 1.10, "b": True, "l": [1], "o": {"a": None}, "z": None, "big": 2**80}
    assert {name: Template(f"{{{{{name}}}}}").value(scope) for name in scope} == scope
    assert Template("{{n}}/{{f}}/{{b}}/{{big}}").value(scope) == f"3/1.1/true/{2**80}"
    assert Template("{{b}}").text(scope) == "true"
    assert Template("{{z}}").text(scope) is None
    with pytest.raises(ConfigError, match='"z": null is not text'):
        Template("x{{z}}").value(scope)
    with pytest.raises(ConfigError, match='"l": a list is not text'):
        Template("{{l}}").text(scope)


@pytest.mark.parametrize(
    "value", ["\ud800", ["\ud800"], {"a": "\udfff"}, {"\ud800": 1}, float("inf"), {1, 2}]
)
def test_a_value_that_has_no_json_form_is_a_clear_error(value):
    with pytest.raises(ConfigError, match='"v": '):
        Template("{{v}}").value({"v": value})


def test_names_are_as_deep_as_written_and_functions_are_none():
    template = Template(
        "{{soql}} {{config.region}} {{item['x'].y[0].z}} {{ now() | date('%Y') }} {{secrets.t}}"
    )
    assert template.names == {"soql", "config.region", "item.x.y", "secrets.t"}
    assert template.uses_secrets
    assert not Template("{{config.secrets}}").uses_secrets
    assert Template("{{ a | default(b) }}").required == {"b"}
    assert Template("plain").is_literal
    assert not Template("{{a}}").is_literal


def test_unbound_names_come_with_the_name_that_was_meant():
    template = Template("{{sqol}} {{config.regio}} {{item.x.y}} {{whatever}}")
    assert template.unbound({"soql", "config.region", "item"}) == {
        "config.regio": 'nothing gives "config.regio" a value; did you mean "config.region"?',
        "sqol": 'nothing gives "sqol" a value; did you mean "soql"?',
        "whatever": 'nothing gives "whatever" a value',
    }


@pytest.mark.parametrize(
    "source", ["{% if a %}", "{# {a} #}", "}} { } { ", '{"a": {"b": 1}}', "$(id)", ""]
)
def test_text_outside_the_braces_is_literal(source):
    assert Template(source).text({}) == source
    assert Template(source + "{{a}}").text({"a": "!"}) == source + "!"


@pytest.mark.parametrize(
    ("source", "offset"),
    [
        ("{{nope", 0),
        ("x\ud800", 0),
        ("a {{ 'x }}", 2),
        ("{{a}} {{ [1 }}", 6),
        ("{{a}}{{ b c }}", 5),
        ("{{}}", 0),
    ],
)
def test_a_template_that_is_not_closed_or_read_says_where(source, offset):
    with pytest.raises(TemplateError) as caught:
        Template(source)
    assert caught.value.offset == offset


def test_a_template_has_limits():
    with pytest.raises(TemplateError, match="characters"):
        Template("{{a}}" + "x" * MAX_SOURCE)
    with pytest.raises(TemplateError, match="too large"):
        Template("{{a}}{{ -1 }}" * 251)
    with pytest.raises(ConfigError, match="too long"):
        Template("x{{a}}").text({"a": "y" * 1_000_000})


def test_render_replaces_templates_at_any_depth():
    tree = {"a": [Template("{{n}}"), {"b": Template("x{{n}}")}], "c": 1.5, "d": None, "e": "{{n}}"}
    assert render(tree, {"n": 2}) == {"a": [2, {"b": "x2"}], "c": 1.5, "d": None, "e": "{{n}}"}


def test_a_template_is_frozen_hashable_and_survives_pickle_and_copy():
    template = Template("{{a}}-{{ b | upper }}")
    for twin in (
        Template(template.source),
        pickle.loads(pickle.dumps(template)),
        copy.deepcopy(template),
    ):
        assert twin == template
        assert hash(twin) == hash(template)
        assert twin.text({"a": 1, "b": "x"}) == "1-X"
    with pytest.raises(AttributeError):
        template.source = "other"


class Endpoint(Model):
    url: Template
    limit: Template | bool | int | float | None = None


def test_a_model_takes_templates_as_text_and_gives_them_back_as_text():
    endpoint = Endpoint.model_validate({"url": "{{a}}/x", "limit": 5})
    assert endpoint.url == Template("{{a}}/x")
    assert endpoint.limit == 5
    assert Endpoint.model_validate({"url": "u", "limit": "5"}).limit == Template("5")
    assert endpoint.model_dump_json() == '{"url":"{{a}}/x","limit":5}'
    assert Endpoint.model_validate(endpoint.model_dump(by_alias=True)) == endpoint
    for mode in ("validation", "serialization"):
        assert TypeAdapter(Template).json_schema(mode=mode) == {"type": "string"}
    with pytest.raises(ValidationError, match="never closed"):
        Endpoint.model_validate({"url": "{{a"})
    with pytest.raises(ValidationError, match="valid string"):
        Endpoint.model_validate({"url": 5})


def test_plain_templates_do_not_import_the_parser():
    code = (
        "import sys; from connector_assets.spec.templates.template import Template;"
        "assert Template('{{a.b}}/x').text({'a': {'b': 1}}) == '1/x';"
        "sys.exit('jinja2' in sys.modules or 're2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
