"""The asset check `lag`, which the plugin's own asset factory adds where a connection says `maxLag`."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import dagster as dg
import pytest

from connector_assets.assets.factory import build_definitions
from tests.docs.pages import ROOT

HOW_TO = ROOT / "docs" / "how-to" / "kafka.md"
CONNECTION = """
kind: connection
version: "1.0"
id: events
connector: kafka
config:
  brokers: ["{address}"]
  timeoutS: {patience}
{more}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connections").mkdir()
    (tmp_path / "specs").mkdir()
    return tmp_path


def write(project, address, more, patience=30):
    (project / "connections" / "events.yaml").write_text(
        CONNECTION.format(address=address, more=more, patience=patience)
    )


def key(stream):
    return dg.AssetCheckKey(dg.AssetKey(["events", stream]), "lag")


def checks(definitions):
    """The streams that have the check."""
    found = definitions.resolve_asset_graph().asset_check_keys
    return {one.asset_key.path[-1] for one in found if one.name == "lag"}


def load(instance, stream):
    asset = dg.AssetSelection.assets(dg.AssetKey(["events", stream]))
    return run(instance, asset.without_checks())


def run(instance, selection):
    job = dg.define_asset_job("asked", selection)
    definitions = dg.Definitions.merge(build_definitions(), dg.Definitions(jobs=[job]))
    return definitions.resolve_job_def("asked").execute_in_process(
        instance=instance, raise_on_error=False
    )


def judged(instance, stream):
    """What the check says, run alone."""
    done = run(instance, dg.AssetSelection.checks(key(stream)))
    assert done.success
    assert not done.get_asset_materialization_events()
    (told,) = done.get_asset_check_evaluations()
    metadata = {name: one.value for name, one in told.metadata.items()}
    return told.passed, metadata.get("lag"), metadata.get("partitions"), told.description


def test_a_check_of_lag_is_red_with_more_than_may_be_there_and_runs_alone(project, broker):
    broker.topic("lagging", 2)
    broker.send("lagging", b"1", b"2")
    write(project, broker.address, "  maxLag: 2\n  topics: {lagging: {}}")
    with dg.DagsterInstance.ephemeral() as instance:
        assert judged(instance, "lagging") == (False, None, None, "never loaded")
        load(instance, "lagging")
        assert judged(instance, "lagging") == (True, 0, {}, "0 messages behind")
        broker.send("lagging", b"3", b"4", partition=1)
        at_most = {"lagging/1": 2}
        assert judged(instance, "lagging") == (True, 2, at_most, "2 messages behind")
        broker.send("lagging", b"5")
        more = {"lagging/1": 2, "lagging/0": 1}
        assert judged(instance, "lagging") == (False, 3, more, "3 messages behind")
        # Where the asset is loaded the check is of what is left then.
        both = run(instance, dg.AssetSelection.assets(key("lagging").asset_key))
        told = {one.check_name: one.passed for one in both.get_asset_check_evaluations()}
        assert told == {"complete": True, "lag": True}


def test_what_is_loaded_is_what_the_table_says_and_not_what_dagster_remembers(project, broker):
    broker.topic("by_hand")
    broker.send("by_hand", b"1", b"2")
    write(project, broker.address, "  maxLag: 0\n  topics: {by_hand: {}}")
    command = [sys.executable, "-m", "connector_assets.cli", "load", "events", "by_hand"]
    assert subprocess.run(command, capture_output=True).returncode == 0
    with dg.DagsterInstance.ephemeral() as instance:
        assert judged(instance, "by_hand")[:2] == (True, 0)


def test_a_topic_that_was_made_anew_lacks_all_that_it_has(project, broker):
    broker.topic("lag_anew")
    broker.send("lag_anew", *[b"0"] * 5)
    write(project, broker.address, "  maxLag: 1\n  topics: {lag_anew: {}}")
    with dg.DagsterInstance.ephemeral() as instance:
        load(instance, "lag_anew")
        broker.remove("lag_anew")
        broker.topic("lag_anew")
        broker.send("lag_anew", b"1", b"2")
        assert judged(instance, "lag_anew")[:3] == (False, 2, {"lag_anew/0": 2})


def test_messages_that_are_not_there_any_more_are_not_counted(project, broker):
    broker.topic("lag_cut")
    broker.send("lag_cut", b"1")
    write(project, broker.address, "  maxLag: 3\n  topics: {lag_cut: {}}")
    with dg.DagsterInstance.ephemeral() as instance:
        load(instance, "lag_cut")
        broker.send("lag_cut", *[b"2"] * 9)
        broker.cut("lag_cut", 0, 8)
        assert judged(instance, "lag_cut")[:3] == (True, 2, {"lag_cut/0": 2})


def test_a_topic_says_its_own_and_streams_in_partitions_have_none(project, monkeypatch):
    streams = "streams: {a: , b: , days: {partitions: {type: daily, start: '2026-01-01'}}}"
    write(project, "localhost:9", "  topics: {a: {maxLag: 5}, b: , days: }\n" + streams)
    assert checks(build_definitions()) == {"a"}
    write(
        project, "localhost:9", "  maxLag: 7\n  topics: {a: {maxLag: 5}, b: , days: }\n" + streams
    )
    definitions = build_definitions()
    assert checks(definitions) == {"a", "b"}
    told = {
        one: definitions.resolve_asset_graph().get_check_spec(key(one)).description for one in "ab"
    }
    assert ("5" in told["a"], "7" in told["b"]) == (True, True)
    write(project, "localhost:9", "  topics: {a: , b: , days: }\n" + streams)
    assert checks(build_definitions()) == set()
    monkeypatch.setenv("EVENTS__MAX_LAG", "3")
    (project / "connections" / "events.yaml").touch()
    write(project, "localhost:9", "  topics: {a: , b: }\n")
    assert checks(build_definitions()) == {"a", "b"}


def test_a_stream_may_be_called_like_the_step_of_a_check(project):
    write(project, "localhost:9", "  maxLag: 1\n  topics: {orders: , orders_lag: }")
    assert checks(build_definitions()) == {"orders", "orders_lag"}
    build_definitions().resolve_implicit_global_asset_job_def()


DAYS = "streams: {days: {partitions: {type: daily, start: '2026-01-01'}}}"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            f"  topics: {{days: {{maxLag: 1}}}}\n{DAYS}",
            "config.topics.days.maxLag: cannot be checked, as the stream has partitions",
        ),
        ("  topics: {a: {maxLag: -1}}", "topics.a.maxLag: "),
        ("  maxLag: many\n  topics: {a: }", "maxLag: "),
    ],
)
def test_a_lag_that_cannot_be_checked_is_a_fault_and_stops_no_other(project, more, told):
    write(project, "localhost:9", more)
    specs = build_definitions().resolve_all_asset_specs()
    assert [spec for spec in specs if told in str(spec.description)], [
        spec.description for spec in specs
    ]


def test_a_cluster_that_does_not_answer_is_a_failure_and_no_verdict(project):
    write(project, "127.0.0.1:9", "  maxLag: 1\n  topics: {a: }", patience=1)
    with dg.DagsterInstance.ephemeral() as instance:
        done = run(instance, dg.AssetSelection.checks(key("a")))
        assert not done.success
        assert not done.get_asset_check_evaluations()
        (failed,) = [one for one in done.all_events if one.is_step_failure]
        assert "127.0.0.1:9: " in failed.step_failure_data.error_display_string


@pytest.mark.slow
def test_the_check_is_scheduled_like_any_other(project, broker):
    """As docs/how-to/kafka.md says, in the processes of `dagster`."""
    broker.topic("scheduled")
    broker.send("scheduled", b"1")
    write(project, broker.address, "  maxLag: 0\n  topics: {scheduled: {}}")
    (said,) = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    (project / "mine.py").write_text(said.replace('"orders"', '"scheduled"'))
    home = project / "home"
    home.mkdir()
    environ = {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "dagster", "job", "execute", "-f", "mine.py", "-j", "lags"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (found,) = instance.event_log_storage.get_asset_check_execution_history(
            key("scheduled"), limit=5
        )
        assert found.event.asset_check_evaluation.passed is False
