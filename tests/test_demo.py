"""The demo as a stranger runs it, on fewer rows; `make test-slow` runs it whole."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import duckdb
import pytest

from demo.__main__ import CONNECTORS, _compare
from demo.data import TABLES, build
from demo.server import count, serving

ROOT = Path(__file__).parents[1]
WHOLE = {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26115, "flights": 336776}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Datasette over tables of which two are longer than a page of the specs."""
    with serving(tmp_path_factory.mktemp("api"), most=12_000) as base_url:
        yield base_url


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_demo_gives_the_same_tables_each_time(tmp_path: Path, times: int) -> None:
    runs = []
    for _ in range(times):
        done = demo("load", "--folder", str(tmp_path), "--rows", "3000")
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"flights +3,000 +3,000 +3,000", done.stdout)
        assert "Delta Air Lines Inc." in done.stdout
        runs.append(contents(tmp_path / "demo.duckdb"))
    assert runs[0] == runs[-1]
    assert runs[0]["nycflights.flights"][0] == 3000
    for table in TABLES:
        assert runs[0][f"nycflights.{table}"] == runs[0][f"nycflights_cursor.{table}"]


@pytest.mark.parametrize("connector", CONNECTORS)
def test_read_gives_as_many_rows_as_the_api_counts(connector: str, api: str) -> None:
    for table in TABLES:
        assert len(read(connector, table, api)) == count(api, table)


def test_both_styles_give_the_same_rows_in_the_same_order(api: str) -> None:
    by_link, by_cursor = (read(connector, "weather", api) for connector in CONNECTORS)
    assert by_link == by_cursor
    assert json.loads(by_link[0])["origin"] == "EWR"


def test_a_count_that_differs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "demo.duckdb"
    with duckdb.connect(str(path)) as tables:
        for connector in CONNECTORS:
            tables.execute(f"create schema {connector}")
            tables.execute(f"create table {connector}.airlines (carrier text, name text)")
            tables.execute(f"create table {connector}.airports (faa text, name text)")
            columns = "carrier text, origin text, dest text, arr_delay int"
            tables.execute(f"create table {connector}.flights ({columns})")
        tables.execute("insert into nycflights.airlines values ('UA', 'United')")
    assert _compare(path, {"airlines": 1, "flights": 0}) == ["nycflights_cursor.airlines"]


def test_a_taken_port_ends_the_demo_with_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = demo("load", "--folder", str(tmp_path), "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_server_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "serve", "--folder", str(tmp_path), "--rows", "10"]
    command += ["--port", str(free_port())]
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert child.stdout
    with child.stdout:
        url = child.stdout.readline().split()[1]
        with urlopen(f"{url}/airlines.json?_size=1") as answer:
            assert answer.status == 200
        child.send_signal(number)
        assert child.wait(30) != 0
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{url}/airlines.json?_size=1", timeout=5)


def test_every_table_of_the_package_is_built_whole(tmp_path: Path) -> None:
    build(tmp_path / "flights.db")
    database = sqlite3.connect(tmp_path / "flights.db")
    try:
        held = {t: database.execute(f"select count(*) from {t}").fetchone()[0] for t in TABLES}
        assert held == WHOLE
        sql = "select count(*) from flights where arr_delay is null"
        assert database.execute(sql).fetchone()[0] == 9430
    finally:
        database.close()


@pytest.mark.slow
def test_the_whole_demo_holds_every_row(tmp_path: Path) -> None:
    done = demo("load", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    held = contents(tmp_path / "demo.duckdb")
    assert {table: held[f"nycflights.{table}"][0] for table in TABLES} == WHOLE
    assert all(held[f"nycflights.{t}"] == held[f"nycflights_cursor.{t}"] for t in TABLES)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes through /proc")
def test_a_terminated_load_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "load", "--folder", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment()
    ) as child:
        assert child.stdout
        assert any("rows" in line for line in child.stdout)
        assert len(processes_of(tmp_path)) > 2
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 128 + signal.SIGTERM
    assert processes_of(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes through /proc")
def test_the_ui_shows_the_assets_and_ends_whole(tmp_path: Path) -> None:
    ui = free_port()
    command = [sys.executable, "-m", "demo", "ui", "--folder", str(tmp_path), "--rows", "10"]
    command += ["--port", str(free_port()), "--ui-port", str(ui)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as child:
        try:
            assert {"nycflights", "stripe"} <= asset_groups(f"http://127.0.0.1:{ui}/graphql")
        finally:
            child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    assert processes_of(tmp_path) == []


def asset_groups(url: str) -> set[str]:
    """The first part of every asset key, as soon as the UI has loaded them."""
    query = {"query": "{assetNodes {assetKey {path}}}"}
    request = Request(url, json.dumps(query).encode(), {"Content-Type": "application/json"})
    for _ in range(240):
        try:
            with urlopen(request, timeout=10) as answer:
                nodes = json.load(answer)["data"]["assetNodes"]
        except OSError:
            nodes = []
        if nodes:
            return {node["assetKey"]["path"][0] for node in nodes}
        time.sleep(0.5)  # until the web server listens
    return set()


def processes_of(folder: Path) -> list[str]:
    """Command lines of the live processes that work in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in where and int(process.name) != os.getpid():
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def read(connector: str, table: str, api: str) -> list[str]:
    command = [str(Path(sys.executable).with_name("connector-assets")), "read"]
    command += [str(ROOT / "specs" / f"{connector}.yaml"), table, "--format", "jsonl"]
    command += ["--config", f"base_url={api}", "--allow-private", api.removeprefix("http://")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def contents(path: Path) -> dict[str, tuple[int, int]]:
    """Of each table its count and a digest of its rows, whatever their order."""
    with duckdb.connect(str(path), read_only=True) as tables:
        return {
            f"{connector}.{table}": tables.execute(
                f"select count(*), bit_xor(hash(t)) from {connector}.{table} t"
            ).fetchall()[0]
            for connector in CONNECTORS
            for table in TABLES
        }


def environment() -> dict[str, str]:
    without = {"PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in without}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
