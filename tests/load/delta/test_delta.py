"""Delta Lake tables: the contract of all destinations, and what is Delta's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_assets.load.delta.destination import DeltaDestination
from connector_assets.load.destination import Destination
from tests.load.contract import DestinationContract


class TestDelta(DestinationContract):
    every_value_is_slow = True

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Destination:
        return DeltaDestination(tmp_path / "lake")
