"""Write modes and schema policies, from the spec to the table."""

from __future__ import annotations

import pytest

from connector_assets.errors import LoadError, ResponseError, SpecError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.runtime.rows.tombstones import marked
from connector_assets.spec.document import parse_connector
from connector_assets.spec.templates.template import Template
from tests.one_stream import SPEC, Rows, project
from tests.timeline import Project


def test_a_tombstone_deletes_its_key_and_is_no_column(tmp_path):
    shop = project(
        tmp_path,
        "writeMode: merge\n      deletedWhen: \"{{ record.state == 'gone' }}\"",
        {"id": 1, "state": "on"},
        {"id": 2, "state": "on"},
    )
    shop.load("items")
    shop.answer.rows = [{"id": 1, "state": "gone"}, {"id": 3, "state": "on"}]
    shop.load("items")
    assert shop.table("select * from shop.items order by id") == [(2, "on"), (3, "on")]


ROW_ON = {"id": 1, "isOn": True, "gone": False}
GONE = 'writeMode: merge\n      deletedWhen: "{{ record.gone }}"'


@pytest.mark.parametrize("number", ["1e400", "9" * 5000])
def test_a_number_that_nothing_reads_is_no_matter_of_tombstones(number):
    row = b'{"id":1,"gone":true,"v":%b}' % number.encode()
    found = marked(row + b"\n", Template("{{ record.gone }}"), {})
    assert found == row[:-1] + b',"_connector_assets_deleted":true}\n'
    if number.isdigit():
        with pytest.raises(ResponseError, match="row 8 of a page: a number is too long"):
            marked(row + b"\n", Template("{{ record.v > 1 }}"), {}, 7)


@pytest.mark.parametrize("key", ["_connector_assets_deleted", "_Connector_Assets_Deleted"])
@pytest.mark.parametrize("more", ["", "\n      fields: {keys: lower}"])
def test_a_server_cannot_set_our_mark(tmp_path, key, more):
    shop = project(tmp_path, GONE + more, {"id": 1, "gone": False, key: True})
    with pytest.raises(ResponseError, match=r"row 1 of a page: .* our own mark; have the field"):
        shop.load("items")


def test_keys_in_another_style_leave_the_mark_as_it_is(tmp_path):
    shop = project(tmp_path, GONE + "\n      fields: {keys: snake_case}", ROW_ON)
    shop.load("items")
    shop.answer.rows = [{**ROW_ON, "gone": True}]
    assert shop.load("items").loaded.rows == 0
    assert shop.table("select * from shop.items") == []


def test_every_version_of_a_row_is_kept(tmp_path):
    shop = project(tmp_path, "writeMode: scd2", {"id": 1, "v": "a"}, {"id": 2, "v": "a"})
    shop.load("items")
    shop.answer.rows = [{"id": 1, "v": "b"}, {"id": 2, "v": "a"}]
    shop.load("items")
    found = shop.table("select id, v from shop.items order by id, v")
    assert found == [(1, "a"), (1, "b"), (2, "a")]


def test_a_full_load_keeps_the_versions(tmp_path):
    shop = project(tmp_path, "writeMode: scd2", {"id": 1, "v": "a"}, {"id": 2, "v": "a"})
    shop.load("items")
    shop.answer.rows = [{"id": 1, "v": "b"}]
    shop.load("items", full=True)
    versions = "select id, v, _valid_from is null, _valid_to is null from shop.items order by id, v"
    after = [(1, "a", False, False), (1, "b", False, True), (2, "a", False, False)]
    assert shop.table(versions) == after
    shop.load("items")
    assert shop.table(versions) == after


def test_a_frozen_table_refuses_a_new_column_and_stays(tmp_path):
    shop = project(tmp_path, "schemaPolicy: freeze", {"id": 1})
    shop.load("items")
    shop.answer.rows = [{"id": 1, "extra": 1}]
    with pytest.raises(LoadError, match="extra"):
        shop.load("items")
    assert shop.table("select * from shop.items") == [(1,)]


def test_a_key_with_odd_characters_stands_in_quotes(tmp_path):
    quoted = "columns: {'\"@id\"': varchar}\n      fields: {cast: {'\"@sum\"': decimal}}"
    text = (SPEC % quoted).replace("[id]", "['\"@id\"', 'a.\"@b\"']")
    row = {"@id": 5, "@sum": "1.50", "a": {"@b": 1}}
    shop = Project(tmp_path, text, Rows(row, {**row, "@sum": 2}))
    shop.load("items")
    found = shop.table("describe shop.items")
    types = {"@id": "VARCHAR", "@sum": "DECIMAL(38,9)", 'a."@b"': "BIGINT"}
    assert {name: type_ for name, type_, *_ in found if name != "a"} == types
    assert shop.table('select "@id", "@sum" from shop.items') == [("5", 2)]


def test_unfit_rows_are_set_aside_and_counted(tmp_path):
    shop = project(tmp_path, "schemaPolicy: quarantine", {"id": 1, "n": 1})
    shop.load("items")
    shop.answer.rows = [{"id": 1, "n": 2}, {"id": 2, "n": "many"}]
    assert shop.load("items").loaded.rejected == 1
    assert shop.table("select id, n from shop.items") == [(1, 2)]
    assert shop.table("select count(*) from shop.items__rejected") == [(1,)]


@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ('deletedWhen: "{{ record.gone }}"', "read.streams.0.deletedWhen"),
        ("schemaPolicy: lenient", "read.streams.0.schemaPolicy"),
        ("writeMode: upsert", "read.streams.0.writeMode"),
    ],
)
def test_modes_that_cannot_be_are_refused(stream, path):
    with pytest.raises(SpecError) as raised:
        parse_connector(SPEC % stream)
    assert [fault.path for fault in raised.value.faults] == [path]


def test_a_file_may_be_called_like_the_connector(tmp_path):
    shop = project(tmp_path, "schemaPolicy: quarantine", {"id": 1})
    shop.destination = DuckDBDestination(tmp_path / "shop.duckdb")
    shop.load("items")
    assert shop.load("items").loaded.rows == 1
    assert shop.table("select * from shop.shop.items") == [(1,)]
