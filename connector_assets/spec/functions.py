"""The functions and filters of templates, in one table: the evaluator and the docs both read it.

They take and give plain data, their work is bounded by `MAX_TEXT`, and their errors say what kind
of value was wrong, never the value: it may be a secret.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from connector_assets.errors import ConfigError
from connector_assets.spec import dates
from connector_assets.spec.regex import compiled

MAX_TEXT = 262_144
"""The longest text, in characters, that an expression may compute."""

MAX_DIGITS = 1_000
"""The longest integer, in digits, that becomes text or comes from it."""

_TOO_LONG = 10**MAX_DIGITS

MAX_SEARCHED = 8_192
"""The longest text a regular expression is run on, in characters."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")

Clock = Callable[[], datetime]

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
    _fits(len(text))
    return text


def _fits(length: int) -> None:
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
        _fits(weight + len(rest))
    return value


def now(clock: Clock) -> datetime:
    """The current time, UTC.

    `{{ now() - duration('P1D') }}` is this time yesterday.
    """
    return clock()


def today(clock: Clock) -> date:
    """The current date, UTC."""
    return clock().astimezone(UTC).date()


def duration(_clock: Clock, text: Any) -> dates.Duration:
    """A span of time to add to or take from a date or time: `duration('P1M')`, `duration('PT15M')`.

    ISO 8601: years, months, weeks, days, then `T` with hours, minutes, seconds. A month later
    than January 31 is the last day of February.
    """
    return dates.duration(as_text(text))


_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")


def default(value: Any, otherwise: Any) -> Any:
    """`otherwise`, where the name or field is absent, null, or an empty secret."""
    return otherwise if value is None else value


def to_int(value: Any) -> int:
    """A whole number from text, a number (the fraction is cut off) or true and false (1 and 0)."""
    if isinstance(value, int | float | Decimal) and math.isfinite(value):
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value) and len(value) <= MAX_DIGITS:
        return int(value)
    raise ConfigError(f"{kind(value)} that is not a whole number")


def to_float(value: Any) -> float:
    """A number from text or a number."""
    try:
        number = float(value) if isinstance(value, str | int | float | Decimal) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{kind(value)} that is not a finite number")
    return number


def string(value: Any) -> str:
    """The value as text: `true`, `12`, `1.1`, `2024-01-31T12:00:00Z`."""
    return as_text(value)


def lower(value: Any) -> str:
    """Text in lower case."""
    return as_text(value).lower()


def upper(value: Any) -> str:
    """Text in upper case."""
    return as_text(value).upper()


def trim(value: Any) -> str:
    """Without white space at both ends."""
    return as_text(value).strip()


def replace(value: Any, old: Any, new: Any) -> str:
    """With every `old` replaced by `new`."""
    text, old, new = as_text(value), as_text(old), as_text(new)
    if not old:
        raise ConfigError("the text to replace is empty")
    # Counted first: the result could be MAX_TEXT times longer than what it is made from.
    _fits(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def join(value: Any, separator: Any = ",") -> str:
    """A list as one text, its items parted by `separator` (a comma)."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{kind(value)} where a list is needed")
    items, between = [as_text(item) for item in value], as_text(separator)
    _fits(sum(map(len, items)) + len(between) * len(items))
    return between.join(items)


def split(value: Any, separator: Any = ",") -> list[str]:
    """Text as a list, cut at each `separator` (a comma)."""
    separator = as_text(separator)
    if not separator:
        raise ConfigError("the separator is empty")
    return as_text(value).split(separator)


def format_date(value: Any, format: Any) -> str:  # noqa: A002 - the name users read in the reference
    """A date or time by a strftime pattern, UTC: `{{ today() | date('%Y/%m/%d') }}`.

    Takes ISO 8601 text, seconds since 1970, a date or a time.
    """
    return dates.formatted(dates.moment(value), as_text(format))


def epoch(value: Any) -> int:
    """Whole seconds since 1970, from ISO 8601 text, a date or a time."""
    return dates.epoch(dates.instant(value), timedelta(seconds=1))


def epoch_ms(value: Any) -> int:
    """Whole milliseconds since 1970, from ISO 8601 text, a date or a time."""
    return dates.epoch(dates.instant(value), timedelta(milliseconds=1))


def iso(value: Any, precision: Any = "auto") -> str:
    """A time as ISO 8601, UTC: `2024-01-31T12:00:00Z`.

    `precision` is `seconds`, `milliseconds` or `microseconds`; `auto` writes a fraction only where
    there is one. A date stays a date under `auto` and is its midnight otherwise.
    """
    when = dates.moment(value) if precision == "auto" else dates.instant(value)
    return dates.iso(when, as_text(precision))


def to_base64(value: Any) -> str:
    """The text's UTF-8 bytes in base64, as basic authentication wants them."""
    return base64.b64encode(as_text(value).encode()).decode()


def sha256(value: Any) -> str:
    """The SHA-256 of the text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(as_text(value).encode()).hexdigest()


def urlencode(value: Any) -> str:
    """Percent-encoded, for a URL inside a value; a place's own encoding still comes on top."""
    return quote(as_text(value), safe="")


def to_json(value: Any) -> str:
    """The value as compact JSON text."""
    return _ENCODER.encode(plain(value)).decode()


def regex_search(value: Any, pattern: Any) -> str | None:
    r"""The part that `pattern` finds: its first group if it has one, else all; null if nothing.

    `{{ headers.link | regex_search('[?&]page=(\d+)') }}`. RE2 syntax, which takes time linear in
    the text and therefore has no look-around and no back-references.
    """
    text = as_text(value)
    if len(text) > MAX_SEARCHED:
        raise ConfigError(f"the text is longer than {MAX_SEARCHED:,} characters")
    found = compiled(as_text(pattern)).search(text)
    if not found:
        return None
    result: str | None = found[1] if found.re.groups else found[0]
    return result


def plain(value: Any) -> Any:
    """`value` as JSON data: dates become ISO text, the rest of what is not JSON is an error."""
    if isinstance(value, str):
        return sound(value)
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


FUNCTIONS: dict[str, Callable[..., Any]] = {"now": now, "today": today, "duration": duration}

FILTERS: dict[str, Callable[..., Any]] = {
    "default": default,
    "int": to_int,
    "float": to_float,
    "string": string,
    "lower": lower,
    "upper": upper,
    "trim": trim,
    "replace": replace,
    "join": join,
    "split": split,
    "date": format_date,
    "epoch": epoch,
    "epoch_ms": epoch_ms,
    "iso": iso,
    "base64": to_base64,
    "sha256": sha256,
    "urlencode": urlencode,
    "json": to_json,
    "regex_search": regex_search,
}

CHECKS: dict[str, Callable[[str], Any]] = {
    "duration": dates.duration,
    "date": dates.check_format,
    "iso": dates.check_precision,
    "regex_search": compiled,
}
"""What refuses a first argument that can never work."""


def reference() -> str:
    """The functions and filters as Markdown, from their signatures and docstrings."""
    return "\n".join(
        ["## Functions", "", *_entries(FUNCTIONS), "## Filters", "", *_entries(FILTERS)]
    )


def _entries(table: Mapping[str, Callable[..., Any]]) -> Iterator[str]:
    for name, work in table.items():
        _first, *rest = inspect.signature(work).parameters.values()
        arguments = ", ".join(
            arg.name if arg.default is arg.empty else f"{arg.name}={arg.default!r}" for arg in rest
        )
        called = f"({arguments})" if arguments or table is FUNCTIONS else ""
        yield from (f"### `{name}{called}`", "", inspect.cleandoc(work.__doc__ or ""), "")
