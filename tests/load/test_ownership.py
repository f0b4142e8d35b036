"""Whose a table is: what people made, other connections load, and databases keep for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from connector_assets.errors import LoadError
from connector_assets.load.table import Claim, Table, WriteMode
from connector_assets.load.urls import destination_from_url
from tests.load.contract import Store
from tests.postgres import emptied, serving_postgres

ADOPT = Claim("hr", adopt=True)
Sql = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving_postgres() as url:
        yield url


@pytest.fixture(params=["duckdb", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, Sql]:
    """A store, and what a person runs in it with SQL."""
    path = tmp_path / "d.duckdb"
    url = f"duckdb:///{path}"
    if request.param == "postgresql":
        url = request.getfixturevalue("server")
        emptied(url)

    def sql(statements: str) -> list[Any]:
        if request.param == "duckdb":
            with duckdb.connect(path) as file:
                return file.execute(statements).fetchall()
        with psycopg.connect(url, autocommit=True) as client:
            found = client.execute(statements.encode())
            return found.fetchall() if found.description else []

    return Store(destination_from_url(url), tmp_path / "staged"), sql


def staff(schema: str = "hr", name: str = "staff", **more: Any) -> Table:
    return Table(schema, name, ("id",), **{"claim": Claim("hr"), **more})


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
def test_rows_that_a_person_brought_are_kept_until_the_table_is_adopted(
    database: tuple[Store, Sql], mode: WriteMode
) -> None:
    store, sql = database
    sql("create schema hr; create table hr.staff (id bigint, name varchar)")
    sql("insert into hr.staff values (1, 'Ann')")
    with pytest.raises(LoadError, match=r"hr\.staff: .*rows.*--adopt"):
        store.load({"id": 2}, table=staff(), mode=mode)
    assert store.destination.refuses(staff(), mode) is not None
    assert sql("select * from hr.staff") == [(1, "Ann")]
    assert store.load({"id": 2}, table=staff(claim=ADOPT), mode=mode).rows >= 1
    assert store.load({"id": 3}, table=staff(), mode=mode).rows >= 1  # it is ours from now on


def test_an_empty_table_that_a_person_made_is_taken_with_its_types(
    database: tuple[Store, Sql],
) -> None:
    store, sql = database
    sql("create schema hr; create table hr.staff (id smallint, name varchar)")
    assert store.load({"id": 2, "more": 1}, table=staff(), mode="merge").rows == 1
    types = {
        column.name: column.type.lower() for column in store.destination.describe(staff()) or ()
    }
    assert (types["id"], types["more"]) == ("smallint", "bigint")


@pytest.mark.parametrize("schema", ["main", "MAIN", "public", "Public", "pg_temp", "pg_toast"])
def test_a_schema_of_the_database_s_own_is_refused_until_it_is_adopted(
    database: tuple[Store, Sql], schema: str
) -> None:
    store, _ = database
    with pytest.raises(LoadError, match=rf"{schema}.*--adopt"):
        store.load({"id": 2}, table=staff(schema))
    assert store.destination.describe(staff(schema)) is None
    if schema.lower() == "main":
        assert store.load({"id": 2}, table=staff(schema, claim=ADOPT)).rows == 1
        assert store.load({"id": 2}, table=staff(schema)).rows == 1


@pytest.mark.parametrize("schema", ["_connector_assets", "information_schema", "PG_CATALOG"])
def test_a_schema_that_is_for_no_rows_is_refused_whatever_is_said(
    database: tuple[Store, Sql], schema: str
) -> None:
    store, _ = database
    with pytest.raises(LoadError, match="no schema for rows"):
        store.load({"id": 2}, table=staff(schema, "state", claim=ADOPT))


def test_duckdb_finds_a_person_s_table_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    with duckdb.connect(path) as file:
        file.execute("create schema HR; create table HR.Staff as select 1 id")
    store = Store(destination_from_url(f"duckdb:///{path}"), tmp_path / "staged")
    with pytest.raises(LoadError, match="--adopt"):
        store.load({"id": 2}, table=staff())
    assert store.load({"id": 2}, table=staff(claim=ADOPT), mode="append").rows == 2


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
def test_a_view_is_refused_for_what_it_is(database: tuple[Store, Sql], mode: WriteMode) -> None:
    store, sql = database
    sql('create schema "h r"; create table "h r".base (id bigint, name varchar)')
    sql("""insert into "h r".base values (7, 'x')""")
    sql('create view "h r"."Sta""ff" as select * from "h r".base')
    for claim in (Claim("hr"), ADOPT, Claim("hr", full=True)):
        with pytest.raises(LoadError, match="is a view, not a table"):
            store.load({"id": 1}, table=staff("h r", 'Sta"ff', claim=claim), mode=mode)
    assert sql('select * from "h r".base') == [(7, "x")]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        ("create materialized view hr.staff as select 1 as id", "materialized view"),
        ("create sequence hr.staff", "sequence"),
        ("create type hr.staff as (id bigint)", "type"),
        (("create foreign data wrapper w; create server s foreign data wrapper w; "
         "create foreign table hr.staff (id bigint) server s"), "foreign table"),
    ],
)  # fmt: skip
def test_postgres_has_more_that_is_no_table(
    server: str, tmp_path: Path, make: str, kind: str
) -> None:
    emptied(server)
    with psycopg.connect(server, autocommit=True) as client:
        client.execute(f"create schema hr; {make}".encode())
    store = Store(destination_from_url(server), tmp_path / "staged")
    with pytest.raises(LoadError, match=f"is a {kind}, not a table"):
        store.load({"id": 1}, table=staff(claim=ADOPT))
    with psycopg.connect(server, autocommit=True) as client:
        client.execute("drop schema hr cascade; drop foreign data wrapper if exists w cascade")


@pytest.fixture(params=["duckdb", "postgresql", "parquet"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    url = f"{request.param}:///{tmp_path}/d"
    if request.param == "postgresql":
        url = request.getfixturevalue("server")
        emptied(url)
    return Store(destination_from_url(url), tmp_path / "staged")


def test_a_table_that_another_connection_loads_is_refused_with_both_named(store: Store) -> None:
    store.load({"id": 1}, table=staff())
    other = replace(staff(), claim=Claim("south"))
    with pytest.raises(LoadError, match=r"connection hr, and this is south; .*--adopt"):
        store.load({"id": 2}, table=other)
    assert store.values("id", staff()) == [1]
    assert store.load({"id": 2}, table=replace(other, claim=Claim("south", adopt=True))).rows == 1
    with pytest.raises(LoadError, match="connection south, and this is hr"):
        store.load({"id": 3}, table=staff())


def test_a_table_without_rows_is_still_its_connection_s(store: Store) -> None:
    """The next load brings rows again, and would find another's among them."""
    store.load({"id": 1}, table=staff())
    store.load(table=staff())
    assert store.destination.count(staff()) == 0
    with pytest.raises(LoadError, match="connection hr, and this is south"):
        store.load({"id": 2}, table=replace(staff(), claim=Claim("south")))


@pytest.mark.parametrize(("before", "now"), [("merge", "merge"), ("merge", "scd2")])
def test_another_key_is_refused_with_both_and_the_way(
    store: Store, before: WriteMode, now: WriteMode
) -> None:
    store.load(
        {"code": 1, "region": "eu"}, table=replace(staff(), primary_key=("code",)), mode=before
    )
    table = replace(staff(), primary_key=("region", "code"))
    with pytest.raises(LoadError, match=r"by the key code, and primaryKey is now region, code"):
        store.load({"code": 2, "region": "eu"}, table=table, mode=now)
    assert store.values("code", table) == [1]
    anew = replace(table, claim=Claim("hr", full=True))
    if now == "scd2":  # --full keeps versions, and these are by the old key
        with pytest.raises(LoadError, match="rename or drop the table, whose versions are by the"):
            store.load({"code": 2, "region": "eu"}, table=anew, mode=now)
    else:
        assert store.load({"code": 3, "region": "us"}, table=anew, mode=now).rows == 1
        turned = replace(table, primary_key=("code", "region"))  # the order says nothing
        assert store.load({"code": 4, "region": "us"}, table=turned, mode=now).rows == 2


def test_a_key_that_was_only_written_otherwise_is_said_to_be(store: Store) -> None:
    store.load({"ID": 1}, table=replace(staff(), primary_key=("ID",)), mode="merge")
    with pytest.raises(LoadError, match=r"key ID, and primaryKey is now id \(they differ in case"):
        store.load({"id": 1}, table=staff(), mode="merge")


def test_a_history_is_lost_by_no_mode_and_by_no_option(store: Store) -> None:
    for value in "ab":
        store.load({"id": 1, "v": value}, table=staff(), mode="scd2")
    for claim in (Claim("hr"), Claim("hr", full=True), ADOPT):
        for mode in ("merge", "replace", "append"):
            with pytest.raises(LoadError, match=f"history .*{mode} would lose it.*--full"):
                store.load({"id": 1, "v": "c"}, table=staff(claim=claim), mode=mode)
    assert sorted(store.values("v", staff())) == ["a", "b"]


def test_a_table_that_an_earlier_version_loaded_is_still_ours(
    database: tuple[Store, Sql],
) -> None:
    store, sql = database
    store.load({"id": 1}, table=staff())
    sql("drop table _connector_assets.tables")
    assert store.destination.refuses(staff(), "merge") is None
    assert store.load({"id": 2}, table=staff(), mode="merge").rows == 2
    with pytest.raises(LoadError, match="connection hr"):
        store.load({"id": 3}, table=staff(claim=Claim("south")))
