"""What a stream that appends takes of a page that overlaps with what it has."""

from __future__ import annotations

import datetime as dt

import msgspec

from connector_assets.runtime.walk.positions import RowPositions
from connector_assets.spec.stream.incremental import Incremental, Window

NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def taken(positions: RowPositions, *rows: dict[str, object]) -> list[dict[str, object]]:
    lines = [msgspec.json.encode(row) for row in rows]
    return [msgspec.json.decode(line) for line in positions.take(lines, Window()).kept]


def appending(stored: dict[str, object] | None = None) -> RowPositions:
    incremental = Incremental.model_validate({"cursorField": "at", "startParam": "since"})
    return RowPositions(incremental, stored, None, now=NOW, append_keys=["id"], known=stored)


def test_a_row_that_stood_on_the_position_is_taken_once() -> None:
    positions = appending()
    old, new = {"id": 1, "at": 5}, {"id": 2, "at": 5}
    assert taken(positions, old) == [old]
    assert taken(appending(positions.stored()), old, new) == [new]


def test_a_row_that_changed_is_taken_again() -> None:
    """Its key stood on a lower position, in the same run."""
    positions = appending()
    first, moved = {"id": 1, "at": 5}, {"id": 1, "at": 6}
    assert taken(positions, first) == [first]
    assert taken(positions, moved) == [moved]
    stored = positions.stored()
    assert stored
    assert (stored["value"], len(stored["keys"])) == (6, 1)


def test_rows_without_a_key_of_their_own_are_told_apart_by_all_they_hold() -> None:
    rows: list[dict[str, object]] = [{"at": 5, "name": "a"}, {"at": 5, "name": "b"}]
    positions = appending()
    assert taken(positions, *rows) == rows
    assert taken(appending(positions.stored()), *rows) == []
