"""What `cast` and `mask` do to one value: exactly, or with an error that never quotes it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.runtime.rows.record import decoded, encoder
from connector_assets.spec.names import dates
from connector_assets.spec.stream.fields import CastType, Mask
from connector_assets.spec.templates.plain_data import MAX_DIGITS, as_text, kind

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FINER_THAN_MICROSECONDS = re.compile(r"[.,][0-9]{6}[0-9]*[1-9]")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_FOR_LAST4 = 8


class Unfit(Exception):
    """The value cannot be converted exactly; the message says to what."""


def cast(value: Any, to: CastType) -> Any:
    """`value` converted to a type; null stays null. Raises ResponseError naming both types.

    >>> cast("1.10", "decimal")
    Decimal('1.10')
    """
    if value is None:
        return None
    try:
        return _CASTS[to](value)
    except (Unfit, ConfigError, ValueError, ArithmeticError) as error:
        said = str(error) if isinstance(error, Unfit) else f"{_article(to)} {to}"
        raise ResponseError(f"{_shown(value)} is not {said}") from None


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return encoder.encode(value).decode()
    return as_text(value)


def _integer(value: Any) -> int:
    if isinstance(value, str):
        text = value.strip()
        if not _WHOLE.fullmatch(text) or len(text) > MAX_DIGITS:
            raise ValueError
        return int(text)
    if isinstance(value, Decimal):
        if value.adjusted() > MAX_DIGITS or value != value.to_integral_value():
            raise ValueError
        return int(value)
    if not isinstance(value, int):
        raise ValueError  # noqa: TRY004 - told to the caller as one error with the rest
    return int(value)


def _decimal(value: Any) -> int | Decimal:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError  # noqa: TRY004 - as above
    return value


def _boolean(value: Any) -> bool:
    text = value.strip().lower() if isinstance(value, str) else as_text(value)
    if text not in _BOOLEANS:
        raise Unfit("true or false")
    return _BOOLEANS[text]


def _date(value: Any) -> str:
    when = dates.moment(value) if isinstance(value, str) else None
    if when is None or isinstance(when, datetime):
        raise Unfit("a date such as 2024-01-31")
    return dates.iso(when)


def _timestamp(value: Any) -> str:
    if not isinstance(value, str) or _FINER_THAN_MICROSECONDS.search(value):
        raise Unfit("a time such as 2024-01-31T12:00:00Z, of microseconds at most")
    return dates.iso(dates.instant(value.strip()))


def _since_1970(unit: timedelta) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        number = Decimal(_decimal(value))
        if abs(number.adjusted()) > MAX_DIGITS:
            raise ValueError
        count = number * (unit // timedelta(microseconds=1))
        if count != count.to_integral_value():
            raise Unfit("a time of microseconds at most")
        return dates.iso(_EPOCH + timedelta(microseconds=int(count)))

    return convert


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return decoded(value.encode())
    except ResponseError:
        raise Unfit("the text of a JSON value") from None


_CASTS: dict[CastType, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "epoch": _since_1970(timedelta(seconds=1)),
    "epoch_ms": _since_1970(timedelta(milliseconds=1)),
    "json": _json,
}


def mask(value: Any, how: Mask) -> Any:
    """`value` hidden; in a list or an object every value is. Null stays null.

    >>> mask("4111111111111111", "last4")
    '****1111'
    """
    if value is None or how == "nullify":
        return None
    if isinstance(value, dict):
        return {key: mask(item, how) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item, how) for item in value]
    return _MASKS[how](value if isinstance(value, str) else encoder.encode(value).decode())


def _last4(text: str) -> str:
    # Of a short value the last four would be most of it.
    return "****" + (text[-4:] if len(text) >= _LEAST_FOR_LAST4 else "")


_MASKS: dict[Mask, Callable[[str], str]] = {
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "last4": _last4,
    "redact": lambda _: "[redacted]",
}


def _shown(value: Any) -> str:
    return "an empty text" if value == "" else kind(value)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
