"""Assets in stores other than the DuckDB file, and what Dagster may keep of a store's URL."""

from __future__ import annotations

import dagster as dg
import pytest

from connector_assets.assets.resources import DestinationResource, destination_resource
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


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@h/db",
        "postgresql://h/db?user=me&password=s3cret",
        "postgresql://h/db?sslpassword=s3cret",
        "postgresql://h/db?pass%77ord=s3cret",
        "postgresql://me:x/s3cret@h/db",
        "postgresql://me:x?s3cret@h/db",
        "postgresql://me:x@s3cret@h/db",
        "postgresql://:s3cret@h/db",
        "postgresql://me:s3cret/db",
        "postgresql:/me:s3cret@h/db",
    ],
)
def test_a_password_anywhere_in_a_url_is_refused_in_code(shop_project, url):
    with pytest.raises(ConfigError, match="would store and show the password") as refused:
        shop_project.definitions(destination=url)
    assert "s3cret" not in str(refused.value)


def test_rows_are_staged_where_all_machines_find_them(shop_project, tmp_path):
    url = f"file://{tmp_path}/shared"
    result = shop_project.run("shop/items", staging=url)
    assert result.success
    (done,) = result.asset_materializations_for_node("shop__items")
    assert done.metadata["dagster/row_count"].value == 12
    assert (tmp_path / "shared" / "shop" / "items").is_dir()
    assert not [one for one in (tmp_path / "shared").rglob("*") if one.is_file()]


def test_a_password_of_the_staging_is_refused_in_code_and_in_the_environment(
    shop_project, monkeypatch
):
    url = "s3://key:s3cret@bucket/staging"
    with pytest.raises(ConfigError, match="staging: Dagster would store and show") as refused:
        shop_project.definitions(staging=url)
    assert "s3cret" not in str(refused.value)
    shown = dg.Definitions(resources={"s": DestinationResource(url="duckdb:///a", staging=url)})
    with pytest.raises(ConfigError, match="staging: Dagster would store and show"):
        shown.get_repository_def()
    monkeypatch.setenv("CONNECTOR_ASSETS_STAGING", url)
    with pytest.raises(ConfigError, match="staging: Dagster would store and show"):
        shop_project.definitions()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@h:5432/db?passfile=/p&sslkey=/k",
        "postgresql:///db?host=/run&user=me@corp",
        "postgresql://[::1]:5432,other:5433/db",
        "duckdb:////home/me:x@corp/data.duckdb",
        "parquet+s3://bucket/a@b",
    ],
)
def test_a_url_without_a_password_is_kept_as_it_is(url):
    assert destination_resource(url, "staging").url == url


def test_a_resource_made_by_hand_stores_no_password(monkeypatch):
    url = "postgresql://me:s3cret@127.0.0.1:1/db"
    monkeypatch.setenv("MY_URL", url)

    @dg.asset
    def opened(store: DestinationResource) -> str:
        return type(store.open()).__name__

    shown = dg.Definitions([opened], resources={"store": DestinationResource(url=url)})
    with pytest.raises(ConfigError, match="would store and show the password") as refused:
        shown.get_repository_def()
    assert "s3cret" not in str(refused.value)
    store = DestinationResource(url=dg.EnvVar("MY_URL"))
    done = dg.materialize([opened], resources={"store": store})
    assert done.output_for_node("opened") == "PostgresDestination"


def test_a_password_in_code_is_refused_and_in_the_environment_is_not_stored(
    shop_project, monkeypatch
):
    url = "postgresql://me:s3cret@127.0.0.1:1/db"
    with pytest.raises(ConfigError, match="would store and show the password") as refused:
        shop_project.definitions(destination=url)
    assert "s3cret" not in str(refused.value)
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", url)
    definitions = shop_project.definitions()
    assert "s3cret" not in repr(definitions.resources["connector_assets_destination"])
    result = shop_project.run("shop/items")
    assert not result.success
    assert "s3cret" not in str(list(result.all_events))
