"""PostgreSQL: the contract of all destinations, on a real server from a package."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from connector_assets.errors import Busy, LoadError
from connector_assets.load.postgres import PostgresDestination
from connector_assets.load.table import Cursor, Destination, Table
from connector_assets.load.urls import destination_from_url
from tests.load.contract import KEYED, TABLE, DestinationContract, Store

pgserver = pytest.importorskip("pgserver")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    # Not in pytest's folder: the server runs as a user of its own, who may not look into that.
    with tempfile.TemporaryDirectory() as folder:
        running = pgserver.get_server(folder, cleanup_mode="stop")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture
def url(server: str) -> str:
    """A database with nothing in it."""
    with psycopg.connect(server, autocommit=True) as connection:
        schemas = connection.execute(
            "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)'"
        ).fetchall()
        for (name,) in schemas:
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
    return server


class TestPostgres(DestinationContract):
    # PostgreSQL has no NUL in texts and at most 1600 columns; `test_nul_…` below has the error.
    has_nul = False

    @pytest.fixture
    def destination(self, url: str) -> Destination:
        return PostgresDestination(url)


@pytest.fixture
def store(url: str, tmp_path: Path) -> Store:
    return Store(PostgresDestination(url), tmp_path / "staged")


def types(store: Store, table: Table = TABLE) -> dict[str, str]:
    return {column.name: column.type for column in store.destination.describe(table) or ()}


def run(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        result = connection.execute(statement.encode())
        return result.fetchall() if result.description else []


def test_columns_have_the_types_postgres_has_for_them(store: Store) -> None:
    table = Table("crm", "people", columns={"price": "decimal(12,2)", "tags": "varchar[]"})
    row = {
        "a": True, "b": 1, "c": 2**70, "d": 1.5, "e": "x", "f": {}, "g": "2024-01-01", "h": "2024-01-01T00:00:00",
        "i": "2024-01-01T00:00:00Z", "price": "1.10", "tags": ["x"],
    }  # fmt: skip
    store.load(row, table=table)
    assert types(store) == {
        "a": "boolean", "b": "bigint", "c": "numeric", "d": "double precision", "e": "text", "f": "jsonb", "g": "date",
        "h": "timestamp without time zone", "i": "timestamp with time zone", "price": "numeric(12,2)", "tags": "jsonb",
    }  # fmt: skip


def test_a_table_in_use_by_another_load_is_busy_and_says_whose(store: Store, url: str) -> None:
    clock = iter(range(0, 1000, 200))
    hasty = PostgresDestination(url, sleep=lambda _: None, monotonic=lambda: next(clock))
    busy: list[str] = []

    def meanwhile() -> None:
        with pytest.raises(Busy) as held:
            hasty.load(TABLE, store.segments({"id": 2}), "append")
        busy.append(str(held.value))

    store.destination.load(
        TABLE, store.segments({"id": 1}), "append", fence=meanwhile, run_id="r-7"
    )
    assert "held by connector-assets" in busy[0]
    assert "r-7" in busy[0]
    assert store.values("id") == [1]


def test_readers_see_the_old_rows_until_the_commit(store: Store, url: str) -> None:
    store.load({"id": 1})
    seen: list[Any] = []
    store.load({"id": 2}, fence=lambda: seen.extend(run(url, "select id from crm.people")))
    assert seen == [(1,)]
    assert store.values("id") == [2]


def test_a_column_changed_by_hand_is_taken_as_it_is(store: Store, url: str) -> None:
    store.load({"id": 1, "n": 1}, table=KEYED)
    run(url, "alter table crm.people alter n type integer; alter table crm.people add mine text")
    store.load({"id": 1, "n": 2}, table=KEYED, mode="merge")
    assert types(store)["n"] == "integer"
    with pytest.raises(LoadError, match='row 1: column "n"'):
        store.load({"id": 2, "n": 2**40}, table=KEYED, mode="merge")
    assert store.rows("id", "n", "mine") == [[1, 2, None]]


def test_too_many_columns_is_an_error_and_nothing_changes(store: Store) -> None:
    store.load({"id": 1})
    with pytest.raises(LoadError, match="1600 columns"):
        store.load({f"c{number}": 1 for number in range(1700)})
    assert store.columns() == ["id"]


def test_a_connection_that_is_cut_leaves_the_old_table(store: Store, url: str) -> None:
    store.load({"id": 1}, cursor=Cursor(1))

    def cut() -> None:
        run(
            url,
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'connector-assets%'",
        )

    with pytest.raises(LoadError):
        store.load({"id": 2}, cursor=Cursor(2, 1), fence=cut)
    assert store.values("id") == [1]
    assert store.load({"id": 2}, cursor=Cursor(2, 1)).rows == 1


def test_a_server_that_is_not_there_is_an_error_without_the_password(tmp_path: Path) -> None:
    destination = destination_from_url("postgresql://me:s3cret@127.0.0.1:1/db")
    assert destination.uri == "postgresql://127.0.0.1:1/db"
    assert "s3cret" not in repr(destination)
    with pytest.raises(LoadError) as failed:
        destination.read_cursor(TABLE)
    assert "s3cret" not in str(failed.value)
    assert "127.0.0.1" in str(failed.value)
