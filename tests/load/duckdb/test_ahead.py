"""A first load that is begun before all rows are there ends as if it had not been."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.columns.profile import Profiler
from connector_assets.load.duckdb import ahead as module
from connector_assets.load.duckdb.ahead import NewFile
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.order import Order
from connector_assets.load.staging import staging
from connector_assets.load.table import Cursor, Loaded, Segment, Table
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.load.contract import DestinationContract, Store
from tests.loopback import serving
from tests.syncing import sync

TABLE, KEYED = Table("t", "a"), Table("t", "a", ("id",))


def cut(segment: Segment, folder: Path, rows: int) -> Iterator[Segment]:
    """The lines of a file in files of so many rows, profiled as staging does it."""
    lines = segment.path.read_bytes().splitlines(keepends=True)
    for start in range(0, len(lines), rows):
        path = folder / f"{segment.path.name}-{start:06d}.ndjson"
        path.write_bytes(b"".join(lines[start : start + rows]))
        profiler = Profiler(where="", before=start)
        profile = None
        with suppress(LoadError):  # which the load itself meets
            profiler.add(path.read_bytes())
            profile = profiler.found
        part = lines[start : start + rows]
        size = path.stat().st_size
        yield replace(segment, path=path, rows=len(part), bytes=size, batches=(), profile=profile)


class LoadedAhead(DuckDBDestination):
    """Loads whatever it can ahead, in files of few rows, and counts what it ended so."""

    rows = 2
    ended = 0

    def load(self, order: Order) -> Loaded:
        self._path.parent.mkdir(exist_ok=True)
        folder = self._path.parent / "ahead"
        if not (ahead := self.ahead(order.table, order.way, folder)):
            return super().load(order)
        parts = [part for one in order.segments for part in cut(one, one.path.parent, self.rows)]
        ahead._load = self._counted
        try:
            ahead.offer(parts[:-1])
            return ahead.load(replace(order, segments=parts))
        finally:
            ahead.close()
            assert not folder.exists()

    def _counted(self, order: Order, done: NewFile | None) -> Loaded:
        if done is None:
            return DuckDBDestination.load(self, order)
        loaded = self._load_ahead(order, done)
        self.ended += 1
        return loaded


@pytest.fixture
def destination(tmp_path: Path) -> LoadedAhead:
    return LoadedAhead(tmp_path / "data.duckdb")


@pytest.mark.slow
class TestAhead(DestinationContract):
    """The contract, where each first load is begun ahead."""

    every_value_is_slow = True


def dumped(path: Path) -> Any:
    """All that the file has of the table, in the order of its rows."""
    with duckdb.connect(path, read_only=True) as connection:
        state = "select * exclude (updated_at) from _connector_assets."
        return [
            connection.execute(sql).fetchall()
            for sql in (
                "describe t.a",
                "from t.a order by rowid",
                "from _connector_assets.columns order by position",
                f"{state}state",
                f"{state}tables",
                "select * exclude (loaded_at) from _connector_assets.loads",
            )
        ]


MANY = [{"id": n, "v": n / 7, "at": "2024-01-01T00:00:00Z", "x": {"a": n}} for n in range(9)]
CASES: dict[str, tuple[list[Any], bool]] = {
    "all alike": (MANY, True),
    "a column comes late": ([*MANY, {"id": 9, "late": 1}, {"id": 10}], True),
    "null for long": (
        [*({"id": n, "n": None} for n in range(6)), {"id": 6, "n": "x"}, *MANY],
        True,
    ),
    "a type widens": ([*MANY, {"id": 9, "v": "text"}, *MANY], True),
    "in the last rows": ([*MANY, {"id": 9, "v": "text"}], False),
    "no time after all": ([*MANY, {"id": 9, "at": "2024-02-30T00:00:00Z"}, *MANY], False),
    "digits": ([*MANY, '{"id": 9, "x": {"n": 12345678901234567890.123}}', *MANY], True),
    "many changes": ([{"id": n, f"c{n}": n} for n in range(12)], False),
    "names that differ in case": ([{"id": 1, "ID": 2}, {"id": 3, "ID": 4}, {"id": 5}], True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_it_is_the_file_that_one_load_makes(case: str, mode: Any, tmp_path: Path) -> None:
    rows, is_ahead = CASES[case]
    table = TABLE if mode == "append" else KEYED
    made = []
    for kind in (DuckDBDestination, LoadedAhead):
        store = Store(kind(tmp_path / kind.__name__ / "data.duckdb"), tmp_path / "staged")
        store.load(*rows, table=table, mode=mode, cursor=Cursor(7), load_id="one")
        made.append(dumped(tmp_path / kind.__name__ / "data.duckdb"))
        if kind is LoadedAhead:
            assert store.destination.ended == is_ahead
    assert made[0] == made[1]


def test_what_was_loaded_meanwhile_by_others_stays(destination: LoadedAhead, store: Store) -> None:
    """The file is new as long as nobody else has made it."""
    others = DuckDBDestination(destination._path)
    insert = NewFile.insert

    def and_another(self: NewFile, segment: Segment) -> None:
        insert(self, segment)
        if not destination._path.exists():
            Store(others, store.folder).load({"id": 1}, table=replace(TABLE, name="b"))

    with mock.patch.object(NewFile, "insert", and_another):
        store.load(*MANY)
    assert store.values("id") == list(range(9))
    assert store.values("id", replace(TABLE, name="b")) == [1]
    assert not destination.ended


def test_what_must_not_be_committed_leaves_no_file(destination: LoadedAhead, store: Store) -> None:
    def stop() -> None:
        raise LoadError("stopped")

    with pytest.raises(LoadError, match="stopped"):
        store.load(*MANY, fence=stop)
    assert not destination._path.exists()
    with pytest.raises(RowsError, match='row 10 has no key: "id" is null'):
        store.load(*MANY, {"id": None}, table=KEYED, mode="merge")
    assert destination.count(KEYED) is None


def begun(store: Store, path: Path) -> tuple[Any, list[Segment]]:
    """A load that is begun ahead with two files of two rows each, and all three there are."""
    ahead = DuckDBDestination(path).ahead(TABLE, "replace", path.parent / "ahead")
    assert ahead
    [whole] = store.segments(*({"id": n, "v": "a"} for n in range(6)))
    parts = list(cut(whole, store.folder, 2))
    ahead.offer(parts[:2])
    for step in ahead._steps:  # type: ignore[attr-defined]
        step.result()
    return ahead, parts


def test_rows_that_were_given_up_are_read_again_from_their_files(
    store: Store, tmp_path: Path
) -> None:
    """A rewind may leave files that look as before, with other rows in them."""
    ahead, parts = begun(store, tmp_path / "data.duckdb")
    parts[1].path.write_bytes(parts[1].path.read_bytes().replace(b'"a"', b'"b"'))
    ahead.give_up()
    ahead.load(Order(TABLE, "replace", parts))
    found = DuckDBDestination(tmp_path / "data.duckdb").query("select id, v from t.a order by id")
    assert [v for _, v in found[1]] == ["a", "a", "b", "b", "a", "a"]


def test_files_that_are_not_in_the_order_are_not_loaded(store: Store, tmp_path: Path) -> None:
    ahead, parts = begun(store, tmp_path / "data.duckdb")
    ahead.load(Order(TABLE, "replace", [parts[0], parts[2]]))
    found = DuckDBDestination(tmp_path / "data.duckdb").query("select id from t.a order by id")
    assert found[1] == [(0,), (1,), (4,), (5,)]


@pytest.fixture
def store(destination: LoadedAhead, tmp_path: Path) -> Store:
    return Store(destination, tmp_path / "staged")


SPEC = """
kind: connector
version: "1.0"
id: api
displayName: Api
auth: [{type: none}]
endpoints:
  - {id: rows, url: "ORIGIN/rows", responseRowsPath: rows, pagination: {type: offset, pageSize: 50, totalField: total}}
read: {primary: rows}
"""


def test_a_sync_loads_ahead_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_FILE_BYTES", 3_000)
    inserted = []
    insert = module.NewFile.insert
    monkeypatch.setattr(
        module.NewFile, "insert", lambda self, one: (inserted.append(one.rows), insert(self, one))
    )

    def answer(request: Any) -> Any:
        first = int(request.query["offset"])
        return {
            "rows": [{"id": n, "pad": "x" * 20} for n in range(first, min(first + 50, 600))],
            "total": 600,
        }

    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        connector = YamlConnector(parse_connector(SPEC.replace("ORIGIN", api.origin)), runtime)
        destination = DuckDBDestination(tmp_path / "data.duckdb")
        connection = Connection("api", connector, environ={})
        sync(connection, "rows", destination, staging=tmp_path / "staging")
    assert sum(inserted) >= 300, "rows were to be inserted before the last one came"
    assert destination.query("select count(distinct id), sum(id) from api.rows")[1] == [
        (600, 179_700)
    ]
    left = [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]
    assert {path.suffix for path in left} <= {".lock", ".holder"}, left
    assert {path.name for path in tmp_path.glob("data*")} == {"data.duckdb", "data.duckdb.lock"}
