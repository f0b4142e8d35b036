"""The operators of templates: numbers, text and dates only, and an error for every other pair."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.spec import dates
from connector_assets.spec.functions import bounded, kind


def add(left: Any, right: Any) -> Any:
    """Numbers, two texts, or a date (or its ISO text) and a duration."""
    if _are_numbers(left, right):
        return _finite(left + right)
    if isinstance(left, str) and isinstance(right, str):
        return bounded(left + right)
    if isinstance(left, dates.Duration):
        left, right = right, left
    if isinstance(right, dates.Duration) and isinstance(left, str | date):
        return right.after(dates.moment(left))
    raise ConfigError(f"cannot add {kind(left)} and {kind(right)}", fix="~ joins text")


def subtract(left: Any, right: Any) -> Any:
    """Numbers, or a duration from a date (or its ISO text)."""
    if _are_numbers(left, right):
        return _finite(left - right)
    if isinstance(right, dates.Duration) and isinstance(left, str | date):
        return right.before(dates.moment(left))
    raise ConfigError(f"cannot take {kind(right)} from {kind(left)}")


def contains(item: Any, container: Any) -> bool:
    """Whether a text, a list or an object's keys hold `item`."""
    if isinstance(container, str) and not isinstance(item, str):
        raise ConfigError(f"{kind(item)} is never in text", fix="use the filter string")
    if isinstance(container, str | list | tuple | Mapping):
        return item in container
    raise ConfigError(f'"in" needs text, a list or an object, not {kind(container)}')


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if isinstance(left, date) or isinstance(right, date):
            return compare(dates.instant(left), dates.instant(right))
        if _are_numbers(left, right) or (isinstance(left, str) and isinstance(right, str)):
            return compare(left, right)
        raise ConfigError(f"{kind(left)} and {kind(right)} have no order")

    return ordered


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _finite(number: Any) -> Any:
    if isinstance(number, float) and not math.isfinite(number):
        raise ConfigError("the number is infinite or NaN")
    return number


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {"+": add, "-": subtract}

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": _ordering(operator.lt),
    "lteq": _ordering(operator.le),
    "gt": _ordering(operator.gt),
    "gteq": _ordering(operator.ge),
    "in": contains,
    "notin": lambda item, container: not contains(item, container),
}
