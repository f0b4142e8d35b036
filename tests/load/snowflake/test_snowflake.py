"""Snowflake: the contract of all destinations, on an emulator from a package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector_assets.load.destination import Destination
from connector_assets.load.snowflake.destination import SnowflakeDestination
from tests.load.contract import DestinationContract
from tests.snowflake import PROOF, Emulator, serving_snowflake

pytestmark = pytest.mark.third_party


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with serving_snowflake(tmp_path_factory.mktemp("snowflake")) as found:
        yield found


class TestSnowflake(DestinationContract):
    @pytest.fixture
    def destination(self, server: Emulator) -> Destination:
        return SnowflakeDestination(server.url(server.database()), proof=PROOF)
