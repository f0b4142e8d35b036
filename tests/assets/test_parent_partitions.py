"""Rows of a parent as partitions of its children: registered, loaded alone, removed."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from tests.assets.test_definitions import connection, specs_of
from tests.loopback import serving
from tests.shop import shop_spec

SPEC = shop_spec("""
auth: [{type: none}]
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: accounts, url: "{{base_url}}/accounts"}
  - {id: orders, url: "{{base_url}}/accounts/{{account}}/orders?of={{parent.name}}"}
read:
  streams:
    - {name: accounts, primaryKey: [id]}
    - name: orders
      primaryKey: [id]
      forEach: [{parent: {stream: accounts, field: id, as: account, include: [name]}}]
      fields: {add: {account: "{{account}}"}}
""")
PAGED = SPEC.replace(
    'accounts"}', 'accounts", pagination: {type: page, pageSize: 1, stopOn: short, maxPages: 9}}'
)
PARENT, CHILD = dg.AssetKey(["eu", "accounts"]), dg.AssetKey(["eu", "orders"])
NAME = "eu/accounts.id"


class Shop:
    """Accounts by id, each with a number of orders."""

    def __init__(self):
        self.orders = {1: 2, 2: 1, 3: 0}

    def __call__(self, request):
        parts = request.path.split("/")
        if len(parts) == 2:
            rows = [{"id": one, "name": f"n{one}"} for one in self.orders]
            page = int(request.query.get("page", 0))
            return {"rows": rows[page - 1 : page] if page else rows}
        account = int(parts[2])
        return {"rows": [{"id": account * 10 + n} for n in range(self.orders[account])]}


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def api(shop):
    with serving(shop) as server:
        yield server


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def partitioned(project, api, monkeypatch):
    """A project whose connection partitions orders by account."""

    def write(more="", streams="accounts: , ", spec=SPEC):
        project.write("specs/shop.yaml", spec)
        text = f"streams: {{{streams}orders: {{partitions: {{type: each, of: account{more}}}}}}}\n"
        project.write("connections/eu.yaml", connection(f"id: eu\nconnector: shop\n{text}"))
        return project

    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    return write


def run(project, instance, key, partition=None, **given):
    job = project.definitions().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=[key],
        partition_key=partition,
        instance=instance,
        raise_on_error=False,
        **given,
    )


def told(result):
    (event,) = result.get_asset_materialization_events()
    return {name: one.value for name, one in event.materialization.metadata.items()}


def test_a_load_of_the_parent_registers_its_rows(partitioned, instance, shop):
    project = partitioned()
    assert specs_of(project.definitions())[CHILD].partitions_def.name == NAME
    assert told(run(project, instance, PARENT))["partitions_added"] == 3
    assert instance.get_dynamic_partitions(NAME) == ["1", "2", "3"]
    shop.orders = {2: 1, 4: 1}
    again = told(run(project, instance, PARENT))
    assert (again["partitions_added"], again.get("partitions_removed")) == (1, None)
    assert sorted(instance.get_dynamic_partitions(NAME)) == ["1", "2", "3", "4"]


def test_keys_that_are_gone_are_removed_where_that_is_asked_for(partitioned, instance, shop):
    project = partitioned(", whenGone: remove")
    run(project, instance, PARENT)
    shop.orders = {2: 1}
    assert told(run(project, instance, PARENT))["partitions_removed"] == 2
    assert instance.get_dynamic_partitions(NAME) == ["2"]


def test_a_row_that_sends_a_secret_back_becomes_no_partition(
    partitioned, instance, shop, monkeypatch
):
    """Keys stand in Dagster's storage, in the UI and in tags of runs."""
    monkeypatch.setenv("EU__TOKEN", "4711")
    spec = SPEC.replace(
        "auth: [{type: none}]", 'auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]'
    )
    project = partitioned(spec=spec.replace("endpoints:", "secrets: {token: {}}\nendpoints:", 1))
    shop.orders = {2: 1, 4711: 1}
    found = told(run(project, instance, PARENT))
    assert (found["partitions_added"], found["partitions_left_out"]) == (1, 1)
    assert instance.get_dynamic_partitions(NAME) == ["2"]


def test_a_list_that_was_not_read_to_its_end_removes_nothing(partitioned, instance, shop):
    project = partitioned(", whenGone: remove", spec=PAGED)
    run(project, instance, PARENT)
    config = {"ops": {"eu__accounts": {"config": {"limit": 1}}}}
    assert told(run(project, instance, PARENT, run_config=config))["complete"] is False
    assert sorted(instance.get_dynamic_partitions(NAME)) == ["1", "2", "3"]


def test_a_partition_reads_one_parent_and_replaces_only_that(partitioned, instance, shop, api):
    project = partitioned()
    run(project, instance, PARENT)
    for key in ("1", "2"):
        assert run(project, instance, CHILD, key).success
    asked = [(r.path, r.query["of"]) for r in api.seen if r.path.endswith("/orders")]
    assert asked == [("/accounts/1/orders", "n1"), ("/accounts/2/orders", "n2")]
    assert [row[:2] for row in project.rows("eu.orders")] == [(10, 1), (11, 1), (20, 2)]
    shop.orders[1] = 1
    assert told(run(project, instance, CHILD, "1"))["dagster/partition_row_count"] == 1
    assert [row[:2] for row in project.rows("eu.orders")] == [(10, 1), (20, 2)]


def test_a_range_of_parents_is_one_run(partitioned, instance):
    project = partitioned()
    run(project, instance, PARENT)
    tags = {
        "dagster/asset_partition_range_start": "1",
        "dagster/asset_partition_range_end": "3",
    }
    result = run(project, instance, CHILD, tags=tags)
    assert result.success
    loaded = [one.materialization.partition for one in result.get_asset_materialization_events()]
    assert sorted(loaded) == ["1", "2", "3"]


def test_a_parent_that_is_gone_is_an_error_and_its_rows_stay(partitioned, instance, shop):
    project = partitioned()
    run(project, instance, PARENT)
    run(project, instance, CHILD, "1")
    shop.orders = {2: 1}
    run(project, instance, PARENT)
    result = run(project, instance, CHILD, "1")
    (event,) = result.get_step_failure_events()
    text = event.step_failure_data.user_failure_data.description
    assert 'there is no account "1" (any more)' in text
    assert len(project.rows("eu.orders")) == 2


def test_a_run_without_a_partition_says_that_there_are_some(partitioned, instance):
    project = partitioned()
    run(project, instance, PARENT)
    (event,) = run(project, instance, CHILD).get_step_failure_events()
    text = event.step_failure_data.user_failure_data.description
    assert text == "eu.orders: has partitions; choose one: --partition KEY"


@pytest.mark.parametrize(
    ("more", "streams", "spec", "fault"),
    [
        ("", "", SPEC, 'are rows of "accounts", which this connection does not read; add it'),
        (
            "",
            "accounts: , ",
            SPEC.replace(", include: [name]}}]", "}, batch: 2}]").replace(
                "?of={{parent.name}}", ""
            ),
            "cannot be of a batch",
        ),
    ],
)
def test_partitions_that_cannot_be_are_a_fault(partitioned, more, streams, spec, fault):
    project = partitioned(more, streams, spec)
    broken = [one for one in specs_of(project.definitions()).values() if "invalid" in one.kinds]
    assert fault in broken[0].description


def test_a_schedule_asks_for_the_partitions_that_are_registered(partitioned):
    project = partitioned("}, schedule: '@daily', tags: {a: b")
    (schedule,) = [
        one for one in project.definitions().schedules if one.name == "eu__orders_schedule"
    ]

    def tick():
        now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=now,
            repository_def=project.definitions().get_repository_def(),
        )
        return schedule.evaluate_tick(context)

    with dg.DagsterInstance.get() as instance:
        assert tick().skip_message == "no account is registered: load its parent"
        run(project, instance, PARENT)
        assert [one.partition_key for one in tick().run_requests] == ["1", "2", "3"]


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_an_eager_child_is_asked_for_each_new_parent(partitioned, instance, shop):
    project = partitioned("}, automationCondition: eager, tags: {a: b")
    definitions = project.definitions()
    first = dg.evaluate_automation_conditions(definitions, instance)
    assert first.get_num_requested(CHILD) == 0
    run(project, instance, PARENT)
    second = dg.evaluate_automation_conditions(definitions, instance, cursor=first.cursor)
    assert second.get_requested_partitions(CHILD) == {"1", "2", "3"}
