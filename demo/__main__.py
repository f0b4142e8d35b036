"""What `make demo`, `make ui` and `make serve` run."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from demo.data import TABLES
from demo.process import running
from demo.server import count, serving

ROOT = Path(__file__).resolve().parent.parent
CONNECTORS = {"nycflights": "next_url", "nycflights_cursor": "cursor"}
# In Dagster's log: "... - INFO - <job> - <run> - nycflights__planes - 3,322 rows in 1 pages, ..."
_PROGRESS = re.compile(r" - INFO - .* - (?P<step>\w+) - (?P<text>[\d,]+ rows .*)\n")
BUSIEST = """
select a.name as airline, f.origin, p.name as destination, count(*) as flights,
       round(avg(f.arr_delay), 1) as late_by_minutes
from nycflights.flights f
join nycflights.airlines a using (carrier)
join nycflights.airports p on p.faa = f.dest
group by all order by flights desc, airline limit 5
"""


def main() -> None:
    """Do what the first argument says; anything that fails ends with a non-zero exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("what", choices=("load", "ui", "serve"))
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo", help="where all files go")
    parser.add_argument("--port", type=int, help="of the API server (8001; for load a free one)")
    parser.add_argument("--ui-port", type=int, default=3000, help="of Dagster's UI")
    parser.add_argument("--rows", type=int, help="at most so many a table, for a short run")
    asked = parser.parse_args()
    # A terminated run ends its children too: SIGTERM and a closed terminal unwind like Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        {"load": load, "ui": ui, "serve": serve}[asked.what](asked)
    except KeyboardInterrupt:
        sys.exit(130)


def load(asked: argparse.Namespace) -> None:
    """Materialize every table in both styles, and hold the counts against the API's own."""
    started = time.monotonic()
    folder = asked.folder.resolve()
    print("1. Datasette serves the flights of 2013 ...", flush=True)
    with serving(folder, port=asked.port or 0, most=asked.rows) as base_url:
        print(f"   {base_url}\n2. Dagster materializes {2 * len(TABLES)} assets ...", flush=True)
        _materialize(folder, base_url)
        print("3. What the API counts, and what the tables hold:\n", flush=True)
        counted = {table: count(base_url, table) for table in TABLES}
    wrong = _compare(folder / "demo.duckdb", counted)
    if wrong:
        sys.exit(f"rows differ from what the API counts: {', '.join(wrong)}")
    print(f"Done in {time.monotonic() - started:.0f} s. The tables are in {folder}/demo.duckdb.")
    print("Next: `make ui` opens the same assets at http://127.0.0.1:3000, docs/tutorial.md is a")
    print("connector of your own in five minutes.")


def ui(asked: argparse.Namespace) -> None:
    """Datasette and Dagster's UI until Ctrl-C."""
    folder = asked.folder.resolve()
    with serving(folder, port=asked.port or 8001, most=asked.rows) as base_url:
        command = [_script("dagster"), "dev", "-w", str(ROOT / "workspace.yaml")]
        command += ["-h", "127.0.0.1", "-p", str(asked.ui_port)]
        print(f"API: {base_url}   Dagster: http://127.0.0.1:{asked.ui_port}   (Ctrl-C ends both)")
        with running(command, env=_environment(folder, base_url)) as dagster:
            sys.exit(dagster.wait())


def serve(asked: argparse.Namespace) -> None:
    """Datasette until Ctrl-C."""
    with serving(asked.folder.resolve(), port=asked.port or 8001, most=asked.rows) as base_url:
        print(f"API: {base_url}/nycflights   (Ctrl-C ends it)", flush=True)
        signal.pause()


def _materialize(folder: Path, base_url: str) -> None:
    selection = " or ".join(f'key:"{connector}/*"' for connector in CONNECTORS)
    command = [_script("dagster"), "asset", "materialize", "-m", "connector_assets.definitions"]
    command += ["--select", selection]
    log = folder / "dagster.log"
    environment = _environment(folder, base_url)
    # Not through a pipe: a grandchild that lives on would keep it open for ever.
    with (
        log.open("wb") as output,
        log.open(encoding="utf-8", errors="replace") as lines,
        running(command, env=environment, output=output) as dagster,
    ):
        while dagster.poll() is None:
            _tell_progress(lines)
            time.sleep(0.2)
        _tell_progress(lines)
    if dagster.returncode:
        tail = log.read_text(errors="replace").splitlines()[-40:]
        code = dagster.returncode
        sys.exit("\n".join([*tail, f"dagster failed with exit code {code}; all of it: {log}"]))


def _tell_progress(lines: Iterable[str]) -> None:
    for line in lines:
        found = _PROGRESS.search(line)
        if found:
            print(f"   {found['step'].replace('__', '/'):28}{found['text']}", flush=True)


def _environment(folder: Path, base_url: str) -> dict[str, str]:
    """Everything stays in `folder`, and the one private address that is needed is allowed."""
    home = folder / "dagster_home"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    return {
        "DAGSTER_HOME": str(home),
        "CONNECTOR_ASSETS_SPECS": str(ROOT / "specs"),
        "CONNECTOR_ASSETS_CONNECTIONS": str(ROOT / "connections"),
        "CONNECTOR_ASSETS_DESTINATION": f"duckdb:///{folder / 'demo.duckdb'}",
        "CONNECTOR_ASSETS_STAGING": str(folder / "staging"),
        "CONNECTOR_ASSETS_STATE": str(folder / "state"),
        "CONNECTOR_ASSETS_ALLOW_PRIVATE": base_url.removeprefix("http://"),
        **{f"{connector.upper()}__BASE_URL": base_url for connector in CONNECTORS},
    }


def _compare(database: Path, counted: dict[str, int]) -> list[str]:
    """Print the counts side by side and some rows; the tables whose counts differ."""
    import duckdb

    wrong = []
    with duckdb.connect(str(database), read_only=True) as tables:
        print(f"   {'table':10}{'API':>10}" + "".join(f"{s:>12}" for s in CONNECTORS.values()))
        for table, expected in counted.items():
            held = {name: _count(tables, name, table) for name in CONNECTORS}
            print(f"   {table:10}{expected:10,}" + "".join(f"{n:12,}" for n in held.values()))
            wrong += [f"{name}.{table}" for name, rows in held.items() if rows != expected]
        print(f"\n   The busiest routes, from {database.name}:\n")
        tables.sql(BUSIEST).show()
    return wrong


def _count(tables: Any, schema: str, table: str) -> int:
    return int(tables.execute(f"select count(*) from {schema}.{table}").fetchall()[0][0])


def _script(name: str) -> str:
    """A command of this environment, whatever PATH says."""
    return str(Path(sys.executable).with_name(name))


if __name__ == "__main__":
    main()
