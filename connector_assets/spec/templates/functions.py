"""The functions and filters of templates, in one table: the evaluator and the docs both read it.

They take and give plain data, their work is bounded by `MAX_TEXT`, and their errors say what kind
of value was wrong, never the value: it may be a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from connector_assets.errors import ConfigError
from connector_assets.spec.names import dates
from connector_assets.spec.names.regex import compiled
from connector_assets.spec.templates.plain_data import (
    MAX_DIGITS,
    MAX_TEXT,
    as_text,
    fits,
    kind,
    plain,
    weighed,
)

MAX_SEARCHED = 8_192
"""The longest text a regular expression is run on, in characters."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)

Clock = Callable[[], datetime]


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
    fits(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def join(value: Any, separator: Any = ",") -> str:
    """A list as one text, its items parted by `separator` (a comma)."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{kind(value)} where a list is needed")
    items, between = [as_text(item) for item in value], as_text(separator)
    fits(sum(map(len, items)) + len(between) * len(items))
    return between.join(items)


def split(value: Any, separator: Any = ",") -> list[str]:
    """Text as a list, cut at each `separator` (a comma)."""
    separator = as_text(separator)
    if not separator:
        raise ConfigError("the separator is empty")
    text = as_text(value)
    if text.count(separator) >= MAX_TEXT:
        raise ConfigError(f"the list grows past {MAX_TEXT:,} items")
    return text.split(separator)


def length(value: Any) -> int:
    """How many characters a text has, or how many items a list or an object."""
    if not isinstance(value, str | list | tuple | Mapping):
        raise ConfigError(f"{kind(value)} has no length")
    return len(value)


def least(value: Any) -> Any:
    """The least of a list's numbers, texts, or dates and times.

    `{{ [config.size, 100] | min }}` is the size, but 100 at most.
    """
    return _extreme(value, lambda one, best: one < best)


def greatest(value: Any) -> Any:
    """The greatest of a list's numbers, texts, or dates and times."""
    return _extreme(value, lambda one, best: one > best)


def _extreme(value: Any, beats: Callable[[Any, Any], bool]) -> Any:
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError("min and max need a list with something in it")
    kinds = {kind(item) for item in value}
    if len(kinds) > 1 or not kinds <= {"text", "a number", "a date"}:
        raise ConfigError(f"{' and '.join(sorted(kinds))} have no order")
    comparable = [dates.instant(item) if kinds == {"a date"} else item for item in value]
    best = 0
    for at, item in enumerate(comparable):
        best = at if beats(item, comparable[best]) else best
    return value[best]


def parse_date(value: Any, format: Any) -> datetime:  # noqa: A002 - as in `date`
    """The time that text writes by a strptime pattern, UTC.

    `{{ record.day | parse_date('%d/%m/%Y') | date('%Y-%m-%d') }}`.
    """
    pattern = as_text(format)
    dates.check_format(pattern)
    found = dates.parsed(as_text(value), pattern)
    if found is None:
        raise ConfigError(f'text that is no date of the form "{pattern}"')
    return found


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


def from_base64(value: Any) -> str:
    """The UTF-8 text that base64 stands for, in either alphabet, with padding or without."""
    text = as_text(value).strip().translate(_URL_SAFE).rstrip("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return raw.decode()
    except (binascii.Error, ValueError):
        raise ConfigError("text that is not base64 of UTF-8") from None


_URL_SAFE = str.maketrans("-_", "+/")
_DIGESTS = ("sha256", "sha1", "sha512", "md5")


def md5(value: Any) -> str:
    """The MD5 of the text's UTF-8 bytes, in hexadecimal, for APIs that still sign so."""
    return hashlib.md5(as_text(value).encode(), usedforsecurity=False).hexdigest()


def to_hmac(value: Any, key: Any, algorithm: Any = "sha256", encoding: Any = "hex") -> str:
    """A signature of the text (RFC 2104): `{{ page.number | string | hmac(secrets.key) }}`.

    `algorithm` is `sha256`, `sha1`, `sha512` or `md5`; `encoding` is `hex` or `base64`.
    """
    if algorithm not in _DIGESTS or encoding not in ("hex", "base64"):
        raise ConfigError(
            f"an algorithm is one of {', '.join(_DIGESTS)}, an encoding hex or base64"
        )
    made = hmac.new(as_text(key).encode(), as_text(value).encode(), algorithm)
    return made.hexdigest() if encoding == "hex" else base64.b64encode(made.digest()).decode()


def sha256(value: Any) -> str:
    """The SHA-256 of the text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(as_text(value).encode()).hexdigest()


def urlencode(value: Any) -> str:
    """Percent-encoded, for a URL inside a value; a place's own encoding still comes on top."""
    return quote(as_text(value), safe="")


def to_json(value: Any) -> str:
    """The value as compact JSON text."""
    return _ENCODER.encode(plain(value)).decode()


def parse_json(value: Any) -> Any:
    """The data that a JSON text stands for; numbers keep their digits."""
    try:
        return weighed(plain(_DECODER.decode(as_text(value))))
    except (msgspec.DecodeError, RecursionError, ArithmeticError):
        raise ConfigError("text that is not JSON") from None


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
    "length": length,
    "min": least,
    "max": greatest,
    "date": format_date,
    "parse_date": parse_date,
    "epoch": epoch,
    "epoch_ms": epoch_ms,
    "iso": iso,
    "base64": to_base64,
    "base64_decode": from_base64,
    "md5": md5,
    "sha256": sha256,
    "hmac": to_hmac,
    "urlencode": urlencode,
    "json": to_json,
    "parse_json": parse_json,
    "regex_search": regex_search,
}

CHECKS: dict[str, Callable[[str], Any]] = {
    "duration": dates.duration,
    "date": dates.check_format,
    "parse_date": dates.check_format,
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
