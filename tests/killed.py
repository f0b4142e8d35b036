"""Kill `connector-assets load` with SIGKILL at random moments, and compare tables with the truth.

    python -m tests.killed --kills 200 --seed 1

The whole way of a row is under fire: requests to a real server, pages read ahead, staging, the load,
the cursor. The server's rows follow from its version alone. After each kill every table must be
that of the version before or that of the version now; then the load is begun again, and killed
again, until it gets through and all tables are those of the version now.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 # imported once, here, not again in each of hundreds of forks

from connector_assets.cli.app import run
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.table import Table
from tests.load.crash import in_a_child
from tests.loopback import Seen, serving

SPEC = """
kind: connector
version: "1.0"
id: api
displayName: Api
auth: [{type: none}]
defaults: {baseUrl: "ORIGIN", responseRowsPath: rows}
endpoints:
  - {id: all, url: /all, pagination: {type: offset, pageSize: 50, totalField: total}}
  - {id: since, url: /since, pagination: {type: cursor, cursorField: next}}
  - {id: parts, url: "/parts/{{id}}", pagination: {type: none}}
read:
  streams:
    - {name: replaced, endpoint: all}
    - name: appended
      endpoint: since
      primaryKey: [seq]
      writeMode: append
      incremental: {cursorField: seq, startParam: since, start: "0"}
    - name: merged
      endpoint: since
      primaryKey: [id]
      incremental: {cursorField: seq, startParam: since, start: "0"}
    - name: parts
      endpoint: parts
      primaryKey: [id, part]
      forEach: [{parent: {stream: merged, field: id}}]
"""
STREAMS = ("replaced", "appended", "merged", "parts")
# Rows that each version brings, and how many ids they are spread over.
NEW, IDS, PARTS, PAGE = 300, 12, 3, 50
STEP_S = 0.002

Rows = list[dict[str, Any]]


def changes(version: int) -> Rows:
    """What happened up to `version`: each change has a number of its own."""
    return [
        {"seq": n, "id": n * 5 % IDS, "version": (n - 1) // NEW + 1, "text": f"change {n}"}
        for n in range(1, version * NEW + 1)
    ]


def truth(stream: str, version: int) -> Rows:
    """The rows of a stream's table after `version`; none before the first."""
    if stream == "replaced":
        return [{"id": n, "version": version} for n in range(version * 20 + 380)] if version else []
    if stream == "appended":
        return changes(version)
    merged = {row["id"]: row for row in changes(version)}
    if stream == "merged":
        return list(merged.values())
    return [part for key in merged for part in parts_of(key, version)]


def parts_of(key: int, version: int) -> Rows:
    return [{"id": key, "part": n, "version": version} for n in range(PARTS)]


def answer(request: Seen, version: int) -> Any:
    """The server: a list by offset, a list of changes since a number, the parts of an id."""
    time.sleep(STEP_S)  # so that a moment is as likely in fetching as in loading
    if request.path == "/all":
        rows, at = truth("replaced", version), int(request.query.get("offset", 0))
        return {"rows": rows[at : at + PAGE], "total": len(rows)}
    if request.path == "/since":
        since, at = int(request.query["since"]), int(request.query.get("cursor", 0))
        rows = [row for row in changes(version) if row["seq"] >= since]
        following = at + PAGE if at + PAGE < len(rows) else None
        return {"rows": rows[at : at + PAGE], "next": following}
    return {"rows": parts_of(int(request.path.rpartition("/")[2]), version)}


@contextmanager
def served(version: mmap.mmap) -> Iterator[str]:
    """The server in a process of its own: this one forks, and must have no threads."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # it complains of clients that vanish
        with serving(lambda request: answer(request, version[0])) as api:
            os.write(write, api.origin.encode())
            os.close(write)
            signal.pause()
    os.close(write)
    with os.fdopen(read) as pipe:
        origin = pipe.read()
    try:
        yield origin
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def load(folder: Path, kill_after_s: float | None) -> tuple[bool, float]:
    """Run the command in a fork; whether it got through, and how long it took."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with (folder / "log").open("a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            to = f"duckdb:///{folder / 'data.duckdb'}"
            code = run(
                ["load", str(folder / "api.yaml"), "--to", to, "--allow-private", "127.0.0.1"]
            )
        finally:
            os._exit(code)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}, (folder / "log").read_text()
    return status == 0, time.monotonic() - began


def versions(folder: Path, now: int) -> dict[str, int]:
    """Which version each table is; AssertionError where it is neither the last nor this one."""
    found = in_a_child(lambda: {stream: table(folder, stream) for stream in STREAMS})
    held = {}
    for stream in STREAMS:
        expected = {v: digest(row.values() for row in truth(stream, v)) for v in (now - 1, now)}
        matching = [v for v in expected if found[stream] == expected[v]]
        assert matching, f"{stream} is neither that of version {now - 1} nor that of {now}"
        held[stream] = matching[-1]
    return held


def digest(rows: Iterable[Iterable[Any]]) -> str:
    """Equal for the same rows in any order."""
    return hashlib.sha256(repr(sorted(map(tuple, rows))).encode()).hexdigest()


def table(folder: Path, stream: str) -> str:
    destination = DuckDBDestination(folder / "data.duckdb")
    if not destination.count(Table("api", stream)):
        return digest([])
    columns = ", ".join(truth(stream, 1)[0])
    return digest(destination.query(f"select {columns} from data.api.{stream}")[1])


def killed(kills: int, seed: int, folder: Path) -> Counter[str]:
    """Kill loads, at least `kills` in all; how many tables were new when each died."""
    rng, deaths = random.Random(seed), Counter[str]()
    version = mmap.mmap(-1, 1)
    os.environ["CONNECTOR_ASSETS_STAGING"] = str(folder / "staging")
    with served(version) as origin:
        (folder / "api.yaml").write_text(SPEC.replace("ORIGIN", origin))
        version[0] = 1
        done, usual_s = load(folder, None)
        assert done
        while deaths.total() < kills:
            version[0] += 1
            done = False
            for _ in range(rng.randint(1, 8)):
                done, _ = load(folder, rng.uniform(0, usual_s))
                held = versions(folder, version[0])
                if done:
                    break
                deaths[f"{sum(v == version[0] for v in held.values())} of 4"] += 1
            done = done or load(folder, None)[0]
            held = versions(folder, version[0])
            assert done
            assert set(held.values()) == {version[0]}, held
            if version[0] == 12:  # tables grow: begin again
                (folder / "data.duckdb").unlink()
                version[0] = 1
                load(folder, None)
    return deaths


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        deaths = killed(given.kills, given.seed, Path(folder))
    print(f"{deaths.total()} loads killed, nothing lost or doubled")
    print("tables that were new:", ", ".join(f"{k}: {n}" for k, n in sorted(deaths.items())))


if __name__ == "__main__":
    main()
