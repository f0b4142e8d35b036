"""A database through the front door: found, kept in a lock file, checked, loaded by parts."""

from __future__ import annotations

import re
import sqlite3

import duckdb
import pytest

from connector_assets.plugins.sql.settings import QuerySettings, SqlSettings, TableSettings
from tests.cli.conftest import cli  # noqa: F401 - a fixture
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "sql-databases.md"
CONNECTION = """
kind: connection
version: "1.0"
id: shop
connector: sql
config:
  uri: sqlite:///shop.db
  tables: {orders: {cursor: updated}}
  queries:
    per_day:
      sql: select date(updated) as day, count(*) as orders from orders group by 1 -- all of them
      primaryKey: [day]
streams:
  orders: {partitions: {type: daily, start: "2024-01-01"}}
  per_day:
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.executescript("""
            create table orders (id integer primary key, updated datetime);
            insert into orders values (1, '2024-01-01 00:00:00'), (2, '2024-01-01 23:59:59'),
              (3, '2024-01-02 00:00:00'), (4, '2024-01-03')""")
    database.close()
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "shop.yaml").write_text(CONNECTION)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_database_is_discovered_checked_and_loaded(project, cli):  # noqa: F811 - the fixture
    before = cli("load", "shop", "per_day")
    assert "its streams are not discovered yet; run connector-assets discover" in before.err
    assert cli("discover", "shop").code == 0
    assert '"name": "orders"' in (project / "connections" / "sql.lock.yaml").read_text()
    assert cli("discover", "shop", "--check").code == 0
    assert "1 table and 1 query can be read" in cli("check", "shop").out
    for given in (
        ["per_day"],
        ["orders", "--partition", "2024-01-01"],
        ["orders", "--partition", "2024-01-02"],
    ):
        done = cli("load", "shop", *given, "--to", "duckdb:///out.duckdb")
        assert done.code == 0, done.err
    with duckdb.connect("out.duckdb") as tables:
        assert tables.execute("select id from shop.orders order by 1").fetchall() == [
            (1,),
            (2,),
            (3,),
        ]
        assert tables.execute("select sum(orders) from shop.per_day").fetchall() == [(4,)]


def test_a_new_table_makes_the_lock_file_out_of_date(project, cli):  # noqa: F811 - the fixture
    cli("discover", "shop")
    with sqlite3.connect(project / "shop.db") as database:
        database.execute("create table more (id integer primary key)")
    database.close()
    late = cli("discover", "shop", "--check")
    assert (late.code, "more" in late.out) == (1, True)


def test_the_page_shows_settings_that_are_valid_and_leaves_none_out():
    import yaml

    shown = [one for one in blocks(PAGE, "yaml") if "config:" in one.text]
    assert len(shown) == 3
    for block in shown:
        SqlSettings.model_validate(yaml.safe_load(block.text)["config"])
    told = set(re.findall(r"`(\w+)", PAGE.read_text("utf-8")))
    for model in (SqlSettings, TableSettings, QuerySettings):
        names = {field.alias or name for name, field in model.model_fields.items()}
        assert names <= told
