"""Arrow that a plugin yields is in each store as it was, seen by a reader that is not ours.

What a store has no type for is a text that says the same, or a load that fails and names the column.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import uuid

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from connector_assets.errors import RowsError
from connector_assets.load.iceberg.catalog import address_of
from connector_assets.load.urls import destination_from_url
from connector_assets.plugins.define import define_connector
from connector_assets.project.connection import Connection
from connector_assets.sync import Run, sync
from tests.postgres import serving_postgres

D = decimal.Decimal
MICRO = dt.datetime.fromisoformat("2024-05-01T12:00:00.123456")
FAR, FIRST = dt.datetime.fromisoformat("9999-12-31T23:59:59.999999"), dt.datetime(1, 1, 1)  # noqa: DTZ001
BIG = D("1234567890123456789012345.67")
ID = uuid.UUID("12345678123456781234567812345678")

SAME = {
    "int64": pa.array([2**53 + 1, -(2**63), None]),
    "small": pa.array([-128, 127, None], pa.int8()),
    "double": pa.array([0.1 + 0.2, -0.0, 1e308]),
    "not_a_number": pa.array([math.inf, -math.inf, None]),
    "decimal": pa.array([D("1.5000"), D("-99999999999999.9999"), None], pa.decimal128(18, 4)),
    "decimal38": pa.array([D("9" * 38), D("-1"), None], pa.decimal128(38, 0)),
    "date": pa.array([FIRST.date(), FAR.date(), None]),
    "local": pa.array([MICRO, FIRST, FAR]),
    "zoned": pa.array([MICRO, FIRST, None], pa.timestamp("us", "Europe/Madrid")),
    "binary": pa.array([b"\x00\xff", b"", None]),
    "text": pa.array(["ñ", "", None]),
    "date_like": pa.array(["2024-01-01", "007", None]),
    "dictionary": pa.array(["x", None, "x"]).dictionary_encode(),
    "boolean": pa.array([True, False, None]),
    "nothing": pa.nulls(3),
}
"""What each store has a type for."""
NESTED = {
    "of_decimals": pa.array(
        [{"a": BIG}, {"a": None}, None], pa.struct([("a", pa.decimal128(38, 2))])
    ),
    "of_integers": pa.array([[2**64 - 1], [None], []], pa.list_(pa.uint64())),
    "of_times": pa.array([[MICRO], [], None], pa.list_(pa.timestamp("us", "UTC"))),
    "of_bytes": pa.array([[b"\x00\xff"], [], None]),
    "of_nothing": pa.array([[{"x": 1, "y": None}], [], None]),
    "map_of_objects": pa.array(
        [[("k", {"x": 1})], [], None], pa.map_(pa.string(), pa.struct([("x", pa.int64())]))
    ),
    "a_map": pa.array([[("k", BIG)], [], None], pa.map_(pa.string(), pa.decimal128(38, 2))),
}
TEXTS = {
    "uint64": (pa.array([2**64 - 1, 0, None], pa.uint64()), [str(2**64 - 1), "0", None]),
    "uuid": (pa.array([ID.bytes, None, None], pa.uuid()), [str(ID), None, None]),
    "json": (
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1.10}', None, "[]"])),
        ['{"a":1.10}', None, "[]"],
    ),
    "long": (
        pa.array([D("1" * 60), None, D(0)], pa.decimal256(60, 0)),
        ["1" * 60, None, "0"],
    ),
    "duration": (
        pa.array(
            [dt.timedelta(days=-1, microseconds=7), dt.timedelta(days=3, microseconds=7), None]
        ),
        ["-23:59:59.999993", "72:00:00.000007", None],
    ),
    "interval": (
        pa.array([pa.MonthDayNano([14, -3, 5_000]), None, None]),
        ["1 year 2 months -3 days 00:00:00.000005", None, None],
    ),
}
"""What files have no type for, or not all of it, and its text."""


def load(url, tmp_path, arrays):
    table = pa.table({"n": [1, 2, 3], **arrays})
    plugin = define_connector(
        id="own", display_name="Own", read=lambda ctx: iter([table]), streams=["t"]
    )
    return sync(
        Connection("own", plugin, environ={}),
        "t",
        destination_from_url(url),
        Run(tmp_path / "staging"),
    )


def parquet(tmp_path):
    folder = tmp_path / "lake"
    return f"parquet:///{folder}", lambda: ds.dataset([*folder.rglob("t/**/*.parquet")]).to_table()


def delta(tmp_path):
    deltalake = pytest.importorskip("deltalake")

    def read():
        return deltalake.DeltaTable(tmp_path / "lake" / "own" / "t").to_pyarrow_table()

    return f"delta+file:///{tmp_path}/lake", read


def iceberg(tmp_path):
    pytest.importorskip("pyiceberg")
    url = f"iceberg+sqlite:///{tmp_path}/catalog.db"

    def read():
        # Not by the library's own reader, for which a list of objects is empty where there is none.
        files = address_of(url).open().load_table(("own", "t")).inspect.files()["file_path"]
        paths = [path.removeprefix("file://") for path in files.to_pylist()]
        return pa.concat_tables(map(pq.read_table, paths))

    return url, read


FILES = [parquet, delta, iceberg]


def values(column):
    """As Python has them, with no zone's name, and maps in order."""
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = pc.cast(column, pa.timestamp("us", "UTC"))
    return [str(one) if isinstance(one, uuid.UUID) else one for one in column.to_pylist()]


@pytest.mark.parametrize("store", FILES)
def test_files_have_each_value_as_it_was(store, tmp_path):
    url, read = store(tmp_path)
    load(url, tmp_path, {**SAME, **NESTED})
    rows = read().sort_by("n")
    for name, sent in (SAME | NESTED).items():
        assert values(rows[name]) == values(pa.chunked_array([sent])), name
    assert [math.copysign(1, one) for one in rows["double"].to_pylist()] == [1, -1, 1]


@pytest.mark.parametrize("store", FILES)
def test_files_have_a_text_of_what_they_have_no_type_for(store, tmp_path):
    url, read = store(tmp_path)
    load(url, tmp_path, {name: sent for name, (sent, _) in TEXTS.items()})
    rows = read().sort_by("n")
    for name, (_, told) in TEXTS.items():
        if (name, store) == ("uuid", parquet):  # which has them
            assert rows[name].to_pylist() == [ID.bytes, None, None]
        else:
            assert rows[name].to_pylist() == told, name


@pytest.mark.parametrize("store", [delta, iceberg])
def test_nanoseconds_are_refused_where_they_would_be_lost(store, tmp_path):
    url, _ = store(tmp_path)
    with pytest.raises(RowsError, match='column "odd" has nanoseconds, which this store cannot'):
        load(url, tmp_path, {"odd": pa.array([1001, None, 1], pa.timestamp("ns"))})


@pytest.fixture(scope="module")
def server():
    with serving_postgres() as url:
        yield url


def test_postgresql_has_each_value_as_it_was(server, tmp_path):
    import psycopg
    from psycopg.types.json import set_json_loads

    more = {"uint64": TEXTS["uint64"][0], "uuid": TEXTS["uuid"][0]}
    more["duration"] = TEXTS["duration"][0]
    load(server, tmp_path, {**SAME, **NESTED, **more})
    with psycopg.connect(server) as connection:
        set_json_loads(lambda text: json.loads(text, parse_float=D), connection)
        rows = connection.execute("set timezone to 'UTC'; ").connection.execute(
            "select * from own.t order by n"
        )
        names = [one.name for one in rows.description]
        found = dict(zip(names, map(list, zip(*rows.fetchall(), strict=True)), strict=True))
    for name, sent in (SAME | more).items():
        told = [str(one) if isinstance(one, uuid.UUID) else one for one in found[name]]
        assert told == values(pa.chunked_array([sent])), name
    assert found["of_decimals"] == [{"a": BIG}, {"a": None}, None]
    assert found["of_integers"] == [[2**64 - 1], [None], []]
    assert found["of_times"] == [["2024-05-01 12:00:00.123456+00"], [], None]
    assert found["of_bytes"] == [["\\x00\\xFF"], [], None]
    assert found["of_nothing"] == [[{"x": 1, "y": None}], [], None]
    assert found["a_map"] == [{"k": BIG}, {}, None]


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (pa.array(["a\0b", None, ""]), "NUL character"),
        (pa.array([1001, None, 1], pa.timestamp("ns")), "has nanoseconds"),
        (pa.array([{"a": math.nan}, None, None]), 'column "odd"'),
    ],
)
def test_what_postgresql_cannot_hold_is_refused_by_name(server, tmp_path, odd, says):
    with pytest.raises(RowsError, match='column "odd"') as raised:
        load(server, tmp_path, {"odd": odd})
    assert says in str(raised.value)


def test_the_road_of_dlt_has_each_value_as_it_was(tmp_path, monkeypatch):
    pytest.importorskip("dlt")
    import duckdb

    path = tmp_path / "dlt.duckdb"
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{path}")
    load("dlt:///duckdb", tmp_path, {**SAME, **NESTED, **{n: one for n, (one, _) in TEXTS.items()}})
    with duckdb.connect(str(path)) as database:
        database.execute("set TimeZone = 'UTC'")
        rows = database.sql("select * from own.t order by n").to_arrow_table()
    assert "nothing" not in rows.column_names  # dlt makes a column as it gets a value
    for name in SAME.keys() - {"nothing"}:
        assert values(rows[name]) == values(pa.chunked_array([SAME[name]])), name
    for name, (_, told) in TEXTS.items():
        assert rows[name].to_pylist() == told, name
    nested = {
        name: [one and json.loads(one, parse_float=D) for one in rows[name].to_pylist()]
        for name in NESTED
    }
    assert nested["of_decimals"] == [{"a": BIG}, {"a": None}, None]
    assert nested["of_integers"] == [[2**64 - 1], [None], []]
    assert nested["a_map"] == [{"k": BIG}, {}, None]
