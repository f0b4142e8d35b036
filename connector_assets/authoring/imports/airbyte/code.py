"""Expressions of a spec as they are put together: what is known, and how the rest is written.

A piece of code knows how tightly it binds, so that brackets stand where they are needed and nowhere
else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector_assets.authoring.imports.airbyte.jinja_trees import Refused

CHOICE, OR, AND, NOT, COMPARE, SUM, CONCAT, PRODUCT, UNARY, POSTFIX, NAME = range(11)
"""How tightly an expression binds, the loosest first."""


_COMPARES: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "lteq": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gteq": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}


@dataclass(frozen=True)
class Const:
    """A value that is known."""

    value: Any


@dataclass(frozen=True)
class Code:
    """An expression of a spec; `level` is how tightly it binds. `kind` is its type, if known."""

    text: str
    level: int = POSTFIX
    kind: str = ""

    def at(self, level: int) -> str:
        """Its text where only what binds at least so tightly may stand."""
        return self.text if self._tight >= level else f"({self.text})"

    @property
    def _tight(self) -> int:
        """What has no filter of its own can be followed by a `[` or a `.`."""
        return NAME if self.level == POSTFIX and " | " not in self.text else self.level


Value = Const | Code
ABSENT = Const(None)


def written(value: Value, level: int = CHOICE) -> str:
    """A value as an expression, in brackets where it binds too loosely to stand there."""
    return value.at(level) if isinstance(value, Code) else literal(value.value)


def operand(value: Value) -> str:
    """A value before a `[` or a `.`: one with a filter of its own is in brackets."""
    return written(value, NAME)


_NOTHING = {"int": "0", "float": "0", "length": "[]", "join": "[]"}
"""What a filter of Jinja takes an absent value for, where that is no empty text."""


def piped(value: Value, *filters: str, kind: str = "") -> Code:
    """A value through filters; an absent one is what Jinja takes it for."""
    text = written(value, POSTFIX)
    first = filters[0].partition("(")[0]
    if text.endswith(" | default(none)") and (kind == "string" or first in _NOTHING):
        nothing = _NOTHING.get(first, "''")
        text = text.removesuffix("default(none)") + f"default({nothing})"
    return Code(" | ".join([text, *filters]), POSTFIX, kind)


def joined(values: list[Value]) -> Value:
    """Values one after the other as one text; what lacks is no text."""
    parts = [one for one in values if not (isinstance(one, Const) and one.value in ("", None))]
    if all(isinstance(one, Const) for one in parts):
        return Const("".join(str(one.value) for one in parts if isinstance(one, Const)))
    if len(parts) == 1 and isinstance(parts[0], Code) and parts[0].kind == "string":
        return parts[0]
    return Code(" ~ ".join(_text_part(one) for one in parts), CONCAT, "string")


def _text_part(value: Value) -> str:
    if isinstance(value, Const):
        return literal(str(value.value))
    return as_text(value).at(PRODUCT)


def as_text(value: Code) -> Code:
    """A value where text is made of it: null is nothing, and true is as Python writes it."""
    if value.kind == "boolean":
        return Code(f"'True' if {value.at(OR)} else 'False'", CHOICE, "string")
    if value.text.endswith("| default(none)") and value.level == POSTFIX:
        return Code(value.text.removesuffix("default(none)") + "default('')", POSTFIX, value.kind)
    return value


def literal(value: Any) -> str:
    """A constant as an expression writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, str):
        shown = value.replace("\\", "\\\\").replace("'", "\\'")
        shown = shown.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        return f"'{shown}'"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{literal(str(k))}: {literal(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    raise Refused(f"a {type(value).__name__} in a template")


def path(root: str, keys: tuple[str | int, ...]) -> str:
    """What is at `keys` below `root`."""
    for key in keys:
        plain = isinstance(key, str) and key.isidentifier() and key.isascii()
        root += f".{key}" if plain else f"[{literal(key)}]"
    return root


def compared(values: list[Any], operators: list[str]) -> bool:
    """Whether a chain of comparisons of constants holds."""
    try:
        pairs = zip(operators, values, values[1:], strict=False)
        return all(_COMPARES[op](one.value, other.value) for op, one, other in pairs)
    except TypeError:
        raise Refused("a comparison of constants that cannot be compared") from None


def computed(operator: str, left: Any, right: Any) -> Value:
    """What constants come to."""
    try:
        made = {
            "+": lambda: left + right,
            "-": lambda: left - right,
            "*": lambda: left * right if not isinstance(left, str) else _too_long(),
            "/": lambda: left / right,
            "//": lambda: left // right,
            "%": lambda: left % right,
        }[operator]()
    except (TypeError, ValueError, ArithmeticError):
        raise Refused(f'"{operator}" of constants that it is not for') from None
    return Const(made)


def _too_long() -> Any:
    raise Refused("a text that is multiplied")
