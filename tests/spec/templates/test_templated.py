"""Numbers and durations that may be templates: refused when they are read, or when they are known."""

from __future__ import annotations

import json

import pytest

from connector_assets.errors import ConfigError
from connector_assets.spec.document import parse_connector
from connector_assets.spec.request.counted import OffsetPagination, PagePagination
from connector_assets.spec.stream.incremental import Incremental
from connector_assets.spec.templates.templated import rendered
from tests.spec.checks.test_placed import document
from tests.spec.documents import lines


def offset(**more):
    return OffsetPagination.model_validate({"type": "offset", **more})


def test_what_is_no_template_stays_the_same_object():
    plain = offset(pageSize=2)
    assert rendered(plain, {}, "pagination") is plain


@pytest.mark.parametrize("given", [5, "5"])
def test_a_number_takes_the_value_of_its_template(given):
    made = rendered(offset(pageSize="{{n}}", maxPages="{{n}}"), {"n": given}, "pagination")
    assert (made.page_size, made.max_pages) == (5, 5)


def test_null_is_as_if_nothing_were_given():
    assert rendered(offset(pageSize="{{n}}"), {"n": None}, "pagination").page_size is None


@pytest.mark.parametrize(
    ("part", "scope", "message"),
    [
        (offset(pageSize="{{n}}"), {"n": 0}, r"pagination\.pageSize: what its template gives does not fit"),
        (offset(pageSize="{{n}}"), {"n": "many"}, r"pagination\.pageSize: what its template gives"),
        (offset(maxPages="{{n}}"), {"n": -1}, r"pagination\.maxPages: "),
        (PagePagination.model_validate({"type": "page", "pageSize": "{{n}}", "pageSizeParam": "s"}),
         {"n": None}, "pageSize"),
        (Incremental.model_validate({"cursorField": "a", "format": "iso", "lookback": "P{{n}}"}),
         {"n": "x"}, r"pagination\.lookback: .*not an ISO 8601 duration"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_an_error_that_names_the_key(part, scope, message):
    with pytest.raises(ConfigError, match=message) as caught:
        rendered(part, scope, "pagination")
    assert "many" not in str(caught.value)


def read(**stream):
    return document(None, {"type": "none"}, {"incremental": {"cursorField": "at", **stream}})


WINDOWS = [
    ({"pageSize": "{{nope.x}}"}, None, 'endpoints.0.pagination.pageSize: nothing gives "nope.x" a value'),
    ({"pageSize": "{{secrets.x}}"}, None, 'endpoints.0.pagination.pageSize: "secrets.x" must not stand here'),
    ({"pageSize": "{{ 1 +"}, None, "endpoints.0.pagination.pageSize: "),
    ({"pageSize": "ten"}, None, "endpoints.0.pagination.pageSize: must be a whole number"),
    (None, {"window": "P1D", "start": "2024-01-01", "format": "iso"},
     "read.streams.0.incremental.startParam: is required with window, or a template that reads window.start"),
    (None, {"granularity": "P1D", "start": "2024-01-01", "format": "iso"},
     "read.streams.0.incremental.granularity: is for an end that is sent; give endParam, or a template"),
    (None, {"window": "P{{n}}D", "startParam": "s"}, "read.streams.0.incremental.format: is required with window"),
]  # fmt: skip


@pytest.mark.parametrize(("pagination", "incremental", "line"), WINDOWS, ids=str)
def test_what_can_never_work_is_a_fault(pagination, incremental, line):
    text = document(
        None,
        {"type": "offset", **(pagination or {})},
        {"incremental": {"cursorField": "at", **incremental}} if incremental else None,
    )
    found = lines(text)
    assert len(found) == 1
    assert found[0].startswith(line)


def test_a_template_that_reads_the_window_asks_for_it():
    more = {"params": {"q": "{{window.start}}..{{window.end}}"}}
    window = {"window": "P1D", "granularity": "PT1S", "start": "2024-01-01", "format": "iso"}
    stream = {
        "incremental": {"cursorField": "at", **window},
        "where": "{{ window.start != record.at }}",
    }
    assert lines(document(None, {"type": "none"}, stream, **more)) == []


def test_a_stream_without_a_window_has_no_name_for_it():
    found = lines(document(None, {"type": "none"}, {"fields": {"add": {"a": "{{window.start}}"}}}))
    what = 'nothing gives "window.start" a value here; it comes with incremental'
    assert found == [f"read.streams.0.fields.add.a: {what}"]


def test_the_names_that_such_templates_read_must_be_given():
    from connector_assets.reading.yaml_connector import YamlConnector
    from connector_assets.runtime.runtime import HttpRuntime

    text = document(None, {"type": "offset", "pageSize": "{{size}}"})
    spec = parse_connector(text)
    assert YamlConnector(spec, HttpRuntime()).needs(spec.streams[0]).config == {"size"}
    assert json.loads(text)["endpoints"][0]["pagination"]["pageSize"] == "{{size}}"
