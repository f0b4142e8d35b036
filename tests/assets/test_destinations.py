"""Assets in stores other than the DuckDB file, and what Dagster may keep of a store's URL."""

from __future__ import annotations

import dagster as dg
import pytest

from connector_assets.errors import ConfigError
from tests.postgres import run, serving_postgres

ITEMS = dg.AssetKey(["shop", "items"])


def test_assets_are_loaded_into_postgresql(shop_project, monkeypatch):
    with serving_postgres() as url:
        monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", url)
        result = shop_project.run("shop/items")
        assert result.success
        assert run(url, "select count(*) from shop.items") == [(12,)]
        (done,) = result.asset_materializations_for_node("shop__items")
        assert done.metadata["dagster/row_count"].value == 12
        assert done.metadata["dagster/storage_kind"].value == "postgresql"
        again = shop_project.definitions(destination=url).resolve_implicit_global_asset_job_def()
        assert again.execute_in_process(asset_selection=[ITEMS]).success


def test_a_password_in_code_is_refused_and_in_the_environment_is_not_stored(
    shop_project, monkeypatch
):
    url = "postgresql://me:s3cret@127.0.0.1:1/db"
    with pytest.raises(ConfigError, match="would store and show the password") as refused:
        shop_project.definitions(destination=url)
    assert "s3cret" not in str(refused.value)
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", url)
    definitions = shop_project.definitions()
    assert "s3cret" not in repr(definitions.resources["destination"])
    result = shop_project.run("shop/items")
    assert not result.success
    assert "s3cret" not in str(list(result.all_events))
