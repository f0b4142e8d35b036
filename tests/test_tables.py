"""What a spec and a connection say of a table besides its rows, from the document to the store."""

from __future__ import annotations

import pytest

from connector_assets.errors import ResponseError, SpecError
from connector_assets.spec.document import parse_connection, parse_connector
from connector_assets.spec.stream.asset_settings import filled_table
from tests.one_stream import SPEC, project


def test_a_table_is_called_as_the_stream_says(tmp_path):
    shop = project(tmp_path, "table: things\n      schemaPolicy: quarantine", {"id": 1})
    shop.load("items")
    assert shop.table("select * from shop.things") == [(1,)]
    assert shop.table("select count(*) from shop.things__rejected") == [(0,)]


def test_descriptions_and_constraints_reach_the_table(tmp_path):
    said = (
        "description: All that is sold\n      indexes: [name, [name, id]]\n"
        "      keyConstraint: true\n"
        "      columns: {name: {description: What it is called, notNull: true}}"
    )
    shop = project(tmp_path, said, {"id": 1, "name": "a"})
    shop.load("items")
    shop.load("items")
    columns = (
        "select column_name, comment, is_nullable from duckdb_columns() where schema_name = 'shop'"
    )
    assert shop.table(columns) == [
        ("id", None, False),
        ("name", "What it is called", False),
    ]
    assert shop.table("select comment from duckdb_tables() where schema_name = 'shop'") == [
        ("All that is sold",)
    ]
    indexes = "select index_name from duckdb_indexes() order by 1"
    assert shop.table(indexes) == [("items_name_id_idx",), ("items_name_idx",)]


@pytest.mark.parametrize(
    ("stream", "connection", "settings", "name"),
    [
        ("", "", "", "items"),
        ("table: things", "", "", "things"),
        ("", 'table: "eu_{{stream}}"', "", "eu_items"),
        ("table: things", 'table: "{{connection}}_{{stream}}"', "", "crm_things"),
        ("table: things", 'table: "eu_{{stream}}"', "{table: mine}", "mine"),
    ],
)
def test_a_connection_has_the_last_word_on_names(stream, connection, settings, name):
    (own,) = parse_connector(SPEC % stream).read.streams
    document = parse_connection(
        "kind: connection\nversion: '1.0'\nid: crm\nconnector: shop\n"
        f"{connection}\nstreams: {{items: {settings}}}"
    )
    assert document.overridden(own).table_name == name


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("table: a-b", "letters, digits and underscores"),
        ("table: ''", "letters, digits and underscores"),
        ("columns: {a: {notNull: perhaps}}", "notNull"),
        ("indexes: [{columns: [], unique: true}]", "indexes"),
        ("keyConstraint: true\n      writeMode: append", "keeps a key many times"),
        ("fields: {flatten: 0}", "flatten"),
        ("fields: {flatten: 99}", "flatten"),
    ],
)
def test_what_a_document_cannot_say_is_a_fault(said, fault):
    with pytest.raises(SpecError, match=fault):
        parse_connector(SPEC % said)


@pytest.mark.parametrize(
    ("one", "other"),
    [("things", "things"), ("Things", "things"), ("other", ""), ("a__rejected", "a")],
)
def test_two_streams_share_no_table(one, other):
    policy = ", schemaPolicy: quarantine" if other == "a" else ""
    second = (
        f"    - {{name: other, endpoint: items{f', table: {other}' if other else ''}{policy}}}\n"
    )
    text = (SPEC % f"table: {one}").rstrip() + "\n" + second
    with pytest.raises(SpecError, match="choose another"):
        parse_connector(text)


@pytest.mark.parametrize("pattern", ["a b", "{{what}}", "a.{{stream}}", ""])
def test_a_pattern_is_a_name_with_what_it_may_read(pattern):
    with pytest.raises(SpecError, match="table"):
        parse_connection(
            f"kind: connection\nversion: '1.0'\nid: crm\nconnector: shop\ntable: '{pattern}'"
        )


def test_names_are_made_safe():
    assert filled_table("{{connection}}_{{stream}}", connection="a", stream="b.c") == "a_b.c"


# Nested objects as columns


@pytest.mark.parametrize(
    ("levels", "row"),
    [
        (1, {"id": 1, "a__b": 1, "a__c": {"d": {"e": [{"f": 2}]}}}),
        (2, {"id": 1, "a__b": 1, "a__c__d": {"e": [{"f": 2}]}}),
        (9, {"id": 1, "a__b": 1, "a__c__d__e": [{"f": 2}]}),
    ],
)
def test_objects_move_up_by_so_many_levels(tmp_path, levels, row):
    nested = {"id": 1, "a": {"b": 1, "c": {"d": {"e": [{"f": 2}]}}}}
    shop = project(tmp_path, f"fields: {{flatten: {levels}}}", nested)
    shop.load("items")
    names = (
        "select column_name from duckdb_columns() where schema_name = 'shop' order by column_index"
    )
    assert [name for (name,) in shop.table(names)] == list(row)


def test_columns_are_declared_by_their_flat_names(tmp_path):
    said = "fields: {flatten: 1}\n      columns: {a__b: {type: text, notNull: true}}"
    shop = project(tmp_path, said, {"id": 1, "a": {"b": 7}})
    shop.load("items")
    assert shop.table("select a__b from shop.items") == [("7",)]


def test_a_name_that_is_there_already_is_an_error(tmp_path):
    shop = project(tmp_path, "fields: {flatten: 1}", {"id": 1, "a": {"b": 7}, "a__b": 8})
    with pytest.raises(ResponseError, match='there is a "a__b" already; rename or remove'):
        shop.load("items")


@pytest.mark.parametrize(
    ("levels", "path", "name"),
    [(1, "a.b", "a__b"), (1, "a.b.c", "a__b.c"), (2, "a.b.c", "a__b__c"), (2, "a", "a")],
)
def test_paths_are_told_what_the_table_calls_them(levels, path, name):
    (stream,) = parse_connector(SPEC % f"fields: {{flatten: {levels}}}").read.streams
    assert stream.fields.own_name(path) == name


def test_a_run_notes_the_values_that_it_left_out(tmp_path):
    said = "onMisfit: drop\n      columns: {n: bigint}"
    shop = project(tmp_path, said, {"id": 1, "n": "x"}, {"id": 2, "n": 2})
    synced = shop.load("items")
    assert shop.table("select n from shop.items order by id") == [(None,), (2,)]
    assert 'column "n": 1 value left out that did not fit' in synced.stats.notes
    assert synced.loaded.dropped == {"n": 1}
