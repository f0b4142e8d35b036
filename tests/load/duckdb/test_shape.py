"""Comments, constraints and indexes that a spec wants of a DuckDB table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.table import Index, Wanted, WriteMode
from tests.load.contract import KEYED, Store

MODES: list[WriteMode] = ["append", "replace", "merge", "scd2"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.duckdb"


@pytest.fixture
def store(path: Path, tmp_path: Path) -> Store:
    return Store(DuckDBDestination(path), tmp_path / "staged")


def run(path: Path, sql: str) -> list[Any]:
    with duckdb.connect(path) as connection:
        return connection.execute(sql).fetchall()


def comments(path: Path) -> dict[str, str]:
    found = run(path, "select '', comment from duckdb_tables() where schema_name = 'crm'")
    columns = "select column_name, comment from duckdb_columns() where schema_name = 'crm'"
    return {name: text for name, text in [*found, *run(path, columns)] if text}


@pytest.mark.parametrize("mode", MODES)
def test_comments_are_what_the_spec_says_and_keep_in_step(
    store: Store, path: Path, mode: WriteMode
) -> None:
    table = replace(KEYED, wanted=Wanted("People", {"id": "It's the key"}))
    store.load({"id": 1, "v": 1}, table=table, mode=mode)
    assert comments(path) == {"": "People", "id": "It's the key"}
    run(path, "comment on column crm.people.v is 'mine'")
    later = replace(KEYED, wanted=Wanted("All people", {"late": "Late"}))
    store.load({"id": 2, "v": 2, "late": 1}, table=later, mode=mode)
    assert comments(path) == {"": "All people", "id": "It's the key", "v": "mine", "late": "Late"}
    store.load({"id": 3, "v": 2}, table=KEYED, mode=mode)
    assert comments(path) == {"": "All people", "id": "It's the key", "v": "mine", "late": "Late"}


@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_constraints_and_indexes_are_made_once_and_hold(
    store: Store, path: Path, mode: WriteMode
) -> None:
    indexes = Index(("v",)), Index(("w", "v"), unique=True), Index(("late",))
    wanted = Wanted(required=("v",), indexes=indexes, has_key=True)
    table = replace(KEYED, wanted=wanted)
    store.load({"id": 1, "v": 1, "w": 1}, {"id": 1, "v": 2, "w": 2}, table=table, mode=mode)
    store.load({"id": 1, "v": 3, "w": 3}, {"id": 2, "v": 4, "w": 4}, table=table, mode=mode)
    store.load({"id": 2, "v": 5, "w": 4, "late": 1}, table=table, mode=mode)
    names = {name for (name,) in run(path, "select index_name from duckdb_indexes()")}
    assert names == {"people_v_idx", "people_w_v_key", "people_late_idx"}
    (table_,) = run(path, "select has_primary_key from duckdb_tables() where schema_name = 'crm'")
    assert table_ == (True,)
    nullable = "select column_name from duckdb_columns() where schema_name = 'crm' and is_nullable"
    assert {name for (name,) in run(path, nullable)} == {"w", "late"}
    ids = [2] if mode == "replace" else [1, 2]
    assert sorted(store.values("id")) == ids


def test_old_rows_that_break_a_constraint_are_an_error(store: Store) -> None:
    store.load({"id": 1, "v": None}, {"id": 2, "v": 1}, table=KEYED, mode="merge")
    wanted = replace(KEYED, wanted=Wanted(required=("v",)))
    with pytest.raises(LoadError, match=r"NOT NULL|null"):
        store.load({"id": 3, "v": 1}, table=wanted, mode="merge")
    assert store.destination.count(KEYED) == 2
    store.load({"id": 1, "v": 1}, table=wanted, mode="replace")
    assert store.values("id") == [1]
