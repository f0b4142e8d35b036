"""A table of PostgreSQL into staging: rows a second and memory, beside plain ADBC and connectorx.

    python -m benchmarks.sql --rows 1000000 5000000 --runs 3 --peers /tmp/peers/bin/python

All read the same table of one server by TCP, in turn, each in a process of its own, and write
Parquet; what a process takes to start is left out. The peers' environment has
adbc-driver-postgresql, connectorx and pyarrow.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

TABLE = """
create table rows as select i as id, 'customer ' || i as name, i || '@example.com' as email,
  (i * 7 % 100000 / 8.0)::numeric(18,4) as amount, i % 3 = 0 as active, random() as score,
  '2024-01-01'::timestamptz + i * interval '1 second' as updated, md5(i::text) as note
from generate_series(1, {rows}) i"""


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """A server of a package: its URL by TCP, and its process."""
    import pgserver
    import psycopg

    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        running = pgserver.get_server(folder, cleanup_mode="stop")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        control = str(Path(pgserver.__file__).parent / "pginstall/bin/pg_ctl")
        as_user = ["runuser", "-u", running.system_user, "--"] if running.system_user else []
        told = f"-h 127.0.0.1 -p {port} -k {folder} -c shared_buffers=1GB -c max_wal_size=4GB"
        command = [*as_user, control, "-D", folder, "-w", "-l", f"{folder}/log", "-o", told]
        subprocess.run([*command, "restart"], check=True, stdout=subprocess.DEVNULL)
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        try:
            with psycopg.connect(url):
                yield url, int(Path(folder, "postmaster.pid").read_text().split()[0])
        finally:
            subprocess.run([*command, "stop"], check=True, stdout=subprocess.DEVNULL)


def ours(url: str, folder: Path, parallel: int) -> list[float]:
    """The plugin's batches, staged, as before a load: seconds, CPU seconds, rows."""
    from connector_assets.load.staging.staging import Staging
    from connector_assets.plugins.sql.discovery import discovered
    from connector_assets.plugins.sql.plugin import connector
    from connector_assets.plugins.sql.settings import SqlSettings
    from connector_assets.project.connection import Connection

    config = {"uri": url, "parallel": parallel}
    streams = discovered(SqlSettings.model_validate(config))
    reads = Connection("shop", replace(connector, fixed=lambda _: streams), environ={})
    begun, cpu = time.monotonic(), time.process_time()
    with Staging(folder, connection="shop", stream="rows", fingerprint="1") as staged:
        for batch in reads.connector.read(reads.open("rows", config=config)):
            checkpoint, complete = batch.checkpoint, batch.complete
            staged.append(batch.rows, batch.count, checkpoint, complete=complete)
        return [time.monotonic() - begun, time.process_time() - cpu, staged.rows]


def server_cpu(process: int) -> float:
    """CPU seconds of the connections that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")


def measured(command: list[str], server: int) -> tuple[float, ...]:
    """Seconds of the read, CPU seconds of reader and server, peak MB of the reader, and rows."""
    before = server_cpu(server)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    assert status == 0, command
    wall, cpu, rows = json.loads(told)
    time.sleep(0.2)  # until the server has noticed
    return wall, cpu, server_cpu(server) - before, usage.ru_maxrss / 1024, rows


def compared(url: str, server: int, rows: int, runs: int, peers: str) -> None:
    """Print the medians of all, and the ratio to plain ADBC."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as database:
        database.execute("drop table if exists rows")
        database.execute(TABLE.format(rows=rows).encode())
        database.execute("alter table rows add primary key (id)")
        database.execute("vacuum analyze rows")
    reads = [str(Path(__file__).parent / "contenders" / "sql_reads.py")]
    ours_by = [sys.executable, "-W", "ignore", "-m", "benchmarks.sql", "--read", url]
    ways = {
        "plain ADBC": [peers, *reads, "plain-adbc", url],
        "connectorx, 4 partitions": [peers, *reads, "connectorx", url],
        "ours, 1 reader": [*ours_by, "1"],
        "ours, 4 readers": [*ours_by, "4"],
    }
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, command in ways.items():  # in turn: what else the machine does hits all alike
            folder = tempfile.mkdtemp()
            found[name].append(measured([*command, f"{folder}/out"], server))
            shutil.rmtree(folder)
            assert found[name][-1][4] == rows, name
    base = statistics.median(one[0] for one in found["plain ADBC"])
    print(f"{rows:,} rows, medians of {runs}")
    for name, results in found.items():
        wall, cpu, at, peak = (statistics.median(one[n] for one in results) for n in range(4))
        print(
            f"  {name:26} {rows / wall:10,.0f} rows/s {base / wall:5.2f}x  "
            f"{wall:6.1f} s  {cpu:5.1f} CPU s and {at:5.1f} at the server  {peak:6,.0f} MB"
        )


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--peers", default=sys.executable)
    asked.add_argument("--read", nargs=3)
    given = asked.parse_args()
    if given.read:
        url, parallel, folder = given.read
        print(json.dumps(ours(url, Path(folder), int(parallel))))
        return
    with serving() as (url, server):
        for rows in given.rows:
            compared(url, server, rows, given.runs, given.peers)


if __name__ == "__main__":
    main()
