"""A run that is killed leaves the old table or the new one, and its cursor with it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from connector_assets.load.duckdb import DuckDBDestination
from connector_assets.load.table import Cursor
from connector_assets.load.urls import destination_from_url
from tests.load.contract import TABLE, Store
from tests.load.crash import store_of

KILLS = [pytest.param(6, id="some"), pytest.param(250, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("store", ["duckdb", "parquet", "postgresql"])
def test_killed_at_random_instants_nothing_is_lost_or_doubled(store: str, kills: int) -> None:
    # In a process of its own: it forks, and pytest's has threads.
    done = subprocess.run(
        [sys.executable, "-m", "tests.load.crash", "--store", store, "--kills", str(kills)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost or doubled" in done.stdout


FULL_DISK = """
from connector_assets.errors import LoadError
import resource, sys
from pathlib import Path
from connector_assets.load.duckdb import DuckDBDestination
from connector_assets.load.table import Cursor, Segment
from tests.load.contract import TABLE
path, rows = Path(sys.argv[1]), Path(sys.argv[2])
room = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room,) * 2)
try:
    segment = Segment(rows, 30_000, rows.stat().st_size)
    DuckDBDestination(path).load(TABLE, [segment], "append", Cursor(2, 1))
except LoadError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [0, 1 << 18, 1 << 20, 2 << 20])
def test_a_full_disk_leaves_the_old_table(tmp_path: Path, room: int) -> None:
    store = Store(DuckDBDestination(tmp_path / "data.duckdb"), tmp_path / "staged")
    store.load(*({"id": i} for i in range(100)), cursor=Cursor(1))
    (segment,) = store.segments(
        *({"id": i, "text": f"{i * 7919 % 99991} " * 20} for i in range(30_000))
    )
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "data.duckdb"), str(segment.path), str(room)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.startswith("crm.people: "), done.stdout + done.stderr
    assert store.values("id") == list(range(100))
    assert store.destination.read_cursor(TABLE) == 1
    loaded = store.destination.load(TABLE, [segment], "append", Cursor(2, 1))
    assert loaded.rows == 30_100


FIRST_LOAD = """
from connector_assets.errors import LoadError
import os, resource, sys
from pathlib import Path
from connector_assets.load.duckdb import DuckDBDestination
from connector_assets.load.table import Segment
from tests.load.contract import TABLE
path, rows, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
segment = Segment(rows, 1, rows.stat().st_size)
try:
    DuckDBDestination(path).load(TABLE, [segment], "replace")
except LoadError as error:
    print(error, flush=True)
os.kill(os.getpid(), 9)
"""


# An empty database is 12288 bytes: one that stops before that is none.
@pytest.mark.parametrize("room", [0, 4096, 8192])
def test_a_first_load_that_dies_while_it_makes_the_file_can_be_run_again(
    tmp_path: Path, room: int
) -> None:
    path = tmp_path / "data.duckdb"
    store = Store(DuckDBDestination(path), tmp_path / "staged")
    (segment,) = store.segments({"id": 1})
    done = subprocess.run(
        [sys.executable, "-c", FIRST_LOAD, str(path), str(segment.path), str(room)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert ": " in done.stdout, done.stdout + done.stderr
    assert store.destination.read_cursor(TABLE) is None
    assert store.destination.load(TABLE, [segment], "replace").rows == 1
    assert not list(tmp_path.glob("*.new*"))


def test_a_file_that_was_being_made_when_its_load_was_killed_is_in_no_ones_way(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data.duckdb"
    store = Store(DuckDBDestination(path), tmp_path / "staged")
    (tmp_path / "data.duckdb.new").write_bytes(bytes(4096))
    assert store.destination.describe(TABLE) is None
    assert store.load({"id": 1}).rows == 1


FULL_LAKE = """
from connector_assets.errors import LoadError
import resource, sys
from pathlib import Path
from connector_assets.load.table import Cursor, Segment
from connector_assets.load.urls import destination_from_url
from tests.load.contract import TABLE
url, rows = sys.argv[1], Path(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    segment = Segment(rows, 30_000, rows.stat().st_size)
    destination_from_url(url).load(TABLE, [segment], "append", Cursor(2, 1))
except LoadError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [1 << 10, 1 << 16, 1 << 19])
@pytest.mark.parametrize("kind", ["parquet", "postgresql"])
def test_a_full_disk_leaves_the_old_table_in_other_stores(
    tmp_path: Path, kind: str, room: int
) -> None:
    # Of PostgreSQL it is this machine's disk that is full, where rows are typed on their way.
    with (
        store_of(kind)
        if kind == "postgresql"
        else nullcontext(f"parquet:///{tmp_path}/lake") as url
    ):
        store = Store(destination_from_url(url), tmp_path / "staged")
        store.load(*({"id": i} for i in range(100)), cursor=Cursor(1))
        (segment,) = store.segments(
            *({"id": i, "text": f"{i * 7919 % 99991} " * 20} for i in range(30_000))
        )
        done = subprocess.run(
            [sys.executable, "-c", FULL_LAKE, url, str(segment.path), str(room)],
            capture_output=True, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert ": " in done.stdout, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert store.values("id") == list(range(100))
        assert store.destination.read_cursor(TABLE) == 1
        assert store.destination.load(TABLE, [segment], "append", Cursor(2, 1)).rows == 30_100
