"""Write modes and schema policies, from the spec to the table."""

from __future__ import annotations

import pytest

from connector_assets.errors import LoadError, SpecError
from connector_assets.load.duckdb import DuckDBDestination
from connector_assets.spec.document import parse_connector
from tests.timeline import Project

SPEC = """
kind: connector
version: "1.0"
id: shop
displayName: Shop
auth: [{type: none}]
endpoints: [{id: items, url: https://api.example.com/items, responseRowsPath: rows}]
read:
  streams:
    - name: items
      primaryKey: [id]
      %s
"""


class Rows:
    def __init__(self, *rows):
        self.rows = list(rows)

    def __call__(self, path, query):
        return {"rows": self.rows}


def project(tmp_path, stream, *rows):
    return Project(tmp_path, SPEC % stream, Rows(*rows))


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
