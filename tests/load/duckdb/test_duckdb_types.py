"""DuckDB columns whose type somebody chose: a value goes in as it is, or is set aside by column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.table import Claim, Table
from tests.load.contract import Store

ASIDE = replace(Table("t", "a", ("id",), claim=Claim("t")), schema_policy="quarantine")
NUMBERS = [
    "1",
    "1.0",
    "-1",
    "1.5",
    "0.1",
    "0.123456789",
    "256",
    "3000000000",
    "9223372036854775808",
    "1e3",
    "1e-400",
    "1e400",
]
TEXTS = [
    '"2"',
    '"2.0"',
    '"x"',
    '""',
    "true",
    '"true"',
    '"t"',
    '"nan"',
    '"infinity"',
    '"now"',
    '"1 day"',
    '"101"',
]
TIMES = [
    '"2024-05-01"',
    '"2024-05-01T10:30:00Z"',
    '"2024-05-01T10:30:00.123456+02:00"',
    '"2024-05-01T10:30:00.1234567Z"',
    '"10:30:00"',
    '"10:30:00.5"',
    '"10:30:00+02:00"',
]
NESTED = ["[1]", "[1.5]", "[9007199254740993.0]", '["a",null]', '{"a":1}', '{"a":1.5,"b":2}']
WHOLE = {"1": "1", "1.0": "1", '"2"': "2", '"2.0"': "2", '"101"': "101"}
# A type, and of the values above those that it takes, with what they then are as text.
TYPES: list[tuple[str, dict[str, str]]] = [
    ("tinyint", {**WHOLE, "-1": "-1"}),
    ("utinyint", WHOLE),
    ("usmallint", {**WHOLE, "256": "256", "1e3": "1000"}),
    ("integer", {**WHOLE, "-1": "-1", "256": "256", "1e3": "1000"}),
    ("bigint", {**WHOLE, "-1": "-1", "256": "256", "1e3": "1000", "3000000000": "3000000000"}),
    ("ubigint", {**WHOLE, "256": "256", "1e3": "1000", "3000000000": "3000000000", "9223372036854775808": "9223372036854775808"}),
    ("decimal(4,1)", {**{v: f"{text}.0" for v, text in WHOLE.items()}, "-1": "-1.0", "1.5": "1.5", "0.1": "0.1", "256": "256.0"}),
    ("float", {**{v: f"{text}.0" for v, text in WHOLE.items()}, "-1": "-1.0", "1.5": "1.5", "0.1": "0.1", "256": "256.0", "1e3": "1000.0", "3000000000": "3000000000.0", "9223372036854775808": "9.223372e+18"}),
    ("boolean", {"1": "true", "true": "true", '"true"': "true"}),
    ("date", {'"2024-05-01"': "2024-05-01"}),
    ("time", {'"10:30:00"': "10:30:00", '"10:30:00.5"': "10:30:00.5"}),
    ("timetz", {'"10:30:00"': "10:30:00+00", '"10:30:00.5"': "10:30:00.5+00", '"10:30:00+02:00"': "10:30:00+02"}),
    ("timestamp", {'"2024-05-01"': "2024-05-01 00:00:00", '"2024-05-01T10:30:00Z"': "2024-05-01 10:30:00", '"2024-05-01T10:30:00.123456+02:00"': "2024-05-01 08:30:00.123456"}),
    ("timestamp_s", {'"2024-05-01"': "2024-05-01 00:00:00", '"2024-05-01T10:30:00Z"': "2024-05-01 10:30:00"}),
    ("bit", {"1": "1", '"101"': "101"}),
    ("interval", {'"1 day"': "1 day", '"10:30:00"': "10:30:00", '"10:30:00.5"': "10:30:00.5"}),
    ("uuid", {}),
    ("enum('x', '2')", {'"x"': "x", '"2"': "2"}),
    ("bigint[]", {"[1]": "[1]", "[9007199254740993.0]": "[9007199254740993]"}),
    ("varchar[]", {'["a",null]': "[a, NULL]"}),
    ("struct(a bigint)", {'{"a":1}': "{'a': 1}"}),
    ("map(varchar, double)", {'{"a":1}': "{a=1.0}", '{"a":1.5,"b":2}': "{a=1.5, b=2.0}"}),
]  # fmt: skip
VALUES = [*NUMBERS, *TEXTS, *TIMES, *NESTED]


@pytest.mark.parametrize(("type_", "fits"), TYPES, ids=[type_ for type_, _ in TYPES])
def test_what_fits_goes_in_as_it_is_and_all_else_is_set_aside(
    tmp_path: Path, type_: str, fits: dict[str, str]
) -> None:
    path = tmp_path / "d.duckdb"
    with duckdb.connect(path) as file:
        file.execute(f"create schema t; create table t.a (id bigint, v {type_})")
        before = file.execute("describe t.a").fetchall()
    store = Store(DuckDBDestination(path), tmp_path / "staged")
    rows = [f'{{"id": {number}, "v": {value}}}' for number, value in enumerate(VALUES)]
    for _ in range(2):
        loaded = store.load(*rows, table=ASIDE, mode="merge")
        assert loaded.rejected == len(VALUES) - len(fits)
    with duckdb.connect(path, read_only=True) as file:
        found = file.execute("select id, v::varchar from t.a").fetchall()
        reasons = file.execute("select distinct reason from t.a__rejected").fetchall()
        assert file.execute("describe t.a").fetchall() == before
    assert {VALUES[number]: text for number, text in found} == fits
    assert all('column "v" has a value that is not exactly a ' in reason for (reason,) in reasons)
