"""Delta Lake tables: the contract of all destinations, and what is Delta's own."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from connector_assets.errors import LoadError
from connector_assets.load.delta.destination import DeltaDestination
from connector_assets.load.delta.table import DeltaCommit
from connector_assets.load.destination import Destination
from connector_assets.load.table import Cursor
from tests.load.contract import TABLE, DestinationContract, Store


@pytest.mark.slow
class TestDelta(DestinationContract):
    every_value_is_slow = True

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Destination:
        return DeltaDestination(tmp_path / "lake")


def test_a_commit_whose_answer_was_lost_has_its_position(tmp_path: Path) -> None:
    """What it remembers is not removed as that of one that failed is."""
    write = DeltaCommit._write

    def unanswered(self: DeltaCommit, number: int) -> None:
        write(self, number)
        raise ConnectionResetError

    store = Store(DeltaDestination(tmp_path / "lake"), tmp_path / "staged")
    store.load({"id": 0}, mode="append", cursor=Cursor(6))
    lost = mock.patch.object(DeltaCommit, "_write", unanswered)
    with lost, pytest.raises(LoadError, match="connection reset"):
        store.load({"id": 1}, mode="append", cursor=Cursor(7, 6), load_id="one")
    assert store.destination.read_cursor(TABLE) == 7
    store.load({"id": 1}, mode="append", cursor=Cursor(7, 6), load_id="one")
    assert sorted(store.values("id")) == [0, 1]


def test_what_was_remembered_before_stays_for_who_began_from_it(tmp_path: Path) -> None:
    store = Store(DeltaDestination(tmp_path / "lake"), tmp_path / "staged")
    kept: list[set[str]] = []
    for number in range(4):
        store.load(
            {"id": number}, mode="append", cursor=Cursor(number, number - 1 if number else None)
        )
        folder = tmp_path / "lake" / "crm" / "people" / "_connector_assets"
        kept.append({path.name for path in folder.glob("*.json")})
    assert [len(names) for names in kept] == [1, 2, 2, 2]
    assert kept[2] & kept[3]
