"""Rows that a stream computes on: every other byte stays, every change is exact or an error."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import ResponseError
from connector_assets.runtime.rows import convert, fields_by_path, records
from connector_assets.runtime.rows.records import transform_of
from connector_assets.spec.stream.stream import Stream

SCOPE = {"region": "eu", "item": {"id": 7}, "config": {"n": 1}, "secrets": {"token": "S3CRET"}}
ROW = (
    '{"Id":7,"amount":"1.10","n":1E5,"big":12345678901234567890123,"u":"\\u00e9", "a":{"b":[1, 2.50],'
    '"c":{"d":"x"}},"l":[{"k":1.10,"z":null},{"k":2}],"e":"a@b.c","no":null}'
)


def stream(**given):
    return Stream.model_validate({"name": "s", **given})


def run(rows, **given):
    lines = b"".join(row.encode() + b"\n" for row in rows)
    out, count = transform_of(stream(**given))(lines, SCOPE)
    found = out.decode().splitlines()
    assert count == len(found)
    return found


def refused(rows, **given):
    with pytest.raises(ResponseError) as raised:
        run(rows, **given)
    return str(raised.value)


def test_a_stream_that_computes_nothing_has_no_transform():
    assert transform_of(stream()) is None


@pytest.mark.parametrize(
    ("row", "fields", "made"),
    [
        ('{"a":1}', {"add": {"b": "{{region}}"}}, '{"a":1,"b":"eu"}'),
        ('{"a":1.10}', {"add": {"b": "{{record.a}}"}}, '{"a":1.10,"b":1.10}'),
        ('{"a":1.10}', {"add": {"b": "{{record.a + 1}}"}}, '{"a":1.10,"b":2.10}'),
        ('{"a":1}', {"add": {"b": 2, "c": "{{record.b}}"}}, '{"a":1,"b":2,"c":2}'),
        ('{"a":1}', {"add": {"b.c": [1, "{{item.id}}"]}}, '{"a":1,"b":{"c":[1,7]}}'),
        ('{"a":{"x":1}}', {"add": {"a.y": None}}, '{"a":{"x":1,"y":null}}'),
        ('{"a":1,"b":2}', {"add": {"a": 3}}, '{"a":3,"b":2}'),
        ('{"a":1}', {"add": {"r": "{{record}}"}}, '{"a":1,"r":{"a":1}}'),
        ('{"a":1,"b":2}', {"remove": ["a"]}, '{"b":2}'),
        ('{"a":{"x":1,"y":2}}', {"remove": ["a.x"]}, '{"a":{"y":2}}'),
        ('{"l":[{"x":1,"y":2},{"y":3}]}', {"remove": ["l[*].x"]}, '{"l":[{"y":2},{"y":3}]}'),
        ('{"l":{"x":1,"y":2}}', {"remove": ["l[].x"]}, '{"l":{"y":2}}'),
        ('{"l":[[{"x":1}],[{"x":2}]]}', {"remove": ["l[*][*].x"]}, '{"l":[[{}],[{}]]}'),
        ('{"a":null}', {"remove": ["a.b.c"]}, '{"a":null}'),
        ('{"@id":1,"b":2}', {"remove": ['"@id"']}, '{"b":2}'),
        ('{"A":1,"b":2}', {"rename": {"A": "a"}}, '{"a":1,"b":2}'),
        ('{"a":1,"b":2}', {"rename": {"a": "b", "b": "a"}}, '{"b":1,"a":2}'),
        ('{"x":{"A":1,"b":2}}', {"rename": {"x.A": "x.a"}}, '{"x":{"a":1,"b":2}}'),
        ('{"x":{"y":1}}', {"rename": {"x.y": "y"}}, '{"x":{},"y":1}'),
        ('{"x":{"y":1},"y":2}', {"rename": {"x.y": "y"}, "remove": ["y"]}, '{"x":{},"y":1}'),
        ('{"x":{"y":1}}', {"rename": {"x.y": "y"}, "remove": ["x"]}, '{"y":1}'),
        ('{"x":1}', {"rename": {"x": "p.q"}}, '{"p":{"q":1}}'),
        ('{"l":[{"A":1},{"A":2}]}', {"rename": {"l[*].A": "l[*].a"}}, '{"l":[{"a":1},{"a":2}]}'),
        ('{"X":{"A":1}}', {"rename": {"X.A": "X.a", "X": "x"}}, '{"x":{"a":1}}'),
        ('{"Aa Bb":1,"HTTPCode":2,"x":{"Y":1}}', {"keys": "snake_case"}, '{"aa_bb":1,"http_code":2,"x":{"Y":1}}'),
        ('{"A":1,"B":2}', {"keys": "lower", "rename": {"B": "Bee"}}, '{"a":1,"Bee":2}'),
        ('{"l":["abcdefgh"]}', {"mask": {"l[*]": "last4"}}, '{"l":["****efgh"]}'),
        ('{"p":{"a":"x","n":null,"l":[1]}}', {"mask": {"p": "redact"}}, '{"p":{"a":"[redacted]","n":null,"l":["[redacted]"]}}'),
        ('{"p":{"a":"x"}}', {"mask": {"p": "nullify"}}, '{"p":null}'),
        ('{"a":"1","b":"x"}', {"cast": {"a": "integer"}, "mask": {"a": "last4"}}, '{"a":"****","b":"x"}'),
        ('{"l":[{"n":"1.10"},{"n":2}]}', {"cast": {"l[*].n": "decimal"}}, '{"l":[{"n":1.10},{"n":2}]}'),
    ],
)  # fmt: skip
def test_fields_become(row, fields, made):
    assert run([row], fields=fields) == [made]


def test_what_nobody_names_keeps_its_bytes():
    (line,) = run([ROW], fields={"rename": {"Id": "id"}})
    assert line == ROW.replace("Id", "id").replace('", "a', '","a')


@pytest.mark.parametrize(
    ("value", "to", "made"),
    [
        ('"1.10"', "decimal", "1.10"),
        ("1.10", "decimal", "1.10"),
        ('" -.5 "', "decimal", "-0.5"),
        ('"1e3"', "decimal", "1E+3"),
        ("7", "decimal", "7"),
        ('"0.12345678901234567890"', "decimal", "0.12345678901234567890"),
        ('"42"', "integer", "42"),
        ('"007"', "integer", "7"),
        ("42.0", "integer", "42"),
        ("1e3", "integer", "1000"),
        ("true", "integer", "1"),
        ('"123456789012345678901234567890"', "integer", "123456789012345678901234567890"),
        ("1.10", "text", '"1.10"'),
        ("true", "text", '"true"'),
        ("12345678901234567890123", "text", '"12345678901234567890123"'),
        ('{"a":[1.10]}', "text", '"{\\"a\\":[1.10]}"'),
        ('"{\\"a\\":[1.10]}"', "json", '{"a":[1.10]}'),
        ("[1]", "json", "[1]"),
        ('"True"', "boolean", "true"),
        ("0", "boolean", "false"),
        ('"1"', "boolean", "true"),
        ('"2024-01-31"', "date", '"2024-01-31"'),
        ('"2024-01-31T12:00:00.5+02:00"', "timestamp", '"2024-01-31T10:00:00.500000Z"'),
        ('"2024-01-31 12:00:00"', "timestamp", '"2024-01-31T12:00:00Z"'),
        ('"2024-01-31"', "timestamp", '"2024-01-31T00:00:00Z"'),
        ('"2024-01-31T12:00:00.123456000Z"', "timestamp", '"2024-01-31T12:00:00.123456Z"'),
        ("1700000000", "epoch", '"2023-11-14T22:13:20Z"'),
        ('"1700000000.000001"', "epoch", '"2023-11-14T22:13:20.000001Z"'),
        ("1700000000123", "epoch_ms", '"2023-11-14T22:13:20.123000Z"'),
        ("null", "decimal", "null"),
    ],
)
def test_a_cast_is_exact(value, to, made):
    assert run([f'{{"v":{value}}}'], fields={"cast": {"v": to}}) == [f'{{"v":{made}}}']


@pytest.mark.parametrize(
    ("value", "to", "said"),
    [
        ('"1,234"', "decimal", "text is not a decimal"),
        ('"NaN"', "decimal", "text is not a decimal"),
        ('"Infinity"', "decimal", "text is not a decimal"),
        ('""', "decimal", "an empty text is not a decimal"),
        ("true", "decimal", "true or false is not a decimal"),
        ("[1]", "decimal", "a list is not a decimal"),
        ('"1.5"', "integer", "text is not an integer"),
        ("1.5", "integer", "a number is not an integer"),
        ("1e999999", "integer", "a number is not an integer"),
        ('"٣"', "integer", "text is not an integer"),
        ('"maybe"', "boolean", "text is not true or false"),
        ("2", "boolean", "a number is not true or false"),
        ("null", "boolean", None),
        ('"2024-01-31T00:00:01Z"', "date", "text is not a date such as 2024-01-31"),
        ('"31.01.2024"', "date", "text is not a date"),
        ("1700000000", "timestamp", "a number is not a time such as"),
        ('"2024-01-31T12:00:00.1234567Z"', "timestamp", "microseconds at most"),
        ('"yesterday"', "timestamp", "text is not a timestamp"),
        ('"1e999999"', "epoch", "text is not an epoch"),
        ("1e30", "epoch", "a number is not an epoch"),
        ("0.0000001", "epoch", "microseconds at most"),
        ('"{"', "json", "text is not the text of a JSON value"),
    ],
)
def test_a_cast_that_would_change_the_value_is_an_error(value, to, said):
    rows, fields = [f'{{"v":{value}}}'], {"cast": {"v": to}}
    if said is None:
        assert run(rows, fields=fields) == rows
        return
    message = refused(rows, fields=fields)
    assert message.startswith("s, row 1 of a page, fields.cast.v: ")
    assert said in message


def test_an_error_names_row_and_field_and_never_the_value():
    message = refused(['{"v":"1"}', '{"v":"S3CRET"}'], fields={"cast": {"v": "integer"}})
    assert message == "s, row 2 of a page, fields.cast.v: text is not an integer"
    message = refused(['{"a":"x"}'], fields={"add": {"b": "{{record.c}}"}})
    assert (
        message == 's, row 1 of a page, fields.add.b: "record.c" has no value; '
        "give one, or use default(...)"
    )


def test_the_same_values_mask_alike_and_short_ones_show_nothing():
    rows = ['{"v":"a@b.example"}', '{"v":"a@b.example"}', '{"v":1.10}', '{"v":null}', "{}"]
    first, second, number, null, absent = run(rows, fields={"mask": {"v": "sha256"}})
    assert first == second
    assert len(json.loads(first)["v"]) == len(json.loads(number)["v"]) == 64
    assert (null, absent) == ('{"v":null}', "{}")
    assert run(['{"v":"1234567"}'], fields={"mask": {"v": "last4"}}) == ['{"v":"****"}']


def test_a_mask_is_not_passed_over_where_a_list_stands():
    message = refused(['{"p":[{"e":"a@b.c"}]}'], fields={"mask": {"p.e": "sha256"}})
    assert "a list is on the way; write [*] after its key" in message
    (line,) = run(['{"p":{"e":"a@b.c"}}'], fields={"mask": {"p[*].e": "redact"}})
    assert line == '{"p":{"e":"[redacted]"}}'


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("{{record.s != 'draft'}}", [1, 3]),
        ("{{record.n > 1.05}}", [2, 3]),
        ("{{record.n == 1.0}}", [1]),
        ("{{record.s}}", [1, 2, 3]),
        ("{{record.t | default(false)}}", [3]),
        ("{{'t' in record}}", [3]),
        ("{{region == 'us'}}", []),
        ("{{item.id == 7 and stream is_here}}", None),
    ],
)
def test_where_keeps_rows(condition, kept):
    if kept is None:
        with pytest.raises(ValueError, match="not one expression"):
            stream(where=condition)
        return
    rows = [
        '{"i":1,"s":"x","n":1.00}',
        '{"i":2,"s":"draft","n":1.10}',
        '{"i":3,"s":"y","n":2,"t":1}',
    ]
    assert [json.loads(line)["i"] for line in run(rows, where=condition)] == kept


def test_where_and_fields_see_no_secret():
    assert '"secrets.token" has no value' in refused(["{}"], where="{{secrets.token}}")


@pytest.mark.parametrize(
    ("row", "expand", "made"),
    [
        ('{"i":1,"l":[{"a": 1.10},{"a":2}]}', "l", ['{"i":1,"l":{"a": 1.10}}', '{"i":1,"l":{"a":2}}']),
        ('{"l":[1,null]}', "l", ['{"l":1}', '{"l":null}']),
        ('{"i":1,"l":[]}', "l", []),
        ('{"i":1,"l":null}', "l", []),
        ('{"i":1,"l":[]}', {"path": "l", "keepEmpty": True}, ['{"i":1,"l":null}']),
        ('{"i":1}', {"path": "l", "keepEmpty": True}, ['{"i":1,"l":null}']),
        ('{"i":1,"l":{"a":1}}', "l", ['{"i":1,"l":{"a":1}}']),
        ('{"o":{"l":[1,2],"x":3}}', "o.l", ['{"o":{"l":1,"x":3}}', '{"o":{"l":2,"x":3}}']),
        ('{"o":[{"l":[1,2]},{"l":[3]}]}', ["o", "o.l"], ['{"o":{"l":1}}', '{"o":{"l":2}}', '{"o":{"l":3}}']),
        ('{"a":[1,2],"b":[3,4]}', ["a", "b"], ['{"a":1,"b":3}', '{"a":1,"b":4}', '{"a":2,"b":3}', '{"a":2,"b":4}']),
    ],
)  # fmt: skip
def test_expand_makes_a_row_of_each_element(row, expand, made):
    assert run([row], expand=expand) == made


def test_expanding_what_is_not_there_is_an_error_not_zero_rows():
    assert "expand l: the row has no such field; correct the path, or set keepEmpty" in refused(
        ['{"i":1}'], expand="l"
    )


def test_rows_of_one_list_do_not_share_what_is_changed_below():
    row = '{"o":{"l":[1,2],"c":{"e":"a@b.c"}}}'
    first, second = run([row], expand="o.l", fields={"mask": {"o.c.e": "sha256"}})
    assert json.loads(first)["o"]["c"] == json.loads(second)["o"]["c"]


def test_elements_are_filtered_and_lifted_out():
    row = '{"id":1,"lines":[{"sku":"a","n":1},{"sku":"b","n":0}]}'
    fields = {"rename": {"lines.sku": "sku"}, "remove": ["lines"]}
    assert run([row], expand="lines", where="{{record.lines.n > 0}}", fields=fields) == [
        '{"id":1,"sku":"a"}'
    ]


def test_a_page_cannot_be_expanded_without_bound(monkeypatch):
    monkeypatch.setattr(records, "MAX_ROWS", 100)
    row = json.dumps({"a": [1] * 11, "b": [1] * 11})
    assert "more than 100 rows" in refused([row], expand=["a", "b"], where="{{false}}")
    monkeypatch.setattr(records, "MAX_ROWS", 1000)
    monkeypatch.setattr(records, "MAX_BYTES", 1000)
    assert "more than 1,000 bytes" in refused([row], expand=["a", "b"])


@pytest.mark.parametrize(
    ("row", "fields", "said"),
    [
        ('{"a":1,"b":2}', {"rename": {"a": "b"}}, 'fields.rename: two fields come to the name "b"'),
        ('{"x":{"b":1},"b":2}', {"rename": {"x.b": "b"}}, 'fields.rename: there is a "b" already'),
        ('{"A":1,"a":2}', {"keys": "lower"}, 'two fields come to the name "a"'),
        ('{"a":1}', {"add": {"a.b": 1}}, 'fields.add.a.b: a number is on the way at "a"'),
        ('{"a":"x"}', {"add": {"b": "{{record.a - 1}}"}}, "fields.add.b: "),
    ],
)
def test_what_would_lose_a_field_is_an_error(row, fields, said):
    assert said in refused([row], fields=fields)


def test_a_field_that_no_row_has_is_noted_once_rows_have_come():
    fields = {"mask": {"emial": "sha256", "x": "redact"}, "rename": {"a": "b"}, "remove": ["c"]}
    transform = transform_of(stream(fields=fields))
    transform(b"", SCOPE)
    assert transform.notes == []
    transform(b'{"x":1}\n{"a":1}\n', SCOPE)
    assert transform.notes == [
        "fields.mask.emial: no row has this field",
        "fields.remove.c: no row has this field",
    ]


def test_every_cast_and_mask_that_a_spec_may_name_is_there():
    fields = Stream.model_fields["fields"].annotation.model_fields
    for name, table in (("cast", convert._CASTS), ("mask", convert._MASKS | {"nullify": None})):
        named = fields[name].annotation.__args__[1].__args__
        assert set(named) == set(table)


@given(st.dictionaries(st.text(max_size=5), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8), max_size=6))  # fmt: skip
def test_any_row_comes_through_with_every_value(row):
    line = msgspec.json.encode(row)
    transform = transform_of(stream(fields={"add": {"added_here": 1}}))
    out, _ = transform(line + b"\n", {})
    assert msgspec.json.decode(out) == {**row, "added_here": 1}


def test_a_key_is_split_into_its_words():
    assert [fields_by_path.STYLES["snake_case"](key) for key in ("createdAt", "ID", "a-b c", "X1Y", "__", "été")] == [
        "created_at", "id", "a_b_c", "x1_y", "__", "été",
    ]  # fmt: skip
