"""Regular expressions that specs may bring: RE2's, whose time grows with the text and no faster."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from connector_assets.errors import ConfigError

MAX_PATTERN = 256
"""The longest regular expression, in characters."""
MAX_PROGRAM = 2_000
"""The largest regular expression as RE2 compiles it, in instructions; `(.{99}){9}` has more."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """`pattern`, ready to search with; ConfigError where it is none, or too large."""
    import re2  # type: ignore[import-untyped]  # ships no types

    options = re2.Options()
    options.log_errors = False
    try:
        found = re2.compile(pattern, options) if len(pattern) <= MAX_PATTERN else None
    except re2.error:
        raise ConfigError("not a regular expression of RE2", fix="see its syntax page") from None
    if found is None or found.programsize > MAX_PROGRAM:
        raise ConfigError("the regular expression is too large", fix="search for less")
    return found
