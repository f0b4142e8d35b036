"""Where rows stand in time or number, and which of them a window asks for."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from connector_assets.spec.stream.incremental import Incremental

_UNITS = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
_PATTERN = re.compile(r"""date\(\s*['"](.+?)['"]\s*\)""")

Position = dt.datetime | float | str


class NoPosition(ValueError):
    """A start or end that no server could read."""


def kind_of(incremental: Incremental) -> str:
    """What the cursor is: time, number or text; a time where nothing else is said."""
    if incremental.cursor_format in ("number", "text"):
        return incremental.cursor_format
    start = incremental.start
    source = getattr(start, "source", start)
    is_number = isinstance(source, int | float) or (isinstance(source, str) and source.isdigit())
    plain = incremental.format == "as_is" and incremental.cursor_format is None
    return "number" if is_number and plain else "time"


def written(position: Position, how: str | None) -> Any:
    """A position as a row writes it: `how` is a cursorFormat; None is ISO 8601 or a number."""
    if not isinstance(position, dt.datetime):
        return int(position) if isinstance(position, float) else position
    scale = {"epoch": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}.get(how or "iso")
    if scale:
        return int(position.timestamp()) * scale
    if how == "date":
        return position.date().isoformat()
    if how in (None, "iso"):
        return position.strftime("%Y-%m-%dT%H:%M:%SZ")
    return position.strftime(how)


def read(text: str, kind: str, expression: str = "", how: str = "") -> Position:
    """A start or end as a request has it; NoPosition where it is no such thing."""
    if kind == "text":
        return text
    try:
        if kind == "number":
            return float(text)
        pattern = _PATTERN.search(expression)
        if pattern or "%" in how:
            made = dt.datetime.strptime(text, pattern[1] if pattern else how)  # noqa: DTZ007
            return made if made.tzinfo else made.replace(tzinfo=dt.UTC)
        digits = text.partition(".")[0]
        if digits.isdigit():
            return dt.datetime.fromtimestamp(float(text) / _UNITS[len(digits)], dt.UTC)
        made = dt.datetime.fromisoformat(text)
        return made if made.tzinfo else made.replace(tzinfo=dt.UTC)
    except (ValueError, KeyError, OverflowError) as error:
        raise NoPosition(f'"{text}" is not a {kind}') from error


def is_date(text: str) -> bool:
    """Whether a text is a day without a time, which as an end takes in the whole day."""
    return re.fullmatch(r"\d{4}(-?)\d\d\1\d\d", text) is not None
