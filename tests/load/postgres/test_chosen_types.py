"""PostgreSQL columns whose type somebody chose: a value goes in as it is, or is refused by column."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.postgres.destination import PostgresDestination
from connector_assets.load.table import Claim, Table
from tests.load.contract import Store
from tests.postgres import emptied, serving_postgres

TABLE = Table("t", "a", ("id",), claim=Claim("t"))
ASIDE = replace(TABLE, schema_policy="quarantine")
SETUP = """
create schema t;
create type t.mood as enum ('sad', 'very "ok"');
create domain t.seen as timestamptz(0) check (value > '2000-01-01'); create domain t.price as numeric(10,2) check (value >= 0);
create domain t."Odd" as t.price check (value < 100);
create type t.pair as (x integer, y text);
"""
# A type; values as JSON that it takes, with what they are as text; values that it would change.
TYPES: list[tuple[str, dict[str, str], list[str]]] = [
    ("timestamp(3)", {'"2024-05-01T10:30:00.120+02:00"': "2024-05-01 08:30:00.12", '"2024-05-01"': "2024-05-01 00:00:00"},
     ['"2024-05-01T10:30:00.1234Z"', '"now"', '"infinity"', "7", '"soon"', '"2024-05-01 (BC)"', "true"]),
    ("timestamptz(0)", {'"2024-05-01T10:30:00+02:00"': "2024-05-01 08:30:00+00"}, ['"2024-05-01T10:30:00.999999Z"', '"2024-05-01T10:30:00.0000001Z"']),
    ("time(1)", {'"10:30:00.5"': "10:30:00.5"}, ['"10:30:00.55"', '"10:30:00+02:00"', '"10:30Z"']),
    ("timetz", {'"10:30:00+02:00"': "10:30:00+02"}, ['"10:30:00.1234567+02"', "{}"]),
    ("interval(0)", {'"1 day 2 hours"': "1 day 02:00:00"}, ['"1.5 seconds"', '"a while"']),
    ("interval year to month", {'"3 years"': "3 years"}, ['"3 years 1 day"']),
    ("numeric", {"123456789012345678901234567890.123": "123456789012345678901234567890.123", '"2"': "2", "1e-400": "0." + "0" * 399 + "1"}, ['"NaN"', '"x"', "true", "[1]"]),
    ("numeric(40,2)", {"12345678901234567890123456789012345678.25": "12345678901234567890123456789012345678.25"}, ["1.005", "1e40"]),
    ("numeric(5,-2)", {"1200": "1200"}, ["1250", "1.5"]),
    ("real", {"0.1": "0.1", "16777216": "1.6777216e+07"}, ["0.123456789", "16777217", "1e-50", "1e39", '"nan"']),
    ("varchar(3)", {'"abc"': "abc", "12.": "", "12": "12", '""': ""}, ['"abcd"', '"ab\\u00e9d"', "1234", '"a\\u0000"']),
    ("char(3)", {'"ab"': "ab "}, ['"abcd"', '"ab "']),
    ("bit(3)", {'"101"': "101"}, ['"1011"', '"10"', '"abc"']),
    ("smallint[]", {"[1,null,3]": "{1,NULL,3}", "[[1,2],[3,4]]": "{{1,2},{3,4}}", "[]": "{}"}, ["[1.5]", "[40000]", '["x"]', "[1e-400]", "7"]),
    ("text[]", {'["a","b,c","\\"q\\"",null]': '{a,"b,c","\\"q\\"",NULL}'}, ['{"a":1}', "[1]"]),
    ("numeric(4,1)[]", {"[1.5,2]": "{1.5,2.0}"}, ["[1.55]"]),
    ("varchar(2)[]", {'["ab"]': "{ab}"}, ['["abc"]']),
    ("timestamptz(2)[]", {'["2024-05-01T10:00:00.12Z",null,"2024-05-01T10:00:00+02:00"]': '{"2024-05-01 10:00:00.12+00",NULL,"2024-05-01 08:00:00+00"}', "[]": "{}"},
     ['["2024-05-01T10:00:00.125Z"]', '["now"]', '["2024-05-01T10:00:00Z",7]', '"2024-05-01T10:00:00Z"', '[["2024-05-01T10:00:00.125Z"]]']),
    ("timestamp[]", {'["2024-05-01T10:00:00"]': '{"2024-05-01 10:00:00"}'}, ['["2024-05-01T10:00:00+02:00"]', '["2024-05-01T10:00:00.1234567"]']),
    ("uuid[]", {'["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]': "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"}, ['["x"]', "[1]"]),
    ("t.seen[]", {'["2024-05-01T10:00:00Z"]': '{"2024-05-01 10:00:00+00"}'}, ['["2024-05-01T10:00:00.5Z"]', '["1999-01-01"]']),
    ("t.mood", {'"very \\"ok\\""': 'very "ok"'}, ['"mad"', '"Sad"', "1"]),
    ("t.price", {"1.25": "1.25", "1.250": "1.25"}, ["1.255", "-1", '"x"']),
    ('t."Odd"', {"99.5": "99.50"}, ["100", "99.999"]),
    ("t.pair", {'{"x":1,"y":"a"}': "(1,a)"}, ['{"x":1.5,"y":"a"}', '{"x":1,"y":"a","z":2}', "[1]"]),
    ("inet", {'"10.0.0.1/8"': "10.0.0.1/8", '"::1"': "::1/128"}, ['"10.0.0.256"', "1"]),
    ("cidr", {'"10.0.0.0/8"': "10.0.0.0/8"}, ['"10.0.0.1/8"']),
    ("money", {'"1.25"': "$1.25", "1.25": "$1.25"}, ["1.005"]),
    ("point", {'"(1,2)"': "(1,2)"}, ['"1,2,3"', "[1,2]"]),
    ("int4range", {'"[1,5]"': "[1,6)"}, ['"[5,1]"']),
    ("tsrange", {}, ['"[2024-05-01T10:00:00+02:00,2024-06-01)"']),
    ("json", {'{"b":1.10,"a":12345678901234567890.123456789}': '{"b":1.10,"a":12345678901234567890.123456789}'}, []),
]  # fmt: skip


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving_postgres() as url:
        yield url


@pytest.fixture
def sql(url: str) -> Callable[[str], list[Any]]:
    emptied(url)

    def run(statements: str) -> list[Any]:
        with psycopg.connect(url, autocommit=True) as client:
            client.execute("set timezone = 'UTC'")
            found = client.execute(statements.encode())
            return found.fetchall() if found.description else []

    run(SETUP)
    return run


@pytest.fixture
def store(url: str, sql: Any, tmp_path: Path) -> Store:
    return Store(PostgresDestination(url), tmp_path / "staged")


def made(sql: Any) -> None:
    columns = ", ".join(f'"c{number}" {type_}' for number, (type_, *_) in enumerate(TYPES))
    sql(f"create table t.a (id bigint primary key, {columns})")


def test_what_fits_goes_in_as_it_is(store: Store, sql: Any) -> None:
    made(sql)
    good = [
        (number, value, text)
        for number, (_, values, _) in enumerate(TYPES)
        for value, text in values.items()
        if text or value == '""'
    ]
    rows = [f'{{"id": {row}, "c{number}": {value}}}' for row, (number, value, _) in enumerate(good)]
    before = sql("select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 't.a'::regclass order by attnum")  # fmt: skip
    for _ in range(2):
        assert store.load(*rows, table=TABLE, mode="merge").rows == len(good)
    for row, (number, _, text) in enumerate(good):
        assert sql(f"select c{number}::text from t.a where id = {row}") == [(text.strip() if TYPES[number][0] == "char(3)" else text,)], TYPES[number][0]  # fmt: skip
    assert before == sql("select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 't.a'::regclass order by attnum")  # fmt: skip


def test_what_would_change_is_set_aside_with_its_column_and_type(store: Store, sql: Any) -> None:
    made(sql)
    bad = [(number, value) for number, (_, _, values) in enumerate(TYPES) for value in values]
    rows = [f'{{"id": {row}, "c{number}": {value}}}' for row, (number, value) in enumerate(bad)]
    loaded = store.load(*rows, '{"id": -1}', table=ASIDE, mode="merge")
    kept = [tuple(bad[id_]) for (id_,) in sql("select id from t.a where id >= 0")]
    assert (kept, loaded.rejected, loaded.rows) == ([], len(bad), 1)
    for row, reason in sql("select row ->> 'id', reason from t.a__rejected"):
        number, value = bad[int(row)]
        assert f'column "c{number}"' in reason, value


def test_the_error_names_row_column_and_type_and_nothing_is_written(store: Store, sql: Any) -> None:
    sql("create table t.a (id bigint, code varchar(3), at timestamptz(0))")
    words = r'row 2: column "code" has a value that is not exactly a character varying\(3\)'
    with pytest.raises(RowsError, match=words) as refused:
        store.load(
            {"id": 1, "code": "abc"}, {"id": 2, "code": "s3cret"}, table=TABLE, mode="append"
        )
    assert "s3cret" not in str(refused.value)
    assert sql("select * from t.a") == []


def test_numbers_at_random_go_in_exactly_or_not_at_all(store: Store, sql: Any) -> None:
    sql('create table t.a (id bigint, "n" numeric(12,3), r real, d t.price, s smallint, f float8)')
    chance, rows = random.Random(7), []
    for number in range(600):
        digits = str(chance.randint(0, 10 ** chance.randint(1, 9)))
        at = chance.randint(0, len(digits))
        text = f"{digits[:at].lstrip('0') or '0'}" + (f".{digits[at:]}" if digits[at:] else "")
        rows.append((number, chance.choice("nrdsf"), f"{chance.choice(['', '-'])}{text}"))
    lines = [f'{{"id": {number}, "{column}": {text}}}' for number, column, text in rows]
    loaded = store.load(*lines, table=ASIDE, mode="append")
    assert 0 < loaded.rejected < len(rows)
    came = {row[0]: row for row in sql("select id, n, r::text, d, s, f::text from t.a")}
    for number, column, text in rows:
        if number in came:
            got = came[number]["_nrdsf".index(column)]
            assert Decimal(str(got)) == Decimal(text), (column, text)
        elif column == "n":
            assert Decimal(text) != round(Decimal(text), 3) or abs(Decimal(text)) >= 10**9


def test_a_column_of_a_person_s_own_keeps_default_value_and_type(store: Store, sql: Any) -> None:
    sql("""create table t.a (pk bigint generated always as identity, id bigint unique, v text,
        up text generated always as (upper(v)) stored, nr serial,
        source text not null default 'api', note text)""")
    store.load({"id": 1, "v": "x"}, {"id": 2, "v": "y"}, table=TABLE, mode="merge")
    sql("update t.a set note = 'mine', source = 'me' where id = 1")
    store.load({"id": 1, "v": "z", "more": 1}, {"id": 3}, table=TABLE, mode="merge")
    store.load({"id": 2}, table=TABLE, mode="merge")  # v came before: it is NULL now
    assert sql("select pk, id, v, up, source, note, more from t.a order by id") == [
        (1, 1, "z", "Z", "me", "mine", 1),
        (2, 2, None, None, "api", None, None),
        (3, 3, None, None, "api", None, None),
    ]


def test_a_column_that_must_have_a_value_and_gets_none_is_named_with_the_way(
    store: Store, sql: Any
) -> None:
    sql("create table t.a (id bigint, owner text not null)")
    with pytest.raises(Exception, match=r'"owner".*give the column a default'):
        store.load({"id": 1}, table=TABLE, mode="append")


def test_a_type_that_a_person_changed_stays_whatever_comes(store: Store, sql: Any) -> None:
    store.load({"id": 1, "price": 10.5, "n": 1}, table=TABLE, mode="merge")
    sql("alter table t.a alter price type numeric; alter table t.a alter n type text")
    store.load({"id": 2, "price": 11.25, "n": 7}, table=TABLE, mode="merge")
    declared = replace(TABLE, columns={"price": "double"})
    store.load({"id": 3, "price": 7, "n": "x"}, table=declared, mode="merge")
    assert sql("select id, price, n from t.a order by id") == [
        (1, Decimal("10.5"), "1"), (2, Decimal("11.25"), "7"), (3, Decimal(7), "x")]  # fmt: skip
    types = [column.type for column in store.destination.describe(TABLE) or ()]
    assert types == ["bigint", "numeric", "text"]


def test_keys_of_a_chosen_type_find_their_rows(store: Store, sql: Any) -> None:
    sql("create table t.a (id varchar(4) primary key, at timestamptz(0), v int)")
    table = replace(TABLE, primary_key=("id", "at"))
    sql("alter table t.a drop constraint a_pkey")
    rows = [
        {"id": "a", "at": f"2024-05-01T1{hour}:00:00+0{hour}:00", "v": hour} for hour in range(3)
    ]
    for _ in range(2):
        store.load(*rows, table=table, mode="merge")  # one instant, three times: the last wins
        assert sql("select id, v from t.a") == [("a", 2)]


def test_what_refers_to_a_row_by_a_foreign_key_stays(store: Store, sql: Any) -> None:
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, table=TABLE, mode="merge")
    sql("alter table t.a add primary key (id); alter table t.a add column mine text default 'm'")
    sql("create table t.o (nr int, a bigint references t.a on delete cascade)")
    sql("create table t.r (nr int, a bigint references t.a on delete restrict)")
    sql("insert into t.o values (10, 1), (20, 2); insert into t.r values (1, 1)")
    places = "select id, ctid::text from t.a where id = 1"
    before = sql(places)
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "c"}, {"id": 3}, table=TABLE, mode="merge")
    full = replace(TABLE, claim=Claim("t", full=True))
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "d"}, table=full, mode="merge")
    assert sql(places) == before
    assert sql("select * from t.a order by id") == [(1, "a", "m"), (2, "d", "m")]
    assert (sql("select * from t.o order by nr"), sql("select * from t.r")) == (
        [(10, 1), (20, 2)], [(1, 1)])  # fmt: skip


def test_values_that_swap_under_a_unique_index_are_put_right(store: Store, sql: Any) -> None:
    sql("create table t.a (id bigint primary key, u text unique, v int, mine text, x bigint generated always as identity)")  # fmt: skip
    store.load(*({"id": n, "u": u, "v": 0} for n, u in enumerate("abc")), table=TABLE, mode="merge")
    sql("update t.a set mine = u")
    place = sql("select ctid::text from t.a where id = 2")
    store.load({"id": 0, "u": "b"}, {"id": 1, "u": "a"}, {"id": 2, "u": "c", "v": 0}, table=TABLE, mode="merge")  # fmt: skip
    assert sql("select id, u, mine, x from t.a order by id") == [
        (0, "b", "a", 1), (1, "a", "b", 2), (2, "c", "c", 3)]  # fmt: skip
    assert sql("select ctid::text from t.a where id = 2") == place


@pytest.mark.parametrize(
    "index",
    [
        "(lower(u))", "(u) where v > 0", "(upper(u)) include (mine) where v is not null", "(v, lower(u)) nulls not distinct",
        "(g)", "(coalesce(u, 'x'), (v + 1))",
    ],
)  # fmt: skip
def test_values_that_swap_under_any_unique_index_are_put_right(
    store: Store, sql: Any, index: str
) -> None:
    sql("create table t.a (id bigint primary key, u text, v int, mine text, g text generated always as (u) stored)")  # fmt: skip
    if "nulls" in index and int(sql("show server_version_num")[0][0]) < 150000:
        pytest.skip("of PostgreSQL 15")
    rows = [{"id": n, "u": u, "v": 1} for n, u in enumerate("abcd")]
    store.load(*rows, table=TABLE, mode="merge")
    sql(f"update t.a set mine = u; create unique index on t.a {index}")
    sql("create table t.o (a bigint references t.a on delete cascade); insert into t.o values (2)")
    swapped = [
        {"id": 0, "u": "b", "v": 1},
        {"id": 1, "u": "a", "v": 1},
        {"id": 2, "u": "z", "v": 1},
    ]
    store.load(*swapped, rows[3], table=TABLE, mode="merge")
    assert sql("select id, u, mine from t.a order by id") == [
        (0, "b", "a"), (1, "a", "b"), (2, "z", "c"), (3, "d", "d")]  # fmt: skip
    assert sql("select a from t.o") == [(2,)]  # a row that collides with none is never taken out
    with pytest.raises(LoadError, match="unique"):
        store.load({"id": 0, "u": "d", "v": 1}, table=TABLE, mode="merge")
    assert sql("select id, u from t.a where id in (0, 3) order by id") == [(0, "b"), (3, "d")]


def test_a_type_that_one_bad_row_widened_is_narrow_again_after_full(store: Store, sql: Any) -> None:
    full = replace(TABLE, claim=Claim("t", full=True))
    store.load({"id": 1, "v": 1, "w": 1}, table=TABLE, mode="merge")
    store.load({"id": 2, "v": "n/a", "w": "n/a"}, table=TABLE, mode="merge")
    sql("create view t.shown as select w from t.a")
    store.load({"id": 1, "v": 1, "w": 1}, table=full, mode="merge")
    types = [column.type for column in store.destination.describe(TABLE) or ()]
    assert types == ["bigint", "bigint", "jsonb"]  # what a view shows keeps its type
    assert sql("select v, w from t.a") == [(1, 1)]


def test_rows_with_a_nul_are_refused_with_both_ways_out_or_set_aside(
    store: Store, sql: Any
) -> None:
    rows = [{"id": 1, "v": "ok"}, {"id": 2, "v": "a\0b"}, {"id": 3, "w": {"x": ["\0\0"]}}]
    with pytest.raises(RowsError, match=r'"v" has a text with a NUL.*quarantine.*replace'):
        store.load(*rows, table=TABLE, mode="merge")
    with pytest.raises(RowsError, match=r"NUL.*quarantine.*replace"):
        store.load(rows[0], rows[2], table=TABLE, mode="merge")
    assert store.load(*rows, table=ASIDE, mode="merge").rejected == 2
    found = sql("select row_number, reason, row ->> 'v' from t.a__rejected order by row_number")
    assert [(row, "NUL" in why, value) for row, why, value in found] == [
        (2, True, "a\\u0000b"), (3, True, None)]  # fmt: skip
    assert json.loads(sql("select row::text from t.a__rejected where row_number = 3")[0][0])


def test_numbers_inside_jsonb_keep_the_digits_that_were_served(store: Store, sql: Any) -> None:
    store.load('{"id": 1, "x": {"n": 12345678901234567890.123456789}}', table=TABLE, mode="merge")
    assert sql("select x ->> 'n' from t.a") == [("12345678901234567890.123456789",)]
