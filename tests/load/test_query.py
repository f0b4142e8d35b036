"""`query` reads the tables of its destination: no files, no network, no settings, in every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_assets.errors import LoadError
from connector_assets.load.dlt.confine import tables_read
from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table
from connector_assets.load.urls import destination_from_url
from tests.loopback import serving
from tests.postgres import emptied, run, serving_postgres

CANARY = "NEVER-SHOWN-0123456789"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text(CANARY)
    (tmp_path / "secret.csv").write_text(f"a\n{CANARY}\n")
    (tmp_path / "secret.json").write_text(f'{{"a": "{CANARY}"}}\n')
    return tmp_path


def loaded(destination, name="items"):
    path = Path("rows.jsonl")
    path.write_text('{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n')
    segment = Segment(path, 2, path.stat().st_size)
    table = Table("shop", name)
    destination.load(Order(table, "replace", [segment]))
    path.unlink()
    return destination, destination.name_in_sql(table)


OURS = ["duckdb:///data.duckdb", "parquet:///lake", "dlt:///duckdb", "dlt:///filesystem"]


@pytest.fixture(params=OURS)
def through_duckdb(request, folder, monkeypatch):
    if request.param.startswith("dlt"):
        pytest.importorskip("dlt")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", f"file://{folder}/lake")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{folder}/dlt.duckdb")
    return loaded(destination_from_url(request.param))


FILES = """
select content from read_text('secret.txt')
select content from read_text('{folder}/secret.txt')
select * from 'secret.csv'
select * from "secret.csv"
select * from read_csv('secret.csv')
select * from read_json('{folder}/secret.json')
select * from glob('{folder}/*')
select content from read_blob('{folder}/secret.txt')
select * from sniff_csv('secret.csv')
select * from read_text('/etc/passwd')
select * from read_text('{url}/x')
select * from read_csv('{url}/x.csv')
select * from query('select * from read_text(''secret.txt'')')
select (select content from read_text('secret.txt'))
select * from {table} where exists (select 1 from read_text('secret.txt'))
with a as (select * from read_text('secret.txt')) select * from a
select * from json_execute_serialized_sql(json_serialize_sql('from read_text(''secret.txt'')'))
select * from parquet_metadata('secret.txt')
select * from duckdb_secrets()
select * from enable_profiling(save_location='{folder}/secret.txt')
select * from enable_logging(storage='file', storage_path='{folder}/logs')
select * from sqlite_scan('secret.txt', 'a')
select * from postgres_scan('host=127.0.0.1', 'a', 'b')
select * from st_read('secret.txt')
select * from folder
copy (select 1) to '{folder}/out.csv'
attach '{folder}/other.duckdb'
install httpfs
load httpfs
set enable_external_access = true
pragma enable_profiling
create table x (a int)
call enable_logging()
select 1; select 2
"""


def test_duckdb_reads_tables_and_nothing_around_them(through_duckdb, folder, monkeypatch):
    destination, table = through_duckdb
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with serving(lambda _: [{"id": 1}]) as api:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, api.origin)
        for line in FILES.strip().splitlines():
            sql = line.format(folder=folder, url=api.origin, table=table)
            with pytest.raises(LoadError) as caught:
                print(sql, destination.query(sql))
            assert CANARY not in str(caught.value), sql
        assert not api.seen
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {k: v for k, v in after.items() if k in before} == before
    new = [path for path in after if path not in before and ".dlt" not in path.parts]
    assert not new
    assert sorted(destination.query(f"select id from {table}")[1]) == [(1,), (2,)]
    assert destination.query(f"select count(*), max(name) from {table} group by all")[1]


def test_a_large_query_may_still_use_the_disk(folder):
    destination, table = loaded(destination_from_url("duckdb:///data.duckdb"))
    sql = f"select x::text from {table}, range(200000) r(x) order by hash(x) limit 1 offset 300000"
    assert len(destination.query(sql)[1]) == 1


@pytest.fixture(scope="module")
def server():
    with serving_postgres() as url:
        yield url


@pytest.fixture
def postgres(server, folder):
    emptied(server)
    run(server, "create schema if not exists public")
    return loaded(destination_from_url(server))


REFUSED = """
select pg_read_file('/etc/passwd')
select "pg_read_file"('/etc/passwd')
select PG_READ_FILE ('/etc/passwd')
select pg_catalog.pg_read_file('/etc/passwd')
select pg_catalog . "pg_read_file" ('/etc/passwd')
select pg_read_file/* x */('/etc/passwd')
select pg_read_file/* /* x */ */('/etc/passwd')
select pg_read_file -- x
 ('/etc/passwd')
select '"', pg_read_file('/etc/passwd'), '"'
select E'\\'', pg_read_file('/etc/passwd'), E'\\''
select $a$ ' $a$, pg_read_file('/etc/passwd'), $a$ ' $a$
select ('/etc/passwd'::text).pg_read_file
select x.pg_read_file from (select '/etc/passwd'::text as a) x
select (array['/etc/passwd'])[1] . "pg_read_file"
select ('/etc/passwd'::text).-- x
 pg_read_file
select pg_read_file--x\r('/etc/passwd')
select U&"pg_read_fil\\0065"('/etc/passwd')
select pg_read_binary_file('/etc/passwd')
select pg_ls_dir('/')
select * from pg_ls_logdir()
select pg_stat_file('/etc/passwd')
select lo_import('/etc/passwd')
select lo_export(1, '/tmp/x')
select lo_get(1)
select set_config('role', 'none', false)
select query_to_xml('select pg_read_file(''/etc/passwd'')', true, true, '')
select * from dblink('dbname=postgres', 'select 1') as t(a int)
select pg_terminate_backend(1)
select pg_reload_conf()
select pg_sleep(0)
select pg_notify('a', 'b')
select nextval('shop.s')
select pg_advisory_lock(1)
select * from pg_hba_file_rules
select * from pg_catalog.pg_authid
select rolpassword from "pg_authid"
select * from pg_shadow
select table_to_xml(1260::regclass, true, true, '')
select * from pg_statistic where starelid = 1260
select * from pg_stats where tablename = 'pg_auth' || 'id'
select setting from pg_settings where name = 'primary_conninfo'
select current_setting('primary_conninfo')
select query from pg_stat_activity
select shop.mine()
select (t).other from shop.items t
select * from shop.outside
select * from shop.items for update
with a as (delete from shop.items returning *) select * from a
select 1 into shop.x
select 1; select 2
copy shop.items to program 'true'
set default_transaction_read_only = off
do $$ begin perform 1; end $$
"""


def statements(text):
    """A statement a line; a line that begins with a space goes on with the one before."""
    lines = []
    for line in text.strip().split("\n"):
        if line.startswith(" "):
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    return lines


@pytest.fixture
def hostile(server, postgres):
    run(server, "create sequence shop.s")
    run(server, "create function shop.mine() returns int language sql as 'select 1'")
    run(server, "create function shop.other(shop.items) returns int language sql as 'select 1'")
    run(server, "drop foreign data wrapper if exists nothing cascade")
    run(server, "create foreign data wrapper nothing")
    run(server, "create server far foreign data wrapper nothing")
    run(server, "create foreign table shop.outside (a int) server far")
    return postgres


HARMLESS = [
    "select count(*), max(name), lower('pg_read') from {t}",
    "select *, row_number() over (order by id) from {t}",
    "select random() < 2, gen_random_uuid() is not null, now() > '2020-01-01'",
    "select generate_series(1, 3), jsonb_build_object('a', 1), to_char(now(), 'YYYY')",
    "select 'it''s; fine', e'a\\tb', $x$ \" $x$",
    "with a as (select id from {t}) select sum(id) from a",
]


def test_postgres_calls_only_what_computes(hostile):
    destination, table = hostile
    for sql in statements(REFUSED):
        with pytest.raises(LoadError):
            print(sql, destination.query(sql))
    for sql in HARMLESS:
        assert destination.query(sql.format(t=table))[1], sql


def test_dlt_s_postgres_calls_only_what_computes(hostile, server, folder, monkeypatch):
    pytest.importorskip("dlt")
    pytest.importorskip("psycopg2")
    monkeypatch.setenv("DESTINATION__WAREHOUSE__DESTINATION_TYPE", "postgres")
    credentials = server.replace("postgres:@/", "postgres:s3cret@localhost/")
    monkeypatch.setenv("DESTINATION__WAREHOUSE__CREDENTIALS", credentials)
    destination, table = loaded(destination_from_url("dlt:///warehouse"), "by_dlt")
    for sql in statements(REFUSED):
        with pytest.raises(LoadError):
            print(sql, destination.query(sql))
    for sql in HARMLESS:
        if ";" not in sql:
            assert destination.query(sql.format(t=table))[1], sql
    with pytest.raises(LoadError, match='";" may only end'):
        destination.query(f"select ';' from {table}")


NEVER = {
    "snowflake": ["select $1 from @stage", "select * from '@stage/x'", "select system$wait(1)"],
    "bigquery": ["select * from external_query('c', 'select 1')", "select * from ml.predict(a)"],
    "clickhouse": [
        "select * from url('http://h/x', CSV)",
        "select * from file('/etc/passwd')",
        "select file('/etc/passwd')",
        "select * from remote('h', a.b)",
        "select * from s3('http://h')",
    ],
    "databricks": ["select * from parquet.`s3://b/x`", "select java_method('a', 'b')"],
    "tsql": ["select * from openrowset('a', 'b', 'c')", "select * from opendatasource('a', 'b').c"],
    "trino": ["select * from table(a.query('x'))"],
}


@pytest.mark.parametrize("dialect", NEVER)
def test_of_other_stores_only_named_tables_and_known_functions_are_read(dialect):
    for sql in NEVER[dialect]:
        with pytest.raises(LoadError):
            tables_read(sql, dialect)
    fine = "select count(*), max(a), lower(b) from s.t where c > 1 group by b order by 1 limit 5"
    assert [table.name for table in tables_read(fine, dialect)] == ["t"]
    for sql in ("drop table a", "insert into a select 1", "select 1; select 2", "delete from a"):
        with pytest.raises(LoadError, match="not one statement that reads"):
            tables_read(sql, dialect)


def test_a_query_leaves_this_process_as_it_is(folder):
    """Nothing of a query's limits stays: the next load writes as ever."""
    destination, table = loaded(destination_from_url("duckdb:///data.duckdb"))
    destination.query(f"select * from {table}")
    loaded(destination, "more")
    assert len(destination.query("select * from shop.more")[1]) == 2
