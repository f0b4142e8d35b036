"""An asset factory of a plugin builds with the parts that assets by default are made of."""

from __future__ import annotations

import dagster as dg
import pytest

from connector_assets import connector_registry, define_connector
from connector_assets.reading.connector import Probe
from tests.assets.test_definitions import connection, keys_of, specs_of


@pytest.fixture
def files(project):
    def assets(connection, blocks):
        @dg.multi_asset(
            name="both",
            specs=[blocks.spec(one.name) for one in blocks.streams],
            check_specs=[spec for one in blocks.streams for spec in blocks.checks(one.name)],
            can_subset=True,
            required_resource_keys=blocks.resource_keys,
            **blocks.op("csv"),
        )
        def both(context):
            for one in blocks.streams:
                if blocks.spec(one.name).key in context.selected_asset_keys:
                    yield from blocks.load(context, one.name)

        @dg.sensor(name=f"{connection.id}_new", target=[blocks.spec("csv").key])
        def new():
            return dg.RunRequest()

        return dg.Definitions(assets=[both], sensors=[new], resources={"own": 1})

    plugin = define_connector(
        id="files",
        display_name="Files",
        read=lambda ctx: [{"id": 1, "of": ctx.stream.name, "key": ctx.secrets["key"][:2]}],
        secrets=["key"],
        streams=[{"name": "csv", "primaryKey": ["id"], "checks": {"minRows": 1}}, "txt"],
        assets=assets,
    )
    connector_registry.register_plugin(plugin)
    yield project
    connector_registry.unregister("files")


CONNECTION = connection(
    "id: mine\nconnector: files\nsecrets: {key: {env: FILES_KEY}}\ngroup: own\n"
    "kinds: [csv]\npool: disk\ndestination: 'duckdb:///own.duckdb'\n"
)


def test_its_assets_have_what_others_have(files, monkeypatch):
    files.write("connections/mine.yaml", CONNECTION)
    monkeypatch.setenv("FILES_KEY", "k-77")
    definitions = files.definitions()
    assert {*keys_of(definitions)} >= {"mine/csv", "mine/txt"}
    spec = specs_of(definitions)[dg.AssetKey(["mine", "csv"])]
    assert spec.group_name == "own"
    assert spec.kinds == {"csv", "duckdb", "files"}
    asset = definitions.resolve_asset_graph().get(dg.AssetKey(["mine", "csv"])).assets_def
    assert asset.op.pool == "disk"
    assert {one.name for one in asset.check_specs} >= {"min_rows", "complete"}
    result = files.run("mine/csv")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["dagster/row_count"].value == 1
    assert (files.root / "own.duckdb").exists()


def test_a_check_asks_the_source_about_what_the_table_has(project, monkeypatch):
    newest = [7]

    def assets(connection, blocks):
        @dg.asset_check(
            asset=blocks.spec("feed").key, name="news", required_resource_keys=blocks.resource_keys
        )
        def news(context):
            seen = blocks.probe(context, "feed")
            told = {**seen.metadata, "position": str(blocks.position(context, "feed"))}
            return dg.AssetCheckResult(passed=not seen.changed, metadata=told)

        return dg.Definitions.merge(blocks.definitions(), dg.Definitions(asset_checks=[news]))

    def read(ctx):
        yield {"id": newest[0]}
        ctx.position = newest[0]

    def probe(ctx, position):
        if newest[0] < 0:
            raise OSError(f"no answer, {ctx.secrets['key']}")
        return Probe({}, position != newest[0], "asked", {"newest": newest[0]})

    plugin = define_connector(
        id="feed", display_name="Feed", read=read, probe=probe, secrets=["key"], assets=assets
    )
    connector_registry.register_plugin(plugin)
    monkeypatch.setenv("FEED__KEY", "k-77-secret")
    try:
        asset = dg.AssetKey(["feed", "feed"])
        check = dg.AssetSelection.checks(dg.AssetCheckKey(asset, "news"))
        jobs = [
            dg.define_asset_job("load", dg.AssetSelection.assets(asset).without_checks()),
            dg.define_asset_job("check", check),
        ]
        definitions = dg.Definitions.merge(project.definitions(), dg.Definitions(jobs=jobs))

        def run(job):
            done = definitions.resolve_job_def(job).execute_in_process(raise_on_error=False)
            found = done.get_asset_check_evaluations()
            told = [(one.passed, {k: v.value for k, v in one.metadata.items()}) for one in found]
            return done, told

        assert run("check")[1] == [(False, {"newest": 7, "position": "None"})]
        assert run("load")[0].success
        assert run("check")[1] == [(True, {"newest": 7, "position": "7"})]
        newest[0] = 8
        assert run("check")[1] == [(False, {"newest": 8, "position": "7"})]
        newest[0] = -1
        done, told = run("check")
        (failed,) = [one for one in done.all_events if one.is_step_failure]
        assert (done.success, told) == (False, [])
        text = failed.step_failure_data.error_display_string
        assert "OSError: no answer" in text
        assert "k-77" not in text
    finally:
        connector_registry.unregister("feed")
