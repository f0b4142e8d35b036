"""The DuckDB file: the contract of all destinations, and what only a file has."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from connector_assets.errors import Busy, LoadError
from connector_assets.load.destination import Destination
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.order import Order
from connector_assets.load.staging.staging import Staging
from connector_assets.load.table import Cursor, Table
from tests.load.contract import MANY, TABLE, DestinationContract, Store, many_of


class TestDuckDB(DestinationContract):
    @pytest.fixture
    def destination(self, tmp_path: Path) -> Destination:
        return DuckDBDestination(tmp_path / "data.duckdb")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.duckdb"


@pytest.fixture
def store(path: Path, tmp_path: Path) -> Store:
    return Store(DuckDBDestination(path), tmp_path / "staged")


def types(store: Store) -> dict[str, str]:
    return {column.name: column.type for column in store.destination.describe(TABLE) or ()}


def test_columns_have_the_narrowest_type_that_holds_every_value(store: Store) -> None:
    store.load(
        {"a": True, "b": 1, "c": 2**63, "d": 1.5, "e": "x", "f": {}, "g": None, "h": 1, "i": 2**60 + 1,
         "j": "2024-01-01", "k": "2024-01-01T00:00:00", "l": "2024-01-01T00:00:00Z", "m": 10**40, "n": "2024-01-01"},
        {"a": False, "b": None, "c": 1, "d": 1, "e": "2024-01-01", "f": [1], "h": "1", "i": 0.5, "n": "2024-02-31"},
    )  # fmt: skip
    assert types(store) == {
        "a": "BOOLEAN", "b": "BIGINT", "c": "HUGEINT", "d": "DOUBLE", "e": "VARCHAR", "f": "JSON", "g": "JSON",
        "h": "JSON", "i": "JSON", "j": "DATE", "k": "TIMESTAMP", "l": "TIMESTAMP WITH TIME ZONE", "m": "JSON",
        "n": "VARCHAR",
    }  # fmt: skip


def test_whole_doubles_become_whole_numbers_in_json(store: Store) -> None:
    values = [1, 0.5, -3.0, -0.0, 0.0, 1e15, 1e300, 1e17]
    store.load(*({"v": value} for value in values), mode="append")
    store.load({"v": "x"}, mode="append")
    got = store.destination.query("select cast(v as varchar) from crm.people")[1]
    assert " ".join(text for (text,) in got) == (
        '1 0.5 -3 -0.0 0 1000000000000000 1e300 100000000000000000.0 "x"'
    )


def test_a_load_that_fails_leaves_what_staging_knows_of_the_rows(store: Store, path: Path) -> None:
    with Staging(path.parent / "s", connection="c", stream="s", fingerprint="f") as staged:
        rows = [{"v": "2024-01-01"} for _ in range(3_000)]
        staged.append([*rows, {"v": "2024-01-32"}], 3_001, complete=True)
        segments = staged.segments()

        def fail() -> None:
            raise Busy("held")

        with pytest.raises(Busy):
            store.destination.load(Order(TABLE, "replace", segments, fence=fail))
        assert segments == staged.segments()
        assert segments[0].profile == staged.segments()[0].profile
        store.destination.load(Order(TABLE, "replace", segments))
    assert types(store) == {"v": "VARCHAR"}


def test_a_text_that_is_no_time_far_behind_times_makes_the_column_text(store: Store) -> None:
    rows = [{"v": "2024-01-01", "w": "2024-01-01"} for _ in range(60_000)]
    store.load(*rows, {"v": "not-a-date", "w": "2024-12-31"})
    assert types(store) == {"v": "VARCHAR", "w": "DATE"}
    assert store.values("v")[-1] == "not-a-date"


def test_nested_values_can_be_declared(store: Store) -> None:
    table = Table("crm", "people", columns={"a": "struct(x double, y varchar[])", "t": "varchar[]"})
    store.load({"a": {"x": 1, "y": ["p"]}, "t": ["q"]}, {"a": {"x": 0.5}, "t": []}, {}, table=table)
    rows = store.destination.query("from crm.people")[1]
    assert rows == [({"x": 1.0, "y": ["p"]}, ["q"]), ({"x": 0.5, "y": None}, []), (None, None)]
    for bad in ({"a": {"z": 1}}, {"a": {"x": "s"}}, {"t": [{"u": 1}]}, {"a": 5}):
        with pytest.raises(LoadError, match="row 1"):
            store.load(bad, table=table)


@pytest.mark.parametrize("day", ["1969-12-31", "2024-05-01"])
def test_nanoseconds_can_be_declared(store: Store, day: str) -> None:
    table = Table("crm", "people", columns={"v": "timestamp_ns"})
    value = f"{day}T00:30:00.123456789"
    store.load({"v": f"{value}Z"}, {"v": f"{value}+00:30"}, table=table)
    assert store.destination.query("select v::varchar from crm.people")[1] == [
        (value.replace("T", " "),),
        (value.replace("T", " ").replace("00:30:00", "00:00:00"),),
    ]
    for bad in (f"{value}1", "2500-01-01", "infinity", "soon"):
        with pytest.raises(LoadError, match="row 1"):
            store.load({"v": bad}, table=table)


def test_wide_and_sparse_rows_load(store: Store) -> None:
    store.load({"id": 1, **{f"c{i}": i for i in range(9_999)}})
    assert store.rows("c9998") == [[9998]]
    sparse = Table("crm", "sparse")
    store.load(*({"id": i, f"k{i}": 1} for i in range(3000)), table=sparse)
    assert store.rows("id", "k7", table=sparse)[7] == [7, 1]


def test_long_rows_load(store: Store) -> None:
    store.load({"v": "x" * (20 << 20)}, {"v": "y"})
    assert [len(value) for value in store.values("v")] == [20 << 20, 1]


def test_a_table_changed_by_hand_is_taken_as_it_is(store: Store, path: Path) -> None:
    store.load({"id": 1, "n": 1})
    with duckdb.connect(path) as connection:
        connection.execute("alter table crm.people add column mine varchar")
        connection.execute("alter table crm.people alter n type integer")
    store.load({"id": 2, "n": 2}, mode="append")
    assert types(store) == {"id": "BIGINT", "n": "INTEGER", "mine": "VARCHAR"}
    with pytest.raises(LoadError, match='row 1: column "n"'):
        store.load({"id": 3, "n": 2**40}, mode="append")
    with duckdb.connect(path) as connection:
        connection.execute("drop table crm.people")
    assert store.load({"n": "x"}, mode="append").rows == 1


def test_settings_do_not_outlive_the_load_in_a_shared_process(store: Store, path: Path) -> None:
    with duckdb.connect(path) as connection:
        before = connection.execute("select current_setting('memory_limit')").fetchall()
        store.load({"id": 1})
        assert connection.execute("select current_setting('memory_limit')").fetchall() == before
        assert connection.execute("from crm.people").fetchall() == [(1,)]


HOLDER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("open", flush=True)
sys.stdin.readline()
"""


class Holder:
    """Another process that has the file open until it is told to end."""

    def __init__(self, path: Path, how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout
        assert self.process.stdout.readline() == "open\n"

    def end(self) -> None:
        self.process.communicate("\n")


def test_a_reader_that_ends_is_waited_for(store: Store, path: Path) -> None:
    store.load({"id": 1})
    holder = Holder(path, "read")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            holder.end()
        time.sleep(0)

    patient = DuckDBDestination(path, sleep=sleep)
    assert patient.load(Order(TABLE, "append", store.segments({"id": 2}))).rows == 2
    assert len(waited) >= 3
    assert waited[:3] == [0.05, 0.1, 0.2]


@pytest.mark.parametrize("how", ["read", "write"])
def test_a_file_that_stays_open_elsewhere_is_busy_and_says_where(
    store: Store, path: Path, how: str
) -> None:
    store.load({"id": 1})
    holder = Holder(path, how)
    try:
        clock = iter(range(0, 1000, 100))
        hasty = DuckDBDestination(path, sleep=lambda _: None, monotonic=lambda: next(clock))
        with pytest.raises(Busy, match=f"open in process {holder.process.pid}"):
            hasty.load(Order(TABLE, "append", store.segments({"id": 2})))
    finally:
        holder.end()
    assert store.values("id") == [1]


LOADER = """
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.staging.staging import Staging
from connector_assets.load.order import Order
from connector_assets.load.table import Table
path, stream = Path(sys.argv[1]), sys.argv[2]
with Staging(path.parent / "staging", connection="c", stream=stream, fingerprint="f") as staged:
    staged.append([{"id": i} for i in range(1000)], 1000, None, complete=True)
    DuckDBDestination(path).load(Order(Table("c", stream), "append", staged.segments()))
    staged.clear()
"""


def test_loads_of_many_processes_at_once_all_arrive(path: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", LOADER, str(path), f"s{number}"])
        for number in range(6)
    ]
    assert [process.wait() for process in running] == [0] * 6
    with duckdb.connect(path) as connection:
        counts = connection.execute(
            "select count(*) from _connector_assets.loads where rows = 1000"
        ).fetchall()
    assert counts == [(6,)]


STAGER = """
import sys
from pathlib import Path
from connector_assets.load.staging.staging import Staging
for _ in range(400):
    with Staging(Path(sys.argv[1]), connection="c", stream=sys.argv[2], fingerprint="f") as staged:
        staged.append([{"id": 1}], 1, None, complete=True)
        staged.clear()
"""


def test_streams_of_one_connection_clear_their_staging_without_hurting_each_other(
    tmp_path: Path,
) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", STAGER, str(tmp_path), f"s{number}"])
        for number in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4


def test_a_file_that_is_no_database_is_an_error(store: Store, path: Path) -> None:
    path.write_text("hello" * 2000)
    with pytest.raises(LoadError, match=r"data\.duckdb"):
        store.load({"id": 1})


def test_a_damaged_file_is_not_waited_for_whatever_its_name(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "blocks.duckdb"
    assert (
        DuckDBDestination(path).load(Order(TABLE, "replace", store.segments({"id": 1}))).rows == 1
    )
    first_block, whole = 3 * 4096, path.read_bytes()
    corrupt = whole[:first_block] + bytes(64) + whole[first_block + 64 :]
    for damage in (b"not a database" * 1000, bytes(4096), corrupt):
        path.write_bytes(damage)
        with pytest.raises(LoadError, match=r"blocks\.duckdb: ") as failed:
            DuckDBDestination(path, wait_s=0).load(
                Order(TABLE, "replace", store.segments({"id": 1}))
            )
        assert not isinstance(failed.value, Busy)
        assert " away and " in failed.value.fix


WINDOWS = """IO Error: Cannot open file "C:\\data.duckdb": {reason}


File is already open in
C:\\Python\\python.exe (PID 4711)"""


@pytest.mark.parametrize("reason", ["It is being used by another process.", "Datei ist belegt."])
def test_a_file_that_is_open_elsewhere_on_windows_is_busy(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    store.load({"id": 1})

    def held(*_: object, **__: object) -> None:
        raise duckdb.IOException(WINDOWS.format(reason=reason))

    monkeypatch.setattr(duckdb, "connect", held)
    with pytest.raises(Busy, match="open in process 4711"):
        DuckDBDestination(path, wait_s=0).read_cursor(TABLE)


def test_a_load_done_into_a_table_that_is_gone_is_done_again(store: Store, path: Path) -> None:
    store.load({"id": 1}, mode="append", load_id="one")
    with duckdb.connect(path) as connection:
        connection.execute("drop table crm.people")
    for _ in range(2):
        assert store.load({"id": 1}, mode="append", load_id="one").rows == 1


def test_a_load_of_rejected_rows_only_is_done_once(store: Store) -> None:
    table = Table("crm", "people", columns={"v": "bigint"}, schema_policy="quarantine")
    for _ in range(2):
        loaded = store.load({"v": "x"}, table=table, mode="append", load_id="one")
        assert (loaded.received, loaded.rejected) == (1, 1)
    assert store.destination.count(Table("crm", "people__rejected")) == 1


def test_what_is_remembered_is_open_to_read(store: Store, path: Path) -> None:
    store.load({"id": 1}, mode="append", load_id="abc")
    with duckdb.connect(path) as connection:
        columns = connection.execute("select key, column_type from _connector_assets.columns")
        assert columns.fetchall() == [("id", "BIGINT")]
        loads = connection.execute("select load_id, mode, received from _connector_assets.loads")
        assert loads.fetchall() == [("abc", "append", 1)]


def test_an_index_is_in_the_way_of_its_own_columns_only(store: Store, path: Path) -> None:
    store.load({"id": 7001, "v": 1})
    with duckdb.connect(path) as connection:
        connection.execute("create unique index own on crm.people(id)")
    with pytest.raises(LoadError, match=r"crm.people: .*unique index .*; set") as refused:
        store.load({"id": 7001}, mode="append")
    assert "7001" not in str(refused.value)
    with pytest.raises(LoadError, match="an index depends on it; drop the index"):
        store.load({"id": "x"}, mode="append")
    store.load({"id": 2, "v": "x"}, mode="append")
    assert store.rows("id", "v") == [[7001, 1], [2, "x"]]
    with duckdb.connect(path) as connection:
        assert connection.execute("select index_name from duckdb_indexes()").fetchall() == [
            ("own",)
        ]


def test_an_error_does_not_quote_rows(store: Store) -> None:
    secret = json.dumps({"v": "s3cret"})[:-1] + ', "v": 2}'
    with pytest.raises(LoadError) as failed:
        store.load(secret)
    assert "s3cret" not in str(failed.value)


def test_arrow_tables_keep_their_types(store: Store, tmp_path: Path) -> None:
    moment = datetime(2024, 5, 1, 10, 30, tzinfo=UTC)
    arrow = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "price": pa.array([Decimal("1.10"), None], pa.decimal128(12, 2)),
            "day": pa.array([date(2024, 5, 1), None]),
            "at": pa.array([moment, None], pa.timestamp("us", "UTC")),
            "raw": pa.array([b"\x00\xff", None]),
            "tags": pa.array([["a"], []], pa.list_(pa.string())),
            "x": pa.array([float("nan"), 0.5]),
        }
    )
    with Staging(tmp_path / "s", connection="crm", stream="people", fingerprint="f") as staged:
        staged.append([{"id": 0, "note": "first", "x": 1}], 1, "1")
        staged.append(arrow, 2, "2")
        staged.append(arrow.slice(0, 1), 1, "3")
        staged.append([{"id": 2**60, "x": "text"}], 1, complete=True)
        loaded = store.destination.load(Order(TABLE, "replace", staged.segments()))
    assert loaded.rows == 5
    assert types(store) == {
        "id": "BIGINT", "price": "DECIMAL(12,2)", "day": "DATE", "at": "TIMESTAMP WITH TIME ZONE", "raw": "BLOB",
        "tags": "VARCHAR[]", "x": "JSON", "note": "VARCHAR",
    }  # fmt: skip
    rows = store.destination.query('select id, price, day, "at", raw, tags from crm.people')[1]
    assert rows[1] == (1, Decimal("1.10"), date(2024, 5, 1), moment, b"\x00\xff", ["a"])
    assert [row[0] for row in rows] == [0, 1, 2, 1, 2**60]
    store.load({"id": 5, "price": 2.5}, mode="append")
    assert store.rows("id", "price")[-1] == [5, 2.5]


def test_positions_that_an_earlier_version_stored_are_read_on(store: Store, path: Path) -> None:
    """They were one value, however many the items, and there was no table of items."""
    store.load({"id": 1}, cursor=Cursor({"": 1}))
    with duckdb.connect(path) as database:
        database.execute("drop table _connector_assets.items")
        database.execute("update _connector_assets.state set cursor = ?", [json.dumps(many_of(4))])
    found = store.destination.read_cursor(TABLE)
    assert found == many_of(4)
    store.load({"id": 2}, cursor=Cursor({"[3]": 5}, found, adds=True))
    found = store.destination.read_cursor(TABLE)
    assert found == {**many_of(4), "[3]": 5}
    store.load({"id": 3}, cursor=Cursor({"[3]": 6}, found, adds=True))
    assert store.destination.read_cursor(TABLE) == {**many_of(4), "[3]": 6}
    with duckdb.connect(path, read_only=True) as database:
        rows = (
            "select count(*), count(cursor) from _connector_assets.items, _connector_assets.state"
        )
        assert database.sql(rows).fetchall() == [(MANY, 0)]


def test_rows_of_items_that_an_earlier_version_left_behind_do_not_count(
    store: Store, path: Path
) -> None:
    """It stores one value over them, and knows nothing of the rows."""
    store.load({"id": 1}, cursor=Cursor(many_of(1)))
    with duckdb.connect(path) as database:
        database.execute("update _connector_assets.state set cursor = ?", ['{"": 2}'])
    assert store.destination.read_cursor(TABLE) == {"": 2}
    later = {f"later {n}": 3 for n in range(MANY)}
    store.load({"id": 2}, cursor=Cursor(later, {"": 2}, adds=True))
    assert store.destination.read_cursor(TABLE) == {"": 2, **later}
