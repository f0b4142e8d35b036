"""Paths of fields in rows: keys with dots between them, `[*]` for every element, `*` in a key.

items[*]."@id"     meta.*     custom_*
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from connector_assets.spec.names.paths import MAX_LENGTH
from connector_assets.spec.names.regex import compiled


@dataclass(frozen=True, slots=True)
class Glob:
    """Every key of an object that fits a pattern; `*` stands for any characters.

    >>> Glob("custom_*").renamed("custom_size", Glob("*"))
    'size'
    """

    pattern: str

    def matches(self, key: str) -> bool:
        return self._regex.fullmatch(key) is not None

    def renamed(self, key: str, to: Glob) -> str | None:
        """`to` with what stands for the star of this pattern in `key`; None where none does."""
        found = self._regex.fullmatch(key)
        return to.pattern.replace("*", found[1]) if found else None

    @property
    def stars(self) -> int:
        return self.pattern.count("*")

    @property
    def _regex(self) -> Any:
        return compiled("(.*)".join(map(re.escape, self.pattern.split("*"))))


Keys = tuple[str | Glob | None, ...]
"""The steps of a path; EACH stands for every element of a list."""
EACH = None

_KEY = r'(?:[A-Za-z_*][A-Za-z0-9_*]*|"(?:[^"\\]|\\.)+")'
_EACH = r"\[\*?\]"
_PATH = re.compile(rf"{_KEY}(?:{_EACH})*(?:\.{_KEY}(?:{_EACH})*)*")
_STEP = re.compile(rf"{_KEY}|{_EACH}")


@lru_cache(maxsize=4096)
def field_keys(path: str) -> Keys:
    """The steps of a field's path; ValueError where it is none.

    >>> field_keys('items[*]."@id"'), field_keys("meta.*")
    (('items', None, '@id'), ('meta', Glob(pattern='*')))
    """
    if len(path) > MAX_LENGTH or not _PATH.fullmatch(path):
        raise ValueError(
            "must be keys with dots between them, as address.city or items[*].sku; a key with "
            "other characters stands in its own double quotes"
        )
    return tuple(map(_key, _STEP.findall(path)))


def _key(step: str) -> str | Glob | None:
    if step[0] == "[":
        return EACH
    if step[0] == '"':
        return re.sub(r"\\(.)", r"\1", step[1:-1])
    return Glob(step) if "*" in step else step
