"""A table of PostgreSQL in Dagster: partitions, a backfill of them, and what an asset shows."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from connector_assets.assets.factory import build_definitions
from tests.cli.conftest import cli, project  # noqa: F401 - fixtures
from tests.postgres import run

ORDERS = dg.AssetKey(["shop", "orders"])
CONNECTION = """
kind: connection
version: "1.0"
id: shop
connector: sql
config:
  uri: "{url}"
  chunkRows: 10
  tables: {{public.orders: {{cursor: updated}}}}
streams:
  orders: {{partitions: {{type: daily, start: "2024-01-01", end: "2024-01-04"}}}}
"""
ROWS = """
create table orders (id int primary key, note text, updated timestamptz not null);
comment on table orders is 'all orders';
insert into orders select i, 'n' || i, '2024-01-01Z'::timestamptz + i * interval '1 hour'
from generate_series(0, 71) i"""


@pytest.fixture
def shop(tmp_path, monkeypatch, url, cli):  # noqa: F811 - the fixture
    run(url, ROWS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "shop.yaml").write_text(CONNECTION.format(url=url))
    found = cli("discover", "shop")
    assert found.code == 0, found.err
    return tmp_path


def by_day():
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        sql = """select updated at time zone 'UTC' as t, note from shop.orders order by t"""
        rows = tables.sql(sql).fetchall()
    days = {}
    for at, note in rows:
        days.setdefault(at.day, []).append(note)
    return days


def materialize(instance, **chosen):
    job = build_definitions().resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(instance=instance, asset_selection=[ORDERS], **chosen)
    (event,) = {e.asset_key: e for e in done.get_asset_materialization_events()}.values()
    return event.materialization.metadata


def test_partitions_of_a_table_are_backfilled_and_loaded_anew_by_themselves(shop, url):
    first, second = "2024-01-01", "2024-01-02"
    with dg.DagsterInstance.ephemeral() as instance:
        for day in (first, second):
            told = materialize(instance, partition_key=day)
            assert told["dagster/partition_row_count"].value == 24, told
        assert instance.get_materialized_partitions(ORDERS) == {first, second}
        assert by_day() == {1: [f"n{n}" for n in range(24)], 2: [f"n{n}" for n in range(24, 48)]}
        run(url, "update orders set note = 'changed'; delete from orders where id = 25")
        materialize(instance, partition_key=second)
        assert by_day() == {1: [f"n{n}" for n in range(24)], 2: ["changed"] * 23}


def test_a_range_of_partitions_is_one_run(shop):
    ends = {
        "dagster/asset_partition_range_start": "2024-01-02",
        "dagster/asset_partition_range_end": "2024-01-03",
    }
    with dg.DagsterInstance.ephemeral() as instance:
        materialize(instance, tags=ends)
        assert instance.get_materialized_partitions(ORDERS) == {"2024-01-02", "2024-01-03"}
    assert {day: len(notes) for day, notes in by_day().items()} == {2: 24, 3: 24}
