"""Each manifest's draft asks and gives what Airbyte's CDK was recorded to ask and give."""

from __future__ import annotations

import json

import pytest

from tests.authoring.imports.airbyte.cases import CASES, Case
from tests.authoring.imports.airbyte.reading import (
    RECORDED,
    compared,
    drafted,
    read_here,
    served,
    stream_of,
    told,
)


@pytest.fixture(scope="module")
def recorded():
    return json.loads(RECORDED.read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_draft_asks_and_gives_what_the_cdk_does(case: Case, recorded, tmp_path, capsys):
    with served(case) as one:
        rows = read_here(one, stream_of(case), tmp_path, lambda: capsys.readouterr().out)
        assert told(one.asked(), compared(rows, case), one.api.origin) == recorded[case.name]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_report_says_near_where_something_differs_and_only_there(case: Case):
    states = {one.stream: one.state for one in drafted(case).outcomes}
    assert states[stream_of(case)] == ("near" if case.near else "same")


def test_every_case_is_recorded(recorded):
    assert set(recorded) == {case.name for case in CASES}
