"""Destinations that installed packages bring, through the entry points of a real dist-info folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_assets.errors import ConfigError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table
from connector_assets.load.urls import destination_from_url

MODULE = """
from connector_assets import Capabilities, LoadError, destination_from_url

class Lake:
    uri = "lake://here"
    capabilities = Capabilities(modes=frozenset({"append"}), partitions=False)

    def __init__(self, url, wait_s):
        self.url, self.wait_s = url, wait_s
        self._file = destination_from_url("duckdb:///" + url.partition("://")[2])

    def refuses(self, table, mode):
        return self.capabilities.refuses(table, mode)

    def __getattr__(self, name):
        return getattr(self._file, name)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as pip leaves it: a module, and what its metadata says it offers."""
    info = tmp_path / "site" / "lakes-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lakes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[connector_assets.destinations]\nlake = plugged_lake:Lake\nodd = plugged_nothing:X\n"
        "duckdb = plugged_nothing:X\n"
    )
    (info.parent / "plugged_lake.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(info.parent))
    return info.parent


@pytest.mark.parametrize("scheme", ["lake", "lake+s3"])
def test_a_package_s_destination_is_found_by_its_scheme(
    package: Path, tmp_path: Path, scheme: str
) -> None:
    store = destination_from_url(f"{scheme}://{tmp_path}/d.duckdb", wait_s=7)
    assert (store.uri, store.wait_s) == ("lake://here", 7)  # type: ignore[attr-defined]
    rows = tmp_path / "rows"
    rows.write_bytes(b'{"id": 1}\n')
    assert store.load(Order(Table("crm", "a"), "append", [Segment(rows, 1, 10)])).rows == 1
    assert "cannot merge; use append" in str(store.refuses(Table("crm", "a", ("id",)), "merge"))
    assert store.refuses(Table("crm", "a", partition="x"), "append") is not None


def test_our_own_schemes_stay_ours(package: Path) -> None:
    assert isinstance(destination_from_url("duckdb:///d.duckdb"), DuckDBDestination)


def test_a_package_that_cannot_be_imported_is_named(package: Path) -> None:
    with pytest.raises(ConfigError, match=r"odd://: .*ModuleNotFoundError.*the package lakes"):
        destination_from_url("odd://x")


def test_who_mistypes_a_scheme_is_told_of_packages_too(package: Path) -> None:
    with pytest.raises(ConfigError, match="lake://"):
        destination_from_url("lak://x")
