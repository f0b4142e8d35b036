"""Which values a frozen column of times takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector_assets.load.columns import policy
from connector_assets.load.columns.plan import KeyColumn, PlannedColumn
from connector_assets.load.kinds import Kind
from connector_assets.load.table import Table

SHAPE = "0000-00-00T00:00:00Z"


class OfPython314(datetime):
    """Reads hour 24 as the first of the next day, as Python does from 3.14 on."""

    @classmethod
    def fromisoformat(cls, text: str) -> datetime:  # type: ignore[override]
        if text[11:19] != "24:00:00":
            return datetime.fromisoformat(text)
        return datetime.fromisoformat(f"{text[:11]}00{text[13:]}") + timedelta(days=1)


@pytest.fixture(params=[datetime, OfPython314], ids=["this Python", "3.14"])
def judge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> policy.Judge:
    """Judges rows of a table whose column `at` would become text."""
    monkeypatch.setattr(policy, "datetime", request.param)
    before = KeyColumn("at", "at", "TIMESTAMP WITH TIME ZONE", Kind.TEXT, SHAPE)
    after = replace(before, type="VARCHAR", shape=None)
    table = Table("crm", "people", schema_policy="freeze")
    with pytest.raises(policy.Misfit) as caught:
        policy.allowed(table, [PlannedColumn(after, before, arrives=True, source="VARCHAR")])
    return caught.value.judge


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("2024-01-01T23:59:59Z", True),
        ("2024-01-01T24:00:00Z", False),  # the column would give it back as another text
        ("2024-01-01T00:00:00+00:00", False),
        ("2024-02-30T00:00:00Z", False),
        ("soon", False),
    ],
)
def test_a_time_fits_that_comes_back_as_it_was_sent(
    judge: policy.Judge, text: str, fits: bool
) -> None:
    found = judge(1, b'{"at": "%s"}' % text.encode())
    assert (found is None) == fits
    assert fits or found == 'column "at" is timestamp with time zone, the value is a text'
