"""When to try again, and after how long."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

DefaultAction = Literal["retry", "rate_limited", "fail", "refresh_auth"]

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SPAN = re.compile(
    r"(?:(\d{1,5})h)?(?:(\d{1,7})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,12})ms)?", re.ASCII
)
_UNITS_S = (3600.0, 60.0, 1.0, 0.001)
_LONGEST_NUMBER = 13
# A number this large is a date: seconds or milliseconds since the epoch, not seconds from now.
_EPOCH_S, _EPOCH_MS = 1e9, 1e11
_LONGEST_DATE = 64
# A pause of nothing would be a hot loop; full jitter alone could draw one.
_LEAST_PAUSE_S = 0.1


def default_action(status: int) -> DefaultAction:
    """What a status that is no success means where the spec has no rule for it."""
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return "rate_limited"
    if status == 401:  # noqa: PLR2004 - Unauthorized
        return "refresh_auth"
    if status in (408, 425) or (500 <= status < 600 and status != 501):  # noqa: PLR2004
        return "retry"
    return "fail"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from a `Retry-After` header: a number, or a date compared with `now`.

    Servers write more than RFC 9110 knows: an epoch in seconds or milliseconds, and spans such as
    `2s`, `500ms`, `1m30s`. None where the header says nothing usable (absent, garbage, zero, in the
    past): use the own back-off. A number too long to be meant is infinity. `now` is in seconds
    since the epoch.

    >>> parse_retry_after("120", 0.0)
    120.0
    """
    text = (value or "").strip(" \t")
    if _SECONDS.fullmatch(text):
        seconds = _from_number(
            float(text) if len(text) <= _LONGEST_NUMBER else _long_number(text), now
        )
    elif text and (span := _SPAN.fullmatch(text)):
        seconds = sum(
            float(part) * unit for part, unit in zip(span.groups(), _UNITS_S, strict=True) if part
        )
    else:
        seconds = _until(text, now)
    return seconds if seconds > 0 else None


@dataclass(frozen=True)
class Backoff:
    """Exponential with full jitter: before try n+1, anything up to `base_s` · 2ⁿ⁻¹ seconds.

    Clients that failed together come back spread out. `random` gives 0 to 1, as random.random.
    """

    base_s: float = 1.0
    max_delay_s: float = 300.0
    random: Callable[[], float] = random.random

    def delay(self, attempt: int) -> float:
        """Seconds to pause after try number `attempt`, which counts from 1."""
        # Beyond 2**30 the cap has long been reached; the power itself must not overflow.
        ceiling = min(self.max_delay_s, self.base_s * 2.0 ** min(attempt - 1, 30))
        return min(ceiling, max(_LEAST_PAUSE_S, self.random() * ceiling))


def _from_number(number: float, now: float) -> float:
    if number < _EPOCH_S or math.isinf(number):
        return number
    return (number if number < _EPOCH_MS else number / 1000) - now


def _long_number(text: str) -> float:
    whole = text.partition(".")[0].lstrip("0")
    return float(whole or "0") if len(whole) <= _LONGEST_NUMBER else math.inf


def _until(text: str, now: float) -> float:
    if not 0 < len(text) <= _LONGEST_DATE:
        return 0.0
    try:
        date = parsedate_to_datetime(text)
        # A date without a zone is in UTC: HTTP knows no other.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
