"""A project's files as Dagster definitions, without running anything."""

from __future__ import annotations

import warnings
from datetime import timedelta

import dagster as dg
import pytest
from pydantic import BaseModel

from connector_assets import ConfigError, connector_registry, define_connector
from connector_assets.assets.stream import CONFIG
from tests.assets.conftest import SHOP

ITEMS = dg.AssetKey(["shop", "items"])


def specs_of(definitions):
    """Those of streams, without the APIs that they read."""
    every = definitions.resolve_all_asset_specs()
    return {spec.key: spec for spec in every if "api" not in spec.kinds}


def keys_of(definitions):
    return sorted(key.to_user_string() for key in specs_of(definitions))


def connection(text):
    return f'kind: connection\nversion: "1.0"\n{text}'


def test_a_stream_is_an_asset_whose_key_is_its_table(project):
    project.write("specs/shop.yaml", SHOP)
    assert keys_of(project.definitions()) == ["shop/items", "shop/v1_odd_name"]


def test_an_asset_says_what_it_is(project):
    path = project.write("specs/shop.yaml", SHOP)
    spec = specs_of(project.definitions())[ITEMS]
    assert spec.group_name == "shop"
    assert spec.kinds == {"shop", "duckdb"}
    assert spec.owners == ["team:data"]
    assert spec.tags["domain"] == "sales"
    assert spec.description.startswith("Everything on sale.")
    assert "`GET {{base_url}}/items` replaces `shop.items`, one row per `id`." in spec.description
    reference = spec.metadata["dagster/code_references"].code_references[0]
    line = SHOP.splitlines()[reference.line_number - 1]
    assert reference.file_path == str(path)
    assert "name: items" in line


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("replace", "replaces `shop.items`"),
        ("append", "appended to `shop.items`"),
        ("merge", "merged into `shop.items`"),
        ("scd2", "kept in all its versions in `shop.items`"),
    ],
)
def test_the_description_says_what_a_load_does(project, mode, says):
    named = f"{{name: items, writeMode: {mode}"
    project.write("specs/shop.yaml", SHOP.replace("{name: items", named))
    assert says in specs_of(project.definitions())[ITEMS].description


def test_a_connection_overrides_labels_and_picks_streams(project):
    project.write("specs/shop.yaml", SHOP)
    project.write(
        "connections/eu.yaml",
        connection(
            "id: eu\nconnector: shop\npool: shop_api\ngroup: sales\nowners: [a@example.com]\n"
            "streams: {items: {tags: {tier: gold}, group: core/items}}\n"
        ),
    )
    definitions = project.definitions()
    spec = specs_of(definitions)[dg.AssetKey(["eu", "items"])]
    assert keys_of(definitions) == ["eu/items"]
    assert (spec.group_name, spec.owners) == ("core/items", ["a@example.com"])
    assert spec.tags["tier"] == "gold"
    assert definitions.get_assets_def(spec.key).op.pool == "shop_api"


def test_an_asset_links_to_its_line_in_the_connection_and_in_the_connector(project):
    project.write("specs/shop.yaml", SHOP)
    text = connection("id: eu\nconnector: shop\nstreams: [items]\n")
    project.write("connections/eu.yaml", text)
    metadata = specs_of(project.definitions())[dg.AssetKey(["eu", "items"])].metadata
    links = metadata["dagster/code_references"].code_references
    lines = [(link.label.split(":")[0], link.line_number) for link in links]
    named = [number for number, line in enumerate(SHOP.splitlines(), 1) if "name: items" in line]
    assert lines == [("eu.yaml", 5), ("shop.yaml", named[0])]


def test_links_to_files_of_one_name_are_called_by_their_folders(project):
    project.write("specs/shop.yaml", SHOP)
    text = connection("id: shop\nconnector: shop\nstreams: [items]\n")
    project.write("connections/shop.yaml", text)
    links = specs_of(project.definitions())[ITEMS].metadata["dagster/code_references"]
    labels = [link.label.split(":")[0] for link in links.code_references]
    assert labels == ["connections", "specs"]


def test_a_child_depends_on_the_parent_whose_table_it_reads(project):
    child = "    - {name: lines, forEach: [{parent: {stream: items, field: id}}]}\n"
    project.write("specs/shop.yaml", SHOP + child)
    definitions = project.definitions()
    lines = dg.AssetKey(["shop", "lines"])
    graph = definitions.resolve_asset_graph()
    assert graph.get(lines).parent_keys == {ITEMS}


def test_a_pool_that_dagster_refuses_is_a_fault(project):
    project.write("specs/shop.yaml", SHOP)
    text = connection("id: eu\nconnector: shop\npool: shop api\nstreams: [items]\n")
    project.write("connections/eu.yaml", text)
    broken = specs_of(project.definitions())[dg.AssetKey(["eu", "items"])]
    assert "connections/eu.yaml:5:7: pool: must hold no space" in broken.description


def test_a_connection_may_have_a_destination_of_its_own(project):
    project.write("specs/shop.yaml", SHOP)
    project.write(
        "connections/eu.yaml",
        connection("id: eu\nconnector: shop\ndestination: duckdb:///eu.duckdb\n"),
    )  # fmt: skip - one document
    resources = project.definitions().resources
    assert resources["connector_assets_destination_eu"].url == "duckdb:///eu.duckdb"
    assert resources["connector_assets_destination"].url == "duckdb:///data.duckdb"


def test_the_code_version_changes_with_the_rows_and_not_with_the_prose(project):
    def version(text):
        project.write("specs/shop.yaml", text)
        return specs_of(project.definitions())[ITEMS].code_version

    before = version(SHOP)
    assert version(SHOP.replace("Everything on sale.", "All of it.")) == before
    assert version(SHOP.replace("maxAttempts: 1", "maxAttempts: 3")) == before
    assert version(SHOP.replace("/{{stream}}", "/v2/{{stream}}")) != before


def test_values_of_a_connection_are_part_of_the_code_version(project):
    def version(value):
        project.write("specs/shop.yaml", SHOP)
        text = f"id: eu\nconnector: shop\nconfig: {{base_url: {value}}}\n"
        project.write("connections/eu.yaml", connection(text))
        return specs_of(project.definitions())[dg.AssetKey(["eu", "items"])].code_version

    assert version("https://a.example.com") != version("https://b.example.com")


def test_definitions_are_built_once_until_a_file_changes(project):
    project.write("specs/shop.yaml", SHOP)
    first = project.definitions()
    assert project.definitions() is first
    project.write("specs/more.yaml", SHOP.replace("id: shop", "id: more"))
    assert "more/items" in keys_of(project.definitions())


def test_folders_and_destination_come_from_the_environment(project, monkeypatch):
    project.write("elsewhere/shop.yaml", SHOP)
    monkeypatch.setenv("CONNECTOR_ASSETS_SPECS", "elsewhere")
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", "duckdb:////srv/x.duckdb")
    monkeypatch.setenv("CONNECTOR_ASSETS_STAGING", "/srv/staging")
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", "127.0.0.1:8001, 10.0.0.0/8")
    definitions = project.definitions()
    assert keys_of(definitions) == ["shop/items", "shop/v1_odd_name"]
    destination = definitions.resources["connector_assets_destination"]
    assert (destination.url.get_value(), destination.staging) == (
        "duckdb:////srv/x.duckdb",
        "/srv/staging",
    )
    assert definitions.resources["connector_assets_http"].allow_private == [
        "127.0.0.1:8001",
        "10.0.0.0/8",
    ]


def test_an_empty_project_has_no_assets_and_still_loads(project):
    (project.root / "specs").mkdir()
    assert keys_of(project.definitions()) == []


def test_a_folder_that_is_not_there_is_said_where_a_step_finds_no_project(project):
    with pytest.raises(ConfigError) as told:
        project.definitions()
    assert str(told.value) == (
        f"specs: there is no folder {project.root}/specs; set CONNECTOR_ASSETS_SPECS to where it is "
        "on this machine, or start its processes in the project's folder"
    )


def test_an_executor_of_workers_elsewhere_is_told_of_a_relative_folder(project, monkeypatch):
    @dg.executor(name="celery")
    def remote(_init):
        raise NotImplementedError

    monkeypatch.setenv("CONNECTOR_ASSETS_STATE", "redis://h/0")
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", "postgresql://h/db")
    project.write("specs/shop.yaml", SHOP)
    with pytest.warns(UserWarning, match="below its own working folder") as warned:
        project.definitions(executor=remote)
    assert 'CONNECTOR_ASSETS_SPECS: steps are run by the executor "celery"' in str(
        warned[0].message
    )
    monkeypatch.setenv("CONNECTOR_ASSETS_SPECS", str(project.root / "specs"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        project.definitions(executor=remote)


def test_two_builds_with_arguments_of_their_own_merge_beside_a_users_resources(project):
    project.write("specs/shop.yaml", SHOP)
    project.write("other/crm.yaml", SHOP.replace("id: shop", "id: crm"))
    merged = dg.Definitions.merge(
        project.definitions(destination="duckdb:///a.duckdb", allow_private=["10.0.0.1"]),
        project.definitions(specs="other", destination="duckdb:///b.duckdb", staging="b"),
        dg.Definitions(resources={"http": "mine", "destination": "mine"}),
    )
    used = {
        asset.key.path[0]: {
            key: getattr(merged.resources[key], "url", None)
            for key in asset.required_resource_keys - {"io_manager"}
        }
        for asset in merged.assets
        if isinstance(asset, dg.AssetsDefinition)
    }
    assert set(used["shop"].values()) == {None, "duckdb:///a.duckdb"}
    assert set(used["crm"].values()) == {None, "duckdb:///b.duckdb"}
    assert merged.resources["http"] == "mine"


def test_a_description_fills_in_what_is_known_before_a_run_but_no_secret(project, monkeypatch):
    project.write("specs/shop.yaml", SHOP.replace("{{stream}}", "{{stream}}/{{region}}/{{now}}"))
    text = "id: eu\nconnector: shop\nvars: {region: north}\nstreams: [items]\n"
    project.write("connections/eu.yaml", connection(text))
    key = dg.AssetKey(["eu", "items"])
    assert (
        "GET {{base_url}}/items/north/{{now}}" in specs_of(project.definitions())[key].description
    )
    monkeypatch.setenv("EU__BASE_URL", "https://me:hunter2@a.example.com")
    project.write("connections/eu.yaml", connection(text + "description: again\n"))
    assert "GET {{base_url}}/items" in specs_of(project.definitions())[key].description
    monkeypatch.setenv("EU__BASE_URL", "https://a.example.com")
    project.write("connections/eu.yaml", connection(text + "description: once more\n"))
    told = specs_of(project.definitions())[key].description
    assert "GET https://a.example.com/items/north/{{now}}" in told


@pytest.mark.parametrize("cron", ["0 3 * * *", "daily"])
def test_the_schedule_and_the_job_of_a_file_with_faults_stay_and_run_into_them(project, cron):
    project.write("specs/shop.yaml", SHOP)
    text = f"id: eu\nconnector: shop\nschedule: {cron}\nstreams: [items]\nsecrets: {{tokn: {{env: X}}}}\n"
    project.write("connections/eu.yaml", connection(text))
    definitions = project.definitions()
    schedule = definitions.resolve_schedule_def("eu_schedule")
    assert schedule.cron_schedule == ("@daily" if cron == "daily" else cron)
    done = definitions.resolve_job_def("eu_job").execute_in_process(raise_on_error=False)
    (failed,) = done.get_step_failure_events()
    assert "connections/eu.yaml:" in failed.event_specific_data.error.message + str(
        failed.event_specific_data.error.cause
    )


def test_a_check_of_the_definitions_fails_with_every_fault_and_its_line(project, monkeypatch):
    project.write("specs/shop.yaml", SHOP)
    project.write("specs/crm.yaml", SHOP.replace("method", "metod").replace("url:", "urll:"))
    project.write("connections/eu.yaml", connection("id: eu\nconnector: shop\nschedule: daily\n"))
    assert project.definitions()  # at run time all else goes on
    project.write("connections/us.yaml", connection("id: us\nconnector: shopp\n"))
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    with pytest.raises(dg.DagsterInvalidDefinitionError) as told:
        project.definitions()
    for line in (
        "specs/crm.yaml:15:16: endpoints.0.urll: ",
        "connections/eu.yaml:5:11: schedule: must be a cron",
        "    schedule: daily\n              ^",
        'connections/us.yaml:4:12: connector: "shopp" is not a connector',
    ):
        assert line in str(told.value)


def test_definitions_merge_with_a_project_of_ones_own(project):
    project.write("specs/shop.yaml", SHOP)
    project.write("other/crm.yaml", SHOP.replace("id: shop", "id: crm"))
    mine = dg.Definitions(assets=[dg.AssetSpec("mine")])
    merged = dg.Definitions.merge(project.definitions(), project.definitions(specs="other"), mine)
    assert keys_of(merged) == [
        "crm/items",
        "crm/v1_odd_name",
        "mine",
        "shop/items",
        "shop/v1_odd_name",
    ]  # fmt: skip - a list of keys


def test_a_bad_file_keeps_its_assets_in_sight_and_the_others_alive(project):
    project.write("specs/shop.yaml", SHOP)
    bad = SHOP.replace("id: shop", "id: crm").replace("displayName: Shop\n", "")
    path = project.write("specs/crm.yaml", bad)
    specs = specs_of(project.definitions())
    broken = specs[dg.AssetKey(["crm", "items"])]
    assert ITEMS in specs
    assert broken.kinds == {"invalid"}
    assert f"specs/{path.name}:2:1: displayName: is required" in broken.description


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "id: Bad Id", "id: 3\nread: 4", "\x00"])
def test_a_file_that_says_nothing_is_one_asset_named_after_it(project, text):
    project.write("specs/some-file.yaml", text)
    assert keys_of(project.definitions()) == ["some_file/invalid_spec"]


def test_two_files_with_one_id_are_told_apart(project):
    project.write("specs/a.yaml", SHOP)
    project.write("specs/b.yaml", SHOP)
    assert keys_of(project.definitions()) == ["shop/invalid_spec", "shop/items", "shop/v1_odd_name"]


def test_a_schedule_materialises_its_connection(project):
    project.write("specs/shop.yaml", SHOP)
    text = "id: eu\nconnector: shop\nschedule: '0 3 * * *'\nstreams: {items: , v1.odd-name: {schedule: '@hourly'}}\n"
    project.write("connections/eu.yaml", connection(text))
    definitions = project.definitions()
    crons = {s.name: s.cron_schedule for s in definitions.schedules}
    assert crons == {"eu_schedule": "0 3 * * *", "eu__v1_odd_name_schedule": "@hourly"}
    job = definitions.resolve_job_def("eu_job")
    assert job.asset_layer.executable_asset_keys == {dg.AssetKey(["eu", "items"])}


def test_crons_are_of_the_time_zone_that_is_set(project, monkeypatch):
    project.write("specs/shop.yaml", SHOP)
    text = "id: eu\nconnector: shop\nschedule: '0 3 * * *'\n"
    project.write("connections/eu.yaml", connection(text))
    (utc,) = project.definitions().schedules
    monkeypatch.setenv("CONNECTOR_ASSETS_TIMEZONE", "Europe/Madrid")
    (madrid,) = project.definitions().schedules
    assert (utc.execution_timezone, madrid.execution_timezone) == ("UTC", "Europe/Madrid")


def test_many_schedules_become_conditions_on_their_assets(project, monkeypatch):
    monkeypatch.setattr("connector_assets.assets.schedules.MOST_SCHEDULES", 1)
    project.write("specs/shop.yaml", SHOP)
    for name in ("eu", "us"):
        text = f"id: {name}\nconnector: shop\nschedule: '0 3 * * *'\n"
        project.write(f"connections/{name}.yaml", connection(text))
    definitions = project.definitions()
    spec = specs_of(definitions)[dg.AssetKey(["eu", "items"])]
    assert not definitions.schedules
    on_cron = dg.AutomationCondition.on_cron("0 3 * * *")
    api = dg.AssetSelection.assets(["apis", "eu"])
    assert spec.automation_condition == on_cron.ignore(api)


def test_how_long_a_table_is_fresh_is_a_policy_of_its_asset(project):
    fresh = SHOP.replace("checks: {minRows: 10}", "checks: {freshWithin: P1DT6H}")
    project.write("specs/shop.yaml", fresh)
    spec = specs_of(project.definitions())[ITEMS]
    expected = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=1, hours=6))
    assert spec.freshness_policy == expected


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        ("P1M", "must be in weeks, days or less; months differ"),
        ("PT59S", "must be at least a minute, PT1M"),
        ("a day", "not an ISO 8601 duration such as P1D or PT30M"),
    ],
)
def test_a_span_that_dagster_cannot_keep_is_a_fault(project, span, fault):
    project.write("specs/shop.yaml", SHOP.replace("minRows: 10", f"freshWithin: {span}"))
    broken = specs_of(project.definitions())[ITEMS]
    assert f"read.streams.0.checks.freshWithin: {fault}" in broken.description


class Config(BaseModel):
    path: str


@pytest.fixture
def registered():
    added = []

    def register(**given):
        given = {"display_name": "Files", "read": lambda _: [], **given}
        added.append(connector_registry.register_plugin(define_connector(**given)))

    yield register
    for plugin in added:
        connector_registry.unregister(plugin.id)


def test_a_plugins_streams_are_assets_beside_those_of_specs(project, registered):
    project.write("specs/shop.yaml", SHOP)
    registered(id="files", config_schema=Config, streams=["csv", "txt"])
    assert keys_of(project.definitions()) == [
        "files/csv",
        "files/txt",
        "shop/items",
        "shop/v1_odd_name",
    ]  # fmt: skip - a list of keys


def test_a_plugin_may_build_its_assets_itself(project, registered):
    def one(connection):
        return [dg.AssetSpec([connection.id, "topic"], kinds={"kafka"})]

    def other(connection):
        return dg.Definitions(assets=[dg.AssetSpec([connection.id, "table"])])

    registered(id="kafka", assets=one)
    registered(id="snowflake", assets=other)
    assert keys_of(project.definitions()) == ["kafka/topic", "snowflake/table"]


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
@pytest.mark.parametrize("part", ["streams", "assets"])
def test_a_plugin_that_raises_is_a_broken_asset_and_stops_no_other(
    project, registered, part, error
):
    def streams():
        raise error("not today")

    def assets(_):
        raise error("not today")

    project.write("specs/shop.yaml", SHOP)
    registered(id="files", **{part: streams if part == "streams" else assets})
    specs = specs_of(project.definitions())
    assert ITEMS in specs
    assert "not today" in specs[dg.AssetKey(["files", "invalid_spec"])].description


def test_a_plugin_module_that_is_missing_is_a_broken_asset(project, monkeypatch):
    project.write("specs/shop.yaml", SHOP)
    monkeypatch.setenv("CONNECTOR_ASSETS_PLUGINS", "no_such_module")
    specs = specs_of(project.definitions())
    assert ITEMS in specs
    told = specs[dg.AssetKey(["no_such_module", "invalid_spec"])].description
    assert 'CONNECTOR_ASSETS_PLUGINS: no_such_module: module "no_such_module" is not found' in told


def test_streams_of_a_plugin_that_would_share_a_table_are_a_fault(project, registered):
    registered(id="files", streams=["A.b", "a_b"])
    spec = specs_of(project.definitions())[dg.AssetKey(["files", "invalid_spec"])]
    assert '"A.b" and "a_b" would share a table; rename one' in spec.description


def test_an_asset_is_what_the_decorator_would_make_of_it(project):
    project.write("specs/shop.yaml", SHOP)
    made = project.definitions().get_assets_def(ITEMS)
    (spec,), checks = made.specs, list(made.check_specs)

    @dg.multi_asset(
        name=made.op.name,
        specs=[spec],
        check_specs=checks,
        required_resource_keys=made.op.required_resource_keys,
        config_schema=CONFIG,
        can_subset=True,
    )
    def decorated(): ...

    def facts(asset):
        outs = {
            name: (out.dagster_type, out.is_required, out.code_version, out.is_dynamic)
            for name, out in asset.op.output_dict.items()
        }
        return (
            outs,
            asset.keys_by_output_name,
            set(asset.keys_by_input_name.values()),
            asset.check_specs_by_output_name,
            [one.dagster_type for one in asset.op.input_dict.values()],
            (asset.op.config_field.config_type.key, asset.op.config_field.is_required),
            asset.required_resource_keys,
            (asset.can_subset, asset.execution_type, asset.is_materializable),
        )

    assert facts(made) == facts(decorated)


FROZEN = """
import gc, sys
from connector_assets.assets import factory
factory._MANY_OBJECTS = int(sys.argv[1])
factory.build_definitions()
print(gc.isenabled(), gc.get_freeze_count() > 0, gc.get_threshold()[0] == factory._MANY_OBJECTS)
"""


@pytest.mark.parametrize(("many", "is_frozen"), [(100, True), (10_000_000, False)])
def test_what_a_large_project_is_made_of_is_not_looked_through_again(project, many, is_frozen):
    """In a process of its own: it holds for all that is in one."""
    project.write("specs/shop.yaml", SHOP)
    told = project.tool("python", "-W", "ignore", "-c", FROZEN, str(many)).stdout.split()
    assert told == ["True", str(is_frozen), str(is_frozen)]
