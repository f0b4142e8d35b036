"""Data files of lakes: rows are taken out of them a few at a time, and others stay as they are."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import LoadError
from connector_assets.load.delta import parts as delta_parts
from connector_assets.load.delta import rewrite
from connector_assets.load.delta.statistics import statistics_of
from connector_assets.load.iceberg import parts as iceberg_parts
from connector_assets.load.lake import parts
from connector_assets.load.table import Claim, Table
from tests.load.contract import KEYED
from tests.load.test_lakes import Lake


@pytest.fixture(params=["delta", "iceberg"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(request.param, tmp_path)


@given(st.lists(st.integers(0, 5), max_size=6), st.data())
def test_rows_are_taken_by_number_or_left_out(sizes: list[int], data: st.DataObject) -> None:
    count = sum(sizes)
    chosen = data.draw(st.sets(st.integers(0, count - 1))) if count else set()

    def batches() -> Iterator[Any]:
        start = 0
        for size in sizes:
            yield pa.record_batch({"n": pa.array(range(start, start + size), pa.int64())})
            start += size

    numbers = array("q", sorted(chosen))
    for of, wanted in ((parts.rows_at, chosen), (parts.rows_but, set(range(count)) - chosen)):
        found = [value for batch in of(batches(), numbers) for value in batch["n"].to_pylist()]
        assert found == sorted(wanted)


def test_a_merge_into_files_of_many_row_groups_and_into_several_files(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_GROUP_ROWS", 10)
    monkeypatch.setattr(delta_parts, "ROWS_AT_ONCE", 7)
    for room in (rewrite, iceberg_parts):
        monkeypatch.setattr(room, "FILE_BYTES", 1_000)
    lake.load(*({"id": n, "v": f"{n:050}"} for n in range(100)), table=KEYED, mode="append")
    came = [{"id": n, "v": "new"} for n in (0, 17, 99, 100, 101)]
    lake.load(*came, table=KEYED, mode="merge")
    assert len(lake.files()) > (2 if lake.kind == "delta" else 1)
    kept = [[n, f"{n:050}"] for n in range(1, 99) if n != 17]
    assert sorted(lake.rows("id", "v")) == sorted(kept + [list(row.values()) for row in came])


def test_rows_that_stay_are_to_the_last_bit_as_another_tool_wrote_them(lake: Lake) -> None:
    lake.load({"id": 1}, {"id": 2}, table=KEYED, mode="append")
    theirs = {
        "exact": pa.array([Decimal("12345678901234567890.123456789"), None], pa.decimal128(38, 9)),
        "float": pa.array([float("nan"), -0.0]),
        "bytes": pa.array([b"\x00\xff", None]),
        "at": pa.array([datetime(1600, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        "nested": pa.array([[{"a": 1}], None]),
    }
    rows = pa.table({"id": pa.array([3, 4], pa.int64()), **theirs})
    if lake.kind == "delta":
        write_deltalake(lake.root / "crm" / "people", rows, mode="append", schema_mode="merge")
    else:
        table = lake.iceberg()
        with table.update_schema() as update:
            update.union_by_name(rows.schema)
        table.append(rows)
    lake.load({"id": 4, "new": 1}, {"id": 1, "new": 1}, table=KEYED, mode="merge")
    found = _all(lake).filter(pc.field("id") == 3).select(rows.schema.names).to_pylist()
    assert str(found) == str(rows.slice(0, 1).to_pylist())


def _all(lake: Lake) -> pa.Table:
    if lake.kind == "delta":
        return lake.delta().to_pyarrow_dataset().to_table()
    return lake.iceberg().scan().to_arrow()


def test_a_merge_that_fails_leaves_no_file(lake: Lake) -> None:
    lake.load({"id": 1}, {"id": 2}, table=KEYED, mode="append")
    before = set(lake.root.rglob("*.parquet"))

    def fails() -> None:
        raise LoadError("another run took over")

    with pytest.raises(LoadError, match="another run took over"):
        lake.load({"id": 1, "v": 1}, table=KEYED, mode="merge", fence=fails)
    assert set(lake.root.rglob("*.parquet")) == before
    assert lake.values("id") == [1, 2]


def test_the_log_says_of_a_copied_file_what_is_in_it(tmp_path: Path) -> None:
    lake = Lake("delta", tmp_path)
    texts = ["a", "b" * 40, "\U0010ffff" * 40, None]
    rows = [
        {"id": n, "text": text, "day": "2024-01-02", "at": "2024-01-02T03:04:05.678901Z"}
        for n, text in enumerate(texts)
    ]
    table = Table("crm", "people", ("id",), {"day": "date", "at": "timestamptz"})
    lake.load(*rows, {"id": 7, "text": "gone"}, table=table, mode="append")
    lake.load({"id": 7, "text": "came"}, table=table, mode="merge")
    added = pa.table(lake.delta().get_add_actions()).to_pylist()
    assert sorted(one["num_records"] for one in added) == [1, 4]
    dataset = lake.delta().to_pyarrow_dataset()
    for name in ("id", "text", "day", "at"):
        for value in dataset.to_table()[name].to_pylist():
            found = dataset.to_table(filter=pc.field(name) == value) if value is not None else [1]
            assert len(found), (name, value)
    (copied,) = (one for one in added if one["num_records"] == 4)
    assert (copied["min"]["id"], copied["max"]["id"], copied["null_count"]["text"]) == (0, 3, 1)


def test_bounds_are_told_only_of_what_every_reader_orders_alike(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "n": [3, 1], "day": [date(2024, 1, 2), None], "long": ["c" * 99, "b" * 99],
            "float": [float("nan"), 1.0], "exact": [Decimal(1), Decimal(2)], "yes": [True, False],
            "old": pa.array([-(10**17), 0], pa.timestamp("us")), "list": [[1], [2]],
            "at": [datetime(2024, 1, 1, 0, 0, 0, 1999, UTC), datetime(2024, 1, 1, tzinfo=UTC)],
            "struct": [{"n": 1}, {"n": 2}], "none": pa.nulls(2, pa.int64()),
        }
    )  # fmt: skip
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=1)
    told = json.loads(statistics_of(pq.read_metadata(tmp_path / "rows.parquet")))
    assert told["numRecords"] == 2
    assert told["minValues"] == {
        "n": 1, "day": "2024-01-02", "long": "b" * 32, "at": "2024-01-01T00:00:00.000Z",
    }  # fmt: skip
    assert told["maxValues"] == {
        "n": 3, "day": "2024-01-02", "long": "c" * 32 + "\U0010ffff", "at": "2024-01-01T00:00:00.002Z",
    }  # fmt: skip
    assert {"none": 2, "day": 1, "n": 0}.items() <= told["nullCount"].items()
    assert not {"list", "struct"} & set(told["nullCount"])


@pytest.mark.parametrize(
    "configuration",
    [{}, {"delta.checkpointInterval": "3"}, {"delta.enableChangeDataFeed": "true"}],
)
def test_a_table_that_asks_more_of_its_rows_is_merged_by_the_library(
    tmp_path: Path, configuration: dict[str, str]
) -> None:
    lake = Lake("delta", tmp_path)
    lake.load({"id": 1, "v": 1}, {"id": 2, "v": 2}, table=KEYED, mode="append")
    lake.delta().alter.set_table_properties(configuration)
    lake.load({"id": 2, "v": 3}, {"id": 3, "v": 3}, table=KEYED, mode="merge")
    assert sorted(lake.rows("id", "v")) == [[1, 1], [2, 3], [3, 3]]
    last = lake.delta().history(1)[0]["operation"]
    assert last == ("MERGE" if "delta.enableChangeDataFeed" in configuration else "WRITE")


def test_a_constraint_holds_for_merged_rows_too(tmp_path: Path) -> None:
    lake = Lake("delta", tmp_path)
    lake.load({"id": 1, "v": 1}, table=KEYED, mode="append")
    lake.delta().alter.add_constraint({"small": "v < 10"})
    with pytest.raises(LoadError):
        lake.load({"id": 1, "v": 11}, table=KEYED, mode="merge")
    lake.load({"id": 1, "v": 9}, table=KEYED, mode="merge")
    assert lake.rows("id", "v") == [[1, 9]]


def test_a_table_that_somebody_partitions_is_merged_into(tmp_path: Path) -> None:
    lake = Lake("delta", tmp_path)
    rows = pa.table({"id": pa.array([1, 2], pa.int64()), "kind": ["a", "b"]})
    write_deltalake(lake.root / "crm" / "people", rows, partition_by=["kind"])
    table = replace(KEYED, claim=Claim(adopt=True))
    lake.load({"id": 2, "kind": "c"}, {"id": 3, "kind": "a"}, table=table, mode="merge")
    assert sorted(lake.rows("id", "kind")) == [[1, "a"], [2, "c"], [3, "a"]]
