"""Tables that are odd in ways databases allow: exact, or refused by stream and column."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import replace

import pytest

from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.plugins.sql.databases import connected, dialect_of
from connector_assets.plugins.sql.faults import DatabaseError
from connector_assets.plugins.sql.source import Query
from tests.plugins.sql.test_files import change, duck, lite  # noqa: F401 - fixtures
from tests.postgres import run

# Keys of which some value has no text that makes it again, or a null: what is read, a row each time.
KEYS = {
    "real": ("1), (-9e999), (9e999), (2.5), (0.1", 5),
    "int": ("1), (2), (3), (9223372036854775807), (-1", 5),
    "text collate nocase": ("'a'), ('B'), ('c'), ('D'", 4),
}


def first(batches):
    """The rows of the first batch that has any: the rows without a key come before."""
    return next(batch.rows for batch in batches if batch.count)


@pytest.mark.parametrize("declared", KEYS)
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_each_key_of_sqlite_is_read_once(lite, declared, rows):  # noqa: F811 - the fixture
    values, count = KEYS[declared]
    change(lite, f"create table k (k {declared} primary key); insert into k values ({values})")
    done = lite.given(chunkRows=rows).load("k")
    assert (done.loaded.received, done.loaded.rows) == (count, count)


def test_texts_among_numbers_are_read_once(lite):  # noqa: F811 - the fixture
    change(
        lite, "create table k (k int primary key); insert into k values (1), (2), ('abc'), ('x')"
    )
    told = {"tables": {"k": {"columns": {"k": "text"}}}, "chunkRows": 1}
    lite.given(**told).load("k")
    assert lite.rows("select k from shop.k order by 1") == [("1",), ("2",), ("abc",), ("x",)]


def test_a_key_that_is_null_is_not_left_out(lite):  # noqa: F811 - the fixture
    """SQLite lets a primary key be null."""
    change(lite, "create table k (k text primary key); insert into k values (null), ('a'), ('b')")
    with pytest.raises(ConnectorError, match='"k" is null or missing'):
        lite.given(chunkRows=1).load("k")


@pytest.mark.parametrize("rows", [2, 100])
def test_rows_without_a_value_to_chunk_by_come_once(postgres, url, rows):
    run(url, "create table t (n int, v int)")
    run(
        url,
        "insert into t select case when i % 2 = 0 then i end, i from generate_series(1, 20) i",
    )
    by = postgres.given(chunkRows=rows, tables={"public.t": {"chunkBy": "n"}})
    assert by.load("t").loaded.received == 20
    assert by.rows("select count(distinct v) from shop.t") == [(20,)]


DUCKDB = {
    "float": "0.1), (0.2), (0.7), ('nan'), ('-inf'",
    "ubigint": "18446744073709551615), (0), (1",
    "uuid": "gen_random_uuid()), (gen_random_uuid()), (gen_random_uuid()",
    "timestamp_ns": "'2024-01-01 00:00:00.123456789'), ('2024-01-01 00:00:00.123456780'",
    "enum('z', 'a', 'm')": "'a'), ('z'), ('m'",
    "date": "'infinity'), ('-infinity'), ('2024-01-01'",
}


@pytest.mark.parametrize("type_", DUCKDB)
def test_each_key_of_duckdb_is_read_once(duck, type_):  # noqa: F811 - the fixture
    database = duck(f"create table k (k {type_}); insert into k values ({DUCKDB[type_]})")
    by = database.given(chunkRows=1, tables={"main.k": {"chunkBy": "k"}})
    count = DUCKDB[type_].count("(") - DUCKDB[type_].count("()") + 1
    assert by.load("k").loaded.received == count
    assert by.rows("select count(distinct k) from shop.k") == [(count,)]


@pytest.mark.parametrize(
    ("type_", "last"), [("timestamp_ns", "'2024-01-01 00:00:00.123456789'"), ("float", "0.7")]
)
def test_the_last_row_is_within_the_first_position(duck, type_, last):  # noqa: F811 - the fixture
    database = duck(
        f"create table c (k int primary key, c {type_}); insert into c values (1, {last})"
    )
    database = database.given(tables={"main.c": {"cursor": "c"}})
    assert [database.load("c").loaded.received for _ in range(2)] == [1, 0]


ENDLESS = {"timestamp": "infinity", "date": "infinity", "float8": "NaN", "numeric": "Infinity"}


@pytest.mark.parametrize("type_", ENDLESS)
def test_a_cursor_beyond_which_nothing_is_new_is_refused(postgres, url, type_):
    run(url, f"create table t (id int primary key, c {type_}); insert into t values (1, 'NaN')"
        if type_ in ("float8", "numeric") else
        f"create table t (id int primary key, c {type_}); insert into t values (1, '-infinity')")  # fmt: skip
    run(url, f"insert into t values (2, '{ENDLESS[type_]}')")
    by = postgres.given(tables={"public.t": {"cursor": "c"}})
    with pytest.raises(ConfigError, match=r'shop\.t: the cursor "c" holds \w+, beyond which'):
        by.load("t")
    least = "c < 'infinity'" if type_ in ("timestamp", "date") else "false"
    postgres.given(tables={"public.t": {"cursor": "c", "where": least}}).load("t")


def test_a_cursor_read_as_another_type_goes_on_where_the_database_is(postgres, url):
    """The rows of a time that is a text are not in order of the times that they become."""
    run(url, "create table t (id int primary key, at text)")
    run(
        url, "insert into t select i, '2024-01-0' || i || 'T00:00:00Z' from generate_series(1, 5) i"
    )
    told = {"cursor": "at", "columns": {"at": "timestamptz"}}
    by = postgres.given(chunkRows=1, tables={"public.t": told})
    reading = replace(by.open("t"), cursor={"": {"value": "2024-01-01T00:00:00Z"}})
    batches = list(by.connection.connector.read(reading))
    assert sum(batch.count for batch in batches) == 4
    for number, batch in enumerate(batches[:-1], 1):
        if batch.checkpoint:
            again = replace(reading, resume=batch.checkpoint)
            after = sum(one.count for one in by.connection.connector.read(again))
            assert sum(one.count for one in batches[:number]) + after == 4


def test_a_position_before_christ_is_a_position(postgres, url):
    run(
        url,
        "create table t (id int primary key, c timestamptz); insert into t values (1, '0044-03-15 BC')",
    )
    by = postgres.given(tables={"public.t": {"cursor": "c"}})
    assert by.load("t").cursor_after == "0044-03-15 00:00:00+00 BC"
    run(url, "insert into t values (2, '0044-03-15 00:00:00.000001 BC'), (3, '0045-01-01 BC')")
    assert by.load("t").loaded.received == 1


@pytest.mark.parametrize("declared", ["text", "datetime", "blob"])
def test_bytes_among_texts_are_refused_by_their_column(lite, declared):  # noqa: F811 - the fixture
    change(lite, f"create table o (id integer primary key, odd {declared})")
    change(lite, "insert into o values (1, 'a'), (2, x'61')")
    with pytest.raises(ConnectorError, match=r'shop\.o: s\.db: column "odd" holds '):
        lite.load("o")


def test_a_text_that_is_none_is_refused_by_its_column(lite):  # noqa: F811 - the fixture
    change(lite, "create table o (id int primary key, odd text)")
    change(lite, "insert into o values (1, cast(x'ff61' as text))")
    with pytest.raises(ConnectorError, match='column "odd" has a text that is no UTF-8'):
        lite.load("o")


def test_a_column_that_is_gone_is_not_read_as_its_name(lite):  # noqa: F811 - the fixture
    """SQLite takes what stands in double quotes and is no column for a text."""
    with closing(connected(lite.settings)) as session:
        column = dialect_of(lite.settings, session).quoted("gone")
        with pytest.raises(DatabaseError, match="no such column"):
            session.rows(Query(f"select {column} from t"))


@pytest.mark.parametrize("at", ["2024-01-01T01:30:00Z", "2024-01-01 01:30:00"])
def test_hours_hold_times_that_are_texts_however_they_are_written(lite, at):  # noqa: F811 - the fixture
    change(
        lite,
        f"create table o (id integer primary key, at datetime); insert into o values (1, '{at}')",
    )
    by = lite.given(tables={"o": {"cursor": "at"}})
    hours = [f"2024-01-01T0{n}:00:00Z" for n in range(4)]
    for number, window in enumerate(itertools.pairwise(hours)):
        by.load("o", to=f"{number}.duckdb", window=window)
    found = [by.load("o", to=f"{n}.duckdb", window=w).loaded.received
             for n, w in enumerate(itertools.pairwise(hours))]  # fmt: skip
    assert found == [0, 1, 0]


def test_a_view_of_what_is_gone_stops_no_other_table(lite):  # noqa: F811 - the fixture
    change(lite, "create view broken as select * from nope")
    assert lite.load("t").loaded.rows == 2
    with pytest.raises(ConfigError, match=r"shop\.broken: s\.db: .*no such table: main\.nope"):
        lite.load("broken")
    assert "broken: " in lite.check().message


@pytest.mark.parametrize("by", ["postgres", pytest.param("by_jdbc", marks=pytest.mark.slow)])
def test_names_of_any_kind_are_read(request, by, url):
    either = request.getfixturevalue(by).given(chunkRows=2)
    run(
        url,
        """create table "se""l ect.ü%" ("or""der" int primary key, "a ? $1" text, "select" int,
        "a.b" int, "Ü" int, q int); create table "T" (id int primary key); create table t (id text)""",
    )
    run(url, """insert into "se""l ect.ü%" select i, 'x', 1, 2, 3, 4 from generate_series(1, 5) i;
        insert into "T" values (1); insert into t values ('a')""")  # fmt: skip
    names = [one.name for one in either.connection.streams()]
    assert names == ["T_e632b709", "se_l_ect._", "t"]
    for name in names:
        either.load(name)
    assert either.rows("select * from shop.t") == [("a",)]
    found = either.rows('select * from shop."se_l_ect__" order by 1')
    assert found == [(n, "x", 1, 2, 3, 4) for n in range(1, 6)]


@pytest.mark.parametrize("by", ["postgres", pytest.param("by_jdbc", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("change_", "told"),
    [
        ("drop table t", 'relation "public.t" does not exist'),
        ("alter table t drop column v", 'column "v" does not exist|column t.v does not exist'),
        ("alter table t alter v type numeric(10,4) using 1.2345", 'column "v" has a value that'),
    ],
)
def test_a_table_that_changes_in_mid_read_is_refused(request, by, url, change_, told):
    either = request.getfixturevalue(by).given(chunkRows=10, parallel=1, snapshot="none")
    run(url, "create table t (k int primary key, v numeric(10,2))")
    run(url, "insert into t select i, i from generate_series(1, 100) i")
    batches = either.connection.connector.read(either.open("t"))
    assert first(batches)
    run(url, change_)
    with pytest.raises(ConnectorError, match=told):
        list(batches)


@pytest.mark.parametrize("by", ["postgres", pytest.param("by_jdbc", marks=pytest.mark.slow)])
def test_a_server_that_ends_the_connection_is_a_failed_connection(request, by, url):
    either = request.getfixturevalue(by).given(chunkRows=50_000, parallel=1)
    run(url, "create table t (k int primary key, v text)")
    run(url, "insert into t select i, repeat('x', 500) from generate_series(1, 200000) i")
    batches = either.connection.connector.read(either.open("t"))
    assert first(batches)
    run(url, "select pg_terminate_backend(pid) from pg_stat_activity"
             " where pid <> pg_backend_pid() and backend_type = 'client backend'")  # fmt: skip
    with pytest.raises(ConnectorError, match="check that the database is up") as refused:
        list(batches)
    assert refused.value.part == "connection"


@pytest.mark.parametrize("by", ["postgres", pytest.param("by_jdbc", marks=pytest.mark.slow)])
def test_a_view_that_fails_in_mid_read_leaves_no_table(request, by, url):
    either = request.getfixturevalue(by)
    run(url, "create table t (k int); insert into t select generate_series(1, 50000)")
    run(url, "create view w as select k, 1 / (49999 - k) as x from t")
    with pytest.raises(ConnectorError, match=r"shop\.w: .*division by zero"):
        either.load("w")
    assert either.rows(
        "select count(*) from information_schema.tables where table_schema = 'shop'"
    ) == [(0,)]
