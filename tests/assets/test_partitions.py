"""Partitioned streams in Dagster: windows of time and values of a list, each loaded by itself."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from tests.assets.test_definitions import connection, specs_of
from tests.loopback import serving
from tests.shop import shop_spec

SPEC = shop_spec("""
auth: [{type: none}]
config: {regions: {type: list, default: [eu, us]}}
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: orders, url: "{{base_url}}/orders"}
  - {id: stock, url: "{{base_url}}/stock/{{region}}"}
read:
  streams:
    - name: orders
      primaryKey: [id]
      checks: {minRows: 1}
      incremental: {cursorField: updated, startParam: since, endParam: until, format: iso, start: "2024-01-01"}
    - name: stock
      forEach: [{values: "{{config.regions}}", as: region}]
""")
DAILY = '{type: daily, start: "2024-01-01", end: "2024-01-05"}'
ORDERS = dg.AssetKey(["eu", "orders"])


class Shop:
    """Orders by the moment they were updated, and stock by region."""

    def __init__(self):
        self.orders = {n: f"2024-01-0{n}T10:00:00Z" for n in range(1, 5)}
        self.broken = set()

    def __call__(self, request):
        if request.path.startswith("/stock/"):
            region = request.path.rpartition("/")[2]
            return {"rows": [{"region": region, "n": n} for n in range(2)]}
        since, until = request.query.get("since", ""), request.query.get("until", "9")
        if since[:10] in self.broken:
            return 500, {}
        rows = [{"id": n, "updated": at} for n, at in self.orders.items() if since <= at < until]
        return {"rows": rows}


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def api(shop):
    with serving(shop) as server:
        yield server


@pytest.fixture
def partitioned(project, api, monkeypatch):
    """A project whose connection `eu` partitions `orders` by `text`."""

    def write(text=DAILY, stream="orders", more=""):
        project.write("specs/shop.yaml", SPEC)
        streams = f"streams: {{{stream}: {{partitions: {text}{more}}}}}"
        project.write("connections/eu.yaml", connection(f"id: eu\nconnector: shop\n{streams}\n"))
        return project

    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    return write


def run(project, keys, partition=None, *, tags=None, instance=None, stream="orders"):
    job = project.definitions().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=keys or [dg.AssetKey(["eu", stream])],
        partition_key=partition,
        tags=tags,
        instance=instance,
        raise_on_error=False,
    )


def over(first, last):
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }


def materialized(result):
    return {
        event.materialization.partition: {
            k: v.value for k, v in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def failure(result):
    (event,) = result.get_step_failure_events()
    return event.step_failure_data.user_failure_data.description


def windows(api):
    return [(r.query["since"][:10], r.query["until"][:10]) for r in api.seen]


def test_a_partition_asks_for_its_window_and_leaves_the_cursor_alone(partitioned, api):
    project = partitioned()
    result = run(project, None, "2024-01-02")
    assert result.success
    assert [r.query for r in api.seen] == [
        {"since": "2024-01-02T00:00:00Z", "until": "2024-01-03T00:00:00Z"}
    ]
    assert [row[0] for row in project.rows("eu.orders")] == [2]
    told = materialized(result)["2024-01-02"]
    assert (told["dagster/partition_row_count"], told["dagster/row_count"]) == (1, 1)
    assert "cursor_after" not in told
    assert project.rows("_connector_assets.state") == []


def test_a_partition_that_is_loaded_again_is_replaced(partitioned, shop):
    project = partitioned()
    for day in ("2024-01-01", "2024-01-02", "2024-01-03"):
        assert run(project, None, day).success
    del shop.orders[2]
    shop.orders[7] = "2024-01-02T11:00:00Z"
    for _ in range(2):
        assert run(project, None, "2024-01-02").success
        assert [row[0] for row in project.rows("eu.orders")] == [1, 3, 7]


def test_a_row_that_moved_to_a_later_partition_is_there_once(partitioned, shop):
    project = partitioned()
    assert run(project, None, "2024-01-01").success
    shop.orders[1] = "2024-01-03T12:00:00Z"
    assert run(project, None, "2024-01-03").success
    assert run(project, None, "2024-01-01").success
    assert [row[0] for row in project.rows("eu.orders")] == [1, 3]


def test_with_merge_rows_are_written_over_by_key_and_none_is_dropped(partitioned, shop):
    project = partitioned(more=", writeMode: merge")
    assert run(project, None, "2024-01-02").success
    del shop.orders[2]
    shop.orders[7] = "2024-01-02T11:00:00Z"
    assert run(project, None, "2024-01-02").success
    assert [row[0] for row in project.rows("eu.orders")] == [2, 7]


@pytest.mark.parametrize(
    ("start", "since"),
    [
        ('"2023-01-01"', "2024-01-02"),
        ('"2023-01-01T00:00:00Z"', "2024-01-02T00:00:00Z"),
        ("1672531200", "1704153600"),
        ("1672531200000", "1704153600000"),
    ],
)
def test_without_a_format_times_are_sent_as_start_is_written(partitioned, api, start, since):
    project = partitioned()
    spec = SPEC.replace('format: iso, start: "2024-01-01"', f"start: {start}")
    project.write("specs/shop.yaml", spec)
    api.answer = lambda _: {"rows": []}
    assert run(project, None, "2024-01-02").success
    assert api.seen[0].query["since"] == since


def test_a_list_on_the_clients_side_is_cut_to_the_window(partitioned, api):
    project = partitioned()
    spec = SPEC.replace("startParam: since, endParam: until", "clientFilter: true")
    project.write("specs/shop.yaml", spec)
    for day in ("2024-01-02", "2024-01-03"):
        result = run(project, None, day)
        assert materialized(result)[day]["rows_received"] == 1
    assert [row[0] for row in project.rows("eu.orders")] == [2, 3]
    assert [r.query for r in api.seen] == [{}, {}]


def test_windows_within_a_partition_are_asked_for_one_by_one(partitioned, api):
    project = partitioned('{type: weekly, start: "2024-01-01", end: "2024-01-08"}')
    project.write("specs/shop.yaml", SPEC.replace("format: iso", "format: iso, window: P3D"))
    assert run(project, None, "2024-01-01").success
    assert sorted(windows(api)) == [
        ("2024-01-01", "2024-01-04"),
        ("2024-01-04", "2024-01-07"),
        ("2024-01-07", "2024-01-08"),
    ]
    assert [row[0] for row in project.rows("eu.orders")] == [1, 2, 3, 4]


def test_an_end_that_is_included_is_moved_back_by_granularity(partitioned, api):
    project = partitioned()
    spec = SPEC.replace("format: iso", "format: date, granularity: P1D")
    project.write("specs/shop.yaml", spec)
    api.answer = lambda _: {"rows": []}
    assert run(project, None, "2024-01-02").success
    assert api.seen[0].query == {"since": "2024-01-02", "until": "2024-01-02"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("", "replaces a part (day) of `eu.orders`, one row per `id`"),
        (", writeMode: merge", "merged into `eu.orders`, one row per `id`"),
    ],
)
def test_the_description_says_what_a_load_does(partitioned, more, says):
    assert says in specs_of(partitioned(more=more).definitions())[ORDERS].description


def test_a_range_in_one_run_is_a_load_and_a_materialization_for_each_partition(partitioned, api):
    project = partitioned()
    result = run(project, None, tags=over("2024-01-01", "2024-01-04"))
    assert result.success
    told = materialized(result)
    assert windows(api) == [
        ("2024-01-01", "2024-01-02"),
        ("2024-01-02", "2024-01-03"),
        ("2024-01-03", "2024-01-04"),
        ("2024-01-04", "2024-01-05"),
    ]
    assert {key: one["dagster/partition_row_count"] for key, one in told.items()} == {
        f"2024-01-0{n}": 1 for n in range(1, 5)
    }
    assert [one["dagster/row_count"] for one in told.values()] == [1, 2, 3, 4]
    assert {e.check_name: e.passed for e in result.get_asset_check_evaluations()} == {
        "complete": True,
        "min_rows": True,
    }


def test_partitions_that_were_loaded_before_one_failed_are_materialized(partitioned, shop):
    project = partitioned()
    shop.broken.add("2024-01-03")
    result = run(project, None, tags=over("2024-01-01", "2024-01-04"))
    assert not result.success
    assert set(materialized(result)) == {"2024-01-01", "2024-01-02"}
    assert [row[0] for row in project.rows("eu.orders")] == [1, 2]


def test_the_backfill_policy_is_what_the_connection_says(partitioned):
    def policy(text):
        return partitioned(text).definitions().get_assets_def(ORDERS).backfill_policy

    assert policy(DAILY) == dg.BackfillPolicy.single_run()
    assert policy(DAILY.replace("}", ", partitionsPerRun: 1}")) == dg.BackfillPolicy.multi_run(1)
    assert policy(DAILY.replace("}", ", partitionsPerRun: 7}")) == dg.BackfillPolicy.multi_run(7)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (DAILY, ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]),
        (
            '{type: hourly, start: "2024-01-01T22:00", end: "2024-01-02"}',
            ["2024-01-01-22:00", "2024-01-01-23:00"],
        ),
        ('{type: weekly, start: "2024-01-03", end: "2024-01-17"}', ["2024-01-03", "2024-01-10"]),
        ('{type: monthly, start: "2024-01-01", end: "2024-03-01"}', ["2024-01-01", "2024-02-01"]),
    ],
)
def test_partitions_of_time_are_those_of_dagster(partitioned, text, keys):
    spec = specs_of(partitioned(text).definitions())[ORDERS]
    assert spec.partitions_def.get_partition_keys() == keys


def test_each_value_of_a_list_may_be_a_partition(partitioned, api):
    project = partitioned("{type: each, of: region}", stream="stock")
    spec = specs_of(project.definitions())[dg.AssetKey(["eu", "stock"])]
    assert spec.partitions_def.get_partition_keys() == ["eu", "us"]
    for _ in range(2):
        assert run(project, None, "us", stream="stock").success
    assert {r.path for r in api.seen} == {"/stock/us"}
    assert run(project, None, "eu", stream="stock").success
    assert [row[:2] for row in project.rows("eu.stock")] == [
        ("eu", 0),
        ("eu", 1),
        ("us", 0),
        ("us", 1),
    ]  # fmt: skip - rows


def test_a_list_from_the_environment_is_partitioned_by(partitioned, monkeypatch):
    monkeypatch.setenv("EU__REGIONS", "north,south")
    project = partitioned("{type: each, of: region}", stream="stock")
    spec = specs_of(project.definitions())[dg.AssetKey(["eu", "stock"])]
    assert spec.partitions_def.get_partition_keys() == ["north", "south"]


def test_a_run_without_a_partition_says_which_to_choose(partitioned):
    text = failure(run(partitioned(), None))
    assert text == "eu.orders: has partitions; choose one: --partition 2024-01-04"


def test_an_unpartitioned_stream_runs_beside_a_partitioned_one(partitioned, project):
    partitioned()
    text = f"id: eu\nconnector: shop\nstreams: {{orders: {{partitions: {DAILY}}}, stock: }}\n"
    project.write("connections/eu.yaml", connection(text))
    result = run(project, [ORDERS, dg.AssetKey(["eu", "stock"])], "2024-01-01")
    assert result.success
    assert len(project.rows("eu.stock")) == 4


@pytest.mark.parametrize(
    ("stream", "text", "fault"),
    [
        ("stock", DAILY, "needs a stream with incremental, whose parameters ask for a window"),
        (
            "orders",
            "{type: each, of: region}",
            'needs a forEach with as: region, which "orders" has not',
        ),
        (
            "orders",
            '{type: daily, start: "2024-13-01"}',
            'must be a date or time such as "2024-01-31"',
        ),
        ("orders", '{type: monthly, start: "2024-01-15"}', "must be the first of a month"),
        ("orders", '{type: daily, start: "2024-01-02", end: "2024-01-02"}', "must be after start"),
        (
            "orders",
            '{type: daily, start: "2024-01-02", timezone: Mars/Base}',
            "must be a zone of the tz database, such as Europe/Madrid",
        ),
        ("orders", "{type: yearly}", '"yearly" is not known'),
    ],
)  # fmt: skip - a table
def test_partitions_that_do_not_fit_are_faults_at_their_line(partitioned, stream, text, fault):
    project = partitioned(text, stream)
    broken = specs_of(project.definitions())[dg.AssetKey(["eu", stream])]
    assert broken.kinds == {"invalid"}
    assert "connections/eu.yaml:5:" in broken.description
    assert fault in broken.description


def ticks(project, name, *moments):
    """The partitions that a schedule asks for at each moment."""
    definitions = project.definitions()
    schedule, repository = definitions.resolve_schedule_def(name), definitions.get_repository_def()

    def asked(moment):
        tick = dt.datetime.fromisoformat(moment)
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_schedule_context(
                instance, scheduled_execution_time=tick, repository_def=repository
            ) as context,
        ):
            requests = schedule.evaluate_tick(context).run_requests
        return [one.partition_key for one in requests]

    return [asked(moment) for moment in moments]


def test_a_schedule_asks_for_the_partitions_that_ended_since_the_last_tick(partitioned):
    project = partitioned(more=", schedule: '0 6 * * 1,4'")
    mondays = ("2024-01-01T06:00+00:00", "2024-01-04T06:00+00:00", "2024-01-08T06:00+00:00")
    assert ticks(project, "eu__orders_schedule", *mondays) == [
        [],
        ["2024-01-01", "2024-01-02", "2024-01-03"],
        ["2024-01-04"],
    ]


def test_a_tick_that_asks_for_nothing_says_why(partitioned):
    project = partitioned(more=", schedule: '0 6 * * *'")
    definitions = project.definitions()
    schedule = definitions.resolve_schedule_def("eu__orders_schedule")
    tick = dt.datetime(2024, 3, 1, 6, tzinfo=dt.UTC)  # after the last partition
    repository = definitions.get_repository_def()
    with dg.build_schedule_context(
        scheduled_execution_time=tick, repository_def=repository
    ) as context:
        told = schedule.evaluate_tick(context)
    assert not told.run_requests
    assert told.skip_message == "no day ended since the tick before, 2024-02-29T06:00:00+00:00"


def test_a_schedule_asks_for_every_value_of_a_list(partitioned):
    project = partitioned("{type: each, of: region}", "stock", ", schedule: '@daily'")
    assert ticks(project, "eu__stock_schedule", "2024-01-04T00:00+00:00") == [["eu", "us"]]


def test_a_partitioned_stream_is_not_in_its_connections_job(partitioned, project):
    partitioned()
    streams = f"schedule: '@daily'\nstreams: {{orders: {{partitions: {DAILY}}}, stock: }}\n"
    project.write("connections/eu.yaml", connection(f"id: eu\nconnector: shop\n{streams}"))
    definitions = project.definitions()
    assert {one.name for one in definitions.schedules} == {"eu_schedule", "eu__orders_schedule"}
    job = definitions.resolve_job_def("eu_job")
    assert job.asset_layer.executable_asset_keys == {dg.AssetKey(["eu", "stock"])}


@pytest.mark.parametrize(
    ("parent", "child", "partition"),
    [
        (f"{{partitions: {DAILY}}}", "", None),
        (f"{{partitions: {DAILY}}}", "{partitions: {type: each, of: region}}", "us"),
        ("", "{partitions: {type: each, of: region}}", "us"),
    ],
)
def test_a_child_reads_its_parents_table_however_both_are_partitioned(
    partitioned, project, parent, child, partition
):
    partitioned()
    lines = """
    - name: lines
      endpoint: stock
      forEach: [{parent: {stream: orders, field: id}}, {values: [eu, us], as: region}]
"""
    project.write("specs/shop.yaml", SPEC.rstrip() + lines)
    streams = f"streams:\n  orders: {parent}\n  lines: {child}\n"
    project.write("connections/eu.yaml", connection(f"id: eu\nconnector: shop\n{streams}"))
    graph = project.definitions().resolve_asset_graph()
    assert graph.get(dg.AssetKey(["eu", "lines"])).parent_keys == {ORDERS}
    assert run(project, None, "2024-01-02" if parent else None).success
    assert run(project, None, partition, stream="lines").success
    regions = {row[0] for row in project.rows("eu.lines")}
    assert regions == ({"us"} if partition else {"eu", "us"})
