"""What every destination must do: one suite, which each of them inherits with its own fixture.

Rows go in through staging and come out through `keys`, as JSON values, so a test says what it sent
and what it wants back, and no store's own types come between.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_assets.errors import Busy, LoadError, RowsError, SchemaError
from connector_assets.load.destination import ALL_MODES, Capabilities, Destination, TellsLoads
from connector_assets.load.items import FEW
from connector_assets.load.order import Order
from connector_assets.load.staging.staging import Staging
from connector_assets.load.table import (
    Cursor,
    Index,
    Loaded,
    Overflow,
    Segment,
    Table,
    Wanted,
    WriteMode,
)

TABLE = Table("crm", "people")
KEYED = Table("crm", "people", ("id",))
MANY = 2 * FEW + 1


def many_of(position: Any) -> dict[str, Any]:
    """The positions of more items than are one value."""
    return {f"[{n}]": position for n in range(MANY)}


def ndjson(*rows: dict[str, Any] | str | bytes) -> bytes:
    lines = [
        row
        if isinstance(row, bytes)
        else row.encode()
        if isinstance(row, str)
        else json.dumps(row).encode()
        for row in rows
    ]
    return b"".join(line + b"\n" for line in lines)


class Store:
    """A destination with its staging folder: `load` stages rows and loads them, as a run does."""

    def __init__(self, destination: Destination, folder: Path) -> None:
        self.destination, self.folder = destination, folder

    @property
    def can(self) -> Capabilities:
        return self.destination.capabilities

    def need(self, claim: str) -> None:
        """Skip the test of what the store does not claim."""
        if not getattr(self.can, claim):
            pytest.skip(f"does not claim {claim}")

    def segments(self, *rows: Any, load_id: str = "") -> list[Segment]:
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{uuid.uuid4().hex}.ndjson"
        data = ndjson(*rows)
        path.write_bytes(data)
        return [Segment(path, len(rows), len(data), "ndjson", load_id)] if rows else []

    def load(
        self,
        *rows: Any,
        table: Table = TABLE,
        mode: WriteMode = "replace",
        cursor: Cursor | None = None,
        fence: Callable[[], None] | None = None,
        load_id: str = "",
    ) -> Loaded:
        if mode not in self.can.modes and table.primary_key:
            pytest.skip(f"does not claim {mode}")
        if table.partition is not None:
            self.need("partitions")
        return self.destination.load(
            Order(table, mode, self.segments(*rows, load_id=load_id), cursor, fence=fence)
        )

    def values(self, key: str, table: Table = TABLE) -> list[Any]:
        return [value for (value,) in self.destination.keys(table, [key])]

    def rows(self, *keys: str, table: Table = TABLE) -> list[list[Any]]:
        return list(self.destination.keys(table, keys))

    def columns(self, table: Table = TABLE) -> list[str]:
        return [column.name for column in self.destination.describe(table) or ()]


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are one number; 1, true and "1" are three values."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) or isinstance(right, float):
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        return numbers and float(left) == float(right)
    return type(left) is type(right) and left == right


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from(
        [2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**127, -(2**127), 10**50]
    )
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
    | st.sampled_from(
        [
            "2024-01-01",
            "2024-02-30",
            "2024-01-01T10:00:00Z",
            "2024-01-01T24:00:00Z",
            "",
            "null",
            "5",
            "true",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
columns_of_values = st.one_of(
    st.lists(json_values, min_size=1, max_size=6),
    st.lists(st.none() | st.integers(-(2**64), 2**64), min_size=1, max_size=6),
    st.lists(
        st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**54), 2**54),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.datetimes().map(lambda t: t.isoformat() + "Z"), min_size=1, max_size=6),
    st.lists(st.dates().map(str), min_size=1, max_size=6),
)


class DestinationContract:
    """Inherit it, and give a fixture `destination` that is empty.

    What the destination's `capabilities` do not claim is skipped, with the claim's name.
    """

    every_value_is_slow = False
    """Whether only the first value of each test runs by default: see conftest.py beside this."""

    @pytest.fixture
    def store(self, destination: Destination, tmp_path: Path) -> Store:
        return Store(destination, tmp_path / "staged")

    # Values

    @pytest.mark.parametrize(
        "values",
        [
            [True, False, None],
            [1, -1, 2**53, 2**63 - 1, -(2**63)],
            [9007199254740993, 9007199254740992, 9007199254740994],
            [9223372036854775807, 9223372036854775808, 2**64, -(2**63) - 1, 10**30],
            [2**127 - 1, -(2**127) + 1],
            [2**127, -(2**127), 10**200, 1],
            [1.0, 1, -0.0, 0.1, 123456789012345678.9, 100.0],
            [0.5, 2**53],
            [0.5, 2**53 + 1],
            [1.7976931348623157e308, 5e-324],
            ["", " ", "a\nb", 'q"', "NULL", "\u0000", "\U0001f600", "\\N", "é", "e\u0301"],
            [5, "5", 5.5, True, "true", None],
            [{"a": 1}, {"b": [1, {"c": None}]}, [], {}, [[]]],
            [1, {"a": 1}],
            ["2024-01-01", "2024-02-29", None],
            ["2024-02-30", "2024-01-01"],
            ["2024-01-01T10:00:00Z", "1969-12-31T23:59:59Z"],
            ["2024-01-01T10:00:00.120Z", "2024-01-01T10:00:00.000Z"],
            ["2024-01-01T10:00:00.123456+00:00", "0001-01-01T00:00:00.000000+00:00"],
            ["2024-01-01 10:00:00", "9999-12-31 23:59:59"],
            ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00.5Z"],
            ["2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00+00:00"],
            ["2024-01-01T24:00:00Z", "2024-01-01T23:59:60Z"],
            ["0000-01-01", "2024-01-01"],
            ["2024-01-01", "2024-01-01T00:00:00Z"],
            [None, None],
        ],
        ids=lambda values: json.dumps(values)[:40],
    )
    def test_values_come_back_as_they_were_sent(self, store: Store, values: list[Any]) -> None:
        if any(type(value) is int and abs(value) >= 10**38 for value in values):
            store.need("long_numbers")
        if "\u0000" in values and not store.can.nul:
            values = [value for value in values if value != "\u0000"]
        store.load(*({"v": value} for value in values))
        assert all(map(same, store.values("v"), values)), store.values("v")

    def test_a_nul_is_kept_or_refused_in_words(self, store: Store) -> None:
        for row in ({"v": "a\u0000b"}, {"v": {"w": "\u0000"}}, {"v": 1, "a\u0000b": 2}):
            table = Table("crm", f"t{uuid.uuid4().hex}")
            if store.can.nul:
                store.load(row, table=table)
                assert store.values("v", table) == [row["v"]]
            else:
                kind = RowsError if row.get("v") != 1 else LoadError
                with pytest.raises(kind, match="NUL") as refused:
                    store.load(row, table=table)
                assert refused.value.fix
                assert 'column "v"' in str(refused.value) or len(row) > 1

    @settings(
        max_examples=4,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,  # each destination inherits it
        ],
    )
    @given(before=columns_of_values, after=columns_of_values)
    def test_any_values_come_back_also_after_the_column_has_widened(
        self, store: Store, before: list[Any], after: list[Any]
    ) -> None:
        store.need("widens")
        table = Table("crm", f"t{uuid.uuid4().hex}")
        store.load(*({"v": value} for value in before), table=table, mode="append")
        store.load(*({"v": value} for value in after), table=table, mode="append")
        assert all(map(same, store.values("v", table), [*before, *after]))

    def test_numbers_that_no_column_type_holds_keep_their_digits(self, store: Store) -> None:
        store.need("long_numbers")
        store.load('{"v": 1e400}', '{"v": 1}', '{"v": ' + "9" * 5000 + "}")
        lines = store.destination.query('select cast("v" as varchar) from crm.people')[1]
        with localcontext(prec=6000):
            numbers = [Decimal(text) for (text,) in lines]
            assert numbers == [Decimal("1e400"), 1, Decimal("9" * 5000)]

    @pytest.mark.parametrize("value", ["1e400", "-1E+400"])
    def test_a_number_beyond_a_double_is_never_infinity(self, store: Store, value: str) -> None:
        store.need("long_numbers")
        store.load('{"v": 1}', '{"v": 0.5}', f'{{"v": {value}}}')
        lines = store.destination.query('select cast("v" as varchar) from crm.people')[1]
        assert [Decimal(text) for (text,) in lines] == [1, Decimal("0.5"), Decimal(value)]

    @pytest.mark.parametrize("zeros", ["e-400", "e-0330", "0" * 400 + "1e-1"])
    def test_a_number_nearer_to_0_than_any_double_is_never_0(
        self, store: Store, zeros: str
    ) -> None:
        store.need("long_numbers")
        tiny = f"-0.{zeros}" if zeros.startswith("0") else f"-1.5{zeros}"
        rows = [f'{{"v": {value}, "x": [{value}]}}' for value in ("0.5", tiny, "0e-400", "5e-324")]
        store.load(*rows)
        sql = 'select cast("v" as varchar), cast("x" as varchar) from crm.people'
        found = store.destination.query(sql)[1]
        wanted = [Decimal("0.5"), Decimal(tiny), Decimal(), Decimal("5e-324")]
        assert [Decimal(text) for text, _ in found] == wanted
        assert [Decimal(text.strip("[]")) for _, text in found] == wanted
        for type_ in ("double", "float", "bigint", "decimal(20,10)"):
            table = Table("crm", type_[:5], columns={"v": type_}, schema_policy="quarantine")
            loaded = store.load('{"v": 1}', f'{{"v": {tiny}}}', '{"v": 0e-400}', table=table)
            assert (loaded.rejected, [float(v) for v in store.values("v", table)]) == (1, [1, 0])

    @pytest.mark.parametrize(
        "row",
        [
            '{"v": NaN}',
            '{"v": Infinity}',
            '{"v": "\\ud800"}',
            b'{"v": "\xff"}',
            '{"v": 1',
            "[1]",
            "7",
            '{"v": {"w": NaN}}',
            "",
        ],
    )
    def test_what_is_not_a_json_object_is_an_error_that_names_the_row(
        self, store: Store, row: Any
    ) -> None:
        with pytest.raises(LoadError, match="row 3 "):
            store.load({"v": 1}, {"v": "x"}, row, {"v": 2})
        assert store.destination.describe(TABLE) is None

    def test_a_key_twice_in_a_row_is_an_error_that_names_row_and_key(self, store: Store) -> None:
        with pytest.raises(RowsError, match='row 2 has the key "v" twice; tell the vendor'):
            store.load({"v": 1}, '{"v": 1, "v": 2}')

    def test_rows_without_any_key_still_count(self, store: Store) -> None:
        assert store.load({}, {}).rows == 2

    # What the spec wants of the table

    @pytest.mark.parametrize("row", [{"id": 2, "v": None}, {"id": 2}])
    @pytest.mark.parametrize("mode", ["append", "replace", "merge"])
    def test_a_value_that_must_be_there_and_is_not_names_column_and_row(
        self, store: Store, mode: WriteMode, row: dict[str, Any]
    ) -> None:
        table = replace(KEYED, wanted=Wanted(required=("v",)))
        with pytest.raises(RowsError, match=r'row 2: column "v" has no value, .*notNull'):
            store.load({"id": 1, "v": 0}, row, table=table, mode=mode)
        assert store.destination.describe(table) is None
        store.load({"id": 1, "v": 0}, table=table, mode=mode)
        assert store.values("v", table) == [0]

    def test_rows_without_a_value_that_must_be_there_are_set_aside(self, store: Store) -> None:
        wanted = Wanted(required=("v", "w"))
        table = replace(KEYED, schema_policy="quarantine", columns={"w": "text"}, wanted=wanted)
        rows = {"id": 1, "v": 0, "w": "a"}, {"id": 2, "w": "b"}, {"id": 3, "v": 1}
        assert store.load(*rows, table=table).rejected == 2
        assert store.rows("id", "v", "w", table=table) == [[1, 0, "a"]]
        assert store.load({"id": 4, "v": 1}, table=table, mode="append").rejected == 1

    def test_a_deleted_key_needs_no_value(self, store: Store) -> None:
        store.need("tombstones")
        table = replace(KEYED, deleted="_gone", wanted=Wanted(required=("v",)))
        store.load({"id": 1, "v": 0}, {"id": 2, "v": 0}, table=table, mode="merge")
        store.load({"id": 1, "_gone": True}, {"id": 3, "v": 1}, table=table, mode="merge")
        assert sorted(store.values("id", table)) == [2, 3]

    @pytest.mark.parametrize("mode", ["append", "replace", "merge"])
    def test_descriptions_and_indexes_change_no_row(self, store: Store, mode: WriteMode) -> None:
        """Whatever a store makes of them."""
        wanted = Wanted(
            "It's a table",
            {"id": "its 'key'", "v": "a value", "none": "is not there"},
            indexes=(Index(("v",)), Index(("v", "id")), Index(("none",))),
        )
        table = replace(KEYED, wanted=wanted)
        values = [1, 2, 3]
        for number, value in enumerate(values):
            store.load({"id": number, "v": value}, table=table, mode=mode)
        expected = values[-1:] if mode == "replace" else values
        assert sorted(store.values("v", table)) == expected

    @pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
    def test_rows_tell_when_and_by_which_load_they_were_written(
        self, store: Store, mode: WriteMode
    ) -> None:
        wanted = Wanted(load_columns=("_loaded_at", "_load_id"))
        table = replace(KEYED, wanted=wanted)
        for number in (1, 2):
            rows = {"id": 1, "v": 1}, {"id": 2, "v": number}, {"id": number + 10, "v": 1}
            store.load(*rows, table=table, mode=mode, load_id=f"load-{number}")
        found = sorted(map(tuple, store.rows("id", "v", "_load_id", table=table)))
        expected = {
            "replace": [(1, 1, "load-2"), (2, 2, "load-2"), (12, 1, "load-2")],
            "merge": [(1, 1, "load-1"), (2, 2, "load-2"), (11, 1, "load-1"), (12, 1, "load-2")],
            "scd2": [(1, 1, "load-1"), (2, 1, "load-1"), (2, 2, "load-2"), (11, 1, "load-1"), (12, 1, "load-2")],
        }  # fmt: skip
        if mode == "append":
            assert [load for *_, load in found].count("load-2") == 3
        else:
            assert found == expected[mode]
        assert all(store.values("_loaded_at", table))

    def test_a_field_called_like_a_column_about_the_load_is_refused(self, store: Store) -> None:
        table = replace(KEYED, wanted=Wanted(load_columns=("_load_id",)))
        with pytest.raises(LoadError, match='field "_load_id", which loadColumns adds; rename'):
            store.load({"id": 1, "_load_id": 7}, table=table)

    @pytest.mark.parametrize("mode", ["append", "replace", "merge"])
    def test_values_that_do_not_fit_are_left_out_and_counted(
        self, store: Store, mode: WriteMode
    ) -> None:
        types = {"n": "bigint", "at": "date", "s": "text"}
        table = replace(KEYED, columns=types, on_misfit="drop")
        rows = {"id": 1, "n": "x", "at": "2024-01-01"}, {"id": 2, "n": 1.5, "at": "soon", "s": "a"}
        loaded = store.load(*rows, {"id": 3, "n": "7"}, table=table, mode=mode)
        assert dict(loaded.dropped) == {"n": 2, "at": 1}
        found = store.rows("id", "n", "s", table=table)
        assert sorted(found) == [[1, None, None], [2, None, "a"], [3, 7, None]]
        assert not store.load({"id": 4, "n": 1}, table=table, mode=mode).dropped

    @pytest.mark.parametrize("policy", ["freeze", "quarantine"])
    def test_what_would_change_columns_is_left_out_of_those_that_stay(
        self, store: Store, policy: Any
    ) -> None:
        table = replace(KEYED, schema_policy=policy, on_misfit="drop")
        first = {"id": 1, "v": 1, "at": "2024-01-01"}, {"id": 2, "v": 2, "at": "2024-01-02"}
        store.load(*first, table=table, mode="append")
        types = [column.type for column in store.destination.describe(table) or ()]
        rows = {"id": 3, "v": "x", "at": "soon", "new": 1}, {"id": 4, "v": 5, "new": None}
        loaded = store.load(*rows, table=table, mode="append")
        assert dict(loaded.dropped) == {"v": 1, "at": 1, "new": 1}
        assert [column.type for column in store.destination.describe(table) or ()] == types
        assert sorted(store.rows("id", "v", table=table)) == [[1, 1], [2, 2], [3, None], [4, 5]]
        assert loaded.rejected == 0

    def test_a_key_that_does_not_fit_is_not_left_out(self, store: Store) -> None:
        wanted = Wanted(required=("v",))
        types = {"id": "bigint", "v": "bigint"}
        table = replace(KEYED, columns=types, on_misfit="drop", wanted=wanted)
        for row in ({"id": "x", "v": 1}, {"id": 1, "v": "x"}):
            with pytest.raises(RowsError, match=r"row 1: column .* is not exactly a bigint"):
                store.load(row, table=table, mode="merge")

    # Columns

    def test_a_column_that_appears_late_is_null_before(self, store: Store) -> None:
        store.load(*({"id": i} for i in range(5000)), {"id": 5000, "late": "x"})
        assert store.rows("id", "late")[-2:] == [[4999, None], [5000, "x"]]

    def test_keys_that_differ_in_case_are_columns_apart(self, store: Store) -> None:
        store.load({"id": 1, "Name": "A", "name": "b", "NAME": "c"}, {"ID": 2, "name": "d"})
        rows = [[1, "A", "b", "c", None], [None, None, "d", None, 2]]
        assert store.rows("id", "Name", "name", "NAME", "ID") == rows
        store.load({"name": "e"}, mode="append")
        assert store.rows("name", "Name")[-1] == ["e", None]

    def test_odd_keys_are_found_again(self, store: Store) -> None:
        keys = [
            "a b", "a.b", 'a"b', "a'; drop table x; --", "select", "rowid", "é", "e\u0301", "$ref",
            "a\nb", "__class__", "1", " ", "", "a\\u0000", "a\u0000b", "k" * 10_000, "{", "a,b", "%s", "\\",
        ]  # fmt: skip
        if not store.can.nul:
            keys.remove("a\u0000b")
        store.load({key: number for number, key in enumerate(keys)})
        assert store.rows(*keys) == [list(range(len(keys)))]
        store.load({key: number for number, key in enumerate(keys)}, mode="append")
        assert store.rows(*keys) == [list(range(len(keys)))] * 2

    def test_declared_types_win(self, store: Store) -> None:
        table = Table("crm", "people", columns={"id": "text", "n": "bigint", "at": "timestamp"})
        store.load({"id": 1, "n": "5", "at": "2024-01-01T10:00:00+02:00"}, table=table)
        store.load({"id": "x", "n": 6.0, "at": None}, table=table, mode="append")
        assert store.rows("id", "n", table=table) == [["1", 5], ["x", 6]]
        assert str(store.values("at", table)[0]).replace("T", " ")[:19] == "2024-01-01 08:00:00"

    @pytest.mark.parametrize(
        ("type_", "value"),
        [
            ("bigint", 1.5), ("bigint", "1.5"), ("bigint", "x"), ("bigint", 2**64), ("bigint", True and "true"),
            ("decimal(10,2)", 1.155), ("decimal(10,2)", "1.155"), ("decimal(4,2)", 1234), ("date", "2024-01-01T10:00:00"),
            ("timestamp", "yesterday"), ("timestamp", 1700000000), ("timestamp", "2024-01-01T10:00:00.1234567"),
            ("boolean", 7), ("bigint", {"a": 1}), ("bigint", [1]),
            ("time", "10:00:00.1234567"), ("time", "10:00:00+02:00"), ("date", "2024-01-01T00:00:00+02:00"),
            ("timestamp_s", "2024-01-01T00:00:00.5"), ("timestamp_ms", "2024-01-01T00:00:00.1234"),
            *((type_, text) for type_ in ("date", "timestamp", "timestamptz")
              for text in ("epoch", "infinity", "0000-01-01", "2024-01-01 (BC)")),
            ("bigint", True), ("boolean", "t"), ("boolean", "yes"),
            *(("double", text) for text in ("1e400", "nan", "inf", "-Infinity", "1_000", "")),
        ],
    )  # fmt: skip
    def test_a_value_that_does_not_fit_its_declared_type_names_column_and_row(
        self, store: Store, type_: str, value: Any
    ) -> None:
        table = Table("crm", "people", columns={"v": type_})
        with pytest.raises(RowsError, match=r'row 2: column "v" has a value that is not exactly'):
            store.load({"v": None}, {"v": value}, {"v": value}, table=table)

    def test_a_number_beyond_a_double_is_no_declared_double(self, store: Store) -> None:
        rows = ['{"v": 0.5}', '{"v": "1e-3"}', '{"v": 1e400}']
        for type_ in ("double", "float"):
            table = Table("crm", "people", columns={"v": type_})
            with pytest.raises(LoadError, match=r'row 3: column "v" has a value that is not exa'):
                store.load(*rows, table=table)
            kept = replace(table, name=type_, schema_policy="quarantine")
            assert store.load(*rows, table=kept).rejected == 1
            assert len(store.values("v", kept)) == 2

    def test_decimals_keep_all_their_digits(self, store: Store) -> None:
        table = Table("crm", "people", columns={"v": "decimal(38,2)"})
        store.load(
            '{"v": 12345678901234567890.12}',
            '{"v": "2.50"}',
            '{"v": 1E2}',
            '{"v": null}',
            table=table,
        )
        got = store.destination.query('select cast("v" as varchar) from crm.people')[1]
        assert [text for (text,) in got] == ["12345678901234567890.12", "2.50", "100.00", None]

    @pytest.mark.parametrize(
        ("type_", "value", "text"),
        [
            ("date", "2024-01-01T00:00:00Z", "2024-01-01"),
            ("date", "2024-01-01", "2024-01-01"),
            ("time", "10:00:00.1234560", "10:00:00.123456"),
            ("timestamp", "2024-01-01", "2024-01-01 00:00:00"),
            ("timestamp", "2024-01-01T00:00:00.1234560+02:00", "2023-12-31 22:00:00.123456"),
            ("timestamp_s", "2024-01-01T00:00:00.0+02:00", "2023-12-31 22:00:00"),
            ("timestamp_ms", "2024-01-01 00:00:00.120-02:00", "2024-01-01 02:00:00.12"),
            ("timestamp_ns", "1969-12-31T23:59:59.123456-00:30", "1970-01-01 00:29:59.123456"),
            ("boolean", "TRUE", "true"),
        ],
    )
    def test_a_declared_time_is_exact_and_in_utc(
        self, store: Store, type_: str, value: str, text: str
    ) -> None:
        store.load({"v": value}, table=Table("crm", "people", columns={"v": type_}))
        got = store.destination.query('select cast("v" as varchar) from crm.people')[1]
        assert got[0][0] == text

    @pytest.mark.parametrize(
        ("type_", "value", "digits"),
        [
            ("decimal(38,19)", "1.234567890123456789123e2", "123.4567890123456789123"),
            ("decimal(18,4)", "12345678901234.1234e0", "12345678901234.1234"),
            ("decimal(10,2)", "-12E-1", "-1.20"),
            ("decimal(10,2)", "0.0e5", "0.00"),
            ("bigint", "9007199254740993.0", "9007199254740993"),
            ("bigint", "9.007199254740993e15", "9007199254740993"),
            ("hugeint", "123456789012345678901234567890.0", "123456789012345678901234567890"),
        ],
    )
    def test_a_declared_number_is_exact_however_it_is_written(
        self, store: Store, type_: str, value: str, digits: str
    ) -> None:
        table = Table("crm", "people", columns={"v": type_})
        for written in (value, f'"{value}"'):
            store.load(f'{{"v": {written}}}', '{"v": 1}', table=table)
            got = store.destination.query('select cast("v" as varchar) from crm.people')[1]
            assert Decimal(got[0][0]) == Decimal(digits)

    @pytest.mark.parametrize(
        ("type_", "value"),
        [
            ("decimal(38,15)", "1.234567890123456789123e2"),
            ("decimal(18,3)", "123456789012345.1234e0"),
            ("decimal(18,3)", "1e-400"),
            ("bigint", "9007199254740993.5"),
            ("bigint", "90071992547409931e-1"),
        ],
    )
    def test_a_declared_number_never_loses_a_digit(
        self, store: Store, type_: str, value: str
    ) -> None:
        table = Table("crm", "people", columns={"v": type_})
        for written in (value, f'"{value}"'):
            with pytest.raises(LoadError, match='row 2: column "v" has a value that is not exact'):
                store.load('{"v": 1}', f'{{"v": {written}}}', table=table)

    @pytest.mark.parametrize(
        ("type_", "value", "digits"),
        [
            ("struct(a decimal(38,10))", "{'a':N}", "12345678901234567890.1234567891"),
            ("struct(a decimal(38,10), b double)", "{'b':1.50,'a':N}", "1234567.1"),
            ("decimal(20,10)[]", "[1,N,null]", "1.1234567891e2"),
            ("struct(a struct(b decimal(9,9)[])[])", "{'a':[{'b':[N]}]}", "-0.123456789"),
            ("map(varchar, decimal(38,2))", "{'x':N}", "1e3"),
        ],
    )
    def test_decimals_inside_a_declared_type_are_exact(
        self, store: Store, type_: str, value: str, digits: str
    ) -> None:
        table = Table("crm", "people", columns={"v": type_})
        value = value.replace("'", '"')
        for written in (digits, f'"{digits}"'):
            store.load('{"v": %s}' % value.replace("N", written), table=table)  # noqa: UP031 # braces
            got = str(store.destination.query('select cast("v" as varchar) from crm.people')[1])
            assert Decimal(digits) in [Decimal(text) for text in re.findall(r"-?[0-9]*\.\d+", got)]
        for bad in ("1.00000000000000000001", '"x"', "true", "1e400", "1e9999999999999999999"):
            with pytest.raises(LoadError, match='row 1: column "v" has a value that is not exact'):
                store.load('{"v": %s}' % value.replace("N", bad), table=table)  # noqa: UP031

    @pytest.mark.parametrize(
        ("type_", "value"),
        [
            ("struct(a hugeint, hugeint bigint)", '{"a":123456789012345678901,"hugeint":1}'),
            ("hugeint[]", "[123456789012345678901,1]"),
            ("struct(a struct(b hugeint)[])", '{"a":[{"b":-123456789012345678901}]}'),
            ("bigint[]", "[9007199254740993.0,1.0,9.007199254740993e15,-3,null]"),
            ("struct(a bigint)", '{"a":9007199254740993.0}'),
        ],
    )
    def test_huge_integers_inside_a_declared_type_are_exact(
        self, store: Store, type_: str, value: str
    ) -> None:
        table = Table("crm", "people", columns={"v": type_})
        for mode in ("replace", "append"):  # what was there is read and written again
            store.load(f'{{"v": {value}}}', table=table, mode=mode)
        wanted = json.loads(value, parse_float=lambda text: int(Decimal(text)))
        assert store.values("v", table) == [wanted] * 2

    def test_a_number_as_a_text_has_the_digits_that_were_served(self, store: Store) -> None:
        table = Table("crm", "people", ("v",), {"v": "varchar"})
        texts = ["1.10", "100000", "2.50", "0.12345678901234567890", "1E2", "-0", "1e400", "7"]
        store.load(*(f'{{"v": {text}}}' for text in texts), table=table, mode="merge")
        assert sorted(store.values("v", table)) == sorted(texts)
        # The type stands when it is no longer declared, and a key finds its row.
        for rows in (['{"v": 7}'], ['{"v": 2.50}', '{"v": 100000}', '{"v": true, "n": 1}']):
            store.load(*rows, table=replace(table, columns={}), mode="merge")
        assert sorted(store.values("v", table)) == sorted([*texts, "true"])

    def test_a_declared_path_becomes_a_column(self, store: Store) -> None:
        table = Table("crm", "people", columns={"address.zip": "text", 'a."b.c"': "bigint"})
        store.load(
            {"address": {"zip": 10115}, "a": {"b.c": 1}}, {"address": None}, {"a": [1]}, table=table
        )
        assert store.rows("address.zip", 'a."b.c"', table=table) == [
            ["10115", 1],
            [None, None],
            [None, None],
        ]

    def test_what_is_no_type_is_refused_and_nothing_runs(self, store: Store) -> None:
        for type_ in ("bigint) from (select 1", "nonsense", "int; drop table x", "select 1"):
            with pytest.raises(LoadError, match="not a column type"):
                store.load({"v": 1}, table=Table("crm", "people", columns={"v": type_}))

    # Replace

    def test_replace_leaves_only_the_new_rows_in_their_order(self, store: Store) -> None:
        store.load(*({"id": i} for i in range(3)))
        loaded = store.load(*({"id": i} for i in reversed(range(4000))))
        assert (loaded.received, loaded.rows) == (4000, 4000)
        assert store.values("id") == list(reversed(range(4000)))

    def test_replace_by_nothing_keeps_the_columns(self, store: Store) -> None:
        store.load({"id": 1, "name": "a"})
        assert store.load().rows == 0
        assert store.columns() == ["id", "name"]

    def test_a_first_load_of_nothing_makes_the_declared_columns_only(self, store: Store) -> None:
        store.need("empty_columns")
        assert {column.name for column in store.load().columns} <= {"_empty"}
        assert not store.destination.count(TABLE)
        store.load({"id": 1})
        assert store.columns() == ["id"]
        table = Table("crm", "people", ("id",), {"n": "bigint"})
        assert [column.name for column in store.load(table=table).columns] == ["id", "n"]
        id_ = "a" if store.can.widens else 2
        store.load({"id": id_, "n": 1}, table=table)
        assert store.rows("id", "n", table=table) == [[id_, 1]]

    def test_replace_with_a_key_keeps_the_last_row_of_each(self, store: Store) -> None:
        rows = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 1, "v": "c"}, {"id": 1, "v": "d"}]
        assert store.load(*rows, table=KEYED).rows == 2
        assert sorted(store.rows("id", "v")) == [[1, "d"], [2, "b"]]

    def test_keys_of_any_size_stay_apart(self, store: Store) -> None:
        ids = [9007199254740993, 9007199254740992, 9007199254740994, 5, "5", 2**70, 2**70 + 1]
        assert store.load(*({"id": i} for i in ids), table=KEYED).rows == len(ids)

    def test_a_column_that_vanished_stays_and_is_null(self, store: Store) -> None:
        store.load({"id": 1, "old": "x"})
        store.load({"id": 2})
        assert store.rows("id", "old") == [[2, None]]

    def test_rows_read_before_another_load_are_not_loaded_over_it(self, store: Store) -> None:
        here = store.destination
        if not isinstance(here, TellsLoads):
            pytest.skip("does not tell its loads")
        names = [here.last_load(TABLE)]
        for rows in ([{"v": 1}], []):
            store.load(*rows)
            names.append(here.last_load(TABLE))
        assert (names[0], len(set(names))) == ("", 3)
        order = Order(TABLE, "replace", store.segments({"v": 2}, load_id="new"), after=names[1])
        with pytest.raises(Busy, match="another run loaded it while this one was reading"):
            here.load(order)
        assert (store.values("v"), here.last_load(TABLE)) == ([], names[2])
        assert here.load(replace(order, after=names[2])).rows == 1
        assert here.load(replace(order, after=names[2])).rows == 1  # it has been done
        assert (store.values("v"), here.last_load(TABLE)) == ([2], "new")

    def test_the_last_load_is_that_of_the_part(self, store: Store) -> None:
        store.need("partitions")
        here = store.destination
        if not isinstance(here, TellsLoads):
            pytest.skip("does not tell its loads")
        parts = [replace(TABLE, partition=name) for name in ("a", "b")]
        for part in parts:
            store.load({"v": 1}, table=part, load_id=f"of {part.partition}")
        assert [here.last_load(part) for part in parts] == ["of a", "of b"]

    # Append and evolution

    def test_append_adds_rows_and_columns(self, store: Store) -> None:
        store.load({"id": 1}, mode="append")
        store.load({"id": 2, "new": 1.5}, mode="append")
        assert store.rows("id", "new") == [[1, None], [2, 1.5]]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (1, 2**63), (1, 1.5), (1, "x"), (2**60 + 1, 1.5), (2**70, 0.5), (True, 1), ("x", {"a": 1}), (1.5, "1.5"),
            (None, 7), ("2024-01-01", "soon"), ("2024-01-01T00:00:00.120Z", 3), ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00"), ({"a": 1}, 2),
        ],
    )  # fmt: skip
    def test_a_column_widens_without_changing_old_values(
        self, store: Store, old: Any, new: Any
    ) -> None:
        store.load({"v": old}, mode="append")
        if not store.can.widens and not isinstance(old, dict | None):
            with pytest.raises(SchemaError, match=r'column "v" is .* would have to become'):
                store.load({"v": new}, mode="append")
            assert all(map(same, store.values("v"), [old]))
            return
        store.load({"v": new}, mode="append")
        assert all(map(same, store.values("v"), [old, new]))
        store.load({"v": old}, mode="append")
        assert all(map(same, store.values("v"), [old, new, old]))

    @pytest.mark.parametrize(
        ("before", "old", "type_", "new"),
        [
            (None, [1.5, 0.1], "bigint", 3), (None, [1.555, 2], "decimal(10,2)", 3), ("decimal(10,3)", [1.555], "decimal(10,2)", 3),
            (None, ["2024-01-01T10:00:00Z"], "date", "2024-01-02"), (None, ["2024-01-01T10:00:00Z", "soon"], "timestamp", None),
            ("text", ["2024-01-01T10:00:00Z"], "date", "2024-01-02"), (None, ["2024-01-01T10:00:00.1234567Z"], "timestamp", None),
            (None, ["s3cret"], "bigint", 3), (None, [1, "s3cret"], "bigint", 3), (None, ["1.5"], "bigint", 2), (None, [1], "date", None),
            (None, [2**60 + 1], "double", 0.5), (None, [2**70], "bigint", 1), (None, [0.1 + 0.2], "decimal(4,2)", 1),
            (None, ["2024-01-01T10:00:00Z"], "time", None), (None, [True, False], "bigint", 1),
        ],
    )  # fmt: skip
    def test_a_type_declared_later_that_old_values_do_not_fit_is_refused(
        self, store: Store, before: str | None, old: list[Any], type_: str, new: Any
    ) -> None:
        first = Table("crm", "people", columns={"v": before} if before else {})
        store.load(*({"v": value} for value in [*old, None]), table=first, mode="append")
        stored, types = store.values("v"), store.destination.describe(TABLE)
        table = Table("crm", "people", columns={"v": type_})
        words = r'column "v" ' + (
            r"has in \d old rows? a value that is not" if store.can.widens else ""
        )
        with pytest.raises(LoadError, match=words) as refused:
            store.load({"v": new}, table=table, mode="append")
        assert (refused.value.where, bool(refused.value.fix)) == ("crm.people", True)
        assert "s3cret" not in str(refused.value)
        assert (store.values("v"), store.destination.describe(TABLE)) == (stored, types)
        # It replaces them: nothing is in the way.
        assert not store.can.widens or store.load({"v": new}, table=table, mode="replace").rows == 1

    @pytest.mark.parametrize(
        ("old", "type_", "text"),
        [
            ([1.0, 1e15, 0], "bigint", "1 1000000000000000 0"), ([1.25, 2], "decimal(10,2)", "1.25 2.00"),
            ([0.1 + 0.2], "decimal(20,17)", "0.30000000000000004"),
            (["2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00"], "timestamp", "2024-01-01 08:00:00 2024-01-01 10:00:00"),
            (["2024-01-01T10:00:00.5Z"], "timestamp", "2024-01-01 10:00:00.5"), (["7", "-8"], "bigint", "7 -8"),
            ([5, "6", None], "bigint", "5 6"), (["2024-01-01T00:00:00Z"], "date", "2024-01-01"),
            (["2024-01-01T10:00:00Z"], "text", "2024-01-01T10:00:00Z"), (["2024-01-01"], "timestamp", "2024-01-01 00:00:00"),
        ],
    )  # fmt: skip
    def test_a_type_declared_later_takes_old_values_that_fit_it(
        self, store: Store, old: list[Any], type_: str, text: str
    ) -> None:
        table = Table("crm", "people", columns={"v": type_})
        store.load(*({"v": value} for value in old), mode="append")
        store.need("widens")
        store.load({"v": None}, table=table, mode="append")
        got = store.destination.query('select cast("v" as varchar) from crm.people')[1]
        assert " ".join(value for (value,) in got if value is not None) == text

    # Schema policy

    def test_freeze_refuses_new_and_wider_columns_and_names_the_first_row(
        self, store: Store
    ) -> None:
        table = Table("crm", "people", schema_policy="freeze")
        store.load({"id": 1, "v": 1, "f": 0.5, "at": "2024-01-01", "never": None}, table=table)
        for rows, message in [
            ([{"id": 2}, {"id": 3, "new": None}, {"id": 4, "new": 1}], 'row 3: new column "new"'),
            ([{"v": 2}, {"v": "x"}], 'row 2: column "v" is .*, the value is a text'),
            ([{"v": 2**70}], 'row 1: column "v" is .*, the value is an integer'),
            ([{"f": 2}, '{"f": 1e400}'], 'row 2: column "f" is .* a number beyond a double'),
            ([{"at": "2024-01-01"}, {"at": "2024-02-30"}], 'row 2: column "at"'),
            ([{"at": "soon"}], 'row 1: column "at"'),
        ]:
            for mode in ("append", "replace"):
                with pytest.raises(SchemaError, match=message):
                    store.load(*rows, table=table, mode=mode)
        store.load(
            {"id": 5, "v": 2**60, "at": "2024-01-02", "never": 1}, table=table, mode="append"
        )
        assert store.values("id", table) == [1, 5]

    def test_a_key_that_is_only_null_opens_no_frozen_table(self, store: Store) -> None:
        table = Table("crm", "people", schema_policy="freeze")
        store.load({"id": 1}, table=table, mode="append")
        store.load({"id": 2, "new": None}, table=table, mode="append")
        assert "new" not in store.columns()
        with pytest.raises(SchemaError, match='row 1: new column "new"'):
            store.load({"id": 3, "new": "x"}, table=table, mode="append")
        table = replace(table, schema_policy="quarantine")
        rows = {"id": 4, "new": None}, {"id": 5, "new": 7}
        assert store.load(*rows, table=table, mode="append").rejected == 1
        assert (store.values("id"), "new" in store.columns()) == ([1, 2, 4], False)

    def test_quarantine_sets_unfit_rows_aside_with_reason_and_page(
        self, store: Store, tmp_path: Path
    ) -> None:
        table = Table("crm", "people", ("id",), {"n": "bigint"}, "quarantine")
        store.load({"id": 1, "v": 1, "n": 1}, table=table)
        with Staging(tmp_path / "s", connection="crm", stream="people", fingerprint="f") as staged:
            staged.append([{"id": 2, "v": 2}, {"id": 3, "v": "x"}], 2, "1")
            staged.append([{"id": 4, "n": 1.5}, {"v": 9}, {"id": 5, "new": [1]}], 3, "2")
            staged.append([{"id": 6, "n": "7"}], 1, complete=True)
            loaded = store.destination.load(Order(table, "merge", staged.segments()))
        assert (loaded.received, loaded.rejected, loaded.rows) == (6, 4, 3)
        assert sorted(store.rows("id", "v", "n", table=table)) == [
            [1, 1, 1],
            [2, 2, None],
            [6, None, 7],
        ]
        _, rows = store.destination.query(
            'select cast("row" as varchar), reason, row_number, page from crm.people__rejected '
            "order by row_number"
        )
        assert [(json.loads(row), *others) for row, _, *others in rows] == [
            ({"id": 3, "v": "x"}, 2, 1),
            ({"id": 4, "n": 1.5}, 3, 2),
            ({"v": 9}, 4, 2),
            ({"id": 5, "new": [1]}, 5, 2),
        ]
        reasons = [reason for _, reason, *_ in rows]
        assert 'column "v" is' in reasons[0]
        assert 'column "n" has a value that is not exactly' in reasons[1]
        assert reasons[2:] == ['no key: "id" is null or missing', 'new column "new"']

    def test_a_row_is_set_aside_as_it_came(self, store: Store) -> None:
        table = Table("crm", "people", columns={"n": "decimal(10,2)", "a.b": "text"})
        table = replace(table, schema_policy="quarantine")
        row = '{"n": 1.50, "a": {"b": 1}, "new": 1}'
        store.load({"n": 1, "a": {"b": "x"}}, table=table)
        assert store.load(row, table=table, mode="append").rejected == 1
        sql = 'select cast("row" as varchar) from crm.people__rejected'
        assert json.loads(store.destination.query(sql)[1][0][0]) == json.loads(row)

    def test_a_key_twice_in_an_object_is_kept_or_refused_and_never_half_of_it(
        self, store: Store
    ) -> None:
        opens = store.destination.uri.startswith(("postgresql:", "dlt:"))
        good = '{"id": 1, "a": {"b": [{"c": 1}, {"c": 1}]}, "d": {"c": 2}}'
        bad = '{"id": 2, "a": {"b": [{"c": 1}, {"c": 10, "e": "é", "c": 11}]}}'
        table = replace(KEYED, schema_policy="quarantine")
        if not opens:
            store.load(good, bad, table=KEYED, mode="merge")
            kept = store.destination.query("select cast(a as varchar) from crm.people where id = 2")
            assert '{"c":10,"e":"é","c":11}' in kept[1][0][0].replace(" ", "")
            assert store.load(good, bad, table=table, mode="merge").rejected == 0
            return
        with pytest.raises(RowsError, match=r'row 2: it has the key "a\.b\.c" twice; .*quarantine'):
            store.load(good, bad, table=KEYED, mode="merge")
        assert store.load(good, bad, good, table=table, mode="merge").rejected == 1
        assert store.values("id") == [1]
        sql = 'select cast("row" as varchar), reason from crm.people__rejected'
        [(row, reason)] = store.destination.query(sql)[1]
        assert reason == 'it has the key "a.b.c" twice'
        if store.destination.uri.startswith("postgresql:"):
            assert '{"c":10,"e":"é","c":11}' in row.replace(" ", "")

    def test_rows_are_set_aside_in_no_table_of_another_stream(self, store: Store) -> None:
        aside = replace(TABLE, schema_policy="quarantine")
        other = replace(TABLE, name="people__rejected")
        store.load({"reason": "mine"}, table=other)
        with pytest.raises(
            LoadError, match='rows are set aside in "people__rejected", and that is'
        ):
            store.load({"v": 1}, table=aside)
        assert store.destination.refuses(aside, "replace")
        assert store.values("reason", other) == ["mine"]
        aside, other = (replace(one, schema="hr") for one in (aside, other))
        for rows in ([{"v": 1}], [{"v": "x"}]):
            store.load(*rows, table=aside, mode="append")
            with pytest.raises(LoadError, match=r"the table|rows that no load of ours"):
                store.load({"reason": "mine"}, table=other)
            assert store.destination.refuses(aside, "append") is None
        assert store.destination.refuses(other, "replace")

    def test_keys_beyond_the_first_go_into_one_column_where_that_is_asked_for(
        self, store: Store
    ) -> None:
        table = replace(KEYED, overflow=Overflow("rest", 3), columns={"z": "text"})
        store.load(
            '{"id": 1, "a": 1, "b": 2.50, "c": {"d": 12345678901234567890.5}, "z": 7}', table=table
        )
        store.load({"id": 2, "b": "x", "a": None, "e": 5}, {"id": 3}, table=table, mode="merge")
        assert set(store.columns()) - {"_load_id"} == {"id", "z", "a", "rest"}
        sql = 'select id, z, a, cast("rest" as varchar) from crm.people order by id'
        found = [
            [*row[:3], row[3] and row[3].replace(" ", "")]
            for row in store.destination.query(sql)[1]
        ]
        many = '{"b":2.50,"c":{"d":12345678901234567890.5}}'
        assert found == [
            [1, "7", 1, many],
            [2, None, None, '{"b":"x","e":5}'],
            [3, None, None, None],
        ]
        with pytest.raises(RowsError, match='a key "rest" of their own; choose another name'):
            store.load({"id": 4, "rest": 1, "n": 1}, table=table, mode="merge")

    def test_a_replace_replaces_what_was_rejected(self, store: Store) -> None:
        table = Table("crm", "people", schema_policy="quarantine")
        store.load({"v": 1}, table=table)
        assert store.load({"v": "x"}, {"v": 2}, table=table).rejected == 1
        assert store.load({"v": 3}, table=table).rejected == 0
        assert store.destination.query("select * from crm.people__rejected")[1] == []

    # Merge

    def test_merge_replaces_whole_rows_by_key_and_the_last_wins(self, store: Store) -> None:
        store.load({"id": 1, "a": "x", "b": 1}, {"id": 2, "a": "y"}, table=KEYED, mode="merge")
        loaded = store.load(
            {"id": 2, "a": "z"}, {"id": 3}, {"id": 1, "a": "w"}, {"id": 3, "a": "last"},
            table=KEYED, mode="merge",
        )  # fmt: skip
        assert (loaded.received, loaded.rows) == (4, 3)
        rows = [[1, "w", None], [2, "z", None], [3, "last", None]]
        assert sorted(store.rows("id", "a", "b")) == rows

    def test_merge_by_several_and_nested_keys(self, store: Store) -> None:
        table = Table("crm", "people", ("region", "ref.id"))
        rows = [{"region": r, "ref": {"id": i}, "v": 1} for r in "ab" for i in (1, "1", 2)]
        store.load(*rows, table=table, mode="merge")
        store.load({"region": "a", "ref": {"id": "1"}, "v": 2}, table=table, mode="merge")
        got = store.rows("region", "ref.id", "v", table=table)
        assert len(got) == 6
        assert [row for row in got if row[2] == 2] == [["a", "1", 2]]

    def test_merge_finds_its_rows_when_the_key_has_widened(self, store: Store) -> None:
        store.need("widens")
        store.load({"id": 1, "v": "old"}, {"id": 2, "v": "old"}, table=KEYED, mode="merge")
        store.load({"id": 1, "v": "new"}, {"id": "1", "v": "text"}, table=KEYED, mode="merge")
        got = sorted(store.rows("id", "v"), key=str)
        assert got == sorted([[1, "new"], [2, "old"], ["1", "text"]], key=str)

    def test_a_number_is_one_key_however_it_is_spelled(self, store: Store) -> None:
        store.need("widens")
        store.load({"id": 1, "v": "a"}, {"id": 1.5, "v": "b"}, table=KEYED, mode="merge")
        store.load({"id": "x", "v": "c"}, {"id": 1, "v": "d"}, table=KEYED, mode="merge")
        assert sorted(store.rows("id", "v"), key=str) == [["x", "c"], [1, "d"], [1.5, "b"]]
        for id_ in (
            "1.0",
            "1e0",
            "-0.0",
            "0",
            "1.50",
            "9007199254740993",
            "9007199254740992.0",
            "9007199254740992",
        ):
            store.load(f'{{"id": {id_}, "v": "{id_}"}}', table=KEYED, mode="merge")
        rows = {str(v): i for i, v in store.rows("id", "v")}
        assert list(map(rows.get, ["c", "0", "9007199254740993"])) == ["x", 0, 2**53 + 1]
        assert sorted(rows) == ["0", "1.50", "1e0", "9007199254740992", "9007199254740993", "c"]

    def test_of_rows_of_one_load_a_number_is_one_key_too(self, store: Store) -> None:
        store.need("widens")
        for _ in range(2):
            rows = '{"id": 1.0, "v": 1}', '{"id": "x", "v": 2}', '{"id": 1, "v": 3}'
            store.load(*rows, table=KEYED, mode="merge")
            assert sorted(store.rows("id", "v"), key=str) == [["x", 2], [1, 3]]

    def test_scd2_makes_no_version_of_a_number_whose_column_widened(self, store: Store) -> None:
        store.need("widens")
        for other in (1, 0.5, "x"):
            rows = {"id": 1, "v": 1}, {"id": 2, "v": other}
            store.load(*rows, table=KEYED, mode="scd2")
        versions = store.destination.query("select id from crm.people order by id")[1]
        assert [id_ for (id_,) in versions] == [1, 2, 2, 2]

    @pytest.mark.parametrize("mode", ["merge", "replace"])
    @pytest.mark.parametrize("bad", [{"v": 1}, {"id": None}])
    def test_a_row_without_its_key_is_an_error_that_names_it(
        self, store: Store, mode: WriteMode, bad: dict[str, Any]
    ) -> None:
        store.load({"id": 1}, table=KEYED)
        with pytest.raises(RowsError, match='row 3 has no key: "id" is null or missing'):
            store.load({"id": 2}, {"id": 3}, bad, table=KEYED, mode=mode)
        assert store.values("id") == [1]

    def test_merge_without_a_key_is_refused(self, store: Store) -> None:
        with pytest.raises(LoadError, match="key"):
            store.load({"id": 1}, mode="merge")

    def test_what_it_does_not_claim_it_refuses_before_anything_is_fetched(
        self, store: Store
    ) -> None:
        part = Table("crm", "people", ("id",), partition="a")
        for mode in ALL_MODES:
            refused = store.destination.refuses(KEYED, mode)
            assert (refused is None) == (mode in store.can.modes), mode
        refused = store.destination.refuses(part, "replace")
        assert (refused is None) == store.can.partitions

    @pytest.mark.parametrize(
        ("table", "mode", "words"),
        [
            (TABLE, "merge", "merge needs a key; declare primaryKey"),
            (Table("crm", "people", columns={"v": "int65"}), "append", "\"v\": 'int65' is not a column"),
        ],
    )  # fmt: skip
    def test_what_can_only_fail_is_refused_before_anything_is_fetched(
        self, store: Store, table: Table, mode: WriteMode, words: str
    ) -> None:
        refused = store.destination.refuses(table, mode)
        assert refused is not None
        assert words in str(refused)
        with pytest.raises(LoadError) as failed:
            store.destination.load(Order(table, mode, store.segments({"v": 1})))
        assert str(failed.value) == str(refused)
        assert store.destination.describe(TABLE) is None

    # Deletes, history, partitions

    def test_a_row_that_says_so_deletes_its_key(self, store: Store) -> None:
        store.need("tombstones")
        table = Table("crm", "people", ("id",), deleted="_deleted")
        store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3}, table=table, mode="merge")
        loaded = store.load(
            {"id": 1, "_deleted": True}, {"id": 2, "_deleted": True}, {"id": 2, "v": "again"},
            {"id": 4, "_deleted": False}, {"id": 5}, {"id": 5, "_deleted": True}, {"id": 6, "_deleted": None},
            table=table, mode="merge",
        )  # fmt: skip
        assert (loaded.received, loaded.rows) == (7, 4)
        got = sorted(store.rows("id", "v", table=table))
        assert got == [[2, "again"], [3, None], [4, None], [6, None]]
        assert store.columns() == ["id", "v"]

    def test_scd2_keeps_the_versions_of_a_row(self, store: Store) -> None:
        def versions() -> list[tuple[Any, ...]]:
            sql = """select id, v, _valid_from is not null, _valid_to is null,
                coalesce(_valid_to > _valid_from, true) from crm.people order by id, _valid_from"""
            return [tuple(row) for row in store.destination.query(sql)[1]]

        store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, table=KEYED, mode="scd2")
        store.load({"id": 1, "v": "a"}, {"id": 2, "v": "c"}, table=KEYED, mode="scd2")
        assert versions() == [
            (1, "a", True, True, True),
            (2, "b", True, False, True),
            (2, "c", True, True, True),
        ]
        store.load({"id": 2, "v": "b"}, {"id": 2, "v": "c"}, table=KEYED, mode="scd2")
        assert [row[3] for row in versions()] == [False, False, True]
        store.load({"id": 1, "v": "a"}, table=KEYED, mode="scd2", cursor=Cursor(1))
        assert [row[:2] for row in versions() if row[3]] == [(1, "a"), (2, "c")]
        store.load({"id": 1, "v": "a"}, table=KEYED, mode="scd2", cursor=Cursor(2, 1, is_all=True))
        assert [row[:2] for row in versions() if row[3]] == [(1, "a")]

    def test_scd2_closes_no_key_whose_row_was_only_set_aside(self, store: Store) -> None:
        def current() -> list[int]:
            sql = "select id from crm.people where _valid_to is null order by id"
            return [number for (number,) in store.destination.query(sql)[1]]

        table = Table("crm", "people", ("id",), schema_policy="quarantine")
        store.load(*({"id": n, "v": 1} for n in (1, 2, 3)), table=table, mode="scd2")
        rows = {"id": 1, "v": "x"}, {"id": 2, "v": 1}
        assert store.load(*rows, table=table, mode="scd2").rejected == 1
        assert current() == [1, 2, 3]
        store.load({"id": 1, "v": 2}, {"id": 2, "v": 1}, table=table, mode="scd2")
        assert current() == [1, 2]

    def test_scd2_closes_what_is_deleted_and_what_gains_a_column(self, store: Store) -> None:
        store.need("tombstones")
        table = Table("crm", "people", ("id",), deleted="gone")
        store.load({"id": 1}, {"id": 2}, {"id": 3}, table=table, mode="scd2", cursor=Cursor(1))
        rows = [{"id": 1, "gone": True}, {"id": 2, "new": "x"}, {"id": 9, "gone": True}]
        store.load(*rows, table=table, mode="scd2", cursor=Cursor(2, 1))
        sql = "select id, new, _valid_to is null from crm.people order by id, _valid_from"
        got = [tuple(row) for row in store.destination.query(sql)[1]]
        assert got == [(1, None, False), (2, None, False), (2, "x", True), (3, None, True)]

    def test_a_partition_replaces_only_itself(self, store: Store) -> None:
        days = {day: Table("crm", "people", partition=day) for day in ("2024-01-01", "2024-01-02")}
        for table in days.values():
            store.load({"id": 1, "d": table.partition}, {"id": 2}, table=table)
        store.load({"id": 3, "d": "2024-01-09"}, table=days["2024-01-01"])
        assert sorted(store.rows("id", "d"), key=str) == [
            [1, "2024-01-02"],
            [2, None],
            [3, "2024-01-09"],
        ]
        store.load(table=days["2024-01-02"])
        assert store.values("id") == [3]

    def test_a_partition_with_a_key_keeps_one_row_of_each(self, store: Store) -> None:
        for day, value in (("1", "a"), ("2", "b")):
            table = Table("crm", "people", ("id",), partition=day)
            store.load({"id": 1, "v": value}, {"id": day, "v": value}, table=table)
        assert sorted(store.rows("id", "v"), key=str) == [["1", "a"], ["2", "b"], [1, "b"]]

    def test_names_of_our_own_columns_are_left_to_us(self, store: Store) -> None:
        table = Table("crm", "people", ("id",), partition="p")
        store.load({"id": 1, "_partition": "theirs", "rowid": 7}, table=table)
        assert store.rows("_partition", "rowid", table=table) == [["theirs", 7]]
        store.load({"id": 2, "rowid": 1}, {"id": 2, "rowid": 0}, table=table, mode="merge")
        assert sorted(store.rows("id", "rowid", table=table)) == [[1, 7], [2, 0]]

    # Cursor, fence, repetition

    def test_rows_and_cursor_move_together(self, store: Store) -> None:
        assert store.destination.read_cursor(TABLE) is None
        store.load({"id": 1}, mode="append", cursor=Cursor({"at": "2024"}))
        assert store.destination.read_cursor(TABLE) == {"at": "2024"}
        with pytest.raises(Busy, match="position moved"):
            store.load({"id": 2}, mode="append", cursor=Cursor(9, expected={"at": "2023"}))
        store.load({"id": 3}, mode="append", cursor=Cursor(10**30, expected={"at": "2024"}))
        assert store.destination.read_cursor(TABLE) == 10**30
        assert store.values("id") == [1, 3]

    def test_positions_of_many_items_are_stored_with_the_rows(self, store: Store) -> None:
        before = {f"[{n}]": {"value": f"{n} é'"} for n in range(MANY)}
        before["big"] = {"value": 10**30, "keys": []}
        store.load({"id": 1}, mode="append", cursor=Cursor(before))
        found = store.destination.read_cursor(TABLE)
        assert (found, len(found), found["[7]"]) == (before, MANY + 1, {"value": "7 é'"})
        moved = {"[7]": {"value": "later"}, "new": {}}
        store.load({"id": 2}, mode="append", cursor=Cursor(moved, found, adds=True))
        assert store.destination.read_cursor(TABLE) == {**before, **moved}
        with pytest.raises(Busy, match="position moved"):
            store.load({"id": 3}, mode="append", cursor=Cursor({"x": 1}, found, adds=True))
        assert store.destination.read_cursor(TABLE) == {**before, **moved}
        assert store.values("id") == [1, 2]

    def test_positions_become_many_and_few_again(self, store: Store) -> None:
        few = {"": {"value": 1}}
        store.load({"id": 1}, cursor=Cursor(few))
        many = {f"[{n}]": n for n in range(MANY)}
        for _ in range(2):
            store.load({"id": 2}, cursor=Cursor(many, few, adds=True))
            both = store.destination.read_cursor(TABLE)
            assert both == {**few, **many}
            store.load({"id": 3}, cursor=Cursor(few, both))
            assert store.destination.read_cursor(TABLE) == few
        assert type(store.destination.read_cursor(TABLE)) is dict

    def test_items_of_partitions_and_tables_stay_apart(self, store: Store) -> None:
        tables = [TABLE, *(replace(TABLE, partition=name) for name in "ab"), Table("crm", "b")]
        for number, table in enumerate(tables):
            cursor = Cursor(many_of(number))
            store.load({"id": number}, table=table, mode="append", cursor=cursor)
        store.load({"id": 1}, table=tables[1], mode="append", cursor=Cursor(None, many_of(1)))
        assert [store.destination.read_cursor(table) for table in tables] == [
            many_of(0),
            None,
            many_of(2),
            many_of(3),
        ]

    def test_a_fence_that_raises_undoes_positions_of_items(self, store: Store) -> None:
        def fence() -> None:
            raise RuntimeError("the run is over")

        store.load({"id": 1}, cursor=Cursor(many_of(0)))
        for cursor in (
            Cursor({"[3]": 5}, many_of(0), adds=True),
            Cursor({"": 1}, many_of(0)),
        ):
            with pytest.raises(RuntimeError):
                store.load({"id": 2}, cursor=cursor, fence=fence)
        assert store.destination.read_cursor(TABLE) == many_of(0)

    def test_partitions_have_cursors_of_their_own(self, store: Store) -> None:
        parts = [Table("crm", "people", partition=name) for name in ("eu", "us")]
        for number, table in enumerate(parts):
            store.load({"id": number}, table=table, mode="append", cursor=Cursor(number))
        assert [store.destination.read_cursor(table) for table in parts] == [0, 1]
        assert store.destination.read_cursor(TABLE) is None

    def test_a_fence_that_raises_undoes_the_load(self, store: Store) -> None:
        store.load({"id": 1}, cursor=Cursor(1))

        def fence() -> None:
            raise RuntimeError("the run is over")

        for mode in ("replace", "append"):
            row = {"id": "x" if store.can.widens else 2, "n": 2}
            with pytest.raises(RuntimeError):
                store.load(row, mode=mode, cursor=Cursor(2, 1), fence=fence)
        assert store.rows("id") == [[1]]
        assert store.columns() == ["id"]
        assert store.destination.read_cursor(TABLE) == 1

    def test_a_load_that_was_done_is_not_done_again(self, store: Store) -> None:
        for _ in range(2):
            loaded = store.load({"id": 1}, mode="append", cursor=Cursor(1), load_id="one")
            assert (loaded.received, loaded.rows) == (1, 1)
        assert store.load({"id": 1}, mode="append", cursor=Cursor(2, 1), load_id="two").rows == 2

    def test_a_load_done_into_another_table_is_done_into_this_one(self, store: Store) -> None:
        """As of a run that was killed after its commit, and begun again with another schema."""
        for table in (TABLE, replace(TABLE, schema="other"), replace(TABLE, name="others")):
            for _ in range(2):
                assert store.load({"id": 1}, table=table, mode="append", load_id="one").rows == 1

    def test_a_load_done_into_a_partition_is_done_into_the_next(self, store: Store) -> None:
        for number, key in enumerate("ab", 1):
            part = replace(TABLE, partition=key)
            for _ in range(2):
                assert store.load({"id": 1}, table=part, load_id="one").rows == number

    def test_a_failed_load_changes_nothing(self, store: Store) -> None:
        store.load({"id": 1, "v": 1})
        table = Table("crm", "people", columns={"v": "bigint"})
        for mode in ("replace", "append"):
            with pytest.raises(LoadError):
                store.load(
                    {"id": "a", "w": 1}, {"v": "x"}, table=table, mode=mode, cursor=Cursor(1)
                )
        assert store.rows("id", "v") == [[1, 1]]
        assert store.columns() == ["id", "v"]
        assert store.destination.read_cursor(TABLE) is None

    def test_staged_batches_are_one_table(self, store: Store, tmp_path: Path) -> None:
        with Staging(tmp_path / "s", connection="crm", stream="people", fingerprint="f") as staged:
            for start in range(0, 300, 100):
                staged.append([{"id": start + i} for i in range(100)], 100, str(start))
            staged.append(b"", 0, None, complete=True)
            assert store.destination.load(Order(TABLE, "replace", staged.segments())).rows == 300
        assert store.values("id") == list(range(300))

    # Reading

    def test_what_is_not_there_is_none(self, store: Store) -> None:
        destination = store.destination
        assert destination.describe(TABLE) is None
        assert destination.count(TABLE) is None
        assert list(destination.keys(TABLE, ["id"])) == []
        store.load({"id": 1})
        assert destination.count(TABLE) == 1
        with pytest.raises(LoadError, match='no column for "nope"'):
            list(destination.keys(TABLE, ["nope"]))

    def test_keys_may_be_paths_into_nested_values(self, store: Store) -> None:
        store.load({"a": {"b/c": {"d": 5}, "e": "x"}}, {"a": {"e": None}}, {"a": None}, {"a": 1})
        got = store.rows('a."b/c".d', "a.e")
        assert got == [[5, "x"], [None, None], [None, None], [None, None]]
        with pytest.raises(LoadError, match=r'no column for "x\.y"'):
            store.rows("x.y")

    def test_a_query_gives_columns_and_rows_and_cannot_write(
        self, store: Store, tmp_path: Path
    ) -> None:
        store.load(*({"id": i, "name": f"n{i}"} for i in range(5)))
        columns, rows = store.destination.query("select id, name from crm.people order by id", 2)
        assert [column.name for column in columns] == ["id", "name"]
        assert [tuple(row) for row in rows] == [(0, "n0"), (1, "n1")]
        for sql in (
            "delete from crm.people",
            "select nope from crm.people",
            "create table x(a int)",
            "with d as (delete from crm.people returning *) select * from d",
            "select * into crm.more from crm.people",
            f"copy (select 1 as a) to '{tmp_path}/written'",
            f"explain analyze copy (select 1 as a) to '{tmp_path}/written'",
            f"copy (select 1) to program 'touch {tmp_path}/written'",
            f"export database '{tmp_path}/written'",
            f"attach '{tmp_path}/written' as w; create table w.t(a int); select 1",
            "select 1; select 2",
            "commit",
            ";",
            "",
        ):
            with pytest.raises(LoadError):
                store.destination.query(sql)
        assert store.destination.count(TABLE) == 5
        assert store.destination.describe(Table("crm", "more")) is None
        assert not (tmp_path / "written").exists()

    def test_schemas_and_tables_of_any_name(self, store: Store) -> None:
        for schema, name in (("select", "order"), ("a b", 'c"d'), ("Crm", "Über")):
            table = Table(schema, name)
            assert store.load({"id": 1}, table=table).rows == 1
            assert store.values("id", table) == [1]
