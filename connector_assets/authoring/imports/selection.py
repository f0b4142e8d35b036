"""Which lists a selection means."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def is_selected(patterns: Sequence[str], *names: str) -> bool:
    """Whether one of the names matches one of the patterns; without patterns everything does."""
    return not patterns or any(fnmatchcase(name, p) for p in patterns for name in names)
