"""Which files a load by key writes anew, and how many there are after many loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector_assets.load.files.folders import LocalFolder
from connector_assets.load.parquet import files, step
from connector_assets.load.parquet.destination import ParquetDestination
from connector_assets.load.table import Table, Wanted, WriteMode
from tests.load.contract import KEYED, Store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Files of four rows; one of fewer than three is small."""
    monkeypatch.setattr(files, "_BLOCK", 4)
    monkeypatch.setattr(step, "SMALL", 3)
    return Store(ParquetDestination(LocalFolder(root)), tmp_path / "staged")


def names(root: Path) -> set[str]:
    return {path.relative_to(root / "crm").as_posix() for path in (root / "crm").rglob("*.parquet")}


def rows(*ids: int, v: Any = "a") -> list[dict[str, Any]]:
    return [{"id": number, "v": v} for number in ids]


def merge(store: Store, *given: Any, mode: WriteMode = "merge", table: Table = KEYED) -> None:
    store.load(*given, table=table, mode=mode)


def test_only_files_with_rows_that_change_are_written_anew(store: Store, root: Path) -> None:
    merge(store, *rows(*range(12)))
    first = names(root)
    assert len(first) == 3
    merge(store, {"id": 5, "v": "b"})
    assert len(first & names(root)) == 2
    found = {tuple(row) for row in store.rows("id", "v")}
    assert found == {(number, "b" if number == 5 else "a") for number in range(12)}


@pytest.mark.parametrize(
    "given",
    [
        {"id": 5, "v": "a"},
        '{"v": "a", "id": 5}',
    ],
)
def test_a_row_that_comes_as_it_was_writes_nothing(store: Store, root: Path, given: Any) -> None:
    merge(store, *rows(*range(12)))
    first = names(root)
    merge(store, given)
    assert names(root) == first
    assert store.destination.count(KEYED) == 12


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, 1), (1, None), ("a", "b"), ([1], [2]), (0.1, 0.2), ({"a": 1}, {"a": None}), (2**70, 2**70 + 1)],
)  # fmt: skip
def test_what_differs_in_one_value_is_changed(store: Store, before: Any, after: Any) -> None:
    merge(store, *rows(*range(8), v=before))
    merge(store, {"id": 3, "v": after})
    found = {row[0]: row[1] for row in store.rows("id", "v")}
    assert found == {number: after if number == 3 else before for number in range(8)}


def test_a_column_that_a_row_lacks_becomes_null(store: Store) -> None:
    merge(store, *rows(*range(8)))
    merge(store, {"id": 2})
    assert dict(store.rows("id", "v"))[2] is None


def test_a_new_column_comes_with_the_row_that_has_it(store: Store) -> None:
    merge(store, *rows(*range(8)))
    merge(store, {"id": 2, "v": "a", "late": 1}, {"id": 3, "v": "a", "late": None})
    assert {row[0]: row[1] for row in store.rows("id", "late")}[2] == 1
    assert store.destination.count(KEYED) == 8


def test_of_two_old_rows_of_a_key_neither_stays_beside_the_new_one(store: Store) -> None:
    """Not even where one of the two is what comes."""
    for value in ("a", "b"):
        merge(store, *rows(5, 6, v=value), mode="append")
    merge(store, {"id": 5, "v": "a"})
    assert sorted(store.rows("id", "v")) == [[5, "a"], [6, "a"], [6, "b"]]


def test_a_key_is_gone_also_where_its_row_comes_as_it_was(store: Store) -> None:
    table = replace(KEYED, deleted="gone")
    merge(store, *rows(*range(8)), table=table)
    merge(store, {"id": 3, "v": "a", "gone": True}, {"id": 4, "v": "a", "gone": False}, table=table)
    assert sorted(store.values("id")) == [0, 1, 2, 4, 5, 6, 7]


def test_the_time_of_a_load_makes_no_row_another(store: Store, root: Path) -> None:
    table = replace(KEYED, wanted=Wanted(load_columns=("_loaded_at", "_load_id")))
    merge(store, *rows(*range(8)), table=table)
    first, before = names(root), sorted(store.rows("id", "_loaded_at", "_load_id"))
    merge(store, *rows(*range(8)), table=table)
    assert names(root) == first
    merge(store, {"id": 3, "v": "b"}, table=table)
    after = sorted(store.rows("id", "_loaded_at", "_load_id"))
    assert [old == new for old, new in zip(before, after, strict=True)] == [
        number != 3 for number in range(8)
    ]


def test_only_a_new_row_is_of_no_partition(store: Store) -> None:
    for part, ids in (("x", range(4)), ("y/z", range(4, 8))):
        merge(store, *rows(*ids), mode="replace", table=replace(KEYED, partition=part))
    merge(store, {"id": 5, "v": "b"}, {"id": 9, "v": "new"})
    parts = dict(store.destination.query("select id, _partition from crm.people")[1])
    assert (parts[5], parts[4], parts[0], parts[9]) == ("y/z", "y/z", "x", None)


def test_keys_that_are_gone_leave_their_files(store: Store, root: Path) -> None:
    table = replace(KEYED, deleted="_gone")
    merge(store, *rows(*range(12)), table=table)
    first = names(root)
    gone = [{"id": 5, "_gone": True}, {"id": 99, "_gone": True}, {"id": 0, "v": "b"}]
    merge(store, *gone, {"id": 11, "_gone": False, "v": "a"}, table=table)
    assert sorted(store.values("id")) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert len(first & names(root)) == 1
    assert store.columns() == ["id", "v"]
    merge(store, *({"id": number, "_gone": True} for number in range(12)), table=table)
    assert names(root) == set()
    merge(store, *rows(1), table=table)
    assert store.values("id") == [1]


def test_a_key_that_is_there_twice_is_there_once_after(store: Store) -> None:
    merge(store, *rows(1, 2, 3, 4, 5, 1), mode="append")
    merge(store, {"id": 1, "v": "b"})
    assert sorted(map(tuple, store.rows("id", "v"))) == [
        (1, "b"),
        *((n, "a") for n in (2, 3, 4, 5)),
    ]


def test_a_row_that_changes_stays_in_its_partition(store: Store, root: Path) -> None:
    for part in ("a", "b"):
        table = replace(KEYED, partition=part)
        start = 10 if part == "b" else 0
        store.load(*rows(*range(start, start + 8)), table=table)
    first = names(root)
    merge(store, {"id": 3, "v": "new"}, {"id": 50, "v": "new"})
    changed = names(root) - first
    assert {name.split("/")[1] for name in changed} == {
        "partition=a",
        "partition=__HIVE_DEFAULT_PARTITION__",
    }
    assert len(first & names(root)) == 3


def test_a_row_that_moved_to_another_partition_leaves_the_old(store: Store, root: Path) -> None:
    for part, ids in (("a", range(8)), ("b", range(10, 18))):
        store.load(*rows(*ids), table=replace(KEYED, partition=part))
    first = names(root)
    store.load(*rows(3, 10), table=replace(KEYED, partition="b"))
    assert sorted(store.values("id")) == [0, 1, 2, 3, 4, 5, 6, 7, 10]
    kept = first & names(root)
    assert len(kept) == 1


def test_many_loads_of_few_rows_make_few_files(store: Store, root: Path) -> None:
    most = 0
    for number in range(24):
        merge(store, *rows(number), mode="append" if number % 2 else "merge")
        most = max(most, len(names(root)))
    assert most <= 16 + 24 // 4
    assert sorted(store.values("id")) == list(range(24))


def test_a_type_that_widens_is_written_in_all_files(store: Store, root: Path) -> None:
    merge(store, *rows(*range(8)))
    first = names(root)
    merge(store, {"id": 1, "v": 7})
    assert not first & names(root)
    assert dict(store.rows("id", "v"))[1] == 7


@pytest.mark.parametrize("name", ["file_row_number", "connector_assets_file", "filename"])
def test_a_field_called_as_what_we_look_by_is_a_field(store: Store, name: str) -> None:
    merge(store, *({"id": number, name: number} for number in range(8)))
    merge(store, {"id": 3, name: 30})
    assert {row[0]: row[1] for row in store.rows("id", name)} == {
        number: 30 if number == 3 else number for number in range(8)
    }
