"""What is found in staged rows, however late it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_assets.load.kinds import column_type
from connector_assets.load.profile import profile
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


def test_huge_integers_may_be_absent_and_spaced(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    with path.open("w") as file:
        for number in range(ROWS):
            big = f'"big" : {2**64 + number} ,' if number % 2 else ""
            file.write(f'{{{big}"pad":"{PAD}"}}\n')
    found = profile([Segment(path, ROWS, path.stat().st_size)], where="crm.people")
    assert (found.rows, column_type(found.kinds["big"])) == (ROWS, "hugeint")
