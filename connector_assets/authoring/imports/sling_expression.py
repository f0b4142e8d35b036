"""Sling's `{expressions}` as far as a spec of ours can say them.

They are read by their shape and never evaluated: what has no equal is None, and becomes a question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PATH = r"[A-Za-z_][\w.-]*(?:\[\d+\])*"
_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_SCOPED = re.compile(rf"^(state|secrets|inputs|env|sync|context|auth|record)\.({_PATH})$")
_CALL = re.compile(r"^(require|coalesce)\((.*)\)$", re.DOTALL)
_JMESPATH = re.compile(r"""^jmespath\(\s*(response\.(?:json|records))\s*,\s*["'](.+?)["']\s*\)$""")
_RESPONSE = re.compile(rf"^response\.(json|records)\.?(\[-1\])?\.?({_PATH})?$")
_STEP = re.compile(
    rf"^(?:int\()?state\.({_PATH})\)?\s*\+\s*(state\.{_PATH}|\d+|length\(response\.records\))$"
)


def expression(value: Any) -> str | None:
    """The expression that a text is in whole, None for other texts."""
    if not isinstance(value, str):
        return None
    found = re.fullmatch(r"\s*\{(.*)\}\s*", value, re.DOTALL)
    return found[1].strip() if found and "{" not in found[1].replace("{}", "") else None


def scoped(text: str) -> tuple[str, str] | None:
    """Scope and name of `state.x`, also within `require(…)` and as the first that is there."""
    text = text.strip()
    call = _CALL.match(text)
    if call:
        arguments = split(call[2])
        found = [one for one in map(scoped, arguments) if one and one[0] != "sync"]
        return found[0] if found else None
    match = _SCOPED.match(text)
    return (match[1], match[2]) if match else None


def literal(text: str) -> Any:
    """The value of a quoted text or a number, None for anything else."""
    text = text.strip()
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    found = re.fullmatch(r"""(["'])(.*)\1""", text, re.DOTALL)
    return found[2] if found and found[1] not in found[2] else None


def default_of(text: str) -> Any:
    """What `coalesce(secrets.x, "2024-01-01")` falls back to."""
    call = _CALL.match(text.strip())
    if not call or call[1] != "coalesce":
        return None
    return next((v for v in map(literal, reversed(split(call[2]))) if v is not None), None)


def reads_sync(text: str) -> str | None:
    """The stored value that a state begins from: `coalesce(sync.last, …)`."""
    found = re.search(rf"\bsync\.({_PATH})", text)
    return found[1] if found else None


def split(arguments: str) -> list[str]:
    """The arguments of a call, those of calls within left whole."""
    parts, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(arguments):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and not depth:
            parts.append(arguments[start:at].strip())
            start = at + 1
    return [*parts, arguments[start:].strip()]


def answer_path(text: str) -> tuple[str, bool] | None:
    """A path in the answer, and whether it is one in the last row."""
    text = text.strip()
    called = _JMESPATH.match(text)
    if called:
        path = called[2]
        if called[1] == "response.records":
            last = re.fullmatch(r"\[-1\]\.(.+)", path)
            return (last[1], True) if last else None
        return path, False
    found = _RESPONSE.match(text)
    if not found or not found[3]:
        return None
    if found[1] == "records":
        return (found[3], True) if found[2] else None
    return found[3], False


def step(text: str) -> tuple[str, str] | None:
    """The state and what is added to it: `state.page + 1`."""
    found = _STEP.match(text.strip())
    return (found[1], found[2]) if found else None


def merged(one: Any, other: Any) -> dict[str, Any]:
    """Mappings merged key by key, those within too; the second wins."""
    made = dict(one) if isinstance(one, Mapping) else {}
    for key, value in other.items() if isinstance(other, Mapping) else []:
        both = isinstance(value, Mapping) and isinstance(made.get(key), Mapping)
        made[str(key)] = merged(made[key], value) if both else value
    return made


def pieces(text: str) -> list[tuple[bool, str]]:
    """A text as its plain parts and its expressions, which are marked with true."""
    made, at = [], 0
    for found in _EXPRESSION.finditer(text):
        made += [(False, text[at : found.start()]), (True, found[1].strip())]
        at = found.end()
    return [one for one in [*made, (False, text[at:])] if one[1]]


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return dict(value) if isinstance(value, Mapping) else {}
