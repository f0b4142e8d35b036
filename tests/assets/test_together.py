"""`execution: perConnector`: one step for the streams of a connection, each failing for itself."""

from __future__ import annotations

import dagster as dg
import pytest

from tests.assets.conftest import SECRET
from tests.assets.test_definitions import connection, keys_of
from tests.assets.test_materialize import failure
from tests.loopback import serving
from tests.shop import shop_spec

SPEC = shop_spec("""
auth: [{type: none}]
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: list, url: "{{base_url}}/{{stream}}"}
  - {id: lines, url: "{{base_url}}/lines/{{id}}"}
read:
  primary: list
  streams:
    - {name: lines, endpoint: lines, forEach: [{parent: {stream: orders, field: id}}]}
    - {name: orders, primaryKey: [id], checks: {minRows: 1}}
    - {name: missing}
    - {name: items}
    - {name: below, endpoint: lines, forEach: [{parent: {stream: missing, field: id}}]}
""")


def answer(request):
    if request.path == "/missing":
        return 404, {"error": SECRET}
    return {"rows": [{"id": n} for n in range(2)]}


@pytest.fixture
def together(project, monkeypatch):
    with serving(answer) as api:
        project.write("specs/shop.yaml", SPEC)
        text = "id: eu\nconnector: shop\nexecution: perConnector\npool: shop_api\n"
        project.write("connections/eu.yaml", connection(text))
        monkeypatch.setenv("EU__BASE_URL", api.origin)
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
        yield project


def run(project, *streams):
    job = project.definitions().resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(["eu", stream]) for stream in streams]
    return job.execute_in_process(asset_selection=keys, raise_on_error=False)


def loaded(result):
    return [event.asset_key.path[1] for event in result.get_asset_materialization_events()]


def test_all_streams_are_one_op_in_one_pool(together):
    definitions = together.definitions()
    assert keys_of(definitions) == [
        f"eu/{n}" for n in ("below", "items", "lines", "missing", "orders")
    ]
    asset, _api = definitions.assets
    assert (asset.op.name, asset.op.pool, asset.can_subset) == ("eu", "shop_api", True)


def test_some_may_be_chosen_and_parents_come_first(together):
    result = run(together, "lines", "orders")
    assert result.success
    assert loaded(result) == ["orders", "lines"]
    assert len(together.rows("eu.lines")) == 4
    checks = {
        (e.asset_key.path[1], e.check_name): e.passed for e in result.get_asset_check_evaluations()
    }
    assert checks == {
        ("orders", "complete"): True,
        ("orders", "min_rows"): True,
        ("lines", "complete"): True,
    }


def test_a_failing_stream_stops_only_those_that_read_its_table(together):
    result = run(together, "lines", "orders", "missing", "items", "below")
    assert not result.success
    assert sorted(loaded(result)) == ["items", "lines", "orders"]
    first, *others = failure(result).description.splitlines()
    assert first == "2 of 5 streams failed:"
    assert any(line.startswith("- eu.missing: GET 127.0.0.1:") for line in others)
    assert "- eu/below: not read, as eu/missing failed" in others


def test_a_partitioned_stream_stays_a_step_of_its_own(together):
    spec = SPEC.replace("{name: items}", "{name: items, forEach: [{values: [a, b], as: id}]}")
    together.write("specs/shop.yaml", spec)
    streams = "streams: {items: {partitions: {type: each, of: id}}, orders: , missing: }\n"
    text = f"id: eu\nconnector: shop\nexecution: perConnector\n{streams}"
    together.write("connections/eu.yaml", connection(text))
    names = [asset.op.name for asset in together.definitions().assets[:-1]]
    assert sorted(names) == ["eu", "eu__items"]


def test_the_checks_of_a_shared_step_run_alone_as_the_ui_asks_for_them(together):
    key = dg.AssetCheckKey(dg.AssetKey(["eu", "orders"]), "min_rows")
    job = together.definitions().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        keys = [dg.AssetKey(["eu", "orders"])]
        assert job.execute_in_process(asset_selection=keys, instance=instance).success
        alone = job.get_subset(asset_selection=set(), asset_check_selection={key})
        result = alone.execute_in_process(instance=instance)
    assert [one.check_name for one in result.get_asset_check_evaluations()] == ["min_rows"]
    assert loaded(result) == []
