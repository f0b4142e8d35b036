"""Which tests of the contract run by default for stores that share their types with another."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each test's first value; the others are slow, and `make test-slow` runs them.

    A lake's rows are typed by DuckDB, and the contract tries every value there, too.
    """
    for item in items:
        contract = getattr(item, "cls", None)
        values = getattr(item, "callspec", None)
        if (
            values
            and getattr(contract, "every_value_is_slow", False)
            and any(values.indices.values())
        ):
            item.add_marker(pytest.mark.slow)
