"""An asset factory of a plugin builds with the parts that assets by default are made of."""

from __future__ import annotations

import dagster as dg
import pytest

from connector_assets import connector_registry, define_connector
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
