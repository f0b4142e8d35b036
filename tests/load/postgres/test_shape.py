"""Comments, constraints and indexes that a spec wants of a PostgreSQL table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector_assets.errors import LoadError
from connector_assets.load.postgres.destination import PostgresDestination
from connector_assets.load.table import Index, Wanted, WriteMode
from tests.load.contract import KEYED, Store
from tests.postgres import emptied, serving_postgres

COMMENTS = (
    "select coalesce(a.attname, '')::text, d.description from pg_description d "
    "left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and a.attnum > 0 "
    "where d.objoid = 'crm.people'::regclass and d.classoid = 'pg_class'::regclass"
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving_postgres() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    return emptied(server)


@pytest.fixture
def store(url: str, tmp_path: Path) -> Store:
    return Store(PostgresDestination(url), tmp_path / "staged")


def run(url: str, sql: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(sql)
        return found.fetchall() if found.description else []


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
def test_comments_are_what_the_spec_says_and_keep_in_step(
    store: Store, url: str, mode: WriteMode
) -> None:
    table = replace(KEYED, wanted=Wanted("People", {"id": "It's the key"}))
    store.load({"id": 1, "v": 1}, table=table, mode=mode)
    assert dict(run(url, COMMENTS)) == {"": "People", "id": "It's the key"}
    run(url, "comment on column crm.people.v is 'mine'")
    later = replace(KEYED, wanted=Wanted("All people", {"late": "Late"}))
    for more in (later, KEYED):
        store.load({"id": 2, "v": 2, "late": 1}, table=more, mode=mode)
        said = {"": "All people", "id": "It's the key", "v": "mine", "late": "Late"}
        assert dict(run(url, COMMENTS)) == said


@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_constraints_and_indexes_are_made_once_and_hold(
    store: Store, url: str, mode: WriteMode
) -> None:
    indexes = Index(("v",)), Index(("w", "v"), unique=True), Index(("late",))
    table = replace(KEYED, wanted=Wanted(required=("v",), indexes=indexes, has_key=True))
    store.load({"id": 1, "v": 1, "w": 1}, {"id": 1, "v": 2, "w": 2}, table=table, mode=mode)
    store.load({"id": 1, "v": 3, "w": 3}, {"id": 2, "v": 4, "w": 4}, table=table, mode=mode)
    store.load({"id": 2, "v": 5, "w": 4, "late": 1}, table=table, mode=mode)
    names = {
        name
        for (name,) in run(url, "select indexname::text from pg_indexes where schemaname = 'crm'")
    }
    assert names == {"people_pkey", "people_v_idx", "people_w_v_key", "people_late_idx"}
    found = store.destination.describe(KEYED) or ()
    assert {column.name for column in found if column.nullable} == {"w", "late"}
    assert sorted(store.values("id")) == ([2] if mode == "replace" else [1, 2])


def test_old_rows_that_break_a_constraint_are_an_error(store: Store) -> None:
    store.load({"id": 1, "v": None}, {"id": 2, "v": 1}, table=KEYED, mode="merge")
    wanted = replace(KEYED, wanted=Wanted(required=("v",)))
    with pytest.raises(LoadError, match="null values"):
        store.load({"id": 3, "v": 1}, table=wanted, mode="merge")
    assert store.destination.count(KEYED) == 2
