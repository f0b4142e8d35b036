"""What the tests of the runtime share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos import Chaos, running


@pytest.fixture(scope="session")
def chaos() -> Iterator[Chaos]:
    """The corpus's hostile server."""
    with running() as server:
        yield server
