"""MariaDB, a real one, by its JDBC driver."""

from __future__ import annotations

import pytest

from connector_assets.errors import ConnectorError
from tests.plugins.sql.databases import MARIADB_JAR, Database, needs_jdbc, serving_mariadb

pytestmark = pytest.mark.third_party

PASSWORD = "pä/ss@w:d"
TYPES = """
set names utf8mb4; set sql_mode = ''; create table t(id bigint unsigned primary key, ti tinyint(1), mi mediumint unsigned,
i int unsigned, d decimal(18,4), d65 decimal(65,30), f float, dt date, dtm datetime(6), ts timestamp(6) null,
tm time(3), y year, b bit(3), vb varbinary(10), tx longtext character set utf8mb4, e enum('a','b'), j json, u uuid);
set time_zone = '+02:00';
insert into t values (18446744073709551615, 1, 16777215, 4294967295, 1.5, 0.123456789012345678901234567891,
16777216, '0001-01-01', '9999-12-31 23:59:59.999999', '2024-01-31 10:00:00.5', '-838:59:59', 2024, b'101', x'00ff',
'tä😀', 'a', '{"a":1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
"""
ROW = (
    18446744073709551615, 1, 16777215, 4294967295, "1.5000", "0.123456789012345678901234567891",
    16777216.0, "0001-01-01", "9999-12-31 23:59:59.999999", "2024-01-31 08:00:00.5+00", "-838:59:59.000",
    2024, 5, b"\x00\xff", "tä😀", "a", '{"a":1}', "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
)  # fmt: skip


@pytest.fixture(scope="module")
def server():
    needs_jdbc(MARIADB_JAR)
    with serving_mariadb() as (port, run):
        run(f"create user reader@'127.0.0.1' identified by '{PASSWORD}'")
        yield port, run


@pytest.fixture
def maria(server, tmp_path):
    port, run = server
    run(
        "drop database if exists shop; create database shop; grant select on shop.* to reader@'127.0.0.1'"
    )
    uri = f"jdbc:mariadb://127.0.0.1:{port}/shop"
    given = {"username": "reader", "password": PASSWORD, "jars": [MARIADB_JAR]}
    database = Database(tmp_path, uri=uri, **given, chunkRows=100)
    database.run = lambda sql: run(sql, "shop")
    return database


def test_types_are_exact(maria):
    maria.run(TYPES)
    maria.load("t")
    found = maria.rows(
        "select id, ti, mi, i, d::text, d65, f, dt::text, dtm::text, ts::text, tm, y, b, vb, tx, e, j, u from shop.t"
    )
    assert found == [ROW]
    assert maria.types("t")["d"] == "DECIMAL(18,4)"


def test_a_date_that_is_none_is_refused_by_its_column(maria):
    maria.run(
        "set sql_mode = ''; create table z(id int primary key, d date); insert into z values (1, '0000-00-00')"
    )
    with pytest.raises(ConnectorError, match='column "d" has a value that is no date'):
        maria.load("z")
    maria.given(tables={"shop.z": {"columns": {"d": "text"}}}).load("z")
    assert maria.rows("select d from shop.z") == [("0000-00-00",)]


def test_chunks_are_of_one_moment_and_what_is_new_follows(maria):
    maria.run(
        "create table orders (id int primary key, note text, at datetime) comment 'all orders'"
    )
    maria.run(
        "insert into orders select seq, 'n', '2024-01-01' + interval seq minute from seq_1_to_1050"
    )
    database = maria.given(tables={"shop.orders": {"cursor": "at"}})
    assert database.connection.stream("orders").description == "all orders"
    batches = maria.connection.connector.read(maria.open("orders"))
    found = [next(batches)]
    maria.run("update orders set note = 'changed', id = id + 5000")
    rows = [row for b in (*found, *batches) for row in (b.rows.to_pylist() if b.count else ())]
    assert sorted(row["id"] for row in rows) == list(range(1, 1051))
    assert {row["note"] for row in rows} == {"n"}
    assert database.load("orders").loaded.rows == 1050
    maria.run("insert into orders values (1, 'new', '2024-02-01')")
    assert database.load("orders").loaded.received == 1


def test_check_names_what_is_wrong(maria):
    wrong = maria.given(password="nope").check()
    assert (wrong.failed, "nope" in wrong.message) == ("auth", False)
    lost = maria.given(uri="jdbc:mariadb://no-such-host.invalid/shop").check()
    assert lost.failed == "dns"
