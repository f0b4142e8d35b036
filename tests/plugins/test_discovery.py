"""Streams that a plugin's source lists: kept in a lock file, as those of a spec are."""

from __future__ import annotations

import json
import sys

import duckdb
import pytest

from connector_assets.errors import SpecError
from connector_assets.plugins.define import define_connector
from connector_assets.plugins.registry import connector_registry
from connector_assets.plugins.streams import listed
from tests.cli.conftest import cli, project  # noqa: F401 - fixtures

MODULE = """
import json
from pathlib import Path
from connector_assets import connector_registry, define_connector

def discover(ctx):
    assert ctx.secrets["key"] == "k-9f3a-77"
    yield from json.loads(Path("tables.json").read_text())

def read(ctx):
    yield {"id": 1, "of": ctx.vars.get("table", ctx.stream.name)}

connector_registry.register_plugin(define_connector(
    id="store", display_name="Store", read=read, discover=discover, secrets=["key"],
))
"""
TABLES = [
    {
        "name": "orders",
        "primaryKey": ["id"],
        "columns": {"id": {"type": "bigint", "description": "Number"}},
        "description": "What was sold",
        "vars": {"table": "sales.orders"},
    },
    {"name": "Orders 2024/EU", "vars": {"table": "Orders 2024/EU"}},
]


@pytest.fixture
def store(project, monkeypatch):  # noqa: F811 - the fixture
    (project / "store_plugin.py").write_text(MODULE)
    (project / "tables.json").write_text(json.dumps(TABLES))
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setenv("CONNECTOR_ASSETS_PLUGINS", "store_plugin")
    monkeypatch.setenv("STORE__KEY", "k-9f3a-77")
    monkeypatch.delitem(sys.modules, "store_plugin", raising=False)
    yield project
    connector_registry.unregister("store")


def test_they_are_discovered_listed_and_loaded(cli, store):  # noqa: F811 - the fixture
    assert "its streams are not discovered yet" in cli("load", "store").err
    done = cli("discover", "store")
    assert done.code == 0
    lock = (store / "specs" / "store.lock.yaml").read_text()
    assert '{"name": "Orders_2024_EU", "vars": {"table": "Orders 2024/EU"}}' in lock
    assert "What was sold" in lock
    assert json.loads(cli("list", "--json").out)[0]["streams"] == ["Orders_2024_EU", "orders"]
    assert cli("load", "store").code == 0
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        sql = "select of from store.orders union all select of from store.orders_2024_eu order by 1"
        assert tables.sql(sql).fetchall() == [("Orders 2024/EU",), ("sales.orders",)]
        comment = "select comment from duckdb_columns() where column_name = 'id' and comment <> ''"
        assert tables.sql(comment).fetchall() == [("Number",)]
    assert cli("discover", "store", "--check").code == 0
    (store / "tables.json").write_text(json.dumps(TABLES[:1]))
    gone = cli("discover", "store", "--check")
    assert (gone.code, gone.out[:28]) == (1, '- {"name": "Orders_2024_EU",')


def test_those_of_a_connection_stand_beside_it(cli, store):  # noqa: F811 - the fixture
    (store / "connections").mkdir()
    (store / "connections" / "mine.yaml").write_text(
        'kind: connection\nversion: "1.0"\nid: mine\nconnector: store\n'
        "secrets: {key: {env: STORE__KEY}}\nstreams: [orders]\n"
    )
    assert cli("discover", "mine").code == 0
    assert (store / "connections" / "store.lock.yaml").exists()
    assert json.loads(cli("list", "--json").out)[0]["streams"] == ["orders"]
    assert cli("load", "mine").code == 0


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ([{"vars": {}}], "discover.0.name: is required: what the source calls it"),
        (["Orders 2024"], "discover: streams.Orders 2024: cannot be a stream's name; say which"),
        ([{"name": "a", "primarykey": []}], "discover: streams.a.primarykey: is not a known key"),
        ([{"name": "a", "fields": {}}], "discover: streams.a.fields: is for connectors in YAML"),
    ],
)
def test_what_is_listed_wrongly_is_told_by_name(found, fault):
    with pytest.raises(SpecError) as raised:
        list(listed("store", found))
    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"name": "a", "vars": {"x": "{{secrets.key}}"}}, 'vars.x holds "{{"'),
        ({"name": "a", "description": "k-9f3a-77"}, 'what is told of "a" holds a secret of ours'),
        ({"name": "a", "vars": {"x": [1]}}, "vars.x"),
    ],
)
def test_what_no_lock_file_may_hold_is_refused(cli, store, table, wrong):  # noqa: F811 - the fixture
    (store / "tables.json").write_text(json.dumps([table]))
    done = cli("discover", "store")
    assert done.code == 1
    assert wrong in done.err
    assert not (store / "specs" / "store.lock.yaml").exists()


def test_fixed_streams_stay_beside_those_that_are_listed():
    plugin = define_connector(
        id="store",
        display_name="Store",
        read=lambda ctx: [],
        streams=["fixed"],
        discover=lambda ctx: [],
    )
    assert [one.name for one in plugin.streams()] == ["fixed"]
    assert plugin.discovers
