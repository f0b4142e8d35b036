"""A table in chunks, what is new of it, and what a killed or cancelled run leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from connector_assets.errors import Cancelled
from tests.postgres import run

ORDERS = """
create table orders (id int primary key, note text, updated timestamptz);
insert into orders select i, 'n' || i, '2024-01-01Z'::timestamptz + i * interval '1 minute'
from generate_series(1, {0}) i"""
RUNNING = "select count(*) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"


def keyed(database, **own):
    return database.given(tables={"public.orders": {"cursor": "updated", **own}})


def read(database, stream="orders", **given):
    connection = database.connection
    return connection.connector.read(database.open(stream, **given))


def ids(batches):
    return [
        row["id"] for batch in batches for row in (batch.rows.to_pylist() if batch.count else ())
    ]


def test_each_row_comes_once_whatever_reads_it(either, url):
    run(url, ORDERS.format(1050))
    batches = list(read(either.given(parallel=3)))
    assert sorted(ids(batches)) == list(range(1, 1051))
    assert sum(batch.checkpoint is not None for batch in batches) >= 10


def test_a_key_of_texts_is_cut_too(either, url):
    run(url, "create table words (word text primary key, n int)")
    run(
        url,
        "insert into words select chr(97 + i % 26) || 'ä''\"%' || i, i from generate_series(1, 500) i",
    )
    either.load("words")
    assert either.rows("select count(*), count(distinct word), sum(n) from shop.words") == [
        (500, 500, 125250)
    ]


@pytest.mark.parametrize("key", ["uuid", "numeric(20,2)", "timestamptz", "char(40)"])
def test_other_keys_are_cut_too(postgres, url, key):
    value = (
        "gen_random_uuid()"
        if key == "uuid"
        else "now() + i * interval '1us'"
        if key == "timestamptz"
        else "i"
    )
    run(url, f"create table t (k {key} primary key, n int)")
    run(url, f"insert into t select {value}, i from generate_series(1, 450) i")
    postgres.load("t")
    assert postgres.rows("select count(*), sum(n) from shop.t") == [(450, 101475)]


def test_a_table_without_a_key_is_read_as_one(postgres, url):
    run(
        url,
        "create table log (note text); insert into log select i::text from generate_series(1, 250) i",
    )
    postgres.load("log")
    assert postgres.rows("select count(*), count(distinct note) from shop.log") == [(250, 250)]


def test_all_chunks_are_of_the_moment_when_the_read_began(either, url):
    run(url, ORDERS.format(1000))
    batches = read(either.given(parallel=2))
    found = [next(batches)]  # the others are still to be read
    run(
        url,
        "update orders set note = 'changed', id = id + 5000; insert into orders values (0, 'new')",
    )
    rows = [row for b in (*found, *batches) for row in (b.rows.to_pylist() if b.count else ())]
    assert sorted(row["id"] for row in rows) == list(range(1, 1001))
    assert {row["note"] for row in rows} == {f"n{i}" for i in range(1, 1001)}


def test_without_a_snapshot_chunks_are_of_when_they_are_read(postgres, url):
    run(url, ORDERS.format(1000))
    batches = read(postgres.given(parallel=1, snapshot="none"))
    found = [next(batches)]
    run(url, "update orders set note = 'changed'")
    rows = [row for b in (*found, *batches) for row in (b.rows.to_pylist() if b.count else ())]
    assert len(rows) == 1000
    assert "changed" in {row["note"] for row in rows}


def test_the_next_run_reads_what_is_beyond_the_stored_position(either, url):
    run(url, ORDERS.format(300))
    first = keyed(either).load("orders")
    assert (first.loaded.received, first.cursor_after) == (300, "2024-01-01 05:00:00+00")
    run(
        url,
        "insert into orders values (301, 'new', '2024-01-02Z'), (302, 'same time', '2024-01-02Z')",
    )
    run(url, "update orders set note = 'changed', updated = '2024-01-03Z' where id = 7")
    second = keyed(either).load("orders")
    assert (second.loaded.received, second.loaded.rows) == (3, 302)
    assert second.cursor_after == "2024-01-03 00:00:00+00"
    assert either.rows("select note from shop.orders where id = 7") == [("changed",)]
    assert keyed(either).load("orders").loaded.received == 0


def test_rows_without_a_cursor_are_read_each_time(postgres, url):
    run(url, ORDERS.format(10) + "; insert into orders values (0, 'none', null)")
    assert keyed(postgres).load("orders").loaded.received == 11
    run(url, "update orders set note = 'still none' where id = 0")
    assert keyed(postgres).load("orders").loaded.received == 1
    assert postgres.rows("select note from shop.orders where id = 0") == [("still none",)]


def test_a_table_whose_rows_have_no_cursor_at_all_is_read(postgres, url):
    run(
        url,
        "create table orders (id int primary key, updated timestamptz); insert into orders values (1)",
    )
    assert keyed(postgres).load("orders").loaded.received == 1


def test_rows_that_are_late_come_with_lookback(postgres, url):
    run(url, ORDERS.format(100))
    late = keyed(postgres, lookback="PT10M")
    late.load("orders")
    run(url, "insert into orders values (500, 'late', '2024-01-01 01:35Z')")
    assert late.load("orders").loaded.received == 12
    assert postgres.rows("select count(*) from shop.orders where note = 'late'") == [(1,)]


def test_a_window_is_read_from_its_start_up_to_its_end(either, url):
    run(url, ORDERS.format(300))
    window = ("2024-01-01T01:00:00Z", "2024-01-01T02:00:00Z")
    keyed(either).load("orders", window=window)
    assert either.rows("select min(id), max(id), count(*) from shop.orders") == [(60, 119, 60)]


def test_a_start_is_where_the_first_run_begins(postgres, url):
    run(url, ORDERS.format(300))
    keyed(postgres).load("orders", start="2024-01-01 04:50:00")
    assert postgres.rows("select min(id), max(id) from shop.orders") == [(290, 300)]


def test_rows_of_one_time_are_never_split(postgres, url):
    """What is new goes on after the last whole time, wherever it was interrupted."""
    run(url, ORDERS.format(1))
    keyed(postgres).load("orders")
    run(url, "insert into orders select i, '', '2024-02-01Z'::timestamptz + (i / 7) * interval '1 hour'"
             " from generate_series(10, 1009) i")  # fmt: skip
    database = keyed(postgres)
    reading = replace(database.open("orders"), cursor={"": {"value": "2024-01-01 00:01:00+00"}})
    batches = list(database.connection.connector.read(reading))
    assert sorted(ids(batches)) == list(range(10, 1010))
    marked = [number for number, batch in enumerate(batches[:-1], 1) if batch.checkpoint]
    assert marked
    for number in marked:
        resumed = replace(reading, resume=batches[number - 1].checkpoint)
        after = ids(database.connection.connector.read(resumed))
        assert sorted([*ids(batches[:number]), *after]) == list(range(10, 1010))


KILLED = """
import sys
from pathlib import Path
from tests.plugins.sql.databases import Database
import json
database = Database(Path(sys.argv[1]), **json.loads(sys.argv[2]))
import connector_assets.load.staging.staging as staging
append, told = staging.Staging.append, []
def slow(self, *given, **more):
    append(self, *given, **more)
    told.append(1)
    if len(told) == int(sys.argv[3]):
        print("staged", flush=True)
        sys.stdin.read()
staging.Staging.append = slow
database.load(sys.argv[4])
"""


def killed(database, batches, stream="orders"):
    """A load that was killed after so many batches were staged."""
    given = [str(database.folder), json.dumps(database.config), str(batches), stream]
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, *given],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == b"staged\n"
        process.send_signal(signal.SIGKILL)


def test_a_run_that_was_killed_goes_on_with_the_chunks_that_are_left(either, url):
    run(url, ORDERS.format(1000))
    killed(either, 4)
    run(url, "update orders set note = 'changed'; delete from orders where id > 990")
    done = either.load("orders")
    assert done.resumed_rows >= 300
    assert any("of its own moment" in text for _, text in done.stats.said())
    notes = dict(either.rows("select note = 'changed', count(*) from shop.orders group by 1"))
    assert notes[False] == done.resumed_rows
    assert sum(notes.values()) == either.rows("select count(distinct id) from shop.orders")[0][0]


def test_where_a_table_is_to_be_of_one_moment_a_killed_run_begins_anew(postgres, url):
    run(url, ORDERS.format(1000))
    whole = postgres.given(snapshot="table")
    run(url, "update orders set note = 'changed'")
    assert [b.checkpoint for b in read(whole)] == [None]


def test_nothing_runs_at_the_server_after_the_read_is_cancelled(either, url):
    slow = either.given(
        queries={"slow": {"sql": "select 1 as id union all select pg_sleep(600)::text::int"}}
    )
    cancel = threading.Event()
    batches = slow.connection.connector.read(slow.open("slow", cancel=cancel))

    def end_it():
        while run(url, RUNNING) == [(0,)]:
            cancel.wait(0.02)
        cancel.set()

    threading.Thread(target=end_it).start()
    with pytest.raises(Cancelled):
        list(batches)
    assert run(url, RUNNING) == [(0,)]


@pytest.mark.slow
def test_nothing_runs_at_the_server_after_we_are_killed(either, url):
    """Java hears of it by the end of its input; what libpq reads, the server notices by itself."""
    slow = either.given(queries={"slow": {"sql": "select 1 as id, pg_sleep(600)::text"}})
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(slow.folder), json.dumps(slow.config), "9", "slow"],
        stdin=subprocess.PIPE, cwd=Path(__file__).parents[3],
    ) as process:  # fmt: skip
        while run(url, RUNNING) == [(0,)]:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    while run(url, RUNNING) != [(0,)]:
        time.sleep(0.05)
