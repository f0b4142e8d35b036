"""What the tests of the runtime share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import Chaos, running


@pytest.fixture(scope="session")
def chaos() -> Iterator[Chaos]:
    """The corpus's hostile server."""
    with running() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Threads, processes and servers can hang: a test here fails instead, and shows where."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(180))
