"""`connector-assets load`: what materializing does, stream by stream."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import threading
import time

import duckdb
import pytest

from connector_assets.cli.progress import Lines, counted
from connector_assets.runtime.stats import Stats
from tests.cli.conftest import SECRET, SHOP, shop
from tests.postgres import run as postgres
from tests.postgres import serving_postgres


def rows(file, table):
    with duckdb.connect(str(file), read_only=True) as tables:
        return [row[0] for row in tables.sql(f"select id from {table} order by id").fetchall()]


def test_every_stream_becomes_a_table(cli, shop_project):
    done = cli("load", "shop")
    assert done.code == 0
    assert [line.split(": ")[0] for line in done.out.splitlines()] == ["shop.items", "shop.orders"]
    assert "12 rows, 4 pages" in done.out
    assert "shop.items in duckdb:///data.duckdb now has 12 rows" in done.out
    for table in ("shop.items", "shop.orders"):
        assert rows("data.duckdb", table) == list(range(12))


def test_named_streams_only_and_a_schema_and_file_of_ones_own(cli, shop_project):
    to = f"duckdb:///{shop_project}/own.duckdb"
    done = cli("load", "specs/shop.yaml", "orders", "--to", to, "--schema", "mine")
    assert done.code == 0
    assert rows("own.duckdb", "mine.orders") == list(range(12))
    assert not (shop_project / "data.duckdb").exists()


def test_the_environment_says_where_to(cli, shop_project, monkeypatch):
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", "duckdb:///other.duckdb")
    monkeypatch.setenv("CONNECTOR_ASSETS_STAGING", "elsewhere")
    assert cli("load", "shop", "items").code == 0
    assert rows("other.duckdb", "shop.items") == list(range(12))
    assert (shop_project / "elsewhere").is_dir()


def test_a_stream_that_fails_does_not_stop_the_others_and_keeps_its_table(cli, shop_project, api):
    assert cli("load", "shop").code == 0
    good = shop(pages=5)
    api.answer = lambda request: (500, {}) if request.path == "/items" else good(request)
    done = cli("load", "shop")
    assert done.code == 1
    assert "/items: 500" in done.err
    assert "15 rows" in done.out
    assert rows("data.duckdb", "shop.items") == list(range(12))
    assert rows("data.duckdb", "shop.orders") == list(range(15))


def test_a_failed_load_goes_on_from_its_last_page_and_full_starts_over(cli, shop_project, api):
    good = shop(pages=4)
    failing = lambda request: (500, {}) if request.query.get("cursor") == "2" else good(request)  # noqa: E731
    for options, cursors in ((), ["2", "3"]), (("--full",), [None, "1", "2", "3"]):
        api.answer = failing
        assert cli("load", "shop", "items").code == 1
        api.answer = good
        api.seen.clear()
        assert cli("load", "shop", "items", *options).code == 0
        assert [request.query.get("cursor") for request in api.seen] == cursors
        assert rows("data.duckdb", "shop.items") == list(range(12))


def test_json_is_one_object_a_stream(cli, shop_project, api):
    good = shop()
    api.answer = lambda request: (500, {}) if request.path == "/orders" else good(request)
    done = cli("load", "shop", "--json")
    items, orders = (json.loads(line) for line in done.out.splitlines())
    assert done.code == 1
    assert items["ok"] is True
    assert (items["rows"], items["received"], items["pages"], items["calls"]) == (12, 12, 4, 4)
    assert (items["schema"], items["table"]) == ("shop", "items")
    assert items["destination"] == "duckdb:///data.duckdb"
    assert orders["ok"] is False
    assert "orders: 500" in orders["error"]


def test_parents_are_loaded_before_the_streams_that_read_their_tables(cli, shop_project, api):
    spec = SHOP.replace(
        "    - {name: items, primaryKey: [id]}\n",
        "    - {name: items, endpoint: of_order, forEach: [{parent: {stream: orders, field: id, as: order}}]}\n",
    ).replace(
        "endpoints:\n",
        'endpoints:\n  - {id: of_order, url: "{{base_url}}/{{item.order}}/items", pagination: {type: none}}\n',
    )
    (shop_project / "specs" / "shop.yaml").write_text(spec)
    good = shop(pages=1)
    api.answer = lambda request: (
        {**good(request), "rows": [{"id": 1}]} if request.path != "/orders" else good(request)
    )
    done = cli("load", "shop")
    assert done.code == 0, done.err
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["shop.orders", "shop.items"]
    asked = [request.path for request in api.seen]
    assert asked[0] == "/orders"
    assert sorted(asked[1:]) == ["/0/items", "/1/items", "/2/items"]  # several at a time


def test_a_stream_that_is_not_there_loads_nothing(cli, shop_project, api):
    done = cli("load", "shop", "items", "ordres")
    assert done.code == 1
    assert 'shop: "ordres" is not a stream; use one of items, orders' in done.err
    assert api.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:s3cret@h/d",
        "duckdb://data.duckdb",
        "x",
        "me:s3cret@h/d",
        "me:s3cret@h/d://x",
        "s3cret/x://y",
        "s3://b/f",
        "",
    ],
)
def test_a_destination_that_is_not_one_is_refused_before_anything_is_read(
    cli, shop_project, api, url
):
    done = cli("load", "shop", "--to", url)
    assert done.code == 1
    assert "duckdb:///" in done.err
    assert "s3cret" not in done.err
    assert api.seen == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://me:s3/cret@127.0.0.1:1/db", "percent-encode the password"),
        ("postgresql://me:s3@cret@127.0.0.1:1/db", "percent-encode the password"),
        ("postgresql://me:s3/@cret@127.0.0.1:1/db", "percent-encode the password"),
        ("postgresql://me:s3cret/db", "percent-encode the password"),
        ("postgresql://me:s3cret", "percent-encode the password"),
        ("parquet+nosuch://me:s3cret@h/x", "leave it to the environment"),
        ("parquet+sftp://s3cret@h/x", "leave it to the environment"),
        ("parquet+s3://AK:s3cret@bucket/x", "leave it to the environment"),
        ("parquet+s3://AK:s3/cret@bucket/x", "percent-encode the password"),
        ("parquet+http://h/x?token=s3cret", "leave it to the environment"),
    ],
)
def test_a_destination_with_a_password_in_the_wrong_place_is_not_quoted(
    cli, shop_project, api, url, says
):
    done = cli("load", "shop", "--to", url)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("destination: ")
    assert says in done.err
    assert not re.search("s3|cret|127", done.err)
    assert api.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "duckdb:///:memory:",
        "duckdb:///:memory:shop",
        "duckdb:///md:shop",
        "duckdb:///./md:shop",
        "duckdb:///s3://bucket/shop.duckdb",
        "duckdb:///a%00b",
        "parquet:///a%00b",
        "parquet+memory://bucket/folder",
        "parquet+simplecache::memory://bucket/folder",
    ],
)
def test_a_destination_that_would_not_keep_the_rows_is_refused(
    cli, shop_project, api, url, monkeypatch
):
    assert cli("load", "shop", "--to", url).err.startswith("destination: ")
    monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", url)
    assert cli("load", "shop").err.startswith("destination: ")
    assert api.seen == []


def test_an_absolute_path_is_a_file_whatever_its_name(cli, shop_project):
    file = shop_project / "md:shop"
    assert cli("load", "shop", "items", "--to", f"duckdb:///{file}").code == 0
    assert file.is_file()


def test_a_wrong_destination_names_every_form_there_is(cli, shop_project):
    err = cli("load", "shop", "--to", "mysql://h/d").err
    assert err.startswith('destination: "mysql" is not a known kind of destination; use ')
    for form in ("duckdb:///file.duckdb", "parquet:///folder", "parquet+s3://", "postgresql://"):
        assert form in err


def test_postgresql_takes_the_same_streams(cli, shop_project, monkeypatch):
    with serving_postgres() as url:
        done = cli("load", "shop", "items", "--to", url)
        assert "shop.items in postgresql://" in done.out
        monkeypatch.setenv("CONNECTOR_ASSETS_DESTINATION", url)
        assert cli("load", "shop").code == 0
        assert postgres(url, "select count(*), count(distinct id) from shop.items") == [(12, 12)]
        assert postgres(url, "select count(*) from shop.orders") == [(12,)]


def test_missing_values_fail_every_stream_with_one_line_each(cli, shop_project, monkeypatch):
    monkeypatch.delenv("SHOP__TOKEN")
    done = cli("load", "shop")
    assert done.code == 1
    assert done.err == "".join(
        f"shop.{name}: values are missing; set SHOP__TOKEN\n" for name in ("items", "orders")
    )


def test_control_c_is_130_and_the_next_load_goes_on(process, shop_project, api):
    arrived, release = threading.Event(), threading.Event()
    good = shop(pages=4)

    def slow(request):
        if request.query.get("cursor") == "2":
            arrived.set()
            release.wait(30)
        return good(request)

    api.answer = slow
    child = process("load", "shop", "items")
    assert arrived.wait(30)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    release.set()
    assert (child.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted"
    assert re.search(
        r"shop.items: interrupted; [36] rows are staged, and the next load goes on", err
    )
    assert "Traceback" not in err
    api.answer = good
    api.seen.clear()
    again = process("load", "shop", "items")
    assert "now has 12 rows" in again.communicate(timeout=30)[0]
    # Page 2 is asked for while page 1 is being staged: that may have come to its end or not.
    assert [request.query.get("cursor") for request in api.seen] in (["2", "3"], ["1", "2", "3"])


@pytest.mark.parametrize(
    ("to", "number"),
    [
        ("duckdb:///data.duckdb", signal.SIGINT),
        pytest.param("parquet:///lake", signal.SIGINT, marks=pytest.mark.slow),
        ("parquet:///lake", signal.SIGTERM),
    ],
)
def test_an_interruption_while_rows_are_loaded_keeps_what_is_staged(
    process, cli, shop_project, api, *, to, number, monkeypatch
):
    scratch, journal = shop_project / "scratch", shop_project / "staging/shop/items/all/journal"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("CONNECTOR_ASSETS_STAGING", str(shop_project / "staging"))
    many = [{"id": n, **{f"c{i}": f"{n * 7919 + i}" for i in range(40)}} for n in range(60_000)]
    api.answer = lambda _: {"rows": many}
    child = process("load", "shop", "items", "--to", to)
    while not journal.exists() or b'"complete":true' not in journal.read_bytes():
        time.sleep(0.01)
    time.sleep(0.3)
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, ""), err
    assert err.splitlines()[-1] == "interrupted"
    assert "all 60,000 rows are staged, and the next load writes them without a request" in err
    assert not [path for path in scratch.rglob("*") if path.is_file()]
    api.seen.clear()
    assert "now has 60,000 rows" in cli("load", "shop", "items", "--to", to).out
    assert not api.seen


def test_two_loads_of_one_stream_at_once_do_not_mix(process, cli, shop_project, api):
    arrived, release = threading.Event(), threading.Event()
    good = shop(pages=4)

    def slow(request):
        if request.query.get("cursor") == "2":
            arrived.set()
            release.wait(30)
        return good(request)

    api.answer = slow
    first = process("load", "shop", "items")
    assert arrived.wait(30)
    second = cli("load", "shop", "items")
    assert second.code == 1
    assert f"shop/items: held by process {first.pid} on " in second.err
    assert "wait for it to end, or end it" in second.err
    release.set()
    assert "now has 12 rows" in first.communicate(timeout=30)[0]
    assert rows("data.duckdb", "shop.items") == list(range(12))


def test_a_terminal_sees_progress(process, shop_project, api):
    good = shop(pages=4)

    def slow(request):
        time.sleep(0.1)  # so that the bar is drawn between pages
        return good(request)

    api.answer = slow
    primary, secondary = pty.openpty()
    tty = {
        "stdout": secondary,
        "stderr": secondary,
        "env": {**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    }
    child = process("load", "shop", "-v", **tty)
    os.close(secondary)
    shown = b""
    try:
        while chunk := os.read(primary, 65536):
            shown += chunk
    except OSError:
        pass  # Linux says so when the other end is closed
    os.close(primary)
    assert child.wait(30) == 0
    assert b"rows/s" in shown
    assert SECRET.encode() not in shown
    lines = screen(shown.decode())
    assert not [line for line in lines if line and not re.match(r"(DEBUG .*: )?shop\.", line)]
    assert len([line for line in lines if "; shop.items in duckdb:" in line]) == 1
    assert len([line for line in lines if "12 rows, 4 pages" in line]) == 2


def screen(text):
    """What a terminal of any height shows in the end: line feeds, carriage returns, erased lines."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|.", text, re.DOTALL):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\r":
            column = 0
        elif part.startswith("\x1b["):
            if part.endswith("K"):
                lines[row] = ""
            elif part.endswith("A"):
                row -= int(part[2:-1] or 1)
        else:
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1 :]
            column += 1
    return lines


def test_elsewhere_a_line_now_and_then(capsys):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock, stats = Clock(), Stats()
    lines = Lines(clock)
    lines.start("shop.items")
    for second in range(12):
        clock.now = 100.0 + second
        stats.rows, stats.pages = second * 1000, second
        lines.update(stats)
    assert capsys.readouterr().err.splitlines() == [
        "shop.items: 5,000 rows, 5 pages, 0 B, 1,000 rows/s",
        "shop.items: 10,000 rows, 10 pages, 0 B, 1,000 rows/s",
    ]


def test_waits_and_retries_are_told():
    stats = Stats(pages=1, rows=1, bytes=10, retries=2, waited_s=3.21)
    assert counted(stats, 0.0) == "1 row, 1 page, 10 B, 2 retries, waited 3.2 s"
