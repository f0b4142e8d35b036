"""`connector-assets query` and `preview`: a look at loaded tables that changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.postgres import serving_postgres

HOLDER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def loaded(cli, shop_project):
    assert cli("load", "shop").code == 0
    return shop_project


def test_a_query_shows_a_table(cli, loaded):
    done = cli("query", "select id, name from shop.items where id < 2 order by id")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["id", "name"],
        [done.out.splitlines()[1]],
        ["0", "n0"],
        ["1", "n0"],
    ]
    assert done.err == ""


def test_rows_beyond_the_limit_are_told(cli, loaded):
    done = cli("query", "select id from shop.items order by id", "--limit", 2, "--format", "jsonl")
    assert done.out == '{"id": 0}\n{"id": 1}\n'
    assert done.err == "2 rows shown; there are more, --limit shows them\n"


def test_values_keep_their_digits_in_every_format(cli, loaded):
    sql = """select 123456789012345678901234567890::hugeint as big, 1.10::decimal(9,2) as price,
        '{"a": 1e400}'::json as doc, date '2024-01-02' as day, null as none, 'a,"b' as text,
        [1.5::decimal(3,1)] as list, 'nan'::double as nan, 1 as big"""
    line = cli("query", sql, "--format", "jsonl").out
    assert '"big": 123456789012345678901234567890, "price": 1.10, "doc": {"a": 1e400}' in line
    assert json.loads(line)["big_1"] == 1
    assert json.loads(line)["nan"] == "nan"
    csv = cli("query", sql, "--format", "csv").out.splitlines()
    assert csv[0] == "big,price,doc,day,none,text,list,nan,big_1"
    assert csv[1].startswith(
        '123456789012345678901234567890,1.10,"{""a"": 1e400}",2024-01-02,,"a,""b"'
    )
    assert "1.10" in cli("query", sql).out


def test_preview_shows_a_stream_s_table(cli, loaded):
    done = cli("preview", "shop", "--format", "csv", "--limit", 1)
    assert done.out == "id,name\n0,n0\n"
    assert cli("preview", "specs/shop.yaml", "orders").code == 0


def test_a_file_called_like_a_schema_hurts_nobody(cli, shop_project):
    to = "duckdb:///shop.duckdb"
    assert cli("load", "shop", "items", "--to", to).code == 0
    done = cli("preview", "shop", "items", "--to", to, "--format", "jsonl")
    assert len(done.out.splitlines()) == 12


@pytest.mark.parametrize("to", ["parquet:///lake", "postgresql", "dlt:///duckdb"])
def test_other_stores_are_looked_at_alike(cli, shop_project, monkeypatch, to):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{shop_project}/w.duckdb")
    if to == "postgresql":
        with serving_postgres() as url:
            check_store(cli, url)
    else:
        check_store(cli, to)


def check_store(cli, url):
    assert cli("load", "shop", "items", "--to", url).code == 0
    shown = cli("preview", "shop", "items", "--to", url, "--format", "jsonl", "--limit", 20)
    assert sorted(json.loads(line)["id"] for line in shown.out.splitlines()) == list(range(12))
    counted = cli("query", "select count(*) as n from shop.items", "--to", url, "--format", "csv")
    assert counted.out == "n\n12\n"
    missing = cli("preview", "shop", "orders", "--to", url)
    assert "there is no such table in" in missing.err
    assert "run connector-assets load shop orders" in missing.err


def test_what_is_not_there_is_said(cli, shop_project):
    done = cli("preview", "shop")
    assert done.code == 1
    assert done.err == (
        "shop.items: there is no such table in duckdb:///data.duckdb yet; "
        "run connector-assets load shop items\n"
    )
    assert cli("query", "select 1").err.endswith("there is no such file; load something first\n")
    assert 'shop: "nope" is not a stream' in cli("preview", "shop", "nope").err
    assert not (shop_project / "data.duckdb").exists()


@pytest.mark.parametrize(
    "sql", ["delete from shop.items", "create table x (a int)", "select nope", "drop schema shop cascade"]
)  # fmt: skip
def test_nothing_can_be_written(cli, loaded, sql):
    assert cli("query", sql).code == 1
    assert len(cli("preview", "shop", "--format", "jsonl").out.splitlines()) == 12


def test_who_writes_to_the_file_is_named(cli, loaded, monkeypatch):
    monkeypatch.setattr("connector_assets.cli.query._WAIT_S", 0.1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, "data.duckdb"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout.readline() == "open\n"
    try:
        for command in (("query", "select 1"), ("preview", "shop")):
            done = cli(*command)
            assert done.code == 1
            assert f"open in process {holder.pid}; close it there" in done.err
    finally:
        holder.communicate("\n")


def test_a_connection_s_own_destination_goes_before_the_project_s(cli, shop_project, monkeypatch):
    (shop_project / "connections").mkdir()
    (shop_project / "connections" / "c.yaml").write_text(
        'kind: connection\nversion: "1.0"\nid: c\nconnector: shop\nstreams: [items]\n'
        "destination: duckdb:///own.duckdb\nsecrets: {token: {env: SHOP__TOKEN}}\n"
    )
    monkeypatch.setenv("C__BASE_URL", os.environ["SHOP__BASE_URL"])
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", "duckdb:///project.duckdb")
    done = cli("load", "c")
    assert "own.duckdb now has 12 rows" in done.out, done.err
    assert len(cli("preview", "c", "--format", "jsonl").out.splitlines()) == 12
    assert not (shop_project / "project.duckdb").exists()
    assert cli("load", "c", "--to", "duckdb:///asked.duckdb").code == 0
    assert (shop_project / "asked.duckdb").exists()


@pytest.mark.parametrize("sql", ["", ";", "select 1; select 2", "copy (select 1) to 'w.csv'"])
def test_what_is_not_one_statement_that_reads_is_not_run(cli, loaded, sql):
    done = cli("query", sql)
    assert done.code == 1
    assert done.err == "query: this is not one statement that reads; use select …\n"
    assert not (loaded / "w.csv").exists()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "sql",
    [
        "select sum(i * i % 7) from range(1000000000000) t(i)",
        # One whose parts take so long that DuckDB itself would look for a signal too late.
        "select count(*) from range(1000000) a(i), range(1000000) b(j) where (i * j) % 7 = 1",
    ],
)
def test_a_query_that_is_interrupted_ends_and_is_no_bug(cli, project, sql):
    import os
    import signal
    import threading

    import duckdb

    duckdb.connect(project / "d.duckdb").close()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    done = cli("query", sql, "--to", "duckdb:///d.duckdb")
    timer.join()
    assert (done.code, done.err) == (130, "interrupted\n")
