"""Budgets that keep one document, page or row from taking all of a machine.

A budget counts what is made, not time, so that the same input ends in the same way everywhere.
"""

from __future__ import annotations

import os

MOST_COLUMNS = 10_000
"""Keys that the rows of one table may have together, unless CONNECTOR_ASSETS_MAX_COLUMNS says."""
COLUMNS_VARIABLE = "CONNECTOR_ASSETS_MAX_COLUMNS"

MOST_COMPUTED = 200_000
"""Values that templates may add to one row; 24 fields of "{{record}}" would be 16 million."""
MOST_COMPUTED_TEXT = 16 << 20
"""Characters of text that templates may add to one row."""

MOST_FOUND = 10_000_000
"""Values and characters that a JMESPath expression may make beyond four times what it reads."""


def raise_columns() -> str:
    """What to set where more keys are wanted."""
    return f"set {COLUMNS_VARIABLE}={2 * most_columns()} to allow more"


def most_columns() -> int:
    """How many keys the rows of a table may have."""
    given = os.environ.get(COLUMNS_VARIABLE, "")
    return int(given) if given.isdecimal() and given else MOST_COLUMNS
