"""Where something is in a JSON document: JMESPath, with plain dotted paths as the fast case.

Sources: https://jmespath.org/specification.html
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MAX_LENGTH = 1000
_KEY = r'(?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)+")'
_DOTTED = re.compile(rf"{_KEY}(?:\.{_KEY})*")


class Missing:
    """The type of MISSING: nothing is there, which is not the same as null."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING = Missing()


class Path:
    """A JMESPath expression, checked when it is made; raises ValueError.

    >>> Path("data.items").find({"data": {"items": [1]}})
    [1]
    >>> Path("data.items").find({"data": {}})
    MISSING
    >>> Path("links[?rel=='next'].href | [0]").find({"links": [{"rel": "next", "href": "/2"}]})
    '/2'
    """

    __slots__ = ("__dict__", "keys", "source")

    def __init__(self, source: str) -> None:
        if not source or len(source) > MAX_LENGTH:
            raise ValueError(f"must be a path of 1 to {MAX_LENGTH} characters")
        self.source = source
        self.keys = dotted(source)
        if self.keys is None:
            _ = self._compiled

    @cached_property
    def _compiled(self) -> Any:
        return _compile(self.source)

    def find(self, value: Any) -> Any:
        """The value here, MISSING where a key is absent; an expression that finds null: MISSING."""
        if self.keys is None:
            found = self._compiled.search(value)
            return MISSING if found is None else found
        for key in self.keys:
            if not isinstance(value, dict) or key not in value:
                return MISSING
            value = value[key]
        return value

    def get(self, value: Any) -> Any:
        """The value here, None where it is absent."""
        found = self.find(value)
        return None if found is MISSING else found

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"Path({self.source!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(strict=True),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )


def dotted(source: str) -> tuple[str, ...] | None:
    """The keys of a plain dotted path, None for any other expression."""
    if not _DOTTED.fullmatch(source):
        return None
    keys = re.findall(_KEY, source)
    return tuple(re.sub(r"\\(.)", r"\1", key[1:-1]) if key[0] == '"' else key for key in keys)


def own_key(source: str) -> str:
    """The key that a path of one step stands for, without its quotes; any other path as it is.

    >>> own_key('"@id"'), own_key('ref."@id"')
    ('@id', 'ref."@id"')
    """
    keys = dotted(source)
    return keys[0] if keys and len(keys) == 1 else source


@lru_cache(maxsize=4096)
def _compile(source: str) -> Any:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.compile(source)
    except (JMESPathError, RecursionError, ValueError) as error:
        raise ValueError(
            "is not a JMESPath expression; put a key with other characters in its own "
            "double quotes, as in '\"@odata.nextLink\"'"
        ) from error
