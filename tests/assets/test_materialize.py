"""Streams materialised in this process: real requests, a real DuckDB file, real Dagster events."""

from __future__ import annotations

import dagster as dg
import pytest

from connector_assets import RateLimited, connector_registry, define_connector
from connector_assets.assets.outcome import failure as raised_for
from tests.assets.conftest import SECRET, SHOP, shop


def materialization(result):
    (event,) = result.get_asset_materialization_events()
    return {k: v.value for k, v in event.materialization.metadata.items()}


def checks(result):
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def failure(result):
    (event,) = result.get_step_failure_events()
    return event.step_failure_data.user_failure_data


def test_a_stream_becomes_a_table_and_says_what_it_cost(shop_project):
    result = shop_project.run("shop/items")
    assert result.success
    assert len(shop_project.rows("shop.items")) == 12
    told = materialization(result)
    columns = {
        c.name: (c.type, c.constraints.nullable) for c in told["dagster/column_schema"].columns
    }
    assert columns == {"id": ("BIGINT", False), "name": ("VARCHAR", True)}
    assert told["dagster/row_count"] == told["rows_received"] == 12
    assert told["dagster/table_name"] == "shop.items"
    assert told["dagster/uri"] == "duckdb:///data.duckdb"
    assert told["dagster/storage_kind"] == "duckdb"
    assert (told["calls"], told["pages"], told["retries"]) == (4, 4, 0)
    assert told["bytes"] > 0
    assert (told["truncated"], told["resumed_rows"], told["rejected"]) == (False, 0, 0)
    assert isinstance(told["waited_s"], float)
    assert isinstance(told["duration_s"], float)


def test_a_stream_with_an_odd_name_has_a_table(shop_project):
    assert shop_project.run("shop/v1_odd_name").success
    assert len(shop_project.rows("shop.v1_odd_name")) == 12


def test_no_rows_still_materialise_and_the_check_on_rows_is_red(shop_project, api):
    api.answer = shop(pages=1, size=0)
    result = shop_project.run("shop/items")
    assert result.success
    assert materialization(result)["dagster/row_count"] == 0
    assert checks(result) == {"complete": True, "min_rows": False}


def test_a_page_limit_fails_the_step_reddens_the_check_and_keeps_the_table(shop_project, api):
    assert shop_project.run("shop/items").success
    api.answer = shop(pages=30)
    result = shop_project.run("shop/items")
    assert not result.success
    assert "10 pages" in failure(result).description
    assert checks(result)["complete"] is False
    assert len(shop_project.rows("shop.items")) == 12


def test_a_truncated_stream_materialises_with_a_red_check(shop_project, api):
    api.answer = shop(pages=30)
    cut = SHOP.replace("maxPages: 10", "maxPages: 10, onMaxPages: truncate")
    shop_project.write("specs/shop.yaml", cut)
    result = shop_project.run("shop/items")
    assert result.success
    assert materialization(result)["truncated"] is True
    assert checks(result) == {"complete": False, "min_rows": True}


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ("[id]", {"id": 0}),
        ("[Name, id]", {"Name": 4, "id": 0}),
        ("[name, nowhere]", {"name": 4, "nowhere": 12}),
    ],
)
def test_missing_values_redden_the_check_on_columns(shop_project, api, columns, counts):
    inner = shop()

    def answer(request):
        page = inner(request)
        page["rows"][0]["name"] = None
        return page

    api.answer = answer
    checked = SHOP.replace("checks: {minRows: 10}", f"checks: {{notNull: {columns}}}")
    shop_project.write("specs/shop.yaml", checked)
    result = shop_project.run("shop/items")
    assert checks(result) == {"complete": True, "not_null": not any(counts.values())}
    (verdict,) = (e for e in result.get_asset_check_evaluations() if e.check_name == "not_null")
    assert {name: value.value for name, value in verdict.metadata.items()} == counts


def test_a_failure_is_one_line_without_secrets(shop_project, api):
    missing = SHOP.replace("name: v1.odd-name", "name: missing")
    shop_project.write("specs/shop.yaml", missing)
    result = shop_project.run("shop/missing")
    told = failure(result)
    assert told.description.startswith(f"shop.missing: GET {api.host}/missing: 404; ")
    assert "\n" not in told.description
    assert told.metadata["error"].value == "RequestError"
    assert told.metadata["where"].value == f"shop.missing: GET {api.host}/missing"
    assert SECRET not in repr(result.all_events)


def test_a_missing_value_names_its_variable(shop_project, monkeypatch):
    monkeypatch.delenv("SHOP__TOKEN")
    result = shop_project.run("shop/items")
    assert failure(result).description == "shop: values are missing; set SHOP__TOKEN"


def test_one_failing_stream_stops_no_other(shop_project):
    missing = SHOP.replace("name: v1.odd-name", "name: missing")
    shop_project.write("specs/shop.yaml", missing)
    result = shop_project.run("shop/missing", "shop/items")
    assert not result.success
    assert len(shop_project.rows("shop.items")) == 12


def test_a_server_that_names_a_time_asks_dagster_for_another_try_then():
    limited = RateLimited("429", where="GET api.example.com/items", retry_after_s=899.2)
    retry = raised_for(limited)
    assert isinstance(retry, dg.RetryRequested)
    assert retry.seconds_to_wait == 900
    assert retry.__cause__.description == "GET api.example.com/items: 429"


def test_a_server_that_wants_days_is_a_failure():
    assert isinstance(raised_for(RateLimited("429", retry_after_s=2 * 86_400)), dg.Failure)


def test_a_rerun_goes_on_from_the_rows_it_had(shop_project, api):
    inner = shop()
    api.answer = lambda r: (500, {}) if r.query.get("cursor") == "2" else inner(r)
    assert not shop_project.run("shop/items").success
    api.answer = inner
    result = shop_project.run("shop/items")
    told = materialization(result)
    assert (told["resumed_rows"], told["calls"], told["dagster/row_count"]) == (6, 2, 12)


def test_full_reads_everything_again(shop_project, api):
    inner = shop()
    api.answer = lambda r: (500, {}) if r.query.get("cursor") == "2" else inner(r)
    assert not shop_project.run("shop/items").success
    api.answer = inner
    told = materialization(shop_project.run("shop/items", config={"full": True}))
    assert (told["resumed_rows"], told["calls"], told["dagster/row_count"]) == (0, 4, 12)


def test_a_broken_file_fails_with_its_faults(project):
    project.write("specs/shop.yaml", SHOP.replace("displayName: Shop\n", ""))
    result = project.run("shop/items")
    assert failure(result).description == (
        "specs/shop.yaml cannot be used:\n- specs/shop.yaml:2:1: displayName: is required"
    )


def test_a_plugins_stream_materialises_beside_those_of_specs(shop_project):
    def read(ctx):
        yield from ({"n": n} for n in range(2500))

    numbers = define_connector(id="numbers", display_name="Numbers", read=read)
    connector_registry.register_plugin(numbers)
    try:
        result = shop_project.run("numbers/numbers", "shop/items")
    finally:
        connector_registry.unregister("numbers")
    assert result.success
    assert len(shop_project.rows("numbers.numbers")) == 2500
    assert len(shop_project.rows("shop.items")) == 12


def test_a_plugin_says_how_it_goes_in_the_log_and_on_the_asset(shop_project, capfd):
    def read(ctx):
        ctx.progress(total=3)
        ctx.log.warning("half of it, token %s", "x")
        ctx.metadata(lag=7, shelves=["a"], pages="mine")
        yield {"n": 1}

    numbers = define_connector(id="numbers", display_name="Numbers", read=read)
    connector_registry.register_plugin(numbers)
    try:
        result = shop_project.run("numbers/numbers")
    finally:
        connector_registry.unregister("numbers")
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["lag"].value == 7
    assert metadata["shelves"].value == ["a"]
    assert (metadata["pages"].value, metadata["plugin/pages"].value) == (1, "mine")
    logged = capfd.readouterr().err
    assert "WARNING" in logged
    assert "half of it, token x" in logged
    assert "1 of 3 rows in 1 page" in logged


def test_resources_may_be_exchanged(shop_project):
    definitions = shop_project.definitions(destination="duckdb:///other.duckdb")
    job = definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(asset_selection=[dg.AssetKey(["shop", "items"])]).success
    assert (shop_project.root / "other.duckdb").exists()
    assert not (shop_project.root / "data.duckdb").exists()


@pytest.mark.parametrize("url", ["mysql:///x", "duckdb://"])
def test_a_destination_that_is_unknown_is_one_line(shop_project, monkeypatch, url):
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", url)
    assert failure(shop_project.run("shop/items")).description.startswith("destination: ")


def test_a_wait_is_said_with_its_status_as_it_begins(shop_project, api, monkeypatch, capfd):
    answer, turns = api.answer, iter([True])
    spec = SHOP.replace("maxAttempts: 1", "maxAttempts: 2")
    shop_project.write("specs/shop.yaml", spec)
    monkeypatch.setattr("connector_assets.assets.step._TICK_S", 0.05)
    api.answer = lambda r: (429, {}, {"Retry-After": "1"}) if next(turns, False) else answer(r)
    assert shop_project.run("shop/items").success
    told = [line for line in capfd.readouterr().err.splitlines() if " 429 " in line]
    assert len(told) == 1  # and not once a tick
    assert "429 Too Many Requests: waiting 1 s, as the server asks" in told[0]
