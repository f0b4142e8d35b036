"""Loads larger than what DuckDB writes at a time, by several threads at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.order import Order
from connector_assets.load.table import Segment, Table, WriteMode

ROWS = 260_000
PAD = "x" * 100


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Segment:
    """Every id twice: what is said the second time comes after everything else."""
    path = tmp_path_factory.mktemp("staged") / "rows.ndjson"
    half = ROWS // 2
    with path.open("w") as file:
        for number in range(ROWS):
            says = '"first"' if number < half else '"last"'
            file.write(
                f'{{"id": {number % half}, "n": {number}, "says": {says}, "pad": "{PAD}"}}\n'
            )
    return Segment(path, ROWS, path.stat().st_size)


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_without_a_key_every_row_arrives_once(
    tmp_path: Path, segment: Segment, mode: WriteMode
) -> None:
    destination = DuckDBDestination(tmp_path / "data.duckdb")
    assert destination.load(Order(Table("crm", "people"), mode, [segment])).rows == ROWS
    sql = "select count(distinct n), sum(id), count(*) filter (says = 'last') from crm.people"
    half = ROWS // 2
    assert destination.query(sql)[1] == [(ROWS, half * (half - 1), half)]


@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_by_key_the_row_that_came_last_wins(
    tmp_path: Path, segment: Segment, mode: WriteMode
) -> None:
    destination = DuckDBDestination(tmp_path / "data.duckdb")
    assert (
        destination.load(Order(Table("crm", "people", ("id",)), mode, [segment])).rows == ROWS // 2
    )
    sql = "select says, count(distinct id) from crm.people group by says"
    assert destination.query(sql)[1] == [("last", ROWS // 2)]


def test_the_first_row_that_does_not_fit_is_named_wherever_it_is(
    tmp_path: Path, segment: Segment
) -> None:
    table = Table("crm", "people", columns={"says": "integer"})
    with pytest.raises(LoadError, match=r'row 1: column "says" has a value that is not exactly'):
        DuckDBDestination(tmp_path / "data.duckdb").load(Order(table, "replace", [segment]))
    late = Table("crm", "people", columns={"n": "integer", "id": "utinyint"})
    with pytest.raises(LoadError, match=r'row 257: column "id" has a value that is not exactly'):
        DuckDBDestination(tmp_path / "data.duckdb").load(Order(late, "replace", [segment]))
