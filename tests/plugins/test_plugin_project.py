"""A plugin on the command line, beside a spec: listed, checked, read and loaded like one."""

from __future__ import annotations

import json

import duckdb
import pytest

from connector_assets.plugins.registry import connector_registry
from tests.cli.conftest import SECRET, api, cli, project, shop_project  # noqa: F401 - fixtures

MODULE = """
from pydantic import BaseModel, SecretStr
from connector_assets import Check, connector_registry, define_connector

class Config(BaseModel):
    count: int
    password: SecretStr

def read(ctx):
    for n in range(ctx.config.count):
        yield {"n": n, "of": ctx.stream.name, "cost": 1.5, "tags": ["a", None]}

def test_connection(config):
    return Check(config.password.get_secret_value() == "tok-5f1c9a/42", "the password is checked")

connector_registry.register_plugin(define_connector(
    id="numbers", display_name="Numbers", config_schema=Config, read=read,
    streams=["small", {"name": "large", "primaryKey": ["n"]}], test_connection=test_connection,
))
"""


@pytest.fixture
def numbers(shop_project, monkeypatch):  # noqa: F811 - the fixture
    (shop_project / "numbers_plugin.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(shop_project))
    monkeypatch.setenv("CONNECTOR_ASSETS_PLUGINS", "numbers_plugin")
    monkeypatch.setenv("NUMBERS__COUNT", "1200")
    monkeypatch.setenv("NUMBERS__PASSWORD", SECRET)
    monkeypatch.delitem(__import__("sys").modules, "numbers_plugin", raising=False)
    yield shop_project
    connector_registry.unregister("numbers")


def test_it_is_listed_beside_specs(cli, numbers, monkeypatch):  # noqa: F811 - the fixture
    monkeypatch.delenv("NUMBERS__COUNT")
    shown = {one["id"]: one for one in json.loads(cli("list", "--json").out)}
    assert shown["numbers"] == {
        "id": "numbers",
        "connector": "numbers",
        "displayName": "Numbers",
        "source": None,
        "streams": ["small", "large"],
        "sendsTo": [],
        "reads": ["NUMBERS__COUNT", "NUMBERS__PASSWORD"],
        "set": ["NUMBERS__PASSWORD"],
        "missing": ["NUMBERS__COUNT"],
    }
    assert shown["shop"]["streams"] == ["items", "orders"]


def test_it_is_checked_read_and_loaded(cli, numbers):  # noqa: F811 - the fixture
    assert cli("check", "numbers").out == (
        "numbers: reads NUMBERS__COUNT, NUMBERS__PASSWORD\nnumbers: ok, the password is checked\n"
    )
    done = cli("read", "numbers", "large", "--format", "jsonl")
    assert len(done.out.splitlines()) == 1200
    assert json.loads(done.out.splitlines()[7]) == {
        "n": 7,
        "of": "large",
        "cost": 1.5,
        "tags": ["a", None],
    }
    assert cli("load", "numbers").code == 0
    assert cli("load", "shop", "items").code == 0
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        sql = "select (select count(*) from numbers.large), (select count(*) from shop.items)"
        assert tables.sql(sql).fetchall() == [(1200, 12)]


COUNTING = """
from connector_assets import connector_registry, define_connector

def read(ctx):
    before = ctx.cursor or 0
    for n in range(before, before + 3):
        yield {"n": n}
        ctx.position = n + 1

connector_registry.register_plugin(define_connector(
    id="numbers", display_name="Counting", read=read,
    streams=[{"name": "small", "writeMode": "append"}],
))
"""


def test_it_goes_on_from_the_position_stored_with_its_table(cli, numbers):  # noqa: F811 - the fixture
    (numbers / "numbers_plugin.py").write_text(COUNTING)
    for rows in (3, 6, 9):
        assert f"now has {rows} rows" in cli("load", "numbers").out
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        found = tables.sql("select n from numbers.small order by n").fetchall()
    assert found == [(n,) for n in range(9)]


SAYING = """
from connector_assets import connector_registry, define_connector

def read(ctx):
    ctx.log.info("first %s", "look")
    ctx.log.debug("every byte")
    yield {"n": 1}

connector_registry.register_plugin(define_connector(id="numbers", display_name="Says", read=read))
"""


def test_what_it_says_stands_on_stderr(cli, numbers):  # noqa: F811 - the fixture
    (numbers / "numbers_plugin.py").write_text(SAYING)
    assert "numbers.numbers: info: first look\n" in cli("load", "numbers").err
    said = cli("read", "numbers").err
    assert "numbers: info: first look\n" in said
    assert "every byte" not in said


def test_its_connection_document_is_checked_against_its_model(cli, numbers):  # noqa: F811 - the fixture
    (numbers / "connections").mkdir()
    (numbers / "connections" / "few.yaml").write_text(
        'kind: connection\nversion: "1.0"\nid: few\nconnector: numbers\n'
        "config: {count: 3, cuont: 4}\nsecrets: {password: {env: NUMBERS__PASSWORD}}\n"
    )
    done = cli("read", "few", "small")
    assert done.code == 1
    assert done.err == 'few: config: "cuont" is not known; did you mean "count"?\n'
    text = (numbers / "connections" / "few.yaml").read_text()
    (numbers / "connections" / "few.yaml").write_text(text.replace(", cuont: 4", ""))
    assert len(cli("read", "few", "small", "--format", "jsonl").out.splitlines()) == 3


def test_a_module_that_is_not_there_is_one_line(cli, numbers, monkeypatch):  # noqa: F811 - the fixture
    monkeypatch.setenv("CONNECTOR_ASSETS_PLUGINS", "not_there")
    told = 'CONNECTOR_ASSETS_PLUGINS: not_there: module "not_there" is not found'
    done = cli("list", "--json")
    assert told in json.loads(done.out)[-1]["faults"][0]
    assert json.loads(done.out)[0]["id"] == "shop"
    assert told in cli("load", "numbers").err
    assert cli("load", "shop", "items").code == 0
