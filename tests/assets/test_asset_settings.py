"""What a definition says before any run, and what a connection may say of its assets."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from connector_assets import ConnectorTranslator
from tests.assets.conftest import SHOP
from tests.assets.test_definitions import connection, keys_of, specs_of

ITEMS = dg.AssetKey(["shop", "items"])
RICH = SHOP.replace(
    "displayName: Shop",
    "displayName: Shop\ndescription: What the shop sells.\ndocsUrl: https://docs.example.com/api",
).replace(
    "checks: {minRows: 10}}",
    "docsUrl: https://docs.example.com/items, columns: {id: bigint, name: {type: varchar, "
    'description: What it is called., tags: {pii: ""}}, price: {description: In cents.}}, '
    "fields: {rename: {cost: price}}}\n"
    "    - {name: lines, endpoint: list, forEach: [{parent: {stream: items, field: id, as: item_id, include: [name]}}],\n"
    "       primaryKey: [id], columns: {item: bigint, of: varchar},\n"
    '       fields: {add: {item: "{{item_id}}", of: "{{parent.name}}"}}}',
)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def eu(project, text, spec=SHOP):
    project.write("specs/shop.yaml", spec)
    project.write("connections/eu.yaml", connection(f"id: eu\nconnector: shop\n{text}"))
    return project.definitions()


def asset(definitions, key):
    return next(
        one
        for one in definitions.assets
        if isinstance(one, dg.AssetsDefinition) and dg.AssetKey(key.split("/")) in one.keys
    )


def test_a_definition_shows_table_store_columns_and_docs_before_any_run(project):
    project.write("specs/shop.yaml", RICH)
    told = specs_of(project.definitions())[ITEMS].metadata
    assert told["dagster/table_name"] == "shop.items"
    assert told["dagster/uri"] == "duckdb:///data.duckdb"
    assert told["dagster/storage_kind"] == "duckdb"
    assert told["docs"] == dg.MetadataValue.url("https://docs.example.com/items")
    columns = {one.name: one for one in told["dagster/column_schema"].columns}
    assert [columns[n].type for n in ("id", "name", "price")] == ["bigint", "varchar", "?"]
    assert columns["name"].description == "What it is called."
    assert columns["id"].tags == {"primary_key": ""}
    assert columns["name"].tags == {"pii": ""}


def test_the_docs_of_a_stream_are_the_connectors_where_it_has_none(project):
    project.write("specs/shop.yaml", RICH)
    told = specs_of(project.definitions())[dg.AssetKey(["shop", "lines"])].metadata
    assert told["docs"] == dg.MetadataValue.url("https://docs.example.com/api")


def test_a_password_in_a_destination_is_not_in_the_definition(project, monkeypatch):
    project.write("specs/shop.yaml", SHOP)
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", "postgresql://me:hunter2@h/db")
    told = specs_of(project.definitions())[ITEMS].metadata
    assert "hunter2" not in str(told)
    assert told["dagster/storage_kind"] == "postgresql"


def test_the_api_is_upstream_of_what_reads_it_and_parents_of_children(project, monkeypatch):
    monkeypatch.setenv("SHOP__BASE_URL", "https://api.example.com")
    project.write("specs/shop.yaml", RICH)
    specs = {one.key: one for one in project.definitions().resolve_all_asset_specs()}
    api = specs[dg.AssetKey(["apis", "shop"])]
    assert "What the shop sells\\." in api.description or "What the shop sells." in api.description
    deps = {key.path[-1]: [dep.asset_key.path[0] for dep in one.deps] for key, one in specs.items()}
    assert deps == {"shop": [], "items": ["apis"], "lines": ["shop"], "v1_odd_name": ["apis"]}


def test_a_column_says_the_path_or_the_parents_column_that_it_comes_from(project):
    project.write("specs/shop.yaml", RICH)
    specs = specs_of(project.definitions())

    def origins(stream):
        lineage = specs[dg.AssetKey(["shop", stream])].metadata["dagster/column_lineage"]
        return {
            column: [("/".join(dep.asset_key.path), dep.column_name) for dep in deps]
            for column, deps in lineage.deps_by_column.items()
        }

    assert origins("items") == {
        "id": [("apis/shop", "$.id")],
        "name": [("apis/shop", "$.name")],
        "price": [("apis/shop", "$.cost")],
    }
    assert origins("lines") == {
        "id": [("apis/shop", "$.id")],
        "item": [("shop/items", "id")],
        "of": [("shop/items", "name")],
    }


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("keyPrefix: raw/europe\n", ["raw/europe/eu/items", "raw/europe/eu/v1_odd_name"]),
        ("keyPrefix: [raw]\n", ["raw/eu/items", "raw/eu/v1_odd_name"]),
        ("key: '{{connector}}/{{ stream }}'\n", ["shop/items", "shop/v1_odd_name"]),
        ("streams: {items: {key: [lake, things]}}\n", ["lake/things"]),
    ],
)
def test_keys_are_chosen_apart_from_schema_and_variables(project, text, keys):
    definitions = eu(project, text)
    assert keys_of(definitions) == keys
    names = {spec.metadata["dagster/table_name"] for spec in specs_of(definitions).values()}
    assert "eu.items" in names


def test_a_chosen_key_materializes_into_the_same_table(shop_project, api, monkeypatch):
    monkeypatch.setenv("EU__BASE_URL", api.origin)
    monkeypatch.setenv("EU__TOKEN", "canary-4711/x+y")
    definitions = eu(shop_project, "keyPrefix: raw\nstreams: [items]\n")
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(asset_selection=[dg.AssetKey(["raw", "eu", "items"])])
    assert result.success
    assert len(shop_project.rows("eu.items")) == 12


def test_what_is_said_of_a_stream_wins_over_what_is_said_of_all(project):
    text = """
tags: {tier: gold, team: x}
kinds: [crm]
metadata: {contract: 7}
freshWithin: PT6H
deps: [crm/accounts]
opTags: {dagster-k8s/config: {container_config: {resources: {limits: {cpu: 2}}}}}
retryPolicy: {maxRetries: 2, delay: 30, backoff: exponential}
pool: shop_api
automationCondition: eager
streams:
  items: {tags: {tier: silver}, kinds: [items], metadata: {owner: ann}, deps: [a/b], pool: mine,
          retryPolicy: {maxRetries: 1}, automationCondition: "0 5 * * *", freshWithin: P1D}
  v1.odd-name:
"""
    definitions = eu(project, text.lstrip())
    specs = specs_of(definitions)
    items, odd = specs[dg.AssetKey(["eu", "items"])], specs[dg.AssetKey(["eu", "v1_odd_name"])]
    assert (items.tags["tier"], items.tags["team"], odd.tags["tier"]) == ("silver", "x", "gold")
    assert items.kinds == {"items", "duckdb", "shop"}
    assert odd.kinds == {"crm", "duckdb", "shop"}
    assert items.metadata["contract"] == 7
    assert items.metadata["owner"] == "ann"
    assert {dep.asset_key.to_user_string() for dep in items.deps} == {
        "apis/eu",
        "crm/accounts",
        "a/b",
    }
    assert items.freshness_policy.fail_window.to_timedelta() == dt.timedelta(days=1)
    assert odd.freshness_policy.fail_window.to_timedelta() == dt.timedelta(hours=6)
    op = asset(definitions, "eu/items").op
    assert (op.pool, op.retry_policy.max_retries) == ("mine", 1)
    assert asset(definitions, "eu/v1_odd_name").op.retry_policy.backoff == dg.Backoff.EXPONENTIAL
    assert "dagster-k8s/config" in op.tags


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_cron_does_not_wait_for_the_api_which_nothing_loads(project, instance):
    definitions = eu(project, "automationCondition: '* * * * *'\nstreams: [items]\n")
    now = dt.datetime(2026, 1, 1, 0, 0, 30, tzinfo=dt.UTC)
    first = dg.evaluate_automation_conditions(definitions, instance, evaluation_time=now)
    second = dg.evaluate_automation_conditions(
        definitions, instance, cursor=first.cursor, evaluation_time=now + dt.timedelta(minutes=2)
    )
    assert (first.total_requested, second.total_requested) == (0, 1)


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_an_eager_child_is_asked_for_once_its_parent_is_loaded(project, instance):
    definitions = eu(project, "streams: {items: , lines: {automationCondition: eager}}\n", RICH)
    lines = dg.AssetKey(["eu", "lines"])
    first = dg.evaluate_automation_conditions(definitions, instance)
    instance.report_runless_asset_event(dg.AssetMaterialization(["eu", "items"]))
    second = dg.evaluate_automation_conditions(definitions, instance, cursor=first.cursor)
    assert (first.get_num_requested(lines), second.get_num_requested(lines)) == (0, 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "key: '{{table}}/x'\n",
            'key: reads "table"; a key may read connection, connector, stream',
        ),
        ("keyPrefix: 'a b'\n", 'keyPrefix: must be parts of letters, digits and "_"'),
        (
            "automationCondition: often\n",
            "automationCondition: must be eager, on_missing, or a cron",
        ),
        ("kinds: ['a b']\n", "kinds.0: must be up to 63 letters"),
        ("freshWithin: P1M\n", "freshWithin: must be in weeks, days or less"),
        (
            "retryPolicy: {maxRetries: 0}\n",
            "retryPolicy.maxRetries: must be a whole number of at least 1",
        ),
    ],
)
def test_what_dagster_would_refuse_is_a_fault_at_its_line(project, text, fault):
    broken, *_ = specs_of(eu(project, text)).values()
    assert "connections/eu.yaml:5:" in broken.description
    assert fault in broken.description


def test_a_materialization_has_descriptions_and_lineage_of_all_columns(shop_project):
    shop_project.write(
        "specs/shop.yaml", RICH.replace("fields: {rename: {cost: price}}", "fields: {}")
    )
    (event,) = shop_project.run("shop/items").get_asset_materialization_events()
    told = event.materialization.metadata
    columns = {one.name: one for one in told["dagster/column_schema"].schema.columns}
    assert columns["name"].description == "What it is called."
    assert told["dagster/column_lineage"].value.deps_by_column["id"][0].column_name == "$.id"


class Mine(ConnectorTranslator):
    def get_asset_key(self, connection, stream):
        return dg.AssetKey(
            ["lake", connection.id, stream.name.upper().replace(".", "_").replace("-", "_")]
        )

    def get_asset_spec(self, connection, stream, spec):
        return spec.merge_attributes(tags={"kind": stream.mode})


def test_a_translator_changes_keys_everywhere_and_what_is_shown(project):
    eu(project, "schedule: '0 3 * * *'\nstreams: [items, lines]\n", RICH)
    definitions = project.definitions(translator=Mine())
    assert project.definitions(translator=Mine()) is definitions
    specs = specs_of(definitions)
    items, lines = dg.AssetKey(["lake", "eu", "ITEMS"]), dg.AssetKey(["lake", "eu", "LINES"])
    assert specs[items].tags["kind"] == "replace"
    assert [dep.asset_key for dep in specs[lines].deps] == [items]
    lineage = specs[lines].metadata["dagster/column_lineage"].deps_by_column
    assert lineage["item"][0].asset_key == items
    job = definitions.resolve_job_def("eu_job")
    assert job.asset_layer.executable_asset_keys == {items, lines}
