"""Arrow that a plugin yields arrives in the table as it was: each type, each digit, each null."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from connector_assets.errors import ConnectorError, RowsError, SchemaError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.plugins.define import define_connector
from connector_assets.project.connection import Connection
from connector_assets.sync import Run, sync

D = decimal.Decimal
NOON = dt.datetime.fromisoformat("2024-05-01T12:00:00.123456")
ID = uuid.UUID("12345678123456781234567812345678")
LONG = D("12345678901234567890123456789012345678901234567.25")

# What Arrow has, the type of the table's column, and its values as DuckDB writes them.
COLUMNS = {
    "int8": (pa.array([-1, None], pa.int8()), "BIGINT", ["-1", None]),
    "int64": (pa.array([2**53 + 1, -(2**63)]), "BIGINT", [str(2**53 + 1), str(-(2**63))]),
    "uint64": (pa.array([2**64 - 1, None], pa.uint64()), "HUGEINT", [str(2**64 - 1), None]),
    "float32": (pa.array([0.5, float("nan")], pa.float32()), "DOUBLE", ["0.5", "nan"]),
    "double": (pa.array([0.1, float("-inf")]), "DOUBLE", ["0.1", "-inf"]),
    "decimal": (
        pa.array([D("1.5"), None], pa.decimal128(18, 4)),
        "DECIMAL(18,4)",
        ["1.5000", None],
    ),
    "decimal38": (
        pa.array([D("9" * 38), None], pa.decimal128(38, 0)),
        "DECIMAL(38,0)",
        ["9" * 38, None],
    ),
    "decimal256": (
        pa.array([D("1.25"), None], pa.decimal256(20, 2)),
        "DECIMAL(20,2)",
        ["1.25", None],
    ),
    "hundreds": (pa.array([D(1200), None], pa.decimal128(9, -2)), "DECIMAL(11,0)", ["1200", None]),
    "long": (pa.array([LONG, None], pa.decimal256(60, 2)), "VARCHAR", [str(LONG), None]),
    "date": (pa.array([dt.date(1, 1, 1), None]), "DATE", ["0001-01-01", None]),
    "date64": (pa.array([dt.date(2024, 1, 1), None], pa.date64()), "DATE", ["2024-01-01", None]),
    "time": (pa.array([dt.time(1, 2, 3, 4), None]), "TIME", ["01:02:03.000004", None]),
    "time_ns": (pa.array([1000, None], pa.time64("ns")), "TIME", ["00:00:00.000001", None]),
    "seconds": (
        pa.array([-62135596800, None], pa.timestamp("s")),
        "TIMESTAMP",
        ["0001-01-01 00:00:00", None],
    ),
    "local": (pa.array([NOON, None]), "TIMESTAMP", ["2024-05-01 12:00:00.123456", None]),
    "nanos": (
        pa.array([1001, None], pa.timestamp("ns")),
        "TIMESTAMP_NS",
        ["1970-01-01 00:00:00.000001001", None],
    ),
    "zoned": (
        pa.array([NOON, None], pa.timestamp("us", "Europe/Madrid")),
        "TIMESTAMP WITH TIME ZONE",
        ["2024-05-01 12:00:00.123456+00", None],
    ),
    "zoned_ns": (
        pa.array([5000, None], pa.timestamp("ns", "UTC")),
        "TIMESTAMP WITH TIME ZONE",
        ["1970-01-01 00:00:00.000005+00", None],
    ),
    "duration": (
        pa.array([dt.timedelta(days=-1, microseconds=7), None]),
        "INTERVAL",
        ["-23:59:59.999993", None],
    ),
    "interval": (
        pa.array([pa.MonthDayNano([14, -3, 5_000_000]), None]),
        "INTERVAL",
        ["1 year 2 months -3 days 00:00:00.005", None],
    ),
    "binary": (pa.array([b"\x00\xff", None]), "BLOB", ["\\x00\\xFF", None]),
    "fixed": (pa.array([b"ab", None], pa.binary(2)), "BLOB", ["ab", None]),
    "text": (pa.array(["ñ\u0000", None], pa.string_view()), "VARCHAR", ["ñ\u0000", None]),
    "date_like": (pa.array(["2024-01-01", None]), "VARCHAR", ["2024-01-01", None]),
    "large": (pa.array(["x", None], pa.large_string()), "VARCHAR", ["x", None]),
    "dictionary": (pa.array(["x", None]).dictionary_encode(), "VARCHAR", ["x", None]),
    "runs": (pc.run_end_encode(pa.array([1, 1])), "BIGINT", ["1", "1"]),
    "boolean": (pa.array([True, None]), "BOOLEAN", ["true", None]),
    "bool8": (
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None], pa.int8())),
        "BOOLEAN",
        ["true", None],
    ),
    "uuid": (pa.array([ID.bytes, None], pa.uuid()), "UUID", [str(ID), None]),
    "json": (
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1.10}', None])),
        "JSON",
        ['{"a":1.10}', None],
    ),
    "list": (pa.array([[2**53 + 1, None], []]), "BIGINT[]", [f"[{2**53 + 1}, NULL]", "[]"]),
    "struct": (
        pa.array([{"a": D("1.10"), "b": [NOON]}, None]),
        "STRUCT(a DECIMAL(3,2), b TIMESTAMP[])",
        ["{'a': 1.10, 'b': ['2024-05-01 12:00:00.123456']}", None],
    ),
    "map": (
        pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        "MAP(VARCHAR, BIGINT)",
        ["{a=1}", None],
    ),
}


@pytest.fixture
def store(tmp_path):
    return DuckDBDestination(tmp_path / "data.duckdb")


@pytest.fixture
def load(tmp_path, store):
    def load(*items, **stream):
        plugin = define_connector(
            id="own",
            display_name="Own",
            read=lambda ctx: iter(items),
            streams=[{"name": "t", **stream}],
        )
        connection = Connection("own", plugin, environ={})
        return sync(connection, "t", store, Run(tmp_path / "staging"))

    return load


def test_each_type_is_the_tables_and_each_value_is_as_it_was(load, store):
    came = load(pa.table({name: one[0] for name, one in COLUMNS.items()}))
    types = {column.name: column.type for column in came.loaded.columns}
    assert types == {name: one[1] for name, one in COLUMNS.items()}
    written = ", ".join(f'cast("{name}" as varchar)' for name in COLUMNS)
    rows = store.query(f"select {written} from own.t order by rowid")[1]
    found = {
        name: list(values) for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True)
    }
    assert found == {name: one[2] for name, one in COLUMNS.items()}


def test_the_types_stay_in_the_next_load(load):
    table = pa.table({name: one[0] for name, one in COLUMNS.items()})
    first = load(table, writeMode="append")
    again = load(table, writeMode="append")
    assert again.loaded.columns == first.loaded.columns
    assert again.loaded.rows == 4


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        (pa.array([1001], pa.timestamp("ns", "UTC")), "would lose data"),
        (pa.array([1001], pa.duration("ns")), "would lose data"),
        (pa.array([pa.MonthDayNano([0, 0, 1])]), "an interval has nanoseconds"),
        (pa.array([{}], pa.struct([])), "no store has it"),
        (pa.array([[dt.timedelta(1)]]), "it has duration[us] within"),
        (pa.array([[LONG]], pa.list_(pa.decimal256(60, 2))), "it has decimal256(60, 2) within"),
    ],
)
def test_what_cannot_be_held_exactly_is_refused_by_name(load, column, wrong):
    with pytest.raises(RowsError) as raised:
        load(pa.table({"odd": column}))
    assert 'column "odd" of type ' in str(raised.value)
    assert wrong in str(raised.value)
    assert str(raised.value).endswith("; cast it at the source")


def test_two_columns_that_no_store_tells_apart_are_refused(load):
    with pytest.raises(RowsError, match=r'two columns are called "id", which differ in case'):
        load(pa.table([[1], [2]], names=["Id", "iD"]))


def test_tables_of_other_columns_may_follow_and_dicts_too(load, store):
    load(pa.table({"a": [1]}), pa.table({"a": [2], "b": ["x"]}), {"a": 3, "b": "y", "c": True})
    rows = store.query("select a, b, c from own.t order by a")[1]
    assert rows == [(1, None, None), (2, "x", None), (3, "y", True)]


def test_a_type_that_widens_widens_the_column(load, store):
    append = {"writeMode": "append"}
    load(pa.table({"n": pa.array([1], pa.int32())}), **append)
    came = load(pa.table({"n": pa.array([2**63], pa.uint64())}), **append)
    assert [column.type for column in came.loaded.columns] == ["HUGEINT"]


def test_keys_merge_and_a_missing_one_is_told(load, store):
    merged = {"primaryKey": ["id"], "writeMode": "merge"}
    load(pa.table({"id": [1, 2], "v": ["a", "b"]}), **merged)
    load(pa.table({"id": [2, 3], "v": ["c", "d"]}), **merged)
    assert store.query("select id, v from own.t order by id")[1] == [(1, "a"), (2, "c"), (3, "d")]
    with pytest.raises(ConnectorError, match="id"):
        load(pa.table({"id": [4, None], "v": ["e", "f"]}), **merged)


def test_a_frozen_table_takes_no_new_column(load):
    load(pa.table({"a": [1]}), schemaPolicy="freeze")
    with pytest.raises(SchemaError):
        load(pa.table({"a": [1], "b": [2]}), schemaPolicy="freeze")


def test_a_declared_type_stands(load, store):
    came = load(pa.table({"n": ["1.50", "2.25"]}), columns={"n": "decimal(9,2)"})
    assert [column.type for column in came.loaded.columns] == ["DECIMAL(9,2)"]
    assert store.query("select n from own.t order by 1")[1] == [(D("1.50"),), (D("2.25"),)]
