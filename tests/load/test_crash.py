"""A run that is killed leaves the old table or the new one, and its cursor with it."""

from __future__ import annotations

import errno
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.order import Order
from connector_assets.load.table import Cursor
from connector_assets.load.urls import destination_from_url
from tests.load.contract import TABLE, Store
from tests.load.crash import store_of

KILLS = [pytest.param(3, id="some"), pytest.param(250, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize(
    "store",
    [
        "duckdb",
        "duckdb --first",
        "parquet",
        "postgresql",
        # A load into a lake takes four times as long.
        pytest.param("delta+file", marks=pytest.mark.slow),
        pytest.param("iceberg+sqlite", marks=pytest.mark.slow),
    ],
)
def test_killed_at_random_instants_nothing_is_lost_or_doubled(store: str, kills: int) -> None:
    # In a process of its own: it forks, and pytest's has threads.
    done = subprocess.run(
        [sys.executable, "-m", "tests.load.crash", "--kills", str(kills), "--store", *store.split()],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost or doubled" in done.stdout


FULL_DISK = """
from connector_assets.errors import LoadError
import resource, sys
from pathlib import Path
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.order import Order
from connector_assets.load.table import Cursor, Segment
from tests.load.contract import TABLE
path, rows = Path(sys.argv[1]), Path(sys.argv[2])
room = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room,) * 2)
try:
    segment = Segment(rows, 30_000, rows.stat().st_size)
    DuckDBDestination(path).load(Order(TABLE, "append", [segment], Cursor(2, 1)))
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
    loaded = store.destination.load(Order(TABLE, "append", [segment], Cursor(2, 1)))
    assert loaded.rows == 30_100


FIRST_LOAD = """
from connector_assets.errors import LoadError
import os, resource, sys
from pathlib import Path
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.order import Order
from connector_assets.load.table import Segment
from tests.load.contract import TABLE
path, rows, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
segment = Segment(rows, 1, rows.stat().st_size)
try:
    DuckDBDestination(path).load(Order(TABLE, "replace", [segment]))
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
    assert store.destination.load(Order(TABLE, "replace", [segment])).rows == 1
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
from connector_assets.load.order import Order
from connector_assets.load.table import Cursor, Segment
from connector_assets.load.urls import destination_from_url
from tests.load.contract import TABLE
url, rows = sys.argv[1], Path(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    segment = Segment(rows, 30_000, rows.stat().st_size)
    destination_from_url(url).load(Order(TABLE, "append", [segment], Cursor(2, 1)))
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
        assert (
            store.destination.load(Order(TABLE, "append", [segment], Cursor(2, 1))).rows == 30_100
        )


FULL_FOLDER = """
import resource, sys
from pathlib import Path
from connector_assets.load.files.folders import LocalFolder
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16,) * 2)
folder = LocalFolder(Path(sys.argv[1]))
for step in (lambda: folder.put("a/b.parquet", Path(sys.argv[2])), lambda: folder.replace("a/m", bytes(1 << 20))):
    try:
        step()
    except OSError as error:
        print(error.errno)
"""


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs two file systems")
def test_half_a_file_takes_no_room_on_a_disk_that_is_full(tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as source:
        source.write(bytes(1 << 20))
        source.flush()
        done = subprocess.run(
            [sys.executable, "-c", FULL_FOLDER, str(tmp_path), source.name],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert done.stdout.split() == [str(errno.EFBIG)] * 2
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_load_to_files_first_sweeps_what_came_to_nothing(tmp_path: Path) -> None:
    store = Store(destination_from_url(f"parquet:///{tmp_path}/lake"), tmp_path / "staged")
    store.load({"id": 1})
    folder = tmp_path / "lake" / TABLE.schema / TABLE.name
    strays = [
        folder / name for name in (".000002-aa.parquet", "000002-bb.parquet", ".manifest-a1b2c3_d")
    ]
    for path in strays:
        path.write_bytes(bytes(10))

    def gone() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.destination.load(Order(TABLE, "append", store.segments({"id": 2}), fence=gone))
    assert not [path for path in strays if path.exists()]
    assert store.values("id") == [1]
