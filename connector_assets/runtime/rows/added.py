"""How much templates may add to one row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_assets import limits
from connector_assets.errors import ResponseError


class Added:
    """What templates added to one row so far, counted as it would be written out."""

    def __init__(self) -> None:
        self._values = self._text = 0

    def take(self, value: Any) -> None:
        """Count `value`; ResponseError where the row grows past its budget."""
        rest = [value]
        while rest:
            one = rest.pop()
            self._values += 1
            if isinstance(one, str):
                self._text += len(one)
            elif isinstance(one, Mapping):
                rest.extend(one.values())
            elif isinstance(one, list | tuple):
                rest.extend(one)
            if self._values + len(rest) > limits.MOST_COMPUTED:
                raise _too_much(f"{limits.MOST_COMPUTED:,} values")
            if self._text > limits.MOST_COMPUTED_TEXT:
                raise _too_much(f"{limits.MOST_COMPUTED_TEXT:,} characters")


def _too_much(what: str) -> ResponseError:
    return ResponseError(
        f"the fields added to the row come to more than {what}",
        fix="add fewer, or name the fields that are wanted instead of all of the record",
    )
