"""Iceberg tables: the contract of all destinations, and what is Iceberg's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector_assets.errors import Busy, LoadError
from connector_assets.load.destination import Destination
from connector_assets.load.iceberg.catalog import address_of
from connector_assets.load.iceberg.destination import IcebergDestination
from connector_assets.load.table import Cursor
from connector_assets.load.urls import destination_from_url
from tests.load.contract import KEYED, TABLE, DestinationContract, Store
from tests.postgres import emptied, run, serving_postgres
from tests.rest_catalog import serving_catalog


# Delta Lake passes the same suite in every run, over what both have in common.
@pytest.mark.slow
class TestIceberg(DestinationContract):
    every_value_is_slow = True

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Destination:
        return IcebergDestination(f"iceberg+sqlite:///{tmp_path}/catalog.db")


@pytest.fixture
def rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a REST catalog; its token is where pyiceberg looks for it."""
    monkeypatch.setenv("PYICEBERG_CATALOG__CONNECTOR_ASSETS__TOKEN", "t0ken")
    with serving_catalog(tmp_path / "catalog", "t0ken") as origin:
        yield f"iceberg+{origin}?warehouse=any"


def test_a_rest_catalog_holds_tables_as_any_other(rest: str, tmp_path: Path) -> None:
    store = Store(destination_from_url(rest), tmp_path / "staged")
    assert store.destination.uri == rest.partition("?")[0]
    assert store.destination.describe(TABLE) is None
    row = {"id": 1, "v": "a"}
    for _ in range(2):
        store.load(row, {"id": 2}, table=KEYED, mode="merge", load_id="one", cursor=Cursor(1))
    again = Store(destination_from_url(rest), tmp_path / "again")
    again.load({"id": 2, "v": "b", "new": 1}, table=KEYED, mode="merge", cursor=Cursor(2, 1))
    assert sorted(store.rows("id", "v", "new")) == [[1, "a", None], [2, "b", 1]]
    assert store.destination.read_cursor(TABLE) == 2


def test_of_two_that_read_on_from_one_position_a_rest_catalog_takes_one(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(destination_from_url(rest), tmp_path / "staged")
    store.load({"id": 1}, mode="append", cursor=Cursor(1))

    def meanwhile() -> None:
        monkeypatch.setenv("CONNECTOR_ASSETS_STATE", str(tmp_path / "another machine"))
        other = Store(destination_from_url(rest), tmp_path / "other")
        other.load({"id": 2}, mode="append", cursor=Cursor(2, 1))

    with pytest.raises(Busy, match="position moved"):
        store.load({"id": 2}, mode="append", cursor=Cursor(2, 1), fence=meanwhile)
    assert store.values("id") == [1, 2]


def test_a_catalog_that_refuses_the_token_says_where_and_shows_none(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__CONNECTOR_ASSETS__TOKEN", "s3cret")
    store = Store(destination_from_url(rest), tmp_path / "staged")
    with pytest.raises(LoadError, match=r"unauthorized error; check the catalog's add") as refused:
        store.load({"id": 1})
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(store.destination)


def test_a_catalog_in_postgresql_holds_tables_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_postgres() as url:
        run(url := emptied(url), "create schema public")
        place = url.partition("://")[2]
        mark = "&" if "?" in place else "?"
        where = f"iceberg+postgresql://{place}{mark}warehouse={tmp_path / 'warehouse'}"
        store = Store(destination_from_url(where), tmp_path / "staged")
        store.load({"id": 1}, mode="append", cursor=Cursor(1))
        store.load({"id": 2}, mode="append", cursor=Cursor(2, 1))
        assert (store.values("id"), store.destination.read_cursor(TABLE)) == ([1, 2], 2)


def test_positions_that_a_property_cannot_hold_are_refused(tmp_path: Path) -> None:
    store = Store(destination_from_url(f"iceberg+sqlite:///{tmp_path}/c.db"), tmp_path / "staged")
    many = {
        hashlib.sha256(bytes([n % 251, n // 251 % 251, n // 63001])).hexdigest(): n
        for n in range(150_000)
    }
    with pytest.raises(LoadError, match="an Iceberg table keeps at most 4 in its properties"):
        store.load({"id": 1}, cursor=Cursor(many))
    assert store.destination.describe(TABLE) is None


def test_a_table_that_somebody_partitions_is_loaded_on(tmp_path: Path) -> None:
    url = f"iceberg+sqlite:///{tmp_path}/catalog.db"
    store = Store(destination_from_url(url), tmp_path / "staged")
    store.load({"id": 1, "kind": "a"}, {"id": 2, "kind": "b"}, table=KEYED, mode="merge")
    with address_of(url).open().load_table(("crm", "people")).update_spec() as spec:
        spec.add_identity("kind")
    store.load({"id": 2, "kind": "c"}, {"id": 3, "kind": "a"}, table=KEYED, mode="merge")
    assert sorted(store.rows("id", "kind")) == [[1, "a"], [2, "c"], [3, "a"]]
