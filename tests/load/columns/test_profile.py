"""What is found in staged rows, however late it comes."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_assets.load.columns import profile as module
from connector_assets.load.columns.digits import may_be_tiny
from connector_assets.load.columns.profile import Profiler, profile
from connector_assets.load.kinds import Profile, column_type
from connector_assets.load.table import Segment

ROWS = 6_000  # of a kilobyte each, so that most come after what was learned first
PAD = "x" * 1000


@pytest.mark.parametrize(
    ("late", "type_"),
    [
        ("7", "hugeint"),
        ("-7", "hugeint"),
        ("null", "hugeint"),
        (str(2**127 - 1), "hugeint"),
        (str(1 - 2**127), "hugeint"),
        (str(2**127), "json"),
        ("9" * 39, "json"),
        ("1.5", "json"),
        ("1e3", "json"),
        ('"7"', "json"),
        ("true", "json"),
        ("[7]", "json"),
    ],
)
def test_one_value_late_among_huge_integers_decides(tmp_path: Path, late: str, type_: str) -> None:
    path = tmp_path / "rows.ndjson"
    with path.open("w") as file:
        for number in range(ROWS):
            value = late if number == ROWS - 2 else 2**64 + number
            file.write(f'{{"big":{value},"pad":"{PAD}"}}\n')
    found = profile([Segment(path, ROWS, path.stat().st_size)], where="crm.people")
    assert (found.rows, column_type(found.kinds["big"])) == (ROWS, type_)


def test_one_number_beyond_a_double_late_among_doubles_decides(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    with path.open("w") as file:
        for number in range(ROWS):
            value = "1e400" if number == ROWS - 2 else number + 0.5
            file.write(f'{{"v":{value},"pad":"{PAD}"}}\n')
    found = profile([Segment(path, ROWS, path.stat().st_size)], where="crm.people")
    assert (found.rows, column_type(found.kinds["v"])) == (ROWS, "json")


def test_huge_integers_may_be_absent_and_spaced(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    with path.open("w") as file:
        for number in range(ROWS):
            big = f'"big" : {2**64 + number} ,' if number % 2 else ""
            file.write(f'{{{big}"pad":"{PAD}"}}\n')
    found = profile([Segment(path, ROWS, path.stat().st_size)], where="crm.people")
    assert (found.rows, column_type(found.kinds["big"])) == (ROWS, "hugeint")


def told(found: Profile) -> Any:
    """What a load makes of a profile."""
    types = [(key, column_type(kinds)) for key, kinds in found.kinds.items()]
    times = {key: shape for key, shape in found.shapes.items() if dict(types)[key] == "text"}
    return found.rows, types, times


# Of one length only where of one shape: more than the length is the destination's to tell.
TEXTS = ["2024-01-01", "2024-12-31", "2024-01-01T00:00:00Z", "x", "é"]
values = st.sampled_from([None, True, 7, 2**60, 2**70, 2**130, 1.5, 1e300, *TEXTS, [1], {"a": 1}])
rows = st.dictionaries(st.sampled_from(["a", "b", "c", "é", "d\n"]), values, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), st.data())
def test_rows_tell_the_same_however_they_come(some: list[Any], data: st.DataObject) -> None:
    lines = [json.dumps(row).encode() + b"\n" for row in some]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=6)))
    profiler = Profiler(where="crm.people")
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(module, "_CHUNK", 40):
        path = Path(folder, "rows.ndjson")
        path.write_bytes(b"".join(lines))
        whole = profile([Segment(path, len(lines), path.stat().st_size)], where="crm.people")
        for start, end in pairwise([0, *cuts, len(lines)]):
            profiler.add(b"".join(lines[start:end]))
    assert told(profiler.found) == told(whole)
    assert list(whole.kinds) == list(dict.fromkeys(key for row in some for key in row))
    assert min(whole.longest, profiler.found.longest) >= max(map(len, lines))


def test_profiles_add_up_to_that_of_all_rows(tmp_path: Path) -> None:
    parts = [
        b'{"a":1,"t":"2024-01-01","u":"2024-01-01"}\n',
        b'{"u":"2024-01-01T00:00:00Z","b":null}\n{"a":1.5,"t":"2024-01-02"}\n',
    ]
    path = tmp_path / "rows.ndjson"
    path.write_bytes(b"".join(parts))
    whole = profile([Segment(path, 3, path.stat().st_size)], where="crm.people")
    segments = []
    for number, part in enumerate(parts):
        profiler = Profiler(where="crm.people")
        profiler.add(part)
        missing = tmp_path / f"{number}.ndjson"
        segments.append(Segment(missing, 1, len(part), profile=profiler.found))
    assert told(profile(segments, where="crm.people")) == told(whole)
    assert told(whole) == (
        3,
        [("a", "double"), ("t", "text"), ("u", "text"), ("b", "json")],
        {"t": "0000-00-00", "u": None},
    )


@pytest.mark.parametrize(
    ("row", "has_long"),
    [
        (b'{"a":0.14285714285714285,"t":["x"]}', False),
        (b'{"a":0.14285714285714285,"t":[1.5]}', False),
        (b'{"a":1,"t":[0.14285714285714285]}', True),
        (b'{"t":0.14285714285714285}', True),
    ],
)
def test_only_in_columns_of_any_json_do_long_numbers_count(row: bytes, has_long: bool) -> None:
    """Both in rows that are learned from and in those like them."""
    for rows in ([b'{"t":{"a":1}}', row], [row, b'{"t":{"a":1}}']):
        profiler = Profiler(where="")
        for one in rows * 2:
            profiler.add(one + b"\n")
        assert profiler.found.has_long is has_long, rows


@pytest.mark.parametrize(
    ("text", "is_tiny"),
    [
        (b'{"a":1e-400}', True),
        (b'{"a":[-1.5E-0400, 2]}', True),
        (b'{"a": 1e-400}', True),
        (b'{"a":%be-400}' % (b"1" * 90), True),
        (b"1e-400", True),
        (b'{"a":0.%b1}' % (b"0" * 330), True),
        (b'{"a":1e-99,"b":"1e-400"}', False),
        (b'{"uuid":"0000001e-4000-8000-9e-400"}', False),
    ],
)
def test_a_uuid_is_no_number_near_to_0(text: bytes, is_tiny: bool) -> None:
    """Rows of which one is are read slowly, and of UUIDs every tenth looks so."""
    assert may_be_tiny(text) is is_tiny


@pytest.mark.parametrize("columns", [1, 9])
@pytest.mark.parametrize("tiny", [b"1e-400", b"-0.%b1" % (b"0" * 330)])
def test_a_number_that_no_double_is_near_to_is_seen_in_rows_like_those_before(
    columns: int, tiny: bytes
) -> None:
    def row(value: bytes) -> bytes:
        return b"{%b}\n" % b",".join(b'"f%d":%b' % (n, value) for n in range(columns))

    alone, after = Profiler(where=""), Profiler(where="")
    alone.add(row(b"0.5") + row(tiny))
    for one in (b"0.5", b"0.0", tiny):
        after.add(row(one))
    assert after.found.kinds == alone.found.kinds
    plain = Profiler(where="")
    plain.add(row(b"0.5") + row(b"0.0"))
    assert plain.found.kinds != alone.found.kinds
