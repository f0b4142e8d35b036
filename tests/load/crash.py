"""Kill runs with SIGKILL at random instants, run them again, and compare with what must be there.

    python -m tests.load.crash --kills 300 --seed 1

A "vendor" holds rows that follow from their number alone, so the truth is known. A run reads its
pages from where staging says, stages them and loads them, in a child process that says through
shared memory which phase it is in. The parent lets it come to a random phase, waits a random
moment, kills it, and looks at the table and the cursor: they must be those of before the run or
those of after it, together. Then it is run again, and killed again, until it gets through.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 # imported once, here, not again in each of hundreds of forks

from connector_assets.load.destination import Destination, LoadsAhead
from connector_assets.load.items import FEW
from connector_assets.load.order import Order
from connector_assets.load.staging import staging as module
from connector_assets.load.staging.staging import Staging
from connector_assets.load.table import Cursor, Table, WriteMode
from connector_assets.load.urls import destination_from_url
from tests.postgres import serving_postgres

PHASES = ("start", "fetch", "stage", "load", "commit", "clean", "done")
PAGE, PAGES = 400, 12
ITEMS = FEW + 200
# About what each phase takes in this harness, seconds: how long to wait in it before killing.
LENGTHS = {"start": 0.02, "fetch": 0.05, "stage": 0.02, "load": 0.15, "commit": 0.06, "clean": 0.01}

module._FILE_BYTES = 300_000  # two pages: so there is something to load ahead

State = tuple[int, int, int, Any]


@dataclass(slots=True)
class Trial:
    """One table and what its runs must leave behind: state `version` after that many runs."""

    mode: WriteMode
    folder: Path
    store: str = "duckdb"
    version: int = 0
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def table(self) -> Table:
        return Table("crash", self.mode, ("id",) if self.mode == "merge" else ())

    def destination(self) -> Destination:
        is_url = "://" in self.store
        return destination_from_url(
            self.store if is_url else f"{self.store}:///{self.folder / 'data'}"
        )

    def begin_again(self) -> None:
        """An empty folder; on a server, no table."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.version = 0
        if self.store.startswith("postgresql:"):
            in_a_child(lambda: drop(self.store, self.mode))

    def vendor(self, version: int) -> Iterator[list[dict[str, Any]]]:
        """The pages of run `version` (from 1): new rows for append, changed ones for merge."""
        first = (version - 1) * PAGE * PAGES if self.mode == "append" else 0
        if self.mode == "merge":
            first = (version - 1) * PAGE * PAGES // 2
        for page in range(PAGES):
            start = first + page * PAGE
            yield [row(number, version) for number in range(start, start + PAGE)]

    def truth(self, version: int) -> State:
        """Rows, sum of ids, sum of versions, and the cursor after run `version`."""
        if version == 0:
            return (0, 0, 0, None)
        rows: dict[int, int] = {}
        for past in range(1, version + 1):
            if self.mode == "replace":
                rows.clear()
            for page in self.vendor(past):
                rows.update((item["id"], item["version"]) for item in page)
        return (len(rows), sum(rows), sum(rows.values()), version)

    def moves(self, version: int, expected: Any) -> Cursor:
        """How run `version` moves the cursor: a number for replace, else a third of many items."""
        if self.mode == "replace":
            return Cursor(version, expected)
        return Cursor(moved(version), expected, adds=version > 1)

    def version_at(self, cursor: Any) -> Any:
        """The version of a stored cursor, which must be all of that run's."""
        if isinstance(cursor, Mapping):
            version = max(cursor.values())
            expected: dict[str, int] = {}
            for past in range(1, version + 1):
                expected |= moved(past)
            assert cursor == expected, f"positions of several runs, up to {version}"
            return version
        return cursor

    def found(self) -> State:
        """What is there now; a server may still commit for a client that was killed."""
        cursor = self.version_at(self.destination().read_cursor(self.table))
        held = self.held()
        again = self.version_at(self.destination().read_cursor(self.table))
        return (*held, cursor) if again == cursor else self.found()

    def held(self) -> tuple[int, int, int]:
        destination = self.destination()
        if destination.count(self.table) is None:
            return (0, 0, 0)
        sql = f"""select count(*), sum(id), sum(version), count(distinct id),
            count(*) filter (where text = 'row ' || id || ' of ' || version) from crash."{self.mode}" """
        rows, ids, versions, distinct, right = destination.query(sql)[1][0]
        assert rows == distinct == right, f"{rows} rows, {distinct} ids, {right} right texts"
        return (rows, int(ids or 0), int(versions or 0))


def moved(version: int) -> dict[str, int]:
    """The positions that run `version` reaches: of all items first, then of every third."""
    items = (n for n in range(ITEMS) if version == 1 or (n + version) % 3 == 0)
    return {f"[{n}]": version for n in items}


def drop(url: str, mode: str) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(f'drop table if exists crash."{mode}"')
        if connection.execute("select to_regclass('_connector_assets.state')").fetchall()[0][0]:
            for name in ("state", "columns"):
                connection.execute(
                    f"delete from _connector_assets.{name} where table_name = %s", [mode]
                )
        if connection.execute("select to_regclass('_connector_assets.items')").fetchall()[0][0]:
            connection.execute("delete from _connector_assets.items where table_name = %s", [mode])


def row(number: int, version: int) -> dict[str, Any]:
    text = f"row {number} of {version}"
    return {"id": number, "version": version, "text": text, "tags": [text] * 3, "pad": "x" * 200}


def run(trial: Trial, version: int, enter: Callable[[str], None]) -> None:
    """What a run does: go on from what is staged, stage the rest, load, clean up."""
    table, destination = trial.table, trial.destination()
    with (
        Staging(
            trial.folder / "staging",
            connection="crash",
            stream=trial.mode,
            fingerprint=str(version),
        ) as staged,
        ExitStack() as held,
    ):
        ahead = None
        if isinstance(destination, LoadsAhead) and not staged.rows:
            ahead = destination.ahead(table, trial.mode, staged.ahead)
        if ahead:
            held.callback(ahead.close)
        expected = destination.read_cursor(table)
        if trial.version_at(expected) == version and not staged.rows:
            return enter("done")  # the last one died cleaning up: the vendor has nothing new
        if not staged.complete:
            done = int(staged.resume or 0)
            for number, rows in enumerate(trial.vendor(version), 1):
                if number <= done:
                    continue
                enter("fetch")
                with (trial.folder / "requests").open("a") as log:
                    log.write(f"{version}.{number}\n")
                time.sleep(0.002)
                enter("stage")
                last = number == PAGES
                staged.append(rows, PAGE, None if last else str(number), last, version)
                if ahead:
                    ahead.offer(staged.done())
        enter("load")
        (ahead or destination).load(
            Order(
                table,
                trial.mode,
                staged.segments(),
                trial.moves(version, expected),
                fence=lambda: enter("commit"),
            )
        )
        enter("clean")
        staged.clear()
    return enter("done")


def attempt(trial: Trial, version: int, rng: random.Random, *, kill: bool) -> str:
    """Start a run and kill it somewhere; return the phase it died in, or "done"."""
    phase = mmap.mmap(-1, 1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run(trial, version, lambda name: phase.__setitem__(0, PHASES.index(name)))
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    target = rng.choice(PHASES[:-1])
    if kill:
        while (
            phase[0] < PHASES.index(target)
            and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        ):
            time.sleep(0.0005)
        length = LENGTHS[target] / (10 if target == "commit" and "://" in trial.store else 1)
        time.sleep(rng.uniform(0, length))
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}, f"the run failed with {status}"
    return "done" if status == 0 else PHASES[phase[0]]


def in_a_child(work: Callable[[], Any]) -> Any:
    """Call `work` in a fork, so that this process never opens the database itself."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = {"ok": work()}
        except BaseException as error:
            answer = {"error": repr(error)}
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(child, 0)
    assert "ok" in answer, answer
    return answer["ok"]


def next_version(trial: Trial, rng: random.Random, kills: int) -> None:
    """Bring the table one version on, through up to `kills` kills."""
    old, new = trial.truth(trial.version), trial.truth(trial.version + 1)
    outcome, deaths, unfinished = "", 0, 0
    while outcome != "done":
        outcome = attempt(trial, trial.version + 1, rng, kill=deaths < kills)
        state = tuple(in_a_child(trial.found))
        allowed = {"done": [new], "commit": [old, new], "clean": [new]}.get(outcome, [old])
        if deaths:  # an earlier kill may have come just after the commit
            allowed.append(new)
        assert state in allowed, f"killed in {outcome}: {state} is not in {allowed}"
        if outcome != "done":
            trial.kills[outcome] += 1
            deaths += 1
            unfinished += outcome in {"fetch", "stage"}
    trial.version += 1
    requests = Counter((trial.folder / "requests").read_text().split())
    ours = [count for name, count in requests.items() if name.startswith(f"{trial.version}.")]
    assert sum(ours) <= PAGES + unfinished, f"{sum(ours)} requests for {PAGES} pages"
    left = [path.name for path in (trial.folder / "staging").rglob("*") if path.is_file()]
    assert all(name.endswith((".lock", ".holder")) for name in left), left


def crash(store: str, kills: int, seed: int, root: Path, *, first: bool) -> Counter[str]:
    """Kill runs of each write mode, at least `kills` in all; return how many died in which phase.

    With `first`, each is the first into its store, which a DuckDB file begins before all rows are
    there.
    """
    rng = random.Random(seed)
    modes: list[WriteMode] = ["replace", "append", "merge"]
    trials = [Trial(mode, root / mode, store) for mode in modes]
    for trial in trials:
        trial.begin_again()
    while sum(sum(trial.kills.values()) for trial in trials) < kills:
        for trial in trials:
            next_version(trial, rng, rng.randint(0, 5))
            if first or trial.version == 6:  # tables grow: begin again
                trial.begin_again()
    return sum((trial.kills for trial in trials), Counter())


@contextmanager
def store_of(kind: str) -> Iterator[str]:
    """The kind of store itself, or the URL of a server of its own."""
    if kind.startswith("delta"):  # what is imported is imported once, as DuckDB is above
        import deltalake  # noqa: F401
    elif kind.startswith("iceberg"):
        import pyiceberg.catalog.sql
        import pyiceberg.io.pyarrow  # noqa: F401
    if kind != "postgresql":
        yield kind
        return
    import connector_assets.load.postgres.destination  # noqa: F401 # once, not again in each of the forks

    with serving_postgres() as url:
        yield url


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--store",
        choices=["duckdb", "parquet", "postgresql", "delta+file", "iceberg+sqlite"],
        default="duckdb",
    )
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    with tempfile.TemporaryDirectory() as folder, store_of(given.store) as store:
        begun = time.monotonic()
        died = crash(store, given.kills, given.seed, Path(folder), first=given.first)
        print(
            f"{sum(died.values())} kills in {time.monotonic() - begun:.0f} s, nothing lost or doubled"
        )
    for phase in PHASES[:-1]:
        print(f"{phase:8}{died[phase]:6}")


if __name__ == "__main__":
    main()
