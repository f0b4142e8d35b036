"""The operators of templates: numbers, text and dates only, and an error for every other pair."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date
from decimal import (
    ROUND_FLOOR,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.spec.names import dates
from connector_assets.spec.templates.plain_data import MAX_DIGITS, bounded, kind, sized

# What a sum of decimals cannot hold exactly is an error, as is one of a thousand digits and more.
_EXACT = Context(prec=MAX_DIGITS, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])


def add(left: Any, right: Any) -> Any:
    """Numbers, two texts, or a date (or its ISO text) and a duration."""
    if _are_numbers(left, right):
        left, right = _aligned(left, right)
        return _EXACT.add(left, right) if Decimal in _types(left, right) else _finite(left + right)
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
        left, right = _aligned(left, right)
        decimal = Decimal in _types(left, right)
        return _EXACT.subtract(left, right) if decimal else _finite(left - right)
    if isinstance(right, dates.Duration) and isinstance(left, str | date):
        return right.before(dates.moment(left))
    raise ConfigError(f"cannot take {kind(right)} from {kind(left)}")


def multiply(left: Any, right: Any) -> Any:
    """Numbers; nothing is repeated."""
    if not _are_numbers(left, right):
        raise ConfigError(f"cannot multiply {kind(left)} and {kind(right)}")
    left, right = _aligned(left, right)
    if Decimal in _types(left, right):
        return _EXACT.multiply(left, right)
    return sized(_finite(left * right))


def divide(left: Any, right: Any) -> Any:
    """Numbers; 6 / 3 is 2.0, and 6 // 3 is 2."""
    return _divided(left, right, operator.truediv)


def divide_whole(left: Any, right: Any) -> Any:
    """Numbers, rounded down."""
    return _divided(left, right, operator.floordiv)


def remainder(left: Any, right: Any) -> Any:
    """What is left of `left` after `//`; it has the sign of `right`."""
    return _divided(left, right, operator.mod)


def _divided(left: Any, right: Any, work: Callable[[Any, Any], Any]) -> Any:
    if not _are_numbers(left, right):
        raise ConfigError(f"cannot divide {kind(left)} by {kind(right)}")
    if right == 0:
        raise ConfigError("cannot divide by zero")
    left, right = _aligned(left, right)
    if Decimal not in _types(left, right):
        return _finite(work(left, right))
    quotient = Decimal(left) / Decimal(right)
    if work is operator.truediv:
        return quotient
    # Decimals would round towards zero where whole numbers round down.
    whole = quotient.to_integral_value(ROUND_FLOOR)
    return whole if work is operator.floordiv else left - whole * right


def contains(item: Any, container: Any) -> bool:
    """Whether a text, a list or an object's keys hold `item`."""
    if isinstance(container, str) and not isinstance(item, str):
        raise ConfigError(f"{kind(item)} is never in text", fix="use the filter string")
    if isinstance(container, list | tuple):
        return any(_equal(item, one) for one in container)
    if isinstance(container, str | Mapping):
        return item in container
    raise ConfigError(f'"in" needs text, a list or an object, not {kind(container)}')


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if isinstance(left, date) or isinstance(right, date):
            return compare(dates.instant(left), dates.instant(right))
        if _are_numbers(left, right) or (isinstance(left, str) and isinstance(right, str)):
            return compare(*_aligned(left, right))
        raise ConfigError(f"{kind(left)} and {kind(right)} have no order")

    return ordered


def _are_numbers(*values: Any) -> bool:
    return all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values
    )


def _types(*values: Any) -> set[type]:
    return {type(value) for value in values}


def _aligned(left: Any, right: Any) -> tuple[Any, Any]:
    """Beside a decimal, a float is the decimal it is written as: 1.1 is a row's 1.1."""
    if Decimal not in _types(left, right):
        return left, right
    left, right = (Decimal(repr(one)) if type(one) is float else one for one in (left, right))
    return left, right


def _equal(left: Any, right: Any) -> bool:
    left, right = _aligned(left, right)
    return bool(left == right)


def _finite(number: Any) -> Any:
    if isinstance(number, float) and not math.isfinite(number):
        raise ConfigError("the number is infinite or NaN")
    return number


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "//": divide_whole,
    "%": remainder,
}

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": _ordering(operator.lt),
    "lteq": _ordering(operator.le),
    "gt": _ordering(operator.gt),
    "gteq": _ordering(operator.ge),
    "in": contains,
    "notin": lambda item, container: not contains(item, container),
}
