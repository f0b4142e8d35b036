"""Kafka in Dagster: topics that are discovered, what a materialization shows, and the sensor of lag."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest

from connector_assets.assets.factory import build_definitions
from connector_assets.assets.resources import ResourceKeys
from connector_assets.assets.settings import settings
from connector_assets.authoring.spec_reference import of_plugin
from connector_assets.plugins.kafka.config import KafkaConfig
from connector_assets.spec.checks.jsonschema import schema_of
from tests.docs.pages import ROOT

CONNECTION = """
kind: connection
version: "1.0"
id: events
connector: kafka
config:
  brokers: ["{address}"]
{more}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connections").mkdir()
    (tmp_path / "specs").mkdir()
    return tmp_path


def write(project, broker, more=""):
    path = project / "connections" / "events.yaml"
    path.write_text(CONNECTION.format(address=broker.address, more=more))
    return path


def tick(definitions, instance):
    """What the sensor asks for, and why."""
    (sensor,) = definitions.sensors
    key = ResourceKeys.of(settings()).http
    with dg.build_sensor_context(
        instance=instance, resources={key: definitions.resources[key]}, definitions=definitions
    ) as context:
        told = sensor.evaluate_tick(context)
    (request,) = told.run_requests or [None]
    if request is None:
        return told.skip_message
    keys = sorted(key.to_user_string() for key in request.asset_selection)
    return keys, request.tags["connector_assets/why"]


def test_a_sensor_asks_for_what_is_behind_and_the_asset_shows_its_lag(project, broker):
    broker.topic("behind", 2)
    broker.topic("level")
    broker.send("behind", b"1", b"2", b"3")
    more = "  maxMessages: 4\n  topics: {behind: {}, level: {}}\nwatch: PT1M"
    write(project, broker, more)
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = build_definitions()
        assert tick(definitions, instance)[0] == ["events/behind", "events/level"]
        job = definitions.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(instance=instance)
        told = {
            event.asset_key.path[-1]: event.materialization.metadata
            for event in done.get_asset_materialization_events()
        }
        assert told["behind"]["lag"].value == 0
        assert told["behind"]["next_offsets"].value == {"behind": {"0": 3, "1": 0}}
        assert told["behind"]["cursor_after"].value["behind"]["next"] == {"0": 3, "1": 0}
        assert tick(definitions, instance) == "behind: 0 messages behind; level: 0 messages behind"
        broker.send("behind", b"4", b"5", partition=1)
        keys, why = tick(definitions, instance)
        assert (keys, "behind: 2 messages behind" in why) == (["events/behind"], True)
        # More than one load takes: the rest is behind still, though the load was the last to look.
        broker.send("behind", *[b"6"] * 5)
        job.execute_in_process(instance=instance)
        assert tick(definitions, instance)[0] == ["events/behind"]
        job.execute_in_process(instance=instance)
        assert "behind: 0 messages" in tick(definitions, instance)


def run(*words):
    command = [sys.executable, "-m", "connector_assets.cli", *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_topics_are_discovered_where_none_are_named(project, broker):
    broker.topic("shop.found-1")
    broker.send("shop.found-1", b"1")
    path = write(project, broker)
    refused = run("load", str(path), "shop.found-1")
    assert "run connector-assets discover" in refused.stderr
    found = run("discover", str(path))
    assert found.returncode == 0, found.stderr
    assert "shop.found-1" in found.stdout
    assert "__consumer_offsets" not in found.stdout
    loaded = run("load", str(path), "shop.found-1")
    assert "events.shop_found_1" in loaded.stdout, loaded.stderr
    # Topics that are named need no discovery, and nothing waits for one.
    write(project, broker, "  topics: {one: {topic: shop.found-1}}")
    assert {key.path[-1] for key in build_definitions().resolve_all_asset_keys()} >= {"one"}
    assert "not_discovered" not in str(build_definitions().resolve_all_asset_keys())


def test_the_reference_says_what_each_key_is_and_is_as_it_is_made():
    assert (ROOT / "docs" / "reference" / "kafka.md").read_text() == of_plugin("kafka")
    schema = schema_of(KafkaConfig)
    for model in (schema, *schema["$defs"].values()):
        for name, told in model.get("properties", {}).items():
            assert told.get("description"), name
