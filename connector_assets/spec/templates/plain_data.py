"""Plain data in templates: its kinds, how it is written as text, and how large it may become."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from connector_assets.errors import ConfigError
from connector_assets.spec.names import dates

MAX_TEXT = 262_144
"""The longest text, in characters, that an expression may compute."""

MAX_DIGITS = 1_000
"""The longest integer, in digits, that becomes text or comes from it."""

_TOO_LONG = 10**MAX_DIGITS

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "text"),
    (bool, "true or false"),
    ((int, float, Decimal), "a number"),
    (date, "a date"),
    (dates.Duration, "a duration"),
    ((list, tuple), "a list"),
    (Mapping, "an object"),
)


def kind(value: Any) -> str:
    """What a user would call the type of `value`."""
    if value is None:
        return "null"
    return next((name for types, name in _KINDS if isinstance(value, types)), "no plain value")


def as_text(value: Any) -> str:
    """As a URL or header writes `value`; null, lists and objects are errors."""
    if isinstance(value, str):
        return sound(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < _TOO_LONG:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, date):
        return dates.iso(value)
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, int | float):
        raise ConfigError("a number that is too long, infinite or NaN cannot be text")
    raise ConfigError(
        f"{kind(value)} is not text", fix=_FIXES.get(kind(value), "use another value")
    )


_FIXES = {
    "null": "give a value, or use default(...)",
    "a list": "use join(...) or json",
    "an object": "name one of its fields, or use json",
}


def sound(text: str) -> str:
    """`text`, unless half a surrogate pair is in it: that has no form in any encoding."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError("the text holds half a character (a lone surrogate)") from None
    return text


def bounded(text: str) -> str:
    fits(len(text))
    return text


def sized(number: Any) -> Any:
    """`number`, unless it has more digits than it may have as text."""
    if isinstance(number, int) and abs(number) >= _TOO_LONG:
        raise ConfigError(f"the number grows past {MAX_DIGITS:,} digits")
    return number


def fits(length: int) -> None:
    if length > MAX_TEXT:
        raise ConfigError(f"the text grows past {MAX_TEXT:,} characters")


def weighed(value: Any) -> Any:
    """`value`, unless the texts and items in it come to more than MAX_TEXT."""
    weight, rest = 0, [value]
    while rest:
        item = rest.pop()
        weight += len(item) if isinstance(item, str) else 1
        if isinstance(item, Mapping):
            rest.extend(item.values())
        elif isinstance(item, list | tuple):
            rest.extend(item)
        fits(weight + len(rest))
    return value


def plain(value: Any) -> Any:
    """`value` as JSON data: dates become ISO text, the rest of what is not JSON is an error."""
    if isinstance(value, str):
        return str(sound(value))  # encoders take no kinds of text
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError("a number that is infinite or NaN cannot be sent")
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {as_text(key): plain(item) for key, item in value.items()}
    if isinstance(value, date | UUID):
        return as_text(value)
    raise ConfigError(f"{kind(value)} cannot be sent")
