"""Days of a topic, backfilled by Dagster: each message is in the partition of its day, once."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import dagster as dg
import duckdb
import pytest

from connector_assets.assets.factory import build_definitions

CONNECTION = """
kind: connection
version: "1.0"
id: events
connector: kafka
config:
  brokers: ["{address}"]
  topics: {{days: {{topic: "{topic}"}}}}
streams:
  days: {{partitions: {{type: daily, start: "2026-01-01", end: "2026-01-05"}}}}
"""
DAYS = dg.AssetKey(["events", "days"])


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connections").mkdir()
    (tmp_path / "specs").mkdir()
    return tmp_path


def at(day, hour=12):
    return int(dt.datetime(2026, 1, day, hour, tzinfo=dt.UTC).timestamp() * 1000)


def filled(project, broker, topic):
    """Three days, two partitions of the topic, the first and last moment of a day among them."""
    broker.topic(topic, 2)
    for day in (1, 2, 3):
        broker.send(topic, b"%d" % day, timestamp=at(day, 0))
        broker.send(topic, b"%d" % day, timestamp=at(day + 1, 0) - 1, partition=1)
    text = CONNECTION.format(address=broker.address, topic=topic)
    (project / "connections" / "events.yaml").write_text(text)


def rows():
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        told = tables.sql(
            'select value, partition, "offset", strftime("timestamp", \'%d\') from events.days order by all'
        ).fetchall()
    return [(value, part, offset, int(day)) for value, part, offset, day in told]


ALL = {day: [(day, 0, day - 1, day), (day, 1, day - 1, day)] for day in (1, 2, 3)}


def test_two_days_are_backfilled_in_one_run_and_again(project, broker):
    filled(project, broker, "two_days")
    job = build_definitions().resolve_implicit_global_asset_job_def()
    tags = {
        "dagster/asset_partition_range_start": "2026-01-01",
        "dagster/asset_partition_range_end": "2026-01-02",
    }
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            done = job.execute_in_process(instance=instance, tags=tags, asset_selection=[DAYS])
            assert done.success
            assert rows() == [*ALL[1], *ALL[2]]
        found = instance.get_materialized_partitions(DAYS)
        assert found == {"2026-01-01", "2026-01-02"}
        done = job.execute_in_process(
            instance=instance, partition_key="2026-01-03", asset_selection=[DAYS]
        )
        (event,) = done.get_asset_materialization_events()
        assert event.partition == "2026-01-03"
        assert "cursor_after" not in event.materialization.metadata
        assert rows() == [*ALL[1], *ALL[2], *ALL[3]]


@pytest.mark.slow
def test_two_days_are_backfilled_in_a_process_of_dagsters(project, broker):
    filled(project, broker, "launched")
    home = project / "home"
    home.mkdir()
    environ = {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "dagster", "asset", "materialize"]
    command += ["-m", "connector_assets.definitions", "--select", "events/days"]
    chosen = ["--partition-range", "2026-01-02...2026-01-03"]
    done = subprocess.run([*command, *chosen], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert rows() == [*ALL[2], *ALL[3]]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_materialized_partitions(DAYS) == {"2026-01-02", "2026-01-03"}
