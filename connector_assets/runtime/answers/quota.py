"""What an answer's headers say about the vendor's own window of requests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from connector_assets.runtime.answers.retry import parse_retry_after
from connector_assets.spec.endpoint import RateLimit

# A number this large is a date: seconds or milliseconds since the epoch, not seconds from now.
_EPOCH_S, _EPOCH_MS = 1e9, 1e11


def left(headers: Mapping[str, str], limits: Iterable[RateLimit]) -> int | None:
    """The fewest requests that are left in a window of the vendor's; None where nothing says."""
    told = (_number(headers.get(one.remaining_header)) for one in limits if one.remaining_header)
    return min((int(one) for one in told if one is not None), default=None)


def windows_end_in(
    headers: Mapping[str, str], limits: Iterable[RateLimit], now: float
) -> float | None:
    """The longest of what `window_ends_in` says of each limit."""
    return _longest(window_ends_in(headers, limit, now) for limit in limits)


def all_reset_in(
    headers: Mapping[str, str], limits: Iterable[RateLimit], now: float
) -> float | None:
    """The longest of what `resets_in` says of each limit."""
    return _longest(resets_in(headers, limit, now) for limit in limits)


def _longest(seconds: Iterable[float | None]) -> float | None:
    return max((one for one in seconds if one is not None), default=None)


def window_ends_in(headers: Mapping[str, str], limit: RateLimit, now: float) -> float | None:
    """Seconds until there are requests again; None where some are left or nothing usable is said.

    The reset header may hold seconds from now, an epoch in seconds or milliseconds, an HTTP date or
    ISO 8601. `now` is in seconds since the epoch.

    >>> limit = RateLimit(remainingHeader="x-left", resetHeader="x-reset")
    >>> window_ends_in({"x-left": "0", "x-reset": "1700000060"}, limit, 1.7e9)
    60.0
    """
    left = _number(headers.get(limit.remaining_header)) if limit.remaining_header else None
    return resets_in(headers, limit, now) if left is not None and left <= 0 else None


def resets_in(headers: Mapping[str, str], limit: RateLimit, now: float) -> float | None:
    """Seconds until the window ends, however many requests are left; see `window_ends_in`."""
    if limit.reset_header is None:
        return None
    text = headers.get(limit.reset_header, "").strip()
    reset = _number(text)
    if reset is None:
        return _until(text, now)
    if reset >= _EPOCH_MS:
        reset /= 1000
    seconds = reset - now if reset >= _EPOCH_S else reset
    return seconds if seconds > 0 else None


def _until(text: str, now: float) -> float | None:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return parse_retry_after(text, now)
    seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return seconds if seconds > 0 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
