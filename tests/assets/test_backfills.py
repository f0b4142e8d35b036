"""Partitions as users load them: Dagster's command line, its daemon, a component."""

from __future__ import annotations

import pytest
from dagster import DagsterInstance

from tests.assets.served import developing, until
from tests.assets.test_component import component, dg_project, load  # noqa: F401 - a fixture
from tests.assets.test_definitions import connection
from tests.assets.test_partitions import DAILY, ORDERS, SPEC, Shop
from tests.assets.test_runs import ENOUGH_S, MODULE
from tests.loopback import serving

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]


@pytest.fixture
def api():
    with serving(Shop()) as server:
        yield server


@pytest.fixture
def daily(project, api, monkeypatch):
    """A project whose connection `eu` has orders by day."""
    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    project.write("specs/shop.yaml", SPEC)
    text = f"id: eu\nconnector: shop\nstreams: {{orders: {{partitions: {DAILY}}}}}\n"
    project.write("connections/eu.yaml", connection(text))
    return project


def materialized():
    with DagsterInstance.get() as instance:
        return sorted(instance.get_materialized_partitions(ORDERS))


@pytest.mark.parametrize(
    ("args", "days"),
    [
        (["--partition", "2024-01-02"], ["2024-01-02"]),
        (["--partition-range", "2024-01-02...2024-01-04"], DAYS[1:]),
    ],
)
def test_the_command_line_materialises_partitions(daily, api, args, days):
    command = ["asset", "materialize", *MODULE, "--select", 'key:"eu/orders"', *args]
    done = daily.tool("dagster", *command, timeout=ENOUGH_S)
    assert done.returncode == 0, done.stderr
    assert materialized() == days
    assert [request.query["since"][:10] for request in api.seen] == days
    assert len(daily.rows("eu.orders")) == len(days)


def test_a_component_has_partitions_too(dg_project, api, monkeypatch):  # noqa: F811 - a fixture
    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    dg_project.write("specs/shop.yaml", SPEC)
    streams = f"  streams: {{orders: {{partitions: {DAILY}}}}}\n"
    component(dg_project, "eu", f"  id: eu\n  connector: shop\n{streams}")
    job = load(dg_project).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(asset_selection=[ORDERS], partition_key="2024-01-03").success
    assert [row[0] for row in dg_project.rows("eu.orders")] == [3]


BACKFILL = """mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""


@pytest.fixture
def webserver(daily):
    with developing(daily.root) as ask:
        yield ask


@pytest.mark.slow
@pytest.mark.parametrize(("per_run", "runs"), [("", 1), (", partitionsPerRun: 1", 4)])
def test_a_backfill_takes_as_many_runs_as_the_connection_says(daily, webserver, per_run, runs):
    text = DAILY.replace("}", per_run + "}")
    text = f"id: eu\nconnector: shop\nstreams: {{orders: {{partitions: {text}}}}}\n"
    daily.write("connections/eu.yaml", connection(text))
    webserver("mutation { reloadWorkspace { __typename } }")
    params = {"assetSelection": [{"path": ["eu", "orders"]}], "partitionNames": DAYS}
    told = webserver(BACKFILL, params=params)["launchPartitionBackfill"]
    assert told["__typename"] == "LaunchBackfillSuccess", told
    until(lambda: materialized() == DAYS)
    with DagsterInstance.get() as instance:
        assert len(instance.get_runs()) == runs
    assert [row[0] for row in daily.rows("eu.orders")] == [1, 2, 3, 4]
