"""Where something is in a JSON document: JMESPath, with plain dotted paths as the fast case.

Sources: https://jmespath.org/specification.html
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from connector_assets.errors import ResponseError

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
        """The value here, MISSING where a key is absent; an expression that finds null: MISSING.

        Raises ResponseError where a function meets a value of a type it does not take.
        """
        if self.keys is None:
            found = self._searched(value)
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

    def _searched(self, value: Any) -> Any:
        from connector_assets.spec.names.path_budget import search

        try:
            return search(self._compiled.parsed, value)
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            fix = "correct the path; what may be null takes a default, as in (x || `[]`)"
            raise ResponseError(f"path {self.source}: {_misfit(error)}", fix=fix) from None

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


@lru_cache(maxsize=4096)
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
        compiled = jmespath.compile(source)
        wrong = _misused({"type": "path", "children": [compiled.parsed]})
    except (JMESPathError, RecursionError, ValueError) as error:
        raise ValueError(
            "is not a JMESPath expression; put a key with other characters in its own "
            "double quotes, as in '\"@odata.nextLink\"'"
        ) from error
    if wrong:
        raise ValueError(wrong)
    return compiled


def _misused(node: Any) -> str:
    """What is wrong with a call that can never work, empty if nothing is.

    The library looks only when it calls a function, which may be on the last page of a list.
    """
    kind, below = node["type"], [one for one in node["children"] if isinstance(one, dict)]
    if kind == "slice" and node["children"][2] == 0:
        return "has a slice with a step of 0"
    if kind == "function_expression":
        found = _miscalled(node["value"], below)
    else:
        loose = any(one["type"] == "expref" for one in (node, *below)) and kind != "expref"
        found = "has an expression with & that is no argument of a function" if loose else ""
    return found or next(filter(None, map(_misused, below)), "")


def _miscalled(name: str, arguments: Sequence[Any]) -> str:
    from jmespath.functions import Functions

    known = Functions.FUNCTION_TABLE
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}()" if near else f"there are {', '.join(sorted(known))}"
        return f"calls {name}(), which is no function of JMESPath; {hint}"
    takes = known[name]["signature"]
    least = "at least " if takes[-1].get("variadic") else ""
    if len(arguments) < len(takes) or (len(arguments) > len(takes) and not least):
        count = "1 argument" if len(takes) == 1 else f"{len(takes)} arguments"
        return f"calls {name}() with {len(arguments)}, and it takes {least}{count}"
    for number, (one, taken) in enumerate(zip(arguments, takes, strict=False), 1):
        if ("expref" in taken["types"]) != (one["type"] == "expref"):
            kind = "an expression with & before it" if "expref" in taken["types"] else "no &"
            return f"calls {name}() with an argument {number} of another kind; it takes {kind}"
    return ""


def _misfit(error: Exception) -> str:
    """What a path met, without the value itself."""
    name = getattr(error, "function_name", "")
    expected = getattr(error, "expected_types", ())
    if not name or not expected:
        return f"cannot be applied to this answer ({type(error).__name__})"
    return f"{name}() takes {' or '.join(expected)}, and here is {error.actual_type}"  # type: ignore[attr-defined]
