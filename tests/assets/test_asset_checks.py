"""Checks that a connection or a spec asks for: with the step, alone, and blocking; and one run's wishes."""

from __future__ import annotations

import time

import dagster as dg
import pytest

from connector_assets.runtime.clock import Clock
from tests.assets.conftest import SECRET, SHOP
from tests.assets.test_definitions import connection, specs_of

ITEMS = dg.AssetKey(["shop", "items"])


@pytest.fixture
def shop(shop_project, api):
    """The shop with checks of its connection; `rows` are what its server has."""

    def project(checks, spec=SHOP, more=""):
        shop_project.write(
            "specs/shop.yaml",
            spec.replace("checks: {minRows: 10}", more or "where: null").replace(
                ", where: null", ""
            ),
        )
        text = f"id: shop\nconnector: shop\nstreams: {{items: {{checks: {checks}}}}}\n"
        shop_project.write("connections/shop.yaml", connection(text))
        return shop_project

    return project


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def answering(api, rows):
    api.answer = lambda request: {"rows": rows, "next": None}


def ran(project, instance, *, checks=None, config=None):
    """Materialize, or with `checks` only judge; the verdicts by name."""
    definitions = project.definitions()
    graph = definitions.resolve_implicit_global_asset_job_def()
    given = {"asset_selection": [ITEMS]}
    if checks is not None:
        given = {"asset_selection": [], "op_selection": None}
        selection = dg.AssetSelection.checks(*(dg.AssetCheckKey(ITEMS, name) for name in checks))
        graph = dg.define_asset_job("only", selection).resolve(
            asset_graph=definitions.resolve_asset_graph()
        )
        job = dg.Definitions(
            assets=definitions.assets,
            resources=definitions.resources,
            jobs=[dg.define_asset_job("only", selection)],
        ).resolve_job_def("only")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    else:
        ops = {"ops": {"shop__items": {"config": config}}} if config else None
        result = graph.execute_in_process(
            instance=instance, raise_on_error=False, run_config=ops, **given
        )
    return result, {one.check_name: one for one in result.get_asset_check_evaluations()}


ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


@pytest.mark.parametrize(
    ("checks", "rows", "failed"),
    [
        ("{key: true}", ROWS, []),
        ("{key: true}", [*ROWS, {"id": 3, "name": None}], []),
        ("{minRows: 3, maxRows: 1}", ROWS, ["max_rows", "min_rows"]),
        ("{notNull: [name]}", [*ROWS, {"id": 3, "name": None}], ["not_null"]),
        (
            '{sql: [{name: named, query: "select * from {table} where name is null"}]}',
            [*ROWS, {"id": 3, "name": None}],
            ["named"],
        ),
        ('{sql: [{name: broken, query: "select * from nowhere"}]}', ROWS, ["broken"]),
    ],
)
def test_checks_are_judged_with_the_step_and_alone(shop, api, instance, *, checks, rows, failed):
    answering(api, rows)
    project = shop(checks)
    result, with_step = ran(project, instance)
    assert result.success
    assert sorted(name for name, one in with_step.items() if not one.passed) == failed
    asked = len(api.seen)
    _, alone = ran(project, instance, checks=list(with_step))
    assert {name: one.passed for name, one in alone.items()} == {
        name: one.passed for name, one in with_step.items()
    }
    assert len(api.seen) == asked


def test_checks_alone_are_what_a_run_of_the_ui_asks_for(shop, api, instance):
    answering(api, ROWS)
    project = shop("{minRows: 3, key: true}")
    ran(project, instance)
    asked = len(api.seen)
    job = project.definitions().resolve_implicit_global_asset_job_def()
    alone = job.get_subset(
        asset_selection=set(),
        asset_check_selection={dg.AssetCheckKey(ITEMS, name) for name in ("min_rows", "complete")},
    )
    result = alone.execute_in_process(instance=instance, raise_on_error=False)
    found = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert found == {"min_rows": False, "complete": True}
    assert not result.get_asset_materialization_events()
    assert len(api.seen) == asked


def test_a_key_that_is_there_twice_reddens_its_check(shop, api, instance):
    spec = SHOP.replace("primaryKey: [id]", "primaryKey: [id], writeMode: append")
    answering(api, [*ROWS, {"id": 2, "name": "c"}])
    _, found = ran(shop("{key: true}", spec), instance)
    assert not found["key"].passed
    assert found["key"].metadata["keys_twice"].value == 1


def test_a_load_is_compared_with_the_one_before(shop, api, instance):
    project = shop("{maxDrop: 0.4, maxGrowth: 0.5, sameColumns: true}")
    answering(api, ROWS)
    _, first = ran(project, instance)
    assert first["rows_change"].passed
    assert first["same_columns"].passed
    answering(api, [*ROWS, {"id": 3, "name": "c", "color": "red"}, {"id": 4, "name": "d"}])
    result, second = ran(project, instance)
    assert not second["rows_change"].passed
    assert second["rows_change"].metadata["change"].value == 1.0
    assert not second["same_columns"].passed
    assert "color is new" in second["same_columns"].description
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata[
        "schema_changes"
    ].value == "color is new: VARCHAR".replace(
        "VARCHAR", event.materialization.metadata["schema_changes"].value.split(": ")[1]
    )
    _, alone = ran(project, instance, checks=["rows_change", "same_columns"])
    assert not alone["rows_change"].passed
    assert not alone["same_columns"].passed


@pytest.mark.parametrize("said", ["{freshWithin: PT1H}", "{}, freshWithin: PT1H"])
def test_a_load_that_is_long_ago_is_not_fresh(shop, api, instance, monkeypatch, said):
    answering(api, ROWS)
    project = shop(said)
    _, never = ran(project, instance, checks=["fresh"])
    assert (never["fresh"].passed, never["fresh"].description) == (False, "never loaded")
    _, loaded = ran(project, instance)
    assert loaded["fresh"].passed
    _, soon = ran(project, instance, checks=["fresh"])
    assert soon["fresh"].passed
    monkeypatch.setattr(Clock, "time", lambda _self: time.time() + 3700)
    _, later = ran(project, instance, checks=["fresh"])
    assert not later["fresh"].passed
    assert later["fresh"].metadata["age_s"].value > 3600


def test_a_blocking_check_keeps_children_from_loading(shop, api, instance):
    spec = SHOP.replace(
        "    - {name: v1.odd-name}",
        "    - {name: lines, endpoint: list, forEach: [{parent: {stream: items, field: id}}]}",
    )
    project = shop("{maxRows: 1, blocking: [max_rows]}}, lines: {", spec)
    answering(api, ROWS)
    job = project.definitions().resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        asset_selection=[ITEMS, dg.AssetKey(["shop", "lines"])], raise_on_error=False
    )
    assert not result.success
    loaded = [event.asset_key.path[-1] for event in result.get_asset_materialization_events()]
    assert loaded == ["items"]


@pytest.mark.parametrize(
    ("checks", "fault"),
    [
        (
            "{blocking: [keys]}",
            'checks.blocking: names "keys", which is no check here; use some of complete',
        ),
        ("{sql: [{name: A b, query: select 1}]}", "checks.sql.0.name: must be small letters"),
    ],
)
def test_a_check_that_cannot_be_is_a_fault(shop, checks, fault):
    broken, *_ = specs_of(shop(checks).definitions()).values()
    assert fault in broken.description


def test_rows_are_shown_short_masked_and_without_what_is_private(shop, api, instance):
    spec = SHOP.replace("primaryKey: [id]", 'primaryKey: [id], columns: {mail: {tags: {pii: ""}}}')
    rows = [{"id": 1, "mail": "a@b.example", "note": f"{SECRET} {'x' * 200}"}] * 1
    answering(api, rows)
    result, _ = ran(shop("{}", spec), instance)
    (event,) = result.get_asset_materialization_events()
    (row,) = event.materialization.metadata["sample"].records
    assert set(row.data) == {"id", "note"}
    assert row.data["note"].startswith("[secret:token] xxx")
    assert len(row.data["note"]) == 81


CHANGES = """checks: {minRows: 0},
       incremental: {cursorField: at, startParam: since, endParam: until, start: "2024-01-01T00:00:00Z", format: iso}"""


def test_one_run_may_ask_for_a_limit_a_start_or_a_window(shop, api, instance):
    def answer(request):
        page = int(request.query.get("cursor", 0))
        day = 10 + page
        rows = [{"id": page, "at": f"2024-01-{day}T00:00:00Z"}]
        return {"rows": rows, "next": str(page + 1) if page < 4 else None}

    api.answer = answer
    project = shop("{}", SHOP, CHANGES)

    def since(config):
        before = len(api.seen)
        result, _ = ran(project, instance, config=config)
        assert result.success
        (event,) = result.get_asset_materialization_events()
        queries = [request.query for request in api.seen[before:]]
        return event.materialization.metadata, queries

    told, queries = since({"limit": 2})
    assert told["rows_received"].value == 2
    assert told["complete"].value is False
    told, queries = since({})
    assert queries[0]["since"] == "2024-01-01T00:00:00Z"  # the cursor was left alone
    assert told["rows_received"].value == 5
    told, queries = since({"start": "2024-01-05T00:00:00Z"})
    assert queries[0]["since"] == "2024-01-05T00:00:00Z"
    window = {"start": "2024-01-11T00:00:00Z", "end": "2024-01-13T00:00:00Z"}
    told, queries = since({"window": window})
    assert (queries[0]["since"], queries[0]["until"]) == (window["start"], window["end"])
    assert told["dagster/row_count"].value == 5
    told, queries = since({})
    assert queries[0]["since"] == "2024-01-14T00:00:00Z"


def test_a_window_for_a_stream_without_one_is_said(shop, api, instance):
    answering(api, ROWS)
    window = {"start": "2024-01-11", "end": "2024-01-13"}
    result, _ = ran(shop("{}"), instance, config={"window": window})
    (event,) = result.get_step_failure_events()
    assert "start and window are for an incremental stream" in str(event.event_specific_data)


def test_the_requests_that_are_left_are_a_number_to_plot(shop, api, instance):
    spec = SHOP.replace("endpoints:", "rateLimit: {remainingHeader: x-left}\nendpoints:")
    api.answer = lambda _request: (200, {"rows": ROWS, "next": None}, {"x-left": "41"})
    result, _ = ran(shop("{}", spec), instance)
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["quota_left"].value == 41
