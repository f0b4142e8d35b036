"""dlt as a road: the contract of all destinations as far as dlt keeps it, on real engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector_assets.errors import LoadError
from connector_assets.load.table import Cursor, Destination, Table
from connector_assets.load.urls import destination_from_url
from tests.load.contract import KEYED, DestinationContract, Store
from tests.postgres import emptied, serving_postgres

pytest.importorskip("dlt")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with nothing of dlt's in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving_postgres() as url:
        yield url


@pytest.fixture
def duckdb_road(project: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{project}/w.duckdb")
    return destination_from_url("dlt:///duckdb")


@pytest.fixture
def postgres_road(project: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Destination:
    emptied(server)
    # A named destination, as dlt's users have them: two of one type in one project.
    monkeypatch.setenv("DESTINATION__WAREHOUSE__DESTINATION_TYPE", "postgres")
    credentials = server.replace("postgres:@/", "postgres:s3cret@localhost/")
    monkeypatch.setenv("DESTINATION__WAREHOUSE__CREDENTIALS", credentials)
    return destination_from_url("dlt:///warehouse")


@pytest.fixture
def files_road(project: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", f"file://{project}/lake")
    return destination_from_url("dlt:///filesystem")


class TestDltToDuckDB(DestinationContract):
    widens = False

    @pytest.fixture
    def destination(self, duckdb_road: Destination) -> Destination:
        return duckdb_road

    # What dlt does otherwise

    test_any_values_come_back_also_after_the_column_has_widened = None  # type: ignore[assignment] # types stay
    test_merge_finds_its_rows_when_the_key_has_widened = None  # type: ignore[assignment] # types stay

    def test_a_first_load_of_nothing_makes_the_declared_columns_only(self, store: Store) -> None:
        assert store.load().columns == []
        table = Table("crm", "people", ("id",), {"n": "bigint"})
        # A column without a value has no type, and dlt none of no type.
        assert [column.name for column in store.load(table=table).columns] == ["n"]
        store.load({"id": "a", "n": 1}, table=table)
        assert store.rows("id", "n", table=table) == [["a", 1]]

    def test_a_row_that_says_so_deletes_its_key(self, store: Store) -> None:
        table = Table("crm", "people", ("id",), deleted="gone")
        store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3}, table=table, mode="merge")
        rows = [
            {"id": 1, "gone": True},
            {"id": 2, "gone": True},
            {"id": 2, "v": "c"},
            {"id": 5, "gone": True},
        ]
        assert store.load(*rows, table=table, mode="merge").rows == 2
        assert sorted(store.rows("id", "v", table=table)) == [[2, "c"], [3, None]]
        assert "gone" in store.columns()  # the mark stays as a column

    def test_scd2_closes_what_is_deleted_and_what_gains_a_column(self, store: Store) -> None:
        table = Table("crm", "people", ("id",), deleted="gone")
        with pytest.raises(LoadError, match="no versions of deleted rows"):
            store.load({"id": 1}, table=table, mode="scd2", cursor=Cursor(1))
        store.load({"id": 1}, {"id": 2}, table=KEYED, mode="scd2", cursor=Cursor(1))
        store.load({"id": 2, "new": "x"}, table=KEYED, mode="scd2", cursor=Cursor(2, 1))
        store.load({"id": 1, "new": None}, table=KEYED, mode="scd2", cursor=Cursor(3, 2))
        sql = "select id, new, _valid_to is null from crm.people order by id, _valid_from"
        got = [tuple(row) for row in store.destination.query(sql)[1]]
        assert got == [(1, None, True), (2, None, False), (2, "x", True)]


SOME = [
    "merge_replaces_whole", "replace_leaves", "append_adds", "scd2_keeps", "rows_and_cursor", "deletes_its_key",
    "a_fence", "was_done", "quarantine_sets", "a_query_gives", "keys_may_be", "partition", "not_there",
]  # fmt: skip


class TestDltToPostgres(TestDltToDuckDB):
    has_nul = False

    @pytest.fixture
    def destination(self, postgres_road: Destination) -> Destination:
        return postgres_road
