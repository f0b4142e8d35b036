"""DuckDB tables on which a person has put something: keys, indexes, defaults, comments, types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.table import Claim, Table, WriteMode
from tests.load.contract import Store

TABLE = Table("t", "a", ("id",), claim=Claim("t"))
FULL = replace(TABLE, claim=Claim("t", full=True))
Sql = Callable[[str], list[Any]]


@pytest.fixture
def sql(tmp_path: Path) -> Sql:
    def run(statements: str) -> list[Any]:
        with duckdb.connect(tmp_path / "d.duckdb") as file:
            return file.execute(statements).fetchall()

    run("create schema t")
    return run


@pytest.fixture
def store(sql: Sql, tmp_path: Path) -> Store:
    return Store(DuckDBDestination(tmp_path / "d.duckdb"), tmp_path / "staged")


@pytest.mark.parametrize(
    "made",
    [
        "create table t.a (id bigint primary key, v varchar)",
        "create table t.a (id bigint unique, v varchar)",
        "create table t.a (id bigint, v varchar); create unique index i on t.a (id)",
        "create table t.a (id bigint, v varchar); create index i on t.a (v, id)",
        'create table t.a (id bigint, v varchar); create index "I x" on t.a (lower(v))',
        "create table t.a (id bigint primary key, v varchar unique, check (id < 100))",
    ],
)
def test_merge_works_whatever_index_there_is(store: Store, sql: Sql, made: str) -> None:
    sql(made)
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, table=TABLE, mode="merge")
    store.load({"id": 1, "v": "x"}, {"id": 3, "v": "a"}, {"id": 1, "v": "b"}, {"id": 2, "v": "c"},
               table=TABLE, mode="merge")  # fmt: skip
    store.load({"id": 2, "v": "c"}, {"id": 4, "v": "d", "new": 1}, table=TABLE, mode="merge")
    rows = [(1, "b", None), (2, "c", None), (3, "a", None), (4, "d", 1)]
    assert sql("select * from t.a order by id") == rows
    assert store.load({"id": 9, "v": "b"}, table=TABLE, mode="replace").rows == 1
    deleted = replace(TABLE, deleted="gone")
    rows_ = {"id": 9, "gone": True}, {"id": 8, "v": "b"}
    assert store.load(*rows_, table=deleted, mode="merge").rows == 1
    assert sql("select id, v from t.a") == [(8, "b")]


def test_values_that_swap_under_a_unique_index_are_put_right(store: Store, sql: Sql) -> None:
    sql("create table t.a (id bigint primary key, u varchar unique, mine varchar default 'm')")
    store.load({"id": 1, "u": "a"}, {"id": 2, "u": "b"}, table=TABLE, mode="merge")
    sql("update t.a set mine = u")
    store.load({"id": 1, "u": "b"}, {"id": 2, "u": "a"}, table=TABLE, mode="merge")
    assert sql("from t.a order by id") == [(1, "b", "a"), (2, "a", "b")]


def test_rows_that_did_not_change_are_not_touched(store: Store, sql: Sql) -> None:
    sql("create table t.a (id bigint primary key, v varchar); create table t.o (a bigint references t.a(id))")  # fmt: skip
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, table=TABLE, mode="merge")
    sql("insert into t.o values (1), (2)")
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "c"}, {"id": 3}, table=TABLE, mode="merge")
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "d"}, table=FULL, mode="merge")
    assert sql("from t.a order by id") == [(1, "a"), (2, "d")]
    assert sql("from t.o order by a") == [(1,), (2,)]


def test_a_key_that_stands_there_twice_becomes_one_row(store: Store, sql: Sql) -> None:
    store.load({"id": 1, "v": "a"}, {"id": 1, "v": "b"}, {"id": 2}, table=TABLE, mode="append")
    store.load({"id": 1, "v": "c"}, table=TABLE, mode="merge")
    assert sql("select id, v from t.a order by id") == [(1, "c"), (2, None)]


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_what_a_person_put_on_a_table_stays(store: Store, sql: Sql, mode: WriteMode) -> None:
    sql("""create sequence t.s; create table t.a (id bigint primary key, v varchar,
        d varchar default 'dd', n bigint default nextval('t.s'),
        g bigint generated always as (id * 2));
        create index i on t.a (d); comment on table t.a is 'orders'; comment on column t.a.v is 'vv'""")
    before = sql("select sql, comment from duckdb_tables() where schema_name = 't'")
    for number in range(1, 4):
        store.load({"id": number, "v": "x"}, table=TABLE, mode=mode)
    assert sql("from t.a where id = 3") == [(3, "x", "dd", 3, 6)]
    assert sql("select sql, comment from duckdb_tables() where schema_name = 't'") == before
    assert sql("select index_name from duckdb_indexes()") == [("i",)]
    assert sql("select comment from duckdb_columns() where column_name = 'v'") == [("vv",)]


def test_a_type_that_a_person_chose_stays_and_refuses_what_does_not_fit(
    store: Store, sql: Sql
) -> None:
    sql(
        "create table t.a (id bigint, size integer, code varchar, seen timestamp_s, m decimal(6,2))"
    )
    row = {"id": 1, "size": 7, "code": 7, "seen": "2024-05-01T10:00:00+02:00", "m": "1.50"}
    store.load(row, table=TABLE, mode="merge")
    types = sql("select data_type from duckdb_columns() where schema_name = 't'")
    for bad in (
        {"size": 3_000_000_000},
        {"size": "n/a"},
        {"seen": "2024-05-01T10:00:00.5"},
        {"m": 1.555},
    ):
        with pytest.raises(RowsError, match=f'column "{next(iter(bad))}" has a value'):
            store.load({"id": 2, **bad}, table=TABLE, mode="merge")
        with pytest.raises(RowsError):
            store.load({"id": 2, **bad}, table=TABLE, mode="replace")
    assert types == sql("select data_type from duckdb_columns() where schema_name = 't'")
    assert sql("select id, size, code, seen::varchar, m::varchar from t.a") == [
        (1, 7, "7", "2024-05-01 08:00:00", "1.50")]  # fmt: skip


@pytest.mark.parametrize("index", ["", "create index i on t.a (id)"])
@pytest.mark.parametrize("mode", ["replace", "merge", "append"])
def test_a_type_that_one_bad_row_widened_is_narrow_again_after_full(
    store: Store, sql: Sql, index: str, mode: WriteMode
) -> None:
    store.load({"id": 1, "v": 1, "t": "2024-01-01", "old": "x"}, table=TABLE, mode=mode)
    if index:
        sql(index)
    store.load({"id": 2, "v": "n/a", "t": "soon"}, table=TABLE, mode=mode)
    store.load({"id": 3, "v": 2}, table=TABLE, mode=mode)
    types = "select column_name, data_type from duckdb_columns() where schema_name = 't'"
    assert dict(sql(types)) == {"id": "BIGINT", "v": "JSON", "t": "VARCHAR", "old": "VARCHAR"}
    store.load({"id": 1, "v": 1, "t": "2024-01-01"}, table=FULL, mode=mode)
    assert dict(sql(types)) == {"id": "BIGINT", "v": "BIGINT", "t": "DATE", "old": "VARCHAR"}
    assert sql("select id, v, t::varchar, old from t.a") == [(1, 1, "2024-01-01", None)]
    assert len(sql("from duckdb_indexes()")) == bool(index)


def test_a_column_that_has_an_index_keeps_its_type_also_after_full(store: Store, sql: Sql) -> None:
    store.load({"id": 1, "v": "n/a"}, {"id": 2, "v": 1}, table=TABLE, mode="merge")
    sql("create index i on t.a (v)")
    store.load({"id": 1, "v": 1}, table=FULL, mode="merge")
    assert sql("select id, v, typeof(v) from t.a") == [(1, "1", "JSON")]


def test_a_merge_loaded_anew_deletes_the_keys_that_are_gone_and_no_others(
    store: Store, sql: Sql
) -> None:
    store.load(*({"id": n, "v": "a"} for n in range(3)), table=TABLE, mode="merge")
    sql("alter table t.a add column mine varchar; update t.a set mine = 'm'")
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 7}, table=FULL, mode="merge")
    assert sql("from t.a order by id") == [(1, "a", "m"), (2, "b", "m"), (7, None, None)]


def test_a_key_twice_in_a_row_is_refused_with_both_ways_out_or_set_aside(
    store: Store, sql: Sql
) -> None:
    rows = ['{"id": 1, "v": {"a": 1, "a": 1}}', '{"id": 2, "v": 1, "v": 2}']
    with pytest.raises(
        RowsError, match='row 2 has the key "v" twice; tell the vendor, or set schema'
    ):
        store.load(*rows, table=TABLE, mode="merge")
    aside = replace(TABLE, schema_policy="quarantine")
    assert store.load(*rows, table=aside, mode="merge").rejected == 1
    assert sql("select reason, row_number from t.a__rejected") == [('it has the key "v" twice', 2)]


def test_more_memory_is_taken_where_a_load_needs_it(
    store: Store, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"id": 1, "x": {"k": "a" * (12 << 20)}}
    monkeypatch.setenv("CONNECTOR_ASSETS_MEMORY", "20MB")
    with pytest.raises(LoadError, match=r"set CONNECTOR_ASSETS_MEMORY=1GB or more"):
        store.load(row, table=TABLE)
    monkeypatch.delenv("CONNECTOR_ASSETS_MEMORY")
    monkeypatch.setattr("connector_assets.load.duckdb.tuning._MEMORY_MB", 5)
    assert store.load(row, table=TABLE).rows == 1


LONG = '{"amount":12345678901234567890.123456789,"l":[0.1000000000000000000001,1.10]}'


@pytest.mark.parametrize("first", ["", '{"id": 0, "x": {"a": 1.5}}'])
def test_numbers_inside_json_keep_the_digits_that_were_served(
    store: Store, sql: Sql, first: str
) -> None:
    many = [f'{{"id": {n}, "x": {{"n": 1.50, "t": "\\u00e9"}}}}' for n in range(5_000, 9_000)]
    rows = [*filter(None, [first]), *many, f'{{"id": 1, "x": {LONG}}}', '{"id": 2, "x": null}']
    store.load(*rows, table=TABLE, mode="append")
    assert sql("select x::varchar from t.a where id in (1, 2) order by id") == [(LONG,), (None,)]
    short = [('{"n":1.5,"t":"é"}',)]  # as where no long number is near
    assert sql("select distinct x::varchar from t.a where id >= 5000") == short
    store.load(*many, table=replace(TABLE, name="b"))
    assert sql("select distinct x::varchar from t.b") == short
    texts = ['"5"', "5", '"\\u00e9"', "true", "0.12345678901234567890", '"{}"', "[1]", "1.50"]
    lines = [f'{{"id": {number}, "x": {text}}}' for number, text in enumerate([*texts, LONG])]
    store.load(*lines, table=replace(TABLE, name="c"), mode="append")
    got = [text for (text,) in sql("select x::varchar from t.c order by id")]
    assert got == ['"5"', "5", '"é"', "true", "0.12345678901234567890", '"{}"', "[1]", "1.5", LONG]


def test_numbers_keep_their_digits_where_a_column_of_numbers_becomes_one_of_any_json(
    store: Store, sql: Sql
) -> None:
    """Also those that came before the value which made it so, in this load or in an earlier one."""
    number = "0.12345678901234567890"
    many = [f'{{"id": {n}, "x": {number}}}' for n in range(3, 4_000)]
    store.load(f'{{"id": 1, "x": {number}}}', *many, '{"id": 2, "x": "late"}', table=TABLE)
    assert sql("select distinct x::varchar from t.a where id <> 2") == [(number,)]
    store.load(f'{{"id": 5000, "x": {number}}}', table=TABLE, mode="append")
    assert sql("select x::varchar from t.a where id = 5000") == [(number,)]


def test_scd2_sees_a_late_digit_of_a_nested_number_change(store: Store, sql: Sql) -> None:
    for digit in (1, 2, 2):
        row = f'{{"id": 1, "x": {{"n": 1234567890.1234567890{digit}}}}}'
        store.load(row, table=TABLE, mode="scd2")
    assert sql("select x::varchar from t.a order by _valid_from") == [
        ('{"n":1234567890.12345678901}',),
        ('{"n":1234567890.12345678902}',),
    ]
