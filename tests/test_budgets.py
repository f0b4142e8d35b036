"""Twice the input takes twice the work, counted in calls: nothing of a stranger's is quadratic."""

from __future__ import annotations

import json
import sys
from functools import partial

import pytest

from connector_assets import limits
from connector_assets.cli.query import _names
from connector_assets.cli.text_table import table
from connector_assets.errors import ConnectorError, Fault, ResponseError, RowsError, SpecError
from connector_assets.load.columns.profile import Profiler
from connector_assets.load.files.store_names import column_names
from connector_assets.load.table import Column
from connector_assets.project.project import connection_from_file
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.rows.records import Transform
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.checks.ancestors import circles_of
from connector_assets.spec.document import parse_connection, parse_connector, read_connector
from connector_assets.spec.dynamic import Listed, Locked, named, with_streams, write_lock
from connector_assets.spec.lint.lint import lint
from connector_assets.spec.names.paths import Path
from connector_assets.spec.templates.template import Template
from connector_assets.spec.yaml.excerpt import render_fault

SMALL = 150
HEAD = 'kind: connector\nversion: "1.0"\nid: a\ndisplayName: N\n'


def work(act, *given):
    """How many functions `act` calls, of Python and of C, and comparisons of lists it cannot hide."""
    count = 0

    def counted(_frame, event, _arg):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        act(*given)
    except ConnectorError:
        pass
    finally:
        sys.setprofile(None)
    return count


def many(form, count, between=", "):
    """`form` that often, with a number in the place of each #."""
    return between.join(form.replace("#", str(n)) for n in range(count))


def document(more="", endpoints="", read="{primary: items}"):
    endpoints = endpoints or '{id: items, url: "https://h.example.com/items"}'
    return f"{HEAD}{more}\nendpoints: [{endpoints}]\nread: {read}\n"


def stream_with(part):
    return document(read=f"{{primary: items, streams: [{{name: a, {part}}}]}}")


ONE_EACH = '{id: e#, url: "https://h.example.com/#"}'
# What is repeated, the text around it, and what stands between.
FORMS = {
    "streams": ("{name: s#}", document(read="{primary: items, streams: [MANY]}")),
    "endpoints": (ONE_EACH, document(endpoints="MANY", read="{primary: e0}")),
    "types": ("t#", document(read="{primary: items, resourceTypes: [MANY]}")),
    "many parents of one": (
        "{name: t#, forEach: [{parent: {stream: s, field: id}}]}",
        document(read="{primary: items, streams: [{name: s}, MANY]}"),
    ),
    "unknown parents": (
        "{name: t#, forEach: [{parent: {stream: no#, field: id}}]}",
        document(read="{primary: items, streams: [MANY]}"),
    ),
    "config": ("c#: {}", document("config: {MANY}")),
    "secrets": ("c#: {}", document("secrets: {MANY}")),
    "secrets read": ("X#: '{{secrets.c#}}'", document("defaults: {headers: {MANY}}")),
    "params": ("p#: '{{v#}}'", document("defaults: {params: {MANY}}")),
    "vars": ("v#: 1", stream_with("vars: {MANY}")),
    "fields": ("v#: 1", stream_with("fields: {add: {MANY}}")),
    "renames": ("v#: w#", stream_with("fields: {rename: {MANY}}")),
    "casts": ("v#: text", stream_with("fields: {cast: {MANY}}")),
    "columns": ("v#: text", stream_with("columns: {MANY}")),
    "keys": ("v#", stream_with("writeMode: merge, primaryKey: [MANY]")),
    "checks": ("v#", stream_with("checks: {notNull: [MANY]}")),
    "values": ("v#", stream_with("forEach: [{as: x, values: [MANY]}]")),
    "origins": ("'https://h#.example.com'", document("origins: [MANY]")),
    "auths": ("{type: bearer, tokenRef: '{{secrets.t#}}'}", document("auth: [MANY]")),
    "rules": (
        "{when: '{{ status == # }}', action: fail}",
        document("defaults: {errors: [MANY]}"),
    ),
    "tags": ("v#: a", document("tags: {MANY}")),
    "unknown keys": ("zz#: 1", document("MANY"), "\n"),
    "the same key": ("category: a", document("MANY"), "\n"),
    "the same name": ("{name: s}", document(read="{primary: items, streams: [MANY]}")),
    "numbers": ("p#: 1.10", document("defaults: {params: {MANY}}")),
    "anchors": ("v#: *x", document("tags: {a: &x b, MANY}")),
    "dynamic": (
        "{from: e#, endpoint: e#}",
        document(endpoints="ENDPOINTS", read="{dynamic: [MANY]}"),
    ),
    "streams and endpoints": (
        "{name: e#}",
        document(endpoints="ENDPOINTS", read="{streams: [MANY]}"),
    ),
    "one long text": ("a b c d ", document("description: 'MANY'"), ""),
    "streams and params": (
        "{name: s#, vars: {x#: 1}, primaryKey: [id], incremental: {cursorField: at, startParam: t}}",
        document("defaults: {params: {PARAMS}}", read="{primary: items, streams: [MANY]}"),
    ),
    "endpoints and params": (
        ONE_EACH,
        document("defaults: {params: {PARAMS}}", "MANY", "{primary: e0}"),
    ),
    "chain of parents": ("", ""),
}


def spec_of(name, n):
    if name == "chain of parents":
        below = (
            f"{{name: s{k}, forEach: [{{parent: {{stream: s{k - 1 if k % 25 else 0}, field: id}}}}]}}"
            for k in range(1, n)
        )
        return document(read=f"{{primary: items, streams: [{', '.join(['{name: s0}', *below])}]}}")
    form, text, *between = FORMS[name]
    text = text.replace("PARAMS", many("p#: '{{v#}}'", n))
    return text.replace("ENDPOINTS", many(ONE_EACH, n)).replace("MANY", many(form, n, *between))


SPECS = {name: partial(spec_of, name) for name in FORMS}
WRONG = {"unknown parents", "unknown keys", "the same key", "the same name", "numbers"}


def grows(act, small=SMALL):
    """How many times the work grows where the input is doubled."""
    for size in (4, small, 2 * small):  # caches are filled, and what is done once is done
        work(act, size)
    return work(act, 2 * small) / work(act, small)


@pytest.mark.parametrize("name", SPECS)
def test_reading_a_spec_is_linear(name):
    texts = {n: SPECS[name](n) for n in (4, SMALL, 2 * SMALL)}
    assert grows(lambda n: parse_connector(texts[n])) < 2.4
    if name not in WRONG:
        parse_connector(texts[SMALL])


@pytest.mark.parametrize("name", sorted(SPECS.keys() - WRONG))
def test_looking_for_what_may_be_wrong_in_a_spec_is_linear(name):
    read = {n: read_connector(SPECS[name](n)) for n in (4, SMALL, 2 * SMALL)}
    assert grows(lambda n: lint(read[n])) < 2.4


@pytest.mark.parametrize(
    "name", ["streams", "streams and endpoints", "streams and params", "types", "chain of parents"]
)
def test_listing_a_spec_is_linear(name, tmp_path):
    from connector_assets.cli.list import _plain

    found = {}
    for n in (4, SMALL, 2 * SMALL):
        path = tmp_path / f"{n}.yaml"
        path.write_text(SPECS[name](n))
        found[n] = connection_from_file(path, environ={})
    assert grows(lambda n: _plain(found[n])) < 2.4


def test_streams_of_a_connection_are_read_once_each(tmp_path):
    def made(n):
        return (
            f'kind: connection\nversion: "1.0"\nid: b\nconnector: a\nstreams: [{many("s#", n)}]\n'
        )

    texts = {n: made(n) for n in (4, SMALL, 2 * SMALL)}
    assert grows(lambda n: parse_connection(texts[n])) < 2.4


def test_needs_of_all_streams_are_linear():
    spec = {n: parse_connector(SPECS["streams and endpoints"](n)) for n in (4, SMALL, 2 * SMALL)}

    def all_needs(n):
        connector = YamlConnector(spec[n], HttpRuntime())
        for stream in connector.streams():
            connector.needs(stream)

    assert grows(all_needs) < 2.4


def test_circles_are_found_in_one_pass():
    chain = {str(n): [str(n - 1)] for n in range(1, 100_000)}
    assert circles_of(chain) == {}
    chain["0"] = ["99999"]
    assert len(circles_of(chain)) == 100_000
    assert circles_of({"a": ["a"], "b": ["a"]}).keys() == {"a"}
    both = circles_of({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"], "e": ["a", "c"]})
    assert both["a"] == both["b"] != both["c"] == both["d"]
    assert "e" not in both


def case_variants(count, letters="abcdefghijklmnop"):
    return [
        "".join(c.upper() if i >> j & 1 else c for j, c in enumerate(letters)) for i in range(count)
    ]


@pytest.mark.parametrize("keys", [case_variants, lambda n: ["\x01" * k for k in range(1, n)]])
def test_names_of_columns_are_given_in_one_pass(keys):
    assert grows(lambda n: column_names(keys(n))) < 2.4
    names = column_names(keys(3000))
    assert len({name.casefold() for name in names.values()}) == len(names)


def test_names_stay_apart_also_where_keys_look_like_numbered_ones():
    keys = ["a", "A", "a_1", "A_1", "a_2", "A_2", "á", "Á", "a_1_1"]
    names = column_names(keys)
    assert len({name.casefold() for name in names.values()}) == len(keys)


def test_columns_called_alike_are_numbered_in_one_pass():
    assert grows(lambda n: _names([Column("a", "INT")] * n)) < 2.4
    named_ = _names([Column(name, "INT") for name in ("a", "a", "a_1", "a")])
    assert len(set(named_)) == 4


def test_listed_streams_called_alike_are_named_in_one_pass():
    def listed(n):
        named([Listed("same", "tables", {"id": number}) for number in range(n)])

    assert grows(listed) < 2.5


def test_a_lock_file_is_written_and_laid_over_a_spec_in_one_pass(tmp_path):
    def rows(n):
        return [Locked.model_validate({"name": f"n{k}", "from": "e0"}) for k in range(n)]

    made = {n: rows(n) for n in (4, SMALL, 2 * SMALL)}
    assert grows(lambda n: write_lock(tmp_path / f"{n}.lock.yaml", "a", made[n])) < 2.4
    spec = parse_connector(SPECS["dynamic"](4))
    assert grows(lambda n: with_streams(spec, made[n]).streams) < 2.4


def test_a_table_on_a_terminal_shows_some_of_many_columns():
    lines = {n: [json.dumps({f"k{k}": 1 for k in range(n)}).encode()] for n in (4, 3000, 6000)}
    assert grows(lambda n: table(lines[n]), 3000) < 2.4
    text = table([json.dumps({f"k{k}": 1 for k in range(100_000)}).encode()])
    assert "and 99,500 more columns" in text
    assert max(map(len, text.splitlines())) < 30_000


def test_rows_with_too_many_keys_are_refused_and_the_limit_can_be_raised(monkeypatch):
    profiler = Profiler(where="a.b")
    with pytest.raises(RowsError, match=r"more than 10,000 keys.*CONNECTOR_ASSETS_MAX_COLUMNS"):
        profiler.add(json.dumps({f"k{k}": 1 for k in range(10_001)}).encode() + b"\n")
    profiler = Profiler(where="a.b")
    rows = [json.dumps({f"k{k}_{n}": 1 for n in range(1000)}).encode() + b"\n" for k in range(11)]
    with pytest.raises(RowsError):  # each row has few, and all together too many
        profiler.add(b"".join(rows))
    monkeypatch.setenv(limits.COLUMNS_VARIABLE, "20000")
    profiler = Profiler(where="a.b")
    profiler.add(json.dumps({f"k{k}": 1 for k in range(10_001)}).encode() + b"\n")
    assert len(profiler.found.kinds) == 10_001


def stream_of(add):
    return parse_connector(stream_with(f"fields: {json.dumps({'add': add})}")).stream("a")


@pytest.mark.parametrize(
    "add",
    [
        {f"a{n}": "{{record}}" for n in range(24)},
        {f"a{n}": ["{{record}}", "{{record}}"] for n in range(24)},
        {f"a{n}": {"x": {"y": "{{record}}"}} for n in range(30)},
        {f"a{n}": "{{ [record, record] }}" for n in range(24)},
        {f"a{n}": "{{ record | json }}" for n in range(24)},
        {f"a{n}": "{{record.text}}" for n in range(40)},
    ],
)
def test_fields_that_hold_the_record_again_and_again_end_at_a_budget(add):
    row = json.dumps({"id": 1, "text": "x" * 500_000 if "text" in str(add) else "x"}).encode()
    with pytest.raises(ResponseError, match=r"come to more than|grows past") as caught:
        Transform(stream_of(add))(row + b"\n", {})
    assert "row 1 of a page" in str(caught.value)


def test_a_page_of_rows_that_grow_ends_at_a_budget():
    stream = stream_of({f"a{n}": "{{record}}" for n in range(12)})
    row = json.dumps({"id": 1, "text": "x" * 100}).encode() + b"\n"
    with pytest.raises(ResponseError, match="rows of the page come to more than"):
        Transform(stream)(row * 400, {})


def test_a_few_computed_fields_are_far_from_the_budget():
    stream = stream_of({"all": "{{record}}", "name": "{{record.a}}-{{record.c}}"})
    row = json.dumps({"a": 1, "c": "y", "b": ["x"] * 10_000}).encode() + b"\n"
    assert Transform(stream)(row, {})[1] == 1


DOUBLING = [
    "items" + "|[@,@][]" * 26,
    "items" + "|to_string([@,@])" * 16 + "|[{a:@}]",
    "items" + "|[@,@]" * 40,
    "items" + "|[@,@]" * 40 + "|to_string(@)",
    "items" + "|{a:@,b:@}" * 40,
    "items" + "|{a:@,b:@}" * 40 + "|[a == b]",
    "items" + "|[@,@]" * 40 + "|[@ == @]",
    "items" + "|[[@,@][0],[@,@][1]]" * 30,
    "items" + "|[@,@][]" * 12 + "|map(&to_string(@),@)|join('',@)" + "|join('',[@,@])" * 20,
    "items" + "|merge({a:@},{b:@})" * 40,
    "items" + "|[{a:@},{a:@}]" * 30 + "|[].a",
    "items|[@,@,@,@,@,@,@,@]" + "|[@,@,@,@,@,@,@,@][]" * 10,
    "items|sort_by([@,@][][],&id)" + "|[@,@][]" * 25,
    "items" + "|[@,@]" * 40 + "|contains(@,@)",
    "items" + "|[@,@]" * 40 + "|reverse(@)|length(to_string(@))",
    "items" + "|values({a:@,b:@})" * 40,
    "items" + "|[@,@][*]" * 40 + "|[*].[*]",
]


@pytest.mark.parametrize("path", DOUBLING)
def test_a_path_that_doubles_ends_at_a_budget(path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_FOUND", 100_000)
    assert len(path) <= 1000
    seen = work(lambda: None)
    with pytest.raises(ResponseError, match="the path makes more than"):
        Path(path).find({"items": [{"id": 1, "a": "x"}]})
    assert seen < 10


@pytest.mark.parametrize(
    "path",
    [
        "items[?id > `5`].{id: id, name: a}",
        "items[].[id, a][]",
        "items[?contains(a, 'x')] | [0:100]",
        "sort_by(items, &id)[*].id",
        "items[*].to_string(@)",
    ],
)
def test_a_path_that_only_selects_may_read_a_large_page(path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_FOUND", 1000)
    body = {"items": [{"id": n, "a": "x" * 50} for n in range(2000)]}
    assert Path(path).find(body)
    assert grows(lambda n: Path(path).find({"items": body["items"][:n]}), 500) < 2.4


@pytest.mark.parametrize(
    "text",
    [
        "{{ record.t | replace('a', record.t) }}",
        "{{ record.t | split('') }}",
        "{{ record.t | split('a') }}",
        "{{ [record.t, record.t, record.t] | join(record.t) }}",
        "{{ [[record, record], [record, record]] }}",
        "{{ record.t ~ record.t ~ record.t ~ record.t }}",
        "{{ record.t | urlencode | urlencode | urlencode }}",
        "{{ record.t | base64 | base64 | base64 | base64 }}",
        "{{ record.t | regex_search('a*b') }}",
        "{{ record | json | json | json }}",
    ],
)
def test_a_template_ends_at_a_budget(text):
    with pytest.raises(ConnectorError):
        Template(text).value({"record": {"t": "a" * 300_000}})


def test_a_header_with_too_many_columns_is_refused():
    from connector_assets.runtime.body.to_json import csv_lists
    from connector_assets.spec.request.formats import Csv

    line = ",".join(f"c{n}" for n in range(10_001)) + "\n"
    with pytest.raises(ResponseError, match=r"10,001 columns.*CONNECTOR_ASSETS_MAX_COLUMNS"):
        list(csv_lists([line, "1\n"], Csv(), 1000))


def test_windows_of_a_second_over_ten_years_are_too_many():
    from datetime import UTC, datetime

    from connector_assets.errors import ConfigError
    from connector_assets.runtime.walk.slices import slices

    spec = document(
        read="{primary: items, streams: [{name: a, primaryKey: [id], incremental: "
        "{cursorField: at, startParam: s, start: '2014-01-01', format: iso, window: PT1S}}]}"
    )
    stream = parse_connector(spec).stream("a")
    with pytest.raises(ConfigError, match=r"more than 100,000 windows.*make the window longer"):
        next(slices(stream, {}, {}, datetime(2024, 1, 1, tzinfo=UTC), lambda *_: iter(())))


def test_a_spec_of_16000_streams_is_read_and_faults_are_cut():
    text = document(read=f"{{primary: items, streams: [{many('{name: s#}', 16_000)}]}}")
    assert len(parse_connector(text).streams) == 16_000
    wrong = document(read=f"{{primary: items, streams: [{many('{name: s#, x: 1}', 10_000)}]}}")
    with pytest.raises(SpecError) as caught:
        parse_connector(wrong)
    assert len(caught.value.faults) <= 201


def test_a_line_with_many_faults_is_looked_through_once():
    def shown(count):
        line = "- {" + many("token#: abc", count) + "}"
        faults = [Fault(f"a{n}", "is wrong", 1, 5 + 10 * n) for n in range(count)]
        return work(lambda: [render_fault(one, line) for one in faults])

    assert shown(2 * SMALL) <= 2.5 * shown(SMALL)


def test_a_chain_of_parents_has_an_end():
    below = "{name: s#, forEach: [{parent: {stream: s%, field: id, as: above}}]}"
    chain = [below.replace("#", str(n)).replace("%", str(n - 1)) for n in range(1, 1400)]
    read = "{primary: items, streams: [{name: s0}, " + ", ".join(chain) + "]}"
    with pytest.raises(SpecError) as caught:
        parse_connector(document(read=read))
    (fault,) = caught.value.faults
    assert str(fault) == (
        "read.streams.30.forEach.0.parent.stream: is below 30 generations of parents, the most"
    )
