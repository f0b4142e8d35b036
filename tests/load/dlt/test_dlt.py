"""dlt as a road: the contract of all destinations as far as dlt keeps it, on real engines."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector_assets.errors import Busy, ConfigError, LoadError, SchemaError
from connector_assets.load.destination import Destination
from connector_assets.load.files.lock import PathLock
from connector_assets.load.table import Claim, Cursor, Table, WriteMode
from connector_assets.load.urls import destination_from_url
from tests.load.contract import KEYED, TABLE, DestinationContract, Store
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


LOADER = """
import sys
from pathlib import Path
from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table
from connector_assets.load.urls import destination_from_url
rows = Path(sys.argv[1])
rows.write_text('{"id": 1}\\n')
segment = Segment(rows, 1, rows.stat().st_size)
print(destination_from_url("dlt:///duckdb").load(Order(Table("crm", rows.stem), "replace", [segment])).rows)
"""


def test_loads_at_once_into_one_duckdb_file_queue(duckdb_road: Destination, project: Path) -> None:
    loads = [
        subprocess.Popen(
            [sys.executable, "-c", LOADER, str(project / f"t{number}.ndjson")],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    done = [load.communicate() for load in loads]
    assert [out for out, _ in done] == ["1\n"] * 4, done
    assert [duckdb_road.count(Table("crm", f"t{number}")) for number in range(4)] == [1] * 4


def test_who_has_the_duckdb_file_is_named(duckdb_road: Destination, project: Path) -> None:
    with (
        PathLock(project / "w.duckdb.lock", what="another load"),
        pytest.raises(Busy, match="held by process"),
    ):
        destination_from_url("dlt:///duckdb", wait_s=0).count(TABLE)


@pytest.mark.slow  # a package for each load: a minute and a half
class TestDltToDuckDB(DestinationContract):
    @pytest.fixture
    def destination(self, duckdb_road: Destination) -> Destination:
        return duckdb_road

    # What dlt does otherwise

    def test_a_first_load_of_nothing_makes_the_declared_columns_that_have_a_type(
        self, store: Store
    ) -> None:
        assert store.load().columns == []
        table = Table("crm", "people", ("id",), {"n": "bigint"})
        # A column without a value has no type, and dlt none of no type.
        assert [column.name for column in store.load(table=table).columns] == ["n"]
        store.load({"id": "a", "n": 1}, table=table)
        assert store.rows("id", "n", table=table) == [["a", 1]]

    def test_a_row_that_says_so_deletes_its_key_and_the_mark_stays(self, store: Store) -> None:
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

    def test_scd2_closes_what_gains_a_column_and_takes_no_mark(self, store: Store) -> None:
        table = Table("crm", "people", ("id",), deleted="gone")
        with pytest.raises(LoadError, match="no versions of deleted rows"):
            store.load({"id": 1}, table=table, mode="scd2", cursor=Cursor(1))
        store.load({"id": 1}, {"id": 2}, table=KEYED, mode="scd2", cursor=Cursor(1))
        store.load({"id": 2, "new": "x"}, table=KEYED, mode="scd2", cursor=Cursor(2, 1))
        store.load({"id": 1, "new": None}, table=KEYED, mode="scd2", cursor=Cursor(3, 2))
        sql = "select id, new, _valid_to is null from crm.people order by id, _valid_from"
        got = [tuple(row) for row in store.destination.query(sql)[1]]
        assert got == [(1, None, True), (2, None, False), (2, "x", True)]


@pytest.mark.slow  # the same again: two minutes
class TestDltToPostgres(TestDltToDuckDB):
    def test_a_nul_is_kept_or_refused_in_words(self, store: Store) -> None:
        for number, value in enumerate(("a\0b", {"w": "\0"})):
            with pytest.raises(LoadError, match="NUL"):
                store.load({"v": value}, table=Table("crm", f"t{number}"))
        store.load({"v": "\\u0000"}, {"v": {"w": "\\u0000"}})
        assert store.values("v") == ["\\u0000", {"w": "\\u0000"}]

    @pytest.fixture
    def destination(self, postgres_road: Destination) -> Destination:
        return postgres_road


@pytest.fixture
def store(duckdb_road: Destination, tmp_path: Path) -> Store:
    return Store(duckdb_road, tmp_path / "staged")


def test_files_are_replaced_and_added_to_but_never_merged_by_halves(
    files_road: Destination, tmp_path: Path
) -> None:
    store = Store(files_road, tmp_path / "staged")
    store.load({"id": 1, "name": "a"}, {"id": 2, "name": ""}, cursor=Cursor({"at": 1}))
    store.load(
        {"id": 3, "name": None}, mode="append", cursor=Cursor({"at": 2}, {"at": 1}), load_id="x"
    )
    assert sorted(store.rows("id", "name")) == [[1, "a"], [2, ""], [3, None]]
    assert store.destination.read_cursor(TABLE) == {"at": 2}
    with pytest.raises(LoadError, match="cannot merge; use append, replace"):
        store.load({"id": 1}, table=KEYED, mode="merge")
    with pytest.raises(LoadError, match="has no partitions"):
        store.load({"id": 1}, table=Table("crm", "people", partition="a"))
    assert store.load({"id": 9, "name": "z"}).rows == 1


def test_a_type_that_would_change_is_refused_with_what_to_do(store: Store) -> None:
    store.load({"v": 1})
    with pytest.raises(SchemaError) as refused:
        store.load({"v": "x"})
    assert str(refused.value) == (
        'crm.people: column "v" is bigint and would have to become json, which dlt does not change; '
        "declare the column's type, drop the table with its dlt state, and load anew"
    )


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_a_load_that_died_before_its_package_was_complete_is_not_doubled(
    store: Store, project: Path, mode: Any
) -> None:
    store.load({"id": 1}, table=KEYED, mode=mode, load_id="one", cursor=Cursor(1))
    store.load({"id": 2}, table=KEYED, mode=mode, load_id="two", cursor=Cursor(2, 1))
    # As a kill leaves it that comes after the rows and before dlt's mark of completion.
    with duckdb.connect("w.duckdb") as connection:
        connection.execute(
            "delete from crm._dlt_loads where load_id = (select max(load_id) from crm._dlt_loads)"
        )
    assert store.destination.read_cursor(KEYED) == 1
    store.load({"id": 2}, table=KEYED, mode=mode, load_id="two", cursor=Cursor(2, 1))
    assert sorted(store.values("id", KEYED)) == ([2] if mode == "replace" else [1, 2])
    assert store.destination.read_cursor(KEYED) == 2


def test_names_follow_dlt_s_convention_and_stay_apart(store: Store) -> None:
    keys = ["createdAt", "created_at", "CreatedAt", "_dlt_id", "_load_id", "a b", ""]
    for mode in ("replace", "append"):
        store.load({key: number for number, key in enumerate(keys)}, mode=mode, load_id=mode)
    assert store.rows(*keys) == [list(range(len(keys)))] * 2
    assert store.columns()[:2] == ["created_at", "created_at_1"]


def test_missing_credentials_are_named_and_given_ones_are_not(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    road = destination_from_url("dlt:///postgres")
    with pytest.raises(LoadError, match="credentials") as missing:
        road.read_cursor(TABLE)
    assert str(missing.value).startswith("dlt:///postgres: ConfigFieldMissingException")
    monkeypatch.setenv(
        "DESTINATION__POSTGRES__CREDENTIALS", "postgresql://me:s3cret@127.0.0.1:1/db"
    )
    with pytest.raises(LoadError) as refused:
        road.read_cursor(TABLE)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value)) + repr(road)


@pytest.mark.parametrize(
    "url", ["dlt+snowflake://me:s3cret@account/db", "dlt:///", "dlt://snowflake", "dlt:///a?b=c"]
)
def test_a_dlt_url_names_a_destination_only(url: str) -> None:
    with pytest.raises(ConfigError, match="use dlt:///snowflake, or a name") as refused:
        destination_from_url(url)
    assert "s3cret" not in str(refused.value)


def test_a_name_that_dlt_does_not_know_is_an_error(project: Path) -> None:
    with pytest.raises(LoadError, match="dlt:///nowhere: UnknownDestinationModule"):
        destination_from_url("dlt:///nowhere").read_cursor(TABLE)


def test_dlt_tells_nobody_and_keeps_nothing_here(store: Store, project: Path) -> None:
    store.load({"id": 1})
    assert os.environ["RUNTIME__DLTHUB_TELEMETRY"] == "false"
    assert {path.name for path in project.iterdir()} <= {"w.duckdb", "w.duckdb.lock", "staged"}


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_rows_of_a_person_are_kept_until_the_table_is_adopted(
    duckdb_road: Destination, project: Path, tmp_path: Path, mode: WriteMode
) -> None:
    with duckdb.connect(project / "w.duckdb") as file:
        file.execute("create schema hr; create table hr.staff (id bigint)")
        file.execute("insert into hr.staff values (7)")
    store = Store(duckdb_road, tmp_path / "staged")
    table = Table("hr", "staff", ("id",), claim=Claim("hr"))
    assert duckdb_road.refuses(table, mode) is not None
    with pytest.raises(LoadError, match=r"hr\.staff: .*rows.*--adopt"):
        store.load({"id": 1}, table=table, mode=mode)
    with duckdb.connect(project / "w.duckdb") as file:
        assert file.execute("from hr.staff").fetchall() == [(7,)]
    adopted = replace(table, claim=Claim("hr", adopt=True))
    rows = store.load({"id": 1}, table=adopted, mode=mode).rows
    assert rows == (1 if mode == "replace" else 2)
    assert store.load({"id": 1}, table=table, mode=mode).rows >= 1  # it is ours from now on


@pytest.mark.parametrize("schema", ["main", "MAIN", "public", "pg_temp", "temp"])
def test_a_schema_of_the_database_is_refused(
    duckdb_road: Destination, tmp_path: Path, schema: str
) -> None:
    with pytest.raises(LoadError, match="--adopt"):
        Store(duckdb_road, tmp_path / "staged").load({"id": 1}, table=Table(schema, "people"))


def test_files_of_a_person_are_not_replaced(
    files_road: Destination, project: Path, tmp_path: Path
) -> None:
    mine = project / "lake" / "crm" / "people" / "1.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    with pytest.raises(LoadError, match="--adopt"):
        Store(files_road, tmp_path / "staged").load({"id": 1})
    assert mine.read_bytes() == b"precious"
