from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugins.kafka.brokers import NoidaBroker, noida


@pytest.fixture(scope="session")
def broker() -> Iterator[NoidaBroker]:
    """A broker for all tests that leave it running; each names topics of its own."""
    with noida() as running:
        yield running
