"""SQLite, where each value has a type of its own, and DuckDB, of which only plain SQL is known."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import duckdb
import pytest

from connector_assets.errors import ConnectorError
from tests.plugins.sql.databases import Database

TABLE = """
create table t(id integer primary key, n decimal(10,2), d date, b boolean, x, txt text, r real, bl blob, at datetime);
insert into t values (1, 1.25, '2024-01-01', 1, null, 'ä', 0.1, x'00ff', '2024-01-01 10:00:00');
insert into t values (9007199254740993, 3, null, null, 'late', null, null, null, '2024-01-02 10:00:00');
create view twice as select id, n * 2 as twice, txt from t;
"""


@pytest.fixture
def lite(tmp_path):
    with sqlite3.connect(tmp_path / "s.db") as database:
        database.executescript(TABLE)
    database.close()
    return Database(tmp_path, uri=f"sqlite:///{tmp_path}/s.db", chunkRows=100)


@pytest.fixture
def duck(tmp_path):
    """Makes a database of DuckDB by SQL."""

    def made(sql):
        with duckdb.connect(str(tmp_path / "d.duckdb")) as tables:
            tables.execute(sql)
        return Database(tmp_path, uri=f"duckdb:///{tmp_path}/d.duckdb")

    return made


CHANGE = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"


def change(database, sql):
    """In another process: to close a file here lets go of the locks that the driver's library has."""
    command = [sys.executable, "-c", CHANGE, str(database.folder / "s.db"), sql]
    subprocess.run(command, check=True)


def test_values_of_sqlite_are_exact(lite):
    lite.load("t")
    assert lite.types("t") == {
        "id": "BIGINT", "n": "DOUBLE", "d": "VARCHAR", "b": "BOOLEAN", "x": "VARCHAR",
        "txt": "VARCHAR", "r": "DOUBLE", "bl": "BLOB", "at": "VARCHAR",
    }  # fmt: skip
    assert lite.rows("select id, n, b, x, r, bl from shop.t order by id") == [
        (1, 1.25, True, None, 0.1, b"\x00\xff"),
        (9007199254740993, 3.0, None, "late", None, None),
    ]
    lite.load("twice")
    assert lite.rows("select twice, txt from shop.twice order by id") == [(2.5, "ä"), (6.0, None)]


def test_a_type_that_comes_late_is_no_surprise(lite):
    """The driver alone takes the types of columns from the first rows."""
    change(lite, "create table late (id integer primary key, note text)")
    change(lite, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)"
                 " insert into late select i, case when i = 30000 then 'x' end from n")  # fmt: skip
    lite.given(chunkRows=100_000).load("late")
    assert lite.rows("select count(*), max(note) from shop.late") == [(30000, "x")]


ODD = {
    "n int": ("'text'", 'column "odd" has a value that is no int64', "text", "text"),
    "b boolean": ("2", 'column "odd" holds no boolean', "bigint", "2"),
    "num numeric": ("9007199254740993", "no double has", "bigint", "9007199254740993"),
}


@pytest.mark.parametrize("declared", ODD)
def test_a_value_that_is_not_as_declared_is_refused_by_its_column(lite, declared):
    value, text, instead, kept = ODD[declared]
    type_ = declared.partition(" ")[2]
    change(
        lite,
        f"create table o (id integer primary key, odd {type_}); insert into o values (1, {value})",
    )
    with pytest.raises(ConnectorError, match=text):
        lite.load("o")
    lite.given(tables={"o": {"columns": {"odd": instead}}}).load("o")
    assert lite.rows("select odd::text from shop.o") == [(kept,)]


def test_a_value_of_another_type_far_behind_is_refused_by_its_column(lite):
    change(lite, "create table o (id integer primary key, odd int)")
    change(lite, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 99)"
                 " insert into o select i, case when i = 99 then 'x' else i end from n")  # fmt: skip
    with pytest.raises(ConnectorError, match='column "odd" holds string/binary beside int64; give'):
        lite.given(fetchRows=10).load("o")


def test_a_table_of_sqlite_is_read_in_chunks_and_what_is_new_of_it(lite):
    change(lite, "create table big (id integer primary key, at datetime)")
    change(lite, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1050)"
                 " insert into big select i, datetime('2024-01-01', '+' || i || ' minutes') from n")  # fmt: skip
    database = lite.given(tables={"big": {"cursor": "at"}})
    first = database.load("big")
    assert (first.loaded.rows, first.cursor_after) == (1050, "2024-01-01 17:30:00")
    change(lite, "insert into big values (2000, '2024-02-01 00:00:00')")
    assert database.load("big").loaded.received == 1
    window = ("2024-01-01T01:00:00Z", "2024-01-01T02:00:00Z")
    database.load("big", to="part.duckdb", window=window)
    assert database.rows("select min(id), max(id) from shop.big", "part.duckdb") == [(60, 119)]


def test_sqlite_is_read_as_it_was_when_the_read_began(lite):
    change(lite, "pragma journal_mode = wal; create table big (id integer primary key, note text)")
    change(lite, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1050)"
                 " insert into big select i, 'old' from n")  # fmt: skip
    batches = lite.connection.connector.read(lite.open("big"))
    found = [next(batches)]
    change(lite, "update big set note = 'new'; delete from big where id = 1050")
    rows = [row for b in (*found, *batches) for row in (b.rows.to_pylist() if b.count else ())]
    assert (len(rows), {row["note"] for row in rows}) == (1050, {"old"})


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    database = Database(tmp_path, uri=f"sqlite:///{tmp_path}/none.db")
    assert "there is no file" in database.check().message
    assert not (tmp_path / "none.db").exists()


def test_duckdb_is_read_by_plain_sql_and_what_the_driver_knows(tmp_path):
    with duckdb.connect(str(tmp_path / "d.duckdb")) as made:
        made.execute("""
            create table t as select i as id, i::hugeint h, 1.5::decimal(10,2) d, [1, 2] l,
            interval 1 day iv, '{"a":1}'::json j, 'infinity'::timestamp ts, {'a': 1} s,
            timestamptz '2024-01-01 00:00:00+00' + i * interval 1 minute as at
            from range(1050) t(i); alter table t add primary key (id)""")
    database = Database(tmp_path, uri=f"duckdb:///{tmp_path}/d.duckdb", chunkRows=100)
    database = database.given(
        tables={"main.t": {"cursor": "at"}}, queries={"q": {"sql": "select 1 as one"}}
    )
    assert database.load("t").loaded.rows == 1050
    assert database.rows("select count(distinct id), max(h) from shop.t") == [(1050, 1049)]
    assert database.rows("select d::text, l, iv::text, ts::text, s from shop.t limit 1") == [
        ("1.50", [1, 2], "1 day", "infinity", {"a": 1})
    ]
    assert database.load("t").loaded.received == 0
    assert database.load("q").loaded.rows == 1
