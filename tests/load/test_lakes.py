"""Delta Lake and Iceberg: what both promise beyond the contract of all destinations."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from connector_assets.errors import Busy, ConfigError, LoadError
from connector_assets.load.iceberg.catalog import address_of
from connector_assets.load.lake.destination import LakeDestination
from connector_assets.load.table import Claim, Cursor, Table, WriteMode
from connector_assets.load.urls import destination_from_url
from tests.load.contract import KEYED, TABLE, Store


class Lake(Store):
    """A store in a folder, and what the formats' own libraries say of its table."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.root = kind, folder / "lake"
        self.url = {
            "delta": f"delta+file:///{self.root}",
            "iceberg": f"iceberg+sqlite:///{self.root}/catalog.db",
        }[kind]
        super().__init__(destination_from_url(self.url), folder / "staged")

    def again(self) -> Lake:
        """As another process, or another machine, would open it."""
        return Lake(self.kind, self.folder.parent)

    def delta(self) -> DeltaTable:
        return DeltaTable(self.root / "crm" / "people")

    def iceberg(self) -> Any:
        return address_of(self.url).open().load_table(("crm", "people"))

    def files(self) -> set[str]:
        if self.kind == "delta":
            return set(self.delta().file_uris())
        return {task.file.file_path for task in self.iceberg().scan().plan_files()}

    def commits(self) -> list[str]:
        """The names of the loads in the table's own history, the newest last."""
        if self.kind == "delta":
            found = self.delta().history()
            return [one.get("connector_assets", {}).get("load_id") for one in found][::-1]
        snapshots = self.iceberg().metadata.snapshots
        return [one.summary.additional_properties["connector-assets.load-id"] for one in snapshots]

    def append_by_another_tool(self, rows: pa.Table) -> None:
        if self.kind == "delta":
            write_deltalake(self.root / "crm" / "people", rows, mode="append")
        else:
            self.iceberg().append(rows)


@pytest.fixture(params=["delta", pytest.param("iceberg", marks=pytest.mark.slow)])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(request.param, tmp_path)


def test_a_load_is_named_in_the_commit_and_done_once(lake: Lake) -> None:
    for _ in range(2):
        lake.load({"id": 1}, mode="append", load_id="one", cursor=Cursor(1))
    lake.again().load({"id": 2}, mode="append", load_id="two", cursor=Cursor(2, 1))
    assert lake.commits() == ["one", "two"]
    assert (lake.values("id"), lake.destination.read_cursor(TABLE)) == ([1, 2], 2)


def test_a_merge_writes_anew_only_files_that_have_rows_which_differ(lake: Lake) -> None:
    for start in (0, 100, 200):
        rows = [{"id": start + n, "v": "old"} for n in range(10)]
        lake.load(*rows, table=KEYED, mode="append")
    before = lake.files()
    assert len(before) == 3
    lake.load({"id": 105, "v": "old"}, {"id": 7, "v": "old"}, table=KEYED, mode="merge")
    assert lake.files() == before
    lake.load({"id": 105, "v": "new"}, {"id": 7, "v": "old"}, table=KEYED, mode="merge")
    assert len(before & lake.files()) == 2
    assert lake.destination.count(TABLE) == 30
    assert [row for row in lake.rows("id", "v") if row[1] == "new"] == [[105, "new"]]


def test_a_row_that_was_there_twice_is_there_once_when_its_key_changes(lake: Lake) -> None:
    lake.load({"id": 1, "v": 1}, {"id": 1, "v": 2}, {"id": 2, "v": 3}, mode="append")
    lake.load({"id": 1, "v": 4}, table=KEYED, mode="merge")
    assert sorted(lake.rows("id", "v")) == [[1, 4], [2, 3]]


@pytest.mark.parametrize("name", ["a/b%20c", "it's", "2024-01-01", "é\\", " ", "a" * 300])
def test_a_partition_of_any_name_is_replaced_by_itself(lake: Lake, name: str) -> None:
    for partition, value in ((name, 1), ("other", 2), (name, 3)):
        lake.load({"id": value}, table=replace(TABLE, partition=partition))
    assert sorted(lake.values("id")) == [2, 3]


@pytest.mark.parametrize("key", [(), ("id",)])
def test_a_partition_comes_into_a_table_that_had_none(lake: Lake, key: tuple[str, ...]) -> None:
    lake.load({"id": 1}, {"id": 2}, mode="append")
    for ids in ([2, 3], [3, 4]):
        table = Table("crm", "people", key, partition="a/b")
        lake.load(*({"id": n} for n in ids), table=table)
    assert sorted(lake.values("id")) == ([1, 3, 4] if key else [1, 2, 3, 4])


def test_a_key_that_comes_in_another_partition_leaves_the_old_one(lake: Lake) -> None:
    days = [Table("crm", "people", ("id",), partition=day) for day in "abc"]
    for table, ids in zip(days, ([1, 2], [3, 4], [2, 3, 5]), strict=True):
        lake.load(*({"id": n, "day": table.partition} for n in ids), table=table)
    assert sorted(lake.rows("id", "day")) == [[1, "a"], [2, "c"], [3, "c"], [4, "b"], [5, "c"]]


def test_a_column_that_widens_has_the_table_written_anew_and_says_so(lake: Lake) -> None:
    lake.load({"id": 1, "v": 1}, mode="append")
    loaded = lake.load({"id": 2, "v": "x"}, mode="append")
    assert loaded.notes == ('the whole table was written anew, since the types of "v" changed',)
    assert lake.rows("id", "v") == [[1, 1], [2, "x"]]
    assert not lake.load({"id": 3, "v": 4}, mode="append").notes


def test_names_and_types_are_those_that_every_engine_takes(lake: Lake) -> None:
    columns = {"n": "uinteger", "t": "time", "u": "uuid", "list": "hugeint[]"}
    row = {
        "a b": 1, "a.b": 2, "n": 7, "t": "10:00:00", "u": "00000000-0000-0000-0000-000000000001",
        "list": [2**70], "j": {"x": 1}, "big": 2**70,
    }  # fmt: skip
    table = replace(TABLE, columns=columns)
    lake.load(row, table=table)
    described = lake.destination.describe(TABLE) or []
    types = {column.name: column.type for column in described}
    assert (types["a_b"], types["a_b_1"], types["n"]) == ("long", "long", "long")
    assert (types["j"], types["big"], types["u"]) == ("string",) * 3
    assert types["t"] == ("string" if lake.kind == "delta" else "time")
    lake.load(row, table=table, mode="append")
    assert lake.rows(*row, table=table) == [list(row.values())] * 2


# Others at the same time


def test_of_two_machines_that_read_on_from_one_position_one_is_busy(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.load({"id": 1}, mode="append", cursor=Cursor(1))

    def meanwhile() -> None:
        monkeypatch.setenv("CONNECTOR_ASSETS_STATE", str(tmp_path / "another machine"))
        lake.again().load({"id": 2}, mode="append", cursor=Cursor(2, 1))

    with pytest.raises(Busy, match="position moved"):
        lake.load({"id": 2}, mode="append", cursor=Cursor(2, 1), fence=meanwhile)
    assert (lake.values("id"), lake.destination.read_cursor(TABLE)) == ([1, 2], 2)


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_what_another_tool_adds_meanwhile_is_seen_by_the_load(lake: Lake, mode: WriteMode) -> None:
    lake.load({"id": 1, "v": 1}, table=KEYED, mode=mode)
    looks = []

    def meanwhile() -> None:
        looks.append(1)
        if len(looks) == 1:
            lake.append_by_another_tool(pa.table({"id": [7], "v": [7]}))

    lake.load({"id": 7, "v": 8}, {"id": 2, "v": 2}, table=KEYED, mode=mode, fence=meanwhile)
    rows = {
        "append": [[1, 1], [2, 2], [7, 7], [7, 8]],
        "merge": [[1, 1], [2, 2], [7, 8]],
        "replace": [[2, 2], [7, 8]],
    }
    assert sorted(lake.rows("id", "v")) == rows[mode]


def test_two_loads_that_make_the_table_do_not_lose_one(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def meanwhile() -> None:
        looks.append(1)
        if len(looks) == 1:
            monkeypatch.setenv("CONNECTOR_ASSETS_STATE", str(tmp_path / "another machine"))
            lake.again().load({"id": 2}, mode="append")

    lake.load({"id": 1}, mode="append", fence=meanwhile)
    assert sorted(lake.values("id")) == [1, 2]


def test_who_is_always_late_is_busy_in_the_end(lake: Lake) -> None:
    lake.load({"id": 1}, mode="append")
    clock = iter(range(0, 10_000, 100))
    assert isinstance(lake.destination, LakeDestination)
    lake.destination = LakeDestination(
        lake.destination._lake, sleep=lambda _: None, monotonic=lambda: next(clock)
    )
    row = pa.table({"id": [7]})
    with pytest.raises(Busy, match="again and again"):
        lake.load({"id": 2}, fence=lambda: lake.append_by_another_tool(row))
    assert 2 not in lake.values("id")


# Whose a table is


def test_a_table_of_another_tool_is_refused_and_taken_over_when_adopted(lake: Lake) -> None:
    rows = pa.table({"id": pa.array([1], pa.int32()), "theirs": ["x"], "more": ["y"]})
    if lake.kind == "delta":
        write_deltalake(lake.root / "crm" / "people", rows)
    else:
        catalog = address_of(lake.url).open()
        catalog.create_namespace("crm")
        catalog.create_table(("crm", "people"), rows.schema).append(rows)
    table = replace(KEYED, claim=Claim("crm"))
    for mode in ("append", "replace", "merge"):
        refused = lake.destination.refuses(table, mode)
        assert refused is not None
        assert "--adopt" in str(refused)
        with pytest.raises(LoadError, match="--adopt"):
            lake.load({"id": 2}, table=table, mode=mode)
    mine = replace(table, claim=Claim("crm", adopt=True))
    with pytest.raises(LoadError, match='"id" has a value that is not exactly a integer'):
        lake.load({"id": 2**40}, table=mine, mode="merge")
    lake.load({"id": 1, "more": "z"}, {"id": 2, "more": "z"}, table=mine, mode="merge")
    got = lake.destination.query("select id, theirs, more from crm.people order by id")[1]
    assert got == [(1, "x", "z"), (2, None, "z")]
    other = replace(table, claim=Claim("erp"))
    with pytest.raises(LoadError, match="loaded by the connection crm, and this is erp"):
        lake.load({"id": 3}, table=other, mode="merge")


def test_files_without_a_log_are_somebodys(tmp_path: Path) -> None:
    lake = Lake("delta", tmp_path)
    mine = lake.root / "crm" / "people" / "part-0.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    with pytest.raises(LoadError, match="--adopt"):
        lake.load({"id": 1})
    lake.load({"id": 1}, table=replace(TABLE, claim=Claim(adopt=True)))
    assert (mine.read_bytes(), lake.values("id")) == (b"precious", [1])


@pytest.mark.parametrize(
    "forged",
    [
        '{"columns":[{"key":"id","column_name":"id","column_type":"BIGINT); select 1; --"}]}',
        '{"loads select 1; --":[]}',
        '{"columns":["x"]}',
        "[7]",
        "{",
    ],
)
def test_what_somebody_else_wrote_as_ours_runs_no_statement(lake: Lake, forged: str) -> None:
    lake.load({"id": 1}, mode="append")
    if lake.kind == "delta":
        (path,) = (lake.root / "crm" / "people" / "_connector_assets").glob("*.json")
        path.write_text(forged)
    else:
        with lake.iceberg().transaction() as transaction:
            transaction.set_properties({"connector-assets.facts": forged})
    with pytest.raises(LoadError, match="cannot be read; restore it, or drop the table"):
        lake.load({"id": 2}, mode="append")


def test_a_lost_file_of_facts_is_an_error_and_never_a_load_from_the_beginning(
    tmp_path: Path,
) -> None:
    lake = Lake("delta", tmp_path)
    lake.load({"id": 1}, mode="append", cursor=Cursor(1))
    for path in (lake.root / "crm" / "people" / "_connector_assets").iterdir():
        path.unlink()
    with pytest.raises(LoadError, match="is missing, which has the position"):
        lake.destination.read_cursor(TABLE)


def test_files_of_facts_before_the_last_are_swept_and_vacuum_leaves_the_others(
    tmp_path: Path,
) -> None:
    lake = Lake("delta", tmp_path)
    for number in range(4):
        lake.load(
            {"id": number}, mode="append", cursor=Cursor(number, number - 1 if number else None)
        )
    facts = lake.root / "crm" / "people" / "_connector_assets"
    assert len(list(facts.iterdir())) == 2
    lake.delta().vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert (lake.destination.read_cursor(TABLE), len(lake.values("id"))) == (3, 4)


# Addresses


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("delta:///lake", "is not clear"), ("delta+file:///", "needs a path"), ("delta+memory://x/y", "is not clear"),
        ("delta+s3://key:s3cret@bucket/x", "would be shown"), ("delta+s3://key@bucket/x", "would be shown"), ("delta+s3:///x", "is not clear"),
        ("iceberg+sqlite://", "is not clear"), ("iceberg+postgresql://host/db", "is not clear"), ("iceberg+ftp://x/y", "is not clear"),
        ("iceberg+postgresql://me:s3cret@host/db?warehouse=s3://b", "would be shown"), ("iceberg+https://host/?token=s3cret", "would be shown"),
        ("iceberg+https://host/?warehouse=w&credential=s3cret", "would be shown"), ("iceberg:///a/b", "is not clear"), ("iceberg:///a?warehouse=w", "is not clear"), ("iceberg+https://host/?x=1", "is not clear"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_clear_or_would_show_a_secret_is_refused(
    url: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        destination_from_url(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("delta+file:///lake", "delta+file:///lake"),
        ("delta+file:////abs/lake", "delta+file:////abs/lake"),
        ("delta+s3://bucket/prefix/", "delta+s3://bucket/prefix"),
        ("delta+abfss://c@account.dfs.core.windows.net/x", "delta+abfss://c@account.dfs.core.windows.net/x"),
        ("iceberg+sqlite:///catalog.db", "iceberg+sqlite:///catalog.db"),
        ("iceberg+postgresql://me@host/db?warehouse=s3://b/x", "iceberg+postgresql://host/db"),
        ("iceberg+https://host/api?warehouse=w", "iceberg+https://host/api"),
        ("iceberg:///prod", "iceberg:///prod"),
    ],
)  # fmt: skip
def test_the_address_that_is_shown(url: str, uri: str) -> None:
    assert destination_from_url(url).uri == uri


@pytest.mark.parametrize(
    ("module", "url"), [("deltalake", "delta+file:///x"), ("pyiceberg", "iceberg+sqlite:///x")]
)
def test_without_its_library_a_format_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, url: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf'pip install "connector-assets\[{url[:5]}'):
        destination_from_url(url)


def test_a_query_copies_nothing_it_does_not_name(lake: Lake) -> None:
    lake.load({"id": 1})
    lake.load({"id": 2}, table=Table("crm", "others"))
    sql = 'select a.id, b.id from crm.people a, "crm"."others" b'
    assert lake.destination.query(sql)[1] == [(1, 2)]
    with pytest.raises(LoadError):
        lake.destination.query(f"from read_parquet('{lake.root}/**/*.parquet')")
