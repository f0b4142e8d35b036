"""A plugin's streams in partitions: each reads its window or its item, and replaces its part alone."""

from __future__ import annotations

import sys

import duckdb
import pytest

from connector_assets.plugins.registry import connector_registry
from tests.cli.conftest import cli, project  # noqa: F401 - fixtures

MODULE = """
from connector_assets import connector_registry, define_connector

def read(ctx):
    if ctx.window:
        yield {"id": 1, "day": ctx.window.start.date().isoformat(), "to": ctx.window.end.isoformat()}
    for region in ctx.stream.for_each:
        for value in region.values:
            yield {"id": 2, "region": str(value), "key": ctx.partition}
    ctx.position = "moved"

connector_registry.register_plugin(define_connector(
    id="parts", display_name="Parts", read=read,
    streams=[
        {"name": "days", "primaryKey": ["id"], "writeMode": "merge",
         "incremental": {"cursorField": "day"}},
        {"name": "regions", "forEach": [{"as": "region", "values": ["eu", "us"]}]},
        "plain",
    ],
))
"""
CONNECTION = """
kind: connection
version: "1.0"
id: mine
connector: parts
streams:
  days: {partitions: {type: daily, start: "2024-01-01", end: "2024-01-04"}}
  regions: {partitions: {type: each, of: region}}
"""


@pytest.fixture
def parts(project, monkeypatch):  # noqa: F811 - the fixture
    (project / "parts_plugin.py").write_text(MODULE)
    (project / "connections").mkdir()
    (project / "connections" / "mine.yaml").write_text(CONNECTION)
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setenv("CONNECTOR_ASSETS_PLUGINS", "parts_plugin")
    monkeypatch.delitem(sys.modules, "parts_plugin", raising=False)
    yield project
    connector_registry.unregister("parts")


def rows(sql):
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        return tables.sql(sql).fetchall()


def test_a_partition_of_time_reads_its_window(cli, parts):  # noqa: F811 - the fixture
    assert cli("load", "mine", "days", "--partition", "2024-01-02").code == 0
    found = rows('select cast(day as varchar), cast("to" as varchar) from mine.days')
    assert [(day, end[:10]) for day, end in found] == [("2024-01-02", "2024-01-03")]
    done = cli("load", "mine", "days", "--partition", "2024-02-02")
    assert '"2024-02-02" is not a daily partition' in done.err


def test_a_partition_of_a_list_reads_its_item(cli, parts):  # noqa: F811 - the fixture
    for key in ("us", "eu", "us"):
        assert cli("load", "mine", "regions", "--partition", key).code == 0
    assert rows("select region, key from mine.regions order by 1") == [("eu", "eu"), ("us", "us")]


def test_a_stream_that_says_nothing_of_time_cannot_be_partitioned_by_it(cli, parts):  # noqa: F811 - the fixture
    text = CONNECTION.replace("  regions: {partitions: {type: each, of: region}}\n", "").replace(
        "days:", "plain:"
    )
    (parts / "connections" / "mine.yaml").write_text(text)
    done = cli("load", "mine")
    assert done.code == 1
    assert "needs a stream with incremental" in done.err
