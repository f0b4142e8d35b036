"""Plugins that come with the package: imported where a connection names one, and only there."""

from __future__ import annotations

import json
import sys

import pytest

from connector_assets.plugins import shipped as room
from connector_assets.plugins.shipped import Shipped
from tests.cli.conftest import cli  # noqa: F401 - a fixture

PLUGIN = """
from connector_assets import define_connector
connector = define_connector(
    id="queue", display_name="Queue", read=lambda ctx: [{"n": 1}], streams=["messages"]
)
"""
CONNECTION = 'kind: connection\nversion: "1.0"\nid: orders\nconnector: queue\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "queue_plugin.py").write_text(PLUGIN)
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "orders.yaml").write_text(CONNECTION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(room.SHIPPED, "queue", Shipped("queue_plugin", ("json",)))
    yield tmp_path
    sys.modules.pop("queue_plugin", None)


def test_a_connection_that_names_it_gets_it(project, cli):  # noqa: F811 - the fixture
    assert cli("load", "orders").code == 0
    assert json.loads(cli("read", "orders", "--format", "jsonl").out) == {"n": 1}


def test_where_none_names_it_it_is_not_imported(project, cli):  # noqa: F811 - the fixture
    (project / "connections" / "orders.yaml").unlink()
    assert json.loads(cli("list", "--json").out) == []
    assert "queue_plugin" not in sys.modules


def test_a_missing_library_says_which_extra_has_it(project, cli, monkeypatch):  # noqa: F811 - the fixture
    monkeypatch.setitem(room.SHIPPED, "queue", Shipped("queue_plugin", ("no_such_library",)))
    done = cli("read", "orders")
    assert 'connector: "queue" needs no_such_library; pip install "connector-assets[queue]"' in (
        done.err
    )
    assert "queue_plugin" not in sys.modules


def test_a_spec_of_the_projects_own_goes_before_it(project, cli):  # noqa: F811 - the fixture
    (project / "specs").mkdir()
    (project / "specs" / "queue.yaml").write_text(
        'kind: connector\nversion: "1.0"\nid: queue\ndisplayName: Own\n'
        'endpoints: [{id: items, url: "https://api.example.com/items"}]\nread: {primary: items}\n'
    )
    assert json.loads(cli("list", "--json").out)[0]["streams"] == ["items"]
    assert "queue_plugin" not in sys.modules


def test_every_shipped_plugin_is_there():
    """In whatever is installed here: its module, under its id."""
    for name, one in room.SHIPPED.items():
        assert name.isidentifier()
        assert one.module.startswith("connector_assets.plugins.")
        assert room.shipped(name).id == name
